"""What a trigger proposes: something that could be said to a customer, with what was seen."""

from typing import NamedTuple

from schemas.action import Bilingual, BusinessKey, Category, Content
from schemas.decision import Condition
from schemas.event import Millis
from schemas.touchpoints.consent import Channel


class Candidate(NamedTuple):
    """A proposal; gates make of it an action, a deferral or a suppression. Times in ms.

    `category` is fixed in the trigger's code. `occurrence` tells two firings for the same business key apart
    (it is hashed into the action's id). `cancels_on` names the touchpoints whose silence would make the
    proposal unsafe: while one of them is stale, the candidate is held.
    """

    trigger: str
    category: Category
    business_key: BusinessKey
    occurrence: str
    at: Millis
    expires_at: Millis
    channels: tuple[Channel, ...]
    template_id: str
    priority: int
    reason_code: str
    reason_internal: Bilingual
    reason_customer: Bilingual
    conditions: tuple[Condition, ...]
    evidence: tuple[str, ...]
    content: Content = Content()
    by_person: bool = False
    cancels_on: tuple[str, ...] = ()
    score: float | None = None
    model: str | None = None
    model_version: int | None = None
    features: dict[str, float] | None = None
    horizon_ms: Millis | None = None
