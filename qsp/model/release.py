"""Release of cytokines by activated T cells, weighted by tissue and delayed.

Source: TCE-42 (f), S1, S5, A10.

Each activated cell in contact with a target secretes; what reaches blood depends on the tissue.
The release is held back by its own past (release memory, washed out over days), by IL-10 and by
steroids, and passes two transits.
"""

import equinox as eqx

from qsp.model.effects import Effects
from qsp.typing import PerTissue, Scalar
from qsp.units import quantity


class ReleaseParameters(eqx.Module):
    """Transport and feedback of the release."""

    weight: PerTissue = quantity(
        "1", "Share of a secreting cell that reaches blood", dims=("tissue",)
    )
    k_transit: Scalar = quantity("1/day", "Passage of each transit")
    CA50: Scalar = quantity("Mcell*day", "Cumulative release at which release falls to half")
    k_CA: Scalar = quantity("1/day", "Wash-out of the release memory")
    IL10_50: Scalar = quantity("pg/mL", "IL-10 above baseline that halves release")
    steroid_release: Scalar = quantity("1", "Maximum inhibition of release by a steroid")


class Release(eqx.Module):
    """Drive on its way to blood."""

    transit_1: Scalar = quantity("Mcell", "Drive in the first transit")
    transit_2: Scalar = quantity("Mcell", "Drive in the second transit, which acts")
    memory: Scalar = quantity("Mcell*day", "Cumulative release remembered")


def secretion(activated: PerTissue, touching: PerTissue, p: ReleaseParameters) -> PerTissue:
    """Secreting cells seen from blood [Mcell]: w*A*p, without a second Hill factor.

    Source: TCE-42 (b), S1.
    """
    return p.weight * activated * touching


def release_rates(
    x: Release, secreting: PerTissue, il10_rise: Scalar, effects: Effects, p: ReleaseParameters
) -> Release:
    """Drive D, transits and memory; TCE-42 (f).

    The memory is fed by D, not by its delayed copy (A10). Differs from TCE-42: a kinase
    inhibitor holds release back too.

    Args:
        x: State.
        secreting (tissue,): Secreting cells seen from blood [Mcell].
        il10_rise: IL-10 above baseline [pg/mL].
        effects: Supportive drugs.
        p: Parameters.
    """
    desensitized = 1.0 + (x.memory / p.CA50) ** 2
    suppressed = 1.0 + il10_rise / p.IL10_50
    inhibited = (1.0 - p.steroid_release * effects.steroid) * (1.0 - effects.kinase)
    drive = secreting.sum(0) * inhibited / (desensitized * suppressed)
    forward = p.k_transit * x.transit_1
    return Release(
        transit_1=p.k_transit * drive - forward,
        transit_2=forward - p.k_transit * x.transit_2,
        memory=drive - p.k_CA * x.memory,
    )
