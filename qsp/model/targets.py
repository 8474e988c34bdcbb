"""Target cells in each tissue: normal, malignant and antigen-low.

Normal B cells turn over in blood and lymphoid tissue and exchange between them; melanocytes turn
over in the skin. The malignant clone and its antigen-low (or poorly infiltrated) clone grow
together, towards a common capacity. All kinds and tissues follow the same equation, with a rate of
zero where a process is absent.

::

    growth, homeostasis --> viable --killing by T cells--> dying --k_clear--> cleared
                            ^    |
          exchange with blood    +--depletion by a competitor-->

Assumed: clones do not turn into each other, and killed cells of normal tissue take no room.

Differs from [Hosseini2020]: the malignant cells have an antigen-low clone and a common capacity.
"""

import equinox as eqx
import jax.numpy as jnp

from qsp.model.tissues import BLOOD, NORMAL, TUMOR, TUMOR_KINDS
from qsp.typing import PerKindTissue, PerTissue, Scalar
from qsp.units import quantity


class TargetParameters(eqx.Module):
    """Numbers and turnover of target cells."""

    baseline: PerKindTissue = quantity(
        "Mcell", "Target cells before treatment", dims=("kind", "tissue"), symbol="N_0"
    )
    k_home: PerKindTissue = quantity(
        "1/day", "Homeostatic rate of return of target cells to baseline", dims=("kind", "tissue")
    )
    k_growth: PerKindTissue = quantity(
        "1/day", "Exponential growth rate of target cells", dims=("kind", "tissue")
    )
    capacity: PerTissue = quantity(
        "Mcell",
        "Carrying capacity for tumor cells in logistic growth",
        dims=("tissue",),
        symbol="K",
    )
    k_exchange: PerKindTissue = quantity(
        "1/day", "Rate of exit of target cells from blood into a tissue", dims=("kind", "tissue")
    )
    blood_ratio: PerKindTissue = quantity(
        "1",
        "Target cells in blood per cell in the tissue, at baseline",
        dims=("kind", "tissue"),
        symbol=r"\rho",
    )
    k_depletion: PerTissue = quantity(
        "1/day",
        "Maximum rate of depletion of normal target cells by the competitor",
        dims=("tissue",),
    )
    depletion50: Scalar = quantity(
        "nmol/L", "Competitor at half-maximum depletion", symbol="O_{50}"
    )
    k_clear: Scalar = quantity("1/day", "Clearance rate of killed tumor cells")
    density: Scalar = quantity("Mcell/L", "Cell density of the tumor", symbol=r"\delta")


class Targets(eqx.Module):
    """Target cells, and killed tumor cells that are not yet cleared."""

    viable: PerKindTissue = quantity(
        "Mcell", "Viable target cells", dims=("kind", "tissue"), symbol="N"
    )
    dying: Scalar = quantity("Mcell", "Killed tumor cells not yet cleared", symbol="D")


class TargetFluxes(eqx.Module):
    """Fluxes of target cells."""

    growth: PerKindTissue = quantity(
        "Mcell/day", "Growth", dims=("kind", "tissue"), symbol="J_{growth}"
    )
    homeostasis: PerKindTissue = quantity(
        "Mcell/day", "Homeostatic return to baseline", dims=("kind", "tissue"), symbol="J_{home}"
    )
    arrival: PerKindTissue = quantity(
        "Mcell/day", "Net arrival from blood", dims=("kind", "tissue"), symbol="J_{arrival}"
    )
    killing: PerKindTissue = quantity(
        "Mcell/day", "Killing by T cells", dims=("kind", "tissue"), symbol="J_{kill}"
    )
    depletion: PerKindTissue = quantity(
        "Mcell/day", "Depletion by the competitor", dims=("kind", "tissue"), symbol="J_{depletion}"
    )
    clearance: Scalar = quantity("Mcell/day", "Clearance of killed tumor cells", symbol="J_{clear}")


def target_fluxes(
    x: Targets,
    killing: PerKindTissue,
    competitor: Scalar,
    p: TargetParameters,
) -> TargetFluxes:
    r"""Fluxes of target cells: growth, homeostasis, exchange, killing, depletion and clearance.

    All clones of the tumor grow logistically towards a common capacity.

    An antibody that competes for the target may also deplete the normal cells that express it, as
    obinutuzumab depletes B cells (Emax in its concentration; assumed).

    Equations:
        Eq. G1: $$J_{growth,j,k} = k_{growth,j,k} N_{j,k} \left(1 - \frac{\sum_{i \in clones}
            N_{i,k}}{K_{k}}\right)$$
        Eq. G3: $$J_{home,j,k} = k_{home,j,k} (N_{0,j,k} - N_{j,k})$$
        Eq. G4: $$J_{arrival,j,k} = k_{exchange,j,k} (N_{j,blood} - \rho_{j,k} N_{j,k}) \quad (k \ne
            blood)$$
        Eq. G5: $$J_{arrival,j,blood} = -\sum_{k \ne blood} J_{arrival,j,k}$$
        Eq. G6: $$J_{depletion,j,k} = 0 \quad (j \ne normal), \quad J_{depletion,normal,k} =
            \frac{k_{depletion,k} O}{O_{50} + O} N_{normal,k}$$
        Eq. G7: $$J_{clear} = k_{clear} D$$
        $O$ [nmol/L]: competitor for the target, `drug.competitor`.

    Args:
        x: Target cells.
        killing: Killing rate by T cells [Mcell/day]; (kind, tissue).
        competitor: Competitor for the target [nmol/L].
        p: Parameters.
    """
    depletion = p.k_depletion * (competitor / (p.depletion50 + competitor)) * x.viable[NORMAL]
    in_blood = x.viable[:, BLOOD, None]
    into_tissue = p.k_exchange * (in_blood - p.blood_ratio * x.viable)
    return TargetFluxes(
        growth=p.k_growth * x.viable * (1.0 - x.viable[TUMOR_KINDS].sum(0) / p.capacity),
        homeostasis=p.k_home * (p.baseline - x.viable),
        arrival=into_tissue.at[:, BLOOD].add(-into_tissue.sum(1)),
        killing=killing,
        depletion=jnp.zeros_like(x.viable).at[NORMAL].set(depletion),
        clearance=p.k_clear * x.dying,
    )


def growth_per_cell(viable: PerKindTissue, p: TargetParameters) -> PerKindTissue:
    r"""Logistic growth per cell [1/day]; (kind, tissue).

    Equations:
        Eq. G2: $$g_{growth,j,k} = k_{growth,j,k} \left(1 - \frac{\sum_{i \in clones}
            N_{i,k}}{K_{k}}\right)$$
        $g_{growth}$ [1/day]: growth per cell.

    Args:
        viable: Viable target cells [Mcell]; (kind, tissue).
        p: Parameters.
    """
    return p.k_growth * (1.0 - viable[TUMOR_KINDS].sum(0) / p.capacity)


def target_rates(flux: TargetFluxes) -> Targets:
    r"""Balance of the fluxes [Mcell/day]; killed tumor cells enter the pool of dying cells.

    Equations:
        Eq. G8: $$\frac{dN_{j,k}}{dt} = J_{growth,j,k} + J_{home,j,k} + J_{arrival,j,k} -
            J_{kill,j,k} - J_{depletion,j,k}$$
        Eq. G9: $$\frac{dD}{dt} = \sum_{j \in clones} J_{kill,j,tumor} - J_{clear}$$
    """
    killed_in_tumor = flux.killing[TUMOR_KINDS, TUMOR].sum(0)
    return Targets(
        viable=flux.growth + flux.homeostasis + flux.arrival - flux.killing - flux.depletion,
        dying=killed_in_tumor - flux.clearance,
    )


def tumor_volume(x: Targets, p: TargetParameters) -> Scalar:
    r"""Volume of the tumor, including dying cells [L].

    Equations:
        Eq. G10: $$V_{tumor} = \frac{\sum_{j \in clones} N_{j,tumor} + D}{\delta}$$
        $V_{tumor}$ [L]: volume of the tumor.
    """
    return (x.viable[TUMOR_KINDS, TUMOR].sum(0) + x.dying) / p.density


def target_baseline(p: TargetParameters) -> Targets:
    r"""State before treatment: target cells at baseline, no dying cells.

    Equations:
        Eq. G11: $$N_{j,k}(0) = N_{0,j,k}, \quad D(0) = 0$$
    """
    return Targets(viable=p.baseline, dying=jnp.zeros_like(p.density))
