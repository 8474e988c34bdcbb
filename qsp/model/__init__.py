"""The whole model on one page: parameters, state, and the derivative of the state.

::

    drug ---> bridges per synapse ---> contacts ---> activation, killing
                                          |
    T cells <--- traffic, margination     +---> release ---> cytokines ---> severity of CRS
    targets <--- growth, killing

The derivative has the type of the state: an equation that is forgotten is an error, not a zero.
Each mechanism has a file of its own, in reading order: `tissues`, `disposition`, `binding`,
`synapse`, `engagement`, `t_cells`, `traffic`, `targets`, `release`, `interleukin1`, `cytokines`,
`severity`. Units inside: day, L, nmol, million cells, pg/mL.

Labels such as "TCE-42 (d), S3" cite the sections and amendments of the description this model was
built from, TCE-42.

Source: TCE-42 restates and joins published mechanisms (Hosseini2020, Li2022, Chen2019, Poels2025,
Bender2024, Frey2010).
"""

from typing import Any

import equinox as eqx
import jax.numpy as jnp

from qsp.model.binding import BindingParameters, Bulk, Receptors, bulk, receptors
from qsp.model.cytokines import CXCL10, IL10, CytokineParameters, Cytokines, cytokine_rates, quiet
from qsp.model.disposition import (
    DispositionParameters,
    Dosing,
    Drug,
    Turnover,
    central_after_bolus,
    drug_free,
    drug_rates,
)
from qsp.model.effects import Effects, no_effects
from qsp.model.engagement import Contact, EngagementParameters, contact, killing
from qsp.model.interleukin1 import Interleukin1Parameters
from qsp.model.release import Release, ReleaseParameters, release_rates, secretion
from qsp.model.severity import SeverityParameters, inflammation, severity_rate
from qsp.model.synapse import AbstractSynapse, Equilibrium, Gap, SynapseParameters, gap
from qsp.model.t_cells import (
    AbstractRecruitment,
    TCellParameters,
    TCells,
    Threshold,
    resting_pool,
    t_cell_fluxes,
    t_cell_rates,
    within_reach,
)
from qsp.model.targets import (
    AbstractGrowth,
    Logistic,
    TargetParameters,
    Targets,
    target_fluxes,
    target_rates,
    untreated,
)
from qsp.model.tissues import TissueParameters
from qsp.model.traffic import TrafficParameters, arriving, margination_rate
from qsp.typing import PerKindTissue, PerTissue, Scalar
from qsp.units import quantity


class Parameters(eqx.Module):
    """One patient with one molecule."""

    tissues: TissueParameters
    disposition: DispositionParameters
    binding: BindingParameters
    synapse: SynapseParameters
    engagement: EngagementParameters
    t_cells: TCellParameters
    traffic: TrafficParameters
    targets: TargetParameters
    release: ReleaseParameters
    interleukin1: Interleukin1Parameters
    cytokines: CytokineParameters
    severity: SeverityParameters


class State(eqx.Module):
    """One patient at one moment."""

    drug: Drug
    bridges: Any  # the state of the binding form, None for the closed form
    t_cells: TCells
    targets: Targets
    release: Release
    cytokines: Cytokines
    margination: Scalar = quantity("1", "Activation of endothelium that draws T cells out of blood")
    severity: Scalar = quantity("1", "CRS severity: index of fever and inflammation")


class ModelStructure(eqx.Module):
    """The choices of structure, fixed at compilation."""

    synapse: AbstractSynapse = Equilibrium()
    recruitment: AbstractRecruitment = Threshold()
    growth: AbstractGrowth = Logistic()


class Algebraic(eqx.Module):
    """What follows from the state algebraically."""

    receptors: Receptors
    bulk: Bulk
    gap: Gap
    contact: Contact
    bridges: PerKindTissue = quantity(
        "molecule/synapse", "Bridges per synapse", dims=("kind", "tissue")
    )
    killing: PerKindTissue = quantity("Mcell/day", "Targets killed", dims=("kind", "tissue"))
    secreting: PerTissue = quantity("Mcell", "Secreting cells seen from blood", dims=("tissue",))


def algebraic(x: State, p: Parameters, structure: ModelStructure) -> Algebraic:
    """Binding, bridges, contacts, killing and secretion of a state."""
    t_cells, targets = x.t_cells.total, x.targets.viable
    here = receptors(t_cells, targets, p.binding, p.tissues)
    drug = bulk(
        x.drug.soluble,
        x.drug.soluble_target,
        x.drug.competitor,
        here,
        p.binding,
        arms=structure.synapse.arms,
    )
    around = gap(drug.free, x.drug.competitor, p.binding)
    bridges = structure.synapse.bridges(x.bridges, around, p.binding, p.synapse)
    among_targets = within_reach(x.t_cells, p.t_cells).total
    meeting = contact(bridges, targets, among_targets, p.engagement, p.synapse)
    return Algebraic(
        receptors=here,
        bulk=drug,
        gap=around,
        bridges=bridges,
        contact=meeting,
        killing=killing(
            bridges,
            targets,
            x.t_cells.activated,
            x.t_cells.post_activated,
            p.engagement,
            p.synapse,
        ),
        secreting=secretion(x.t_cells.activated, meeting.touching, p.release),
    )


def rates(
    time: Scalar,
    x: State,
    given: Dosing,
    p: Parameters,
    effects: Effects,
    structure: ModelStructure,
) -> State:
    """Derivative of the state.

    Args:
        time: Days since the first dose of the molecule.
        x: State.
        given: Drug that enters now.
        p: Parameters.
        effects: Supportive drugs at this moment.
        structure: Structure.
    """
    now = algebraic(x, p, structure)
    x_t, rise = x.t_cells, x.cytokines.blood - p.cytokines.baseline

    target_flux = target_fluxes(
        x.targets, now.killing, x.drug.competitor, p.targets, structure.growth
    )
    d_targets = target_rates(target_flux)

    t_flux = t_cell_fluxes(x_t, now.contact, effects, structure.recruitment, p.t_cells)
    moved = arriving(
        x_t,
        p.t_cells.baseline,
        x.margination,
        x.cytokines.blood[CXCL10],
        p.cytokines.baseline[CXCL10],
        p.traffic,
    )
    d_t_cells = t_cell_rates(t_flux, moved)

    target_deaths = target_flux.killing + target_flux.depletion
    t_deaths = t_flux.death_activated + t_flux.death_post
    turnover = Turnover(
        gained=receptors(
            d_t_cells.total + t_deaths, d_targets.viable + target_deaths, p.binding, p.tissues
        ),
        died=receptors(t_deaths, target_deaths, p.binding, p.tissues),
    )
    return State(
        drug=drug_rates(
            time,
            x.drug,
            given,
            now.bulk,
            now.receptors,
            turnover,
            p.disposition,
            p.binding,
            p.tissues,
        ),
        bridges=structure.synapse.rates(x.bridges, now.gap, p.binding, p.synapse),
        t_cells=d_t_cells,
        margination=margination_rate(x.margination, x.release.transit_2, p.traffic),
        targets=d_targets,
        release=release_rates(x.release, now.secreting, rise[IL10], effects, p.release),
        cytokines=cytokine_rates(x.cytokines, x.release.transit_2, effects, p.cytokines),
        severity=severity_rate(x.severity, x.cytokines.blood, effects, p.severity),
    )


def baseline(p: Parameters, structure: ModelStructure) -> State:
    """The patient before treatment: stationary but for the growth of the tumor."""
    zero = jnp.zeros_like(p.traffic.k_on)
    return State(
        drug=drug_free(p.disposition),
        bridges=structure.synapse.initial(p.binding),
        t_cells=resting_pool(p.t_cells),
        margination=zero,
        targets=untreated(p.targets),
        release=Release(zero, zero, zero),
        cytokines=quiet(p.cytokines),
        severity=inflammation(p.cytokines.baseline, no_effects(), p.severity),
    )


def bolus(x: State, iv: Scalar, sc: Scalar, p: Parameters, structure: ModelStructure) -> State:
    """The state after boluses into plasma and into the SC depot [nmol]."""
    here = receptors(x.t_cells.total, x.targets.viable, p.binding, p.tissues)

    def at(soluble: PerTissue) -> Bulk:
        target, competitor = x.drug.soluble_target, x.drug.competitor
        return bulk(soluble, target, competitor, here, p.binding, arms=structure.synapse.arms)

    soluble = central_after_bolus(x.drug.soluble, iv, at, p.disposition, p.tissues)
    depot = x.drug.depot + p.disposition.bioavailability * sc
    return eqx.tree_at(lambda x: (x.drug.soluble, x.drug.depot), x, (soluble, depot))
