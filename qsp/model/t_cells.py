"""T cells: resting, activated, post-activated (TCE-42 (d), A6, A13, S3, S7, flaw 1).

::

    resting --activation--> activated --k_AX--> post-activated --k_XR--> resting
                                ^----- f_re -----'   ^ expansion

Activated cells secrete and kill; post-activated ones kill and divide, secrete little, and slowly
come back. A share of the resting cells of a tumor is excluded: it stays in the stroma, meets no
target and is not recruited, while those once activated move among the targets.
"""

from abc import abstractmethod

import equinox as eqx
import jax.numpy as jnp

from qsp.model import numerics
from qsp.model.effects import Effects
from qsp.model.engagement import Contact
from qsp.typing import PerTissue, Scalar
from qsp.units import quantity


class TCellParameters(eqx.Module):
    """Rates of activation, turnover and expansion."""

    baseline: PerTissue = quantity("Mcell", "T cells before treatment", dims=("tissue",))
    k_act: Scalar = quantity("1/day", "Maximum rate of activation")
    f_act: PerTissue = quantity("1", "Activation relative to blood", dims=("tissue",))
    excluded: PerTissue = quantity(
        "1", "Share of resting T cells kept away from target cells", dims=("tissue",)
    )
    threshold_width: Scalar = quantity("1", "Rounding of the recruitment threshold, per T cell")
    steroid_act: Scalar = quantity("1", "Maximum inhibition of activation by a steroid")
    f_re: Scalar = quantity("1", "Reactivation of post-activated cells, relative to resting ones")
    k_AX: Scalar = quantity("1/day", "Activated to post-activated")
    k_XR: Scalar = quantity("1/day", "Post-activated to resting")
    d_A: Scalar = quantity("1/day", "Death of activated cells")
    d_X: Scalar = quantity("1/day", "Death of post-activated cells")
    g_A: Scalar = quantity("1/day", "Expansion driven by activated cells")
    g_X: Scalar = quantity("1/day", "Expansion of post-activated cells")
    expansion_limit: PerTissue = quantity("1", "T cells at most, per baseline", dims=("tissue",))
    k_home: PerTissue = quantity("1/day", "Return of the whole pool to baseline", dims=("tissue",))


class TCells(eqx.Module):
    """T cells by state."""

    resting: PerTissue = quantity("Mcell", "Resting T cells", dims=("tissue",))
    activated: PerTissue = quantity("Mcell", "Activated T cells", dims=("tissue",))
    post_activated: PerTissue = quantity("Mcell", "Post-activated T cells", dims=("tissue",))

    @property
    def total(self) -> PerTissue:
        return self.resting + self.activated + self.post_activated


def within_reach(x: TCells, p: TCellParameters) -> TCells:
    """T cells among target cells: all but the resting ones that are excluded; TCE-42, flaw 1."""
    return TCells(
        resting=(1.0 - p.excluded) * x.resting,
        activated=x.activated,
        post_activated=x.post_activated,
    )


class AbstractRecruitment(eqx.Module):
    """How stimulation recruits resting cells."""

    @abstractmethod
    def __call__(
        self, x: TCells, contact: Contact, rate: PerTissue, p: TCellParameters
    ) -> PerTissue:
        """Resting to activated [Mcell/day].

        Args:
            x: T cells within reach of targets.
            contact: Their contacts.
            rate (tissue,): Rate of activation at full stimulation [1/day].
            p: Parameters.
        """


class MassAction(AbstractRecruitment):
    """Every resting cell in contact may be activated: any dose recruits the whole pool in time."""

    def __call__(
        self, x: TCells, contact: Contact, rate: PerTissue, p: TCellParameters
    ) -> PerTissue:
        return rate * contact.activating * x.resting


class Threshold(AbstractRecruitment):
    """Only the increase of stimulation over what was met before recruits (default); TCE-42 S7.

    The fraction h of the pool has a threshold below the stimulation; those beyond the A + X
    already recruited respond. The value without drug is subtracted, so that no drug recruits
    nobody.
    """

    def __call__(
        self, x: TCells, contact: Contact, rate: PerTissue, p: TCellParameters
    ) -> PerTissue:
        recruited, width = x.activated + x.post_activated, p.threshold_width * x.total
        responsive = contact.stimulation * x.total - recruited
        excess = numerics.softplus_gain(responsive, -recruited, width)
        return rate * contact.touching * numerics.capped(excess, x.resting)


class TCellFluxes(eqx.Module):
    """Every process of T cells other than traffic, once."""

    activation: PerTissue = quantity("Mcell/day", "Resting to activated", dims=("tissue",))
    reactivation: PerTissue = quantity("Mcell/day", "Post-activated to activated", dims=("tissue",))
    contraction: PerTissue = quantity("Mcell/day", "Activated to post-activated", dims=("tissue",))
    reversion: PerTissue = quantity("Mcell/day", "Post-activated to resting", dims=("tissue",))
    expansion: PerTissue = quantity("Mcell/day", "Division", dims=("tissue",))
    homeostasis: PerTissue = quantity(
        "Mcell/day", "Return of the pool to baseline", dims=("tissue",)
    )
    death_activated: PerTissue = quantity("Mcell/day", "Death of activated cells", dims=("tissue",))
    death_post: PerTissue = quantity("Mcell/day", "Death of post-activated cells", dims=("tissue",))


def t_cell_fluxes(
    x: TCells, contact: Contact, effects: Effects, recruit: AbstractRecruitment, p: TCellParameters
) -> TCellFluxes:
    """Fluxes between the states of T cells; TCE-42 (d).

    Expansion is spared by JAK inhibition (A13).
    """
    rate = p.k_act * p.f_act * (1.0 - p.steroid_act * effects.steroid)
    room = numerics.positive_part(1.0 - numerics.ratio(x.total, p.expansion_limit * p.baseline))
    growth = p.g_A * x.activated * contact.activating + p.g_X * x.post_activated * contact.killing
    return TCellFluxes(
        activation=recruit(within_reach(x, p), contact, rate, p),
        reactivation=p.f_re * rate * contact.activating * x.post_activated,
        contraction=p.k_AX * x.activated,
        reversion=p.k_XR * x.post_activated,
        expansion=growth * room,
        homeostasis=p.k_home * (p.baseline.sum(0) - x.total.sum(0)),
        death_activated=p.d_A * x.activated,
        death_post=p.d_X * x.post_activated,
    )


def t_cell_rates(flux: TCellFluxes, arriving: TCells) -> TCells:
    """Balance of the fluxes and of traffic; TCE-42 (d)."""
    return TCells(
        resting=-flux.activation + flux.reversion + flux.homeostasis + arriving.resting,
        activated=flux.activation
        + flux.reactivation
        - flux.contraction
        - flux.death_activated
        + arriving.activated,
        post_activated=flux.contraction
        - flux.reactivation
        - flux.reversion
        + flux.expansion
        - flux.death_post
        + arriving.post_activated,
    )


def resting_pool(p: TCellParameters) -> TCells:
    """T cells before treatment: all resting."""
    none = jnp.zeros_like(p.baseline)
    return TCells(resting=p.baseline, activated=none, post_activated=none)
