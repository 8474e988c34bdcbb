"""The two axes of the model: tissues, and kinds of target cell.

::

    blood ──┬── lymphoid (spleen and nodes)
            ├── tumor    (the marrow in leukemia and myeloma)
            └── skin

A quantity that differs between tissues is one array with a tissue axis, a process that is absent
in a tissue has rate zero there, and no equation asks which tissue it is in. Target cells have an
axis of kinds before it.
"""

import equinox as eqx

from qsp.typing import PerTissue
from qsp.units import quantity

TISSUES = ("blood", "lymphoid", "tumor", "skin")
BLOOD, LYMPHOID, TUMOR, SKIN = range(4)
KINDS = ("normal", "malignant", "antigen_low")
NORMAL, MALIGNANT, ANTIGEN_LOW = range(3)
TUMOR_KINDS = slice(MALIGNANT, ANTIGEN_LOW + 1)


class TissueParameters(eqx.Module):
    """Volumes in which drug and receptors meet; constant during a run (TCE-42 A5)."""

    volume: PerTissue = quantity(
        "L", "Blood volume; interstitial volume of the other tissues", dims=("tissue",)
    )
