"""`qsp escalate` on the folder of a run, whose arms are the levels."""

import dataclasses
import io
import json
import typing

import numpy as np
import pytest
from rich.console import Console

from qsp.cli import escalation
from qsp.designs import BOIN
from qsp.results import save
from qsp.run import folder
from qsp.run.progress_bar import ProgressBar
from tests import synthetic
from tests.run.conftest import call


@pytest.fixture(scope="module")
def out(tmp_path_factory):
    """Two levels: one patient in ten has grade 3 at the first, and six in ten at the second."""
    import xarray as xr

    ds = synthetic.lively(200, arms=("low", "high"))
    grade = np.zeros(ds["crs_grade"].shape)
    grade[0, :20], grade[1, :120] = 3, 3
    ds = synthetic.put(ds, crs_grade=grade, outcome=np.zeros(ds["outcome"].shape))
    home = tmp_path_factory.mktemp("escalation")
    save(xr.DataTree(ds), home / folder.RESULTS)
    return home


def test_the_level_below_the_target_is_selected(out):
    done = call("escalate", out, "--target", "0.25", "--replicates", "400")
    assert done.code == 0, done.err
    rows = {line.split()[0]: line.split() for line in done.out.splitlines() if line.strip()}
    assert rows["low"][1:3] == ["10.0", "(6.6–14.9)"]
    assert rows["high"][1:3] == ["60.0", "(53.1–66.5)"]
    assert float(rows["low"][3]) > 85.0


def test_programs_read_the_same_numbers(out):
    words = ("escalate", out, "--target", "0.25", "--replicates", "400")
    low, high, none = json.loads(call(*words, "--json").out)
    assert (low["level"], high["level"], none["level"]) == ("low", "high", None)
    assert (low["dlt_rate"], high["dlt_rate"], none["dlt_rate"]) == (0.1, 0.6, None)
    assert low["selected"] + high["selected"] + none["selected"] == pytest.approx(1.0)
    assert low["patients"] + high["patients"] == pytest.approx(low["trial_size"])
    assert f"{100 * low['selected']:.1f} ±" in call(*words).out


def test_an_unknown_design_is_refused(out):
    done = call("escalate", out, "--design", "4+4")
    assert done.code == 2
    assert "boin" in done.err


def test_a_missing_target_is_reported_with_a_remedy(out):
    done = call("escalate", out)
    assert done.code == 2
    assert done.err.strip() == (
        "qsp: design boin: target must be set, but is missing. Write --target 0.25 for a target "
        "rate of dose-limiting toxicity of 25 %, or use --design 3+3, which has no target."
    )


def test_an_option_of_another_design_is_named_as_the_user_wrote_it(out):
    done = call("escalate", out, "--design", "3+3", "--cohort", "4")
    assert done.code == 2
    assert "cohort_size must not be set, but is 4. Remove --cohort." in done.err


def test_the_heading_describes_the_design(out):
    done = call("escalate", out, "--target", "0.25", "--replicates", "40", "--stop-at", "9")
    text = " ".join(done.out.split())
    assert "BOIN, target 25 %, cohorts of 3, at most 30 patients, ends at 9 at a level: 40" in text
    assert "BOIN(" not in text
    assert "None" not in text


def test_help_shows_the_defaults_of_the_design():
    """The help repeats the defaults of the dataclass."""
    options = typing.get_type_hints(escalation.escalate, include_extras=True)
    defaults = {field.name: field.default for field in dataclasses.fields(BOIN)}
    for name, field in {"largest": "largest", "cohort": "cohort_size"}.items():
        (option,) = options[name].__metadata__
        assert option.show_default == str(defaults[field])
    text = " ".join(call("escalate", "--help").out.split())
    for default in ("(30)", "(3)", "(no limit)", "(whole trial)"):
        assert f"[default: {default}]" in text


@pytest.mark.parametrize("is_terminal", [True, False])
def test_progress_is_shown_only_on_a_terminal(out, is_terminal):
    console = Console(file=io.StringIO(), force_terminal=is_terminal, width=80)
    with ProgressBar(console, "trials", "reading") as progress:
        progress.start(40)
        progress.advance(30)
    shown = console.file.getvalue()
    assert ("trials" in shown and "30/40" in shown) == is_terminal
    assert is_terminal or not shown.strip()
