"""Sessions: activity without a gap of more than 30 minutes of event time, whatever the order of arrival."""

from schemas.customer import MAX_SESSIONS, Customer, Session
from schemas.event import Millis

SESSION_GAP: Millis = 30 * 60_000


def extend(row: Customer, at: Millis, views: int = 0, adds: int = 0) -> None:
    """Let one act at `at`, ms, join the session it belongs to, begin one, or join two into one.

    Law: two acts are in the same session if and only if no gap of more than SESSION_GAP lies between them
    (exactly the gap still joins), for any order of arrival. The newest MAX_SESSIONS are kept; acts before the
    oldest of a full list are not counted.
    """
    sessions = row.sessions
    if sessions:
        last = sessions[-1]
        if last.start <= at <= last.end + SESSION_GAP:
            if at > last.end:
                last.end = at
            last.events += 1
            last.views += views
            last.adds += adds
            return
    _insert(sessions, Session(at, at, 1, int(views), int(adds)))


def _insert(sessions: list[Session], new: Session) -> None:
    place = len(sessions)
    while place and sessions[place - 1].start > new.start:
        place -= 1
    sessions.insert(place, new)
    if place + 1 < len(sessions) and sessions[place + 1].start - new.end <= SESSION_GAP:
        _join(sessions, place)
    if place and new.start - sessions[place - 1].end <= SESSION_GAP:
        _join(sessions, place - 1)
    if len(sessions) > MAX_SESSIONS:
        del sessions[0]


def _join(sessions: list[Session], place: int) -> None:
    """Make one session of the one at `place` and its successor."""
    first, second = sessions[place], sessions.pop(place + 1)
    first.end = max(first.end, second.end)
    first.events += second.events
    first.views += second.views
    first.adds += second.adds
