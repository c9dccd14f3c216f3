import re

import pytest

from schemas.customer import Contact, Customer
from streams.customers.phrases import OBSTACLES, PHRASES, STAGES
from streams.customers.portrait import Language, portrait
from tests.unit.customers.builders import DAY, HOUR, T0, arrival, day, folded, order, product, web


def regular() -> Customer:
    purchases = [
        order("order_placed", T0 + i * 7 * DAY, f"O{i}", items=[product("P1", 2.5, 4)], total=20)
        for i in range(3)
    ]
    late = order("item_backordered", T0 + 15 * DAY, "O2", item_id="P1", promised_at=day(T0 + 16 * DAY))
    now = T0 + 20 * DAY
    row = folded(
        *purchases,
        late,
        web("product_viewed", now - 3 * HOUR, product=product("P2"), context={"locale": "es-ES"}),
        web("product_added", now - 2 * HOUR, cart_id="K1", product=product("P2", 4, 2)),
        web("checkout_step_viewed", now - 2 * HOUR, cart_id="K1", step="payment"),
        web("payment_failed", now - HOUR, cart_id="K1", reason="card refused"),
        arrival("consent", "granted", now - HOUR, purpose="marketing", channel="email", evidence="form"),
    )
    row.contacts.append(Contact("A1", "t", "k", "email", "marketing", now, now + 1))
    return row


def test_a_regular_customer_in_english() -> None:
    assert portrait(regular(), T0 + 20 * DAY, "en") == [
        "Known since 2025-06-15.",
        "Last active an hour ago.",
        "Language and time zone: es-ES.",
        "Bought 3 times, for 60.00 in all; the last time 6 days ago.",
        "Usually buys every 7 days, give or take 0.",
        "Is waiting for order O0, placed on 2025-06-15.",
        "Is waiting for order O1, placed on 2025-06-22.",
        "Is waiting for order O2, placed on 2025-06-29.",
        "Late: The P1, promised for 2025-07-01.",
        "Looked at one product in the last 7 days.",
        "Looked last at: The P2.",
        "Has an unfinished cart: 2 pieces, 8.00; got as far as the checkout (payment), an hour ago.",
        "What probably stopped them: a failed payment (card refused).",
        "Agreed to marketing only by: email.",
        "Has not agreed to having their behaviour analysed.",
        "One message is on its way, not sent yet.",
    ]


def test_a_regular_customer_in_spanish() -> None:
    told = portrait(regular(), T0 + 20 * DAY, "es")
    assert len(told) == len(portrait(regular(), T0 + 20 * DAY, "en"))
    assert told[3] == "Ha comprado 3 veces, por 60.00 en total; la última, hace 6 días."
    assert told[12] == "Lo que probablemente le detuvo: un pago rechazado (card refused)."


@pytest.mark.parametrize("language", ["es", "en"])
def test_of_a_stranger_little_is_said_and_nothing_made_up(language: Language) -> None:
    told = portrait(folded(web("page_viewed", T0)), T0, language)
    assert len(told) == 5
    assert not any("None" in sentence or "{" in sentence for sentence in told)


def test_both_languages_know_the_same_phrases_with_the_same_facts() -> None:
    facts = {
        language: {name: sorted(re.findall(r"{(\w+)}", text)) for name, text in phrases.items()}
        for language, phrases in PHRASES.items()
    }
    assert facts["es"] == facts["en"]
    assert STAGES["es"].keys() == STAGES["en"].keys()
    assert OBSTACLES["es"].keys() == OBSTACLES["en"].keys()
