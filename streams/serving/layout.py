"""Where the serving view's parts stand in Redis. One database may hold the views of several applications.

`<app>:c:<key>`   the customer's packed row (schemas/customer.py)
`<app>:d:<key>`   a sorted set of the newest decisions as JSON, scored by their offset
`<app>:i:<id>`    an identifier, with its prefix as in a key, → the customer's key
`<app>:progress`  a hash: the next offset of every partition, the topics' ids, who wrote last and when
"""

from dataclasses import dataclass

from schemas.customer import Customer
from schemas.event import KEY_PREFIXES

MAX_DECISIONS = 50


@dataclass(frozen=True, slots=True)
class Layout:
    """The names of one application's keys."""

    app_id: str

    @property
    def progress(self) -> str:
        """The hash of the progress."""
        return f"{self.app_id}:progress"

    @property
    def patterns(self) -> tuple[str, ...]:
        """Patterns that match every key but the progress."""
        return tuple(f"{self.app_id}:{part}:*" for part in "cdi")

    def row(self, key: str) -> str:
        """The customer's row."""
        return f"{self.app_id}:c:{key}"

    def decisions(self, key: str) -> str:
        """The customer's decisions."""
        return f"{self.app_id}:d:{key}"

    def pointer(self, identifier: str) -> str:
        """The pointer from an identifier to the customer's key."""
        return f"{self.app_id}:i:{identifier}"


def identifiers(row: Customer) -> frozenset[str]:
    """Every identifier of the row in the form of a key (`c:42`, `a:9f…`), the row's own key left out."""
    found = {
        f"{prefix}{value}"
        for field, prefix in KEY_PREFIXES
        if (value := getattr(row.identity, field, None)) is not None
    }
    found.update(f"a:{each}" for each in row.identity.anonymous_ids)
    return frozenset(found - {row.key})
