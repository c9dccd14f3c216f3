"""How good the predictions are, over the last examples: River's AUC and log-loss on a window."""

from collections import deque
from collections.abc import Iterable
from typing import Any

from river import metrics

WINDOW = 2_000
"""Examples that the figures look back on."""


class Quality:
    """Predictions beside their outcomes, the last WINDOW of them; the figures are exact over that window.

    Its whole state is `pairs`, so that a restored one shows the same figures.
    """

    def __init__(self, pairs: Iterable[tuple[bool, float]] = ()) -> None:
        self.pairs: deque[tuple[bool, float]] = deque(pairs, maxlen=WINDOW)

    def update(self, label: bool, p: float) -> None:
        """Note what was predicted and what came of it."""
        self.pairs.append((label, p))

    def auc(self) -> float | None:
        """Area under the ROC curve (River's RollingROCAUC); None while one of the outcomes is missing."""
        if len({label for label, _ in self.pairs}) < 2:
            return None
        return self._figure(metrics.RollingROCAUC(window_size=WINDOW))  # type: ignore[no-untyped-call]

    def log_loss(self) -> float | None:
        """Mean of -log of the probability given to what happened (River's LogLoss); None if empty."""
        return self._figure(metrics.LogLoss()) if self.pairs else None  # type: ignore[no-untyped-call]

    def _figure(self, metric: Any) -> float:  # noqa: ANN401 - River's metrics share no typed base
        for label, p in self.pairs:
            metric.update(label, p)
        return float(metric.get())
