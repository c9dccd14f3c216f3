"""What people read: both languages, and for the customer neither a score nor a word of leaving."""

import re
from datetime import date

import pytest

from schemas.action import Bilingual
from schemas.customer import OrderItem
from schemas.event import Product
from streams.triggers import spoken
from streams.triggers.listing import product_of
from streams.triggers.order_news import NEWS
from streams.triggers.texts import WORDINGS, Wording, reasons

FORBIDDEN = re.compile(
    r"churn|risk|riesgo|abandon|fug|baja|score|puntuaci|propens|probab|predic|model|\{(score|threshold|p)\b|\d",
    re.IGNORECASE,
)
TRIGGERS = (
    *("abandonment.browse", "abandonment.cart", "abandonment.checkout"),
    *(f"abandonment.help.{cause}" for cause in ("payment_failed", "out_of_stock", "form_error")),
    *("churn_risk", "post_purchase.thanks", "post_purchase.replenishment"),
    *(f"post_purchase.{what}" for what in NEWS),
)
FACTS = {
    name: name
    for wording in WORDINGS.values()
    for text in (wording.internal.es, wording.internal.en, wording.customer.es, wording.customer.en)
    for name in re.findall(r"{(\w+)}", text)
}


def test_every_template_has_its_wording_and_no_wording_is_without_one() -> None:
    assert set(TRIGGERS) == set(WORDINGS)


@pytest.mark.parametrize("wording", WORDINGS.values(), ids=list(WORDINGS))
def test_the_customer_reads_no_score_and_no_word_of_leaving(wording: Wording) -> None:
    for text in (wording.customer.es, wording.customer.en):
        assert not FORBIDDEN.search(text)


@pytest.mark.parametrize("template_id", WORDINGS)
def test_both_languages_are_there_and_differ_and_name_the_same_facts(template_id: str) -> None:
    for text in WORDINGS[template_id]:
        assert text.es
        assert text.en
        assert text.es != text.en
        assert set(re.findall(r"{(\w+)}", text.es)) == set(re.findall(r"{(\w+)}", text.en))
    for filled in reasons(template_id, FACTS):
        assert "{" not in filled.es + filled.en


def test_a_fact_in_two_languages_goes_into_its_own() -> None:
    facts = {**FACTS, "promised": Bilingual(es="mañana", en="tomorrow")}
    _, customer = reasons("post_purchase.backorder", facts)
    assert "mañana" in customer.es
    assert "tomorrow" in customer.en


def test_braces_in_a_product_s_name_stay_as_they_are() -> None:
    _, customer = reasons("abandonment.browse", {**FACTS, "products": "{score}"})
    assert "{score}" in customer.en


def test_a_day_is_the_customer_s_and_an_unknown_zone_is_the_shop_s() -> None:
    midnight = 1_700_006_400_000  # 2023-11-15T00:00:00Z
    assert spoken.local_day(midnight, "America/Mexico_City", "UTC") == date(2023, 11, 14)
    for unknown in (None, "", "Mars/Phobos", "../etc/passwd", "\0"):
        assert spoken.local_day(midnight, unknown, "America/Mexico_City") == date(2023, 11, 14)
        assert spoken.local_day(midnight, unknown, "nowhere") == date(2023, 11, 15)


@pytest.mark.parametrize("zone", ["Asia/Tokyo", "Etc/GMT+12", None])
def test_a_moment_at_the_calendar_s_end_has_a_day(zone: str | None) -> None:
    end = 253_402_300_799_000  # 9999-12-31T23:59:59Z
    assert spoken.local_day(end, zone, "UTC").year == 9999
    assert spoken.local_day(2**63, zone, "UTC").year == 9999


def test_days_are_said_once_and_in_order() -> None:
    said = spoken.days([date(2024, 9, 2), date(2024, 8, 14), date(2024, 9, 2)])
    assert said == Bilingual(es="14 de agosto y 2 de septiembre", en="14 August and 2 September")


@pytest.mark.parametrize(
    ("count", "en"), [(1, "a"), (2, "a and b"), (3, "a, b and c"), (5, "a, b, c and 2 more")]
)
def test_three_products_are_named_and_the_rest_counted(count: int, en: str) -> None:
    assert spoken.products([Product(product_id=name) for name in "abcde"[:count]]).en == en


@pytest.mark.parametrize(
    ("kept", "said"),
    [(5.6e-17, 0.001), (0.25, 0.25), (5e8, 1e6), (0.0, 1.0)],
    ids=["dust", "", "heap", "unknown"],
)
def test_pieces_are_said_within_the_contract_s_range(kept: float, said: float) -> None:
    assert product_of(OrderItem("i", "p", kept)).quantity == said
