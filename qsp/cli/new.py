"""The command that writes the file of a new molecule."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from qsp.errors import ConfigError

app = typer.Typer()
console = Console(highlight=False)

EXAMPLES = "approved/"
"""Beginning of the names of the configs that a new molecule is tried with."""


@app.command()
def new(
    molecule: Annotated[str, typer.Argument(help="Name of the molecule.")],
    out: Annotated[Path, typer.Option(help="Output folder.")] = Path(),
    like: Annotated[
        str | None, typer.Option(metavar="MOLECULE", help="Copy the values of this molecule.")
    ] = None,
    target: Annotated[
        str | None,
        typer.Option(
            metavar="ANTIGEN",
            help="Antigen of the molecule, such as BCMA.",
            show_default="CD20, to be changed",
        ),
    ] = None,
) -> None:
    """Write a file for a new molecule: placeholders, or the values of another molecule."""
    from qsp.molecules.template import write_copy, write_template

    if like is not None and target is not None:
        rule, todo = "the copy must have the target of its molecule", "Leave one of them out"
        raise ConfigError("--like", rule, "combined with --target", todo)
    try:
        out.mkdir(parents=True, exist_ok=True)
    except FileExistsError:
        todo = "Name a folder"
        raise ConfigError(str(out), "--out must be a folder", "a file", todo) from None
    if like is None:
        path = write_template(molecule, out, target=target)
    else:
        path = write_copy(molecule, out, like)
    console.print(f"Fill in {path}", markup=False, soft_wrap=True)
    if example := example_config(path, like):
        words = shlex.join(["--set", f"molecule={path.resolve()}"])
        for command in ("check", "run"):
            console.print(f"Next: qsp {command} {example} {words}", markup=False, soft_wrap=True)


def example_config(path: Path, like: str | None = None) -> str | None:
    """Return the name of a shipped config that runs with a molecule; None if none does.

    Args:
        path: File of the molecule.
        like: Molecule of the config; by default any with the same target.

    Returns:
        Of several, the config whose population is the most general.
    """
    from qsp import molecules, shipped
    from qsp import run as runs

    target = molecules.load(path).target
    found: list[tuple[int, str]] = []
    for name in shipped.names("configs"):
        if not name.startswith(EXAMPLES):
            continue
        config = shipped.folder("configs") / f"{name}.toml"
        table = molecules.read_toml(config)
        other = table["molecule"]
        if other == like or (like is None and molecules.load(other).target == target):
            found.append((_extensions(config.parent / table["population"]), name))
    for _, name in sorted(found):
        config = shipped.folder("configs") / f"{name}.toml"
        try:
            runs.prepare(runs.Request(config, (f"molecule={path.resolve()}", "patients=1")))
        except ConfigError:  # such as another route
            continue
        return name
    return None


def _extensions(population: Path) -> int:
    """Return the number of files of a population, which is larger for special patients."""
    from qsp.populations import read_cohort

    return len(read_cohort(population).files)
