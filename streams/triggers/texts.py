"""Why something is said: for the shop's people, and for the customer, in Spanish and in English.

What the customer reads names what happened, never what a model thinks: no score, no talk of leaving or risk.
"""

from collections.abc import Mapping
from typing import NamedTuple

from schemas.action import Bilingual


class Wording(NamedTuple):
    """Both reasons of one template, with `{facts}` to be filled in."""

    internal: Bilingual
    customer: Bilingual


def reasons(template_id: str, facts: Mapping[str, str | Bilingual]) -> tuple[Bilingual, Bilingual]:
    """The internal and the customer's reason of a template. Raises KeyError for a missing fact."""
    es: dict[str, str] = {}
    en: dict[str, str] = {}
    for name, fact in facts.items():
        es[name], en[name] = (fact, fact) if isinstance(fact, str) else (fact.es, fact.en)
    internal, customer = WORDINGS[template_id]
    return (
        Bilingual(es=internal.es.format_map(es), en=internal.en.format_map(en)),
        Bilingual(es=customer.es.format_map(es), en=customer.en.format_map(en)),
    )


def _wording(internal_es: str, internal_en: str, es: str, en: str) -> Wording:
    return Wording(Bilingual(es=internal_es, en=internal_en), Bilingual(es=es, en=en))


WORDINGS: Mapping[str, Wording] = {
    "abandonment.browse": _wording(
        "Miró {count} productos y no puso ninguno en la cesta; {minutes} min sin actividad.",
        "Looked at {count} products and put none in the cart; {minutes} min without activity.",
        "Porque hace poco hubo interés en {products}.",
        "Because you recently looked at {products}.",
    ),
    "abandonment.cart": _wording(
        "Cesta abandonada ({value}) tras {minutes} min sin actividad; último paso: {step}; causa: {cause}.",
        "Cart abandoned ({value}) after {minutes} min without activity; last step: {step}; cause: {cause}.",
        "Porque la cesta sigue guardada con {products}.",
        "Because your cart is still saved, with {products}.",
    ),
    "abandonment.checkout": _wording(
        "Pago sin terminar ({value}) tras {minutes} min sin actividad; último paso: {step}; causa: {cause}.",
        "Checkout left ({value}) after {minutes} min without activity; last step: {step}; cause: {cause}.",
        "Porque un pedido quedó sin terminar, con {products}.",
        "Because an order was left unfinished, with {products}.",
    ),
    "abandonment.help.payment_failed": _wording(
        "El pago falló y la cesta ({value}) quedó en {step}; {minutes} min sin actividad. Ofrecer ayuda.",
        "The payment failed and the cart ({value}) stopped at {step}; {minutes} min without activity. Help.",
        "Porque el pago no salió bien y con gusto ayudamos a terminar el pedido de {products}.",
        "Because the payment did not go through, and we would gladly help to finish the order of {products}.",
    ),
    "abandonment.help.out_of_stock": _wording(
        "Faltaba un producto y la cesta ({value}) quedó en {step}; {minutes} min sin actividad. Ayudar.",
        "A product was missing, the cart ({value}) stopped at {step}; {minutes} min without activity. Help.",
        "Porque faltaba un producto y con gusto ayudamos a encontrar una solución.",
        "Because a product was not available, and we would gladly help to find a way.",
    ),
    "abandonment.help.form_error": _wording(
        "Un formulario dio error y la cesta ({value}) quedó en {step}; {minutes} min sin actividad. Ayudar.",
        "A form failed and the cart ({value}) stopped at {step}; {minutes} min without activity. Help.",
        "Porque un formulario no funcionó bien y con gusto ayudamos a terminar el pedido.",
        "Because a form did not work as it should, and we would gladly help to finish the order.",
    ),
    "churn_risk": _wording(
        "Riesgo de baja {score} (umbral {threshold}): {days} días sin comprar, ritmo propio {cadence} días.",
        "Churn risk {score} (threshold {threshold}): no purchase for {days} days, own rhythm {cadence} days.",
        "Porque ha pasado un tiempo desde el último pedido y nos alegraría volver a ser útiles.",
        "Because it has been a while since your last order, and we would be glad to be of use again.",
    ),
    "post_purchase.thanks": _wording(
        "Pedido {order} recibido, total {total}.",
        "Order {order} placed, total {total}.",
        "Porque hemos recibido el pedido {order}. ¡Gracias!",
        "Because we have received order {order}. Thank you!",
    ),
    "post_purchase.shipped": _wording(
        "Artículos enviados del pedido {order}: {products}.",
        "Items of order {order} shipped: {products}.",
        "Porque ya están en camino {products}, del pedido {order}.",
        "Because {products} of order {order} are on their way.",
    ),
    "post_purchase.backorder": _wording(
        "Faltan artículos del pedido {order}: {products}. Fecha prometida: {promised}.",
        "Items of order {order} are short: {products}. Promised date: {promised}.",
        "Porque falta una parte del pedido {order}: {products}. Llega el {promised} y no cuesta nada más.",
        "Because order {order} is not complete: {products}. It comes on {promised}, and costs nothing more.",
    ),
    "post_purchase.follow_up_delivered": _wording(
        "Entregado el {delivered} lo que faltaba del pedido {order}: {products}. Total: {total}.",
        "What was missing of order {order} was delivered on {delivered}: {products}. Total: {total}.",
        "Porque el {delivered} se entregó lo que faltaba del pedido {order}: {products}. Total: {total}.",
        "Because what was missing of order {order} was delivered on {delivered}: {products}. Total: {total}.",
    ),
    "post_purchase.delivery_mismatch": _wording(
        "Pedido {order}: lo entregado no es lo prometido ({difference}). Llamar.",
        "Order {order}: what was delivered is not what was promised ({difference}). Call.",
        "Porque la entrega del pedido {order} no coincide con lo prometido y queremos arreglarlo.",
        "Because the delivery of order {order} is not what we promised, and we want to put it right.",
    ),
    "post_purchase.delivered_check": _wording(
        "Sin confirmación de entrega del pedido {order}: {products}. Se esperaba el {promised}.",
        "No delivery of order {order} confirmed: {products}. Expected on {promised}.",
        "Porque {products}, del pedido {order}, tenía que llegar el {promised} y queremos saber si llegó.",
        "Because {products} of order {order} was due on {promised}, and we want to know whether it arrived.",
    ),
    "post_purchase.how_was_it": _wording(
        "Pedido {order} entregado hace {days} días: preguntar qué tal.",
        "Order {order} was delivered {days} days ago: ask how it was.",
        "Porque el pedido {order} llegó hace unos días y nos gustaría saber qué tal con {products}.",
        "Because order {order} arrived some days ago, and we would like to know how you find {products}.",
    ),
    "post_purchase.replenishment": _wording(
        "Según su propio ritmo de compra se acaba ahora: {products}.",
        "By the customer's own rhythm of buying, this runs out now: {products}.",
        "Porque, según las compras anteriores, puede que se esté acabando {products}.",
        "Because, going by your earlier orders, you may be running out of {products}.",
    ),
    "post_purchase.cross_sell": _wording(
        "Pedido {order} entregado hace {days} días: ofrecer lo que combina con {products}.",
        "Order {order} was delivered {days} days ago: offer what goes with {products}.",
        "Porque hay cosas que combinan bien con {products}, del pedido {order}.",
        "Because there are things that go well with {products} of order {order}.",
    ),
}
