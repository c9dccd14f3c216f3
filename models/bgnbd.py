"""How likely a customer is to be gone, from the rhythm of the purchases alone: BG/NBD in closed form.

Fader, Hardie and Lee, "Counting Your Customers the Easy Way: An Alternative to the Pareto/NBD Model",
Marketing Science 24(2), 2005. Customers buy at random at a rate of their own (gamma over customers) and may
drop out after any purchase (beta over customers).
"""

import math
from typing import NamedTuple

from schemas.event import Millis

WEEK_MS: Millis = 7 * 86_400_000


class Population(NamedTuple):
    """The four numbers of the model; `r` and `alpha` (weeks) of the rates, `a` and `b` of the drop-out."""

    r: float
    alpha: float
    a: float
    b: float


CDNOW = Population(r=0.243, alpha=4.414, a=0.793, b=2.426)
"""The estimates that the paper publishes for the customers of CDNOW. Nothing of this shop is in them."""


def silence(
    purchases: int,
    first_at: Millis | None,
    last_at: Millis | None,
    now: Millis,
    horizon_ms: Millis,
    population: Population = CDNOW,
) -> float:
    """P(no purchase in the next `horizon_ms`), strictly between 0 and 1, given the history until `now`.

    With x repeat purchases, the last at t_x, the first T ago, horizon t (weeks):

        P(alive) = 1 / (1 + a / (b + x - 1) * ((alpha + T) / (alpha + t_x)) ** (r + x))      (1 for x = 0)
        P(none)  = 1 - P(alive) * (1 - ((alpha + T) / (alpha + T + t)) ** (r + x))

    Many quick purchases and then a long silence make P(alive) fall soon; the same silence of a slow buyer
    hardly moves it. A customer who never bought is treated as one who bought once, now.
    """
    r, alpha, a, b = population
    first = now if first_at is None else first_at
    last = first if last_at is None else last_at
    repeats = max(purchases - 1, 0)
    age = max(now - first, 0) / WEEK_MS
    recency = min(max(last - first, 0) / WEEK_MS, age)
    alive = 1.0
    if repeats:
        odds = math.log(a / (b + repeats - 1)) + (r + repeats) * math.log((alpha + age) / (alpha + recency))
        alive = 1.0 / (1.0 + math.exp(min(odds, 700.0)))
    quiet: float = ((alpha + age) / (alpha + age + horizon_ms / WEEK_MS)) ** (r + repeats)
    return 1.0 - alive * (1.0 - quiet)
