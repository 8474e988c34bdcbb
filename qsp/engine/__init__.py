"""Simulation engine, independent of the model: one simulation (`trajectory`), batches (`batch`)."""
