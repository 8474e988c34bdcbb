"""The model on one page: parameters, state, and the derivative of the state.

::

    drug ---> bridges per synapse ---> contacts ---> activation, killing
                                          |
    T cells <--- traffic, margination     +---> release ---> cytokines ---> severity of CRS
    targets <--- growth, killing

The derivative has the type of the state, so a missing equation is an error rather than a zero. Each
mechanism has its own module, in reading order: `tissues`, `disposition`, `binding`, `synapse`,
`engagement`, `t_cells`, `traffic`, `targets`, `lesions`, `lesion_measures`, `tumors`,
`lesion_map`, `release`, `interleukin1`, `cytokines`, `severity`, `axes`, `temperature`.
Internal units are day, L, nmol, million cells (Mcell) and pg/mL.

Sources: the model combines published mechanisms [Hosseini2020, Li2022, Chen2019, Poels2025,
Bender2024, Frey2010]. Each module states its equations and assumptions.
"""

from typing import Any

import equinox as eqx
import jax.numpy as jnp

from qsp.model.axes import Axes, TwoAxes
from qsp.model.binding import BindingParameters, Bulk, Receptors, bulk, receptors
from qsp.model.cytokines import (
    CXCL10,
    IL10,
    CytokineParameters,
    Cytokines,
    cytokine_baseline,
    cytokine_rates,
)
from qsp.model.disposition import (
    DispositionParameters,
    Dosing,
    Drug,
    Turnover,
    central_after_bolus,
    drug_baseline,
    drug_rates,
)
from qsp.model.effects import Effects
from qsp.model.engagement import (
    Contact,
    EngagementParameters,
    contact,
    killing,
    killing_per_contact,
)
from qsp.model.interleukin1 import Interleukin1Parameters
from qsp.model.lesions import Attack, LesionCells, LesionKilling, LesionParameters
from qsp.model.release import (
    Release,
    ReleaseParameters,
    release_factor,
    release_rates,
    secretion,
)
from qsp.model.severity import AbstractSeverity, SeverityParameters
from qsp.model.synapse import AbstractSynapse, Equilibrium, Gap, SynapseParameters, contact_gap
from qsp.model.t_cells import (
    AbstractRecruitment,
    Adaptation,
    TCellParameters,
    TCells,
    t_cell_baseline,
    t_cell_fluxes,
    t_cell_rates,
    within_reach,
)
from qsp.model.targets import (
    TargetParameters,
    Targets,
    target_fluxes,
    target_rates,
)
from qsp.model.tissues import TissueParameters
from qsp.model.traffic import (
    TrafficParameters,
    margination_rate,
    net_arrival,
)
from qsp.model.tumors import AbstractTumor, Pool
from qsp.typing import PerKindTissue, PerTissue, Scalar
from qsp.units import quantity

MODEL_VERSION = "2.3"
"""Version of the equations; it changes whenever the same input gives other results.

* 1.0: qsp 0.1.0 at the baseline commit in `benchmarks/baselines.toml`.
* 1.1: drug on dying cells returns to solution under time-varying clearance.
* 1.2: only a rising signal starts a CRS event, which keeps its thresholds at a dose.
* 2.0: recruitment adapts, margination follows it, and CRS has two axes, fever and leak, with IL-6
  relative to the capacity of the patient; memories arise under a steroid as without it; T cells of
  a tumor follow its size; homeostasis removes only resting T cells that are left; the least drug of
  a synapse is 1e-18 nmol/L; bridges of two target arms take 7 iterations; values by a fit to CRS.
* 2.1: tumors are lesions; bridges reach a plateau at high drug; their values by a fit to response.
* 2.2: values by one fit of CRS under rescue and of response, `scripts/calibrate`.
* 2.3: values by the same fit with requirements of response by disease.
"""


class Parameters(eqx.Module):
    """Parameters of one patient treated with one molecule."""

    tissues: TissueParameters
    disposition: DispositionParameters
    binding: BindingParameters
    synapse: SynapseParameters
    engagement: EngagementParameters
    t_cells: TCellParameters
    traffic: TrafficParameters
    targets: TargetParameters
    lesions: LesionParameters
    release: ReleaseParameters
    interleukin1: Interleukin1Parameters
    cytokines: CytokineParameters
    severity: SeverityParameters


class State(eqx.Module):
    """State of one patient at one time."""

    drug: Drug
    bridges: Any  # state of `ModelStructure.synapse`; None for `Equilibrium`
    t_cells: TCells
    adaptation: Any  # state of `ModelStructure.recruitment`; None unless `Adaptation`
    targets: Targets
    lesions: LesionCells  # leaves are None for `Pool`
    release: Release
    cytokines: Cytokines
    axes: Axes
    margination: Scalar = quantity(
        "1", "Margination of T cells: activation of endothelium", symbol="M"
    )
    severity: Scalar = quantity("1", "Index of fever", symbol="F")


class ModelStructure(eqx.Module):
    """Structural choices of the model, fixed at compilation.

    Args:
        synapse: Form of the bridges.
        recruitment: Recruitment of resting T cells by stimulation.
        severity: Form of CRS severity.
        tumor: Form of the tumor: one pool of cells, or lesions.
    """

    synapse: AbstractSynapse = Equilibrium()
    recruitment: AbstractRecruitment = Adaptation()
    severity: AbstractSeverity = TwoAxes()
    tumor: AbstractTumor = Pool()


class Algebraic(eqx.Module):
    """Quantities that follow from the state without a differential equation."""

    receptors: Receptors
    bulk: Bulk
    gap: Gap
    contact: Contact
    attack: Attack
    in_lesions: LesionKilling  # leaves are None for `Pool`
    bridges: PerKindTissue = quantity(
        "molecule/synapse", "Bridges per synapse", dims=("kind", "tissue"), symbol=r"\beta"
    )
    killing: PerKindTissue = quantity(
        "Mcell/day", "Killing rate of target cells", dims=("kind", "tissue"), symbol="J_{kill}"
    )
    secreting: PerTissue = quantity(
        "Mcell",
        "Secreting T cells, weighted by the share of their release that reaches blood",
        dims=("tissue",),
        symbol="S",
    )


def algebraic(x: State, p: Parameters, structure: ModelStructure) -> Algebraic:
    """Binding, bridges, contacts, killing and secretion of a state.

    Equations:
        Eq. M1: $$T_{k} = R_{k} + A_{k} + X_{k}$$
        $T$ [Mcell]: T cells of all states, from which receptors are computed.

    Args:
        x: State.
        p: Parameters.
        structure: Structural choices.
    """
    t_cells, targets = x.t_cells.total, x.targets.viable
    binding = structure.tumor.binding(p.binding, p.lesions)
    receptor = receptors(t_cells, targets, binding, p.tissues)
    drug = bulk(
        x.drug.soluble,
        x.drug.soluble_target,
        x.drug.competitor,
        receptor,
        binding,
        arms=structure.synapse.arms,
    )
    gap = contact_gap(drug.free, x.drug.competitor, binding)
    bridges = structure.synapse.bridges(x.bridges, gap, binding, p.synapse)
    among_targets = within_reach(x.t_cells, p.t_cells)
    contacts = contact(bridges, targets, among_targets.total, p.engagement, p.synapse)
    attack = Attack(
        effectors=x.t_cells.activated + p.engagement.weight_post * x.t_cells.post_activated,
        resting=among_targets.resting,
        in_reach=among_targets.total,
        h_kill=killing_per_contact(bridges, p.synapse),
    )
    pooled = killing(
        bridges,
        targets,
        x.t_cells.activated,
        x.t_cells.post_activated,
        p.engagement,
        p.synapse,
    )
    killed, in_lesions = structure.tumor.killing(x.lesions, attack, pooled, p.lesions, p.engagement)
    return Algebraic(
        receptors=receptor,
        bulk=drug,
        gap=gap,
        bridges=bridges,
        contact=contacts,
        attack=attack,
        in_lesions=in_lesions,
        killing=killed,
        secreting=secretion(x.t_cells.activated, contacts.touching, p.release),
    )


def rates(
    time: Scalar,
    x: State,
    dosing: Dosing,
    p: Parameters,
    effects: Effects,
    structure: ModelStructure,
) -> State:
    r"""Derivative of the state.

    The derivatives in Eq. M2 and M3 are those of Eq. T13 to T15 and G8 with all of their terms,
    traffic included.

    Equations:
        Eq. M2: $$G_{CD3,k} = \frac{\nu \, n_{CD3}}{V_{k}} \left(\frac{dR_{k}}{dt} +
            \frac{dA_{k}}{dt} + \frac{dX_{k}}{dt} + J_{d,A,k} + J_{d,X,k}\right)$$
        Eq. M3: $$G_{target,j,k} = \frac{\nu \, n_{target,j,k}}{V_{k}} \left(\frac{dN_{j,k}}{dt} +
            J_{kill,j,k} + J_{depletion,j,k}\right)$$
        Eq. M4: $$H_{CD3,k} = \frac{\nu \, n_{CD3}}{V_{k}} (J_{d,A,k} + J_{d,X,k})$$
        Eq. M5: $$H_{target,j,k} = \frac{\nu \, n_{target,j,k}}{V_{k}} (J_{kill,j,k} +
            J_{depletion,j,k})$$
        $G_{CD3}$ [nmol/L/day]: CD3 gained.
        $G_{target}$ [nmol/L/day]: target gained.
        $H_{CD3}$ [nmol/L/day]: CD3 on dying cells.
        $H_{target}$ [nmol/L/day]: target on dying cells.
        $N$ [Mcell]: viable target cells, `targets.viable`.
        $J_{kill}$ [Mcell/day]: killing by T cells, Eq. E7.
        $J_{depletion}$ [Mcell/day]: depletion by the competitor, Eq. G6.
        $J_{d,A}$ [Mcell/day]: death of activated T cells, Eq. T12.
        $J_{d,X}$ [Mcell/day]: death of post-activated T cells, Eq. T12.

    Args:
        time: Time since the first dose of the molecule [day].
        x: State.
        dosing: Rates of infusion.
        p: Parameters.
        effects: Effects of the supportive drugs at this time.
        structure: Structural choices.

    Returns:
        Derivative of each state, in its unit per day.
    """
    a = algebraic(x, p, structure)
    tumor, binding = structure.tumor, structure.tumor.binding(p.binding, p.lesions)
    x_t, rise = x.t_cells, x.cytokines.blood - p.cytokines.baseline

    target_flux = target_fluxes(x.targets, a.killing, x.drug.competitor, p.targets)
    d_targets, d_lesions = tumor.rates(
        x.lesions,
        a.attack,
        a.in_lesions,
        x.targets,
        target_rates(target_flux),
        p.targets,
        p.lesions,
        p.engagement,
    )

    t_flux = t_cell_fluxes(
        x_t,
        a.contact,
        effects,
        structure.recruitment,
        p.t_cells,
        x.adaptation,
        tumor.division(x.lesions, p.lesions),
    )
    arrival = net_arrival(
        x_t,
        p.t_cells.baseline,
        x.margination,
        x.cytokines.blood[CXCL10],
        p.cytokines.baseline[CXCL10],
        p.traffic,
    )
    d_t_cells = t_cell_rates(t_flux, arrival)

    target_deaths = target_flux.killing + target_flux.depletion
    t_deaths = t_flux.death_activated + t_flux.death_post
    turnover = Turnover(
        gained=receptors(
            d_t_cells.total + t_deaths, d_targets.viable + target_deaths, binding, p.tissues
        ),
        died=receptors(t_deaths, target_deaths, binding, p.tissues),
    )
    memory_factor = memory_correction(release_factor(effects, p.release))
    d_severity, d_axes = structure.severity.rates(
        x.severity, x.axes, x.cytokines.blood, p.cytokines.baseline, effects, p.severity
    )
    return State(
        drug=drug_rates(
            time,
            x.drug,
            dosing,
            a.bulk,
            a.receptors,
            turnover,
            p.disposition,
            binding,
            p.tissues,
        ),
        bridges=structure.synapse.rates(x.bridges, a.gap, binding, p.synapse),
        t_cells=d_t_cells,
        adaptation=structure.recruitment.memory_rate(x.adaptation, a.contact, p.t_cells),
        margination=margination_rate(x.margination, t_flux.activation, p.traffic),
        targets=d_targets,
        lesions=d_lesions,
        release=release_rates(
            x.release, a.secreting, rise[IL10], effects, p.release, memory_factor
        ),
        cytokines=cytokine_rates(
            x.cytokines, x.release.transit_2, effects, p.cytokines, memory_factor
        ),
        severity=d_severity,
        axes=d_axes,
    )


def memory_correction(release: Scalar) -> Scalar:
    r"""Correction of the memories of release and of myeloid cells for a steroid.

    Both memories are fed by what a steroid inhibits. The correction feeds them with the signal
    before that inhibition, so that a steroid does not prevent the tolerance that protects at later
    doses.

    Equations:
        Eq. M8: $$f_{m} = \frac{1}{\eta_{release}}$$
        $f_{m}$ [1]: correction.
        $\eta_{release}$ [1]: release under a steroid, relative to that without, Eq. L6.

    Args:
        release: Release under a steroid, relative to that without [1].
    """
    return 1.0 / release


def baseline(p: Parameters, structure: ModelStructure) -> State:
    r"""State before treatment: a steady state except for the growth of the tumor.

    Equations:
        Eq. M6: $$M(0) = z_1(0) = z_2(0) = CA(0) = 0$$
    """
    zero = jnp.zeros_like(p.traffic.k_on)
    severity, axes = structure.severity.initial(p.cytokines.baseline, p.severity)
    targets, lesions = structure.tumor.initial(p.targets, p.lesions)
    return State(
        drug=drug_baseline(p.disposition),
        bridges=structure.synapse.initial(p.binding),
        t_cells=t_cell_baseline(p.t_cells),
        adaptation=structure.recruitment.initial(p.t_cells),
        margination=zero,
        targets=targets,
        lesions=lesions,
        release=Release(zero, zero, zero),
        cytokines=cytokine_baseline(p.cytokines),
        severity=severity,
        axes=axes,
    )


def bolus(x: State, iv: Scalar, sc: Scalar, p: Parameters, structure: ModelStructure) -> State:
    """State just after boluses into plasma and into the SC depot.

    Equations:
        Eq. M7: $$A_{sc,after} = A_{sc} + F_{sc} A_{dose}$$
        $A_{sc,after}$ [nmol]: drug in the depot after the bolus; plasma follows Eq. D19.
        $A_{dose}$ [nmol]: subcutaneous bolus.

    Args:
        x: State before the boluses.
        iv: Intravenous bolus [nmol].
        sc: Subcutaneous bolus, before bioavailability [nmol].
        p: Parameters.
        structure: Structural choices.
    """
    binding = structure.tumor.binding(p.binding, p.lesions)
    receptor = receptors(x.t_cells.total, x.targets.viable, binding, p.tissues)

    def equilibrium(soluble: PerTissue) -> Bulk:
        target, competitor = x.drug.soluble_target, x.drug.competitor
        return bulk(soluble, target, competitor, receptor, binding, arms=structure.synapse.arms)

    soluble = central_after_bolus(x.drug.soluble, iv, equilibrium, p.disposition, p.tissues)
    depot = x.drug.depot + p.disposition.bioavailability * sc
    return eqx.tree_at(lambda x: (x.drug.soluble, x.drug.depot), x, (soluble, depot))
