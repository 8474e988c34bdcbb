"""Contacts between T cells and target cells, and their effects through bridges.

The fraction of cells in contact depends on cell numbers (`Contact`); activation and killing per
contact depend on the bridges in the synapse (one Hill curve each). Killing needs far fewer bridges
than activation; step-up dosing exploits this window. The dependence on cell ratios follows
[Hosseini2020].

::

    T cells + targets --k_T--> T cells in contact --bridges, beta50_act--> activation
    effectors + targets --k_K--> targets attacked --bridges, beta50_kill--> killing

Differs from [Hosseini2020]: the fractions in contact have no exponents, and their half-maximum is
the same in blood and tissue for killing.
"""

import equinox as eqx

from qsp.model import numerics
from qsp.model.synapse import SynapseParameters
from qsp.typing import PerKindTissue, PerTissue, Scalar
from qsp.units import quantity


class EngagementParameters(eqx.Module):
    """Parameters of contact and killing."""

    k_T: PerTissue = quantity(
        "1",
        "Target cells per T cell at which half of the T cells are in contact",
        dims=("tissue",),
    )
    k_K: Scalar = quantity(
        "1", "Effector cells per target cell at which half of the targets are attacked"
    )
    weight_post: Scalar = quantity(
        "1", "Killing by a post-activated T cell, relative to an activated one", symbol="w_X"
    )
    k_kill: PerKindTissue = quantity("1/day", "Maximum killing rate", dims=("kind", "tissue"))


class Contact(eqx.Module):
    """Fraction of T cells in contact, and contacts weighted by the effect of their bridges."""

    touching: PerTissue = quantity(
        "1", "Fraction of T cells in contact with a target cell", dims=("tissue",), symbol="p"
    )
    activating: PerTissue = quantity(
        "1", "Fraction in contact times activation per contact", dims=("tissue",), symbol="p_{act}"
    )
    killing: PerTissue = quantity(
        "1", "Fraction in contact times killing per contact", dims=("tissue",), symbol="p_{kill}"
    )
    stimulation: PerTissue = quantity("1", "Activation per contact", dims=("tissue",), symbol="h")


def killing_per_contact(bridges: PerKindTissue, s: SynapseParameters) -> PerKindTissue:
    r"""Killing effect of the bridges of one synapse, h_kill = beta / (beta50_kill + beta).

    Equations:
        Eq. E1: $$h_{kill,j,k} = \frac{\beta_{j,k}}{\beta_{50,kill} + \beta_{j,k}}$$
        $h_{kill}$ [1]: killing per contact.
        $\beta$ [molecule/synapse]: bridges per synapse, Eq. S6 (equilibrium and kinetic
        form), or the state of Eq. S8 (relaxed form).

    Args:
        bridges: Bridges per synapse, beta [molecule/synapse]; (kind, tissue).
        s: Synapse parameters.
    """
    return bridges / (s.beta50_kill + bridges)


def contact(
    bridges: PerKindTissue,
    targets: PerKindTissue,
    t_cells: PerTissue,
    p: EngagementParameters,
    s: SynapseParameters,
) -> Contact:
    r"""Fraction of T cells in contact with each kind of target, and the effects of contacts.

    Equations:
        Eq. E2: $$q_{j,k} = \frac{N_{j,k}}{\sum_{j} N_{j,k} + k_{T,k} T_{reach,k}}, \quad p_{k} =
            \sum_{j} q_{j,k}$$
        Eq. E3: $$h_{act,j,k} = \frac{\beta_{j,k}^{n_{act}}}{\beta_{50,act}^{n_{act}} +
            \beta_{j,k}^{n_{act}}}$$
        Eq. E4: $$p_{act,k} = \sum_{j} q_{j,k} h_{act,j,k}$$
        Eq. E5: $$p_{kill,k} = \sum_{j} q_{j,k} h_{kill,j,k}$$
        Eq. E6: $$h_{k} = \frac{p_{act,k}}{p_{k}}$$
        $q$ [1]: fraction of T cells in contact with a kind of target cell.
        $N$ [Mcell]: target cells, `targets.viable`.
        $T_{reach}$ [Mcell]: T cells within reach of targets, Eq. T1.
        $\beta$ [molecule/synapse]: bridges per synapse, Eq. S6 (equilibrium and kinetic
        form), or the state of Eq. S8 (relaxed form).
        $h_{act}$ [1]: activation per contact.
        $h_{kill}$ [1]: killing per contact, Eq. E1.

    Args:
        bridges: Bridges per synapse [molecule/synapse]; (kind, tissue).
        targets: Target cells, N [Mcell]; (kind, tissue).
        t_cells: T cells of all states within reach of targets [Mcell]; (tissue,).
        p: Contact parameters.
        s: Synapse parameters.
    """
    per_kind = targets * numerics.reciprocal(targets.sum(0) + p.k_T * t_cells)
    activating = (per_kind * numerics.hill(bridges, s.beta50_act, s.hill_act)).sum(0)
    touching = per_kind.sum(0)
    return Contact(
        touching=touching,
        activating=activating,
        killing=(per_kind * killing_per_contact(bridges, s)).sum(0),
        stimulation=numerics.ratio(activating, touching),
    )


def killing(
    bridges: PerKindTissue,
    targets: PerKindTissue,
    activated: PerTissue,
    post_activated: PerTissue,
    p: EngagementParameters,
    s: SynapseParameters,
) -> PerKindTissue:
    r"""Killing rate of target cells: k_kill*q*h_kill*N, q = E/(E + k_K*sum(N)), E = A + w*X.

    Assumed: only activated (A) and post-activated (X) T cells kill.

    Equations:
        Eq. E7: $$J_{kill,j,k} = k_{kill,j,k} a_{k} h_{kill,j,k} N_{j,k}$$
        Eq. E8: $$a_{k} = \frac{E_{k}}{E_{k} + k_{K} \sum_{j} N_{j,k}}, \quad E_{k} = A_{k} + w_X
            X_{k}$$
        $J_{kill}$ [Mcell/day]: killing rate.
        $a$ [1]: fraction of target cells attacked.
        $E$ [Mcell]: effector cells.
        $h_{kill}$ [1]: killing per contact, Eq. E1.
        $N$ [Mcell]: target cells, `targets.viable`.
        $A$ [Mcell]: activated T cells, `t_cells.activated`.
        $X$ [Mcell]: post-activated T cells, `t_cells.post_activated`.

    Args:
        bridges: Bridges per synapse [molecule/synapse]; (kind, tissue).
        targets: Target cells, N [Mcell]; (kind, tissue).
        activated: Activated T cells, A [Mcell]; (tissue,).
        post_activated: Post-activated T cells, X [Mcell]; (tissue,).
        p: Killing parameters, including w, the weight of post-activated cells.
        s: Synapse parameters.

    Returns:
        Killing rate [Mcell/day]; (kind, tissue).
    """
    effectors = activated + p.weight_post * post_activated
    attacked = numerics.ratio(effectors, effectors + p.k_K * targets.sum(0))
    return p.k_kill * attacked * killing_per_contact(bridges, s) * targets
