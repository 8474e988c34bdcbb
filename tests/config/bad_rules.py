"""Rules that are refused: text of the valid config, and its replacement."""

from tests.config.valid_input import FLAT_DOSE

HOLD = 'when = "crs_grade >= 1", do = "hold"'
DELAY = 'when = "crs_grade >= 1", do = "delay"'
LONG_INFUSION = (
    '[{ period = "FD1", time = "0 day", amount = "9 ug/day", route = "civ", duration = "28 day" }]'
    '\nrules = [{ when = "crs_grade >= 1", do = "hold" }]\n'
    '[calendar]\nvisits = [{ every = "1 day", until = "27 day" }]'
)
VISITS = {
    "without an end": 'every = "1 day"',
    "length without periods": 'every = "1 day", for = "5 day"',
    "periods without a length": 'every = "1 day", after = ["FD1"]',
    "periods and an end": 'every = "1 day", for = "5 day", after = ["FD1"], until = "9 day"',
    "unknown period": 'every = "1 day", for = "5 day", after = ["SUD1"]',
    "after the end of the trial": 'every = "7 day", for = "28 day", after = ["FD1"]',
}
CALENDAR = '[calendar]\nvisits = [{ every = "7 day", until = "21 day" }]'


RULES = {
    **{
        f"rules: {name}": ('same_doses_as = "flat"', f'same_doses_as = "flat"\n{text}')
        for name, text in {
            "without a calendar": 'rules = [{ when = "crs_grade >= 1", do = "hold" }]',
            "neither do nor give": f'rules = [{{ when = "crs_grade >= 1" }}]\n{CALENDAR}',
            "unknown act": f'rules = [{{ when = "day > 1 day", do = "wait" }}]\n{CALENDAR}',
            "unknown observable": f'rules = [{{ when = "crs >= 1", do = "hold" }}]\n{CALENDAR}',
            "unknown drug": f'rules = [{{ when = "crs_grade >= 2", give = "toci" }}]\n{CALENDAR}',
            "holds for ever": f'rules = [{{ when = "worst_grade >= 2", do = "hold" }}]\n{CALENDAR}',
            "late visits": f"rules = []\n{CALENDAR.replace('21', '35')}",
            "key of another act": f'rules = [{{ {HOLD}, days = "7 day" }}]\n{CALENDAR}',
            "no interval": f"rules = []\n{CALENDAR.replace('7 day', '0 day')}",
            "all visits missed": f'rules = []\n{CALENDAR}\nmissed = "100 %"',
            "unknown key": f'rules = [{{ {HOLD}, day = "7 day" }}]\n{CALENDAR}',
            "change without percent": f'rules = [{{ when = "tumor_change >= 50", do = "stop" }}]'
            f"\n{CALENDAR}",
            **{
                f"{act} without days": f'rules = [{{ when = "crs_grade >= 1", do = "{act}" }}]'
                f"\n{CALENDAR}"
                for act in ("delay", "split", "interval")
            },
            "delay by 0 days": f'rules = [{{ {DELAY}, days = "0 day" }}]\n{CALENDAR}',
            "probability of 0": f"rules = [{{ {HOLD}, with_probability = 0.0 }}]\n{CALENDAR}",
            "probability above 1": f"rules = [{{ {HOLD}, with_probability = 1.5 }}]\n{CALENDAR}",
            "probability in percent": f'rules = [{{ {HOLD}, with_probability = "60 %" }}]'
            f"\n{CALENDAR}",
            **{
                f"visits: {key}": f"rules = []\n[calendar]\nvisits = [{{ {entry} }}]"
                for key, entry in VISITS.items()
            },
            "the second is never reached": f"rules = [{{ {HOLD} }}, {{ {HOLD} }}]\n{CALENDAR}",
        }.items()
    },
    **{
        f"rules: {name}": (f'[{{ period = "FD1", time = "0 day", {FLAT_DOSE} }}]', text)
        for name, text in {
            "infusion as long as the trial": LONG_INFUSION,
            "infusion that is half as long": LONG_INFUSION.replace("28 day", "14 day"),
        }.items()
    },
}
