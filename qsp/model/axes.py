"""Fever and leak: one and two axes of severity.

Fever decides whether there is an event. Its index F follows the cytokines within hours, and its set
point B follows the same drive within days; fever is the difference, so that cytokines that stay
high are no fever. Leak of the endothelium, the cause of hypotension and hypoxia, decides grades 2
to 4; it saturates at higher cytokines than fever does. Both follow the rises of the cytokines over
their levels before treatment, so that they are zero without drug.

IL-6 acts relative to the capacity of the patient, a power (rho) of its production p_IL6 over a
reference: 0 would compare absolute levels between patients, and 1 the activation of their myeloid
cells. The production varies by decades between patients, and their levels of IL-6 do not rank them
by grade.

::

    rises of IL-6, TNF-alpha, IFN-gamma --Emax each--> Y --k_fever--> F
                                                       Y --k_set_point--> B      fever = F - B
    rises of IL-6, TNF-alpha            --Emax each--> G --k_leak--> W           leak = W

Assumed: the effects of the cytokines add up; one random effect of the patient and one of the event
shift the levels of all grades together.

Differs from [Hibma2026] and [Hosseini2020] as `qsp.model.severity` does; neither has fever or leak.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp

from qsp.model.cytokines import IFN_GAMMA, IL6, TNF_ALPHA
from qsp.model.effects import Effects
from qsp.model.severity import GRADES, AbstractSeverity, SeverityParameters
from qsp.typing import PerCytokine, Scalar
from qsp.units import quantity


class Axes(eqx.Module):
    """Set point of fever, and leak of the endothelium; `leak` is None with one axis."""

    set_point: Scalar = quantity("1", "Set point of fever", symbol="B")
    leak: Any = quantity("1", "Leak of the endothelium", symbol="W")


class Rises(NamedTuple):
    """Signals of the rises of cytokines over their levels before treatment [pg/mL]."""

    il6: Scalar
    tnf: Scalar
    ifn: Scalar


def rises(
    blood: PerCytokine, baseline: PerCytokine, effects: Effects, p: SeverityParameters
) -> Rises:
    r"""Signals of the rises of cytokines, of IL-6 relative to the capacity of the patient.

    Tocilizumab, siltuximab and JAK inhibition reduce the signal of IL-6, and an anti-TNF antibody
    that of TNF-alpha (assumed).

    Equations:
        Eq. V1: $$y_{IL6} = \frac{(c_{IL6} - c_{0,IL6}) \phi_{IL6} \phi_{IL6R} (1 -
            e_{JAK})}{\kappa}$$
        Eq. V2: $$y_{TNF} = (c_{TNF} - c_{0,TNF}) \phi_{TNF}, \quad y_{IFN} = c_{IFN} - c_{0,IFN}$$
        $y_{IL6}$ [pg/mL]: signal of the rise of IL-6.
        $y_{TNF}$ [pg/mL]: signal of the rise of TNF-alpha.
        $y_{IFN}$ [pg/mL]: signal of the rise of IFN-gamma.
        $c$ [pg/mL]: cytokine in blood, `cytokines.blood`.
        $c_0$ [pg/mL]: cytokine before treatment, `cytokines.baseline`.
        $\kappa$ [1]: capacity, (p_IL6/p_IL6_reference)^rho, `severity.capacity`.

    Args:
        blood: Cytokines in blood [pg/mL]; (cytokine,).
        baseline: Cytokines in blood before treatment [pg/mL]; (cytokine,).
        effects: Effects of the supportive drugs.
        p: Parameters.
    """
    rise = blood - baseline
    il6 = rise[IL6] * effects.il6_free * effects.il6r_free * (1.0 - effects.jak) / p.capacity
    return Rises(il6, rise[TNF_ALPHA] * effects.tnf_free, rise[IFN_GAMMA])


def fever_drive(rise: Rises, p: SeverityParameters) -> Scalar:
    r"""Index of fever at steady state, a weighted sum of Emax terms [1].

    Equations:
        Eq. V3: $$Y = \frac{y_{IL6}}{IL6_{50,fever} + y_{IL6}} + \frac{w_{TNF} y_{TNF}}{TNF_{50} +
            y_{TNF}} + \frac{w_{IFN} y_{IFN}}{IFN_{50} + y_{IFN}}$$
        $Y$ [1]: index of fever at steady state.
        $y_{IL6}$ [pg/mL]: signal of the rise of IL-6, Eq. V1.
        $y_{TNF}$ [pg/mL]: signal of the rise of TNF-alpha, Eq. V2.
        $y_{IFN}$ [pg/mL]: signal of the rise of IFN-gamma, Eq. V2.
    """
    return (
        rise.il6 / (p.IL6_50_fever + rise.il6)
        + p.weight_TNF * rise.tnf / (p.TNF_50 + rise.tnf)
        + p.weight_IFN * rise.ifn / (p.IFN_50 + rise.ifn)
    )


def leak_drive(rise: Rises, p: SeverityParameters) -> Scalar:
    r"""Leak at steady state, a weighted sum of Emax terms [1].

    Equations:
        Eq. V4: $$G = \frac{y_{IL6}}{IL6_{50,leak} + y_{IL6}} + \frac{w_{TNF,leak}
            y_{TNF}}{TNF_{50,leak} + y_{TNF}}$$
        $G$ [1]: leak at steady state.
        $y_{IL6}$ [pg/mL]: signal of the rise of IL-6, Eq. V1.
        $y_{TNF}$ [pg/mL]: signal of the rise of TNF-alpha, Eq. V2.
    """
    tnf = rise.tnf / (p.TNF_50_leak + rise.tnf)
    return rise.il6 / (p.IL6_50_leak + rise.il6) + p.weight_TNF_leak * tnf


def fever(index: Scalar, axes: Axes) -> Scalar:
    r"""Fever, the rise of its index over the set point [1].

    Equations:
        Eq. V5: $$x = F - B$$
        $x$ [1]: fever.
        $F$ [1]: index of fever, `severity`.
    """
    return index - axes.set_point


class OneAxis(AbstractSeverity):
    """Fever is the signal of all grades."""

    def initial(self, baseline: PerCytokine, p: SeverityParameters) -> tuple[Scalar, Axes]:
        r"""Return the index and the set point before treatment: zero.

        Equations:
            Eq. V6: $$F(0) = B(0) = 0$$
            $F$ [1]: index of fever, `severity`.
        """
        zero = jnp.zeros_like(p.k_fever)
        return zero, Axes(set_point=zero, leak=None)

    def rates(  # noqa: PLR0913
        self,
        index: Scalar,
        axes: Axes,
        blood: PerCytokine,
        baseline: PerCytokine,
        effects: Effects,
        p: SeverityParameters,
    ) -> tuple[Scalar, Axes]:
        r"""Return the rates of the index and of its set point, which both follow the cytokines.

        Equations:
            Eq. V7: $$\frac{dF}{dt} = k_{fever} (Y - F)$$
            Eq. V8: $$\frac{dB}{dt} = k_{set,point} (Y - B)$$
            $Y$ [1]: index of fever at steady state, Eq. V3.
            $F$ [1]: index of fever, `severity`.
        """
        steady = fever_drive(rises(blood, baseline, effects, p), p)
        adapts = Axes(set_point=p.k_set_point * (steady - axes.set_point), leak=None)
        return p.k_fever * (steady - index), adapts

    def signals(self, index: Scalar, fever: Any, leak: Any) -> jax.Array:
        """Return fever for each grade."""
        return jnp.broadcast_to(fever, (GRADES,))

    def thresholds(
        self, xi_patient: Scalar, xi_dose: jax.Array, p: SeverityParameters
    ) -> jax.Array:
        r"""Return the thresholds of an event that starts in each dose period.

        Equations:
            Eq. V9: $$\theta_{d,g} = \theta_{0,g} \exp(\omega_{level} \xi_{patient} +
                \omega_{event} \xi_{dose,d})$$
            $\theta$ [1]: threshold of grade g in an event that starts in dose period d.
            $\xi_{patient}$ [1]: random effect of the patient.
            $\xi_{dose}$ [1]: random effect of the event.
        """
        shift = jnp.exp(p.sd_level * xi_patient + p.sd_level_event * xi_dose)
        return shift[:, None] * p.level


class TwoAxes(OneAxis):
    """Fever is the signal of grade 1, leak that of grades 2 to 4."""

    def initial(self, baseline: PerCytokine, p: SeverityParameters) -> tuple[Scalar, Axes]:
        r"""Return the index, the set point and leak before treatment: zero.

        Equations:
            Eq. V10: $$W(0) = 0$$
        """
        zero = jnp.zeros_like(p.k_fever)
        return zero, Axes(set_point=zero, leak=zero)

    def rates(  # noqa: PLR0913
        self,
        index: Scalar,
        axes: Axes,
        blood: PerCytokine,
        baseline: PerCytokine,
        effects: Effects,
        p: SeverityParameters,
    ) -> tuple[Scalar, Axes]:
        r"""Return the rates of the index, of its set point and of leak.

        Equations:
            Eq. V11: $$\frac{dW}{dt} = k_{leak} (G - W)$$
            $G$ [1]: leak at steady state, Eq. V4.
        """
        d_index, d_axes = super().rates(index, axes, blood, baseline, effects, p)
        leaking = leak_drive(rises(blood, baseline, effects, p), p)
        return d_index, Axes(d_axes.set_point, p.k_leak * (leaking - axes.leak))

    def signals(self, index: Scalar, fever: Any, leak: Any) -> jax.Array:
        """Return fever for grade 1, and leak for grades 2 to 4."""
        return jnp.stack([fever, *[leak] * (GRADES - 1)])


SEVERITY_FORMS: Mapping[str, AbstractSeverity] = {
    "one_axis": OneAxis(),
    "two_axes": TwoAxes(),
}
"""Forms of severity by their names in configs."""
