"""docs/conformance.md against the tests: every case is tested, or left out for a reason.

After adding a test, `python tests/serving/server/test_conformance.py` brings the page's column of tests up to date.
"""

import ast
import re
import sys
from pathlib import Path

FOLDER = Path(__file__).parent
PAGE = FOLDER.parents[2] / "docs" / "conformance.md"
SECTIONS = {"A": 27, "B": 5, "C": 7, "D": 17, "E": 9, "F": 11, "G": 38, "H": 5, "I": 9, "J": 8, "K": 6}
ROW = re.compile(r"^\| ([A-K]\d+) \| (.+?) \| (.+?) \|$", re.M)
LEFT_OUT = "left out: "


def numbers_of(name):
    """The cases that a test names: test_d3_to_d7_x names D3 to D7, test_a1_a20_x names A1 and A20."""
    named = re.match(r"test_((?:(?:[a-k]\d+|to)_)+)", name)
    numbers, through = [], False
    for part in named[1].rstrip("_").upper().split("_") if named else ():
        if part == "TO":
            through = True
            continue
        if through:
            numbers += [f"{part[0]}{number}" for number in range(int(numbers[-1][1:]) + 1, int(part[1:]))]
        numbers.append(part)
        through = False
    return numbers


def named_tests():
    """Names of tests by the number of the case."""
    found = {}
    for file in sorted(FOLDER.glob("test_*.py")):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.FunctionDef):
                for number in numbers_of(node.name):
                    found.setdefault(number, []).append(f"`{file.stem}::{node.name}`")
    return found


def page_with_tests(text):
    """`text` with the column of tests as the tests are."""
    tests = named_tests()

    def row(match):
        number, what, now = match.groups()
        return (
            f"| {number} | {what} | {now if now.startswith(LEFT_OUT) else '<br>'.join(tests.get(number, ['none']))} |"
        )

    return ROW.sub(row, text)


def test_every_case_is_on_the_page_once_and_in_order():
    expected = [f"{section}{number}" for section, count in SECTIONS.items() for number in range(1, count + 1)]
    assert [number for number, _, _ in ROW.findall(PAGE.read_text())] == expected


def test_every_case_has_a_test_that_names_it_or_a_reason():
    text = PAGE.read_text()
    assert page_with_tests(text) == text, f"run python {Path(__file__).name}"
    tests = named_tests()
    for number, _, now in ROW.findall(text):
        assert bool(tests.get(number)) != now.startswith(LEFT_OUT), number


def test_no_test_names_a_case_that_does_not_exist():
    on_page = {number for number, _, _ in ROW.findall(PAGE.read_text())}
    assert set(named_tests()) <= on_page


if __name__ == "__main__":
    PAGE.write_text(page_with_tests(PAGE.read_text()))
    sys.exit(0)
