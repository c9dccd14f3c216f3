"""The closed form against the model itself: customers who buy at random and drop out at random."""

import math

import pytest

from models.bgnbd import CDNOW, WEEK_MS, Population, silence
from models.churn import MODEL, bgnbd
from models.churn_features import churn_features
from tests.unit.models.builders import AT, buyer


def posterior(population: Population, repeats: int, recency: float, age: float, horizon: float) -> float:
    """The same probability by integrating over rate and drop-out on a grid (weeks), from the likelihood."""
    r, alpha, a, b = population
    none = total = 0.0
    for i in range(1, 1_500):
        rate = 0.004 * i
        for j in range(1, 300):
            p = j / 300
            prior = rate ** (r - 1) * math.exp(-alpha * rate) * p ** (a - 1) * (1 - p) ** (b - 1)
            alive = rate**repeats * math.exp(-rate * age) * (1 - p) ** repeats
            gone = (
                rate**repeats * math.exp(-rate * recency) * p * (1 - p) ** (repeats - 1) if repeats else 0.0
            )
            total += prior * (alive + gone)
            none += prior * (alive * math.exp(-rate * horizon) + gone)
    return none / total


@pytest.mark.parametrize(("repeats", "recency", "age"), [(1, 6.0, 10.0), (3, 10.0, 12.0), (6, 5.0, 20.0)])
def test_the_closed_form_is_the_integral(repeats: int, recency: float, age: float) -> None:
    population = Population(r=1.7, alpha=6.0, a=1.8, b=3.1)
    now = int(age * WEEK_MS)
    found = silence(repeats + 1, 0, int(recency * WEEK_MS), now, 13 * WEEK_MS, population)
    assert found == pytest.approx(posterior(population, repeats, recency, age, 13.0), abs=2e-3)


def test_silence_grows_more_likely_the_longer_it_lasts() -> None:
    values = [silence(5, 0, 20 * WEEK_MS, week * WEEK_MS, 13 * WEEK_MS) for week in range(20, 400, 10)]
    assert values == sorted(values)
    assert 0 < values[0] < values[-1] < 1


def test_who_never_bought_is_taken_as_one_who_bought_now() -> None:
    assert silence(0, None, None, AT, WEEK_MS) == silence(1, AT, AT, AT, WEEK_MS)


def test_the_published_estimates_are_used() -> None:
    assert CDNOW == (0.243, 4.414, 0.793, 2.426)


def test_the_rule_reads_the_closed_form_from_the_features() -> None:
    row = buyer(60, 40, 30)
    first, last = row.purchases.first_at, row.purchases.last_at
    assert bgnbd(churn_features(row, AT)) == pytest.approx(silence(3, first, last, AT, MODEL.horizon_ms))
