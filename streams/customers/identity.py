"""Who the customer is: every identifier seen, and the language and zone to meet them in."""

from schemas.customer import MAX_ALIASES, Customer
from schemas.event import Context, Event, Millis
from schemas.zones import is_zone


def identify(row: Customer, event: Event, at: Millis) -> None:
    """Fill the identity from an applied event at `at`, ms.

    An empty field takes the first value; a known one changes only for an event that is not older than the
    customer's last act. Of anonymous ids the newest MAX_ALIASES stay.
    """
    identity = row.identity
    is_newest = at >= row.last_seen
    if event.anonymous_id is not None and event.anonymous_id not in identity.anonymous_ids:
        identity.anonymous_ids.append(event.anonymous_id)
        if len(identity.anonymous_ids) > MAX_ALIASES:
            del identity.anonymous_ids[0]
    if event.customer_id is not None and (is_newest or identity.customer_id is None):
        identity.customer_id = event.customer_id
    if event.loyalty_card is not None and (is_newest or identity.loyalty_card is None):
        identity.loyalty_card = event.loyalty_card
    if event.email_hash is not None and (is_newest or identity.email_hash is None):
        identity.email_hash = event.email_hash
    if event.phone_hash is not None and (is_newest or identity.phone_hash is None):
        identity.phone_hash = event.phone_hash
    if event.device_id is not None and (is_newest or identity.device_id is None):
        identity.device_id = event.device_id
    if event.context is not None:
        _settle(row, event.context, is_newest)


def _settle(row: Customer, context: Context, is_newest: bool) -> None:
    identity = row.identity
    if context.locale and (is_newest or identity.locale is None):
        identity.locale = context.locale
    zone = context.time_zone
    if zone and zone != identity.time_zone and (is_newest or identity.time_zone is None) and is_zone(zone):
        identity.time_zone = zone
