"""In-silico trials of T-cell-engaging bispecifics: step-up dosing, cytokines, CRS, response.

For research, not for clinical decisions. Importing this package imports no solver. `qsp.run` runs
a config and writes a folder of results; `qsp.simulation.simulate` simulates a trial in a cohort and
returns a dataset.
"""

__version__ = "0.2.0"
