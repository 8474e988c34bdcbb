"""Supportive drugs: one state, one balance and one set of effects on the model.

::

    doses --> pharmacokinetics of each drug --> effect of each drug, 0 to 1
                                                  |
    mechanisms of the model <-- joint effects <---+   (Bliss: drugs act independently)

The equations hold all drugs at all times; a drug that is not administered has a state of zero. To
add one, write its file in this folder (parameters, state, balance, effect and the record
`INTERVENTION`), add a line to `qsp.drugs.DRUGS`, and give its values in
``qsp/model/physiology.toml``.
"""

import dataclasses
import functools
import importlib
from collections.abc import Mapping, Sequence

import equinox as eqx
import jax.numpy as jnp

from qsp.drugs import COMPETITOR, DRUGS
from qsp.interventions.intervention import Intervention
from qsp.model.effects import Effects, no_effects
from qsp.typing import Scalar

INTERVENTIONS: Mapping[str, Intervention] = {
    drug.name: importlib.import_module(f"{__name__}.{drug.name}").INTERVENTION
    for drug in DRUGS
    if drug is not COMPETITOR
}
"""Equations of each supportive drug by name; those of the competitor are part of the model."""


class SupportiveParameters(eqx.Module):
    """Parameters of every supportive drug; one field per drug."""

    __annotations__ = {name: drug.parameters for name, drug in INTERVENTIONS.items()}


class Supportive(eqx.Module):
    """State of every supportive drug in one patient; one field per drug."""

    __annotations__ = {name: drug.state for name, drug in INTERVENTIONS.items()}


def supportive_rates(
    x: Supportive, dosing: Mapping[str, Scalar], p: SupportiveParameters
) -> Supportive:
    r"""Return the derivative of the state of every supportive drug.

    Equations:
        Eq. P21: $$\frac{dx_{d}}{dt} = f_{d}(x_{d}, r_{d})$$
        $x_{d}$ [mg]: amounts of drug d (an effect site in mg/L).
        $f_{d}$ [mg/day]: rates of drug d, in its own file.
        $r_{d}$ [mg/day]: rate of dosing of drug d.

    Args:
        x: State.
        dosing: Current rate of dosing by name of the drug [mg/day].
        p: Parameters.
    """
    return Supportive(
        **{
            name: drug.rates(getattr(x, name), dosing[name], getattr(p, name))
            for name, drug in INTERVENTIONS.items()
        }
    )


def supportive_bolus(x: Supportive, amount: Mapping[str, Scalar]) -> Supportive:
    """Return the state after boluses, injections and oral doses.

    Equations:
        Eq. P22: $$x_{entry,after} = x_{entry} + A_{dose}$$
        $x_{entry}$ [mg]: amount in the compartment that a dose enters; see the table of drugs.
        $x_{entry,after}$ [mg]: amount after the dose.
        $A_{dose}$ [mg]: dose.

    Args:
        x: State before them.
        amount: Amount by name of the drug [mg].
    """

    def entries(x: Supportive) -> list[Scalar]:
        return [getattr(getattr(x, name), drug.entry) for name, drug in INTERVENTIONS.items()]

    before = zip(INTERVENTIONS, entries(x), strict=True)
    return eqx.tree_at(entries, x, [entry + amount[name] for name, entry in before])


def effects(x: Supportive, p: SupportiveParameters) -> Effects:
    """Return the joint effects of the supportive drugs on the model.

    Equations:
        Eq. P23: $$e_{joint} = e_{single}$$
        $e_{joint}$ [1]: effect on one pathway; Eq. P24 if several drugs act on it.
        $e_{single}$ [1]: effect of the only drug that acts on it.
    """
    joint = {}
    for field in dataclasses.fields(Effects):
        values = [
            drug.effect(getattr(x, name), getattr(p, name))
            for name, drug in INTERVENTIONS.items()
            if drug.acts_on == field.name
        ]
        if values:
            joint[field.name] = independent(values, are_free=field.name.endswith("_free"))
    return dataclasses.replace(no_effects(), **joint)


def independent(values: Sequence[Scalar], *, are_free: bool) -> Scalar:
    r"""Return the joint effect of drugs that act on one pathway independently (Bliss).

    Equations:
        Eq. P24: $$\phi_{joint} = \prod_{d} \phi_{d}, \quad e_{joint} = 1 - \prod_{d} (1 - e_{d})$$
        $\phi_{d}$ [1]: fraction that drug d leaves free.
        $\phi_{joint}$ [1]: fraction left free by all drugs.
        $e_{d}$ [1]: fraction that drug d inhibits.
        $e_{joint}$ [1]: fraction inhibited by all drugs.

    Args:
        values: Effect of each drug, at least one.
        are_free: Whether the values are fractions left free, which multiply, rather than fractions
            inhibited.
    """
    if len(values) == 1:
        return values[0]
    free = functools.reduce(jnp.multiply, values if are_free else [1.0 - v for v in values])
    return free if are_free else 1.0 - free


def no_drugs() -> Supportive:
    """Return the state of a patient without supportive drugs.

    Equations:
        Eq. P25: $$x_{d}(0) = 0$$
        $x_{d}$ [mg]: amounts of drug d.
    """
    zero = jnp.asarray(0.0)
    return Supportive(
        **{
            name: drug.state(*[zero] * len(dataclasses.fields(drug.state)))
            for name, drug in INTERVENTIONS.items()
        }
    )
