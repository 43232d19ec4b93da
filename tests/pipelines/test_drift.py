"""What has moved in the data since the last blessed model, and between training and test events, is found and kept."""

import dataclasses
import json

import numpy as np
import pandas as pd
import pytest
import tensorflow_data_validation as tfdv

from tfrec.config import Gates
from tfrec.evaluation.drift import Drift
from tfrec.evaluation.gates import check_drift
from tfrec.pipelines.chance import jensen_shannon, l_infinity
from tfrec.pipelines.drift import compared_features, keep_statistics, kept_statistics, measured_drift
from tfrec.pipelines.tables import ITEMS, TRAIN_USERS


def events(phone=0.5, favourite=1.0, weight=1.0, rows=400):
    random = np.random.default_rng(0)
    chances = np.array([favourite] + [1.0] * 19)
    return pd.DataFrame(
        {
            "user_id": [f"u{number % 50}" for number in range(rows)],
            "item_id": random.choice([f"i{number}" for number in range(20)], rows, p=chances / chances.sum()),
            "time": np.arange(rows),
            "events.device": np.where(np.arange(rows) < phone * rows, "phone", "desk"),
            "weight": random.normal(weight, 0.1, rows),
        }
    )


def statistics(train, test=None, items=None, users=None):
    tables = {"train": train, "test": train if test is None else test}
    tables[TRAIN_USERS] = pd.DataFrame({"user_id": ["u1", "u2"] * 9, "users.country": ["NL", users or "PT"] * 9})
    tables[ITEMS] = pd.DataFrame({"item_id": ["i1", "i2"] * 9, "items.category": items or ["a", "b"] * 9})
    return {split: tfdv.generate_statistics_from_dataframe(frame) for split, frame in tables.items()}


@pytest.fixture(scope="module")
def features(plain_world):
    return compared_features(plain_world.config().schema)


@pytest.fixture(scope="module")
def before():
    return statistics(events())


def measured(now, before, features):
    found = measured_drift(now, before, features, 0.1)
    return found, {(d.kind, d.table, d.feature): d for d in found.distances}


def test_the_same_data_have_not_moved(features, before):
    found, distances = measured(before, before, features)
    assert found.compared and found.sentences() == []
    assert ("drift", "events", "device") in distances and ("drift", "items", "category") in distances
    assert not {"user_id", "time"} & {feature for _, _, feature in distances}


def test_each_feature_that_moved_is_named_with_its_distance(features, before):
    now = statistics(events(phone=0.9, favourite=40.0, weight=3.0), items=["a", "a", "c"] * 6, users="BE")
    found, distances = measured(now, before, features)
    told = {feature: distance for (kind, _, feature), distance in distances.items() if kind == "drift"}
    assert told["device"].value == pytest.approx(0.4) and told["device"].measure == "L-infinity"
    assert told["device"].most in ("phone", "desk")
    assert told["item_id"].value > 0.1 and told["item_id"].measure == "Jensen-Shannon"
    assert told["weight"].value > 0.5 and told["category"].value > 0.1
    assert told["country"].value == pytest.approx(0.5)
    said = found.sentences()
    chance = told["device"].chance
    assert 0 < chance < 0.1
    assert any(
        line.startswith(
            "device of events differs from the data of the last blessed model: "
            f"L-infinity 0.400, {chance:.3f} of it by chance, is above 0.1"
        )
        for line in said
    )
    assert Drift.from_json(json.loads(json.dumps(found.to_json()))) == found


def test_skew_is_between_the_events_trained_on_and_the_test_part(features, before):
    now = statistics(events(), test=events(phone=0.1))
    found, distances = measured(now, before, features)
    assert distances["skew", "events", "device"].value == pytest.approx(0.4)
    assert distances["drift", "events", "device"].value == 0.0
    assert "device of events differs between the events trained on and the test part" in found.sentences()[0]


def test_a_first_run_and_an_empty_test_part_have_nothing_to_compare_with(features):
    now = statistics(events(), test=events(rows=0))
    found, _ = measured(now, {}, features)
    assert not found.compared and found.distances == ()


def test_statistics_of_a_blessed_run_are_kept_for_the_next(features, before, tmp_path):
    folder = str(tmp_path / "statistics")
    assert kept_statistics(folder) == {}
    for _ in range(3):
        keep_statistics(folder, {split: before[split] for split in ("train", TRAIN_USERS, ITEMS)})
    assert sorted(path.name for path in (tmp_path / "statistics").iterdir()) == ["2", "3"]
    assert measured(before, kept_statistics(folder), features)[0].compared


@pytest.mark.parametrize("asked", ["warn", "block", "ignore"])
def test_only_block_keeps_a_model_out(features, before, asked):
    found, _ = measured(statistics(events(phone=0.9)), before, features)
    reasons = check_drift(Gates(drift=asked), found)
    assert bool(reasons) == (asked == "block")
    assert check_drift(Gates(drift=asked), None) == []
    assert check_drift(Gates(drift="block"), dataclasses.replace(found, threshold=0.9)) == []


@pytest.mark.parametrize(("items", "rows", "later"), [(20, 400, 100), (600, 4000, 1000), (3000, 20000, 5000)])
def test_few_events_over_many_items_that_have_not_moved_are_no_alarm(features, items, rows, later):
    random = np.random.default_rng(1)
    chances = random.pareto(1.2, items) + 0.1

    def drawn(size, chances):
        codes = random.choice(items, size, p=chances / chances.sum())
        return pd.DataFrame({"item_id": [f"i{code}" for code in codes]})

    def distance(test):
        found, distances = measured(statistics(drawn(rows, chances), test=test), {}, features)
        return found, distances["skew", "events", "item_id"]

    found, same = distance(drawn(later, chances))
    assert same.chance == pytest.approx(same.value, rel=0.35) and found.sentences() == []
    found, moved = distance(drawn(later, chances[::-1]))
    assert moved.value - moved.chance > 0.2
    assert f"{moved.value:.3f}, {moved.chance:.3f} of it by chance, is above 0.1" in found.sentences()[0]


def test_chance_is_measured_as_tfdv_measures(features):
    before, now = events(phone=0.5, favourite=1.0), events(phone=0.8, favourite=9.0)
    _, distances = measured(statistics(now), statistics(before), features)
    for feature, column, measure in (("device", "events.device", l_infinity), ("item_id", "item_id", jensen_shannon)):
        counts = pd.concat([frame[column].value_counts() for frame in (now, before)], axis=1).fillna(0).to_numpy()
        assert measure(*counts.T) == pytest.approx(distances["drift", "events", feature].value, abs=1e-6)
