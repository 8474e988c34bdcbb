"""Two forms of the tumor: one pool of cells, or lesions.

::

    Pool:     malignant and antigen-low cells of the tumor --> killing, growth, drug on their target
    Lesions:  positive and lost cells of each lesion --sums--> the same two clones of the tumor

`Pool` is the tumor of `qsp.model.targets`: one lesion with two clones, whose killing rate
is that of `qsp.model.engagement`. `Lesions` has the cells, killing and exhaustion of
`qsp.model.lesions`; the sums over the lesions take the places of the two clones, malignant for
antigen-positive cells and antigen-low for the loss clone. One lesion without exhaustion, with a
loss clone like the antigen-low clone, whose resting T cells do not kill, is the pool. A config has
lesions unless ``[method] tumor`` is ``"pool"``; a `ModelStructure` has the pool unless it is given
lesions, whose number depends on the disease.

Assumed: in myeloma the first lesion is the marrow and the second an extramedullary lesion; leukemia
has one lesion, the marrow.

Differs from [Hosseini2020], which has the first form alone.
"""

import dataclasses
from abc import abstractmethod

import equinox as eqx
import jax.numpy as jnp

from qsp.errors import ConfigError
from qsp.model.binding import BindingParameters
from qsp.model.engagement import EngagementParameters
from qsp.model.lesion_measures import burden, m_protein_rate, new_lesion_rate
from qsp.model.lesions import (
    Attack,
    LesionCells,
    LesionKilling,
    LesionParameters,
    division,
    exhaustion_rate,
    lesion_baseline,
    lesion_killing,
    lesion_rates,
    loss_clone_copies,
    share,
)
from qsp.model.targets import TargetParameters, Targets, growth_per_cell, target_baseline
from qsp.model.tissues import ANTIGEN_LOW, LESIONS, MALIGNANT, TUMOR
from qsp.typing import PerKindTissue, PerLesion, Scalar


class AbstractTumor(eqx.Module):
    """Form of the tumor: one pool of cells, or lesions."""

    @abstractmethod
    def binding(self, b: BindingParameters, p: LesionParameters) -> BindingParameters:
        """Return the binding parameters with the target copies of the clone without antigen."""

    @abstractmethod
    def initial(self, t: TargetParameters, p: LesionParameters) -> tuple[Targets, LesionCells]:
        """Return target cells and lesions before treatment."""

    @abstractmethod
    def killing(
        self,
        x: LesionCells,
        attack: Attack,
        pooled: PerKindTissue,
        p: LesionParameters,
        e: EngagementParameters,
    ) -> tuple[PerKindTissue, LesionKilling]:
        """Return the killing rates of target cells (kind, tissue) and in lesions [Mcell/day].

        Args:
            x: Lesions.
            attack: T cells and killing per contact.
            pooled: Killing rate with the tumor as one pool [Mcell/day]; (kind, tissue).
            p: Lesions.
            e: Contacts.
        """

    @abstractmethod
    def division(self, x: LesionCells, p: LesionParameters) -> Scalar | None:
        """Return the division of T cells of the tumor relative to that without exhaustion [1].

        None if there is no exhaustion.
        """

    @abstractmethod
    def rates(  # noqa: PLR0913 - every term of Eq. N9 to N17 by name
        self,
        x: LesionCells,
        attack: Attack,
        killed: LesionKilling,
        targets: Targets,
        pooled: Targets,
        t: TargetParameters,
        p: LesionParameters,
        e: EngagementParameters,
    ) -> tuple[Targets, LesionCells]:
        """Return the rates of target cells and of lesions.

        Args:
            x: Lesions.
            attack: T cells and killing per contact.
            killed: Killing in each lesion.
            targets: Target cells.
            pooled: Rates of target cells with the tumor as one pool [Mcell/day].
            t: Turnover of target cells.
            p: Lesions.
            e: Contacts.
        """


class Pool(AbstractTumor):
    """The tumor as one pool of cells with two clones."""

    def binding(self, b: BindingParameters, p: LesionParameters) -> BindingParameters:
        """Return the binding parameters unchanged."""
        return b

    def initial(self, t: TargetParameters, p: LesionParameters) -> tuple[Targets, LesionCells]:
        """Return the target cells before treatment (Eq. G11)."""
        return target_baseline(t), LesionCells(None, None, None, None, None, None)

    def killing(
        self,
        x: LesionCells,
        attack: Attack,
        pooled: PerKindTissue,
        p: LesionParameters,
        e: EngagementParameters,
    ) -> tuple[PerKindTissue, LesionKilling]:
        """Return the killing rate of the pool (Eq. E7)."""
        return pooled, LesionKilling(None, None)

    def division(self, x: LesionCells, p: LesionParameters) -> None:
        """Return None: there is no exhaustion."""
        return

    def rates(  # noqa: PLR0913
        self,
        x: LesionCells,
        attack: Attack,
        killed: LesionKilling,
        targets: Targets,
        pooled: Targets,
        t: TargetParameters,
        p: LesionParameters,
        e: EngagementParameters,
    ) -> tuple[Targets, LesionCells]:
        """Return the rates of the pool (Eq. G8, G9)."""
        return pooled, x


class Lesions(AbstractTumor):
    """The tumor as lesions with cells of their own.

    Args:
        number: Number of lesions, 1 to 6: the first ones of the parameters. In myeloma the first is
            the marrow and the second an extramedullary lesion; leukemia has the marrow alone.
        new_lesions: Whether the state has the cumulative hazard of new lesions.
        m_protein: Whether the state has the M-protein.
    """

    number: int = eqx.field(static=True, default=4)
    new_lesions: bool = eqx.field(static=True, default=True)
    m_protein: bool = eqx.field(static=True, default=False)

    def __check_init__(self) -> None:
        if not 1 <= self.number <= len(LESIONS):
            rule = f"number must be a whole number from 1 to {len(LESIONS)}"
            raise ConfigError("Lesions", rule, self.number, "The default is 4")

    def binding(self, b: BindingParameters, p: LesionParameters) -> BindingParameters:
        """Return the binding parameters with the copies of the loss clone (Eq. N19)."""
        copies = b.copies_target.at[ANTIGEN_LOW, TUMOR].set(loss_clone_copies(b, p))
        return dataclasses.replace(b, copies_target=copies)

    def initial(self, t: TargetParameters, p: LesionParameters) -> tuple[Targets, LesionCells]:
        """Return the sums over the lesions, and the lesions (Eq. N1 to N4)."""
        positive, loss = lesion_baseline(self._share(p), t, p)
        zero, none = jnp.zeros_like(positive), jnp.zeros_like(p.k_new)
        targets = target_baseline(t)
        return (
            dataclasses.replace(targets, viable=_with_sums(targets.viable, positive, loss)),
            LesionCells(
                positive=positive,
                loss=loss,
                dying=zero,
                exhaustion=zero,
                new_lesions=none if self.new_lesions else None,
                m_protein=p.m_protein_baseline if self.m_protein else None,
            ),
        )

    def killing(
        self,
        x: LesionCells,
        attack: Attack,
        pooled: PerKindTissue,
        p: LesionParameters,
        e: EngagementParameters,
    ) -> tuple[PerKindTissue, LesionKilling]:
        """Return the sums over the lesions, and killing in each (Eq. N5 to N7)."""
        rate = p.k_kill[: self.number]
        killed = lesion_killing(x, self._share(p), rate, attack, p, e)
        return _with_sums(pooled, killed.positive, killed.loss), killed

    def division(self, x: LesionCells, p: LesionParameters) -> Scalar:
        """Return the division of T cells of the tumor (Eq. N14)."""
        return division(x, self._share(p))

    def rates(  # noqa: PLR0913
        self,
        x: LesionCells,
        attack: Attack,
        killed: LesionKilling,
        targets: Targets,
        pooled: Targets,
        t: TargetParameters,
        p: LesionParameters,
        e: EngagementParameters,
    ) -> tuple[Targets, LesionCells]:
        """Return the sums over the lesions, and the rates of each (Eq. N8 to N17)."""
        factor, s = p.growth_factor[: self.number], self._share(p)
        growth = growth_per_cell(targets.viable, t)
        positive, loss, dying = lesion_rates(x, killed, growth, factor, t, p)
        cells = burden(targets, t)
        return (
            Targets(viable=_with_sums(pooled.viable, positive, loss), dying=dying.sum(0)),
            LesionCells(
                positive=positive,
                loss=loss,
                dying=dying,
                exhaustion=exhaustion_rate(x, s, attack, p, e),
                new_lesions=new_lesion_rate(cells, p) if self.new_lesions else None,
                m_protein=m_protein_rate(x.m_protein, cells, p) if self.m_protein else None,
            ),
        )

    def _share(self, p: LesionParameters) -> PerLesion:
        return share(p.weight[: self.number])


def _with_sums(x: PerKindTissue, positive: PerLesion, loss: PerLesion) -> PerKindTissue:
    """Return a quantity of target cells whose clones of the tumor are sums over the lesions."""
    return x.at[MALIGNANT, TUMOR].set(positive.sum(0)).at[ANTIGEN_LOW, TUMOR].set(loss.sum(0))
