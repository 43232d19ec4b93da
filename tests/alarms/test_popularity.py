from tfrec.alarms.popularity import below_most_pop


def test_a_model_below_popularity_raises_an_alarm():
    alarm = below_most_pop("ndcg@10", 0.11, 0.12, 940, "validation")
    assert alarm.name == "below MostPop" and alarm.numbers == {"model": 0.11, "most_pop": 0.12, "users": 940.0}
    assert "ndcg@10 is 0.1100 over 940 users of the validation part, below the 0.1200" in alarm.sentence


def test_a_model_above_or_level_raises_none():
    assert below_most_pop("ndcg@10", 0.12, 0.11, 940, "test") is None
    assert below_most_pop("ndcg@10", 0.12, 0.12, 940, "test") is None
