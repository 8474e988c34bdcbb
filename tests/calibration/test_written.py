"""Fitted values in parameter files: the value changes, and the spread stays."""

import pytest

from qsp.calibration.written import rounded, with_values
from qsp.errors import ConfigError

TEXT = """title = "x"

[synapse]
alpha = { value = "1e-3", status = "assumed", cv = "80 %", note = "prior" }

[cytokines]
p_IL6 = { value = "10 pg/mL/hour", source = "A2020", status = "published" }
"""


def test_values_replace_those_of_the_file():
    new = with_values(
        TEXT,
        {"synapse.alpha": "2e-3", "cytokines.p_IL6": "20 pg/mL/hour"},
        note="scripts/tune",
        where="x.toml",
    )
    assert new.splitlines()[3] == (
        'alpha = { value = "2e-3", status = "tuned", cv = "80 %", note = "scripts/tune" }'
    )
    assert new.splitlines()[6] == (
        'p_IL6 = { value = "20 pg/mL/hour", status = "tuned", note = "scripts/tune" }'
    )
    assert new.splitlines()[:3] == TEXT.splitlines()[:3]


def test_a_value_without_an_entry_is_refused():
    with pytest.raises(ConfigError, match="synapse.hill_act"):
        with_values(TEXT, {"synapse.hill_act": "1"}, note="", where="x.toml")


def test_rounding_keeps_three_digits():
    assert [rounded(v) for v in (0.00123456, 1234.56, 0.5)] == ["0.00123", "1230", "0.5"]
