"""Digital twins: the posterior of one patient, from sparse measurements and a virtual population.

The code takes any simulator that turns random draws into predictions (`simulator`). Draws are
standard normal numbers a priori. `likelihood` and `grades` compare predictions with measurements,
`map_estimate` finds the mode, and `laplace` the normal approximation around it.

All functions treat all patients at once. The result of a patient has the same bits in any batch,
provided that the simulator gives the same predictions in any batch.
"""
