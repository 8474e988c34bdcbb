"""Config of a small trial, two arms over eight days, shared by the tests of runs and shards."""


def config(population, patients):
    """Return the text of the config.

    Args:
        population: Path of the population, relative to the config.
        patients: Number of patients.
    """
    return f"""
title = "small"
molecule = "mosunetuzumab"
population = "{population}"
patients = {patients}
seed = 3
days = 8
visits = ["4 day", "8 day"]
response = "lugano"
[premedication.steroid]
drug = "dexamethasone"
amount = "20 mg"
route = "iv"
before = "1 hour"
[arms.step]
premedication = ["steroid"]
doses = [
  {{ period = "SUD1", time = "0 day", amount = "1 mg", route = "iv", duration = "4 hour" }},
  {{ period = "FD1", time = "3 day", amount = "60 mg", route = "iv", duration = "4 hour" }},
]
[arms.flat]
doses = [{{ period = "FD1", time = "0 day", amount = "60 mg", route = "iv", duration = "4 hour" }}]
"""
