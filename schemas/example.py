"""A labelled example: what a model was shown when it predicted, and what came of it."""

from typing import Literal

from pydantic import AwareDatetime

from schemas.event import Contract


class Example(Contract):
    """`example_id` is the hash of decision and horizon, so that the same example never teaches twice."""

    kind: Literal["example"] = "example"
    example_id: str
    model: str
    features: dict[str, float]
    label: bool
    p: float
    model_version: int
    decided_at: AwareDatetime
    resolved_at: AwareDatetime


class ExamplesWatermark(Contract):
    """The task promises that its later examples are resolved at `up_to` or after."""

    kind: Literal["watermark"] = "watermark"
    task: int
    up_to: AwareDatetime
