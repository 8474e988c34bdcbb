"""The table [observations] of a config as a pydantic model; see `qsp.observations`."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from qsp.config.tables import Rule, Table, Text
from qsp.observations.quantities import QUANTITIES


class Observed(Table):
    """The quantity of a DVID; see `qsp.observations`."""

    quantity: Annotated[
        Literal[QUANTITIES],  # pyright: ignore[reportInvalidTypeForm]
        Rule(f"be one of {', '.join(QUANTITIES)}", "Name the quantity that was measured"),
    ]
    unit: Annotated[Text | None, Rule("be a unit in quotes", 'Write unit = "pg/mL"')] = None
    form: Annotated[
        Literal["free", "total"], Rule("be free or total", "Name the form of the drug")
    ] = "free"
    lloq: Annotated[
        Text | None, Rule("be a limit with its unit in quotes", 'Write lloq = "2 pg/mL"')
    ] = None
    grading: Annotated[
        Text | None, Rule("be the name of a grading", 'Write grading = "ASTCT2019"')
    ] = None


class Observations(Table):
    """Observations of patients, in the dose table or in a file of their own."""

    file: Annotated[
        Text | None, Rule("be the path of a CSV file", 'Write file = "observed.csv"')
    ] = None
    time_unit: Annotated[
        Literal["day", "hour"] | None, Rule("be day or hour", "Name the unit of TIME")
    ] = None
    columns: Annotated[
        dict[Literal["dv", "dvid", "mdv", "lloq", "blq"], Text],
        Rule("be a table of dv, dvid, mdv, lloq and blq", 'Write columns = { dv = "CONC" }'),
    ] = Field(default_factory=dict)
    quantities: Annotated[
        dict[str, Annotated[Observed, Rule("be a table", 'Write { quantity = "il6", ... }')]],
        Rule(
            "be a table of quantities by DVID",
            'Write quantities = { 1 = { quantity = "il6", unit = "pg/mL" } }',
        ),
    ]
