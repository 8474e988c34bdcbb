"""Simulation engine: one simulation (`trajectory`), batches of them (`batch`); without biology."""
