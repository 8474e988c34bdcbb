"""Release of cytokines by activated T cells, weighted by tissue and delayed.

Each activated cell in contact with a target secretes; the share that reaches blood depends on the
tissue. Release is inhibited by past release (desensitization, a memory that fades over days), by
IL-10, by steroids and by kinase inhibitors, and passes two transit compartments.

::

    activated cells in contact --weight--> drive --> transit 1 --> transit 2 --> cytokines
                                             |
                       memory <--------------+   (inhibits the drive, as do IL-10 and steroids)

Differs from [Chen2019]: activated cells in contact drive release, not trimers; the memory adds up
this drive, not the concentration of the cytokine, and it fades, so that release recovers after a
pause.
"""

import equinox as eqx

from qsp.model.effects import Effects
from qsp.typing import PerTissue, Scalar
from qsp.units import quantity


class ReleaseParameters(eqx.Module):
    """Transport and feedback of cytokine release."""

    weight: PerTissue = quantity(
        "1", "Share of the release of a tissue that reaches blood", dims=("tissue",), symbol="w"
    )
    k_transit: Scalar = quantity("1/day", "Transit rate of each release compartment")
    CA50: Scalar = quantity(
        "Mcell*day", "Release memory at which release is halved", symbol="CA_{50}"
    )
    k_CA: Scalar = quantity("1/day", "Loss rate of the release memory")
    IL10_50: Scalar = quantity("pg/mL", "Rise of IL-10 that halves release")
    steroid_release: Scalar = quantity(
        "1", "Maximum inhibition of release by glucocorticoids", symbol=r"\sigma_{release}"
    )


class Release(eqx.Module):
    """Release drive in transit to blood, and the release memory."""

    transit_1: Scalar = quantity(
        "Mcell", "Release drive in the first transit compartment", symbol="z_1"
    )
    transit_2: Scalar = quantity(
        "Mcell", "Release drive in the second transit compartment", symbol="z_2"
    )
    memory: Scalar = quantity(
        "Mcell*day", "Release memory: cumulative release with loss", symbol="CA"
    )


def secretion(activated: PerTissue, touching: PerTissue, p: ReleaseParameters) -> PerTissue:
    """Secreting T cells weighted by the share of their release that reaches blood, w*A*p.

    Assumed: secretion per activated cell in contact does not depend on the number of bridges, which
    already act on activation.

    Equations:
        Eq. L1: $$S_{k} = w_{k} A_{k} p_{k}$$
        $S$ [Mcell]: weighted secreting T cells.
        $A$ [Mcell]: activated T cells, `t_cells.activated`.
        $p$ [1]: fraction of T cells in contact, Eq. E2.

    Args:
        activated: Activated T cells, A [Mcell]; (tissue,).
        touching: Fraction of T cells in contact with a target, p [1]; (tissue,).
        p: Parameters, with the weights w.

    Returns:
        Weighted secreting cells [Mcell]; (tissue,).
    """
    return p.weight * activated * touching


def release_rates(
    x: Release,
    secreting: PerTissue,
    il10_rise: Scalar,
    effects: Effects,
    p: ReleaseParameters,
    memory_factor: Scalar,
) -> Release:
    r"""Release drive, its two transit compartments, and the release memory.

    The memory accumulates the drive itself, not the delayed one, as it would be without a steroid.

    Equations:
        Eq. L2: $$z_{in} = \frac{\eta_{release} (1 - e_{kinase}) \sum_{k}
            S_{k}}{\left(1 + (CA / CA_{50})^2\right) \left(1 + \Delta_{IL10} / IL10_{50}\right)}$$
        Eq. L3: $$\frac{dz_1}{dt} = k_{transit} z_{in} - k_{transit} z_1$$
        Eq. L4: $$\frac{dz_2}{dt} = k_{transit} z_1 - k_{transit} z_2$$
        Eq. L5: $$\frac{dCA}{dt} = f_{m} z_{in} - k_{CA} CA$$
        $z_{in}$ [Mcell]: release drive.
        $f_{m}$ [1]: correction of memories for a steroid, Eq. M8.
        $\eta_{release}$ [1]: release under a steroid, relative to that without, Eq. L6.
        $S$ [Mcell]: weighted secreting T cells, Eq. L1.
        $\Delta_{IL10}$ [pg/mL]: IL-10 above baseline.

    Args:
        x: State.
        secreting: Secreting T cells from `secretion` [Mcell]; (tissue,).
        il10_rise: IL-10 above baseline [pg/mL].
        effects: Effects of the supportive drugs.
        p: Parameters.
        memory_factor: Correction of memories for a steroid, f_m [1].
    """
    desensitization = 1.0 + (x.memory / p.CA50) ** 2
    suppression = 1.0 + il10_rise / p.IL10_50
    uninhibited = release_factor(effects, p) * (1.0 - effects.kinase)
    drive = secreting.sum(0) * uninhibited / (desensitization * suppression)
    forward = p.k_transit * x.transit_1
    return Release(
        transit_1=p.k_transit * drive - forward,
        transit_2=forward - p.k_transit * x.transit_2,
        memory=memory_factor * drive - p.k_CA * x.memory,
    )


def release_factor(effects: Effects, p: ReleaseParameters) -> Scalar:
    r"""Release under a steroid, relative to that without; exactly 1 without a steroid.

    Equations:
        Eq. L6: $$\eta_{release} = 1 - \sigma_{release} e_{steroid}$$
        $\eta_{release}$ [1]: release relative to that without a steroid.
    """
    return 1.0 - p.steroid_release * effects.steroid
