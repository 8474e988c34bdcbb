"""Parameters of CRS severity, and the interface of its forms.

A CRS event starts when the signal of grade 1 rises through its threshold, and its grade is the
highest one whose signal reaches its threshold during the event (ASTCT grades 1 to 4). There are two
forms, both in `qsp.model.axes`: with `TwoAxes` (default), fever decides whether there is an event
and leak of the endothelium decides grades 2 to 4; with `OneAxis`, fever decides all grades. Neither
is validated against individual patients.

::

    fever ----> CRS event -----------------------------------> grade 1
    leak  ----> highest threshold that is reached meanwhile --> grade 2, 3 or 4

Assumed: the grade of an event is that of its highest signal, without a clinician's judgment.

Differs from [Hibma2026]: the grade of CRS follows the cytokines over time, whereas there the
probability of any CRS follows from tumor burden and the trough of free drug on day 4. Differs from
[Hosseini2020]: IL-6 itself is the measure of CRS there; fever and leak are additions.
"""

from abc import abstractmethod
from typing import Any

import equinox as eqx
import jax

from qsp.model.effects import Effects
from qsp.typing import PerCytokine, Scalar
from qsp.units import quantity

GRADES = 4
"""Number of grades of CRS, from 1."""


class SeverityParameters(eqx.Module):
    """Parameters of fever and leak, and the thresholds of the grades."""

    TNF_50: Scalar = quantity("pg/mL", "TNF-alpha at half-maximum effect on fever")
    IFN_50: Scalar = quantity("pg/mL", "IFN-gamma at half-maximum effect on fever")
    weight_TNF: Scalar = quantity("1", "Weight of TNF-alpha relative to IL-6", symbol="w_{TNF}")
    weight_IFN: Scalar = quantity("1", "Weight of IFN-gamma relative to IL-6", symbol="w_{IFN}")
    capacity: Scalar = quantity(
        "1",
        "Capacity of the patient for IL-6, relative to a reference, to the power rho",
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
        symbol=r"\theta_0",
    )
    sd_level: Scalar = quantity("1", "SD of ln level between patients", symbol=r"\omega_{level}")
    sd_level_event: Scalar = quantity(
        "1", "SD of ln level between the events of a patient", symbol=r"\omega_{event}"
    )


class AbstractSeverity(eqx.Module):
    """Form of severity: the index of fever, further states, and the signal of each grade."""

    @abstractmethod
    def initial(self, baseline: PerCytokine, p: SeverityParameters) -> tuple[Scalar, Any]:
        """Index of fever and further states before treatment, without supportive drugs.

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
