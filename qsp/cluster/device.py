"""The device of a worker, said by environment variables before JAX is imported."""

from collections.abc import Mapping

VISIBLE = "CUDA_VISIBLE_DEVICES"


def given(environment: Mapping[str, str], place: int) -> str | None:
    """GPU of a process of this machine: those that its parent sees are dealt out in turn.

    Args:
        environment: Of the parent.
        place: Of the process among those that run at the same time, from 0.

    Returns:
        What its `CUDA_VISIBLE_DEVICES` is to say; None where the parent's says nothing.
    """
    if VISIBLE not in environment:
        return None
    seen = [name.strip() for name in environment[VISIBLE].split(",") if name.strip()]
    return seen[place % len(seen)] if seen else ""


def settings(environment: Mapping[str, str]) -> dict[str, str]:
    """What to add to the environment of a worker.

    One process has one GPU. Where a task sees the GPUs of its whole node, it takes the one of its
    place on the node. Memory is taken as it is needed, so that workers can share a node or a GPU.

    Args:
        environment: Of the process. What it says already stands.
    """
    added = {"EQX_ON_ERROR": "off", "XLA_PYTHON_CLIENT_PREALLOCATE": "false"}
    seen = [name for name in environment.get(VISIBLE, "").split(",") if name.strip()]
    place = environment.get("SLURM_LOCALID", "")
    if len(seen) > 1 and place.isdigit():
        added[VISIBLE] = seen[int(place) % len(seen)].strip()
    return {
        name: value for name, value in added.items() if name == VISIBLE or name not in environment
    }
