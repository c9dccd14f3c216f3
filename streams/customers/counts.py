"""Counts over 1 h to 90 d of event time; what is counted does not depend on the order of arrival."""

from schemas.counts import KINDS, TIERS, Kind
from schemas.customer import Customer
from schemas.event import Millis

_TIERS_OF = {kind: tuple((kind + tier.suffix, tier.width, tier.keep) for tier in TIERS) for kind in KINDS}


def add(row: Customer, kind: Kind, at: Millis) -> None:
    """Count one of `kind` at `at`, ms.

    Law: each tier holds exactly what happened in its newest `keep` buckets, newest by event time. Old buckets
    leave when a newer one opens: by events alone.
    """
    counts = row.counts
    for name, width, keep in _TIERS_OF[kind]:
        bucket = at // width
        buckets = counts.get(name)
        if buckets is None:
            counts[name] = {bucket: 1}
        elif bucket in buckets:
            buckets[bucket] += 1
        else:
            _open(buckets, bucket, keep)


def _open(buckets: dict[int, int], bucket: int, keep: int) -> None:
    newest = max(buckets)
    if bucket > newest - keep:
        buckets[bucket] = 1
    if bucket > newest and min(buckets) <= bucket - keep:
        for old in [each for each in buckets if each <= bucket - keep]:
            del buckets[old]
