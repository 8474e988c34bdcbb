"""Stabilized explicit solvers for diffrax, step size control, and batching over simulations."""
