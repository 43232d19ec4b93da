import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tfrec.data.ingest import ingest
from tfrec.data.tables import Catalogue, Events, Users
from tfrec.data.vocabulary import FeatureSpace, fit_feature_space
from tfrec.errors import DataError


def objects(*values):
    return np.fromiter(values, dtype=object, count=len(values))


def items(**columns):
    rows = len(next(iter(columns.values())))
    return Catalogue(ids=objects(*map(str, range(rows))), titles=objects(*[""] * rows), columns=columns)


@pytest.fixture
def fitted(shop):
    dataset, _ = ingest(shop.config(), shop.output)
    schema = shop.config().schema
    return fit_feature_space(schema, dataset.catalogue, dataset.users, dataset.train), dataset


def test_vocabularies_start_with_the_most_frequent_and_break_ties_by_name(fitted):
    space, _ = fitted
    assert space.vocabularies["items.genre"] == ["drama", "comedy"]
    assert space.vocabularies["items.tags"] == ["x", "y", "z"]
    assert space.scaling["items.price"] == (20.0, pytest.approx(np.std([10, 20, 30])))


def test_only_users_and_context_of_training_events_are_learned_from(fitted):
    space, dataset = fitted
    trained = set(dataset.users.ids[dataset.train.user])
    assert trained == {"u1", "u2"}
    assert space.vocabularies["users.city"] == ["Oslo", "Rome"]
    assert space.scaling["users.age"] == (30.0, 1.0)
    assert space.vocabularies["events.device"] == ["phone", "desk"]


def test_held_out_items_are_not_learned_from(fitted, shop):
    _, dataset = fitted
    held_out = np.array([1], np.int32)
    space = fit_feature_space(shop.config().schema, dataset.catalogue, dataset.users, dataset.train, held_out)
    assert space.vocabularies["items.genre"] == ["drama"]
    assert space.scaling["items.price"][0] == 20.0
    assert space.encode_items(dataset.catalogue)["genre"].tolist() == [2, 1, 2, 0]


def test_rare_values_and_those_beyond_the_size_are_left_out(fitted, shop):
    _, dataset = fitted
    arguments = (shop.config().schema, dataset.catalogue, dataset.users, dataset.train)
    assert fit_feature_space(*arguments, min_count=2).vocabularies["items.tags"] == ["x", "y"]
    assert fit_feature_space(*arguments, max_size=1).vocabularies["items.tags"] == ["x"]


def test_items_are_encoded_with_absent_unknown_and_known_codes(fitted):
    space, dataset = fitted
    encoded = space.encode_items(dataset.catalogue)
    assert encoded["genre"].tolist() == [2, 3, 2, 0]
    assert encoded["tags"].tolist() == [[2, 3], [2, 0], [0, 0], [3, 4]]
    assert encoded["price"][:, 1].tolist() == [1, 1, 1, 0]
    assert encoded["price"][:, 0].tolist() == pytest.approx([-1.2247449, 0, 1.2247449, 0])
    assert {name: array.dtype for name, array in encoded.items()} == {
        "genre": np.int32,
        "tags": np.int32,
        "price": np.float32,
    }
    assert "words" not in encoded


def test_users_and_context_are_encoded_alike(fitted):
    space, dataset = fitted
    assert space.encode_users(dataset.users)["city"].tolist() == [3, 2, 3, 0]
    assert space.encode_context(dataset.train)["device"].tolist() == [2, 2, 3, 0]


def test_values_never_seen_are_unknown_and_more_categories_than_the_width_are_cut_off():
    space = FeatureSpace({"items.tags": ["x", "y"], "items.id": ["7"]}, {}, {"items.tags": 2})
    encoded = space.encode_items(items(tags=objects(("new", "y", "x"), ()), id=objects("8", "7")))
    assert encoded["tags"].tolist() == [[1, 3], [0, 0]]
    assert encoded["id"].tolist() == [1, 2]


def test_a_column_without_any_value_still_encodes():
    space = FeatureSpace({"items.genre": []}, {"items.price": (0.0, 1.0)})
    encoded = space.encode_items(items(genre=objects("", "new"), price=np.array([np.nan, 2], np.float32)))
    assert encoded["genre"].tolist() == [0, 1]
    assert encoded["price"].tolist() == [[0, 0], [2, 1]]


def test_a_saved_space_encodes_the_same(fitted, tmp_path):
    space, dataset = fitted
    space.save(str(tmp_path / "space.json"))
    loaded = FeatureSpace.load(str(tmp_path / "space.json"))
    assert loaded.vocabularies == space.vocabularies
    assert loaded.scaling == space.scaling
    for name, array in space.encode_items(dataset.catalogue).items():
        np.testing.assert_array_equal(loaded.encode_items(dataset.catalogue)[name], array)


@pytest.mark.parametrize("text", ["{", "[]", "{}", '{"vocabularies": 1, "scaling": {}}'])
def test_a_damaged_space_is_one_sentence(tmp_path, text):
    (tmp_path / "space.json").write_text(text)
    with pytest.raises(DataError, match="is no feature space"):
        FeatureSpace.load(str(tmp_path / "space.json"))


def test_a_vocabulary_with_a_repeated_or_empty_entry_is_refused():
    for vocabulary in (["x", "x"], ["x", ""]):
        with pytest.raises(DataError, match=r"items\.genre"):
            FeatureSpace({"items.genre": vocabulary}, {})


@given(st.lists(st.lists(st.sampled_from("abcdefg"), max_size=5, unique=True), min_size=1), st.integers(1, 6))
def test_categories_codes_are_those_of_a_plain_loop(rows, width):
    vocabulary = ["c", "a", "f"]
    expected = np.zeros((len(rows), width), np.int32)
    for row, values in enumerate(rows):
        for place, value in enumerate(values[:width]):
            expected[row, place] = vocabulary.index(value) + 2 if value in vocabulary else 1
    space = FeatureSpace({"items.tags": vocabulary}, {}, {"items.tags": width})
    np.testing.assert_array_equal(space.encode_items(items(tags=objects(*map(tuple, rows))))["tags"], expected)


def test_encoding_no_rows_gives_no_rows():
    space = FeatureSpace({"users.city": ["Rome"]}, {"users.age": (0, 1)})
    users = Users(objects(), {"city": objects(), "age": np.empty(0, np.float32)})
    assert {name: array.shape for name, array in space.encode_users(users).items()} == {"city": (0,), "age": (0, 2)}
    nothing = np.empty(0, np.int32)
    assert space.encode_context(Events(nothing, nothing, nothing, nothing, nothing, nothing)) == {}
