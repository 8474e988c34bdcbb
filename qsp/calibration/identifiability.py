"""Identifiability of a fit: spread of each parameter, learned directions, correlations."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence

import numpy as np

from qsp.calibration.laplace import LEARNED, Laplace
from qsp.calibration.parameters import Parameter

_SHOWN = 5
"""Directions that the card describes, best known first."""
_PARTS = 3
"""Parameters that describe a direction, largest first."""
_ALPHA, _BETA = "synapse.alpha", "synapse.beta50_act"


def table(parameters: Sequence[Parameter], found: Laplace) -> str:
    """Return the spread of each parameter as CSV, best known first.

    `prior_sd` and `posterior_sd` are those of the logarithm or logit, and `ratio` is their ratio.

    Args:
        parameters: Parameters of the fit, in its order.
        found: Distribution around the fit.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("parameter", "scale", "prior_sd", "posterior_sd", "ratio"))
    for n in np.argsort(found.sd, kind="stable"):
        each, ratio = parameters[n], found.sd[n]
        row = (f"{each.sd:g}", f"{each.sd * ratio:.3g}", f"{ratio:.3f}")
        writer.writerow((each.name, each.scale, *row))
    return text.getvalue()


def sentences(parameters: Sequence[Parameter], found: Laplace) -> list[str]:
    """Return what the data tell, as sentences for the card.

    Args:
        parameters: Parameters of the fit, in its order.
        found: Distribution around the fit.
    """
    sd, vectors = found.directions
    learned = int((sd < LEARNED).sum())
    known = [name for name, ratio in zip(found.names, found.sd, strict=True) if ratio < LEARNED]
    best = "; ".join(
        f"{sd[n]:.2f} ({_parts(found.names, vectors[:, n])})" for n in range(min(_SHOWN, learned))
    )
    ridge = ", ".join(
        f"{molecule} {value:.2f}" for molecule, value in alpha_beta50(parameters, found)
    )
    return [
        f"Learned directions: {learned} of {len(sd)} have a posterior sd below {LEARNED:g} of "
        f"that of the prior. Best known: {best or 'none'}.",
        f"Parameters with a posterior sd below {LEARNED:g} of that of the prior: "
        f"{', '.join(known) or 'none'}. All are in `identifiability.csv`.",
        f"Posterior correlation of alpha and beta50_act: {ridge or 'none'}.",
    ]


def alpha_beta50(parameters: Sequence[Parameter], found: Laplace) -> Iterator[tuple[str, float]]:
    """Yield each molecule with the posterior correlation of its alpha and beta50_act.

    Both are fitted to the same rates: a weaker bond and more bridges give the same activation.

    Args:
        parameters: Parameters of the fit.
        found: Distribution around the fit.
    """
    betas = {name: each for each in parameters if each.path == _BETA for name in each.molecules}
    for each in parameters:
        if each.path == _ALPHA:
            for molecule in each.molecules:
                if molecule in betas:
                    yield molecule, found.correlation(each.name, betas[molecule].name)


def _parts(names: Sequence[str], vector: np.ndarray) -> str:
    """Return the parameters of a direction, with their shares of its length squared."""
    largest = np.argsort(-np.abs(vector), kind="stable")[:_PARTS]
    return ", ".join(f"{names[n]} {vector[n] ** 2:.0%}".replace("%", " %") for n in largest)
