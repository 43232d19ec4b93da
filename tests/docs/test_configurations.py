"""Every configuration in the guides is one that tfrec accepts."""

import pathlib
import re

import pytest
import yaml

from tfrec.config import parse_config

DOCS = pathlib.Path(__file__).parents[2] / "docs"
GUIDES = sorted((DOCS / "guides").glob("*.md"))
WHOLE = [*GUIDES, DOCS / "configuration.md"]


def blocks(path):
    """The YAML documents in a page."""
    found = re.findall(r"^( *)```yaml\n(.*?)^\1```", path.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    return [yaml.safe_load(text) for _, text in found]


@pytest.mark.parametrize("path", WHOLE, ids=lambda path: path.stem)
def test_the_configuration_of_a_page_is_accepted(path):
    whole, *parts = blocks(path)
    config = parse_config(whole, str(path))
    assert config.name == whole["name"]
    for part in parts:
        parse_config({**whole, **part}, str(path))


def test_the_search_of_the_page_on_tuning_is_accepted():
    whole = blocks(GUIDES[0])[0]
    for part in blocks(DOCS / "tuning.md"):
        assert parse_config({**whole, **part}, "tuning.md").tuning.space


def test_the_guides_are_those_of_the_four_kinds_of_catalogues():
    assert [path.stem for path in GUIDES] == ["ecommerce", "music", "news", "video"]
