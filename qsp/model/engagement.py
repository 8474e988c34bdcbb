"""Encounters between T cells and target cells, and what bridges make of them (TCE-42 (a), (b)).

How often cells meet depends on their numbers (`Contact`); what a meeting does depends on the
bridges in its synapse (two Hill curves). Killing needs far fewer bridges than activation: the
window that step-up dosing uses.
"""

import equinox as eqx

from qsp.model import numerics
from qsp.model.synapse import SynapseParameters
from qsp.typing import PerKindTissue, PerTissue, Scalar
from qsp.units import quantity


class EngagementParameters(eqx.Module):
    """Constants of encounter and killing."""

    k_T: PerTissue = quantity(
        "1", "Target cells per T cell at which half the T cells touch one", dims=("tissue",)
    )
    k_K: Scalar = quantity("1", "Effectors per target cell at which half the targets are attacked")
    weight_post: Scalar = quantity(
        "1", "Killing by a post-activated cell, relative to an activated one"
    )
    k_kill: PerKindTissue = quantity("1/day", "Maximum rate of killing", dims=("kind", "tissue"))


class Contact(eqx.Module):
    """Fractions of cells in contact, and contacts weighted by what their bridges do."""

    touching: PerTissue = quantity("1", "T cells in contact with a target", dims=("tissue",))
    activating: PerTissue = quantity("1", "Contact times activation", dims=("tissue",))
    killing: PerTissue = quantity("1", "Contact times killing", dims=("tissue",))
    stimulation: PerTissue = quantity("1", "Activation per contact", dims=("tissue",))


def killing_per_contact(bridges: PerKindTissue, s: SynapseParameters) -> PerKindTissue:
    """h_kill = beta / (beta50 + beta); TCE-42 (a)."""
    return bridges / (s.beta50_kill + bridges)


def contact(
    bridges: PerKindTissue,
    targets: PerKindTissue,
    t_cells: PerTissue,
    p: EngagementParameters,
    s: SynapseParameters,
) -> Contact:
    """Contacts of T cells with targets: p = N/(N + k_T*T) per kind; TCE-42 (b).

    Args:
        bridges (kind, tissue): Bridges per synapse [molecule/synapse].
        targets (kind, tissue): Target cells [Mcell].
        t_cells (tissue,): T cells of all states within reach [Mcell].
        p: Contact constants.
        s: Potency of a synapse.
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
    """Targets killed [Mcell/day]: k*q*h_kill*N with q = E/(E + k_K*N), E = A + w*X.

    Source: TCE-42 (b), A9.
    """
    effectors = activated + p.weight_post * post_activated
    attacked = numerics.ratio(effectors, effectors + p.k_K * targets.sum(0))
    return p.k_kill * attacked * killing_per_contact(bridges, s) * targets
