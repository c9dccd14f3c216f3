"""The policy as a file: text in, `Policy` out, or each fault with its line, its field and its reason."""

import hashlib
from collections.abc import Iterator
from typing import NamedTuple

import yaml
from pydantic import ValidationError

from schemas.policy import Policy

_HASH_CHARS = 8


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
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark is not None else 1
        raise PolicyError([Fault(line, "", f"not YAML: {error.problem or error.context}")]) from None
    except yaml.YAMLError as error:
        raise PolicyError([Fault(1, "", f"not YAML: {error}")]) from None
    if not isinstance(node, yaml.MappingNode):
        raise PolicyError([Fault(1, "", "a policy is a mapping of sections")])
    repeated = list(_repeated(node, ""))
    if repeated:
        raise PolicyError(repeated)
    try:
        return Policy.model_validate(yaml.safe_load(text))
    except yaml.YAMLError as error:
        raise PolicyError([Fault(1, "", f"not YAML: {error}")]) from None
    except ValidationError as error:
        raise PolicyError(
            [
                Fault(
                    _line(node, fault["loc"]),
                    ".".join(map(str, fault["loc"])),
                    _reason(fault["type"], fault["msg"]),
                )
                for fault in error.errors(include_url=False, include_context=False)
            ]
        ) from None


def policy_version(policy: Policy) -> str:
    """The version as decisions record it: the file's own, and a hash of every value in force.

    Comments and the order of fields do not change it; any number does, even under an unchanged `version`.
    """
    digest = hashlib.sha256(policy.model_dump_json().encode()).hexdigest()
    return f"{policy.version}-{digest[:_HASH_CHARS]}"


def _reason(kind: str, message: str) -> str:
    return "there is no such field" if kind == "extra_forbidden" else message.removeprefix("Value error, ")


def _repeated(node: yaml.Node, path: str) -> Iterator[Fault]:
    """Fields that stand twice in one mapping: YAML's reader would silently take the last."""
    if not isinstance(node, yaml.MappingNode):
        return
    seen: set[str] = set()
    for key, value in node.value:
        field = f"{path}.{key.value}" if path else str(key.value)
        if field in seen:
            yield Fault(key.start_mark.line + 1, field, "is given twice")
        seen.add(field)
        yield from _repeated(value, field)


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
