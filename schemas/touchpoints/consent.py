"""Touchpoint `consent`: what the customer allows, per purpose and channel, with the evidence."""

from typing import Literal

from schemas.event import Event, Text
from schemas.touchpoints.touchpoint import Touchpoint

Purpose = Literal["profiling", "marketing"]
"""`profiling`: scores and examples may be made. `marketing`: marketing messages may be sent."""

Channel = Literal["email", "site", "app", "sms", "social", "call"]


class ConsentChanged(Event):
    """The customer granted, denied or withdrew a purpose; without `channel` it holds for all channels."""

    type: Literal["granted", "denied", "withdrawn"]
    purpose: Purpose
    channel: Channel | None = None
    evidence: Text
    """What proves it: a form's version, a call's id, a letter's date."""


ConsentEvent = ConsentChanged

TOUCHPOINT = Touchpoint(name="consent", event=ConsentEvent, allowed_lateness_ms=366 * 86_400_000)
"""What a customer said of consent is heard however late it is told: the latest word counts, and there are few."""
