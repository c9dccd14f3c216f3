"""How this project speaks to Redis: it answers soon or not at all; waiting is the caller's decision."""

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

CONNECT_SECONDS = 1.0
ANSWER_SECONDS = 3.0


def connect(url: str) -> Redis:
    """A client for this URL; nothing is sent yet. Raises ValueError for a URL that is not Redis's."""
    return Redis.from_url(
        url,
        socket_connect_timeout=CONNECT_SECONDS,
        socket_timeout=ANSWER_SECONDS,
        retry=Retry(NoBackoff(), 0),
    )
