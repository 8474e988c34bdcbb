"""Explain mechanisms: modules of the model and of supportive drugs, by their docstrings."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from types import ModuleType

from qsp import interventions, model
from qsp.explain import equations, parameters
from qsp.explain.latex import plain
from qsp.explain.values import Files


def _paths() -> dict[str, str]:
    """Full module name by name of the mechanism."""
    in_model = [info.name for info in pkgutil.iter_modules(model.__path__)]
    return {
        **{name: f"{model.__name__}.{name}" for name in in_model},
        **{name: f"{interventions.__name__}.{name}" for name in interventions.INTERVENTIONS},
    }


def names(_: Files) -> list[str]:
    """Names of the mechanisms and supportive drugs."""
    return list(_paths())


def lines(name: str, files: Files) -> list[str]:
    """Docstring, functions, equations and parameters of a mechanism; empty for another name."""
    if name not in _paths():
        return []
    module = importlib.import_module(_paths()[name])
    text = [f"Mechanism {module.__name__}", *(inspect.getdoc(module) or "").splitlines()]
    if functions := _functions(module):
        text += ["", "Functions", *functions]
    if stated := [each for each in equations.collect() if each.module == module.__name__]:
        text += ["", "Equations", *(f"  Eq. {each.label}: {plain(each.latex)}" for each in stated)]
    is_drug = module.__name__.startswith(interventions.__name__)
    if values := parameters.of_group(f"supportive.{name}" if is_drug else name, files):
        text += ["", *values]
    return text


def _functions(module: ModuleType) -> list[str]:
    """Summary line of each public function, in the order of the file."""
    functions = [
        function
        for name, function in inspect.getmembers(module, inspect.isfunction)
        if function.__module__ == module.__name__ and not name.startswith("_")
    ]
    functions.sort(key=lambda function: function.__code__.co_firstlineno)
    return [
        f"  {each.__name__}: {(inspect.getdoc(each) or '').partition(chr(10))[0]}"
        for each in functions
    ]
