"""Settings of the process that a call changes for a time."""

import gc
import importlib.util
import json
import sys

import pytest

from qsp.process import GC_THRESHOLD, fewer_collections, without


@pytest.fixture
def defaults():
    before = gc.get_threshold()
    gc.set_threshold(700, 10, 10)
    yield (700, 10, 10)
    gc.set_threshold(*before)


def test_collections_are_fewer_within_the_block(defaults):
    with fewer_collections():
        assert gc.get_threshold()[0] == GC_THRESHOLD
    assert gc.get_threshold() == defaults


def test_overlapping_blocks_restore_the_settings(defaults):
    """As in two threads, of which the first ends first."""
    first, second = fewer_collections(), fewer_collections()
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    second.__exit__(None, None, None)
    assert gc.get_threshold() == defaults


@pytest.mark.parametrize("setting", [0, 2 * GC_THRESHOLD])
def test_a_process_with_fewer_collections_is_left_unchanged(defaults, setting):
    gc.set_threshold(setting, 10, 10)
    with fewer_collections():
        assert gc.get_threshold() == (setting, 10, 10)
    assert gc.get_threshold() == (setting, 10, 10)


def test_a_hidden_package_cannot_be_found_or_imported(monkeypatch):
    monkeypatch.setitem(sys.modules, "antigravity", None)  # restored after the test
    monkeypatch.delitem(sys.modules, "antigravity")
    without("antigravity")
    assert importlib.util.find_spec("antigravity") is None
    with pytest.raises(ImportError):
        importlib.import_module("antigravity")


def test_a_package_that_is_imported_is_not_hidden():
    without("json")
    assert sys.modules["json"] is json
