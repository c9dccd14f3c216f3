"""The policy: every number a shop may choose. Defaults are the field's; durations are written like `45m`."""

import re
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from schemas.event import Millis

_UNITS: dict[str, Millis] = {"ms": 1, "s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}


def _duration(value: object) -> object:
    if not isinstance(value, str):
        raise ValueError("a duration is a number with a unit: 500ms, 5s, 45m, 2h, 30d")
    found = re.fullmatch(r"(\d+)\s*(ms|s|m|h|d)", value.strip())
    if found is None:
        raise ValueError("a duration is a number with a unit: 500ms, 5s, 45m, 2h, 30d")
    return int(found[1]) * _UNITS[found[2]]


Duration = Annotated[Millis, BeforeValidator(_duration)]
"""A duration of the policy: text with a unit in the file, ms in the code."""

Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]


class Section(BaseModel):
    """A part of the policy. A field it does not know is an error: a typo must not be silent."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Time(Section):
    """Event time."""

    grace: Duration = 5_000
    """How far the timer clock stays behind stream time."""
    max_ahead: Duration = 600_000
    """An event further ahead of the wall clock is refused."""
    default_zone: str = "UTC"


class Contacts(Section):
    """How often marketing may speak to one customer, and how held candidates are looked at again."""

    cap: int = Field(default=3, ge=0, le=100)
    cap_window: Duration = 7 * 86_400_000
    held_retry: Duration = 60_000


class Policy(Section):
    """Everything."""

    version: str = Field(min_length=1, max_length=64)
    time: Time = Time()
    contacts: Contacts = Contacts()
