"""Drug concentrations in mass units, by the molecular weight that results record."""

import numpy as np
import pytest
import xarray as xr

from qsp.errors import ConfigError
from qsp.results import mass_concentration, with_mass_units
from tests import synthetic


@pytest.mark.parametrize(
    ("name", "units"),
    [("drug_central", "ug/mL"), ("cmax", "ug/mL"), ("ctrough", "ug/mL"), ("auc", "ug*day/mL")],
)
def test_a_concentration_in_mass_is_the_molar_one_times_the_weight(name, units):
    ds = synthetic.neutral()
    found = mass_concentration(with_mass_units(ds, 146.0), name)
    np.testing.assert_allclose(found, 0.146 * ds[name], rtol=1e-14)
    assert found.attrs == ds[name].attrs | {"units": units}


def test_the_attributes_give_the_same_conversion():
    ds = with_mass_units(synthetic.neutral(), 146.0)
    values, attrs = ds["cmax"], ds["cmax"].attrs
    assert (attrs["units"], attrs["mass_units"]) == ("nmol/L", "ug/mL")
    xr.testing.assert_allclose(values * attrs["mass_per_molar"], mass_concentration(ds, "cmax"))
    assert "mass_units" not in ds["il6_peak"].attrs


def test_stored_trajectories_of_some_patients_have_the_attributes_too():
    ds = synthetic.neutral()
    group = xr.DataTree(ds[["drug_central"]].drop_vars("patient").rename(patient="patient_traj"))
    tree = xr.DataTree(ds.drop_vars("drug_central"), children={"trajectories": group})
    found = with_mass_units(tree, 146.0)
    assert found["trajectories/drug_central"].attrs["mass_per_molar"] == 0.146
    assert found["auc"].attrs["mass_units"] == "ug*day/mL"


@pytest.mark.parametrize("name", ["il6_peak", "nothing"])
def test_other_variables_have_no_concentration_in_mass(name):
    with pytest.raises(ConfigError, match="drug concentration"):
        mass_concentration(synthetic.neutral(), name)
