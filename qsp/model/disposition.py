r"""Disposition of the drug: absorption, distribution, elimination and uptake by receptors.

::

    SC depot -> lymph 1 -> lymph 2 --+
    IV ------------------------------+-> central <-> peripheral
                                           |  \-> linear clearance (constant or falling with time)
                                           +-- lymphoid, tumor, skin  (free drug, receptors)

The balance is that of all drug in a tissue: free, on soluble target and on receptors. Dividing it
by phi = d(all)/d(soluble) gives the rate of the soluble concentration, with terms for the drug that
receptors take up or release as cells arrive, divide and die::

    phi*dC/dt = inflow - elimination - internalization
                - occupancy*(receptors gained) + (1 - lost_on_death)*occupancy*(receptors that die)

Assumed: a migrating cell leaves its drug in the tissue and binds drug again at its destination.
With mechanistic clearance, drug on a dying cell is lost with the cell (lost_on_death = 1). A
time-varying clearance is fitted to plasma data and already contains target-mediated loss, so that
nothing is internalized and drug on a dying cell returns to solution (lost_on_death = 0): only
dosing and that clearance change the amount in the body.

Sources: time-varying clearance [Bender2024]; soluble target [Hibma2026].

Differs from [Bender2024] and [Hibma2026]: plasma concentrations follow their population
pharmacokinetics, whereas binding to receptors and tissue concentrations are additions, with the
free drug of a tissue as the driver of its synapses.
"""

from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp

from qsp.model.binding import BindingParameters, Bulk, Receptors
from qsp.model.tissues import BLOOD, TissueParameters
from qsp.typing import PerTissue, Scalar
from qsp.units import quantity

_NEWTON_STEPS = 16


class DispositionParameters(eqx.Module):
    """Pharmacokinetics of one molecule in one patient.

    Arrays with a tissue axis are zero in blood.
    """

    CL_base: Scalar = quantity("L/day", "Clearance at the first dose")
    CL_ss: Scalar = quantity("L/day", "Clearance at steady state")
    half_life_CL: Scalar = quantity("day", "Half-life of the change in clearance", symbol="t_{CL}")
    V1: Scalar = quantity("L", "Central volume of distribution", symbol="V_1")
    V2: Scalar = quantity("L", "Peripheral volume of distribution", symbol="V_2")
    Q: Scalar = quantity("L/day", "Intercompartmental clearance")
    ka: Scalar = quantity("1/day", "Absorption rate from the subcutaneous depot", symbol="k_{a}")
    bioavailability: Scalar = quantity(
        "1", "Bioavailability after subcutaneous dosing", symbol="F_{sc}"
    )
    k_lymph: Scalar = quantity("1/day", "Transit rate of each lymph compartment")
    k_exchange: PerTissue = quantity(
        "1/day", "Exchange rate of a tissue with plasma", dims=("tissue",)
    )
    partition: PerTissue = quantity(
        "1",
        "Ratio of interstitial to plasma concentration at equilibrium",
        dims=("tissue",),
        symbol="K_{p}",
    )
    k_soluble: Scalar = quantity("1/day", "Turnover rate of the soluble target")
    soluble_target: PerTissue = quantity(
        "nmol/L", "Soluble target at baseline", dims=("tissue",), symbol="s_0"
    )
    competitor: Scalar = quantity(
        "nmol/L", "Competitor for the target at the start of the simulation", symbol="O_0"
    )
    k_competitor: Scalar = quantity("1/day", "Elimination rate of the competitor")
    lost_on_death: Scalar = quantity(
        "1", "Share of the drug on dying cells that is lost with them", symbol=r"\lambda_{death}"
    )
    V_competitor: Scalar = quantity("L", "Volume of distribution of an administered competitor")
    competitor_per_mass: Scalar = quantity(
        "nmol/mg", "Amount per mass of the competitor", symbol=r"\mu_{O}"
    )


class Drug(eqx.Module):
    """Drug in its compartments, and the amounts eliminated so far."""

    depot: Scalar = quantity("nmol", "Drug in the subcutaneous depot", symbol="A_{sc}")
    lymph_1: Scalar = quantity("nmol", "Drug in the first lymph compartment", symbol="L_1")
    lymph_2: Scalar = quantity("nmol", "Drug in the second lymph compartment", symbol="L_2")
    soluble: PerTissue = quantity(
        "nmol/L",
        "Drug in solution, in plasma or in the interstitium of a tissue",
        dims=("tissue",),
        symbol="C",
    )
    peripheral: Scalar = quantity("nmol/L", "Drug in the peripheral compartment", symbol="C_2")
    soluble_target: PerTissue = quantity(
        "nmol/L", "Soluble target, bound and free", dims=("tissue",), symbol="s"
    )
    competitor: Scalar = quantity("nmol/L", "Competitor for the target", symbol="O")
    eliminated: Scalar = quantity(
        "nmol", "Cumulative amount eliminated by linear clearance", symbol="E_{CL}"
    )
    internalized: Scalar = quantity(
        "nmol", "Cumulative amount internalized with receptors", symbol="E_{int}"
    )
    died: Scalar = quantity("nmol", "Cumulative amount lost with dying cells", symbol="E_{death}")


class Dosing(eqx.Module):
    """Rates of infusion."""

    iv: Scalar = quantity("nmol/day", "Infusion into plasma", symbol="r_{iv}")
    sc: Scalar = quantity(
        "nmol/day", "Infusion into the subcutaneous depot, before bioavailability", symbol="r_{sc}"
    )
    competitor: Scalar = quantity(
        "mg/day", "Infusion of a competing antibody into plasma", symbol="r_{O}"
    )


class Turnover(eqx.Module):
    """Rates at which receptors are gained and die with their cells [nmol/L/day].

    Gained receptors are those of cells produced and of net arrivals.
    """

    gained: Receptors
    died: Receptors


def clearance(time: Scalar, p: DispositionParameters) -> Scalar:
    r"""Clearance that changes exponentially with time since the first dose [Bender2024].

    The time is negative before the first dose of the molecule and is not clipped.

    Equations:
        Eq. D1: $$CL = CL_{ss} + (CL_{base} - CL_{ss}) \exp\left(-\frac{\ln 2 \cdot
            t}{t_{CL}}\right)$$
        $CL$ [L/day]: clearance.
        $t$ [day]: time since the first dose of the molecule.

    Args:
        time: Time since the first dose of the molecule, t [day].
        p: Pharmacokinetics.

    Returns:
        Clearance [L/day].
    """
    decay = jnp.exp(-jnp.log(2.0) * time / p.half_life_CL)
    return p.CL_ss + (p.CL_base - p.CL_ss) * decay


def drug_rates(  # noqa: PLR0913 - every term of the balance by name
    time: Scalar,
    x: Drug,
    dosing: Dosing,
    bulk: Bulk,
    receptor: Receptors,
    turnover: Turnover,
    p: DispositionParameters,
    b: BindingParameters,
    tissues: TissueParameters,
) -> Drug:
    r"""Mass balance of the drug in depot, lymph, plasma, peripheral compartment and tissues.

    G and H follow from the full rates of the cells, Eq. T13 to T15 and G8, traffic included.

    Equations:
        Eq. D2: $$\frac{dA_{sc}}{dt} = F_{sc} r_{sc} - k_{a} A_{sc}$$
        Eq. D3: $$\frac{dL_1}{dt} = k_{a} A_{sc} - k_{lymph} L_1$$
        Eq. D4: $$\frac{dL_2}{dt} = k_{lymph} L_1 - k_{lymph} L_2$$
        Eq. D5: $$\frac{dC_{k}}{dt} = \frac{J_{k} - I_{k} - U_{k} + (1 - \lambda_{death})
            J_{death,k}}{\Phi_{k}}$$
        Eq. D6: $$J_{k} = k_{exchange,k} (K_{p,k} C_{blood} - C_{k}) V_{k} \quad (k \ne blood)$$
        Eq. D7: $$J_{blood} = r_{iv} + k_{lymph} L_2 - CL \, C_{blood} - Q (C_{blood} - C_2) -
            \sum_{k \ne blood} J_{k}$$
        Eq. D8: $$I_{k} = V_{k} \left(k_{int,CD3} \theta_{CD3,k} R_{CD3,k} + k_{int,target} \sum_{j}
            \theta_{target,j,k} R_{target,j,k}\right)$$
        Eq. D9: $$U_{k} = V_{k} \left(\theta_{CD3,k} G_{CD3,k} + \sum_{j} \theta_{target,j,k}
            G_{target,j,k} + B_{c,k} c_{s,k} \frac{ds_{k}}{dt} + B_{O,k} \frac{dO}{dt}\right)$$
        Eq. D10: $$J_{death,k} = V_{k} \left(\theta_{CD3,k} H_{CD3,k} + \sum_{j} \theta_{target,j,k}
            H_{target,j,k}\right)$$
        Eq. D11: $$\Phi_{k} = W_{k} + V_{k} B_{c,k} c_{C,k}, \quad W_{k} = V_{k} \quad
            (k \ne blood), \quad W_{blood} = V_1$$
        Eq. D12: $$\frac{dC_2}{dt} = \frac{Q (C_{blood} - C_2)}{V_2}$$
        Eq. D13: $$\frac{ds_{k}}{dt} = k_{soluble} (s_{0,k} - s_{k})$$
        Eq. D14: $$\frac{dO}{dt} = \frac{\mu_{O} r_{O}}{V_{competitor}} - k_{competitor} O$$
        Eq. D15: $$\frac{dE_{CL}}{dt} = CL \, C_{blood}$$
        Eq. D16: $$\frac{dE_{int}}{dt} = \sum_{k} I_{k}$$
        Eq. D17: $$\frac{dE_{death}}{dt} = \lambda_{death} \sum_{k} J_{death,k}$$
        $CL$ [L/day]: clearance, Eq. D1.
        $J$ [nmol/day]: net inflow of drug into a tissue.
        $I$ [nmol/day]: internalization with receptors.
        $U$ [nmol/day]: uptake by receptors gained, and by a change of soluble target or competitor.
        $J_{death}$ [nmol/day]: drug on receptors of dying cells.
        $W$ [L]: volume of the soluble drug.
        $\Phi$ [L]: derivative of the total amount of drug in a tissue by the soluble concentration.
        $G_{CD3}$ [nmol/L/day]: CD3 gained, Eq. M2.
        $G_{target}$ [nmol/L/day]: target gained, Eq. M3.
        $H_{CD3}$ [nmol/L/day]: CD3 on dying cells, Eq. M4.
        $H_{target}$ [nmol/L/day]: target on dying cells, Eq. M5.

    Args:
        time: Time since the first dose [day].
        x: Drug.
        dosing: Rates of infusion.
        bulk: Binding equilibrium of the drug.
        receptor: Receptors in the tissue volumes.
        turnover: Gain and death of receptors.
        p: Pharmacokinetics.
        b: Binding.
        tissues: Volumes.
    """
    absorption, transit = p.ka * x.depot, p.k_lymph * x.lymph_1
    absorbed = p.k_lymph * x.lymph_2
    C = x.soluble[BLOOD]
    elimination = clearance(time, p) * C
    to_peripheral = p.Q * (C - x.peripheral)
    into_tissue = p.k_exchange * (p.partition * C - x.soluble) * tissues.volume
    internalization = tissues.volume * (
        b.k_int_CD3 * bulk.occupancy_cd3 * receptor.cd3
        + b.k_int_target * (bulk.occupancy_target * receptor.target).sum(0)
    )
    d_soluble_target = p.k_soluble * (p.soluble_target - x.soluble_target)
    infused_competitor = p.competitor_per_mass * dosing.competitor / p.V_competitor
    d_competitor = infused_competitor - p.k_competitor * x.competitor
    uptake = tissues.volume * (
        drug_on_receptors(bulk, turnover.gained)
        + bulk.bound_per_free * bulk.free_per_target * d_soluble_target
        + bulk.bound_per_competitor * d_competitor
    )
    on_dying = tissues.volume * drug_on_receptors(bulk, turnover.died)
    lost = p.lost_on_death * on_dying

    central = dosing.iv + absorbed - elimination - to_peripheral - into_tissue.sum(0)
    inflow = into_tissue.at[BLOOD].add(central)
    volume = tissues.volume.at[BLOOD].set(p.V1)
    phi = volume + tissues.volume * bulk.bound_per_free * bulk.free_per_soluble
    return Drug(
        depot=p.bioavailability * dosing.sc - absorption,
        lymph_1=absorption - transit,
        lymph_2=transit - absorbed,
        soluble=(inflow - internalization - uptake + on_dying - lost) / phi,
        peripheral=to_peripheral / p.V2,
        soluble_target=d_soluble_target,
        competitor=d_competitor,
        eliminated=elimination,
        internalized=internalization.sum(0),
        died=lost.sum(0),
    )


def drug_on_receptors(bulk: Bulk, receptor: Receptors) -> PerTissue:
    r"""Drug bound to receptors at the occupancy of the bulk.

    Equations:
        Eq. D18: $$B_{k} = \theta_{CD3,k} R_{CD3,k} + \sum_{j} \theta_{target,j,k} R_{target,j,k}$$

    Args:
        bulk: Binding equilibrium.
        receptor: Receptors [nmol/L], or their rate of change [nmol/L/day].

    Returns:
        Bound drug [nmol/L], or its rate of change [nmol/L/day]; (tissue,).
    """
    return bulk.occupancy_cd3 * receptor.cd3 + (bulk.occupancy_target * receptor.target).sum(0)


def central_after_bolus(
    soluble: PerTissue,
    dose: Scalar,
    equilibrium: Callable[[PerTissue], Bulk],
    p: DispositionParameters,
    tissues: TissueParameters,
) -> PerTissue:
    """Soluble drug after an IV bolus that equilibrates at once with the receptors in blood.

    Solves V1*C + V_b*bound(C) = amount before + dose for C. The left side is concave, so Newton's
    method started below the root converges without overshoot; `_NEWTON_STEPS` steps reach rounding
    error.

    Equations:
        Eq. D19: $$V_1 C_{after} + V_{blood} B(C_{after}) = V_1 C_{blood} + V_{blood} B(C_{blood}) +
            A_{iv}$$
        $C_{after}$ [nmol/L]: soluble drug in plasma after the bolus.
        $A_{iv}$ [nmol]: dose.

    Args:
        soluble: Soluble drug before the bolus [nmol/L]; (tissue,).
        dose: Bolus [nmol].
        equilibrium: Binding equilibrium as a function of the soluble drug.
        p: Pharmacokinetics.
        tissues: Volumes.

    Returns:
        Soluble drug after the bolus [nmol/L]; (tissue,).
    """
    V_b = tissues.volume[BLOOD]

    def content(soluble: PerTissue) -> tuple[Scalar, Scalar]:
        bulk = equilibrium(soluble)
        amount = p.V1 * soluble[BLOOD] + V_b * bulk.bound[BLOOD]
        return amount, p.V1 + V_b * bulk.bound_per_free[BLOOD] * bulk.free_per_soluble[BLOOD]

    after = content(soluble)[0] + dose

    def newton(_: int, soluble: PerTissue) -> PerTissue:
        amount, slope = content(soluble)
        return soluble.at[BLOOD].add((after - amount) / slope)

    return jax.lax.fori_loop(0, _NEWTON_STEPS, newton, soluble)


def total_drug(x: Drug, bulk: Bulk, p: DispositionParameters, tissues: TissueParameters) -> Scalar:
    r"""Amount of drug in the body and in the cumulative sinks [nmol]; constant between doses.

    Equations:
        Eq. D20: $$A_{total} = A_{sc} + L_1 + L_2 + \sum_{k} (W_{k} C_{k} + V_{k} B_{k}) + V_2 C_2 +
            E_{CL} + E_{int} + E_{death}$$
        $A_{total}$ [nmol]: amount of drug.
        $W$ [L]: volume of the soluble drug, Eq. D11.
    """
    volume = tissues.volume.at[BLOOD].set(p.V1)
    in_body = (volume * x.soluble + tissues.volume * bulk.bound).sum(0) + p.V2 * x.peripheral
    return x.depot + x.lymph_1 + x.lymph_2 + in_body + x.eliminated + x.internalized + x.died


def drug_baseline(p: DispositionParameters) -> Drug:
    r"""State before the first dose: no drug, soluble target and competitor at baseline.

    Equations:
        Eq. D21: $$s_{k}(0) = s_{0,k}, \quad O(0) = O_0, \quad \text{all other states } 0$$
    """
    zero = jnp.zeros_like(p.V1)
    return Drug(
        depot=zero,
        lymph_1=zero,
        lymph_2=zero,
        soluble=jnp.zeros_like(p.partition),
        peripheral=zero,
        soluble_target=p.soluble_target,
        competitor=p.competitor,
        eliminated=zero,
        internalized=zero,
        died=zero,
    )
