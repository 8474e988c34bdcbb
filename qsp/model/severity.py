"""CRS severity: cytokines -> an index of fever and inflammation -> ASTCT grade.

No single cytokine ranks molecules by CRS, so the index combines IL-6 signaling, TNF-alpha and
IFN-gamma. An event starts when a signal rises through the threshold of grade 1, and its grade
follows from the thresholds of the higher grades. Three forms share one interface
(`AbstractSeverity`): `Inflammation`, in which the index is the signal of all grades (default);
`OneAxis`, in which it is fever; and `TwoAxes`, in which fever decides whether there is an event,
and the leak of the endothelium its grade. The last two are in `qsp.model.axes`. Alternative links
are in `qsp.model.event_links`. None is validated against individual patients.

::

    IL-6 signal, TNF-alpha, IFN-gamma --Emax each--> Y --k_F--> F --thresholds--> grade

Assumed: the effects of the three cytokines add up, and the index follows them at one rate.

Differs from [Hibma2026]: the grade of CRS follows the cytokines over time, whereas there the
probability of any CRS follows from tumor burden and the trough of free drug on day 4. Differs from
[Hosseini2020]: IL-6 itself is the measure of CRS there; the index and its thresholds are additions.
"""

from abc import abstractmethod
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp

from qsp.model.cytokines import IFN_GAMMA, IL6, TNF_ALPHA
from qsp.model.effects import Effects, no_effects
from qsp.typing import PerCytokine, Scalar
from qsp.units import quantity

GRADES = 4
"""Number of grades of CRS, from 1."""


class SeverityParameters(eqx.Module):
    """Parameters of the severity index, the thresholds of the grades, and the alternative links.

    Those from `IL6_50_fever` to `sd_level_event` are of `OneAxis` and `TwoAxes`.
    """

    IL6_50: Scalar = quantity("pg/mL", "IL-6 signal at half-maximum effect on the index")
    TNF_50: Scalar = quantity("pg/mL", "TNF-alpha at half-maximum effect on the index")
    IFN_50: Scalar = quantity("pg/mL", "IFN-gamma at half-maximum effect on the index")
    weight_TNF: Scalar = quantity("1", "Weight of TNF-alpha relative to IL-6", symbol="w_{TNF}")
    weight_IFN: Scalar = quantity("1", "Weight of IFN-gamma relative to IL-6", symbol="w_{IFN}")
    k_F: Scalar = quantity("1/day", "Rate at which the index follows the cytokines")
    threshold: jax.Array = quantity(
        "1", "Index at which CRS of grade 1, 2, 3 or 4 begins", dims=("grade",), symbol=r"\theta_0"
    )
    sd_patient: Scalar = quantity(
        "1", "SD of ln threshold between patients", symbol=r"\omega_{patient}"
    )
    sd_dose: Scalar = quantity(
        "1", "SD of ln threshold between the doses of a patient", symbol=r"\omega_{dose}"
    )
    capacity: Scalar = quantity(
        "1",
        "Capacity of the patient for IL-6, relative to the median patient, to the power rho",
        symbol=r"\kappa",
    )
    IL6_50_fever: Scalar = quantity(
        "pg/mL", "IL-6 signal at half-maximum effect on fever", symbol="IL6_{50,fever}"
    )
    IL6_50_leak: Scalar = quantity(
        "pg/mL", "IL-6 signal at half-maximum effect on leak", symbol="IL6_{50,leak}"
    )
    TNF_50_leak: Scalar = quantity(
        "pg/mL", "TNF-alpha at half-maximum effect on leak", symbol="TNF_{50,leak}"
    )
    weight_TNF_leak: Scalar = quantity(
        "1", "Weight of TNF-alpha relative to IL-6 in leak", symbol="w_{TNF,leak}"
    )
    k_fever: Scalar = quantity("1/day", "Rate at which the index of fever follows the cytokines")
    k_set_point: Scalar = quantity("1/day", "Rate at which the set point of fever adapts")
    k_leak: Scalar = quantity("1/day", "Rate at which leak follows the cytokines")
    level: jax.Array = quantity(
        "1",
        "Fever at which CRS of grade 1 begins, and leak at which grade 2, 3 or 4 begins "
        "(with one axis, fever)",
        dims=("grade",),
        symbol=r"\theta_{axes}",
    )
    sd_level: Scalar = quantity("1", "SD of ln level between patients", symbol=r"\omega_{level}")
    sd_level_event: Scalar = quantity(
        "1", "SD of ln level between the events of a patient", symbol=r"\omega_{event}"
    )
    logistic_intercept: Scalar = quantity("1", "Logit of CRS at a peak IL-6 of 1 pg/mL", symbol="a")
    logistic_slope: Scalar = quantity("1", "Slope of the logit of CRS in ln peak IL-6", symbol="b")
    hazard_0: Scalar = quantity("1/day", "Hazard of CRS at an index of zero", symbol=r"\lambda_0")
    hazard_slope: Scalar = quantity(
        "1", "Slope of ln hazard of CRS in the index", symbol="b_{hazard}"
    )
    IL6_unit: Scalar = quantity("pg/mL", "Unit of IL-6 in the logistic link", symbol="u_{IL6}")


def inflammation(blood: PerCytokine, effects: Effects, p: SeverityParameters) -> Scalar:
    r"""Steady-state severity index Y for the cytokines in blood: a weighted sum of Emax terms.

    IL-6 acts by its signal, which tocilizumab, siltuximab and JAK inhibition reduce. TNF-alpha acts
    by its signal too (assumed), so that an anti-TNF antibody lowers fever.

    Equations:
        Eq. V1: $$Y = \frac{y_{IL6}}{IL6_{50} + y_{IL6}} + \frac{w_{TNF} y_{TNF}}{TNF_{50} +
            y_{TNF}} + \frac{w_{IFN} c_{IFN}}{IFN_{50} + c_{IFN}}$$
        Eq. V2: $$y_{IL6} = c_{IL6} \phi_{IL6} \phi_{IL6R} (1 - e_{JAK}), \quad y_{TNF} = c_{TNF}
            \phi_{TNF}$$
        $Y$ [1]: steady-state severity index.
        $y_{IL6}$ [pg/mL]: signal of IL-6.
        $y_{TNF}$ [pg/mL]: signal of TNF-alpha.
        $c$ [pg/mL]: cytokine in blood, `cytokines.blood`.

    Args:
        blood: Cytokines in blood [pg/mL]; (cytokine,).
        effects: Effects of the supportive drugs.
        p: Parameters.

    Returns:
        Index [1].
    """
    signal = blood[IL6] * effects.il6_free * effects.il6r_free * (1.0 - effects.jak)
    tnf, ifn = blood[TNF_ALPHA] * effects.tnf_free, blood[IFN_GAMMA]
    return (
        signal / (p.IL6_50 + signal)
        + p.weight_TNF * tnf / (p.TNF_50 + tnf)
        + p.weight_IFN * ifn / (p.IFN_50 + ifn)
    )


def severity_rate(
    severity: Scalar, blood: PerCytokine, effects: Effects, p: SeverityParameters
) -> Scalar:
    r"""Rate of the severity index F, which follows `inflammation` with a delay: k_F*(Y - F).

    Equations:
        Eq. V3: $$\frac{dF}{dt} = k_{F} (Y - F)$$
        $Y$ [1]: steady-state severity index, Eq. V1.

    Args:
        severity: Severity index, F [1].
        blood: Cytokines in blood [pg/mL]; (cytokine,).
        effects: Effects of the supportive drugs.
        p: Parameters.

    Returns:
        Rate [1/day].
    """
    return p.k_F * (inflammation(blood, effects, p) - severity)


def thresholds(xi_patient: Scalar, xi_dose: jax.Array, p: SeverityParameters) -> jax.Array:
    r"""Thresholds of one patient at each dose: ln theta = ln theta_0 + sd_p*xi_p + sd_d*xi_d.

    The grades share both random effects, so that their thresholds keep their order.

    Equations:
        Eq. V4: $$\theta_{d,g} = \theta_{0,g} \exp(\omega_{patient} \xi_{patient} + \omega_{dose}
            \xi_{dose,d})$$
        $\theta$ [1]: threshold of grade g at dose d.
        $\xi_{patient}$ [1]: random effect of the patient.
        $\xi_{dose}$ [1]: random effect of the dose.

    Args:
        xi_patient: Standard normal random effect of the patient.
        xi_dose: Standard normal random effect of each dose; (dose_period,).
        p: Parameters.

    Returns:
        Thresholds of the index [1]; (dose_period, grade).
    """
    shift = jnp.exp(p.sd_patient * xi_patient + p.sd_dose * xi_dose)
    return shift[:, None] * p.threshold


class AbstractSeverity(eqx.Module):
    """Form of severity: an index, optional further states, and the signal of each grade."""

    @abstractmethod
    def initial(self, baseline: PerCytokine, p: SeverityParameters) -> tuple[Scalar, Any]:
        """Index and further states before treatment, without supportive drugs.

        Args:
            baseline: Cytokines in blood before treatment [pg/mL]; (cytokine,).
            p: Parameters.
        """

    @abstractmethod
    def rates(  # noqa: PLR0913
        self,
        index: Scalar,
        axes: Any,
        blood: PerCytokine,
        baseline: PerCytokine,
        effects: Effects,
        p: SeverityParameters,
    ) -> tuple[Scalar, Any]:
        """Derivatives of the index and of the further states, per day."""

    @abstractmethod
    def signals(self, index: Scalar, fever: Any, leak: Any) -> jax.Array:
        """Quantity (grade,) that is compared with the threshold of each grade [1]."""

    @abstractmethod
    def thresholds(
        self, xi_patient: Scalar, xi_dose: jax.Array, p: SeverityParameters
    ) -> jax.Array:
        """Thresholds (dose_period, grade) of an event that starts in each dose period [1].

        Args:
            xi_patient: Standard normal random effect of the patient.
            xi_dose: Standard normal random effect of each dose period; (dose_period,).
            p: Parameters.
        """


class Inflammation(AbstractSeverity):
    """The index of inflammation is the signal of all grades (default); no further state."""

    def initial(self, baseline: PerCytokine, p: SeverityParameters) -> tuple[Scalar, None]:
        """Return the steady-state index of the cytokines before treatment (Eq. V1)."""
        return inflammation(baseline, no_effects(), p), None

    def rates(  # noqa: PLR0913
        self,
        index: Scalar,
        axes: None,
        blood: PerCytokine,
        baseline: PerCytokine,
        effects: Effects,
        p: SeverityParameters,
    ) -> tuple[Scalar, None]:
        """Return the rate of the index (Eq. V3)."""
        return severity_rate(index, blood, effects, p), None

    def signals(self, index: Scalar, fever: Any, leak: Any) -> jax.Array:
        """Return the index for each grade."""
        return jnp.broadcast_to(index, (GRADES,))

    def thresholds(
        self, xi_patient: Scalar, xi_dose: jax.Array, p: SeverityParameters
    ) -> jax.Array:
        """Return the thresholds of the index (Eq. V4)."""
        return thresholds(xi_patient, xi_dose, p)
