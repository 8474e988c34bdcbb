"""Linear predictions with normal errors, whose posterior and evidence are known."""

import dataclasses

import numpy as np
from scipy import stats

from qsp.twins.likelihood import LinearError, Measured

SD = 0.5


@dataclasses.dataclass(frozen=True)
class Linear:
    """Patients with the predictions offset + B z.

    Args:
        slopes: B (patient, observation, draw).
        value: (patient, observation).
        offset: Offset of each component of a mixture (component,).
    """

    slopes: np.ndarray
    value: np.ndarray
    offset: np.ndarray

    @classmethod
    def random(cls, seed, patients, observations, draws, offset=(0.0,)):
        random = np.random.default_rng(seed)
        slopes = random.normal(size=(patients, observations, draws))
        truth = random.normal(size=(patients, draws, 1))
        noise = SD * random.normal(size=(patients, observations))
        return cls(slopes, (slopes @ truth)[..., 0] + noise, np.array(offset))

    @property
    def measured(self):
        return Measured(self.value, LinearError(additive=SD))

    def predict(self, draws, component):
        return draws @ np.swapaxes(self.slopes, 1, 2) + self.offset[component][..., None]

    def simulate(self, draws):
        """Prediction of the first component."""
        return self.predict(draws, np.zeros(draws.shape[:2], int))

    def posterior(self):
        """Mean (patient, draw) and covariance (patient, draw, draw) with the first component."""
        transposed = np.swapaxes(self.slopes, 1, 2)
        covariance = np.linalg.inv(np.eye(self.slopes.shape[2]) + transposed @ self.slopes / SD**2)
        residual = (self.value - self.offset[0])[..., None]
        return (covariance @ transposed @ residual / SD**2)[..., 0], covariance

    def log_evidence(self):
        """Logarithm of the density of the data (patient, component)."""
        size = self.value.shape[1]
        return np.array(
            [
                [
                    stats.multivariate_normal.logpdf(
                        y, np.full(size, each), b @ b.T + SD**2 * np.eye(size)
                    )
                    for each in self.offset
                ]
                for y, b in zip(self.value, self.slopes, strict=True)
            ]
        )
