"""Supportive drugs: all are always in the equations; a drug that is not given is zero.

Each file has parameters, state, balance and the effect of one drug; here they become one state and
one set of effects. Adding one: write its file, add it to the four places below.
"""

import equinox as eqx
import jax.numpy as jnp

from qsp.interventions.anakinra import Anakinra, AnakinraParameters, anakinra_rates, il1r_free
from qsp.interventions.anti_tnf import AntiTnf, AntiTnfParameters, anti_tnf_rates, tnf_free
from qsp.interventions.dexamethasone import (
    Dexamethasone,
    DexamethasoneParameters,
    dexamethasone_rates,
    steroid,
)
from qsp.interventions.jak_inhibitor import (
    JakInhibitor,
    JakInhibitorParameters,
    jak,
    jak_inhibitor_rates,
)
from qsp.interventions.kinase_inhibitor import (
    KinaseInhibitor,
    KinaseInhibitorParameters,
    kinase,
    kinase_inhibitor_rates,
)
from qsp.interventions.siltuximab import (
    Siltuximab,
    SiltuximabParameters,
    il6_free,
    siltuximab_rates,
)
from qsp.interventions.tocilizumab import (
    Tocilizumab,
    TocilizumabParameters,
    il6r_free,
    tocilizumab_rates,
)
from qsp.model.effects import Effects
from qsp.typing import Scalar
from qsp.units import quantity


class SupportiveParameters(eqx.Module):
    """Parameters of every supportive drug."""

    tocilizumab: TocilizumabParameters
    dexamethasone: DexamethasoneParameters
    jak_inhibitor: JakInhibitorParameters
    anti_tnf: AntiTnfParameters
    siltuximab: SiltuximabParameters
    anakinra: AnakinraParameters
    kinase_inhibitor: KinaseInhibitorParameters


class Supportive(eqx.Module):
    """Supportive drugs in one patient."""

    tocilizumab: Tocilizumab
    dexamethasone: Dexamethasone
    jak_inhibitor: JakInhibitor
    anti_tnf: AntiTnf
    siltuximab: Siltuximab
    anakinra: Anakinra
    kinase_inhibitor: KinaseInhibitor


class Infusions(eqx.Module):
    """Supportive drugs given now: rates, or amounts of boluses in mg."""

    tocilizumab: Scalar = quantity("mg/day", "Tocilizumab")
    dexamethasone: Scalar = quantity("mg/day", "Dexamethasone")
    jak_inhibitor: Scalar = quantity("mg/day", "JAK inhibitor")
    anti_tnf: Scalar = quantity("mg/day", "Anti-TNF antibody")
    siltuximab: Scalar = quantity("mg/day", "Siltuximab")
    anakinra: Scalar = quantity("mg/day", "Anakinra")
    kinase_inhibitor: Scalar = quantity("mg/day", "Kinase inhibitor")


def supportive_rates(x: Supportive, given: Infusions, p: SupportiveParameters) -> Supportive:
    """Balance of every supportive drug."""
    return Supportive(
        tocilizumab=tocilizumab_rates(x.tocilizumab, given.tocilizumab, p.tocilizumab),
        dexamethasone=dexamethasone_rates(x.dexamethasone, given.dexamethasone, p.dexamethasone),
        jak_inhibitor=jak_inhibitor_rates(x.jak_inhibitor, given.jak_inhibitor, p.jak_inhibitor),
        anti_tnf=anti_tnf_rates(x.anti_tnf, given.anti_tnf, p.anti_tnf),
        siltuximab=siltuximab_rates(x.siltuximab, given.siltuximab, p.siltuximab),
        anakinra=anakinra_rates(x.anakinra, given.anakinra, p.anakinra),
        kinase_inhibitor=kinase_inhibitor_rates(
            x.kinase_inhibitor, given.kinase_inhibitor, p.kinase_inhibitor
        ),
    )


def supportive_bolus(x: Supportive, given: Infusions) -> Supportive:
    """The state after boluses [mg]; what is swallowed or injected goes there."""
    return eqx.tree_at(
        lambda x: (
            x.tocilizumab.central,
            x.dexamethasone.central,
            x.jak_inhibitor.gut,
            x.anti_tnf.central,
            x.siltuximab.central,
            x.anakinra.depot,
            x.kinase_inhibitor.gut,
        ),
        x,
        (
            x.tocilizumab.central + given.tocilizumab,
            x.dexamethasone.central + given.dexamethasone,
            x.jak_inhibitor.gut + given.jak_inhibitor,
            x.anti_tnf.central + given.anti_tnf,
            x.siltuximab.central + given.siltuximab,
            x.anakinra.depot + given.anakinra,
            x.kinase_inhibitor.gut + given.kinase_inhibitor,
        ),
    )


def effects(x: Supportive, p: SupportiveParameters) -> Effects:
    """What the supportive drugs do to the model at this moment."""
    return Effects(
        steroid=steroid(x.dexamethasone, p.dexamethasone),
        jak=jak(x.jak_inhibitor, p.jak_inhibitor),
        il6r_free=il6r_free(x.tocilizumab, p.tocilizumab),
        tnf_free=tnf_free(x.anti_tnf, p.anti_tnf),
        il6_free=il6_free(x.siltuximab, p.siltuximab),
        il1r_free=il1r_free(x.anakinra, p.anakinra),
        kinase=kinase(x.kinase_inhibitor, p.kinase_inhibitor),
    )


def no_drugs() -> Supportive:
    """Before any supportive drug."""
    zero = jnp.asarray(0.0)
    return Supportive(
        tocilizumab=Tocilizumab(zero, zero),
        dexamethasone=Dexamethasone(zero, zero),
        jak_inhibitor=JakInhibitor(zero, zero),
        anti_tnf=AntiTnf(zero),
        siltuximab=Siltuximab(zero),
        anakinra=Anakinra(zero, zero),
        kinase_inhibitor=KinaseInhibitor(zero, zero),
    )
