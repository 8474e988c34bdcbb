"""Bitwise comparison of two runs."""

import numpy as np

from qsp.results.netcdf import as_computed


def assert_same_bits(found, expected):
    """Check that all variables with a patient dimension are bitwise equal."""
    found, expected = (as_computed(ds.load()) for ds in (found, expected))
    names = [name for name, values in expected.variables.items() if "patient" in values.dims]
    assert len(names) > 40
    assert found["patient"].values.tolist() == expected["patient"].values.tolist()
    for name in names:
        one, other = found[name].values, expected[name].values
        if one.dtype.kind == "f":
            assert one.dtype == other.dtype, name
            assert np.array_equal(one, other, equal_nan=True), name
            assert one.tobytes() == other.tobytes() or np.isnan(other).any(), name
        else:
            assert one.tolist() == other.tolist(), name
