"""What is unusual in a split is found; what belongs to another table is not missed."""

import pandas as pd
import pytest
import tensorflow_data_validation as tfdv

from tfrec.pipelines import validation
from tfrec.pipelines.schema import schema_of_tables

EVENTS = pd.DataFrame(
    {"user_id": ["u1", "u2"] * 20, "events.device": ["phone", "desk"] * 20, "weight": [1.0, 3.0] * 20}
)
USERS = pd.DataFrame({"user_id": ["u1", "u2"] * 20, "users.country": ["NL", "PT"] * 20})


def statistics(frame):
    return tfdv.generate_statistics_from_dataframe(frame)


@pytest.fixture(scope="module")
def schema():
    return schema_of_tables([statistics(EVENTS), statistics(USERS)])


def test_the_data_the_schema_came_from_is_usual(schema):
    assert not validation.split_anomalies(statistics(EVENTS), schema, "train").anomaly_info
    assert not validation.split_anomalies(statistics(USERS), schema, "users").anomaly_info


def test_a_context_value_unknown_to_training_is_unusual(schema):
    found = validation.split_anomalies(statistics(EVENTS.replace("desk", "watch")), schema, "test").anomaly_info
    assert list(found) == ["'events.device'"]
    assert "watch" in found["'events.device'"].description


def test_a_column_that_is_gone_is_unusual(schema):
    found = validation.split_anomalies(statistics(EVENTS.drop(columns="weight")), schema, "test").anomaly_info
    assert list(found) == ["weight"]


def test_new_users_are_usual(schema):
    assert not validation.split_anomalies(statistics(EVENTS.replace("u2", "u9")), schema, "test").anomaly_info


def test_an_empty_split_is_usual(schema):
    assert not validation.split_anomalies(statistics(EVENTS[:0]), schema, "cold").anomaly_info
