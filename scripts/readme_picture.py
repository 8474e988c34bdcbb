"""Draw the picture of the README: CRS by dose, step-up against flat dosing.

    python scripts/readme_picture.py    # replaces docs/assets/crs_by_dose.png; takes a minute

The trial is the shipped config ``mosunetuzumab_step_up_vs_flat``, 1,000 patients in each arm.
"""

from pathlib import Path

import qsp

CONFIG = "mosunetuzumab_step_up_vs_flat"
ARMS = ["step_up", "flat"]
PICTURE = Path(__file__).resolve().parent.parent / "docs" / "assets" / "crs_by_dose.png"


def main() -> None:
    """Simulate the trial and write the picture."""
    trial = qsp.read(CONFIG)
    assert isinstance(trial, qsp.Trial)
    run = trial.simulate()
    figure = qsp.plots.crs_by_dose(run.ds.sel(arm=ARMS))
    figure.savefig(PICTURE, dpi=100, metadata={"Software": None})
    print(run.difference(*ARMS).T.round(3))
    print(f"The picture is in {PICTURE}")


if __name__ == "__main__":
    main()
