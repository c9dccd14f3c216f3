"""The policy as a file: text in, `Policy` out, or each fault with its line, its field and its reason."""

import hashlib
from collections.abc import Iterator
from typing import NamedTuple

import yaml
from pydantic import ValidationError

from schemas.policy import Policy

_HASH_CHARS = 8
_DEPTH_MAX = 4
"""Deeper than any field; a mapping that contains itself goes on for ever."""


class Fault(NamedTuple):
    """What is wrong with a policy's text. `line` counts from 1; `field` is dotted, empty for the whole."""

    line: int
    field: str
    reason: str

    def __str__(self) -> str:
        return f"line {self.line}: {self.field or 'policy'}: {self.reason}"


class PolicyError(ValueError):
    """The text is no policy. `faults` are in the order of their lines, at least one."""

    def __init__(self, faults: list[Fault]) -> None:
        super().__init__("; ".join(map(str, faults)))
        self.faults = tuple(sorted(faults))


def load_policy(text: str) -> Policy:
    """The policy that a YAML text describes; what it leaves out has its default.

    Raises PolicyError with every fault found: YAML's own, a field given twice, unknown or out of its range.
    """
    node, data = _read(text)
    repeated = list(_repeated(node, ()))
    if repeated:
        raise PolicyError(repeated)
    try:
        return Policy.model_validate(data)
    except ValidationError as error:
        raise PolicyError(
            [
                Fault(_line(node, fault["loc"]), _dotted(fault["loc"]), _reason(fault["type"], fault["msg"]))
                for fault in error.errors(include_url=False, include_context=False)
            ]
        ) from None


def policy_version(policy: Policy) -> str:
    """The version as decisions record it: the file's own, and a hash of every value in force.

    Comments and the order of fields do not change it; any number does, even under an unchanged `version`.
    """
    digest = hashlib.sha256(policy.model_dump_json().encode()).hexdigest()
    return f"{policy.version}-{digest[:_HASH_CHARS]}"


def _read(text: str) -> tuple[yaml.MappingNode, object]:
    """The text's mapping, as nodes with their lines and as plain values."""
    try:
        node, data = yaml.compose(text, Loader=yaml.SafeLoader), yaml.safe_load(text)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark is not None else 1
        raise PolicyError([Fault(line, "", f"not YAML: {error.problem or error.context}")]) from None
    except yaml.YAMLError as error:
        raise PolicyError([Fault(1, "", f"not YAML: {error}")]) from None
    if not isinstance(node, yaml.MappingNode):
        raise PolicyError([Fault(1, "", "a policy is a mapping of sections")])
    return node, data


def _repeated(node: yaml.Node, path: tuple[str, ...]) -> Iterator[Fault]:
    """Fields that stand twice in one mapping: YAML's reader would silently take the last."""
    if not isinstance(node, yaml.MappingNode) or len(path) > _DEPTH_MAX:
        return
    seen: set[str] = set()
    for key, value in node.value:
        field = (*path, str(key.value))
        if field[-1] in seen:
            yield Fault(key.start_mark.line + 1, _dotted(field), "is given twice")
        seen.add(field[-1])
        yield from _repeated(value, field)


def _reason(kind: str, message: str) -> str:
    return "there is no such field" if kind == "extra_forbidden" else message.removeprefix("Value error, ")


def _dotted(location: tuple[int | str, ...]) -> str:
    return ".".join(map(str, location))


def _line(node: yaml.Node, location: tuple[int | str, ...]) -> int:
    """The line of a field, or of the innermost mapping around it that exists."""
    line: int = node.start_mark.line + 1
    for step in location:
        if isinstance(node, yaml.MappingNode):
            found = next(((key, value) for key, value in node.value if key.value == step), None)
            if found is None:
                return line
            key, node = found
            line = key.start_mark.line + 1
        elif isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
            node = node.value[step]
            line = node.start_mark.line + 1
    return line
