"""Whether a soak ends as it began: what is compared, and how much it may differ."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from statistics import median, mode
from typing import NamedTuple

from tests.soak.faults import MOVING
from tests.soak.samples import Look, Moment, Struck

WARM_UP, END = 0.2, 0.8
"""Shares of the time. What is compared: the fifth after the warm-up, and the last one."""

MEMORY_GROWTH = 0.10
"""Of a process that lived from the warm-up to the end, at the same number of tasks.

What the allocator keeps for itself is given back before it is looked at (tests/soak/trim.py), but not the pages of
which a part is in use: the first few times that it takes another's tasks over there are more of these. So a run in
which not every way of moving tasks came within the warm-up is not judged by this, only by what follows.
"""
MEMORY_IN_PEACE = 0.05
"""The same, summed over the times between faults after the warm-up, in which nothing needs more than before."""
FILES_MORE = 8
"""Sockets to the broker come and go by a few: one for each client that has just connected anew."""
THREADS_MORE = 8
"""One a task, which its first commit starts; a client has some more while it connects anew."""
TIMERS_APART = 0.15
"""The customers are the same; how many wait for something varies with what they happen to do."""
ROW_GROWTH = 0.10
LAG_SECONDS = 2.0
"""A usual lag at the end is at most what flows in this time, or twice that of the beginning."""
BEHIND_SECONDS = 2.0
"""So far behind the wall's may stream time usually be at the end. What is sent or taken behind its time is late by the
soak's own fault.
"""
FLOWED = 0.8
"""Share of the planned rate that must have flowed: how much a simulated customer does is a mean."""
FEWEST_LOOKS = 5
CALM_SECONDS = 5.0


class Compared(NamedTuple):
    """One thing that must end where it began. `says` is a sentence."""

    name: str
    begins: float
    ends: float
    is_green: bool
    says: str


class Outcome(NamedTuple):
    """What is known when nothing flows any more."""

    lag: int
    doubled: int
    letters: Counter[str]
    provoked: Counter[str]
    books: Mapping[str, tuple[float, float]]
    """By worker: consumed, and applied + duplicate + late + dead."""
    happened: Mapping[str, int]
    """What must have happened at all, or the soak was none."""


def judge(moments: Sequence[Moment], struck: Sequence[Struck], seconds: float, rate: float) -> list[Compared]:
    """Compare the fifth after the warm-up with the last one, and what flowed with `rate`, events/s."""
    begin = [each for each in moments if WARM_UP * seconds <= each.at < 2 * WARM_UP * seconds]
    end = [each for each in moments if END * seconds <= each.at <= seconds]
    peace = _peace(moments, struck, seconds)
    is_settled = _is_settled(struck, seconds)
    names = sorted(_names(begin) & _names(end))
    found = [each for name in names for each in _process(name, begin, end, peace, is_settled)]
    if not found:
        found.append(_unseen("no worker was seen often enough, after the warm-up and at the end"))
    found.append(_more("open files", begin, end, "files", FILES_MORE))
    found.append(_more("threads", begin, end, "threads", THREADS_MORE))
    found.append(_timers(begin, end))
    found.append(_rows(begin, end))
    flowed = moments[-1].sent / seconds if moments else 0.0
    found.append(_lag(begin, end, flowed))
    found.append(_behind(end))
    found.append(_flow(rate, flowed))
    return found


def settle(outcome: Outcome) -> list[Compared]:
    """Judge what is left when nothing flows any more."""
    found = [
        _equal("lag at the end", 0, outcome.lag, "records are not taken"),
        _equal("actions with an id seen before", 0, outcome.doubled, "actions were said twice"),
    ]
    for reason in sorted(outcome.letters.keys() | outcome.provoked.keys()):
        found.append(
            _equal(
                f"dead letters: {reason}",
                outcome.provoked[reason],
                outcome.letters[reason],
                "dead letters are not those that were provoked",
            )
        )
    for name, (consumed, counted) in outcome.books.items():
        found.append(_equal(f"books of {name}", consumed, counted, "the books do not balance"))
    found += [
        Compared(name, 1, many, many > 0, f"{name}: {many:,}") for name, many in outcome.happened.items()
    ]
    return found


def _process(
    name: str, begin: list[Moment], end: list[Moment], peace: list[list[Moment]], is_settled: bool
) -> list[Compared]:
    """At the number of tasks that it had most of the time: with all of them it needs more of everything."""
    usual = mode(look.tasks or 0 for look in (*_looks(begin, name), *_looks(end, name)))
    first, last = ([look for look in _looks(part, name) if look.tasks == usual] for part in (begin, end))
    if min(len(first), len(last)) < FEWEST_LOOKS:
        return []
    memory = _medians(first, last, lambda look: look.memory)
    calm = [[look for look in _looks(span, name) if look.tasks == usual] for span in peace]
    return [
        _overall(name, memory, is_settled),
        _in_peace(name, memory[0], calm),
    ]


def _is_settled(struck: Sequence[Struck], seconds: float) -> bool:
    """Whether tasks had been moved in every way when the warm-up ended."""
    moved = {each.name for each in struck if each.until <= WARM_UP * seconds}
    return moved >= set(MOVING)


def _peace(moments: Sequence[Moment], struck: Sequence[Struck], seconds: float) -> list[list[Moment]]:
    """What was seen after the warm-up between one fault and the next, but for the first seconds after it."""
    ends = [each.until + CALM_SECONDS for each in struck]
    begins = [each.at for each in struck]
    spans = zip([WARM_UP * seconds, *ends], [*begins, seconds], strict=True)
    return [
        [each for each in moments if max(begin, WARM_UP * seconds) <= each.at < end] for begin, end in spans
    ]


def _overall(name: str, memory: tuple[float, float], is_settled: bool) -> Compared:
    compared = _grown(f"memory of {name}, MiB", memory, MEMORY_GROWTH)
    if is_settled:
        return compared
    why = "not judged: tasks were still moved in new ways after the warm-up"
    return compared._replace(is_green=True, says=f"{compared.says}; {why}")


def _in_peace(name: str, first: float, spans: list[list[Look]]) -> Compared:
    seen = [[look.memory for look in span] for span in spans if len(span) >= 2 * FEWEST_LOOKS]
    if not seen:
        return _unseen(
            f"{name} was never seen long enough between two faults: the run is too short to tell a leak"
        )
    grown = sum(median(span[-FEWEST_LOOKS:]) - median(span[:FEWEST_LOOKS]) for span in seen)
    return _grown(f"memory of {name} between faults, MiB", (first, first + grown), MEMORY_IN_PEACE)


def _timers(begin: list[Moment], end: list[Moment]) -> Compared:
    """Summed over the workers, where all of them answer and hold all tasks between them."""
    first, last = _whole(begin, "timers"), _whole(end, "timers")
    if first is None or last is None:
        return _unseen("the timers were seen too seldom to be judged")
    apart = abs(last - first) / max(1.0, first)
    says = (
        f"open timers went from {first:,.0f} to {last:,.0f} ({apart:.0%} apart, {TIMERS_APART:.0%} allowed)"
    )
    return Compared("open timers", first, last, apart <= TIMERS_APART, says)


def _rows(begin: list[Moment], end: list[Moment]) -> Compared:
    first, last = _rows_of(begin), _rows_of(end)
    if not first or not last:
        return _unseen("the rows were seen too seldom to be judged")
    compared = _grown("bytes a row", (first["bytes"], last["bytes"]), ROW_GROWTH)
    if compared.is_green:
        return compared
    grown = (
        f"{name} {first[name]:.1f} → {last[name]:.1f}" for name in first if last[name] > 1.1 * first[name]
    )
    return compared._replace(says=f"{compared.says}: {', '.join(grown)}")


def _lag(begin: list[Moment], end: list[Moment], rate: float) -> Compared:
    first, last = _whole(begin, "lag"), _whole(end, "lag")
    if first is None or last is None:
        return _unseen("the lag was seen too seldom to be judged")
    allowed = max(2 * first, LAG_SECONDS * rate)
    says = f"the usual lag went from {first:,.0f} to {last:,.0f} records ({allowed:,.0f} allowed)"
    return Compared("lag, records", first, last, last <= allowed, says)


def _behind(end: list[Moment]) -> Compared:
    """A machine that is too busy holds up the flow too, and then there is no lag to be seen."""
    known = [
        [lag for look in moment.workers if (lag := look.watermark_lag) is not None] for moment in whole(end)
    ]
    seen = [max(each) for each in known if each]
    if len(seen) < FEWEST_LOOKS:
        return _unseen("stream time was seen too seldom to be judged")
    usual = median(seen)
    says = f"stream time was usually {usual:.1f} s behind the wall's at the end ({BEHIND_SECONDS:g} allowed)"
    return Compared("stream time behind, s", 0, usual, usual <= BEHIND_SECONDS, says)


def _flow(rate: float, flowed: float) -> Compared:
    says = f"{flowed:,.0f} events/s flowed of {rate:,.0f} planned ({FLOWED:.0%} wanted)"
    return Compared("events/s", rate, flowed, flowed >= FLOWED * rate, says)


def _grown(name: str, values: tuple[float, float], allowed: float) -> Compared:
    first, last = values
    growth = last / first - 1 if first else 0.0
    says = f"{name}: {first:,.1f} → {last:,.1f} ({growth:+.1%}, {allowed:+.0%} allowed)"
    return Compared(name, first, last, growth <= allowed, says)


def _more(name: str, begin: list[Moment], end: list[Moment], what: str, allowed: int) -> Compared:
    """Summed over the workers: who of them teaches the models has some more than the others, and that changes."""
    first, last = _whole(_full(begin), what), _whole(_full(end), what)
    if first is None or last is None:
        return _unseen(f"the {name} were seen too seldom to be judged")
    says = f"{name} of all workers: {first:g} → {last:g} ({allowed} more allowed)"
    return Compared(name, first, last, last - first <= allowed, says)


def _full(moments: list[Moment]) -> list[Moment]:
    """Those at which as many workers as usual have all the tasks between them, and each has some."""
    seen = [moment for moment in moments if all(look.tasks for look in moment.workers)]
    usual = mode(len(moment.workers) for moment in seen) if seen else 0
    return [moment for moment in seen if len(moment.workers) == usual]


def _equal(name: str, wanted: float, found: float, fault: str) -> Compared:
    is_green = wanted == found
    says = f"{name}: {found:,.0f}" if is_green else f"{name}: {found:,.0f} instead of {wanted:,.0f}: {fault}"
    return Compared(name, wanted, found, is_green, says)


def _unseen(says: str) -> Compared:
    return Compared("what was seen", FEWEST_LOOKS, 0, False, says)


def _names(moments: Iterable[Moment]) -> set[str]:
    return {look.name for moment in moments for look in moment.workers}


def _looks(moments: Iterable[Moment], name: str) -> list[Look]:
    return [look for moment in moments for look in moment.workers if look.name == name]


def _medians(begin: list[Look], end: list[Look], value: Callable[[Look], float]) -> tuple[float, float]:
    return median(map(value, begin)), median(map(value, end))


def whole(moments: Sequence[Moment]) -> list[Moment]:
    """Those at which the workers hold as many tasks between them as they usually do: all of them."""
    if not moments:
        return []
    held = [sum(look.tasks or 0 for look in moment.workers) for moment in moments]
    usual = mode(held)
    return [moment for moment, many in zip(moments, held, strict=True) if many == usual]


def _whole(moments: list[Moment], what: str) -> float | None:
    """The median of the workers' sum, of the moments at which all tasks are held."""
    sums = [sum(getattr(look, what) or 0 for look in moment.workers) for moment in whole(moments)]
    return median(sums) if len(sums) >= FEWEST_LOOKS else None


def _rows_of(moments: list[Moment]) -> dict[str, float]:
    """The medians of what the changelog said of the rows."""
    seen = [moment.rows for moment in moments if moment.rows]
    return {name: median(each[name] for each in seen) for name in seen[0]} if seen else {}
