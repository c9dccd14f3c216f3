"""How numbers of a row become features: always finite, whatever the row holds."""

import math

from schemas.counts import DAY
from schemas.event import Millis


def log(x: float) -> float:
    """log(1 + x); 0 for anything below 0."""
    return math.log1p(x) if x > 0 else 0.0


def logit(p: float) -> float:
    """Log-odds of a probability above 0, within ±9."""
    return min(max(math.log(p / (1.0 - p)), -9.0), 9.0) if p < 1.0 else 9.0


def days(since: Millis | None, now: Millis) -> float:
    """Days from `since` to `now`, ms; 0 for the future and where it is unknown."""
    return max(now - since, 0) / DAY if since is not None else 0.0
