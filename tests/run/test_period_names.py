"""Names of dose periods are text: other names, the same patients and the same rates."""

import jax
import numpy as np
import pytest

from qsp import run as runs
from qsp.endpoints import crs
from tests import small
from tests.run.conftest import CONFIGS


def simulated(folder, **names):
    """The small trial with other names of its dose periods."""
    text = small.config(CONFIGS.parent / "populations" / "nhl.toml", 8)
    for old, new in names.items():
        text = text.replace(f'period = "{old}"', f'period = "{new}"')
    path = folder / "trial.toml"
    path.write_text(text)
    prepared = runs.prepare(runs.Request(path, ()))
    with jax.numpy_dtype_promotion("standard"):  # as the command line runs
        return runs.run(prepared).to_dataset()


@pytest.fixture(scope="module")
def named(tmp_path_factory):
    return simulated(tmp_path_factory.mktemp("named"))


def test_other_names_change_no_number(named, tmp_path):
    other = simulated(tmp_path, SUD1="first", FD1="SUD1")
    assert set(np.unique(other["dose_label"])) == {"", "first", "SUD1"}
    for name, values in named.data_vars.items():
        if name != "dose_label":
            np.testing.assert_array_equal(other[name].values, values.values, err_msg=str(name))
    own, same = (crs.incidence(ds, by="any")["value"].values for ds in (named, other))
    np.testing.assert_array_equal(same, own)


def test_doses_under_one_name_have_the_peaks_of_doses_under_two(named, tmp_path):
    joined, divided = (ds.sel(arm="step") for ds in (simulated(tmp_path, SUD1="FD1"), named))
    assert (joined["dose_label"] != "").sum("dose_period").max() == 1
    for name in ("il6_peak", "fever_peak", "leak_peak"):
        highest = divided[name].max("dose_period")
        np.testing.assert_allclose(joined[name].max("dose_period"), highest, rtol=1e-9)
        assert (highest > 0.0).all()
    total = divided["auc"].sum("dose_period")
    np.testing.assert_allclose(joined["auc"].sum("dose_period"), total, rtol=1e-9)
