"""Trimers in a synapse: bridges CD3 : drug : target between one T cell and one target cell.

Source: TCE-42 (a), 4.2, A1, A14.

Receptors stand at their surface density inside a 15 nm gap, so that a bridge depends on the
receptors of the two cells and on the free drug around them, not on how many cells a tissue holds::

    CD3 + drug <-> CD3.drug          K_3           CD3.drug + target <-> trimer     K_T / alpha
    target + drug <-> target.drug    K_T           target.drug + CD3 <-> trimer     K_3 / alpha

Three forms share one interface (`initial`, `rates`, `bridges`): the closed equilibrium (default),
the same with one relaxing state for slow arms, and the kinetic scheme itself, the reference for
the other two. A molecule with two target arms (2:1) uses the same closed form with `refinements` >
0.
"""

from abc import abstractmethod
from typing import Any

import equinox as eqx
import jax.numpy as jnp

from qsp.model import numerics
from qsp.model.binding import BindingParameters, Receptors, arm_affinity, gap_receptors
from qsp.typing import PerKindTissue, PerTissue, Scalar
from qsp.units import quantity


class SynapseParameters(eqx.Module):
    """What makes bridges, and how many make an effect."""

    alpha: Scalar = quantity("1", "Cross-linking efficiency, calibrated to potency")
    area: Scalar = quantity("um^2/synapse", "Contact area")
    beta50_act: Scalar = quantity("molecule/synapse", "Bridges at half-maximum activation")
    hill_act: Scalar = quantity("1", "Steepness of activation")
    beta50_kill: Scalar = quantity("molecule/synapse", "Bridges at half-maximum killing")
    k_off_CD3: Scalar = quantity("1/day", "Dissociation from CD3")
    k_off_target: Scalar = quantity("1/day", "Dissociation from the target")
    k_relax_min: Scalar = quantity("1/day", "Slowest relaxation of bridges")
    k_relax_max: Scalar = quantity("1/day", "Fastest relaxation of bridges")


class Gap(eqx.Module):
    """What a synapse meets at one moment."""

    receptors: Receptors
    free: PerTissue = quantity("nmol/L", "Free drug", dims=("tissue",))
    K_T: Scalar = quantity("nmol/L", "Dissociation constant of one target arm, competitor included")


def gap(free: PerTissue, competitor: Scalar, p: BindingParameters) -> Gap:
    """Surroundings of a synapse in each tissue."""
    return Gap(free=free, K_T=arm_affinity(competitor, p), receptors=gap_receptors(p))


def trimers(at: Gap, alpha: Scalar, p: BindingParameters, *, refinements: int = 0) -> PerKindTissue:
    """Trimers in the gap at equilibrium, as a concentration [nmol/L]; TCE-42 4.2 and A14.

    With t the free target, a drug sits on n*c*t/K_T single and (n-1)*chi*c*t^2/K_T^2 double arms,
    and CD3 (free: r) joins either with weight alpha*c*r/K_3 in place of c::

        targets  r_T = t*v + m*Tri        v = 1 + n*c/K_T + 2*(n-1)*chi*c*t/K_T^2
        CD3      r_3 = r*u + Tri          u = 1 + c/K_3
        Tri = a*r*t                       a = alpha*c/K_3 * (n/K_T + (n-1)*chi*t/K_T^2)

    m is the mean number of targets in a trimer. For n = 1 nothing depends on t and the quadratic
    is exact. For n = 2 t is refined a fixed number of times. Differs from TCE-42 (a): each
    doubly bound drug takes two targets, hence the factor 2 in v and m > 1.

    Args:
        at: Free drug and receptors in the gap.
        alpha: Cross-linking efficiency.
        p: Affinities and valency.
        refinements: Updates of the free target; 0 takes chi as 0, exact for valency 1.
    """
    c, K_T = numerics.positive_concentration(at.free), at.K_T
    r3, rT = at.receptors.cd3, at.receptors.target
    if not refinements:
        return _without_cross_arm(c, r3, rT, alpha, p.valency, p.KD_CD3, K_T)
    n, cis = p.valency, (p.valency - 1.0) * p.chi / K_T
    u = 1.0 + c / p.KD_CD3

    def quadratic(t: PerKindTissue) -> tuple[PerKindTissue, PerKindTissue]:
        v = 1.0 + c / K_T * (n + 2.0 * cis * t)
        m = (n + 2.0 * cis * t) / (n + cis * t)
        a = alpha * c / (p.KD_CD3 * K_T) * (n + cis * t)
        s = m * r3 + rT + u * v / a
        tri = 2.0 * r3 * rT / (s + jnp.sqrt(s * s - 4.0 * m * r3 * rT))
        return tri, (rT - m * tri) / v

    # Start from the target that is free without T cells, itself a quadratic in t.
    b = 1.0 + n * c / K_T
    t = 2.0 * rT / (b + jnp.sqrt(b * b + 8.0 * c / K_T * cis * rT))
    tri, free = quadratic(t)
    for _ in range(refinements):
        # The geometric mean damps the alternation.
        tri, free = quadratic(numerics.geometric_mean(t, free))
        t = numerics.geometric_mean(t, free)
    return tri


def _without_cross_arm(  # noqa: PLR0913
    c: PerTissue,
    r3: PerTissue,
    rT: PerKindTissue,
    alpha: Scalar,
    n: Scalar,
    K_3: Scalar,
    K_T: Scalar,
) -> PerKindTissue:
    """The quadratic for chi = 0 (or n = 1): t drops out of u*v/a."""
    s = r3 + rT + (K_3 + c) * (K_T + n * c) / (alpha * n * c)
    return 2.0 * r3 * rT / (s + jnp.sqrt(s * s - 4.0 * r3 * rT))


def per_synapse(
    concentration: PerKindTissue, p: BindingParameters, s: SynapseParameters
) -> PerKindTissue:
    """Bridges of one synapse from their concentration in the gap, by its area; TCE-42 (a)."""
    return concentration * p.density_per_concentration * s.area


class AbstractSynapse(eqx.Module):
    """How bridges follow the drug: a state or none, its rates, and the bridges it means."""

    @property
    @abstractmethod
    def arms(self) -> int:
        """2 where the arms of one molecule may hold two targets on a cell, otherwise 1."""

    @abstractmethod
    def initial(self, p: BindingParameters) -> Any:
        """State without drug."""

    @abstractmethod
    def bridges(
        self, state: Any, at: Gap, p: BindingParameters, s: SynapseParameters
    ) -> PerKindTissue:
        """Bridges per synapse [molecule/synapse], (kind, tissue)."""

    @abstractmethod
    def rates(self, state: Any, at: Gap, p: BindingParameters, s: SynapseParameters) -> Any:
        """Derivative of the state."""


class Equilibrium(AbstractSynapse):
    """Bridges at equilibrium with the drug at every moment (default). No state."""

    refinements: int = eqx.field(static=True, default=0)

    @property
    def arms(self) -> int:
        return 2 if self.refinements else 1

    def initial(self, p: BindingParameters) -> None:
        return None

    def bridges(
        self, state: None, at: Gap, p: BindingParameters, s: SynapseParameters
    ) -> PerKindTissue:
        return per_synapse(trimers(at, s.alpha, p, refinements=self.refinements), p, s)

    def rates(self, state: None, at: Gap, p: BindingParameters, s: SynapseParameters) -> None:
        return None


class Bridges(eqx.Module):
    """Relaxing bridges."""

    per_synapse: PerKindTissue = quantity(
        "molecule/synapse", "Bridges per synapse", dims=("kind", "tissue")
    )


class Relaxed(AbstractSynapse):
    """Bridges that follow their equilibrium at the off-rate of the slow arm; TCE-42 4.2.

    k = k_off*(1 + c/K_T) within bounds: the tight arms of tebentafusp and teclistamab need hours
    at low drug.
    """

    refinements: int = eqx.field(static=True, default=0)

    @property
    def arms(self) -> int:
        return 2 if self.refinements else 1

    def initial(self, p: BindingParameters) -> Bridges:
        return Bridges(jnp.zeros_like(p.copies_target))

    def bridges(
        self, state: Bridges, at: Gap, p: BindingParameters, s: SynapseParameters
    ) -> PerKindTissue:
        return state.per_synapse

    def rates(self, state: Bridges, at: Gap, p: BindingParameters, s: SynapseParameters) -> Bridges:
        equilibrium = Equilibrium(self.refinements).bridges(None, at, p, s)
        k = numerics.bounded(
            s.k_off_target * (1.0 + at.free / at.K_T), s.k_relax_min, s.k_relax_max
        )
        return Bridges(k * (equilibrium - state.per_synapse))


class Complexes(eqx.Module):
    """Bound species in the gap."""

    cd3_drug: PerKindTissue = quantity("nmol/L", "CD3.drug", dims=("kind", "tissue"))
    target_drug: PerKindTissue = quantity("nmol/L", "Target.drug", dims=("kind", "tissue"))
    trimer: PerKindTissue = quantity("nmol/L", "Trimer", dims=("kind", "tissue"))


class Kinetic(AbstractSynapse):
    """Every binding step with its own rate, for 1:1 molecules only.

    The equations are stiff (rates to 1e5 per hour) and need an implicit solver.

    The drug in the gap is held at its tissue concentration. Detailed balance fixes the
    second on-rates: both paths to the trimer end in Tri = alpha*c*r*t/(K_3*K_T).
    """

    @property
    def arms(self) -> int:
        return 1

    def initial(self, p: BindingParameters) -> Complexes:
        zero = jnp.zeros_like(p.copies_target)
        return Complexes(zero, zero, zero)

    def bridges(
        self, state: Complexes, at: Gap, p: BindingParameters, s: SynapseParameters
    ) -> PerKindTissue:
        return per_synapse(state.trimer, p, s)

    def rates(
        self, state: Complexes, at: Gap, p: BindingParameters, s: SynapseParameters
    ) -> Complexes:
        c, K_3, K_T = at.free, p.KD_CD3, at.K_T
        r = at.receptors.cd3 - state.cd3_drug - state.trimer
        t = at.receptors.target - state.target_drug - state.trimer
        on_cd3 = s.k_off_CD3 * (r * c / K_3 - state.cd3_drug)
        on_target = s.k_off_target * (t * c / K_T - state.target_drug)
        target_joins = s.k_off_target * (s.alpha * state.cd3_drug * t / K_T - state.trimer)
        cd3_joins = s.k_off_CD3 * (s.alpha * state.target_drug * r / K_3 - state.trimer)
        return Complexes(
            cd3_drug=on_cd3 - target_joins,
            target_drug=on_target - cd3_joins,
            trimer=target_joins + cd3_joins,
        )
