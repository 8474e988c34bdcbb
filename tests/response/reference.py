"""The response rules once more, one patient and one visit at a time in exact arithmetic.

Written from the criteria, not from `qsp.response`. Measures are fractions, so that comparisons with
limits are exact; None is a missed visit.
"""

from dataclasses import dataclass, field
from fractions import Fraction
from math import inf, nan

NE, PD, SD, PR, VGPR, CRI, CR = range(7)


@dataclass
class Judged:
    """Verdict of a rule on one visit: progression, progression to be confirmed, or a level."""

    time: float
    level: int
    measure: Fraction
    progression: bool = False
    suspicion: bool = False


@dataclass
class Result:
    """Response of a patient; see `qsp.response.Outcomes`."""

    category: list[int]
    best: int = NE
    best_unconfirmed: int = NE
    response_time: float = nan
    complete_time: float = nan
    progression_time: float = nan
    progression_free: tuple[float, bool] = (0.0, False)
    response: tuple[float, bool] = (nan, False)
    complete: tuple[float, bool] = (nan, False)
    change: list[float] = field(default_factory=list)
    best_change: float = nan


def last_day(death, clinical):
    return min(death, clinical)


def settle(judged, if_last):
    """Turn each suspicion into progression if the next assessed visit agrees."""
    for n, here in enumerate(judged):
        if here.suspicion and not here.progression:
            rest = judged[n + 1 :]
            agrees = (rest[0].progression or rest[0].suspicion) if rest else if_last
            here.progression = agrees
            if agrees:
                return  # nothing after it counts


def summarize(times, judged, baseline, death, clinical, needed=0):
    """Best response and times; `needed` is None without confirmation, else the interval in days."""
    out = Result([NE] * len(times), change=[nan] * len(times))
    by_time = {each.time: each for each in judged}
    before = []
    for n, time in enumerate(times):
        here = by_time.get(time)
        if here is None:
            continue
        out.change[n] = float(here.measure / baseline - 1) * 100
        out.best_change = min_of(out.best_change, out.change[n])
        if here.progression:
            out.category[n] = PD
            out.progression_time = time
            break
        out.category[n] = here.level
        before.append(here)
    else:
        if clinical < death and clinical < inf:
            out.progression_time = clinical
    ends = [t for t in (out.progression_time, death) if t == t and t < inf]
    last = max((each.time for each in judged), default=0.0)
    out.progression_free = (min(ends), True) if ends else (last, False)
    out.best = out.best_unconfirmed = floor_of(before, out.progression_time)
    found = {level: counted(before, level, needed) for level in (PR, VGPR, CRI, CR)}
    for level, start in found.items():
        if start is not None:
            out.best = max(out.best, level)
    out.best_unconfirmed = max([out.best_unconfirmed, *(each.level for each in before)])
    end, is_event = out.progression_free
    if found[PR] is not None:
        out.response_time, out.response = found[PR], (end - found[PR], is_event)
    if found[CR] is not None:
        out.complete_time, out.complete = found[CR], (end - found[CR], is_event)
    return out


def floor_of(before, progression_time):
    if before:
        return SD
    return PD if progression_time == progression_time else NE


def min_of(known, new):
    return new if known != known else min(known, new)


def counted(before, level, needed):
    """Start of the first run of visits at a level that counts, None without."""
    start = None
    for here in before:
        if here.level < level:
            start = None
            continue
        if start is None:
            start = here.time
            if needed is None:
                return start
            continue
        if here.time - start >= needed:
            return start
    return None


def assessed(times, values, death, clinical):
    """Times and values of the visits that count."""
    end = last_day(death, clinical)
    return [(t, v) for t, v in zip(times, values, strict=True) if v is not None and 0 < t < end]


def lugano(times, nodes, start, new, death=inf, clinical=inf, pet=True, lyric=False):
    """`nodes`: per visit None, or a list of (long, short, viable) [cm, cm, mL]; `start` alike."""
    low = [list(node[:2]) + [node[0] * node[1]] for node in start]
    base = sum(node[0] * node[1] for node in start)
    judged = []
    marked = [None if v is None else (v, new[n]) for n, v in enumerate(nodes)]
    for time, (visit, has_new) in assessed(times, marked, death, clinical):
        grows = has_new
        for node, nadir in zip(visit, low, strict=True):
            long, short, _ = node
            step = Fraction(1, 2) if nadir[0] <= 2 else Fraction(1)
            up = long - nadir[0] > step or short - nadir[1] > step
            if long > Fraction(3, 2) and long * short >= Fraction(3, 2) * nadir[2] and up:
                grows = True
        for node, nadir in zip(visit, low, strict=True):
            nadir[0], nadir[1] = min(nadir[0], node[0]), min(nadir[1], node[1])
            nadir[2] = min(nadir[2], node[0] * node[1])
        size = sum(node[0] * node[1] for node in visit)
        if pet:
            complete = all(node[2] < Fraction(15, 100) for node in visit)
        else:
            complete = all(node[0] <= Fraction(3, 2) for node in visit)
        level = CR if complete else PR if 2 * size <= base else SD
        doubtful = lyric and not judged
        if doubtful and grows:
            level = SD
        judged.append(Judged(time, level, size, grows and not doubtful, grows and doubtful))
    settle(judged, if_last=True)
    return summarize(times, judged, base, death, clinical, needed=None)


def recist(times, sums, start, new, death=inf, clinical=inf, confirmed=True, nodal=False):
    """`sums`: per visit None, or a list of diameters in cm."""
    base = low = sum(start)
    judged = []
    marked = [None if v is None else (v, new[n]) for n, v in enumerate(sums)]
    for time, (visit, has_new) in assessed(times, marked, death, clinical):
        size = sum(visit)
        grows = has_new or (5 * size >= 6 * low and size - low >= Fraction(1, 2))
        low = min(low, size)
        gone = all(each < (1 if nodal else Fraction(1, 2)) for each in visit)
        level = CR if gone else PR if 10 * size <= 7 * base else SD
        judged.append(Judged(time, level, size, grows))
    return summarize(times, judged, base, death, clinical, 28 if confirmed else None)


def imwg(times, visits, start, new, isotype, death=inf, clinical=inf):
    """`visits`: per visit None, or (protein, cells, share, [(long, short, viable)])."""
    step = Fraction(1, 10) if isotype == 2 else Fraction(5)
    undetected = Fraction(2, 100) if isotype == 2 else Fraction(15, 100)
    protein_0, cells_0, _, extra_0 = start
    low, base = protein_0, sum(a * b for a, b, _ in extra_0)
    low_size, low_long = base, [a for a, *_ in extra_0]
    judged = []
    marked = [None if v is None else (v, new[n]) for n, v in enumerate(visits)]
    for time, ((protein, cells, share, extra), has_new) in assessed(times, marked, death, clinical):
        size = sum(a * b for a, b, _ in extra)
        rises = 4 * protein >= 5 * low and protein - low >= step
        pairs = list(zip(extra, low_long, strict=True))
        extra_grows = any(b > 1 and 2 * a >= 3 * low_a for (a, b, _), low_a in pairs)
        if len(extra) > 1 and 2 * size >= 3 * low_size:
            extra_grows = extra_grows or any(b > 1 for _, b, _ in extra)
        certain = has_new or extra_grows or 2 * cells >= 5 * cells_0
        low, low_size = min(low, protein), min(low_size, size)
        low_long = [min(a, low_a) for (a, *_), low_a in pairs]
        level = SD
        if 2 * size <= base:
            if 2 * protein <= protein_0:
                level = PR
            if 10 * protein <= protein_0:
                level = VGPR
            clean = all(v < Fraction(15, 100) for *_, v in extra)
            if protein < undetected and share < Fraction(5, 100) and clean:
                level = CR
        judged.append(Judged(time, level, protein, certain, rises))
    settle(judged, if_last=False)
    return summarize(times, judged, protein_0, death, clinical, 0)


def blasts(times, shares, start, recovers, death=inf, clinical=inf, second_cycle=70):
    """`shares`: per visit None, or the share of blasts."""
    judged, had = [], False
    for time, share in assessed(times, shares, death, clinical):
        clear = share < Fraction(5, 100)
        had = had or clear
        failed = not clear and (had or time >= second_cycle)
        level = (CR if recovers else CRI) if clear else SD
        judged.append(Judged(time, level, share, failed))
    return summarize(times, judged, start, death, clinical, needed=None)
