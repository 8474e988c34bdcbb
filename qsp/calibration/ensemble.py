"""Ensemble of parameter sets from the Laplace approximation of a fit, as a file of the package.

The file is CSV: comment lines with the header in TOML, then one line for each member with the value
of each parameter of `calibration.toml`, in the unit stated there. Its header holds a hash of the
fitted values in the parameter files, so that an ensemble of other values is refused.
"""

from __future__ import annotations

import csv
import dataclasses
import hashlib
import io
import json
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np

from qsp import shipped
from qsp.calibration import unseen, written
from qsp.calibration.laplace import Laplace
from qsp.calibration.parameters import CRS, RESPONSE, Parameter, overriding_values, read
from qsp.calibration.problem import FILE
from qsp.calibration.written import Written
from qsp.errors import ConfigError
from qsp.model import MODEL_VERSION
from qsp.molecules import ParameterFile, read_toml
from qsp.version import PACKAGE

SHIPPED = FILE.with_name("ensemble.csv")
MEMBERS = 50
"""Members of the shipped ensemble."""
SEED = 1
RENEW = "Run scripts/calibrate --stage ensemble --write after a fit"
_FORMAT = 1
_TRIES = 1000
"""Draws of a member before its fit is found to be against the rules."""


@dataclasses.dataclass(frozen=True)
class Ensemble:
    """Parameter sets that agree with the data of a fit about equally well.

    Args:
        parameters: Parameters.
        values: Values (member, parameter), in the units of the parameters.
        seed: Seed of the draws.
        digest: Hash of the fitted values in the parameter files.
        unseen: Names of the parameters of molecules without published values.
    """

    parameters: tuple[Parameter, ...]
    values: np.ndarray
    seed: int
    digest: str
    unseen: tuple[str, ...] = ()

    def __len__(self) -> int:
        """Return the number of members."""
        return len(self.values)

    def applying(self, molecule: str, disease: str) -> tuple[Parameter, ...]:
        """Return the parameters that apply to a molecule in a disease."""
        kinds = (CRS, RESPONSE)
        return tuple(
            each
            for each in self.parameters
            if any(each.applies(molecule, disease, kind) for kind in kinds)
        )

    def file(self, member: int, molecule: str, disease: str) -> ParameterFile:
        """Return the values of a member for a molecule in a disease, as a file that overrides.

        Args:
            member: Number of the member, from 0.
            molecule: Name of the molecule.
            disease: Disease, as named in the population.
        """
        names = [each.name for each in self.parameters]
        values = dict(zip(names, self.values[member].tolist(), strict=True))
        return overriding_values(self.applying(molecule, disease), values)


def draw(
    found: Laplace, *, members: int = MEMBERS, seed: int = SEED, file: Path = FILE
) -> Ensemble:
    """Draw an ensemble; a member depends on the seed and its number only.

    Members whose thresholds of CRS are not in the order of the grades are drawn again.

    Args:
        found: Laplace approximation of a fit of all parameters.
        members: Number of members.
        seed: Seed.
        file: Parameters of the fit.

    Raises:
        ConfigError: If the fit has no Jacobian, or is of other parameters.
    """
    tables, parameters = read(file)
    if not found.has_derivatives:
        todo = "Run the stage fit with --iterations 1 or more"
        raise ConfigError("ensemble", "the fit must have a Jacobian", "zeros only", todo)
    if found.names != tuple(each.name for each in parameters):
        rule = f"the fit must be of the parameters of {file.name}"
        raise ConfigError("ensemble", rule, "others", "Run the stage fit again")
    rows = [_member(found, tables, parameters, (seed, n)) for n in range(members)]
    known = _with_following(tables, parameters)
    values = np.array([[row[each.name] for each in known] for row in rows])
    z = dict(zip(found.names, found.z, strict=True))
    texts = written.values(parameters, z, tables["means"], tables["ratios"])
    names = tuple(each.parameter.name for each in unseen.means(tables, parameters))
    return Ensemble(known, values, seed, _digest(texts), names)


def _member(
    found: Laplace,
    tables: unseen.Tables,
    parameters: tuple[Parameter, ...],
    seed: tuple[int, int],
) -> dict[str, float]:
    """Return the values of a member by name."""
    random = np.random.default_rng(seed)
    means, ratios = tuple(unseen.means(tables, parameters)), unseen.ratios(tables, parameters)
    ratios = tuple(ratios)
    for _ in range(_TRIES):
        z = found.at(random.normal(size=len(parameters)))
        values = {each.name: each.value(z[n]) for n, each in enumerate(parameters)}
        values |= {each.parameter.name: each.value(values, random.normal()) for each in means}
        values |= {each.parameter.name: each.value(values) for each in ratios}
        if _ordered(_with_following(tables, parameters), values):
            return values
    rule = "thresholds of CRS must increase with the grade"
    raise ConfigError("ensemble", rule, f"in none of {_TRIES} draws", "Fit again")


def _ordered(parameters: Iterable[Parameter], values: Mapping[str, float]) -> bool:
    """Whether thresholds of leak, of grades 2 to 4, increase; that of fever has another index."""
    by_path = {each.path: values[each.name] for each in parameters}
    leak = [by_path[path] for n in (2, 3, 4) if (path := f"severity.level.grade_{n}") in by_path]
    return all(low < high for low, high in zip(leak, leak[1:], strict=False))


def _with_following(
    tables: unseen.Tables, parameters: tuple[Parameter, ...]
) -> tuple[Parameter, ...]:
    """Return the parameters with those that follow from them."""
    means = (each.parameter for each in unseen.means(tables, parameters))
    ratios = (each.parameter for each in unseen.ratios(tables, parameters))
    return (*parameters, *means, *ratios)


def text(ensemble: Ensemble) -> str:
    """Return the file of an ensemble."""
    out = io.StringIO()
    out.write("# Parameter sets drawn from the Laplace approximation of the fit (scripts/calibrate")
    out.write(" --stage ensemble);\n# parameters and units: calibration.toml\n")
    header = {
        "format": _FORMAT,
        "model_version": MODEL_VERSION,
        "values_sha256": ensemble.digest,
        "seed": ensemble.seed,
    }
    for key, value in header.items():
        out.write(f"#: {key} = {json.dumps(value)}\n")
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(("member", *(each.name for each in ensemble.parameters)))
    for n, row in enumerate(ensemble.values, start=1):
        writer.writerow((n, *(f"{value:.6g}" for value in row)))
    return out.getvalue()


def read_ensemble(file: Path = SHIPPED, *, parameters: Path = FILE) -> Ensemble:
    """Read an ensemble of the shipped parameter values.

    Args:
        file: File of the ensemble.
        parameters: Parameters of the fit.

    Raises:
        ConfigError: If the file is missing, of another format, or of other parameter values.
    """
    if not file.is_file():
        raise ConfigError(str(file), "the ensemble must exist", "missing", RENEW)
    lines = file.read_text(encoding="utf-8").splitlines()
    header = tomllib.loads("\n".join(each[2:] for each in lines if each.startswith("#:")))
    tables, known = read(parameters)
    _check_header(header, tables, known, file.name)
    rows = list(csv.reader(each for each in lines if not each.startswith("#")))
    whole = _with_following(tables, known)
    if not rows or rows[0] != ["member", *(each.name for each in whole)]:
        rule = f"the columns must be the parameters of {parameters.name}"
        raise ConfigError(file.name, rule, "others", RENEW)
    values = np.array([[float(cell) for cell in row[1:]] for row in rows[1:]])
    names = tuple(each.parameter.name for each in unseen.means(tables, known))
    return Ensemble(whole, values, int(header["seed"]), str(header["values_sha256"]), names)


def _check_header(
    header: Mapping[str, object], tables: unseen.Tables, known: tuple[Parameter, ...], where: str
) -> None:
    if header.get("format") != _FORMAT:
        got = f"format {header.get('format')}"
        raise ConfigError(where, f"the ensemble must have format {_FORMAT}", got, RENEW)
    if header.get("model_version") != MODEL_VERSION:
        rule = f"the ensemble must be of model {MODEL_VERSION}"
        raise ConfigError(where, rule, f"of model {header.get('model_version')}", RENEW)
    if header.get("values_sha256") != shipped_digest(tables, known):
        rule = "the ensemble must be of the values in the parameter files"
        raise ConfigError(where, rule, "drawn around other values", RENEW)


def shipped_digest(tables: unseen.Tables, parameters: tuple[Parameter, ...]) -> str:
    """Return the hash of the fitted values in the parameter files.

    Args:
        tables: Other keys of the file of the parameters.
        parameters: Parameters of the fit.
    """
    zero = dict.fromkeys((each.name for each in parameters), 0.0)
    places = written.values(parameters, zero, tables["means"], tables["ratios"])
    contents: dict[str, dict] = {}
    found = []
    for place in places:
        if place.file not in contents:
            contents[place.file] = read_toml(_path(place.file))
        found.append(place._replace(text=_value(contents[place.file], place)))
    return _digest(found)


def _path(file: str) -> Path:
    """Return the file of the package, or of the shipped populations, of a fitted value."""
    folder, _, rest = file.partition("/")
    if folder == "populations":
        return shipped.folder("populations") / rest
    return PACKAGE / rest


def _value(content: Mapping, place: Written) -> str:
    for key in place.path.split("."):
        content = content[key]
    return str(content["value"])


def _digest(found: Iterable[Written]) -> str:
    """Return the hash of values by file and path; their order and status do not enter."""
    texts = sorted((each.file, each.path, each.text) for each in found)
    return hashlib.sha256(json.dumps([MODEL_VERSION, texts]).encode()).hexdigest()
