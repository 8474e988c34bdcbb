"""Runs too large for one machine: a frozen plan, shards of patients, receipts, one dataset.

A shard is a function of the plan and its number only, so it can run anywhere, more than once, and
again after it was killed. The modules of `backends` start shards on Slurm, on this machine, or on
dask. A shard is done when its receipt exists, which is written last. The results of a patient do
not depend on its shard.
"""
