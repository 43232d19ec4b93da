"""Every page of results says by which command it is made, and keeps its numbers beside it."""

import json
import pathlib
import re

import pytest

RESULTS = pathlib.Path(__file__).parents[2] / "benchmarks" / "results"
COMMAND = re.compile(r"^`?(python benchmarks/\w+\.py|tfrec (audit|benchmark|replay)) ", re.MULTILINE)


@pytest.mark.parametrize("page", sorted(RESULTS.glob("*.md")), ids=lambda path: path.stem)
def test_a_page_names_its_command_and_has_its_numbers_beside_it(page):
    assert COMMAND.search(page.read_text(encoding="utf-8"))
    numbers = json.loads(page.with_suffix(".json").read_text(encoding="utf-8"))
    assert "environment" in numbers or "machine" in numbers


def test_no_numbers_are_without_a_page():
    assert {path.stem for path in RESULTS.glob("*.json")} == {path.stem for path in RESULTS.glob("*.md")}
