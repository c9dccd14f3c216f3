"""Recently seen products, each once, in the order of event time."""

from schemas.customer import MAX_VIEWED, Customer, Viewed
from schemas.event import Millis
from schemas.touchpoints.web import ProductViewed
from streams.customers.products import short


def view(row: Customer, event: ProductViewed, at: Millis) -> None:
    """Remember the product as seen at `at`, ms; its newest view counts. The newest MAX_VIEWED stay."""
    product, viewed = event.product, row.viewed
    product_id = product.product_id
    for place, known in enumerate(viewed):
        if known.product_id == product_id:
            if at < known.at:
                return
            del viewed[place]
            break
    place = len(viewed)
    while place and viewed[place - 1].at > at:
        place -= 1
    name, category = short(product.name), short(product.category)
    viewed.insert(place, Viewed(product_id, at, name, category, product.price, event.event_id))
    if len(viewed) > MAX_VIEWED:
        del viewed[0]
