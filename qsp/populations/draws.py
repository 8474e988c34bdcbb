"""Random draws: one standard normal number for each patient and named quantity.

A draw comes from ``fold_in(fold_in(key(seed), patient), purpose)`` and depends only on the seed,
the number of the patient and the name of the quantity, so that adding a parameter or a patient
changes no other draw.
"""

from __future__ import annotations

import functools
import zlib
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from qsp.errors import ConfigError, SolveError
from qsp.populations import threefry

PATIENTS, PURPOSES = 64, 16
"""Shape of one block, fixed so that the bits do not depend on the number of patients."""


def purpose(name: str) -> int:
    """Number of a name: 31 bits of its checksum, the same in all runs and on all machines."""
    return zlib.crc32(name.encode()) & 0x7FFFFFFF


def check_ids(ids: Sequence[int] | np.ndarray) -> np.ndarray:
    """Check patient numbers and return them as an array.

    Raises:
        ConfigError: If a number is negative, too large or given twice.
    """
    numbers = np.asarray(ids)
    ok = numbers.ndim == 1 and numbers.size > 0 and np.issubdtype(numbers.dtype, np.integer)
    if not ok or numbers.min() < 0 or numbers.max() >= 2**32:
        rule = "patient ids must be whole numbers from 0 to 4294967295"
        raise ConfigError("patients", rule, _shown(numbers), "Renumber the patients")
    if len(np.unique(numbers)) < len(numbers):
        repeated = int(next(n for n in numbers if (numbers == n).sum() > 1))
        raise ConfigError("patients", "patient ids must be unique", f"{repeated} twice")
    return numbers.astype(np.int64)


def _shown(numbers: np.ndarray) -> str:
    if numbers.size == 0:
        return "none"
    return repr(numbers.min() if numbers.min() < 0 else numbers.max()) if numbers.ndim == 1 else "?"


def normals(seed: int, ids: np.ndarray, names: Sequence[str]) -> np.ndarray:
    """Standard normal draws.

    Args:
        seed: Seed of the run.
        ids: Patient numbers from `check_ids`.
        names: Names of the sampled quantities.

    Returns:
        Draws (patient, name), float64.
    """
    purposes = np.array([purpose(name) for name in names], np.uint32)
    rows = -len(ids) % PATIENTS
    columns = -len(names) % PURPOSES
    patients = np.pad(ids.astype(np.uint32), (0, rows))
    purposes = np.pad(purposes, (0, columns))
    out = np.empty((len(patients), len(purposes)))
    # Within a function that JAX traces, the draws are constants.
    with jax.ensure_compile_time_eval(), jax.enable_x64(True), jax.default_device(_cpu()):
        for i in range(0, len(patients), PATIENTS):
            keys = threefry.fold_in(threefry.key(seed), patients[i : i + PATIENTS, None])
            bits = threefry.bits(threefry.fold_in(keys, purposes))
            for j in range(0, len(purposes), PURPOSES):
                out[i : i + PATIENTS, j : j + PURPOSES] = _normal(bits[:, j : j + PURPOSES])
    return out[: len(ids), : len(names)]


@functools.cache
def _cpu() -> Any:
    """The CPU device, so that patients do not depend on the accelerator; None if JAX hides it."""
    try:
        return jax.local_devices(backend="cpu")[0]
    except RuntimeError:  # JAX is restricted to the accelerator, for example by JAX_PLATFORMS
        return None
    except AssertionError:  # JAX found no device of any platform that it is restricted to
        named = jax.config.values["jax_platforms"]
        raise SolveError(
            f"JAX has no device of JAX_PLATFORMS={named}: this machine has none, or the package of "
            "JAX for it is missing; unset JAX_PLATFORMS"
        ) from None


@jax.jit
def _normal(bits: jax.Array) -> jax.Array:
    """Standard normal numbers from random bits, as `jax.random.normal` computes them."""
    one = np.float64(1.0).view(np.uint64)
    fraction = jax.lax.bitcast_convert_type((bits >> 12) | one, jnp.float64) - 1.0
    lowest = np.nextafter(-1.0, 0.0)
    uniform = jax.lax.max(lowest, fraction * (1.0 - lowest) + lowest)
    return np.sqrt(2.0) * jax.lax.erf_inv(uniform)
