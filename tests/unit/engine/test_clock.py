from itertools import pairwise

from streams.clock import PACE, SteadyClock

START = 1_750_000_000_000
SECOND, HOUR = 1_000, 3_600_000


class Host:
    """A host whose wall clock can jump."""

    def __init__(self) -> None:
        self.wall, self.passed = START, 7
        self.clock = SteadyClock(lambda: self.wall, lambda: self.passed)

    def pass_by(self, ms: int) -> None:
        self.wall += ms
        self.passed += ms


def test_a_clock_that_keeps_time_is_believed_whatever_passes_between_two_looks() -> None:
    host = Host()
    for ms in (0, 1, 200, SECOND, 100 * HOUR):
        host.pass_by(ms)
        assert host.clock.now() == host.wall


def test_a_jump_ahead_moves_it_no_faster_than_the_pace() -> None:
    host = Host()
    host.wall += 24 * HOUR
    seen = [host.clock.now()]
    for _ in range(600):
        host.pass_by(SECOND)
        seen.append(host.clock.now())
    assert seen[0] == START
    assert {after - before for before, after in pairwise(seen)} == {PACE * SECOND}


def test_after_a_mended_jump_it_keeps_time_again() -> None:
    host = Host()
    host.wall += 24 * HOUR
    host.pass_by(SECOND)
    host.clock.now()
    host.wall -= 24 * HOUR
    host.pass_by(10 * SECOND)
    assert host.clock.now() == host.wall == START + 11 * SECOND


def test_a_jump_that_stays_is_reached_in_the_end() -> None:
    host = Host()
    host.wall += HOUR
    for _ in range(3600):
        host.pass_by(SECOND)
        host.clock.now()
    assert host.clock.now() == host.wall


def test_a_jump_that_events_made_too_is_followed_at_once_and_no_further() -> None:
    host = Host()
    host.wall += 8 * HOUR
    assert host.clock.now(reached=START + 7 * HOUR) == START + 7 * HOUR
    assert host.clock.now() == START + 7 * HOUR


def test_events_ahead_of_the_wall_clock_do_not_move_it() -> None:
    host = Host()
    assert host.clock.now(reached=START + HOUR) == START


def test_a_step_back_and_forth_again_is_no_jump() -> None:
    host = Host()
    host.wall -= HOUR
    host.pass_by(SECOND)
    assert host.clock.now() == host.wall
    host.wall += HOUR
    host.pass_by(SECOND)
    assert host.clock.now() == host.wall
