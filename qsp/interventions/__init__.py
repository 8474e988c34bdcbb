"""Supportive drugs: all are always in the equations; a drug that is not given is zero.

Each file has parameters, state, balance and the effect of one drug; here they become one state and
one set of effects. Adding one: write its file, add it to the four places below.
"""

import equinox as eqx
import jax.numpy as jnp

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


class Supportive(eqx.Module):
    """Supportive drugs in one patient."""

    tocilizumab: Tocilizumab
    dexamethasone: Dexamethasone
    jak_inhibitor: JakInhibitor
    anti_tnf: AntiTnf


class Infusions(eqx.Module):
    """Supportive drugs given now: rates, or amounts of boluses in mg."""

    tocilizumab: Scalar = quantity("mg/day", "Tocilizumab")
    dexamethasone: Scalar = quantity("mg/day", "Dexamethasone")
    jak_inhibitor: Scalar = quantity("mg/day", "JAK inhibitor")
    anti_tnf: Scalar = quantity("mg/day", "Anti-TNF antibody")


def supportive_rates(x: Supportive, given: Infusions, p: SupportiveParameters) -> Supportive:
    """Balance of every supportive drug."""
    return Supportive(
        tocilizumab=tocilizumab_rates(x.tocilizumab, given.tocilizumab, p.tocilizumab),
        dexamethasone=dexamethasone_rates(x.dexamethasone, given.dexamethasone, p.dexamethasone),
        jak_inhibitor=jak_inhibitor_rates(x.jak_inhibitor, given.jak_inhibitor, p.jak_inhibitor),
        anti_tnf=anti_tnf_rates(x.anti_tnf, given.anti_tnf, p.anti_tnf),
    )


def supportive_bolus(x: Supportive, given: Infusions) -> Supportive:
    """The state after boluses [mg]; the JAK inhibitor is swallowed."""
    return eqx.tree_at(
        lambda x: (
            x.tocilizumab.central,
            x.dexamethasone.central,
            x.jak_inhibitor.gut,
            x.anti_tnf.central,
        ),
        x,
        (
            x.tocilizumab.central + given.tocilizumab,
            x.dexamethasone.central + given.dexamethasone,
            x.jak_inhibitor.gut + given.jak_inhibitor,
            x.anti_tnf.central + given.anti_tnf,
        ),
    )


def effects(x: Supportive, p: SupportiveParameters) -> Effects:
    """What the supportive drugs do to the model at this moment."""
    return Effects(
        steroid=steroid(x.dexamethasone, p.dexamethasone),
        jak=jak(x.jak_inhibitor, p.jak_inhibitor),
        il6r_free=il6r_free(x.tocilizumab, p.tocilizumab),
        tnf_free=tnf_free(x.anti_tnf, p.anti_tnf),
    )


def none_given() -> Supportive:
    """Before any supportive drug."""
    zero = jnp.asarray(0.0)
    return Supportive(
        tocilizumab=Tocilizumab(zero, zero),
        dexamethasone=Dexamethasone(zero, zero),
        jak_inhibitor=JakInhibitor(zero, zero),
        anti_tnf=AntiTnf(zero),
    )
