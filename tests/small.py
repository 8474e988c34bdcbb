"""One small trial as users write it: two arms, eight days; tests of runs and of shards share it."""


def config(population, patients):
    """Text of its config.

    Args:
        population: Path as it stands in the config.
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
