"""A shop's module whose worker does in seconds what takes weeks, so that it happens while a test looks on.

Models speak after a few examples and are published often; watermarks of examples move the clock often.
"""

from models.scorers import MODELS
from streams.engine import learning, task
from tests.faults.oracle_models import ENOUGH


def register(app: object) -> None:
    """Set the numbers that no shop would."""
    task.WATERMARK_SECONDS = 1.0
    learning.PUBLISH_SECONDS = 0.5
    for model in MODELS:
        object.__setattr__(model, "min_examples", ENOUGH)
