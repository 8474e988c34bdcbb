"""IL-1 in blood, at balance with the myeloid cells that make it. Assumed; not in TCE-42.

::

    myeloid cells --> IL-1 --> IL-1 receptor --> IL-6 of myeloid cells
                        |            ^
                      loss       anakinra

As a state it would follow ``d IL1/dt = p_IL1 * myeloid - k_IL1 * (IL1 - baseline)``. It is lost
within minutes (half-life 20 minutes, assumed), myeloid cells come and go in hours, and IL-6 takes
hours to follow them. So it stands where that balance holds, without a state of its own::

    IL1 = baseline + p_IL1 * myeloid / k_IL1

The IL-6 it makes myeloid cells make is in proportion to its rise and to the receptors that are
free: there is far too little IL-1 to fill them. With all myeloid cells active it rises by
``p_IL1 / k_IL1``, and a share s of their IL-6 (`cytokines.share_IL1`) is made because of it::

    IL-6 made = p_IL6 * ((1 - s) * myeloid + s * free * (IL1 - baseline) / (p_IL1 / k_IL1))
              = p_IL6 * myeloid * (1 - s * (1 - free))

Production and loss cancel: they set the IL-1 that is shown, the share alone what IL-6 loses under
anakinra. Integrated as a state, IL-1 gives peaks of IL-6 within 1 % of these and 20 minutes later
(60 mg of mosunetuzumab; a half-life of an hour would make it 6 %).

Left out: fever, endothelium and further myeloid cells that IL-1 acts on; its loss through the
receptor, so that anakinra does not raise it.
"""

import equinox as eqx

from qsp.typing import Scalar
from qsp.units import quantity


class Interleukin1Parameters(eqx.Module):
    """Production by myeloid cells (per fraction active), and loss."""

    baseline: Scalar = quantity("pg/mL", "IL-1 before treatment")
    p_IL1: Scalar = quantity("pg/mL/day", "IL-1 from myeloid cells")
    k_IL1: Scalar = quantity("1/day", "Loss of IL-1")


def il1(myeloid: Scalar, p: Interleukin1Parameters) -> Scalar:
    """IL-1 in blood at balance: baseline + p_IL1 * myeloid / k_IL1.

    Args:
        myeloid: Active fraction of myeloid cells, less what a steroid holds back.
        p: Parameters.

    Returns:
        Concentration [pg/mL].
    """
    return p.baseline + p.p_IL1 * myeloid / p.k_IL1


def il6_left(il1r_free: Scalar, share: Scalar) -> Scalar:
    """Part of the IL-6 of myeloid cells that is made: 1 - s * (1 - free), exactly 1 without a drug.

    Args:
        il1r_free: Fraction of the effect of IL-1 not blocked.
        share: Part of the IL-6 that IL-1 makes them make.
    """
    return 1.0 - share * (1.0 - il1r_free)
