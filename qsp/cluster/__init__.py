"""Runs too large for one machine: a frozen plan, shards of patients, receipts, one dataset.

A shard is a function of the plan and its number and of nothing else, so it may run anywhere, twice,
or again after it was killed. Who runs it (a laptop, Slurm, dask) is an adapter; what counts as done
is its receipt, written last. A patient is the same in any shard.
"""
