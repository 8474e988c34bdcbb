"""Lesions alone, in steps of a day, while the drug and T cells repeat their dosing interval.

Once a trial repeats one dose at one interval, T cells and drug change little from one interval to
the next, and lesions change over weeks. The map advances lesions alone: killing per contact and T
cells of the tumor have their means over the last dosing interval before it. A step is exact in the
linear parts of the equations and of second order otherwise: rates are those in the middle of the
step, predicted from those at its start.

::

    attack over the last interval --mean--> killing --\
                                                       +--> cells, exhaustion of each lesion
    burden of the tumor -----------> growth ----------/     --> hazard of new lesions, M-protein

Assumed: T cells of the tumor stay at their mean while lesions shrink or grow. Resting T cells,
whose number hardly follows the lesions, do most of the killing; `benchmarks/lesion_map.py`
compares the map with the full equations.

Differs from [Hosseini2020], which solves the same equations throughout.
"""

import dataclasses

import equinox as eqx
import jax
import jax.numpy as jnp

from qsp.model import numerics
from qsp.model.engagement import EngagementParameters
from qsp.model.lesion_measures import burden
from qsp.model.lesions import Attack, LesionCells, LesionParameters, exhaustion_rate, share
from qsp.model.targets import TargetParameters, Targets
from qsp.model.tissues import ANTIGEN_LOW, MALIGNANT, TUMOR
from qsp.model.tumors import Lesions
from qsp.response.m_protein import m_protein_step
from qsp.typing import PerLesion, PerSample, Scalar


class Held(eqx.Module):
    """Quantities that are constant in the map.

    Args:
        attack: T cells and killing per contact, from `held_attack`.
        targets: Target cells at the start, of which those of the tumor are not used.
        of_targets: Parameters of target cells.
        of_lesions: Parameters of lesions.
        of_contacts: Parameters of contacts.
    """

    attack: Attack
    targets: Targets
    of_targets: TargetParameters
    of_lesions: LesionParameters
    of_contacts: EngagementParameters


class _Rates(eqx.Module):
    """Rates at one time: of cells per cell, and of exhaustion of a T cell that is not exhausted."""

    positive: PerLesion
    loss: PerLesion
    killed: PerLesion  # [Mcell/day]
    exhausting: PerLesion
    new_lesions: Scalar | None


def held_attack(integral: Attack, days: Scalar) -> Attack:
    r"""Mean attack over the last dosing interval before the map.

    Equations:
        Eq. N22: $$y_{mean} = \frac{Y}{I}$$
        $y_{mean}$ [any]: mean of a quantity of the attack, such as $E_{tumor}$.
        $Y$ [any]: integral of the quantity over the interval.
        $I$ [day]: length of the interval.

    Args:
        integral: Integrals over the interval.
        days: Length of the interval [day].
    """
    return jax.tree.map(lambda value: value / days, integral)


def grown(cells: PerLesion, rate: PerLesion, step: Scalar) -> PerLesion:
    r"""Cells after a step at a constant rate per cell, such as Eq. N9 over $N_{pos}$ [Mcell].

    Equations:
        Eq. N23: $$N_{after,q} = N_{q} \exp(r_{q} h)$$
        $N_{after}$ [Mcell]: cells after the step.
        $N$ [Mcell]: antigen-positive cells or the loss clone of a lesion.
        $r$ [1/day]: growth less killing, per cell.
        $h$ [day]: length of the step.

    Args:
        cells: Cells of each lesion [Mcell]; (lesion,).
        rate: Growth less killing, per cell [1/day]; (lesion,).
        step: Length of the step [day].
    """
    return cells * jnp.exp(rate * step)


def exhausted(
    exhaustion: PerLesion, exhausting: PerLesion, k_recover: Scalar, step: Scalar
) -> PerLesion:
    r"""Exhaustion after a step, by Eq. N12 with constant contacts [1].

    Equations:
        Eq. N24: $$\xi_{after,q} = \xi_{end,q} + (\xi_{q} - \xi_{end,q}) \exp(-(e_{q} +
            k_{recover}) h), \quad \xi_{end,q} = \frac{e_{q}}{e_{q} + k_{recover}}$$
        $\xi_{after}$ [1]: exhaustion after the step.
        $\xi_{end}$ [1]: exhaustion after a long time with these contacts.
        $e$ [1/day]: rate of exhaustion of T cells without exhaustion, Eq. N12 at $\xi = 0$.
        $h$ [day]: length of the step.

    Args:
        exhaustion: Exhaustion of each lesion [1]; (lesion,).
        exhausting: Rate of exhaustion without exhaustion [1/day]; (lesion,).
        k_recover: Rate of recovery [1/day].
        step: Length of the step [day].
    """
    rate = exhausting + k_recover
    limit = numerics.ratio(exhausting, rate)
    return limit + (exhaustion - limit) * jnp.exp(-rate * step)


def cleared(dying: PerLesion, killed: PerLesion, k_clear: Scalar, step: Scalar) -> PerLesion:
    r"""Dying cells after a step with constant killing, by Eq. N11 [Mcell].

    Equations:
        Eq. N25: $$D_{after,q} = D_{lesion,q} \exp(-k_{clear} h) + \frac{J_{q}}{k_{clear}} (1 -
            \exp(-k_{clear} h))$$
        $D_{after}$ [Mcell]: dying cells after the step.
        $J$ [Mcell/day]: killing of both clones of a lesion, Eq. N6 and N7.
        $h$ [day]: length of the step.

    Args:
        dying: Dying cells of each lesion [Mcell]; (lesion,).
        killed: Killing in each lesion [Mcell/day]; (lesion,).
        k_clear: Clearance rate [1/day].
        step: Length of the step [day].
    """
    x = k_clear * step
    return dying * jnp.exp(-x) - killed * jnp.expm1(-x) / k_clear


def lesion_step(x: LesionCells, step: Scalar, held: Held, tumor: Lesions) -> LesionCells:
    """Lesions after a step, by Eq. N23 to N25 with the rates in the middle of the step.

    The hazard of new lesions rises by Eq. N16 in the middle of the step. The M-protein follows Eq.
    N17 with a burden that is linear within the step (`qsp.response.m_protein.m_protein_step`).

    Args:
        x: Lesions at the start of the step.
        step: Length of the step [day].
        held: Quantities that are constant.
        tumor: Form of the tumor.
    """
    middle = _moved(x, _rates(x, held, tumor), 0.5 * step, held)
    rates = _rates(middle, held, tumor)
    end = _moved(x, rates, step, held)
    p = held.of_lesions
    killed = cleared(x.dying, rates.killed, held.of_targets.k_clear, step)
    end = dataclasses.replace(end, dying=killed)
    if x.new_lesions is not None and rates.new_lesions is not None:
        end = dataclasses.replace(end, new_lesions=x.new_lesions + step * rates.new_lesions)
    if x.m_protein is not None:
        baseline = jnp.asarray(p.m_protein_baseline)
        before, after = (_burden(each, held) * baseline for each in (x, end))
        m_protein = m_protein_step(x.m_protein, before, after, p.k_protein, step)
        end = dataclasses.replace(end, m_protein=m_protein)
    return end


def lesion_course(x: LesionCells, times: PerSample, held: Held, tumor: Lesions) -> LesionCells:
    """Lesions at the given times, by one step from each to the next (Eq. N23 to N25).

    A lesion that the solver left with less than no cell has none.

    Args:
        x: Lesions at the first time.
        times: Times, ascending [day].
        held: Quantities that are constant.
        tumor: Form of the tumor.

    Returns:
        Lesions with a leading axis of the times.
    """

    def advance(x: LesionCells, step: Scalar) -> tuple[LesionCells, LesionCells]:
        x = lesion_step(x, step, held, tumor)
        return x, x

    x = jax.tree.map(lambda leaf: jnp.maximum(leaf, 0.0), x)
    _, after = jax.lax.scan(advance, x, jnp.diff(times))
    return jax.tree.map(lambda first, rest: jnp.concatenate([first[None], rest]), x, after)


def _moved(x: LesionCells, rates: _Rates, step: Scalar, held: Held) -> LesionCells:
    """Lesions after a step at constant rates; only cells and exhaustion move."""
    k_recover = held.of_lesions.k_recover
    return dataclasses.replace(
        x,
        positive=grown(x.positive, rates.positive, step),
        loss=grown(x.loss, rates.loss, step),
        exhaustion=exhausted(x.exhaustion, rates.exhausting, k_recover, step),
    )


def _rates(x: LesionCells, held: Held, tumor: Lesions) -> _Rates:
    """Rates of lesions at one time."""
    attack, t, p, e = held.attack, held.of_targets, held.of_lesions, held.of_contacts
    targets = _targets(x, held)
    _, killed = tumor.killing(x, attack, targets.viable, p, e)
    _, rates = tumor.rates(x, attack, killed, targets, targets, t, p, e)
    rested = dataclasses.replace(x, exhaustion=jnp.zeros_like(x.exhaustion))
    s = share(p.weight[: tumor.number])
    return _Rates(
        positive=numerics.ratio(rates.positive, x.positive),
        loss=numerics.ratio(rates.loss, x.loss),
        killed=killed.positive + killed.loss,
        exhausting=exhaustion_rate(rested, s, attack, p, e),
        new_lesions=rates.new_lesions,
    )


def _burden(x: LesionCells, held: Held) -> Scalar:
    return burden(_targets(x, held), held.of_targets)


def _targets(x: LesionCells, held: Held) -> Targets:
    """Target cells with the sums over the lesions in the tumor."""
    positive, loss = x.positive.sum(0), x.loss.sum(0)
    viable = held.targets.viable.at[MALIGNANT, TUMOR].set(positive)
    viable = viable.at[ANTIGEN_LOW, TUMOR].set(loss)
    return dataclasses.replace(held.targets, viable=viable)
