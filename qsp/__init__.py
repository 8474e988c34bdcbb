"""In-silico trials of T-cell-engaging bispecifics: step-up dosing, cytokines, CRS, response.

For research, not for clinical decisions. Importing this package imports no solver. `qsp.run` turns
a config into a folder of results; `qsp.simulation.simulate` turns a trial and a cohort into a
dataset.
"""

__version__ = "0.2.0"
