"""Progress of a run in shards, printed once or while it runs."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

from qsp.cli.output import Listing, Output
from qsp.cli.text_table import TextTable

if TYPE_CHECKING:
    from qsp.cluster.status import Status

COLUMNS = (
    *("run", "title", "shards", "done", "running", "queued", "failed", "missing"),
    *("patients", "patients_done", "patients_checkpointed", "failed_simulations"),
    *("patients_per_s", "left_s", "is_closed"),
)
"""Values of the record of a run."""
_INTERVAL_S = 1.0
_SHARE = 0.05
"""Largest share of the time spent on reading the status, which reads a file for every shard."""


class Watch:
    """Live progress of shards: a bar on a terminal; otherwise a line for each finished shard.

    Args:
        console: Console to print on.
        first: Status at the start.
        read: Returns the current status.
        max_attempts: Failures of a shard after which it is not started again.
    """

    def __init__(
        self, console: Console, first: Status, read: Callable[[], Status], max_attempts: int
    ) -> None:
        self._console, self._last, self._read = console, first, read
        self._max_attempts = max_attempts
        self._patients, self._began, self._next = first.patients, time.monotonic(), 0.0
        bar = BarColumn(bar_width=12)  # so that bar and texts fit into 80 columns
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

    def poll(self) -> None:
        """Show changes, unless the last call was too recent."""
        began = time.monotonic()
        if began >= self._next:
            with contextlib.suppress(OSError):  # a network file system may not answer; try later
                self._show()
            took = time.monotonic() - began
            self._next = began + max(_INTERVAL_S, took / _SHARE)

    def _show(self) -> None:
        now = self._read()
        pace = self._pace(now)
        self._bar.update(self._task, description=_counts(now), completed=now.patients, pace=pace)
        for shard, reasons in now.failures.items():
            for number in range(len(self._last.failures.get(shard, ())), len(reasons)):
                attempt = f"attempt {number + 1} of {self._max_attempts}"
                _print_line(self._console, f"Shard {shard} failed ({attempt}): {reasons[number]}")
        if not self._console.is_terminal:
            for shard in sorted(set(now.done) - set(self._last.done)):
                rest = f"; {pace}" if pace else ""
                _print_line(self._console, f"Shard {shard} is done; {_counts(now)}{rest}")
        self._last = now

    def _pace(self, now: Status) -> str:
        """Return the pace since this command began; other machines may have run it before."""
        new, seconds = now.patients - self._patients, time.monotonic() - self._began
        if new <= 0 or seconds <= 0.0:
            return ""
        return _pace(new / seconds, (now.plan.patients - now.patients) * seconds / new)


def print_status(status: Status, console: Console, output: Output | None = None) -> None:
    """Print the progress of a run in shards, and the next command.

    Args:
        status: Progress of the run.
        console: Console for people.
        output: Form of the table; text by default.
    """
    output = output or Output()
    output.show(status_listing(status), console)
    _print_notes(status, output.console(console))


def status_listing(status: Status) -> Listing:
    """Return the counts of shards and patients of a run in shards.

    Args:
        status: Progress of the run.
    """
    plan = status.plan
    names = ("done", "running", "queued", "failed", "missing")
    counts = {"shards": len(plan.shards)} | {name: len(getattr(status, name)) for name in names}
    cells = [*map(str, counts.values()), f"{status.patients:,}"]
    table = TextTable(f"{plan.title}: run {plan.id}", [*counts, "patients"], [cells])
    values = (
        *(plan.id, plan.title, *counts.values()),
        *(plan.patients, status.patients, status.checkpointed, status.failed_patients),
        *(status.patients_per_s, status.seconds_left, plan.closed_as is not None),
    )
    return Listing([table], lambda: [dict(zip(COLUMNS, values, strict=True))], COLUMNS)


def _print_notes(status: Status, console: Console) -> None:
    plan = status.plan
    for shard, error in status.failed.items():
        _print_line(console, f"Shard {shard} failed: {error}")
    print_queue(status, console)
    if status.checkpointed:
        _print_line(
            console,
            f"{status.checkpointed:,} of these patients are in finished blocks of shards that are "
            "not running; the shards will resume after these blocks.",
        )
    if status.failed_patients:
        _print_line(console, f"{status.failed_patients} simulated patients failed.")
    if plan.closed_as == "incomplete":
        _print_line(console, "The store was closed INCOMPLETE.")
    if status.is_done:
        verb = "report" if plan.closed_as == "complete" else "finalize"
        _print_line(console, f"All shards are done. Next: qsp {verb} {plan.run}")
    elif status.patients_per_s and status.seconds_left is not None:
        pace = _pace(status.patients_per_s, status.seconds_left)
        _print_line(console, f"Average so far: {pace}")


def print_queue(status: Status, console: Console) -> None:
    """Print the shards that wait in the Slurm queue, or the reason why they are unknown."""
    if status.queued:
        jobs = " ".join(sorted({task.partition("_")[0] for task in status.queued.values()}))
        _print_line(
            console,
            f"{count_shards(len(status.queued))} in the Slurm queue. qsp submit does not submit "
            f"them again; scancel {jobs} cancels them.",
        )
    if status.queue_unknown and not status.is_done:
        _print_line(
            console,
            f"The Slurm queue is unknown: {status.queue_unknown}. Shards in it count as missing.",
        )


def count_shards(count: int) -> str:
    """Return a number of shards in words."""
    return "1 shard" if count == 1 else f"{count} shards"


def _print_line(console: Console, line: str) -> None:
    console.print(line, markup=False, soft_wrap=True)


def _counts(status: Status) -> str:
    return f"{len(status.done)} of {len(status.plan.shards)} shards, {len(status.running)} running"


def _pace(patients_per_s: float, seconds_left: float) -> str:
    rate = f"{patients_per_s:,.0f}" if patients_per_s >= 10.0 else f"{patients_per_s:.1f}"
    return f"{rate} patients/s, {seconds_left / 60.0:,.1f} min left"
