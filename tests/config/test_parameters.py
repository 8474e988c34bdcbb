"""Parameter values in a config: the same as a user file."""

import numpy as np
import pytest

from qsp import molecules, shipped
from qsp.config import load
from qsp.errors import ConfigError
from qsp.populations import nominal, read_cohort, sample, user_file
from tests.config.valid_input import CONFIG


def table_of(overrides):
    cohort = read_cohort(shipped.find("populations", "nhl"))
    return nominal(molecules.load("mosunetuzumab"), cohort, overrides)


def sampled(overrides):
    return sample(table_of(overrides), np.arange(20), seed=1, periods=1).sampled


@pytest.mark.parametrize(
    "text",
    [
        '[parameters]\n"t_cells.k_AX" = "0.075 1/hour"\n',
        '[parameters.t_cells]\nk_AX = { value = "0.075 1/hour" }\n',
        '[parameters]\n"t_cells.k_AX" = { scale = 0.5 }\n',
    ],
)
def test_values_of_a_config_are_those_of_a_file(text, write, tmp_path):
    plain = sampled(())
    halved = sampled(load(write(CONFIG + text)).parameter_files)
    assert table_of(()).rows["t_cells.k_AX"].value == pytest.approx(3.6)
    np.testing.assert_allclose(halved["t_cells.k_AX"], plain["t_cells.k_AX"] / 2, rtol=1e-12)
    (tmp_path / "mine.toml").write_text('[t_cells]\nk_AX = "0.075 1/hour"\n')
    own = sampled([user_file(tmp_path / "mine.toml")])
    for path in plain:
        np.testing.assert_allclose(own[path], halved[path], rtol=1e-12, err_msg=path)


def test_scale_multiplies_values_that_have_a_mixture_or_bounds(write):
    plain = table_of(())
    varying = [path for path, row in plain.rows.items() if row.has_draw]
    assert {"tumor.cells", "tumor.antigen_low"} < set(varying)
    before = sampled(())
    for path in varying:
        text = f'[parameters]\n"{path}" = {{ scale = 0.5 }}\n'
        scaled = sampled(load(write(CONFIG + text)).parameter_files)
        np.testing.assert_allclose(scaled[path], before[path] / 2, rtol=1e-12, err_msg=path)


def test_last_value_wins_and_factors_multiply(write):
    path = "t_cells.k_AX"
    files = [
        *load(write(CONFIG + f'[parameters]\n"{path}" = {{ scale = 0.5 }}\n')).parameter_files,
        *load(write(CONFIG + f'[parameters]\n"{path}" = {{ scale = 3 }}\n')).parameter_files,
    ]
    assert table_of(files).rows[path].value == pytest.approx(3.6 * 1.5)
    files += load(write(CONFIG + f'[parameters]\n"{path}" = "1 1/day"\n')).parameter_files
    assert table_of(files).rows[path].value == 1.0


def test_override_sets_a_parameter(write):
    config = load(write(CONFIG), ["parameters.t_cells.k_AX=0.48 1/hour"])
    assert table_of(config.parameter_files).rows["t_cells.k_AX"].value == pytest.approx(11.52)


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ("1.2", "value must be text in quotes, but is 1.2"),
        ("{ scale = -1 }", "scale must be a number of 0 or more, but is -1"),
        ('{ scale = 2, cv = "10 %" }', "scale must be alone in an entry without a value"),
        ('{ value = "1 1/day", keep_spread = "no" }', "keep_spread must be true or false"),
        ('{ value = "1 1/day", keep_spread = false, cv = "1 %" }', "must be absent with cv"),
    ],
)
def test_malformed_entry_is_refused(entry, message, write):
    with pytest.raises(ConfigError, match=f"trial.toml: parameters: t_cells.k_AX: .*{message}"):
        load(write(CONFIG + f'[parameters]\n"t_cells.k_AX" = {entry}\n'))


def test_scale_without_a_value_to_scale_is_refused(write):
    config = load(write(CONFIG + '[parameters]\n"binding.k_int_CD3" = { scale = 2 }\n'))
    with pytest.raises(ConfigError, match="scale must apply to a value in an earlier file"):
        table_of(config.parameter_files)
