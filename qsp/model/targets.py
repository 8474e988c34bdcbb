"""Target cells: normal, malignant, antigen-low, in each tissue (TCE-42 (e), A9, S10).

Normal B cells turn over in blood and lymphoid tissue and exchange between them; melanocytes turn
over in the skin; the tumor and its antigen-low (or poorly infiltrated) clone grow together, towards
one capacity or into a linear phase. All have the same equation, with rate zero where a process is
absent.
"""

from abc import abstractmethod

import equinox as eqx
import jax.numpy as jnp

from qsp.model.tissues import BLOOD, NORMAL, TUMOR, TUMOR_KINDS
from qsp.typing import PerKindTissue, PerTissue, Scalar
from qsp.units import quantity


class TargetParameters(eqx.Module):
    """Numbers and turnover of target cells."""

    baseline: PerKindTissue = quantity(
        "Mcell", "Target cells before treatment", dims=("kind", "tissue")
    )
    k_home: PerKindTissue = quantity("1/day", "Return to baseline", dims=("kind", "tissue"))
    k_growth: PerKindTissue = quantity("1/day", "Growth rate", dims=("kind", "tissue"))
    capacity: PerTissue = quantity("Mcell", "Tumor cells at most", dims=("tissue",))
    linear_growth: PerTissue = quantity(
        "Mcell/day", "Growth at most, where growth turns linear", dims=("tissue",)
    )
    k_exchange: PerKindTissue = quantity(
        "1/day", "Exit from blood into a tissue", dims=("kind", "tissue")
    )
    blood_ratio: PerKindTissue = quantity(
        "1", "Cells in blood per cell in the tissue, at baseline", dims=("kind", "tissue")
    )
    k_depletion: PerTissue = quantity(
        "1/day", "Death of normal target cells by the competitor, at most", dims=("tissue",)
    )
    depletion50: Scalar = quantity("nmol/L", "Competitor at half-maximum depletion")
    k_clear: Scalar = quantity("1/day", "Clearance of killed tumor cells")
    density: Scalar = quantity("Mcell/L", "Cells per volume of tumor")


class Targets(eqx.Module):
    """Target cells, and tumor cells killed but not yet cleared."""

    viable: PerKindTissue = quantity("Mcell", "Target cells", dims=("kind", "tissue"))
    dying: Scalar = quantity("Mcell", "Killed tumor cells not yet cleared")


class AbstractGrowth(eqx.Module):
    """How target cells multiply while nothing kills them."""

    @abstractmethod
    def __call__(self, viable: PerKindTissue, p: TargetParameters) -> PerKindTissue:
        """Growth [Mcell/day]."""


class Logistic(AbstractGrowth):
    """Exponential growth of all clones towards one capacity (default); TCE-42 (e)."""

    def __call__(self, viable: PerKindTissue, p: TargetParameters) -> PerKindTissue:
        """k*N*(1 - N_tumor/capacity) [Mcell/day]."""
        return p.k_growth * viable * (1.0 - viable[TUMOR_KINDS].sum(0) / p.capacity)


class Simeoni(AbstractGrowth):
    """Exponential growth that turns linear, for myeloma (Simeoni2004; TCE-42 (e)).

    The tumor as a whole grows by k*N / (1 + (k*N/linear)^psi)^(1/psi), each clone by its share:
    exponentially while k*N is far below `linear`, by `linear` a day far above it.
    """

    psi: int = eqx.field(static=True, default=20)  # sharpness of the turn, as published

    def __call__(self, viable: PerKindTissue, p: TargetParameters) -> PerKindTissue:
        """k*N, held down to `linear_growth` for the whole tumor [Mcell/day]."""
        exponential = p.k_growth * viable
        excess = exponential[TUMOR_KINDS].sum(0) / p.linear_growth
        # With the larger side factored out, no power overflows.
        small, large = jnp.minimum(excess, 1.0), jnp.maximum(excess, 1.0)
        turn = (small / large) ** self.psi
        return exponential / (large * (1.0 + turn) ** (1.0 / self.psi))


class TargetFluxes(eqx.Module):
    """Every process of target cells, once."""

    growth: PerKindTissue = quantity("Mcell/day", "Growth", dims=("kind", "tissue"))
    homeostasis: PerKindTissue = quantity(
        "Mcell/day", "Return to baseline", dims=("kind", "tissue")
    )
    arrival: PerKindTissue = quantity(
        "Mcell/day", "Net arrival from blood", dims=("kind", "tissue")
    )
    killing: PerKindTissue = quantity("Mcell/day", "Killing", dims=("kind", "tissue"))
    depletion: PerKindTissue = quantity(
        "Mcell/day", "Death by the competitor", dims=("kind", "tissue")
    )
    clearance: Scalar = quantity("Mcell/day", "Clearance of killed tumor cells")


def target_fluxes(
    x: Targets,
    killing: PerKindTissue,
    competitor: Scalar,
    p: TargetParameters,
    grow: AbstractGrowth,
) -> TargetFluxes:
    """Fluxes of target cells; TCE-42 (e).

    Differs from TCE-42: an antibody that competes for the target may kill the normal cells that
    have it, as obinutuzumab does with B cells.
    """
    depleted = p.k_depletion * (competitor / (p.depletion50 + competitor)) * x.viable[NORMAL]
    in_blood = x.viable[:, BLOOD, None]
    leaving_blood = p.k_exchange * (in_blood - p.blood_ratio * x.viable)
    return TargetFluxes(
        growth=grow(x.viable, p),
        homeostasis=p.k_home * (p.baseline - x.viable),
        arrival=leaving_blood.at[:, BLOOD].add(-leaving_blood.sum(1)),
        killing=killing,
        depletion=jnp.zeros_like(x.viable).at[NORMAL].set(depleted),
        clearance=p.k_clear * x.dying,
    )


def target_rates(flux: TargetFluxes) -> Targets:
    """Balance of the fluxes; TCE-42 (e)."""
    killed_in_tumor = flux.killing[TUMOR_KINDS, TUMOR].sum(0)
    return Targets(
        viable=flux.growth + flux.homeostasis + flux.arrival - flux.killing - flux.depletion,
        dying=killed_in_tumor - flux.clearance,
    )


def tumor_volume(x: Targets, p: TargetParameters) -> Scalar:
    """Volume of the tumor, dying cells included [L]; TCE-42 (e)."""
    return (x.viable[TUMOR_KINDS, TUMOR].sum(0) + x.dying) / p.density


def untreated(p: TargetParameters) -> Targets:
    """Target cells before treatment."""
    return Targets(viable=p.baseline, dying=jnp.zeros_like(p.density))
