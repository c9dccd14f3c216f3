from schemas.customer import MAX_VIEWED
from tests.unit.customers.builders import T0, folded, product, web


def viewed(*moments: tuple[int, str]) -> list[tuple[int, str]]:
    row = folded(*(web("product_viewed", T0 + at, product=product(name)) for at, name in moments))
    return [(each.at - T0, each.product_id) for each in row.viewed]


def test_a_product_stands_once_at_its_newest_view() -> None:
    assert viewed((1, "P1"), (2, "P2"), (3, "P1")) == [(2, "P2"), (3, "P1")]


def test_products_stand_in_the_order_of_event_time_whatever_came_first() -> None:
    assert viewed((3, "P1"), (2, "P2"), (1, "P1")) == viewed((1, "P1"), (3, "P1"), (2, "P2"))


def test_the_newest_stay() -> None:
    expected = [(i, f"P{i}") for i in range(3, MAX_VIEWED + 3)]
    assert viewed(*((i, f"P{i}") for i in range(MAX_VIEWED + 3))) == expected
