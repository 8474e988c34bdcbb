r"""Disposition of the drug (TCE-42 (c), A2-A4, S4, S8).

::

    SC depot -> lymph 1 -> lymph 2 --+
    IV ------------------------------+-> central <-> peripheral
                                           |  \-> linear clearance (constant or falling with time)
                                           +-- lymphoid, tumor, skin  (free drug, receptors)

The conserved quantity is all drug of a tissue: free, on soluble target, on receptors. Its balance
is divided by phi = d(all)/d(soluble), less what receptors take up or release as cells come and go::

    phi*dC/dt = inflow - elimination - internalization
                - occupancy*(receptors gained) + (1 - lost_on_death)*occupancy*(receptors that die)

A migrating cell leaves its drug behind and binds anew. With mechanistic clearance, drug on a dying
cell goes with the cell into a sink that only grows (lost_on_death = 1). A time-varying clearance is
fitted to plasma data and contains the loss with target cells, so drug on a dying cell returns to
solution (lost_on_death = 0): only dosing and that clearance change the amount in the body.
"""

from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp

from qsp.model.binding import BindingParameters, Bulk, Receptors
from qsp.model.tissues import BLOOD, TissueParameters
from qsp.typing import PerTissue, Scalar
from qsp.units import quantity

_NEWTON = 16


class DispositionParameters(eqx.Module):
    """Pharmacokinetics of one molecule in one patient.

    The vectors over tissues are zero at blood.
    """

    CL_base: Scalar = quantity("L/day", "Clearance at the first dose")
    CL_ss: Scalar = quantity("L/day", "Clearance at steady state")
    half_life_CL: Scalar = quantity("day", "Half-life of the change of clearance")
    V1: Scalar = quantity("L", "Central volume")
    V2: Scalar = quantity("L", "Peripheral volume")
    Q: Scalar = quantity("L/day", "Intercompartmental clearance")
    ka: Scalar = quantity("1/day", "Absorption from the depot")
    bioavailability: Scalar = quantity("1", "Bioavailability after SC dosing")
    k_lymph: Scalar = quantity("1/day", "Passage of each lymph transit")
    k_exchange: PerTissue = quantity("1/day", "Exchange of a tissue with plasma", dims=("tissue",))
    partition: PerTissue = quantity("1", "Tissue to plasma ratio", dims=("tissue",))
    k_soluble: Scalar = quantity("1/day", "Turnover of the soluble target")
    soluble_target: PerTissue = quantity("nmol/L", "Soluble target at baseline", dims=("tissue",))
    competitor: Scalar = quantity("nmol/L", "Competitor for the target when the simulation starts")
    k_competitor: Scalar = quantity("1/day", "Loss of the competitor")
    lost_on_death: Scalar = quantity("1", "Share of the drug on dying cells that is lost with them")
    V_competitor: Scalar = quantity("L", "Volume of the competitor where it is given")
    competitor_per_mass: Scalar = quantity("nmol/mg", "Amount of the competitor in its mass")


class Drug(eqx.Module):
    """Where the drug is, and what became of it."""

    depot: Scalar = quantity("nmol", "SC depot")
    lymph_1: Scalar = quantity("nmol", "First lymph transit")
    lymph_2: Scalar = quantity("nmol", "Second lymph transit")
    soluble: PerTissue = quantity(
        "nmol/L", "Drug in solution: plasma, and interstitium of the tissues", dims=("tissue",)
    )
    peripheral: Scalar = quantity("nmol/L", "Peripheral compartment")
    soluble_target: PerTissue = quantity(
        "nmol/L", "Soluble target, bound or free", dims=("tissue",)
    )
    competitor: Scalar = quantity("nmol/L", "Competitor for the target")
    eliminated: Scalar = quantity("nmol", "Eliminated by linear clearance")
    internalized: Scalar = quantity("nmol", "Internalized with receptors")
    died: Scalar = quantity("nmol", "Lost on cells that died")


class Dosing(eqx.Module):
    """Drug that enters now: rates of infusion."""

    iv: Scalar = quantity("nmol/day", "Into plasma")
    sc: Scalar = quantity("nmol/day", "Into the SC depot, before bioavailability")
    competitor: Scalar = quantity("mg/day", "Antibody against the target, into plasma")


class Turnover(eqx.Module):
    """Receptors that come and that die with their cells [nmol/L/day].

    Those that come are births, and arrivals less departures.
    """

    gained: Receptors
    died: Receptors


def clearance(time: Scalar, p: DispositionParameters) -> Scalar:
    """CL_ss + (CL_base - CL_ss)*exp(-ln2*t/HL), t since the first dose; [Bender24]."""
    decay = jnp.exp(-jnp.log(2.0) * time / p.half_life_CL)
    return p.CL_ss + (p.CL_base - p.CL_ss) * decay


def drug_rates(  # noqa: PLR0913 - what a balance needs, by name
    time: Scalar,
    x: Drug,
    given: Dosing,
    bulk: Bulk,
    receptor: Receptors,
    turnover: Turnover,
    p: DispositionParameters,
    b: BindingParameters,
    tissues: TissueParameters,
) -> Drug:
    """Balance of the drug; TCE-42 (c) with A3, A4.

    Args:
        time: Days since the first dose.
        x: Drug.
        given: Infusions.
        bulk: Its equilibrium with receptors and soluble target.
        receptor: Receptors in bulk.
        turnover: Their gain and death.
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
    given_competitor = p.competitor_per_mass * given.competitor / p.V_competitor
    d_competitor = given_competitor - p.k_competitor * x.competitor
    taken_up = tissues.volume * (
        on_receptors(bulk, turnover.gained)
        + bulk.capacity * bulk.free_per_target * d_soluble_target
        + bulk.bound_per_competitor * d_competitor
    )
    on_dying = tissues.volume * on_receptors(bulk, turnover.died)
    lost = p.lost_on_death * on_dying

    central = given.iv + absorbed - elimination - to_peripheral - into_tissue.sum(0)
    inflow = into_tissue.at[BLOOD].add(central)
    volume = tissues.volume.at[BLOOD].set(p.V1)
    phi = volume + tissues.volume * bulk.capacity * bulk.free_per_soluble
    return Drug(
        depot=p.bioavailability * given.sc - absorption,
        lymph_1=absorption - transit,
        lymph_2=transit - absorbed,
        soluble=(inflow - internalization - taken_up + on_dying - lost) / phi,
        peripheral=to_peripheral / p.V2,
        soluble_target=d_soluble_target,
        competitor=d_competitor,
        eliminated=elimination,
        internalized=internalization.sum(0),
        died=lost.sum(0),
    )


def on_receptors(bulk: Bulk, receptor: Receptors) -> PerTissue:
    """Drug that given receptors hold [nmol/L], or take up per day where a rate is given."""
    return bulk.occupancy_cd3 * receptor.cd3 + (bulk.occupancy_target * receptor.target).sum(0)


def central_after_bolus(
    soluble: PerTissue,
    dose: Scalar,
    at: Callable[[PerTissue], Bulk],
    p: DispositionParameters,
    tissues: TissueParameters,
) -> PerTissue:
    """Soluble drug after an IV bolus, receptors in blood at equilibrium at once.

    All drug of the plasma rises by the dose: V1*C + V_b*bound(C) = before + dose. Newton from the
    left of the root, where the left side is concave, never overshoots; `_NEWTON` steps reach
    rounding.

    Args:
        soluble (tissue,): Soluble drug before [nmol/L].
        dose: Bolus [nmol].
        at: Equilibrium as a function of the soluble drug.
        p: Pharmacokinetics.
        tissues: Volumes.
    """
    V_b = tissues.volume[BLOOD]

    def content(soluble: PerTissue) -> tuple[Scalar, Scalar]:
        bulk = at(soluble)
        amount = p.V1 * soluble[BLOOD] + V_b * bulk.bound[BLOOD]
        return amount, p.V1 + V_b * bulk.capacity[BLOOD] * bulk.free_per_soluble[BLOOD]

    wanted = content(soluble)[0] + dose

    def newton(_: int, soluble: PerTissue) -> PerTissue:
        amount, slope = content(soluble)
        return soluble.at[BLOOD].add((wanted - amount) / slope)

    return jax.lax.fori_loop(0, _NEWTON, newton, soluble)


def total_drug(x: Drug, bulk: Bulk, p: DispositionParameters, tissues: TissueParameters) -> Scalar:
    """All drug ever absorbed or still in the depot, sinks included [nmol].

    Constant between doses (T18).
    """
    volume = tissues.volume.at[BLOOD].set(p.V1)
    in_body = (volume * x.soluble + tissues.volume * bulk.bound).sum(0) + p.V2 * x.peripheral
    return x.depot + x.lymph_1 + x.lymph_2 + in_body + x.eliminated + x.internalized + x.died


def drug_free(p: DispositionParameters) -> Drug:
    """Before the first dose."""
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
