"""What the commands for runs in shards print: where a run stands, once or while it goes on."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

from qsp.cli.text_table import print_table

if TYPE_CHECKING:
    from qsp.cluster.status import Status

_EVERY_S = 1.0
# To look is to read a file for every shard: of a run of many, no more than this part of the time.
_SHARE = 0.05


class Watch:
    """Progress of shards: a bar on a terminal; elsewhere a line for each that ends.

    Args:
        console: Where to print.
        first: Where the run stands now.
        state: Says it again.
        most_attempts: Times a shard may fail.
    """

    def __init__(
        self, console: Console, first: Status, state: Callable[[], Status], most_attempts: int
    ) -> None:
        self._console, self._seen, self._state, self._most = console, first, state, most_attempts
        self._patients, self._began, self._next = first.patients, time.monotonic(), 0.0
        bar = BarColumn(bar_width=12)  # with its texts it fits in 80 columns
        columns = (TextColumn("{task.description}"), bar, TextColumn("{task.fields[pace]}"))
        off = not console.is_terminal
        self._bar = Progress(*columns, console=console, transient=True, disable=off)
        self._task = self._bar.add_task(
            _counts(first), total=first.plan.patients, completed=first.patients, pace=""
        )

    def __enter__(self) -> Watch:
        self._bar.start()
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        try:
            if kind is None:
                self._show()
        finally:
            self._bar.stop()

    def look(self) -> None:
        """See what is new, unless that was just done."""
        began = time.monotonic()
        if began >= self._next:
            with contextlib.suppress(OSError):  # a distant disk that does not answer: next time
                self._show()
            took = time.monotonic() - began
            self._next = began + max(_EVERY_S, took / _SHARE)

    def _show(self) -> None:
        found = self._state()
        pace = self._pace(found)
        self._bar.update(
            self._task, description=_counts(found), completed=found.patients, pace=pace
        )
        for shard, said in found.tries.items():
            for number in range(len(self._seen.tries.get(shard, ())), len(said)):
                times = f"{number + 1} of {self._most} times"
                _say(self._console, f"Shard {shard} failed, {times}: {said[number]}")
        if not self._console.is_terminal:
            for shard in sorted(set(found.done) - set(self._seen.done)):
                more = f"; {pace}" if pace else ""
                _say(self._console, f"Shard {shard} is done; {_counts(found)}{more}")
        self._seen = found

    def _pace(self, found: Status) -> str:
        """Of what this command did; the run may have been on other machines before."""
        new, seconds = found.patients - self._patients, time.monotonic() - self._began
        if new <= 0 or seconds <= 0.0:
            return ""
        return _pace(new / seconds, (found.plan.patients - found.patients) * seconds / new)


def print_status(shown: Status, console: Console) -> None:
    """Where a run in shards stands."""
    plan = shown.plan
    counts = {
        "done": len(shown.done),
        "running": len(shown.running),
        "queued": len(shown.queued),
        "failed": len(shown.failed),
        "missing": len(shown.missing),
    }
    print_table(
        f"{plan.title}: run {plan.id}",
        ["shards", *counts, "patients"],
        [[str(len(plan.shards)), *map(str, counts.values()), f"{shown.patients:,}"]],
        console,
    )

    for shard, error in shown.failed.items():
        _say(console, f"Shard {shard} failed: {error}")
    print_queue(shown, console)
    if shown.kept:
        _say(
            console,
            f"{shown.kept:,} of these patients are in blocks of shards that do not run now, and "
            "will go on from there.",
        )
    if shown.failed_patients:
        _say(console, f"{shown.failed_patients} simulated patients failed.")
    if plan.closed == "incomplete":
        _say(console, "The store was closed INCOMPLETE.")
    if shown.is_done:
        verb = "report" if plan.closed == "complete" else "finalize"
        _say(console, f"All shards are done. Next: qsp {verb} {plan.run}")
    elif shown.patients_per_s and shown.seconds_left is not None:
        _say(console, f"So far {_pace(shown.patients_per_s, shown.seconds_left)} at that rate.")


def print_queue(shown: Status, console: Console) -> None:
    """What waits in Slurm, if anything does; or that this is not known."""
    if shown.queued:
        jobs = " ".join(sorted({task.partition("_")[0] for task in shown.queued.values()}))
        _say(
            console,
            f"{len(shown.queued)} shards are in the queue of Slurm: qsp submit leaves them there, "
            f"scancel {jobs} takes them back.",
        )
    if shown.queue_unknown and not shown.is_done:
        _say(
            console,
            f"It is not known which shards wait in Slurm, for {shown.queue_unknown}: they count "
            "as missing.",
        )


def _say(console: Console, line: str) -> None:
    console.print(line, markup=False, soft_wrap=True)


def _counts(shown: Status) -> str:
    return f"{len(shown.done)} of {len(shown.plan.shards)} shards, {len(shown.running)} running"


def _pace(patients_per_s: float, seconds_left: float) -> str:
    rate = f"{patients_per_s:,.0f}" if patients_per_s >= 10.0 else f"{patients_per_s:.1f}"
    return f"{rate} patients/s, {seconds_left / 60.0:,.1f} min left"
