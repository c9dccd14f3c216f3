"""How the feeds and the models do, which decisions lean on."""

from streams.metrics.catalogue import Catalogue


class InputMetrics:
    """Freshness of feeds, quality and age of models."""

    def _watch_feeds(self, has: Catalogue) -> None:
        self.feed_freshness_seconds = has.gauge(
            "feed_freshness_seconds",
            "touchpoint source",
            "Age of the newest record of the feed.",
            "Ask the source's owner; meanwhile the triggers that the feed would cancel are held.",
        )
        self.feed_stale = has.gauge(
            "feed_stale",
            "touchpoint task",
            "1 while the task takes the touchpoint for silent and holds the triggers that it would cancel.",
            "See feed_freshness_seconds for which source; nothing is sent wrongly, it waits.",
        )

    def _watch_models(self, has: Catalogue) -> None:
        self.model_auc = has.gauge(
            "model_auc",
            "model",
            "Prequential area under the ROC curve.",
            "Falling to 0.5: the model guesses; see model_examples and the labels' delay.",
        )
        self.model_log_loss = has.gauge(
            "model_log_loss",
            "model",
            "Prequential log-loss.",
            "Rising: drift; look at the share of positive labels.",
        )
        self.model_version = has.gauge(
            "model_version",
            "model",
            "Version of the newest published snapshot; 0 is the cold-start rule.",
            "Stands still: the learner is down or no examples come.",
        )
        self.model_examples = has.gauge(
            "model_examples",
            "model",
            "Examples that the model has learned from.",
            "Stands still while examples_total grows: the learner is down.",
        )
        self.snapshot_age_seconds = has.gauge(
            "snapshot_age_seconds",
            "model",
            "Age of the model's snapshot that the tasks score with.",
            "Old: see model_version; scoring goes on with the last one.",
        )
