"""What the pages in deploy/docs point to is there."""

import re
from pathlib import Path

import pytest

from streams.settings import Settings

ROOT = Path(__file__).parents[3]
PAGES = sorted((ROOT / "deploy" / "docs").glob("*.md"))
_PATH = re.compile(r"`((?:streams|schemas|models|tests|deploy)/[\w./-]+)`")
_LINK = re.compile(r"\]\(([\w./-]+)\)")
_SETTING = re.compile(r"PULPERO_([A-Z_]+)")


def test_the_pages_are_there() -> None:
    assert {page.stem for page in PAGES} >= {"delivery", "time", "privacy", "glossary", "decisions"}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_file_and_setting_that_a_page_names_exists(page: Path) -> None:
    text = page.read_text()
    missing = [path for path in _PATH.findall(text) if not (ROOT / path).exists()]
    missing += [link for link in _LINK.findall(text) if not (page.parent / link).exists()]
    missing += [name for name in _SETTING.findall(text) if name.lower() not in Settings.model_fields]
    assert missing == []


def test_the_steps_of_a_batch_are_numbered_as_in_the_code() -> None:
    page = (ROOT / "deploy" / "docs" / "delivery.md").read_text()
    code = (ROOT / "streams" / "engine" / "task.py").read_text()
    told = dict(re.findall(r"^(\d)\. \*\*(\w+)", page, re.MULTILINE))
    assert told == dict(re.findall(r"(\d)\. (\w+):", code) + re.findall(r"(\d)\. (Commit)\.", code))
    assert len(told) == 8
