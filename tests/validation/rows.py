"""Rows of the table of published values for tests."""

from qsp.validation.targets import Target

_ROW = {
    "id": "row",
    "molecule": "mosunetuzumab",
    "config": "mosunetuzumab_iv",
    "arms": {"a": 1.0},
    "statistic": "crs_any",
    "periods": (),
    "hours": float("nan"),
    "value": 30.0,
    "unit": "%",
    "low": float("nan"),
    "high": float("nan"),
    "n": 100,
    "certainty": "paper",
    "population": "R/R NHL",
    "source": "somewhere",
    "use": "fit",
    "function": "crs_any",
    "judged": "within 12 points",
    "note": "",
}


def target(**changes):
    """Return a row of one arm `a` with changes."""
    return Target(**(_ROW | changes))
