"""Random numbers of a patient, from the seed and the patient id only.

Numbers come from the generator of the virtual population (`qsp.populations.threefry`), with keys
for the seed, the patient, the purpose and the step, so that they do not depend on the batch or on
the number of steps.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from qsp.populations import threefry
from qsp.populations.draws import check_ids, purpose

Array = NDArray[np.float64]


class RandomNumbers:
    """Random numbers of the patients for one purpose.

    Args:
        seed: Whole number from 0 to 2**64 - 1.
        ids: Patient ids (patient,), whole numbers from 0 to 2**32 - 1.
        name: Purpose.

    Raises:
        ConfigError: If a patient id is invalid or given twice.
    """

    def __init__(self, seed: int, ids: NDArray[np.int64], name: str) -> None:
        keys = threefry.fold_in(threefry.key(seed), check_ids(ids).astype(np.uint32))
        self._keys = threefry.fold_in(keys, np.array(purpose(name), np.uint32))

    def uniforms(self, step: int, *shape: int) -> Array:
        """Return numbers between 0 and 1, both excluded (patient, *shape).

        Args:
            step: Number of the step.
            *shape: Shape for each patient.
        """
        keys = threefry.fold_in(self._keys, np.array(step, np.uint32))
        numbers = np.arange(int(np.prod(shape)), dtype=np.uint32)
        bits = threefry.bits(threefry.fold_in((keys[0][:, None], keys[1][:, None]), numbers))
        found = ((bits >> np.uint64(11)).astype(float) + 0.5) * 2.0**-53
        return found.reshape(len(keys[0]), *shape)

    def normals(self, step: int, *shape: int) -> Array:
        """Return standard normal numbers (patient, *shape).

        Args:
            step: Number of the step.
            *shape: Shape for each patient.
        """
        return ndtri(self.uniforms(step, *shape))
