"""What the simulated shop sells."""

from random import Random
from typing import Any, NamedTuple

_GOODS = {
    "Bakery": ("Sourdough loaf", "Butter croissants", "Rye crispbread", "Seeded rolls"),
    "Dairy": ("Whole milk 1 l", "Greek yoghurt", "Aged Manchego", "Salted butter"),
    "Fruit": ("Valencia oranges 2 kg", "Bananas", "Conference pears", "Blueberries"),
    "Pantry": ("Olive oil 1 l", "Bomba rice", "Ground coffee 250 g", "Dark chocolate 70 %", "Honey"),
    "Household": ("Washing powder", "Kitchen towels", "Dishwasher tablets", "Bin bags"),
    "Drinks": ("Sparkling water 6 x 1.5 l", "Orange juice", "Alcohol-free beer", "Green tea"),
}


class Good(NamedTuple):
    """A product of the shop. `price` is in EUR."""

    product_id: str
    name: str
    category: str
    price: float

    def named(self, quantity: int = 1) -> dict[str, Any]:
        """The product as an event names it."""
        return {**self._asdict(), "quantity": quantity}


def catalogue(rng: Random) -> tuple[Good, ...]:
    """All goods, with prices drawn from `rng`."""
    names = [(category, name) for category, goods in _GOODS.items() for name in goods]
    return tuple(
        Good(f"P{number:03}", name, category, round(rng.uniform(0.9, 14.0), 2))
        for number, (category, name) in enumerate(names, start=1)
    )
