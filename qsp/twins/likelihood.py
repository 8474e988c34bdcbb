r"""Likelihood of measurements given predictions, with values below quantification.

A measurement y of the prediction f has the location m and the value x on the scale of its error,
with the standardized residual r:

Eq. W2: $$m = f, \, x = y \quad \text{or} \quad m = \ln f, \, x = \ln y, \qquad r = \frac{x -
m}{s(m)}$$

The standard deviation is additive (a), proportional (b), or both, combined as variances or as
standard deviations. On the scale of logarithms it is constant:

Eq. W3: $$s = \sqrt{a^2 + b^2 m^2} \quad \text{or} \quad s = a + b m$$

Residuals have Student's t distribution with nu degrees of freedom, which is normal if nu is
infinite:

Eq. W4: $$\ell = \ln t_{\nu}(r) - \ln s$$

Eq. W5: $$\frac{d\ell}{dm} = \frac{w r}{s} + (w r^2 - 1) \frac{s'}{s}, \quad w = \frac{\nu + 1}{\nu
+ r^2}$$

The Fisher information about m is the expected curvature. For normal residuals with the variance R
it is the sum of 1/R and half the square of d ln R / dm:

Eq. W6: $$I = \frac{\nu + 1}{\nu + 3} \frac{1}{s^2} + \frac{2 \nu}{\nu + 3} \left(\frac{s'}{s}
\right)^2$$

A value below the limit of quantification has the probability of all values below the limit x_L
(method M3; Beal 2001, J Pharmacokinet Pharmacodyn 28:481), with the distribution function T:

Eq. W7: $$\ell = \ln T_{\nu}(q), \quad q = \frac{x_L - m}{s(m)}, \quad q' = -\frac{1 + q s'}{s}$$

Its score, and its information, which is the curvature in q except far in a heavy tail, where the
curvature is negative, are

Eq. W8: $$\frac{d\ell}{dm} = h q', \quad I = h \max\left(h + \frac{(\nu + 1) q}{\nu + q^2},
\frac{h}{\nu + 1}\right) q'^2, \quad h = \frac{t_{\nu}(q)}{T_{\nu}(q)}$$

Densities are those of x: of ln y if the error is on the scale of logarithms.
"""

from __future__ import annotations

import dataclasses
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln, log_ndtr, stdtr

from qsp.errors import ConfigError
from qsp.twins.sums import sum_in_order

Array = NDArray[np.float64]
Flags = NDArray[np.bool_]

DEGREES = 5.0
"""Degrees of freedom of residuals on the scale of logarithms, for heavy tails (assumed)."""


class Likelihood(Protocol):
    """Log-likelihood of the data of all patients, with its local quadratic form.

    Rows are functions of the predictions that are differentiated; the gradient of the
    log-likelihood is the sum of the gradients of the rows with the weights `score`, and its
    information the sum of their outer products with the weights `information`.
    """

    @property
    def width(self) -> int:
        """Number of predictions of a simulation."""
        ...

    def log_likelihood(self, prediction: Array) -> Array:
        """Return the log-likelihood (patient, simulation); -inf for a failed simulation.

        Args:
            prediction: (patient, simulation, observation).
        """
        ...

    def rows(self, prediction: Array) -> Array:
        """Return the rows (patient, simulation, row)."""
        ...

    def weights(self, prediction: Array) -> tuple[Array, Array]:
        """Return the weights of the score and of the information (patient, row).

        Args:
            prediction: (patient, observation), at which the weights are taken.
        """
        ...


@dataclasses.dataclass(frozen=True)
class LinearError:
    """Error on the scale of the measurement (Eq. W3).

    Args:
        additive: Standard deviation a [unit of the measurement].
        proportional: Coefficient of variation b.
        adds_sd: Whether a and b m are added as standard deviations, not as variances.
        degrees: Degrees of freedom nu; infinite for normal residuals.
    """

    additive: float = 0.0
    proportional: float = 0.0
    adds_sd: bool = False
    degrees: float = np.inf

    is_log = False

    def __post_init__(self) -> None:
        _check_degrees(self.degrees)
        if self.additive < 0.0 or self.proportional < 0.0 or self.additive + self.proportional == 0:
            rule = "additive and proportional must be at least 0, and one above 0"
            raise ConfigError("LinearError", rule, (self.additive, self.proportional))

    def sd(self, location: Array) -> tuple[Array, Array]:
        """Return the standard deviation, and its derivative by the location."""
        a, b = self.additive, self.proportional
        if self.adds_sd:
            return a + b * location, np.full_like(location, b)
        sd = np.sqrt(a * a + b * b * location * location)
        return sd, b * b * location / sd


@dataclasses.dataclass(frozen=True)
class LogError:
    """Error on the scale of logarithms, with a constant standard deviation.

    Args:
        log_sd: Standard deviation of ln y; a number, or (patient, observation).
        degrees: Degrees of freedom nu; infinite for normal residuals.
    """

    log_sd: float | Array
    degrees: float = DEGREES

    is_log = True

    def __post_init__(self) -> None:
        _check_degrees(self.degrees)
        if not np.all(np.asarray(self.log_sd) > 0.0):
            raise ConfigError("LogError", "log_sd must be above 0", np.min(self.log_sd))

    def sd(self, location: Array) -> tuple[Array, Array]:
        """Return the standard deviation, and its derivative by the location."""
        sd = np.asarray(self.log_sd, float)
        if sd.ndim == 2 and location.ndim == 3:
            sd = sd[:, None]
        return np.broadcast_to(sd, location.shape), np.zeros_like(location)


def _check_degrees(degrees: float) -> None:
    if not degrees > 0.0:
        raise ConfigError("error model", "degrees must be above 0", degrees)


@dataclasses.dataclass(frozen=True)
class Measured:
    """Measurements of all patients with one error model, for example of one cytokine.

    Args:
        value: (patient, observation): Measurement, or the limit of quantification if it is below;
            any number where there is none.
        error: Error model.
        is_below: (patient, observation): Whether the measurement is below quantification.
        is_used: (patient, observation): Whether there is a measurement; None if all are.

    Raises:
        ConfigError: If shapes differ, or a value is not finite, or not positive although its error
            is on the scale of logarithms.
    """

    value: Array
    error: LinearError | LogError
    is_below: Flags | None = None
    is_used: Flags | None = None

    def __post_init__(self) -> None:
        value = np.array(self.value, float)
        flags = [
            np.full(value.shape, default) if given is None else np.array(given, bool)
            for given, default in ((self.is_below, False), (self.is_used, True))
        ]
        shapes = [each.shape for each in (value, *flags)]
        if value.ndim != 2 or len(set(shapes)) > 1:
            rule = "value, is_below and is_used must have the same shape (patient, observation)"
            raise ConfigError("Measured", rule, shapes)
        bad = ~np.isfinite(value) | (self.error.is_log & (value <= 0.0))
        if np.any(bad & flags[1]):
            kind = "finite and above 0" if self.error.is_log else "finite"
            first = float(value[bad & flags[1]][0])
            todo = "Mark values below quantification by is_below, with the limit as value"
            raise ConfigError("Measured", f"a measurement must be {kind}", first, todo)
        value = np.where(flags[1], value, 1.0)
        for name, each in zip(("value", "is_below", "is_used"), (value, *flags), strict=True):
            object.__setattr__(self, name, each)

    @property
    def width(self) -> int:
        """Number of predictions of a simulation."""
        return self.value.shape[1]

    @property
    def observed(self) -> Array:
        """Values x of Eq. W2 (patient, observation)."""
        return np.log(self.value) if self.error.is_log else self.value

    def log_likelihood(self, prediction: Array) -> Array:
        """Return the log-likelihood (patient, simulation): Eq. W4, or Eq. W7 below the limit."""
        below, used = _flags(self)
        with np.errstate(all="ignore"):
            r, sd, _ = self._residual(prediction)
            known = _log_density(r, self.error.degrees) - np.log(sd)
            terms = np.where(below[:, None], _log_cdf(r, self.error.degrees), known)
            terms = np.where(np.isfinite(terms) & (sd > 0.0), terms, -np.inf)
        return sum_in_order(np.where(used[:, None], terms, 0.0))

    def rows(self, prediction: Array) -> Array:
        """Return the locations m of Eq. W2."""
        prediction = np.ascontiguousarray(prediction, float)
        with np.errstate(all="ignore"):
            return np.log(prediction) if self.error.is_log else prediction

    def weights(self, prediction: Array) -> tuple[Array, Array]:
        """Return the derivative by m and its information: Eq. W5 and W6, or W8 below the limit."""
        nu = self.error.degrees
        below, used = _flags(self)
        with np.errstate(all="ignore"):
            r, sd, slope = self._residual(prediction[:, None])
            r, sd, slope = r[:, 0], sd[:, 0], slope[:, 0]
            w = _weight(r, nu)
            score = w * r / sd + (w * r * r - 1.0) * slope / sd
            location, scale = (
                (1.0, 2.0) if np.isinf(nu) else ((nu + 1) / (nu + 3), 2 * nu / (nu + 3))
            )
            information = location / (sd * sd) + scale * (slope / sd) ** 2
            hazard = np.exp(_log_density(r, nu) - _log_cdf(r, nu))
            moved = -(1.0 + r * slope) / sd
            curvature = hazard * np.maximum(hazard + w * r, hazard / (nu + 1.0))
            score = np.where(below, hazard * moved, score)
            information = np.where(below, curvature * moved * moved, information)
        known = used & np.isfinite(score) & np.isfinite(information)
        return np.where(known, score, 0.0), np.where(known, information, 0.0)

    def _residual(self, prediction: Array) -> tuple[Array, Array, Array]:
        """Standardized residual, its standard deviation, and the derivative of this by m."""
        location = np.where(_flags(self)[1][:, None], self.rows(prediction), 0.0)
        sd, slope = self.error.sd(location)
        return (self.observed[:, None] - location) / sd, sd, slope


def _flags(measured: Measured) -> tuple[Flags, Flags]:
    """The flags, which are arrays after the check."""
    assert measured.is_below is not None
    assert measured.is_used is not None
    return measured.is_below, measured.is_used


@dataclasses.dataclass(frozen=True)
class Together:
    """Independent data given the draws; their predictions follow one another.

    Args:
        parts: Likelihoods of the same patients.
    """

    parts: tuple[Likelihood, ...]

    @property
    def width(self) -> int:
        """Number of predictions of a simulation."""
        return sum(part.width for part in self.parts)

    def log_likelihood(self, prediction: Array) -> Array:
        """Return the sum of the log-likelihoods (patient, simulation)."""
        total = np.zeros(prediction.shape[:-1])
        for part, own in self._split(prediction):
            total = total + part.log_likelihood(own)
        return total

    def rows(self, prediction: Array) -> Array:
        """Return the rows of all parts (patient, simulation, row)."""
        return np.concatenate([part.rows(own) for part, own in self._split(prediction)], axis=-1)

    def weights(self, prediction: Array) -> tuple[Array, Array]:
        """Return the weights of all parts (patient, row)."""
        found = [part.weights(own) for part, own in self._split(prediction)]
        score, information = zip(*found, strict=True)
        return np.concatenate(score, axis=-1), np.concatenate(information, axis=-1)

    def _split(self, prediction: Array) -> list[tuple[Likelihood, Array]]:
        ends = np.cumsum([part.width for part in self.parts])
        return list(zip(self.parts, np.split(prediction, ends[:-1], axis=-1), strict=True))


def _weight(r: Array, nu: float) -> Array:
    return np.ones_like(r) if np.isinf(nu) else (nu + 1.0) / (nu + r * r)


def _log_density(r: Array, nu: float) -> Array:
    if np.isinf(nu):
        return -0.5 * (r * r + np.log(2.0 * np.pi))
    constant = gammaln(0.5 * (nu + 1.0)) - gammaln(0.5 * nu) - 0.5 * np.log(nu * np.pi)
    return constant - 0.5 * (nu + 1.0) * np.log1p(r * r / nu)


def _log_cdf(r: Array, nu: float) -> Array:
    return log_ndtr(r) if np.isinf(nu) else np.log(stdtr(nu, r))
