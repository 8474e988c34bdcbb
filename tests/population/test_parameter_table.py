"""Parameter tables built from files, and the parameters of the system derived from them."""

import tomllib
from pathlib import Path

import jax
import numpy as np
import pytest

from qsp import molecules, system
from qsp.errors import ConfigError, PopulationError
from qsp.molecules import parameter_file
from qsp.populations import nominal, physiology, to_parameters, user_file
from qsp.populations.derived import ABSENT, complete
from qsp.populations.paths import declared, fields
from qsp.units import declarations

LN2 = np.log(2.0)
PACKAGE = Path(system.__file__).parent
PHYSIOLOGY = PACKAGE / "model" / "physiology.toml"
MOSUNETUZUMAB = PACKAGE / "molecules" / "mosunetuzumab.toml"


def written(file: Path, path: str) -> str:
    """Text of a value in a file, with its unit; tuned values change with the tuning."""
    table, name = path.split(".")
    return tomllib.loads(file.read_text(encoding="utf-8"))[table][name]["value"]


def user_values(text: str, tmp_path):
    (tmp_path / "mine.toml").write_text(text, encoding="utf-8")
    return user_file(tmp_path / "mine.toml")


def test_every_leaf_is_float64_with_the_axes_of_its_field(table):
    parameters = table.nominal()
    assert isinstance(parameters, system.Parameters)
    sizes = {"tissue": 4, "kind": 3, "cytokine": 6, "grade": 4, "lesion": 6}
    for item in declarations(system.Parameters):
        leaf = parameters
        for name in item.path.split("."):
            leaf = getattr(leaf, name)
        assert leaf.dtype == np.float64
        assert leaf.shape == tuple(sizes[axis] for axis in item.dims)
        assert np.isfinite(leaf).all()


def test_paths_are_the_declared_elements():
    count = {"tissue": 4, "kind": 3, "cytokine": 6, "grade": 4, "lesion": 6}
    total = sum(int(np.prod([count[axis] for axis in axes])) for axes in fields().values())
    assert len(declared()) == total
    assert declared()["traffic.k_exit.lymphoid"].unit == "1/day"
    assert declared()["supportive.tocilizumab.CL"].unit == "L/day"


def test_nominal_mosunetuzumab(mosunetuzumab):
    p = mosunetuzumab.nominal().model
    assert p.disposition.CL_base == 1.08
    assert p.binding.KD_target == 70.0
    assert p.synapse.alpha == float(written(MOSUNETUZUMAB, "synapse.alpha"))
    k_act, ca50 = written(PHYSIOLOGY, "t_cells.k_act"), written(PHYSIOLOGY, "release.CA50")
    np.testing.assert_allclose(p.t_cells.k_act, 24 * float(k_act.removesuffix(" 1/hour")))
    np.testing.assert_allclose(p.release.CA50, float(ca50.removesuffix(" Mcell*hour")) / 24)
    np.testing.assert_allclose(p.release.k_transit, 1.2 * 24)
    np.testing.assert_allclose(p.cytokines.k_loss[2], LN2 * 24, rtol=1e-4)
    np.testing.assert_allclose(p.traffic.k_exit, [0, 3.6, 0.048, 0.096])
    np.testing.assert_allclose(p.targets.baseline[0], [500, 30000, 0, 0])
    np.testing.assert_allclose(p.binding.copies_target[0], [1e5, 1e5, 0, 0])
    np.testing.assert_allclose(p.binding.copies_target[1:, 2], [30000, 900])


def test_derived_values(mosunetuzumab):
    p = mosunetuzumab.nominal().model
    np.testing.assert_allclose(p.tissues.volume[2], 0.24 * 0.05 + 1e-3)
    np.testing.assert_allclose(p.targets.baseline[1:, 2], [49500, 500])
    np.testing.assert_allclose(p.targets.blood_ratio[0], [0, 500 / 30000, 0, 0])
    np.testing.assert_allclose(p.release.IL10_50, 5 * p.cytokines.IL10_50)
    np.testing.assert_allclose(p.binding.density_per_concentration, 9.03e-3)
    np.testing.assert_allclose(p.binding.amount_per_copy, 1 / 6.022e8)
    np.testing.assert_allclose(p.engagement.k_kill[2, 2], 0.1 * p.engagement.k_kill[1, 2])
    np.testing.assert_allclose(p.targets.k_growth[1:, 2], 0.025)


def test_mechanistic_clearance_is_constant(tebentafusp):
    p = tebentafusp.nominal().model
    assert p.disposition.CL_base == p.disposition.CL_ss == 12.5
    assert p.disposition.lost_on_death == 1
    assert p.binding.k_int_CD3 > 0


def test_time_varying_clearance_has_no_internalization(mosunetuzumab):
    p = mosunetuzumab.nominal().model
    assert p.binding.k_int_CD3 == p.binding.k_int_target == 0
    assert p.disposition.CL_base > p.disposition.CL_ss
    assert p.disposition.lost_on_death == 0


def test_skin_targets_of_tebentafusp(tebentafusp):
    p = tebentafusp.nominal().model
    np.testing.assert_allclose(p.targets.baseline[0], [0, 0, 0, 2000])
    np.testing.assert_allclose(p.binding.copies_target[0], [0, 0, 0, 40])
    np.testing.assert_allclose(p.disposition.k_exchange[3], 0.2 * 24)
    np.testing.assert_allclose(p.binding.area_target[0, 3], 800)


def test_population_uses_the_antigen_of_the_molecule(blinatumomab, mosunetuzumab):
    p = blinatumomab.nominal().model
    np.testing.assert_allclose(p.binding.copies_target[0], [25000, 25000, 0, 0])
    assert not [path for path in blinatumomab.rows if "CD20" in path]
    assert not [path for path in mosunetuzumab.rows if "CD19" in path]


def test_extended_population_replaces_and_inherits_values(blinatumomab):
    values = blinatumomab.values
    assert values["targets.baseline.normal.blood"] == 1000
    assert values["t_cells.baseline.blood"] == 2500
    assert values["t_cells.baseline.lymphoid"] == 150000
    assert blinatumomab.mixtures == ()


def test_value_in_a_file_is_not_derived(mosunetuzumab):
    values = mosunetuzumab.values | {"tissues.volume.tumor": np.asarray(0.35)}
    assert mosunetuzumab.complete(values)["tissues.volume.tumor"] == 0.35


def test_blood_ratio_is_zero_without_targets(mosunetuzumab):
    no_targets = {f"targets.baseline.normal.{tissue}": 0.0 for tissue in ("blood", "lymphoid")}
    p = to_parameters(mosunetuzumab.complete(mosunetuzumab.values | no_targets)).model
    assert np.isfinite(p.targets.blood_ratio).all()
    assert p.targets.blood_ratio.max() == 0


def test_soluble_target_of_an_antigen(mosunetuzumab):
    soluble = {
        "antigens.CD20.soluble.blood": 8.3,
        "antigens.CD20.k_soluble": 0.4,
    }
    p = to_parameters(mosunetuzumab.complete(mosunetuzumab.values | soluble)).model
    np.testing.assert_allclose(p.disposition.soluble_target, [8.3, 0, 0, 0])
    assert p.disposition.k_soluble == 0.4


def test_default_values_are_of_declared_parameters():
    known = {*declared(), *fields()}
    assert set(ABSENT) <= known


def test_parameters_of_many_patients_have_a_leading_axis(mosunetuzumab):
    values = mosunetuzumab.values | {"disposition.V1": np.array([4.0, 5.0, 6.0])}
    p = to_parameters(mosunetuzumab.complete(values))
    assert {leaf.shape[0] for leaf in jax.tree.leaves(p)} == {3}
    np.testing.assert_array_equal(p.model.disposition.V1, [4.0, 5.0, 6.0])
    assert p.model.targets.baseline.shape == (3, 3, 4)


def test_user_value_overrides_and_inherits_the_spread(mosunetuzumab, tmp_path):
    text = '[disposition]\nV1 = "4 L"\nV2 = { value = "7 L", cv = "0 %" }\n'
    file = user_values(text, tmp_path)
    table = nominal(mosunetuzumab.molecule, mosunetuzumab.cohort, [file])
    assert table.values["disposition.V1"] == 4.0
    assert table.rows["disposition.V1"].law.sd == mosunetuzumab.rows["disposition.V1"].law.sd
    assert len(table.rows["disposition.V1"].covariates) == 2
    assert table.rows["disposition.V2"].law.sd == 0.0
    assert table.rows["disposition.V1"].entry.status == "user"


def test_user_value_applies_to_all_components_of_a_mixture(mosunetuzumab, tmp_path):
    file = user_values('[targets.baseline.normal]\nblood = "900 Mcell"\n', tmp_path)
    table = nominal(mosunetuzumab.molecule, mosunetuzumab.cohort, [file])
    assert set(table.mixtures[0].laws) == {"targets.baseline.normal.lymphoid"}


def test_error_for_an_unknown_path_suggests_a_similar_one(mosunetuzumab, tmp_path):
    file = user_values('[traffic.k_exit]\nlymphiod = "1 1/day"\n', tmp_path)
    with pytest.raises(ConfigError, match=r"traffic\.k_exit\.lymphoid"):
        nominal(mosunetuzumab.molecule, mosunetuzumab.cohort, [file])


def test_error_names_a_missing_value(mosunetuzumab):
    values = {k: v for k, v in mosunetuzumab.values.items() if k != "disposition.V1"}
    with pytest.raises(PopulationError, match=r"disposition\.V1 must be given"):
        mosunetuzumab.complete(values)


def test_error_if_a_population_lacks_the_antigen_of_the_molecule(tebentafusp, mosunetuzumab):
    with pytest.raises(PopulationError, match="antigens must include gp100"):
        nominal(tebentafusp.molecule, mosunetuzumab.cohort)


def test_physiology_alone_is_incomplete():
    values = {path: 1.0 for path in physiology().entries}
    with pytest.raises(PopulationError, match="and .* more"):
        complete(values, target="CD20", clearance="time_varying", where="test")


def test_report_lists_values_of_files_and_derived_values(table):
    rows = {row.path: row for row in table.report()}
    assert set(table.rows) <= set(rows)
    assert rows["tissues.volume.tumor"].status == "derived"
    assert rows["traffic.k_exit.lymphoid"].spread.startswith("log-normal, CV 40 %")
    assert {row.status for row in rows.values()} == {"published", "assumed", "tuned", "derived"}


def test_unknown_entry_is_an_error(mosunetuzumab):
    table = {"disposition": {"V3": {"value": "1 L", "status": "assumed"}}}
    file = parameter_file(table, "mine.toml")
    with pytest.raises(ConfigError, match=r"disposition\.V3 must be the path of a parameter"):
        nominal(mosunetuzumab.molecule, mosunetuzumab.cohort, [file])


def test_error_for_an_unknown_molecule_suggests_a_similar_one():
    assert {"mosunetuzumab", "tebentafusp", "blinatumomab"} <= set(molecules.names())
    with pytest.raises(ConfigError, match="Did you mean 'mosunetuzumab'"):
        molecules.load("mosunetuzumap")
