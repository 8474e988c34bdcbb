"""Arguments and options that commands share, as annotated types for typer."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

ConfigArg = Annotated[
    Path, typer.Argument(help="Trial configuration: a TOML file, or the name of a shipped one.")
]
FolderArg = Annotated[Path, typer.Argument(help="Folder of the run.")]
Changes = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Override a key of the config."),
]
Patients = Annotated[int | None, typer.Option(min=1, help="Number of virtual patients.")]
Seed = Annotated[int | None, typer.Option(help="Seed of the population.")]
ParameterFile = Annotated[
    Path | None, typer.Option(help="TOML file with your own parameter values.")
]
CovariateFile = Annotated[
    Path | None, typer.Option(help="CSV file with the covariates of your own patients.")
]
Uncertainty = Annotated[
    int | None,
    typer.Option(metavar="N", help="Also simulate the patients at N parameter sets of the fit."),
]
Force = Annotated[bool, typer.Option("--force", help="Replace an existing run.")]
Quiet = Annotated[bool, typer.Option("--quiet", help="Print errors only.")]

# Tables, for programs; see `qsp.cli.output`
AsCsv = Annotated[bool, typer.Option("--csv", help="Print the table as CSV.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print the table as JSON.")]
TableFile = Annotated[
    Path | None,
    typer.Option("--to", metavar="FILE", help="Also write the table to a .csv or .json file."),
]

# Runs in shards
RunArg = Annotated[Path, typer.Argument(help="Folder of a run in shards.")]
Partition = Annotated[str, typer.Option(help="Slurm partition.", show_default="that of the site")]
Minutes = Annotated[int, typer.Option(min=3, help="Time limit of a shard in minutes.")]
Cpus = Annotated[int, typer.Option(min=1, help="Cores of a shard.")]
Gpus = Annotated[int, typer.Option(min=0, max=1, help="GPUs of a shard, 0 or 1.")]
MemoryGb = Annotated[float, typer.Option("--memory-gb", help="Memory of a shard in GB.")]
AtOnce = Annotated[
    int, typer.Option(min=1, help="Shards of a submission that may run at the same time.")
]
More = Annotated[
    list[str] | None,
    typer.Option("--sbatch", metavar="KEY=VALUE", help="A further option of sbatch."),
]
Cache = Annotated[
    bool,
    typer.Option(
        "--cache/--no-cache", help="Share compiled programs between shards, in the folder."
    ),
]
MaxAttempts = Annotated[
    int, typer.Option("--attempts", min=1, help="Failures after which a shard is not tried again.")
]
OnSlurm = Annotated[bool, typer.Option("--slurm", help="Submit a job array of Slurm.")]
OnThisMachine = Annotated[
    bool, typer.Option("--local", help="Run processes of this machine, and wait.")
]
OnDask = Annotated[
    str, typer.Option("--dask", metavar="ADDRESS", help="Run on a dask cluster, and wait.")
]
Again = Annotated[
    bool, typer.Option("--again", help="Also retry shards that reached the limit of attempts.")
]
Workers = Annotated[int, typer.Option(min=1, help="Processes of --local.")]
