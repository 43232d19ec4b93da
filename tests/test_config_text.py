import pytest
import yaml

from tfrec.config_text import with_setting

TEXT = """\
# A shop.
name: shop

model:                # two towers
  # as wide as needed
  dimension: 16
  query_hidden:
  - 16

training: {epochs: 3}
"""


def test_a_setting_is_added_and_comments_stay():
    changed, kept = with_setting(TEXT, "model", "without", ["poster", "größe"])
    assert kept and yaml.safe_load(changed)["model"] == {
        "without": ["poster", "größe"],
        "dimension": 16,
        "query_hidden": [16],
    }
    assert [line for line in changed.splitlines() if "without" not in line] == TEXT.splitlines()


def test_a_setting_is_replaced():
    once, _ = with_setting(TEXT, "model", "without", ["poster"])
    twice, kept = with_setting(once, "model", "without", ["poster", "text"])
    assert kept and twice.count("without") == 1 and yaml.safe_load(twice)["model"]["without"] == ["poster", "text"]


def test_a_section_that_is_missing_is_added():
    changed, kept = with_setting(TEXT, "gates", "audit", "audits/a.json")
    assert kept and changed.startswith(TEXT) and yaml.safe_load(changed)["gates"] == {"audit": "audits/a.json"}


@pytest.mark.parametrize(
    "text, section, key",
    [(TEXT, "training", "seed"), (TEXT, "model", "query_hidden"), ("model:\n  without:\n  - a\n", "model", "without")],
)
def test_what_cannot_be_changed_by_line_is_right_all_the_same(text, section, key):
    changed, kept = with_setting(text, section, key, ["b"])
    before = yaml.safe_load(text)
    assert not kept and yaml.safe_load(changed) == {**before, section: {**before[section], key: ["b"]}}
