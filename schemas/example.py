"""A labelled example: what a model was shown when it predicted, and what came of it."""

from schemas.contract import Contract
from schemas.event import Moment


class Example(Contract, tag_field="kind", tag="example"):
    """`example_id` is the hash of decision and horizon, so that the same example never teaches twice."""

    example_id: str
    model: str
    features: dict[str, float]
    label: bool
    p: float
    model_version: int
    decided_at: Moment
    resolved_at: Moment


class ExamplesWatermark(Contract, tag_field="kind", tag="watermark"):
    """The task promises that its later examples are resolved at `up_to` or after."""

    task: int
    up_to: Moment
