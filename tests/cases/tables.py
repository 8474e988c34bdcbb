"""A trial with a dose table, as files of the field give one."""

from qsp.config import load

CONFIG = """
molecule = "mosunetuzumab"
population = "nhl"
days = 28
response = "lugano"

[dose_table]
file = "doses.csv"
time_unit = "hour"
amount_unit = "mg"
compartments = { 1 = "depot", 2 = "central" }
"""
WEIGHT_KDA = 1000.0
"""One nmol of such a molecule is one mg."""


def config_of(folder, table, *changes):
    """The config of a trial with this dose table."""
    (folder / "trial.toml").write_text(CONFIG, encoding="utf-8")
    content = table if isinstance(table, bytes) else table.encode()
    (folder / "doses.csv").write_bytes(content)
    return load(folder / "trial.toml", changes)


def doses(config, patient=None, arm=0):
    """Hour, mg and hours of infusion of each dose of a patient, by default of the first."""
    chosen = config.trial(WEIGHT_KDA).arms[arm]
    regimen = chosen.regimens[0 if patient is None else chosen.patients.index(patient)]
    return [
        (round(24 * a.time, 9), round(a.amount.value, 9), round(24 * a.duration, 9))
        for a in regimen.administrations
    ]
