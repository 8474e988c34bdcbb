"""A run in blocks of patients writes the same file as a run in one piece."""

import dataclasses
import gc
import importlib
import os
import weakref
from pathlib import Path

import equinox as eqx
import numpy as np
import pytest
import xarray as xr

from qsp import run as runs
from qsp.errors import SolveError
from qsp.results import trajectories
from qsp.run import Prepared, folder, prepare
from tests.run.conftest import CONFIGS, call

OPEN = Path("/proc/self/fd")
IN_FOUR_PARTS = 2
NO_PATIENT = "no patient could be simulated: all simulations failed"


@pytest.mark.parametrize(
    "kept",
    [pytest.param("trajectories.patients=3", marks=pytest.mark.slow), "trajectories.patients=6"],
)
def test_blocks_leave_the_same_results(kept, small_config, tmp_path, no_figures):
    found = []
    for block in (10_000, 4):
        prepared = prepare(runs.Request(small_config, ["patients=9", kept]))
        assert len(prepared.in_blocks(block)) == (1 if block > 9 else 3)
        out = tmp_path / str(block)
        runs.run_into(out, prepared, block=block)
        found.append(runs.read(out))
        assert (out / "report.html").is_file()
    whole, parts = (tree.to_dataset() for tree in found)
    for name in whole.variables:
        assert whole[name].identical(parts[name]), name
    assert whole.attrs.keys() == parts.attrs.keys()
    described = [tree["parameters"].to_dataset() for tree in found]
    assert described[0]["t_cells.k_act"].sizes == {"patient": 9}
    assert described[0].identical(described[1])
    stored = [trajectories(tree) for tree in found]
    assert stored[0] is not None
    assert stored[0].equals(stored[1])


def test_progress_of_blocks_is_that_of_one_run(small_config, tmp_path, no_report):
    reported = []

    class Recorder:
        def compiled(self, seconds):
            reported.append("compiled")

        def start(self, sims):
            reported.append(("start", sims))

        def advance(self, sims):
            reported.append(sims)

    prepared = prepare(runs.Request(small_config, ["patients=9", "trajectories.patients=1"]))
    runs.run_into(tmp_path / "run", prepared, progress=Recorder(), block=4)
    assert reported[:2] == ["compiled", ("start", 18)]
    assert sum(reported[2:]) == 18


def test_a_block_is_freed_before_the_next_is_simulated(
    small_config, tmp_path, monkeypatch, no_report
):
    """One block is in memory, for any number of blocks."""
    module = importlib.import_module("qsp.run.runs")
    simulate, freed = module.run, []

    def simulated(part, *arguments, **options):
        gc.collect()
        assert all(one() is None for one in freed)
        results = simulate(part, *arguments, **options)
        # Both hold arrays of every patient of the block.
        freed.extend([weakref.ref(part.cohort), weakref.ref(results["il6_peak"].variable.values)])
        return results

    monkeypatch.setattr(module, "run", simulated)
    prepared = prepare(runs.Request(small_config, ["patients=9", "trajectories.patients=1"]))
    runs.run_into(tmp_path / "out", prepared, block=4)
    assert len(freed) == 6


def test_patients_with_individual_doses_stay_together():
    """The trial begins with the earliest dose of any of them."""
    config = CONFIGS / "mosunetuzumab_dose_table.toml"
    who = CONFIGS / "mosunetuzumab_dose_table_patients.csv"
    prepared = prepare(runs.Request(config, covariates=who))
    assert len(prepared.ids) > 2
    assert len(prepared.in_blocks(2)) == 1


@pytest.fixture
def some_impossible(tmp_path):
    """A normal law of the peripheral volume, which makes some volumes negative."""
    law = 'value = "6.17 L", distribution = "normal", sd = "20 L", status = "assumed"'
    path = tmp_path / "mine.toml"
    path.write_text(f"[disposition]\nV2 = {{ {law} }}\n")
    return path


def _no_reading(*_, **__):
    pytest.fail("results that are in memory were read from their file")


def test_results_of_one_block_are_returned_from_memory(
    small_config, some_impossible, tmp_path, monkeypatch
):
    monkeypatch.setattr(xr, "open_datatree", _no_reading)
    words = ["patients=9", "trajectories.patients=6"]
    prepared = prepare(runs.Request(small_config, words, parameters=some_impossible))
    out = tmp_path / "run"
    returned = runs.run_into(out, prepared)
    monkeypatch.undo()
    stored = runs.read(out)
    assert _decoded(returned).equals(_decoded(stored))
    assert returned["trajectories"].to_dataset().equals(stored["trajectories"].to_dataset())
    page, table = runs.write_report(stored, _folder(tmp_path / "again"))
    assert page.read_text() == (out / page.name).read_text()
    assert table.read_text() == (out / table.name).read_text()


def _decoded(results):
    """Results with NaN for missing codes, as in a file; in memory they are -1."""
    ds = results.to_dataset()
    codes = [name for name in ds if ds[name].encoding.get("_FillValue") == -1]
    return ds.assign({name: ds[name].where(ds[name] >= 0) for name in codes})


def _folder(path):
    path.mkdir()
    return path


def test_results_of_several_blocks_are_read_from_the_final_folder(
    small_config, tmp_path, monkeypatch, no_figures
):
    monkeypatch.setattr("qsp.results.netcdf.LARGE", 0)
    prepared = prepare(runs.Request(small_config))
    with runs.run_into(tmp_path / "run", prepared, block=IN_FOUR_PARTS) as results:
        assert not results["il6_peak"].variable._in_memory
        assert np.isfinite(results["il6_peak"].sel(dose_period=1).values).all()
        assert _open_below(tmp_path) <= {tmp_path / "run" / folder.RESULTS}
    assert not _open_below(tmp_path)


def _open_below(top):
    """Files that this process has open; none where the system does not list them."""
    handles = list(OPEN.iterdir()) if OPEN.is_dir() else []
    paths = {Path(os.readlink(handle)) for handle in handles if handle.is_symlink()}
    return {path for path in paths if path.is_relative_to(top)}


@pytest.mark.parametrize("large", [0, 10**9], ids=["lazy", "in memory"])
def test_command_of_several_blocks_prints_tables_and_leaves_no_file_open(
    large, small_config, small_run, tmp_path, monkeypatch, no_figures
):
    in_blocks = Prepared.in_blocks
    monkeypatch.setattr(Prepared, "in_blocks", lambda run, *_: in_blocks(run, IN_FOUR_PARTS))
    monkeypatch.setattr("qsp.results.netcdf.LARGE", large)
    monkeypatch.setattr("qsp.run.read", _no_reading)
    done = call("run", small_config, "--out", tmp_path / "run", "--no-cache")
    assert done.code == 0, done.err
    assert _tables(done) == _tables(small_run[1])
    assert not _open_below(tmp_path)


def _tables(done):
    """Output between the time of compilation and the folder of the run."""
    tables = done.out[done.out.index("\n") : done.out.index("Report:")]
    assert "Best response" in tables
    return tables


def test_command_of_one_block_reads_no_file(small_config, tmp_path, monkeypatch, no_figures):
    monkeypatch.setattr(xr, "open_datatree", _no_reading)
    done = call("run", small_config, "--out", tmp_path / "run", "--no-cache", "--quiet")
    assert done.code == 0, done.err


def test_a_block_in_which_every_patient_fails_is_data(
    small_config, some_impossible, tmp_path, no_report
):
    words = ["patients=9", "trajectories.patients=6"]
    prepared = prepare(runs.Request(small_config, words, parameters=some_impossible))
    whole = runs.run_into(tmp_path / "whole", prepared)
    parts = runs.run_into(tmp_path / "parts", prepared, block=1)
    failed = (parts["outcome"] != 0).all("arm")
    assert 0 < int(failed.sum()) < failed.size
    assert _decoded(parts).equals(_decoded(whole))


def test_a_run_in_which_every_block_fails_is_refused(small_config, tmp_path, monkeypatch):
    cohort = Prepared.cohort.func

    def sick(prepared):
        """Patients of whom no step of the solver gives a number."""
        of = cohort(prepared)
        where = lambda arms: [p.model.disposition.V2 for p in arms]  # noqa: E731
        none = [np.full_like(volume, np.nan) for volume in where(of.parameters)]
        return dataclasses.replace(of, parameters=eqx.tree_at(where, of.parameters, none))

    monkeypatch.setattr(Prepared, "cohort", property(sick))
    hopeless = prepare(runs.Request(small_config))
    with pytest.raises(SolveError, match=NO_PATIENT):
        runs.run(hopeless)
    for block in (IN_FOUR_PARTS, 10_000):
        with pytest.raises(SolveError, match=NO_PATIENT):
            runs.run_into(tmp_path / "run", hopeless, block=block)
    assert list(tmp_path.iterdir()) == []
