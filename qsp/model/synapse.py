"""Trimers in a synapse: CD3-drug-target bridges between one T cell and one target cell.

Receptors are confined to a contact gap of 15 nm at their surface density, so that the number of
bridges depends on the receptors of the two cells and on the free drug around them, not on the
number of cells in the tissue::

    CD3 + drug <-> CD3.drug          K_3           CD3.drug + target <-> trimer     K_T / alpha
    target + drug <-> target.drug    K_T           target.drug + CD3 <-> trimer     K_3 / alpha

Four forms share one interface (`AbstractSynapse`): `Equilibrium`, the closed form (default);
`Plateau`, the closed form without the fall of bridges at high drug (hook effect); `Relaxed`, which
approaches the closed form at one rate per synapse, for slowly dissociating arms; and `Kinetic`, the
full scheme, the reference for the others. A molecule with two target arms (2:1) uses the first
three with `refinements` > 0; the kinetic form is refused for it.

Differs from [Hosseini2020]: a Hill term in the drug concentration is replaced by the number of
bridges, so that affinities and copies per cell act on potency. Differs from [Betts2019]: trimers
form between surface densities in a contact gap, not between concentrations in the tissue volume.
"""

import dataclasses
from abc import abstractmethod
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp

from qsp.model import numerics
from qsp.model.binding import (
    BindingParameters,
    Receptors,
    arm_affinity,
    avidity,
    gap_receptors,
)
from qsp.typing import PerKindTissue, PerTissue, Scalar
from qsp.units import quantity


class SynapseParameters(eqx.Module):
    """Formation of bridges, and the number of bridges needed for an effect."""

    alpha: Scalar = quantity(
        "1",
        "Cross-linking efficiency: affinity of the second binding step, relative to the first",
        symbol=r"\alpha",
    )
    area: Scalar = quantity("um^2/synapse", "Contact area of a synapse", symbol="a_{syn}")
    beta50_act: Scalar = quantity(
        "molecule/synapse",
        "Bridges per synapse at half-maximum activation",
        symbol=r"\beta_{50,act}",
    )
    hill_act: Scalar = quantity("1", "Hill coefficient of activation", symbol="n_{act}")
    beta50_kill: Scalar = quantity(
        "molecule/synapse", "Bridges per synapse at half-maximum killing", symbol=r"\beta_{50,kill}"
    )
    k_off_CD3: Scalar = quantity("1/day", "Dissociation rate from CD3")
    k_off_target: Scalar = quantity("1/day", "Dissociation rate from the target")
    k_relax_min: Scalar = quantity("1/day", "Lower bound of the relaxation rate of bridges")
    k_relax_max: Scalar = quantity("1/day", "Upper bound of the relaxation rate of bridges")


class Gap(eqx.Module):
    """Drug and receptors in the contact gap of a synapse."""

    receptors: Receptors
    free: PerTissue = quantity("nmol/L", "Free drug", dims=("tissue",), symbol="c")
    K_T: Scalar = quantity(
        "nmol/L", "Apparent dissociation constant of one target arm under competition", symbol="K_T"
    )


def contact_gap(free: PerTissue, competitor: Scalar, p: BindingParameters) -> Gap:
    """Drug and receptors in the contact gap of a synapse in each tissue.

    Assumed: the free concentration in the gap equals that of the tissue.

    Equations:
        Eq. S1: $$c_{gap,k} = c_{k}$$
        $c_{gap}$ [nmol/L]: free drug in the contact gap.
        $c$ [nmol/L]: free drug in the tissue, Eq. B8.

    Args:
        free: Free drug [nmol/L]; (tissue,).
        competitor: Competitor for the target [nmol/L].
        p: Affinities and receptor densities.
    """
    return Gap(free=free, K_T=arm_affinity(competitor, p), receptors=gap_receptors(p))


def trimers(
    gap: Gap, alpha: Scalar, p: BindingParameters, *, refinements: int = 0
) -> PerKindTissue:
    r"""Concentration of trimers in the contact gap at equilibrium.

    One arm or two arms of a drug bind targets, and free CD3 binds either form. For n = 1, v, a and
    m do not depend on the free target t and the quadratic is exact. For n = 2 a drug bound by two
    arms occupies two targets, and t is found by a fixed number of iterations, 7 in a simulation.
    They start at the free target without T cells,
    ``t = 2 r_target / (b + sqrt(b^2 + 8 kappa (c/K_T) r_target))`` with ``b = 1 + n c/K_T``, and at
    t', which Eq. S5 gives for this t. An iteration puts ``sqrt(t t')`` into Eq. S2 to S5, which
    gives the next t', then replaces t by ``sqrt(t t')`` with this new t'; the trimers are those of
    the last iteration. For the
    typical patient treated with glofitamab they are within 6e-4 of the exact value.

    Equations:
        Eq. S2: $$X_{tri,j,k} = \frac{2 r_{CD3} r_{target,j,k}}{s + \sqrt{s^2 - 4 m r_{CD3}
            r_{target,j,k}}}, \quad s = m r_{CD3} + r_{target,j,k} + \frac{u v}{a}$$
        Eq. S3: $$u = 1 + \frac{c_{k}}{K_{D,CD3}}, \quad v = 1 + \frac{c_{k}}{K_T} (n + 2 \kappa
            t)$$
        Eq. S4: $$a = \frac{\alpha c_{k} (n + \kappa t)}{K_{D,CD3} K_T}, \quad m = \frac{n + 2
            \kappa t}{n + \kappa t}, \quad \kappa = \frac{(n - 1) \chi}{K_T}$$
        Eq. S5: $$t = \frac{r_{target,j,k} - m X_{tri,j,k}}{v}$$
        $r_{CD3}$ [nmol/L]: CD3 in the gap, Eq. B3. $r_{target}$ [nmol/L]: target in the gap, Eq.
        B4. $X_{tri}$ [nmol/L]: trimers. $t$ [nmol/L]: free target. $s$ [nmol/L]: term of the root.
        $u$ [1]: total over free CD3, without trimers. $v$ [1]: total over free target, without
        trimers. $a$ [L/nmol]: trimers per free CD3 and free target. $m$ [1]: mean number of targets
        in a trimer. $\kappa$ [L/nmol]: weight of a second target arm.

    Args:
        gap: Free drug and receptors in the gap.
        alpha: Cross-linking efficiency [1].
        p: Affinities and valency.
        refinements: Iterations for the free target; 0 sets chi to 0, which is exact for valency 1.

    Returns:
        Trimers [nmol/L]; (kind, tissue).
    """
    c, K_T = numerics.positive_concentration(gap.free), gap.K_T
    r3, rT = gap.receptors.cd3, gap.receptors.target
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

    # Start from the free target without T cells, the root of a quadratic in t.
    b = 1.0 + n * c / K_T
    t = 2.0 * rT / (b + jnp.sqrt(b * b + 8.0 * c / K_T * cis * rT))
    tri, free = quadratic(t)
    for _ in range(refinements):
        # The geometric mean damps oscillation of the iteration.
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
    """Trimers for chi = 0 or n = 1, where u*v/a does not depend on t."""
    s = r3 + rT + (K_3 + c) * (K_T + n * c) / (alpha * n * c)
    return 2.0 * r3 * rT / (s + jnp.sqrt(s * s - 4.0 * r3 * rT))


def per_synapse(
    concentration: PerKindTissue, p: BindingParameters, s: SynapseParameters
) -> PerKindTissue:
    r"""Bridges per synapse [molecule/synapse] from their concentration in the gap [nmol/L].

    Equations:
        Eq. S6: $$\beta_{j,k} = \sigma \, a_{syn} X_{tri,j,k}$$
        $\beta$ [molecule/synapse]: bridges per synapse.
        $X_{tri}$ [nmol/L]: trimers in the gap, Eq. S2; in the kinetic form the state of Eq. S13.
    """
    return concentration * p.density_per_concentration * s.area


class AbstractSynapse(eqx.Module):
    """Dynamics of bridges: an optional state, its rates, and the bridges it implies."""

    @property
    @abstractmethod
    def arms(self) -> int:
        """2 if the arms of one molecule can bind two targets on a cell, otherwise 1."""

    @abstractmethod
    def initial(self, p: BindingParameters) -> Any:
        """State without drug."""

    @abstractmethod
    def bridges(
        self, state: Any, gap: Gap, p: BindingParameters, s: SynapseParameters
    ) -> PerKindTissue:
        """Bridges per synapse [molecule/synapse]; (kind, tissue)."""

    @abstractmethod
    def rates(self, state: Any, gap: Gap, p: BindingParameters, s: SynapseParameters) -> Any:
        """Derivative of the state, per day."""


class Equilibrium(AbstractSynapse):
    """Bridges at equilibrium with the drug at all times (default); no state."""

    refinements: int = eqx.field(static=True, default=0)

    @property
    def arms(self) -> int:
        return 2 if self.refinements else 1

    def initial(self, p: BindingParameters) -> None:
        return None

    def bridges(
        self, state: None, gap: Gap, p: BindingParameters, s: SynapseParameters
    ) -> PerKindTissue:
        """Return the bridges at equilibrium (Eq. S2, S6)."""
        return per_synapse(trimers(gap, s.alpha, p, refinements=self.refinements), p, s)

    def rates(self, state: None, gap: Gap, p: BindingParameters, s: SynapseParameters) -> None:
        return None


class Plateau(AbstractSynapse):
    """Bridges at equilibrium that do not fall at high drug; no state.

    At equilibrium, drug beyond sqrt(K_3*K_T) binds CD3 and target apart, and bridges fall. Killing
    in vitro does not: that by teclistamab is the same from 2 to 512 nmol/L. Here drug beyond the
    concentration of most bridges adds no more (assumed); far below it, the bridges are those of
    `Equilibrium`.
    """

    refinements: int = eqx.field(static=True, default=0)

    @property
    def arms(self) -> int:
        return 2 if self.refinements else 1

    def initial(self, p: BindingParameters) -> None:
        return None

    def bridges(
        self, state: None, gap: Gap, p: BindingParameters, s: SynapseParameters
    ) -> PerKindTissue:
        """Return the bridges at equilibrium (Eq. S2, S6) with the drug of Eq. S17."""
        gain = avidity(gap.K_T, p) if self.refinements else p.valency
        limited = dataclasses.replace(gap, free=limited_drug(gap.free, gap.K_T / gain, p))
        return Equilibrium(self.refinements).bridges(None, limited, p, s)

    def rates(self, state: None, gap: Gap, p: BindingParameters, s: SynapseParameters) -> None:
        return None


def limited_drug(free: PerTissue, K_app: jax.Array, p: BindingParameters) -> jax.Array:
    r"""Drug that does not exceed the concentration of most bridges, smoothly [nmol/L].

    For one target arm, Eq. S2 has its maximum at c = sqrt(K_3*K_T). For two arms that bind one
    cell, bridges end within 10 % of the maximum.

    Equations:
        Eq. S17: $$c_{plateau,j,k} = \frac{c_{k}}{\sqrt{1 + c_{k}^2 / (K_{D,CD3} K_{app,j,k})}}$$
        $c$ [nmol/L]: free drug in the contact gap, Eq. S1.
        $K_{app}$ [nmol/L]: apparent dissociation constant of the molecule, Eq. B9.
        $c_{plateau}$ [nmol/L]: drug that takes the place of the free drug in Eq. S3 and S4, and at
        the start of the iteration for two target arms.

    Args:
        free: Free drug [nmol/L]; (tissue,).
        K_app: Apparent dissociation constant of the target arms [nmol/L].
        p: Affinities.
    """
    return free / jnp.sqrt(1.0 + free * free / (p.KD_CD3 * K_app))


class Bridges(eqx.Module):
    """State of `Relaxed`."""

    per_synapse: PerKindTissue = quantity(
        "molecule/synapse", "Bridges per synapse", dims=("kind", "tissue"), symbol=r"\beta"
    )


class Relaxed(AbstractSynapse):
    """Bridges that relax to their equilibrium at the rate of the slow target arm.

    The rate k = k_off_target*(1 + c/K_T) is clipped to [k_relax_min, k_relax_max]. At low drug
    concentrations, the high-affinity arms of tebentafusp and teclistamab equilibrate within hours.

    Args:
        refinements: Iterations for the free target of a molecule with two target arms.
        by_cd3: Whether drug on CD3 binds the target too, which makes the approach faster: the rate
            is then that of the target in the kinetic scheme, if CD3 is in excess and its arm is
            fast (Eq. S18).
    """

    refinements: int = eqx.field(static=True, default=0)
    by_cd3: bool = eqx.field(static=True, default=False)

    @property
    def arms(self) -> int:
        return 2 if self.refinements else 1

    def initial(self, p: BindingParameters) -> Bridges:
        r"""Return the state without drug: no bridges.

        Equations:
            Eq. S7: $$\beta_{j,k}(0) = 0$$
        """
        return Bridges(jnp.zeros_like(p.copies_target))

    def bridges(
        self, state: Bridges, gap: Gap, p: BindingParameters, s: SynapseParameters
    ) -> PerKindTissue:
        """Return the bridges, which are the state."""
        return state.per_synapse

    def rates(
        self, state: Bridges, gap: Gap, p: BindingParameters, s: SynapseParameters
    ) -> Bridges:
        r"""Return the rate of relaxation to the equilibrium.

        Equations:
            Eq. S8: $$\frac{d\beta_{j,k}}{dt} = k_{relax,k} (\beta_{eq,j,k} - \beta_{j,k})$$
            Eq. S9: $$k_{relax,k} = \min\left(\max\left(k_{off,target} \left(1 +
                \frac{c_{k}}{K_T}\right), k_{relax,min}\right), k_{relax,max}\right)$$
            Eq. S18: $$b_{CD3,k} = \frac{\alpha r_{CD3} c_{k}}{K_{D,CD3} K_T}$$
            $k_{relax}$ [1/day]: relaxation rate.
            $\beta_{eq}$ [molecule/synapse]: bridges at equilibrium, Eq. S6.
            $b_{CD3}$ [1]: binding of the target by drug on CD3, relative to its dissociation; added
            to 1 + c/K_T in Eq. S9 with ``synapse_form = "relaxed_by_cd3"``.
            $r_{CD3}$ [nmol/L]: CD3 in the gap, Eq. B3.
        """
        equilibrium = Equilibrium(self.refinements).bridges(None, gap, p, s)
        occupied = 1.0 + gap.free / gap.K_T
        if self.by_cd3:
            occupied += s.alpha * gap.receptors.cd3 * gap.free / (p.KD_CD3 * gap.K_T)
        k = numerics.bounded(s.k_off_target * occupied, s.k_relax_min, s.k_relax_max)
        return Bridges(k * (equilibrium - state.per_synapse))


class Complexes(eqx.Module):
    """State of `Kinetic`: complexes in the contact gap."""

    cd3_drug: PerKindTissue = quantity(
        "nmol/L", "Drug bound to CD3 only", dims=("kind", "tissue"), symbol="X_{CD3}"
    )
    target_drug: PerKindTissue = quantity(
        "nmol/L", "Drug bound to the target only", dims=("kind", "tissue"), symbol="X_{target}"
    )
    trimer: PerKindTissue = quantity(
        "nmol/L", "Drug bound to CD3 and target", dims=("kind", "tissue"), symbol="X_{tri}"
    )


class Kinetic(AbstractSynapse):
    """Kinetic scheme with every binding step, for 1:1 molecules only.

    The equations are stiff (rates up to 1e5 per hour) and need an implicit solver.

    Assumed: the free concentration in the gap equals that of the tissue. Detailed balance fixes the
    on-rates of the second step: both paths lead to trimer = alpha*c*r*t/(K_3*K_T) at equilibrium.
    """

    @property
    def arms(self) -> int:
        return 1

    def initial(self, p: BindingParameters) -> Complexes:
        """Return the state without drug: no complexes.

        Equations:
            Eq. S10: $$X_{CD3,j,k}(0) = X_{target,j,k}(0) = X_{tri,j,k}(0) = 0$$
        """
        zero = jnp.zeros_like(p.copies_target)
        return Complexes(zero, zero, zero)

    def bridges(
        self, state: Complexes, gap: Gap, p: BindingParameters, s: SynapseParameters
    ) -> PerKindTissue:
        """Return the bridges of the trimers in the state (Eq. S6)."""
        return per_synapse(state.trimer, p, s)

    def rates(
        self, state: Complexes, gap: Gap, p: BindingParameters, s: SynapseParameters
    ) -> Complexes:
        r"""Return the rates of the complexes by mass action.

        Equations:
            Eq. S11: $$\frac{dX_{CD3,j,k}}{dt} = k_{off,CD3} \left(\frac{f_{CD3} c_{k}}{K_{D,CD3}} -
                X_{CD3,j,k}\right) - F_{CD3}$$
            Eq. S12: $$\frac{dX_{target,j,k}}{dt} = k_{off,target} \left(\frac{f_{target}
                c_{k}}{K_T} - X_{target,j,k}\right) - F_{target}$$
            Eq. S13: $$\frac{dX_{tri,j,k}}{dt} = F_{CD3} + F_{target}$$
            Eq. S14: $$F_{CD3} = k_{off,target} \left(\frac{\alpha X_{CD3,j,k} f_{target}}{K_T} -
                X_{tri,j,k}\right)$$
            Eq. S15: $$F_{target} = k_{off,CD3} \left(\frac{\alpha X_{target,j,k}
                f_{CD3}}{K_{D,CD3}} - X_{tri,j,k}\right)$$
            Eq. S16: $$f_{CD3} = r_{CD3} - X_{CD3,j,k} - X_{tri,j,k}, \quad f_{target} =
                r_{target,j,k} - X_{target,j,k} - X_{tri,j,k}$$
            $f_{CD3}$ [nmol/L]: free CD3 in the gap. $f_{target}$ [nmol/L]: free target in the gap.
            $F_{CD3}$ [nmol/L/day]: trimers formed from drug on CD3. $F_{target}$ [nmol/L/day]:
            trimers formed from drug on target. $r_{CD3}$ [nmol/L]: CD3 in the gap, Eq. B3.
            $r_{target}$ [nmol/L]: target in the gap, Eq. B4.
        """
        c, K_3, K_T = gap.free, p.KD_CD3, gap.K_T
        r = gap.receptors.cd3 - state.cd3_drug - state.trimer
        t = gap.receptors.target - state.target_drug - state.trimer
        cd3_binding = s.k_off_CD3 * (r * c / K_3 - state.cd3_drug)
        target_binding = s.k_off_target * (t * c / K_T - state.target_drug)
        trimer_by_target = s.k_off_target * (s.alpha * state.cd3_drug * t / K_T - state.trimer)
        trimer_by_cd3 = s.k_off_CD3 * (s.alpha * state.target_drug * r / K_3 - state.trimer)
        return Complexes(
            cd3_drug=cd3_binding - trimer_by_target,
            target_drug=target_binding - trimer_by_cd3,
            trimer=trimer_by_target + trimer_by_cd3,
        )
