"""What the customer allows, per purpose and channel: the last word by event time, and denial in doubt."""

from typing import Literal, get_args

from schemas.customer import Customer, Permission
from schemas.event import Event, Millis
from schemas.touchpoints.consent import Channel, ConsentChanged, Purpose
from schemas.touchpoints.messages import MessageFeedback
from streams.customers.products import short

_PURPOSES: frozenset[str] = frozenset(get_args(Purpose))
_CHANNELS: frozenset[str] = frozenset(get_args(Channel))
_SIGN_OFFS = frozenset({"unsubscribed", "complained"})


def allows(row: Customer, purpose: Purpose, channel: Channel | None) -> bool:
    """Whether the purpose is granted, on that channel if one is named.

    Unknown is denied. Deny wins: while the purpose as such is denied or withdrawn, a channel's grant does not
    help; and a channel's denial stands against the general grant.
    """
    general = row.consent.get(purpose)
    if general is not None and general.status != "granted":
        return False
    special = None if channel is None else row.consent.get(f"{purpose}/{channel}")
    if special is not None:
        return special.status == "granted"
    return general is not None


def change(row: Customer, event: ConsentChanged, at: Millis) -> None:
    """Take the customer's word at `at`, ms."""
    key = event.purpose if event.channel is None else f"{event.purpose}/{event.channel}"
    _put(row, key, event.type, at, event.evidence)


def sign_off(row: Customer, event: MessageFeedback, at: Millis) -> None:
    """An unsubscription or a complaint withdraws marketing on its channel. Channels not ours say nothing."""
    if event.type in _SIGN_OFFS and event.channel in _CHANNELS:
        _put(row, f"marketing/{event.channel}", "withdrawn", at, event.event_id)


def forbid_as_seen(row: Customer, event: Event, seen: dict[str, bool], at: Millis) -> None:
    """What the event's source saw as refused is denied from `at`, ms, on; what it saw as granted says
    nothing.
    """
    for purpose, granted in seen.items():
        if not granted and purpose in _PURPOSES:
            _put(row, purpose, "denied", at, event.event_id)


def _put(
    row: Customer, key: str, status: Literal["granted", "denied", "withdrawn"], at: Millis, evidence: str
) -> None:
    """The last word by event time stays; at the same moment a refusal beats a grant."""
    known = row.consent.get(key)
    if known is not None and (at < known.at or (at == known.at and known.status != "granted")):
        return
    row.consent[key] = Permission(status, at, short(evidence) or "")
