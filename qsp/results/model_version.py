"""Results of another major version of the model: read with a banner, but not continued.

A major version changes equations and scales, so that values of two of them are not comparable, and
parameters of one may be missing in the other. Results of any version are read and reported. A
replay, and the shards of a plan, need the version that made them.
"""

from __future__ import annotations

import dataclasses

from qsp.errors import ConfigError, QSPWarning
from qsp.results.record import RunRecord

UNRECORDED = {"0.1.0": "1.0"}
"""Version of the model of results that do not record it, by version of the package."""

AFFECTED = "values of CRS, cytokines and T cells"
"""Values that the equations of each major version calculate differently."""


class OtherModelWarning(QSPWarning):
    """Results are of another major version of the model than this package, or than each other."""


@dataclasses.dataclass(frozen=True)
class OtherModel:
    """Another major version of the model, which made results.

    Args:
        version: Version of the model that made the results.
        current: Version of the model of this package.
        package: Version of the package that made the results.
    """

    version: str
    current: str
    package: str

    @property
    def heading(self) -> str:
        """The two versions."""
        return f"Results of model {self.version}; the current model is {self.current}"

    @property
    def advice(self) -> str:
        """How to use the results, without a full stop at the end."""
        return (
            f"The two models have different equations: do not compare {AFFECTED} in these results "
            "with those of a run of the current model. Run the trial again for such a comparison. "
            f"To repeat this run, install the version that made it, {self.package}"
        )

    def refusal(self, where: str, subject: str, todo: str) -> ConfigError:
        """Return the error of a command that would simulate with the current model.

        Args:
            where: Command or folder.
            subject: Results or plan, with the verb: "the results must".
            todo: Alternative to installing the other version.
        """
        rule = f"{subject} be of model {major(self.current)}, the model of this version"
        remedy = f"Install the version that made it, {self.package}, or {todo}"
        return ConfigError(where, rule, f"of model {self.version}", remedy)


def model_version(record: RunRecord) -> str:
    """Return the version of the model that made a run; "" if it is not known."""
    return record.model_version or UNRECORDED.get(record.qsp_version, "")


def major(version: str) -> str:
    """Return the major version: "1" of "1.2"."""
    return version.partition(".")[0]


def other_model(record: RunRecord) -> OtherModel | None:
    """Return the model that made a run, if its major version is not that of this package.

    Args:
        record: Record of the run; one without a version counts as one of this package.
    """
    from qsp.model import MODEL_VERSION  # figures and tables read records without loading the model

    version = model_version(record)
    if not version or major(version) == major(MODEL_VERSION):
        return None
    return OtherModel(version, MODEL_VERSION, _package(record))


def _package(record: RunRecord) -> str:
    """Return the version of the package, with the commit of a checkout."""
    known = record.qsp_version
    version = f"qsp {known}" if known else f"qsp with model {record.model_version}"
    return f"{version} (commit {record.git_commit})" if record.git_commit else version


def compared_models(first: RunRecord, second: RunRecord, names: tuple[str, str]) -> str:
    """Return a sentence on two runs of different major versions, without a full stop.

    Args:
        first: Record of a run.
        second: Record of the run that it is compared with.
        names: Names of the runs.

    Returns:
        The sentence; "" for runs of the same major version, or of versions that are not known.
    """
    versions = model_version(first), model_version(second)
    if not all(versions) or major(versions[0]) == major(versions[1]):
        return ""
    return (
        f"{names[0]} is of model {versions[0]} and {names[1]} of model {versions[1]}: {AFFECTED} "
        "differ between the models, so that a difference is not one between the treatments"
    )
