"""How good the predictions are, over the last examples: AUC and log-loss on a window."""

from collections import deque
from collections.abc import Collection, Iterable
from itertools import groupby
from typing import Any

from river import metrics

Pair = tuple[bool, float]
"""What came of it, and the probability that had been given to it."""

WINDOW = 2_000
"""Examples that the figures look back on."""


def auc(pairs: Collection[Pair]) -> float | None:
    """Area under the ROC curve, exact: the share of (positive, negative) pairs in the right order, ties half.

    By Mann and Whitney's rank sum. None while one of the outcomes is missing. (River's RollingROCAUC counts a
    tie as wrong, which makes 0 of a constant prediction, and ROCAUC is an approximation.)
    """
    positives = sum(label for label, _ in pairs)
    negatives = len(pairs) - positives
    if not positives or not negatives:
        return None
    rank_sum, below = 0.0, 0
    for _, tied in groupby(sorted(pairs, key=_p), key=_p):
        labels = [label for label, _ in tied]
        rank_sum += sum(labels) * (below + (len(labels) + 1) / 2)
        below += len(labels)
    return (rank_sum - positives * (positives + 1) / 2) / (positives * negatives)


def log_loss(pairs: Collection[Pair]) -> float | None:
    """Mean of -log of the probability given to what happened (River's LogLoss); None if empty."""
    if not pairs:
        return None
    metric: Any = metrics.LogLoss()  # type: ignore[no-untyped-call]
    for label, p in pairs:
        metric.update(label, p)
    return float(metric.get())


class Quality:
    """Predictions beside their outcomes, the last WINDOW of them.

    Its whole state is `pairs`, so that a restored one shows the same figures.
    """

    def __init__(self, pairs: Iterable[Pair] = ()) -> None:
        self.pairs: deque[Pair] = deque(pairs, maxlen=WINDOW)

    def update(self, label: bool, p: float) -> None:
        """Note what was predicted and what came of it."""
        self.pairs.append((label, p))

    def auc(self) -> float | None:
        """See `auc`; over the window."""
        return auc(self.pairs)

    def log_loss(self) -> float | None:
        """See `log_loss`; over the window."""
        return log_loss(self.pairs)


def _p(pair: Pair) -> float:
    return pair[1]
