from typing import Any

import pytest

from schemas.event import Arrival
from schemas.touchpoints.consent import Channel, Purpose
from streams.customers.consent import allows
from tests.unit.customers.builders import T0, arrival, folded, web


def said(kind: str, at: int, channel: str | None = None, purpose: str = "marketing") -> Arrival:
    return arrival("consent", kind, at, purpose=purpose, channel=channel, evidence="form 7")


def feedback(kind: str, at: int, channel: str = "email") -> Arrival:
    return arrival("messages", kind, at, action_id="A1", channel=channel)


def seen(at: int, **consent: Any) -> Arrival:
    return web("page_viewed", at, context={"consent": consent})


Case = tuple[tuple[Arrival, ...], Purpose, Channel | None, bool]
CASES: dict[str, Case] = {
    "unknown is denied": ((), "marketing", "email", False),
    "unknown profiling is denied": ((), "profiling", None, False),
    "a general grant holds for a channel": ((said("granted", T0),), "marketing", "email", True),
    "a purpose is not another": ((said("granted", T0),), "profiling", None, False),
    "a channel's grant holds there": ((said("granted", T0, "email"),), "marketing", "email", True),
    "a channel's grant holds nowhere else": ((said("granted", T0, "email"),), "marketing", "sms", False),
    "a channel's grant is no general one": ((said("granted", T0, "email"),), "marketing", None, False),
    "a channel's denial stands against the general grant": (
        (said("granted", T0), said("denied", T0 - 1, "email")),
        "marketing",
        "email",
        False,
    ),
    "a general denial beats a later channel's grant": (
        (said("denied", T0), said("granted", T0 + 1, "email")),
        "marketing",
        "email",
        False,
    ),
    "the last word counts": ((said("denied", T0), said("granted", T0 + 1)), "marketing", "email", True),
    "the last word counts in any order": (
        (said("withdrawn", T0 + 1), said("granted", T0)),
        "marketing",
        "email",
        False,
    ),
    "denial wins a tie": ((said("denied", T0), said("granted", T0)), "marketing", "email", False),
    "denial wins a tie in any order": (
        (said("granted", T0), said("denied", T0)),
        "marketing",
        "email",
        False,
    ),
    "what the source saw refused is denied": (
        (said("granted", T0), seen(T0 + 1, marketing=False)),
        "marketing",
        "email",
        False,
    ),
    "what the source saw granted says nothing": ((seen(T0, marketing=True),), "marketing", "email", False),
    "what the source saw granted does not undo a grant": (
        (said("granted", T0), seen(T0 + 1, marketing=True)),
        "marketing",
        "email",
        True,
    ),
    "an older sight does not undo a grant": (
        (said("granted", T0), seen(T0 - 1, marketing=False)),
        "marketing",
        "email",
        True,
    ),
    "an unsubscription withdraws its channel": (
        (said("granted", T0), feedback("unsubscribed", T0 + 1)),
        "marketing",
        "email",
        False,
    ),
    "a complaint withdraws its channel": (
        (said("granted", T0), feedback("complained", T0 + 1)),
        "marketing",
        "email",
        False,
    ),
    "and no other channel": (
        (said("granted", T0), feedback("unsubscribed", T0 + 1)),
        "marketing",
        "sms",
        True,
    ),
    "other feedback withdraws nothing": (
        (said("granted", T0), feedback("bounced", T0 + 1)),
        "marketing",
        "email",
        True,
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_consent(name: str) -> None:
    story, purpose, channel, allowed = CASES[name]
    assert allows(folded(*story), purpose, channel) is allowed


def test_the_evidence_is_kept() -> None:
    row = folded(said("granted", T0, "email"), feedback("unsubscribed", T0 + 1))
    assert row.consent["marketing/email"].evidence == feedback("unsubscribed", T0 + 1).event.event_id


def test_only_known_purposes_and_channels_find_room_in_the_row() -> None:
    row = folded(seen(T0, astrology=False, profiling=False), feedback("unsubscribed", T0 + 1, "pigeon"))
    assert list(row.consent) == ["profiling"]
