"""What stands in the customer's way: noted when shown, forgotten when overcome."""

from schemas.customer import MAX_OBSTACLES, Customer, Obstacle
from schemas.event import Millis
from schemas.touchpoints.web import Searched
from streams.customers.products import short


def note(obstacles: list[Obstacle], obstacle: Obstacle) -> None:
    """Keep the obstacle, by event time; the newest MAX_OBSTACLES stay."""
    place = len(obstacles)
    while place and obstacles[place - 1].at > obstacle.at:
        place -= 1
    obstacles.insert(place, obstacle)
    if len(obstacles) > MAX_OBSTACLES:
        del obstacles[0]


def overcome(
    obstacles: list[Obstacle], at: Millis, kind: str | None = None, detail: str | None = None
) -> None:
    """Forget the obstacles met up to `at`, ms: all of them, or those of the kind, or of the kind and
    detail.
    """
    if obstacles:
        obstacles[:] = [
            each
            for each in obstacles
            if each.at > at
            or (kind is not None and each.kind != kind)
            or (detail is not None and each.detail != detail)
        ]


def search(row: Customer, event: Searched, at: Millis) -> None:
    """A search that finds nothing is an obstacle; one that finds something overcomes it."""
    if event.results == 0:
        note(row.obstacles, Obstacle("no_results", at, event.event_id, short(event.query)))
    elif event.results:
        overcome(row.obstacles, at, "no_results")
