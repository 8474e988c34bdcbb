"""The page on a narrow screen, measured in headless Chromium; skipped where it is not installed."""

import importlib.machinery
import importlib.util
from pathlib import Path

import pytest

from qsp import report
from qsp.endpoints import add_best_response
from tests import synthetic
from tests.report.test_page import supplement
from tests.report.test_sections import parameters

SCRIPT = Path(__file__).resolve().parents[2] / "scripts" / "screenshots"
MOST = 1_500_000
"""Largest size of a page [byte]."""


@pytest.fixture(scope="module")
def screens():
    loader = importlib.machinery.SourceFileLoader("screenshots", str(SCRIPT))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader("screenshots", loader))
    loader.exec_module(module)
    if module.chromium() is None:
        pytest.skip("Chromium is not installed")
    return module


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    ds = synthetic.with_record(add_best_response(synthetic.lively(60)), parameters=parameters())
    long = "1/2/60/60/30/30 mg step-up with dexamethasone 20 mg one hour before each dose"
    ds = synthetic.with_record(ds, arms={"step_up": {"title": long}})
    row = {
        "path": "targets.baseline.malignant.lymphoid", "value": "1.45 1/hour", "unit": "1/day",
        "meaning": "Exchange rate of a tissue with plasma, lymphoid", "spread": "log-normal, 40 %",
        "status": "tuned", "source": "Hosseini2020", "file": "physiology.toml",
        "note": "fitted to nine molecules; with 0.3 1/hour, peaks are too late",
    }  # fmt: skip
    more = supplement(parameters=[row] * 200)
    return report.write(ds, tmp_path_factory.mktemp("page"), more)[0]


def test_page_is_smaller_than_the_limit(page):
    assert page.stat().st_size < MOST


@pytest.mark.parametrize("width", [390, 1300])
def test_page_does_not_scroll_sideways_and_clips_no_cell(screens, page, width):
    found = screens.measure(page, width)
    assert found["cells"] > 500
    assert found["width"] == width
    assert found["clipped"] == []


def test_every_table_fits_on_a4(screens, page):
    found = screens.measure(page, screens.A4, printed=True)
    assert found["width"] == screens.A4
    assert found["clipped"] == []


def test_measurement_finds_a_page_that_is_too_wide_and_a_clipped_cell(screens, page, tmp_path):
    style = "display: block; overflow: hidden; white-space: nowrap; min-width: 0; width: 20px"
    cell = f'<td style="{style}">a clipped cell</td>'
    wide = f'<div style="width: 700px">wide</div><table><tr>{cell}</tr></table></main>'
    broken = tmp_path / "report.html"
    broken.write_text(page.read_text(encoding="utf-8").replace("</main>", wide), encoding="utf-8")
    found = screens.measure(broken, 390)
    assert found["width"] > 390
    assert found["clipped"] == ["a clipped cell"]


@pytest.mark.slow
def test_script_writes_pictures_and_a_pdf(screens, page, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["screenshots", str(page.parent), "--out", str(tmp_path)])
    screens.main()
    files = [Path(line) for line in capsys.readouterr().out.split()]
    assert [f.name for f in files] == ["report_1300px.png", "report_390px.png", "report_a4.pdf"]
    starts = [file.read_bytes()[:4] for file in files]
    assert starts == [b"\x89PNG", b"\x89PNG", b"%PDF"]
