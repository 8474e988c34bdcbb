"""Backends that start shards: Slurm, processes of this machine, and dask.

None of them reports how a shard ended: only its receipt does; see `qsp.cluster.receipts`.
"""
