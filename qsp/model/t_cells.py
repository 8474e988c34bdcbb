"""T cells in three states: resting, activated and post-activated.

::

    resting --activation--> activated --k_AX--> post-activated --k_XR--> resting
                                ^----- f_re -----'   ^ expansion

Activated cells secrete cytokines, kill and drive expansion. Post-activated cells kill and divide,
do not secrete, and slowly return to rest. A share of the resting cells of a tumor is excluded:
these cells stay in the stroma, are not in contact with targets and are not recruited, whereas
activated and post-activated cells are all among the targets.

Assumed: the T cells of one state are alike, whatever the number of their earlier contacts.

Differs from [Hosseini2020]: only the part of the stimulation that exceeds earlier stimulation
recruits resting cells (`Adaptation`, the default, and `Threshold`), activated cells do not return
to rest directly, and activation-induced cell death is left out.
"""

from abc import abstractmethod
from typing import Any

import equinox as eqx
import jax.numpy as jnp

from qsp.model import numerics
from qsp.model.effects import Effects
from qsp.model.engagement import Contact
from qsp.model.tissues import TUMOR
from qsp.typing import PerTissue, Scalar
from qsp.units import quantity


class TCellParameters(eqx.Module):
    """Rates of activation, turnover and expansion."""

    baseline: PerTissue = quantity(
        "Mcell", "T cells before treatment", dims=("tissue",), symbol="T_0"
    )
    k_act: Scalar = quantity("1/day", "Maximum activation rate of resting T cells")
    f_act: PerTissue = quantity("1", "Activation rate relative to blood", dims=("tissue",))
    excluded: PerTissue = quantity(
        "1",
        "Share of resting T cells out of reach of target cells",
        dims=("tissue",),
        symbol=r"\epsilon",
    )
    threshold_width: Scalar = quantity(
        "1",
        "Width of the smoothed recruitment threshold, as a fraction of the T cells",
        symbol=r"\omega",
    )
    steroid_act: Scalar = quantity(
        "1", "Maximum inhibition of activation by glucocorticoids", symbol=r"\sigma_{act}"
    )
    f_re: Scalar = quantity(
        "1", "Activation rate of post-activated T cells, relative to resting ones"
    )
    k_AX: Scalar = quantity("1/day", "Rate from activated to post-activated T cells")
    k_XR: Scalar = quantity("1/day", "Rate from post-activated to resting T cells")
    d_A: Scalar = quantity("1/day", "Death rate of activated T cells")
    d_X: Scalar = quantity("1/day", "Death rate of post-activated T cells")
    k_adapt: Scalar = quantity(
        "1/day", "Rate at which recruitment adapts to stimulation", symbol="k_{adapt}"
    )
    k_forget: Scalar = quantity(
        "1/day", "Rate at which adaptation of recruitment fades", symbol="k_{forget}"
    )
    g_A: Scalar = quantity("1/day", "Expansion rate per activated T cell")
    g_X: Scalar = quantity("1/day", "Expansion rate per post-activated T cell")
    expansion_limit: PerTissue = quantity(
        "1",
        "Number of T cells at which expansion stops, relative to baseline",
        dims=("tissue",),
        symbol=r"\ell",
    )
    k_home: PerTissue = quantity(
        "1/day", "Homeostatic rate of return of the whole T-cell pool to baseline", dims=("tissue",)
    )


class TCells(eqx.Module):
    """T cells by state."""

    resting: PerTissue = quantity("Mcell", "Resting T cells", dims=("tissue",), symbol="R")
    activated: PerTissue = quantity("Mcell", "Activated T cells", dims=("tissue",), symbol="A")
    post_activated: PerTissue = quantity(
        "Mcell", "Post-activated T cells", dims=("tissue",), symbol="X"
    )

    @property
    def total(self) -> PerTissue:
        return self.resting + self.activated + self.post_activated


def within_reach(x: TCells, p: TCellParameters) -> TCells:
    r"""T cells among target cells: all except the excluded share of the resting ones [Mcell].

    Equations:
        Eq. T1: $$R_{reach,k} = (1 - \epsilon_{k}) R_{k}, \quad T_{reach,k} = R_{reach,k} + A_{k} +
            X_{k}$$
        $R_{reach}$ [Mcell]: resting T cells within reach of targets.
        $T_{reach}$ [Mcell]: all T cells within reach of targets.
    """
    return TCells(
        resting=(1.0 - p.excluded) * x.resting,
        activated=x.activated,
        post_activated=x.post_activated,
    )


class AbstractRecruitment(eqx.Module):
    """Recruitment of resting T cells by stimulation, with a memory of it or without."""

    def initial(self, p: TCellParameters) -> Any:
        """Memory of stimulation before treatment; None without a memory."""
        return None

    def memory_rate(self, memory: Any, contact: Contact, p: TCellParameters) -> Any:
        """Rate of the memory [1/day]; None without a memory."""
        return None

    @abstractmethod
    def __call__(
        self, x: TCells, contact: Contact, rate: PerTissue, p: TCellParameters, memory: Any = None
    ) -> PerTissue:
        """Flux from resting to activated T cells.

        Args:
            x: T cells within reach of targets.
            contact: Contacts of T cells with targets.
            rate: Activation rate at full stimulation [1/day]; (tissue,).
            p: Parameters.
            memory: Memory of stimulation, as `initial` returns it.

        Returns:
            Flux [Mcell/day]; (tissue,).
        """


class MassAction(AbstractRecruitment):
    """Recruitment proportional to resting cells: any dose recruits the whole pool in time."""

    def __call__(
        self, x: TCells, contact: Contact, rate: PerTissue, p: TCellParameters, memory: Any = None
    ) -> PerTissue:
        """Return the flux of recruitment; see `AbstractRecruitment`.

        Equations:
            Eq. T2: $$J_{act,k} = a_{k} p_{act,k} R_{reach,k}$$
            $J_{act}$ [Mcell/day]: recruitment.
            $a$ [1/day]: activation rate at full stimulation, Eq. T6.
            $R_{reach}$ [Mcell]: resting T cells within reach, Eq. T1.
        """
        return rate * contact.activating * x.resting


class Threshold(AbstractRecruitment):
    """Recruitment by stimulation in excess of that of the cells already recruited.

    Cells differ in their activation thresholds: at a stimulation h the fraction h of the pool
    responds, of which A + X (activated and post-activated cells) are already recruited, and the
    excess h*(R + A + X) - (A + X) is recruited from the resting cells. The smoothed value without
    drug is subtracted, so that recruitment is exactly zero without drug.
    """

    def __call__(
        self, x: TCells, contact: Contact, rate: PerTissue, p: TCellParameters, memory: Any = None
    ) -> PerTissue:
        r"""Return the flux of recruitment; see `AbstractRecruitment`.

        Equations:
            Eq. T3: $$J_{act,k} = a_{k} p_{k} \min(y_{rec,k}, R_{reach,k})$$
            Eq. T4: $$y_{rec,k} = f(h_{k} T_{reach,k} - A_{k} - X_{k}) - f(-A_{k} - X_{k})$$
            Eq. T5: $$f(x) = \omega T_{reach,k} \ln\left(1 + \exp\left(\frac{x}{\omega
                T_{reach,k}}\right)\right)$$
            $J_{act}$ [Mcell/day]: recruitment.
            $a$ [1/day]: activation rate at full stimulation, Eq. T6.
            $y_{rec}$ [Mcell]: responsive cells that are not yet recruited.
            $R_{reach}$ [Mcell]: resting T cells within reach, Eq. T1.
            $T_{reach}$ [Mcell]: all T cells within reach, Eq. T1.
            $f$ [Mcell]: smooth threshold at zero.
            $x$ [Mcell]: argument of the threshold.
        """
        recruited, width = x.activated + x.post_activated, p.threshold_width * x.total
        responsive = contact.stimulation * x.total - recruited
        excess = numerics.softplus_gain(responsive, -recruited, width)
        return rate * contact.touching * numerics.capped(excess, x.resting)


class Adapted(eqx.Module):
    """Memory of `Adaptation`."""

    stimulation: PerTissue = quantity(
        "1", "Stimulation to which T cells have adapted", dims=("tissue",), symbol="m"
    )


class Adaptation(AbstractRecruitment):
    """Recruitment by stimulation in excess of a memory of it, which follows within hours (default).

    Cells respond to a rise of stimulation, as many receptors do: the memory m approaches a constant
    stimulation h within hours (k_adapt) and fades over weeks (k_forget). A rise by h therefore
    recruits a share of the resting cells in contact that increases with k_act*h/k_adapt: at once if
    the rise is sudden, little by little if it is slow. A repeat of the same dose recruits little,
    and a larger dose by the difference. The flux is exactly zero without drug.
    """

    def initial(self, p: TCellParameters) -> Adapted:
        r"""Memory before treatment: none.

        Equations:
            Eq. T17: $$m_{k}(0) = 0$$
        """
        return Adapted(jnp.zeros_like(p.baseline))

    def memory_rate(self, memory: Adapted, contact: Contact, p: TCellParameters) -> Adapted:
        r"""Rate of the memory of stimulation.

        Equations:
            Eq. T18: $$\frac{dm_{k}}{dt} = k_{adapt} \max(0, h_{k} - m_{k}) - k_{forget} m_{k}$$
            $h$ [1]: activation per contact, Eq. E6.
        """
        return Adapted(
            p.k_adapt * self._new_stimulation(memory, contact) - p.k_forget * memory.stimulation
        )

    def __call__(
        self,
        x: TCells,
        contact: Contact,
        rate: PerTissue,
        p: TCellParameters,
        memory: Adapted | None = None,
    ) -> PerTissue:
        r"""Return the flux of recruitment; see `AbstractRecruitment`.

        Equations:
            Eq. T19: $$J_{act,k} = a_{k} p_{k} \max(0, h_{k} - m_{k}) R_{reach,k}$$
            $J_{act}$ [Mcell/day]: recruitment.
            $a$ [1/day]: activation rate at full stimulation, Eq. T6.
            $R_{reach}$ [Mcell]: resting T cells within reach, Eq. T1.
        """
        known = self.initial(p) if memory is None else memory
        return rate * contact.touching * self._new_stimulation(known, contact) * x.resting

    def _new_stimulation(self, memory: Adapted, contact: Contact) -> PerTissue:
        """Return stimulation in excess of its memory, max(0, h - m) [1]; (tissue,)."""
        return jnp.maximum(contact.stimulation - memory.stimulation, 0.0)


class TCellFluxes(eqx.Module):
    """Fluxes of T cells within each tissue; traffic is in `traffic`."""

    activation: PerTissue = quantity(
        "Mcell/day", "Resting to activated", dims=("tissue",), symbol="J_{act}"
    )
    reactivation: PerTissue = quantity(
        "Mcell/day", "Post-activated to activated", dims=("tissue",), symbol="J_{re}"
    )
    contraction: PerTissue = quantity(
        "Mcell/day", "Activated to post-activated", dims=("tissue",), symbol="J_{AX}"
    )
    reversion: PerTissue = quantity(
        "Mcell/day", "Post-activated to resting", dims=("tissue",), symbol="J_{XR}"
    )
    expansion: PerTissue = quantity(
        "Mcell/day", "Expansion by division", dims=("tissue",), symbol="J_{div}"
    )
    homeostasis: PerTissue = quantity(
        "Mcell/day",
        "Homeostatic return of the pool to baseline",
        dims=("tissue",),
        symbol="J_{home}",
    )
    death_activated: PerTissue = quantity(
        "Mcell/day", "Death of activated cells", dims=("tissue",), symbol="J_{d,A}"
    )
    death_post: PerTissue = quantity(
        "Mcell/day", "Death of post-activated cells", dims=("tissue",), symbol="J_{d,X}"
    )


def t_cell_fluxes(  # noqa: PLR0913 - the forms of recruitment and tumor are options
    x: TCells,
    contact: Contact,
    effects: Effects,
    recruit: AbstractRecruitment,
    p: TCellParameters,
    memory: Any = None,
    division_in_tumor: Scalar | None = None,
) -> TCellFluxes:
    r"""Fluxes between the states of T cells, expansion, homeostasis and death.

    Steroids may inhibit activation; the shipped value of steroid_act is 0, because their effect on
    CRS is that on release and on myeloid cells. Assumed: JAK inhibition does not inhibit expansion;
    homeostasis adds resting cells, in response to the number of T cells in the whole body, and
    removes resting cells in proportion to those that are left.

    Equations:
        Eq. T6: $$a_{k} = k_{act} f_{act,k} (1 - \sigma_{act} e_{steroid})$$
        Eq. T7: $$J_{re,k} = f_{re} a_{k} p_{act,k} X_{k}$$
        Eq. T8: $$J_{AX,k} = k_{AX} A_{k}, \quad J_{XR,k} = k_{XR} X_{k}$$
        Eq. T9: $$J_{div,k} = (g_{A} A_{k} p_{act,k} + g_{X} X_{k} p_{kill,k}) \cdot
            \frac{y_{div,k} + \sqrt{y_{div,k}^2 + 10^{-4}}}{2}$$
        Eq. T10: $$y_{div,k} = 1 - \frac{R_{k} + A_{k} + X_{k}}{\ell_{k} T_{0,k}}$$
        Eq. T11: $$J_{home,k} = k_{home,k} \left(\max(0, D) - \max(0, -D)
            \frac{R_{k}}{T_{0,k}}\right), \quad D = \sum_{l} (T_{0,l} - R_{l} - A_{l} - X_{l})$$
        Eq. T12: $$J_{d,A,k} = d_{A} A_{k}, \quad J_{d,X,k} = d_{X} X_{k}$$
        $a$ [1/day]: activation rate at full stimulation.
        $y_{div}$ [1]: distance from the limit of expansion.
        $D$ [Mcell]: deficit of T cells in the whole body.

    Args:
        x: T cells.
        contact: Contacts of T cells with targets.
        effects: Effects of the supportive drugs.
        recruit: Recruitment law.
        p: Parameters.
        memory: Memory of stimulation of the law; None without one.
        division_in_tumor: Division in the tumor, relative to that without exhaustion [1]; None
            without exhaustion.
    """
    rate = p.k_act * p.f_act * (1.0 - p.steroid_act * effects.steroid)
    below_limit = numerics.positive_part(
        1.0 - numerics.ratio(x.total, p.expansion_limit * p.baseline)
    )
    deficit = p.baseline.sum(0) - x.total.sum(0)
    surplus = jnp.maximum(-deficit, 0.0) * numerics.ratio(x.resting, p.baseline)
    division = p.g_A * x.activated * contact.activating + p.g_X * x.post_activated * contact.killing
    if division_in_tumor is not None:
        division = division.at[TUMOR].set(division_in_tumor * division[TUMOR])
    return TCellFluxes(
        activation=recruit(within_reach(x, p), contact, rate, p, memory),
        reactivation=p.f_re * rate * contact.activating * x.post_activated,
        contraction=p.k_AX * x.activated,
        reversion=p.k_XR * x.post_activated,
        expansion=division * below_limit,
        homeostasis=p.k_home * (jnp.maximum(deficit, 0.0) - surplus),
        death_activated=p.d_A * x.activated,
        death_post=p.d_X * x.post_activated,
    )


def t_cell_rates(flux: TCellFluxes, arrival: TCells) -> TCells:
    r"""Return the balance of fluxes within each tissue and of traffic between tissues.

    Equations:
        Eq. T13: $$\frac{dR_{k}}{dt} = -J_{act,k} + J_{XR,k} + J_{home,k} + N_{R,k}$$
        Eq. T14: $$\frac{dA_{k}}{dt} = J_{act,k} + J_{re,k} - J_{AX,k} - J_{d,A,k} + N_{A,k}$$
        Eq. T15: $$\frac{dX_{k}}{dt} = J_{AX,k} - J_{re,k} - J_{XR,k} + J_{div,k} - J_{d,X,k} +
            N_{X,k}$$
        $N_{R}$ [Mcell/day]: net arrival of resting T cells, Eq. R3.
        $N_{A}$ [Mcell/day]: net arrival of activated T cells, Eq. R3.
        $N_{X}$ [Mcell/day]: net arrival of post-activated T cells, Eq. R3.

    Args:
        flux: Fluxes within each tissue.
        arrival: Net arrival from other tissues [Mcell/day].

    Returns:
        Rates [Mcell/day].
    """
    return TCells(
        resting=-flux.activation + flux.reversion + flux.homeostasis + arrival.resting,
        activated=flux.activation
        + flux.reactivation
        - flux.contraction
        - flux.death_activated
        + arrival.activated,
        post_activated=flux.contraction
        - flux.reactivation
        - flux.reversion
        + flux.expansion
        - flux.death_post
        + arrival.post_activated,
    )


def t_cell_baseline(p: TCellParameters) -> TCells:
    r"""State before treatment: all T cells resting.

    Equations:
        Eq. T16: $$R_{k}(0) = T_{0,k}, \quad A_{k}(0) = X_{k}(0) = 0$$
    """
    zero = jnp.zeros_like(p.baseline)
    return TCells(resting=p.baseline, activated=zero, post_activated=zero)
