"""Golden file of the main job: summary values by arm and the SHA-256 of every array of results.

    python benchmarks/golden.py --write    # replace tests/golden/main_job.json
    python benchmarks/golden.py            # compare; exit code 1 if anything differs

The file proves that a reorganization of the code changes no result. Bits depend on the processor
(width of the vector registers) and on the versions of JAX and LLVM, so both are recorded: on
another processor or with other versions only the summary values are compared, to a relative 1e-6.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

ROOT = Path(__file__).resolve().parent.parent
GOLDEN = ROOT / "tests" / "golden" / "main_job.json"
CONFIG = "configs/mosunetuzumab_step_up_vs_flat.toml"
PATIENTS, SEED = 200, 1
TOLERANCE = 1e-6
PEAKS = ("il6_peak", "ifn_gamma_peak", "tnf_alpha_peak", "il10_peak", "crs_severity_peak")
MEDIANS = ("cmax", "auc", "occupancy_max", "crs_onset")
"""Variables by dose period: the largest of a patient for peaks, the mean for the others."""


def simulate(out: Path) -> None:
    """Run the main job of this checkout by the command line, into a folder."""
    options = ["--patients", str(PATIENTS), "--set", f"seed={SEED}", "--out", str(out)]
    subprocess.run(
        [sys.executable, "-m", "qsp", "run", CONFIG, *options],
        cwd=ROOT,
        check=True,
        stdout=subprocess.DEVNULL,
    )


def summary(ds: xr.Dataset) -> dict[str, dict[str, float]]:
    """Twelve values by arm: rates of CRS, and medians over patients."""
    worst = ds["crs_grade"].max("dose_period")
    values = {f"crs_grade_{n}_or_worse": (worst >= n).mean("patient") for n in (1, 2)}
    values |= {name: ds[name].max("dose_period").median("patient") for name in PEAKS}
    values |= {name: ds[name].mean("dose_period").median("patient") for name in MEDIANS}
    values["tumor_volume_end"] = ds["tumor_volume_end"].median("patient")
    return {
        name: dict(zip(ds["arm"].values.tolist(), found.values.tolist(), strict=True))
        for name, found in values.items()
    }


def arrays(results: xr.DataTree) -> Iterator[tuple[str, np.ndarray]]:
    """Every variable and coordinate of every group, by path."""
    for node in results.subtree:
        for name, values in sorted(node.to_dataset().variables.items(), key=lambda each: each[0]):
            yield f"{node.path.rstrip('/')}/{name}", values.values


def digest(values: np.ndarray) -> str:
    """SHA-256 of type, shape and bytes; strings are hashed as UTF-8."""
    if values.dtype.kind in "OUT":
        content = json.dumps(values.astype(str).ravel().tolist()).encode()
        kind = "text"
    else:
        content, kind = np.ascontiguousarray(values).tobytes(), values.dtype.str
    return hashlib.sha256(f"{kind} {values.shape} ".encode() + content).hexdigest()


def record() -> dict[str, Any]:
    """Run the main job and return its record."""
    from qsp.native import processor

    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "run"
        simulate(out)
        with xr.open_datatree(out / "results.nc") as results:
            return {
                "job": f"{CONFIG}, {PATIENTS} patients, seed {SEED}",
                "processor": processor(),
                "versions": {name: version(name) for name in ("jax", "llvmlite", "numpy")},
                "summary": summary(results.to_dataset()),
                "sha256": {name: digest(values) for name, values in arrays(results)},
            }


def differences(golden: dict[str, Any], found: dict[str, Any]) -> list[str]:
    """Return one line for each value or array that differs."""
    lines = [
        f"{name}, arm {arm}: {before} before, {found['summary'][name][arm]} now"
        for name, by_arm in golden["summary"].items()
        for arm, before in by_arm.items()
        if not np.isclose(found["summary"][name][arm], before, rtol=TOLERANCE, atol=0.0)
    ]
    same = all(golden[key] == found[key] for key in ("processor", "versions"))
    if not same:
        print("Another processor or other versions: only summary values are compared.")
        return lines
    before, now = golden["sha256"], found["sha256"]
    lines += [f"{name}: missing now" for name in before.keys() - now.keys()]
    return lines + [f"{name}: other bits" for name in before if now.get(name, "") != before[name]]


def main() -> None:
    """Write the golden file or compare with it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--write", action="store_true", help="replace the golden file")
    is_write = parser.parse_args().write
    found = record()
    if is_write:
        GOLDEN.parent.mkdir(exist_ok=True)
        GOLDEN.write_text(json.dumps(found, indent=1) + "\n")
        print(f"Wrote {GOLDEN.relative_to(ROOT)}: {len(found['sha256'])} arrays.")
        return
    lines = differences(json.loads(GOLDEN.read_text()), found)
    print("\n".join(lines) or f"All {len(found['sha256'])} arrays and 12 variables agree.")
    sys.exit(bool(lines))


if __name__ == "__main__":
    main()
