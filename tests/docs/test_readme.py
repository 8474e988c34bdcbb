"""The README: its length, its Python code, and the figures it quotes."""

import json
import os
import re
import struct
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "README.md").read_text(encoding="utf-8")
CODE = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)
PICTURE = ROOT / "docs" / "assets" / "crs_by_dose.png"


def rows(name):
    path = ROOT / "benchmarks" / "results" / f"{name}.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()]


def only(rows, **keys):
    """The row with these values; the benchmark has recorded one."""
    (row,) = [row for row in rows if keys.items() <= row.items()]
    return row


def test_readme_is_short():
    assert len(TEXT.splitlines()) <= 120


def test_python_code_is_short_and_imports_the_package_only():
    (code,) = CODE
    assert re.findall(r"^(?:import|from) .*", code, re.MULTILINE) == ["import qsp"]
    assert len([line for line in code.splitlines() if line.strip()]) <= 13


def test_python_code_runs_from_the_wheel_in_an_empty_folder(wheel_python, tmp_path):
    (code,) = CODE
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    done = subprocess.run(
        [str(wheel_python), "-W", "error", "-c", code],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    difference = re.search(r"^any CRS\s+(-?[\d.]+)", done.stdout, re.MULTILINE)
    assert difference is not None, done.stdout
    assert float(difference[1]) < 0.0  # step-up minus flat
    assert [path.name for path in tmp_path.iterdir()] == ["crs_by_dose.png"]


def test_picture_is_small_and_of_a_shipped_config():
    content = PICTURE.read_bytes()
    assert f"({PICTURE.relative_to(ROOT)})" in TEXT
    assert len(content) < 150_000
    width, height = struct.unpack(">II", content[16:24])
    assert 600 <= width <= 1200 > height
    script = (ROOT / "scripts" / "readme_picture.py").read_text()
    name = re.search(r'^CONFIG = "(\w+)"', script, re.MULTILINE)[1]
    assert (ROOT / "configs" / f"{name}.toml").is_file()
    assert "python scripts/readme_picture.py" in TEXT


def test_speed_is_that_of_the_recorded_benchmarks():
    section = TEXT.partition("## Speed")[2].partition("\n## ")[0]
    peers = rows("against_peers")
    ours = only(peers, bench="against_peers", method="rock4", status="ok")
    lsoda = only(peers, bench="against_peers", method="lsoda", status="ok")
    big = only(rows("scaling"), bench="scaling", patients=100_000)
    for text in (
        f"solves {ours['patients_per_s_per_core']:,.0f} patients per second",
        f"LSODA solves {lsoda['patients_per_s_per_core']:,.0f} ",
        f"100,000 patients take {big['total_s']:.0f} s on 2 cores",
        f"{big['peak_memory_mb']:,.0f} MB",
    ):
        assert text in section.replace("\n", " "), text


def test_no_other_section_quotes_a_speed():
    before, _, after = TEXT.partition("## Speed")
    rest = before + after.partition("\n## ")[2]
    assert not re.search(r"per second|\d (?:s|minutes|hours|MB)\b", rest)
