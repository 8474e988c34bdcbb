"""The tables of a config file as pydantic models: their keys and the allowed values.

Each field has a `Rule`, the text of the message for an invalid value. Quantities remain text here;
`qsp.config.arms` converts them to numbers with `qsp.units`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal, NamedTuple, get_args

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from qsp.drugs import DRUG_BY_NAME
from qsp.trial.rules import DoseAct

# Names and limits repeat those of qsp.engine.method, because importing that module takes seconds.
Explicit = Literal["ROCK4", "ROCK2", "RKC2", "Tsit5", "Dopri5", "Dopri8", "Bosh3"]
Implicit = Literal["Kvaerno3", "Kvaerno4", "Kvaerno5", "KenCarp3", "KenCarp4", "KenCarp5"]
SOLVERS = get_args(Explicit) + get_args(Implicit)
SMALLEST_RTOL, LARGEST_RTOL = 1e-13, 1e-2


class Rule(NamedTuple):
    """Text of the message for an invalid value.

    Args:
        must: The rule, worded to follow "must".
        todo: The remedy; KEY is replaced by the name of the key.
    """

    must: str
    todo: str


def _listed(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


def flattened(value: Any) -> Any:
    """Flatten nested tables to one table of dotted paths, so that paths work without quotes."""
    if not isinstance(value, dict):
        return value
    flat: dict[str, Any] = {}
    for name, inner in value.items():
        if isinstance(inner, dict):
            flat.update({f"{name}.{path}": leaf for path, leaf in flattened(inner).items()})
        else:
            flat[name] = inner
    return flat


def parameter_values(table: Any) -> Any:
    """Return nested tables of parameter values as one table: path to a table with `value`."""
    if not isinstance(table, dict):
        return table
    flat: dict[str, Any] = {}
    for name, inner in table.items():
        if isinstance(inner, dict) and not {"value", "scale"} & set(inner):
            flat.update({f"{name}.{path}": leaf for path, leaf in parameter_values(inner).items()})
        else:
            flat[name] = inner if isinstance(inner, dict) else {"value": inner}
    return flat


Text = Annotated[str, Field(strict=True, min_length=1)]
Texts = Annotated[tuple[Text, ...], BeforeValidator(_listed)]
Time = Annotated[
    Text, Rule("be a time with its unit in quotes", 'Write KEY = "7 day", for example')
]
Duration = Annotated[
    Text, Rule("be a time with its unit in quotes", 'Write KEY = "4 hour", for example')
]
Amount = Annotated[
    Text, Rule("be an amount with its unit in quotes", 'Write KEY = "1 mg" or "60 ug/m^2/day"')
]
Cap = Annotated[
    Text, Rule("be an amount with its unit in quotes", 'Write KEY = "800 mg", for example')
]

SUPPORTIVE = tuple(DRUG_BY_NAME)
if TYPE_CHECKING:
    SupportiveDrug = str
else:
    SupportiveDrug = Literal[SUPPORTIVE]
Share = Annotated[
    Text, Rule("be a fraction in quotes, from 0 to below 1", 'Write KEY = "10 %", for example')
]
Count = Annotated[
    int,
    Field(strict=True, ge=1, le=100),
    Rule("be a whole number from 1 to 100", "Write KEY = 2, for example"),
]


class Table(BaseModel):
    """A table that refuses unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Repeat(Table):
    """Repeated doses: `times` in total, with the interval `every` between their starts."""

    every: Time
    times: Annotated[
        int,
        Field(strict=True, ge=1, le=1000),
        Rule("be a whole number from 1 to 1000", "Count all doses, including the first"),
    ]


class Dose(Table):
    """A dose of the molecule, or several doses at equal intervals."""

    period: Annotated[
        Texts,
        Field(min_length=1),
        Rule("name the dose period", 'Write period = "SUD1", or a list with one name per repeat'),
    ]
    time: Time
    amount: Amount
    cap: Cap | None = None
    route: Annotated[
        Literal["iv", "civ", "sc"],
        Rule("be iv, civ (continuous infusion) or sc", 'Write KEY = "iv", "civ" or "sc"'),
    ]
    duration: Duration | None = None
    repeat: Annotated[
        Repeat | None,
        Rule("be a table", 'Write repeat = { every = "7 day", times = 3 }'),
    ] = None
    min_interval: Duration | None = None


class Premedication(Table):
    """A supportive drug, given at fixed times or before doses of the molecule."""

    drug: Annotated[
        SupportiveDrug,
        Rule(f"be one of {', '.join(SUPPORTIVE)}", 'Write KEY = "tocilizumab", for example'),
    ]
    amount: Amount
    cap: Cap | None = None
    # `supportive_doses` checks the route, since it depends on the drug.
    route: Annotated[
        Text, Rule("be a route in quotes", 'Write "iv", "oral" or "sc", as the drug is given')
    ]
    duration: Duration | None = None
    time: Time | None = None
    repeat: Annotated[
        Repeat | None,
        Rule("be a table", 'Write repeat = { every = "7 day", times = 3 }'),
    ] = None
    before: Duration | None = None
    first: Annotated[Time | None, Field(alias="from")] = None
    until: Time | None = None
    periods: Annotated[
        Texts, Rule("be a list of dose periods", 'Write periods = ["SUD1", "SUD2"], for example')
    ] = ()


class Visits(Table):
    """Visits at equal intervals between two times, or from each dose of some periods on."""

    every: Time
    first: Annotated[Time | None, Field(alias="from")] = None
    until: Time | None = None
    length: Annotated[Duration | None, Field(alias="for")] = None
    after: Annotated[
        Texts, Rule("be a list of dose periods", 'Write after = ["SUD1", "SUD2"], for example')
    ] = ()


class Assay(Table):
    """Coefficients of variation of the measurements at visits."""

    il6: Share | None = None
    tumor: Share | None = None
    t_cells: Share | None = None
    b_cells: Share | None = None
    temperature: Share | None = None


class Calendar(Table):
    """Visits at which patients of arms with rules are observed and dosed."""

    visits: Annotated[
        tuple[Visits, ...],
        Rule("be a list of tables", 'Write [{ every = "1 day", until = "28 day" }]'),
    ] = ()
    missed: Share = "0 %"
    dropout: Share = "0 %"
    assay: Annotated[Assay, Rule("be a table", 'Write assay = { il6 = "20 %" }')] = Assay()


class Window(Table):
    """A maximum number of doses within any period of a given length."""

    doses: Annotated[
        int, Field(strict=True, ge=1, le=4), Rule("be a whole number from 1 to 4", "Lower it")
    ]
    within: Time


class Rescue(Table):
    """A supportive drug that rules may give, with its limits."""

    drug: Annotated[
        SupportiveDrug, Rule(f"be one of {', '.join(SUPPORTIVE)}", 'Write KEY = "tocilizumab"')
    ]
    amount: Amount
    cap: Cap | None = None
    route: Annotated[
        Text, Rule("be a route in quotes", 'Write "iv", "oral" or "sc", as the drug is given')
    ]
    duration: Duration | None = None
    per_event: Count = 2
    window: Annotated[
        Window, Rule("be a table", 'Write window = { doses = 3, within = "6 week" }')
    ] = Window(doses=3, within="6 week")
    min_interval: Duration = "8 hour"
    max_times: Count = 6


class DosingRule(Table):
    """An action that is taken at a visit if its conditions hold."""

    name: Annotated[Text | None, Rule("be text in quotes", "Describe the rule")] = None
    when: Annotated[
        Text, Rule("be conditions in quotes", 'Write when = "crs_grade >= 2", for example')
    ]
    do: Annotated[
        DoseAct | None,
        Rule(
            "be proceed, hold, delay, repeat, drop_back, restart, split, interval or stop",
            'Write do = "hold", for example',
        ),
    ] = None
    give: Annotated[Text | None, Rule("be a name", 'Write give = "tocilizumab"')] = None
    days: Time | None = None
    doses: Count | None = None
    parts: Annotated[
        Annotated[int, Field(strict=True, ge=2, le=10)] | None,
        Rule("be a whole number from 2 to 10", "Lower it"),
    ] = None
    consecutive_visits: Count = 1
    max_times: Count | None = None
    with_probability: Annotated[
        float,
        Field(strict=True, gt=0.0, le=1.0),
        Rule("be a number above 0 and at most 1", "Write KEY = 0.6, for example"),
    ] = 1.0


class Arm(Table):
    """An arm: its doses, premedication, rules, and the parameters that differ in it."""

    title: Annotated[Text | None, Rule("be text in quotes", "Describe the arm")] = None
    doses: Annotated[
        tuple[Dose, ...],
        Rule(
            "be a list of doses",
            "Write an inline table { period, time, amount, route } for each dose",
        ),
    ] = ()
    same_doses_as: Annotated[Text | None, Rule("be the name of an arm", "Name one in quotes")] = (
        None
    )
    premedication: Annotated[
        Texts,
        Rule(
            "be a list of names",
            'Define [premedication.NAME] once and write premedication = ["NAME"]',
        ),
    ] = ()
    parameters: Annotated[
        dict[str, Text],
        BeforeValidator(flattened),
        Rule("be a value with its unit in quotes", 'Write "PATH" = "0 Mcell", for example'),
    ] = Field(default_factory=dict)
    rules: Annotated[
        tuple[DosingRule, ...] | None,
        Rule("be a list of rules", 'Write rules = [{ when = "crs_grade >= 1", do = "hold" }]'),
    ] = None


Weight = Annotated[
    float,
    Field(strict=True, allow_inf_nan=False),
    Rule("be a number", "Write KEY = -0.5, for example"),
]


class Utility(Table):
    """Weights of the rates by which arms are ranked; see `qsp.endpoints.utility`."""

    response: Weight = 1.0
    grade2: Weight = -0.5
    grade3: Weight = -2.0


class DoseTable(Table):
    """A NONMEM-style table that replaces the arms; see `qsp.trial.dose_table`."""

    file: Annotated[Text, Rule("be the path of a CSV file", 'Write file = "doses.csv"')]
    time_unit: Annotated[
        Literal["day", "hour"], Rule("be day or hour", "Name the unit of TIME and II")
    ] = "day"
    amount_unit: Annotated[
        Text, Rule("be the unit of AMT in quotes", 'Write "mg", "ug" or "mg/kg"')
    ] = "mg"
    compartments: Annotated[
        dict[str, Text],
        Rule("be a table of names", 'Write compartments = { 1 = "depot", 2 = "central" }'),
    ] = Field(default_factory=dict)
    ignore: Annotated[
        Texts, Rule("be a list of columns", 'Write ignore = ["NTIME"], for example')
    ] = ()
    default_compartment: Annotated[
        str, Rule("be the compartment of doses without CMT", 'Write "central" or "depot"')
    ] = ""


class Method(Table):
    """Numerical method, and the form of equations that have an alternative."""

    solver: Annotated[
        Literal[Explicit, Implicit],
        Rule(f"be one of {', '.join(SOLVERS)}", "Leave it out for ROCK4"),
    ] = "ROCK4"
    rtol: Annotated[
        float,
        Field(strict=True, ge=SMALLEST_RTOL, le=LARGEST_RTOL),
        Rule(f"be a number from {SMALLEST_RTOL:g} to {LARGEST_RTOL:g}", "The default is 1e-5"),
    ] = 1e-5
    precision: Annotated[
        Literal["float64", "float32"],
        Rule("be float64 or float32", "Leave it out for float64"),
    ] = "float64"
    backend: Annotated[
        Literal["auto", "native", "xla"],
        Rule("be auto, native or xla", "Leave it out for auto: native if possible"),
    ] = "auto"
    recruitment: Annotated[
        Literal["adaptation", "threshold", "mass_action"],
        Rule("be adaptation, threshold or mass_action", "Leave it out for adaptation"),
    ] = "adaptation"
    severity: Annotated[
        Literal["two_axes", "one_axis"],
        Rule("be two_axes or one_axis", "Leave it out for two_axes"),
    ] = "two_axes"
    tumor: Annotated[
        Literal["pool", "lesions"],
        Rule("be lesions or pool", "Leave it out for lesions"),
    ] = "lesions"
    lesions_alone_after: Annotated[
        Text | None,
        Rule("be the time of a dose in quotes", 'Write KEY = "84 day", or leave it out'),
    ] = None
    most_patients: Annotated[
        int,
        Field(strict=True, ge=1, le=2**32),
        Rule("be a whole number from 1 to 4294967296", "Leave it out for ten million"),
    ] = 10_000_000
    most_periods: Annotated[
        int,
        Field(strict=True, ge=1),
        Rule("be a whole number of at least 1", "Leave it out for 200"),
    ] = 200


class Trajectories(Table):
    """Patients whose trajectories are saved if there are too many patients to save all."""

    patients: Annotated[
        Annotated[int, Field(strict=True, ge=1)] | None,
        Rule("be a whole number of at least 1", "Leave it out for the default"),
    ] = None
    ids: Annotated[
        tuple[
            Annotated[
                int,
                Field(strict=True, ge=0),
                Rule("be a whole number of at least 0", "Name patients by their ids"),
            ],
            ...,
        ],
        Rule("be a list of patient ids", "Write ids = [0, 5, 17], for example"),
    ] = ()
