"""Limits of validity of a run: those of its population, and those of the model."""

from collections.abc import Sequence

LIMITS: Sequence[str] = (
    "For research, not for clinical decisions. It says nothing about a single patient.",
    "Parameters were fitted in sample to published CRS rates of nine molecules and to published "
    "response of ten; most are held by priors.",
    "Grades follow from fever and leak, indices of three cytokines, against thresholds. No "
    "threshold for CRS is validated.",
    "Heights of cytokine peaks are known only as the product of production and loss: published "
    "half-lives of IL-6 in humans range from 20 minutes to 17 hours.",
    "Resting T cells within reach of a tumor are assumed to kill as activated ones do, so that "
    "tumor response depends little on activation and on steroids.",
    "Monte Carlo intervals cover the finite number of virtual patients only. The uncertainty of "
    "the model is larger.",
)


def limits(card: str) -> list[str]:
    """Return the limits of validity of a run, one sentence or two each.

    Args:
        card: Description of the population; its paragraphs come first.
    """
    return [" ".join(part.split()) for part in card.strip().split("\n\n")] + list(LIMITS)
