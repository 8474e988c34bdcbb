"""Mechanisms: one file of the model or of the supportive drugs each, told by its own docstrings."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from types import ModuleType

from qsp import interventions, model
from qsp.explain import parameters
from qsp.explain.values import Files


def _paths() -> dict[str, str]:
    """Module by name of the mechanism."""
    in_model = [info.name for info in pkgutil.iter_modules(model.__path__)]
    return {
        **{name: f"{model.__name__}.{name}" for name in in_model},
        **{name: f"{interventions.__name__}.{name}" for name in interventions.INTERVENTIONS},
    }


def names(_: Files) -> list[str]:
    """Mechanisms of the model, and the supportive drugs."""
    return list(_paths())


def lines(name: str, files: Files) -> list[str]:
    """The idea, the functions and the parameters of a mechanism."""
    if name not in _paths():
        return []
    module = importlib.import_module(_paths()[name])
    told = [f"Mechanism {module.__name__}", *(inspect.getdoc(module) or "").splitlines()]
    if functions := _functions(module):
        told += ["", "Functions", *functions]
    of_drug = module.__name__.startswith(interventions.__name__)
    if values := parameters.of_group(f"supportive.{name}" if of_drug else name, files):
        told += ["", *values]
    return told


def _functions(module: ModuleType) -> list[str]:
    """First line of each public function, in the order of the file."""
    own = [
        function
        for name, function in inspect.getmembers(module, inspect.isfunction)
        if function.__module__ == module.__name__ and not name.startswith("_")
    ]
    own.sort(key=lambda function: function.__code__.co_firstlineno)
    return [f"  {f.__name__}: {(inspect.getdoc(f) or '').partition(chr(10))[0]}" for f in own]
