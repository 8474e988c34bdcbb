"""The array axes of the model: tissues, kinds of target cell, and lesions of the tumor.

::

    blood ──┬── lymphoid (spleen and nodes)
            ├── tumor    (the marrow in leukemia and myeloma)
            └── skin

A quantity that differs between tissues is an array with a tissue axis. A process that is absent in
a tissue has a rate of zero there, so that all tissues follow the same equations. Quantities of
target cells have an axis of kinds before the tissue axis. The order of tissues is blood, lymphoid,
tumor, skin; that of kinds is normal, malignant, antigen_low (the malignant and the antigen-low
cells are the two clones of the tumor). Parameters of lesions are given for six, of which a form of
the tumor simulates the first ones (`qsp.model.tumors`).

Assumed: each tissue is well mixed, and tissues exchange cells and drug with blood only.

Differs from [Hosseini2020]: spleen and lymph nodes are one lymphoid tissue, the marrow is a tissue
only where it holds the tumor, and the skin is added.
"""

import equinox as eqx

from qsp.typing import PerTissue
from qsp.units import quantity

TISSUES = ("blood", "lymphoid", "tumor", "skin")
BLOOD, LYMPHOID, TUMOR, SKIN = range(4)
KINDS = ("normal", "malignant", "antigen_low")
NORMAL, MALIGNANT, ANTIGEN_LOW = range(3)
LESIONS = ("lesion_1", "lesion_2", "lesion_3", "lesion_4", "lesion_5", "lesion_6")
TUMOR_KINDS = slice(MALIGNANT, ANTIGEN_LOW + 1)


class TissueParameters(eqx.Module):
    """Volumes of distribution of drug and receptors; assumed constant in time."""

    volume: PerTissue = quantity(
        "L", "Volume of blood, or interstitial volume of a tissue", dims=("tissue",), symbol="V"
    )
