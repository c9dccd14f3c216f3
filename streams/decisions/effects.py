"""What deciding leaves behind, besides the changed row: records to be written in the same transaction."""

from dataclasses import dataclass, field

from schemas.action import Outgoing
from schemas.decision import Decision
from schemas.example import Example, ExamplesWatermark


@dataclass(slots=True)
class Effects:
    """Outputs of one batch, in the order they arose."""

    actions: list[Outgoing] = field(default_factory=list)
    decisions: list[Decision] = field(default_factory=list)
    examples: list[Example | ExamplesWatermark] = field(default_factory=list)
