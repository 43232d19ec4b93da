import copy

import pytest

from tfrec.errors import ConfigError
from tfrec.schema_parsing import parse_schema

GOOD = {
    "items": {
        "id": "sku",
        "title": "name",
        "features": {
            "words": {"modality": "text", "columns": ["name", "blurb"], "encoder": {"path": "./bert", "train": 2}},
            "genre": "category",
            "tags": {"modality": "categories", "separator": ";"},
        },
    },
    "users": {"id": "user", "features": {"age": "number"}},
    "events": {
        "user": "user",
        "item": "sku",
        "type": "kind",
        "weights": {"view": 1},
        "context": {"device": "category"},
    },
}


def changed(path, value):
    document = copy.deepcopy(GOOD)
    *sections, key = path.split(".")
    section = document
    for name in sections:
        section = section[name]
    if value is ...:
        del section[key]
    else:
        section[key] = value
    return document


def test_the_short_form_of_a_feature_names_its_modality_and_reads_the_column_of_its_name():
    schema = parse_schema(GOOD, "/shop", "schema")
    words, genre, tags = schema.items.features
    assert (genre.modality, genre.columns) == ("category", ("genre",))
    assert words.columns == ("name", "blurb") and tags.separator == ";"
    assert schema.content() == schema.content("text") == (words,)
    assert schema.attributes() == (genre, tags)


def test_the_path_of_an_encoder_starts_from_the_folder_of_the_configuration():
    assert parse_schema(GOOD, "/shop", "schema").items.features[0].encoder == {"path": "/shop/bert", "train": 2}


@pytest.mark.parametrize(
    "path, value, said",
    [
        ("items", ..., "schema: the key 'items' is missing"),
        ("items.id", ..., "schema.items: the key 'id' is missing"),
        ("items.colour", "x", "schema.items: unknown key 'colour'; the keys are id, title, features"),
        ("items.features", ["a"], "schema.items.features must be a mapping, got ['a']"),
        ("items.features.genre", "colour", "schema.items.features.genre.modality is 'colour'; expected one of id"),
        ("items.features.genre", {"column": "x"}, "schema.items.features.genre: the key 'modality' is missing"),
        ("items.features.genre", {"modality": "category", "column": 5}, "genre.column must be the name of a column"),
        (
            "items.features.genre",
            {"modality": "category", "columns": [1]},
            "genre.columns must be the name of a column",
        ),
        ("items.features.genre", {"modality": "category", "columns": ["a", "b"]}, "only text may join several"),
        ("items.features.genre", {"modality": "category", "encoder": {"a": 1}}, "only text, image and audio take one"),
        ("items.features.history", "category", "'history' is a name the signatures use themselves"),
        ("items.features.my words", "category", "'my words' cannot name an input of the model; use letters, digits"),
        ("users.features.query", "category", "'query' is a name the signatures use themselves"),
        ("users.features.photo", "image", "schema.users.features.photo.modality is 'image'; expected one of id"),
        ("users.features.device", "category", "the name 'device' is given to a user feature and a context feature"),
        ("events.weights", ..., "schema.events.weights is missing; give each type in column 'kind' a weight"),
        ("events.weights.view", -1, "schema.events.weights.view must be a number of at least 0, got -1"),
        ("events.weights.view", float("nan"), "schema.events.weights.view must be a number of at least 0, got nan"),
        ("events.minimum_value", "high", "schema.events.minimum_value must be a number, got 'high'"),
        ("events.minimum_value", 3, "schema.events.value is missing; name the column"),
    ],
)
def test_a_mistake_is_told_in_one_sentence(path, value, said):
    with pytest.raises(ConfigError) as caught:
        parse_schema(changed(path, value), "/shop", "schema")
    assert said in str(caught.value) and "\n" not in str(caught.value)


def test_users_may_be_known_by_the_events_alone():
    schema = parse_schema({"items": {"id": "sku"}, "events": {"user": "who", "item": "sku"}}, "", "schema")
    assert schema.users.id == "who" and schema.users.features == () and schema.items.features == ()
