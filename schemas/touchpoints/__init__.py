"""One file a touchpoint. A shop adds its own by a module with a `TOUCHPOINT` (see `load`)."""

from importlib import import_module

from schemas.touchpoints import consent, messages, orders, web
from schemas.touchpoints.touchpoint import Touchpoint

BUILT_IN: tuple[Touchpoint, ...] = (
    web.TOUCHPOINT,
    orders.TOUCHPOINT,
    messages.TOUCHPOINT,
    consent.TOUCHPOINT,
)


def load(modules: tuple[str, ...] = ()) -> tuple[Touchpoint, ...]:
    """The built-in touchpoints and those of the shop's own modules, by their import paths.

    Raises ValueError if a module has no `TOUCHPOINT` or a name stands twice.
    """
    touchpoints = list(BUILT_IN)
    for module in modules:
        own = getattr(import_module(module), "TOUCHPOINT", None)
        if not isinstance(own, Touchpoint):
            raise ValueError(f"{module}: has no TOUCHPOINT of type schemas.touchpoints.touchpoint.Touchpoint")
        if own.name in {each.name for each in touchpoints}:
            raise ValueError(f"{module}: a touchpoint named {own.name!r} exists already")
        touchpoints.append(own)
    return tuple(touchpoints)
