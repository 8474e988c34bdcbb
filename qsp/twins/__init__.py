"""Digital twins: the posterior of one patient, from sparse measurements and a virtual population.

The code takes any simulator that turns random draws into predictions (`simulator`). Draws are
standard normal numbers a priori. `likelihood` and `grades` compare predictions with measurements,
`map_estimate` finds the mode, `laplace` the normal approximation around it, `mixture` does so for
each component of a mixture, and `gpcn` samples the posterior. `esmda` is an independent check.

All functions treat all patients at once. The result of a patient has the same bits in any batch,
provided that the simulator gives the same predictions in any batch.
"""
