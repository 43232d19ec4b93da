import math

import pytest

from tfrec.alarms.popularity import below_most_pop


def test_a_model_below_popularity_by_more_than_chance_raises_an_alarm():
    alarm = below_most_pop("ndcg@10", 0.11, 0.12, 0.0004, 940, "validation")
    assert alarm.name == "below MostPop"
    assert alarm.numbers == {"model": 0.11, "most_pop": 0.12, "p_value": 0.0004, "users": 940.0}
    assert "ndcg@10 is 0.1100 over 940 users of the validation part, below the 0.1200" in alarm.sentence
    assert "by more than chance (p < 0.001)" in alarm.sentence
    assert "(p 0.032)" in below_most_pop("ndcg@10", 0.11, 0.12, 0.0321, 940, "validation").sentence


def test_a_model_above_or_level_raises_none():
    assert below_most_pop("ndcg@10", 0.12, 0.11, 0.001, 940, "test") is None
    assert below_most_pop("ndcg@10", 0.12, 0.12, 1.0, 940, "test") is None


@pytest.mark.parametrize("p_value", [0.05, 0.4, None, math.nan])
def test_a_model_below_by_what_chance_makes_raises_none(p_value):
    assert below_most_pop("ndcg@10", 0.11, 0.12, p_value, 9, "test") is None
