"""Which metrics a PromQL expression names. Everything in it must be known: a typo is not a metric of zero."""

import re

FUNCTIONS = frozenset(
    {
        "abs",
        "absent",
        "deriv",
        "histogram_quantile",
        "increase",
        "max",
        "min",
        "rate",
        "sum",
        "vector",
    }
)
_NOISE = (
    (re.compile(r'"[^"]*"'), '""'),
    (re.compile(r"\{[^}]*\}"), ""),
    (re.compile(r"\[[^\]]*\]"), ""),
    (re.compile(r"\b(by|without|on|ignoring)\s*\([^)]*\)"), ""),
    (re.compile(r"\b(and|or|unless|bool|offset)\b"), ""),
)
_NAME = re.compile(r"[a-zA-Z_:][\w:]*")


def metrics_of(expression: str) -> set[str]:
    """The names of the series in the expression.

    >>> sorted(metrics_of('sum by (le) (rate(a_bucket{x="b"}[5m])) > 1 and c == 1'))
    ['a_bucket', 'c']
    """
    for pattern, replacement in _NOISE:
        expression = pattern.sub(replacement, expression)
    return {name for name in _NAME.findall(expression) if name not in FUNCTIONS}


def labels_of(expression: str) -> set[str]:
    """The labels that the expression groups by or selects on."""
    grouped = re.findall(r"\b(?:by|without)\s*\(([^)]*)\)", expression)
    selected = re.findall(r"([a-z_]+)\s*(?:=~|!~|!=|=)\s*\"", expression)
    return {label.strip() for group in grouped for label in group.split(",")} | set(selected)
