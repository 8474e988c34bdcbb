"""In-silico trials of T-cell-engaging bispecifics: step-up dosing, cytokines, CRS, response.

For research, not for clinical decisions. Nothing heavy is imported here; `qsp.run` goes from a
config to a folder with results, `qsp.simulation.simulate` from a trial and a cohort to a dataset.
"""

__version__ = "0.1.0"
