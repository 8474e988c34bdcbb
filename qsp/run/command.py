"""The command that makes a run again, each option once."""

import shlex
from pathlib import Path

from qsp.config import Config
from qsp.run.request import Request

# Options of the command line that are keys of the config.
_OPTIONS = {
    "patients": "--patients",
    "seed": "--seed",
    "method.solver": "--solver",
    "method.rtol": "--rtol",
}


def command_of(request: Request, config: Config) -> str:
    """What was run, without arguments that were overruled or that change nothing."""
    words = ["qsp", "run", str(request.config)]
    files = {
        "--parameters": request.parameters,
        "--covariates": request.covariates,
        "--out": request.out,
    }
    for key, text in _effective(config.source.overrides):
        if _is_idle(key, request):
            continue
        value = text.partition("=")[2].strip()
        words += [_OPTIONS[key], value] if key in _OPTIONS else ["--set", text]
    for option, path in files.items():
        words += [] if path is None else [option, str(path)]
    return shlex.join(words + (["--typical"] if request.typical else []))


def _effective(overrides: tuple[tuple[str, str], ...]) -> list[tuple[str, str]]:
    """The overrides that no later one replaces, by the same key or by a table that holds it."""
    kept = []
    for n, (key, text) in enumerate(overrides):
        later = [other for other, _ in overrides[n + 1 :]]
        if not any(key == other or key.startswith(f"{other}.") for other in later):
            kept.append((key, text))
    return kept


def _is_idle(key: str, request: Request) -> bool:
    """The typical patient is not drawn, and a file of covariates says who is in the run."""
    if key == "patients":
        return request.covariates is not None
    return key == "seed" and request.typical


def request_of(command: str) -> Request:
    """What a recorded command asked for.

    Args:
        command: As `command_of` gives it.
    """
    _, _, config, *words = shlex.split(command)
    keys = {option: key for key, option in _OPTIONS.items()}
    paths: dict[str, Path] = {}
    changes: list[str] = []
    typical = False
    while words:
        option = words.pop(0)
        if option == "--typical":
            typical = True
        elif option == "--set":
            changes.append(words.pop(0))
        elif option in keys:
            changes.append(f"{keys[option]}={words.pop(0)}")
        else:
            paths[option] = Path(words.pop(0))
    return Request(
        config=Path(config),
        overrides=tuple(changes),
        parameters=paths.get("--parameters"),
        covariates=paths.get("--covariates"),
        typical=typical,
        out=paths.get("--out"),
    )
