"""Number needed to treat with its interval, as text."""

from __future__ import annotations

import math

INFINITY = "∞"
_ONE_DECIMAL = 10.0


def number_needed(difference: float, lower: float, upper: float, *, is_harm: bool) -> str:
    """Return the number needed to treat for one patient more with benefit (NNTB) or harm (NNTH).

    An interval of the difference that includes 0 becomes two intervals that meet at infinity, such
    as "NNTB 12 (NNTB 5.0 to ∞ to NNTH 40)": the arm may prevent one event in 5 patients, or cause
    one in 40.

    Args:
        difference: Difference of two rates [1].
        lower: Lower bound of the difference [1].
        upper: Upper bound of the difference [1].
        is_harm: Whether the event is a harm, such as CRS, and not a benefit, such as a response.

    Returns:
        The number and its interval; "" if the difference or a bound is unknown.

    Source: Altman 1998, BMJ 317:1309.
    """
    if not all(map(math.isfinite, (difference, lower, upper))):
        return ""

    def text(change: float) -> str:
        if change == 0:
            return INFINITY
        number = 1.0 / abs(change)
        kind = "NNTB" if (change < 0) == is_harm else "NNTH"
        return f"{kind} {number:.1f}" if number < _ONE_DECIMAL else f"{kind} {number:,.0f}"

    bounds = (lower, upper) if is_harm else (upper, lower)  # the best one first
    if lower < 0 < upper:
        span = f"{text(bounds[0])} to {INFINITY} to {text(bounds[1])}"
    else:
        nearest, farthest = sorted(bounds, key=abs, reverse=True)
        span = f"{text(nearest)} to {text(farthest)}"
    return f"{text(difference)} ({span})"
