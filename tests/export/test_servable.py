"""What the four signatures answer, on a servable exported, saved and loaded again."""

import numpy as np
import pytest
import tensorflow as tf

from tfrec.data.tables import joined
from tfrec.model.embedding import Embedder
from tfrec.training.interactions import interactions

K = 10


def tastes(world, item_ids):
    return [world.item_taste[item] for item in item_ids if item]


def test_a_known_user_is_recommended_what_they_have_not_touched(ask, dataset, world):
    everything = joined(dataset.train, dataset.validation, dataset.test, dataset.cold)
    users = [str(user) for user in dataset.users.ids]
    answer = ask("serving_default", len(users), user_id=users)
    own = []
    for row, user in enumerate(users):
        items = answer["item_ids"][row]
        touched = set(dataset.catalogue.ids[everything.item[everything.user == row]])
        assert len(set(items)) == K and "" not in items and not touched & set(items)
        own.append(np.mean([taste == world.user_taste[user] for taste in tastes(world, items)]))
    assert np.all(np.diff(answer["scores"], axis=1) <= 0)
    # About 3 of the 12 items of the taste are left, and 31 others: by chance they would be a tenth.
    assert np.mean(own) > 0.13


@pytest.mark.parametrize("taste", ["space", "garden", "ocean", "castle"])
def test_a_new_user_with_three_events_is_recommended_more_of_the_same(ask, world, taste):
    touched = [item for item, its in world.item_taste.items() if its == taste][:3]
    items = ask("serving_default", 1, history=[touched])["item_ids"][0]
    assert not set(touched) & set(items)
    assert tastes(world, items[:5]).count(taste) >= 3


def test_three_events_of_an_unknown_user_count_at_once_and_move_the_answer_away_from_what_strangers_get(ask, world):
    strangers = ask("serving_default", 1, user_id=["nobody-yet"])["item_ids"][0]
    for taste in ("space", "castle"):
        touched = [item for item, its in world.item_taste.items() if its == taste][:3]
        answer = ask("serving_default", 1, user_id=["nobody-yet"], history=[touched])["item_ids"][0]
        assert answer != strangers
        assert tastes(world, answer).count(taste) > tastes(world, strangers).count(taste)
        similar = {item for row in ask("similar_items", 3, item_id=touched)["item_ids"] for item in row[:5]}
        assert len(similar & set(answer)) >= 3


def test_a_user_with_nothing_gets_an_answer(ask):
    answer = ask("serving_default", 1)
    assert "" not in answer["item_ids"][0] and np.all(np.isfinite(answer["scores"]))


def test_an_unknown_user_and_unknown_items_are_as_none(ask):
    nobody = ask("serving_default", 1)
    for given in ({"user_id": ["who?"]}, {"exclude": [["what?"]]}):
        assert ask("serving_default", 1, **given)["item_ids"] == nobody["item_ids"]
    # A history of unknown items is a history: the stored one is not taken in its place.
    known = ask("serving_default", 1, user_id=["u001"])["item_ids"]
    other = ask("serving_default", 1, user_id=["u001"], history=[["what?"]])["item_ids"]
    assert known != other


def test_the_history_of_the_request_counts_instead_of_the_stored_one(ask, world):
    castle = [item for item, taste in world.item_taste.items() if taste == "castle"][:4]
    given = ask("serving_default", 1, user_id=["u000"], history=[castle])
    assert given["item_ids"] != ask("serving_default", 1, user_id=["u000"])["item_ids"]
    assert not set(castle) & set(given["item_ids"][0])


def test_what_is_excluded_is_replaced_so_that_k_stay(ask):
    before = ask("serving_default", 1)["item_ids"][0]
    after = ask("serving_default", 1, exclude=[before[:4]])["item_ids"][0]
    assert len(after) == K and "" not in after
    assert after[: K - 4] == before[4:]


def test_padding_may_stand_anywhere(ask):
    items = ["i001", "i005", "i009"]
    reference = ask("serving_default", 1, history=[items])
    spread = ask("serving_default", 1, history=[["", "i001", "", "i005", "", "", "i009", ""]])
    assert spread["item_ids"] == reference["item_ids"]
    np.testing.assert_allclose(spread["scores"], reference["scores"], atol=1e-5)


@pytest.mark.parametrize("batch", [1, 2, 7, 64])
def test_every_row_of_a_batch_is_answered_as_if_it_were_alone(ask, batch):
    users = [f"u{number:03d}" for number in range(batch)]
    history = [[f"i{(number * 7) % 48:03d}"] if number % 2 else [] for number in range(batch)]
    together = ask("serving_default", batch, user_id=users, history=history)
    for row in range(0, batch, 9):
        alone = ask("serving_default", 1, user_id=users[row : row + 1], history=history[row : row + 1])
        assert alone["item_ids"][0] == together["item_ids"][row]
        np.testing.assert_allclose(alone["scores"][0], together["scores"][row], atol=1e-5)


def test_search_finds_items_by_their_words(ask, world):
    searched = {"space": "rocket orbit", "ocean": "whale coral", "castle": "dragon knight", "garden": "flower beetle"}
    found = ask("search", 4, query=list(searched.values()))["item_ids"]
    of_the_taste = [tastes(world, items[:5]).count(taste) for taste, items in zip(searched, found)]
    assert min(of_the_taste) >= 4


def test_search_leaves_out_what_is_excluded_only(ask):
    found = ask("search", 1, query=["whale"])["item_ids"][0]
    assert ask("search", 1, query=["whale"], history=[found[:1]])["item_ids"][0].count(found[0]) == 1
    assert found[0] not in ask("search", 1, query=["whale"], exclude=[found[:1]])["item_ids"][0]


def test_similar_items_are_of_a_kind_and_never_the_item_itself(ask, world):
    items = list(world.item_taste)
    answer = ask("similar_items", len(items), item_id=items)["item_ids"]
    assert all(item not in found and len(set(found)) == K for item, found in zip(items, answer))
    same = [tastes(world, found[:3]).count(world.item_taste[item]) for item, found in zip(items, answer)]
    assert np.mean(same) > 1.5


def test_similar_items_are_ranked_by_cosine_so_that_popular_ones_are_not_like_all(ask, loaded, world):
    items = list(world.item_taste)
    answer = ask("similar_items", len(items), item_id=items)
    directions = loaded.vectors / np.linalg.norm(loaded.vectors, axis=1, keepdims=True)
    cosines = directions @ directions.T
    np.fill_diagonal(cosines, -np.inf)
    np.testing.assert_allclose(answer["scores"], -np.sort(-cosines, axis=1)[:, :K], atol=1e-5)


def test_an_unknown_item_has_no_similar_ones(ask):
    answer = ask("similar_items", 2, item_id=["", "what?"])
    assert {item for row in answer["item_ids"] for item in row} == {""} and not answer["scores"].any()


def raw_items(dataset, positions):
    """The inputs of embed_items for some items of the catalogue."""
    catalogue = dataset.catalogue
    raw = {name: [column[p] for p in positions] for name, column in catalogue.columns.items()}
    media = {name: list(values) for name, values in catalogue.media.items()}
    return raw | {name: [values[p] for p in positions] for name, values in media.items()}


def test_embed_items_gives_the_embedding_of_the_tower_from_content_alone(ask, trained, dataset, loaded):
    positions = [0, 1, 2, 17, int(dataset.held_out[0])]
    embedding = ask("embed_items", len(positions), **raw_items(dataset, positions))["embedding"]
    taken = trained.inputs.take(np.array(positions))
    taken["id"] = np.zeros_like(taken["id"])
    inside, _ = trained.model.item_tower({name: tf.constant(array) for name, array in taken.items()})
    np.testing.assert_allclose(embedding, inside, atol=2e-4)
    np.testing.assert_allclose(embedding[-1], loaded.vectors[dataset.held_out[0]], atol=2e-4)


@pytest.mark.parametrize("modality", ["text", "picture", "sound", "category"])
def test_an_item_is_embedded_from_any_modality_alone_that_was_found_to_tell_something(ask, trained, dataset, modality):
    raw = raw_items(dataset, [3, 4])
    embedding = ask("embed_items", 2, **{modality: raw[modality]})["embedding"]
    nothing = ask("embed_items", 1)["embedding"]
    assert np.all(np.isfinite(embedding)) and np.all(np.isfinite(nothing))
    regression = trained.model.item_tower.regression
    weights = dict(zip(regression.features.groups, regression.weights_of_groups.numpy()))
    heard = weights[modality] > 0 or (modality != "category" and weights["presence"] > 0)
    assert (np.abs(embedding - nothing).max() > 1e-3) == heard
    assert max(weights.values()) > 0


def test_an_unseen_item_is_near_items_of_its_taste_from_its_text_alone(ask, dataset, loaded, world):
    held_out = dataset.held_out
    embedding = ask("embed_items", len(held_out), text=raw_items(dataset, held_out)["text"])["embedding"]
    assert same_taste(embedding, held_out, dataset, loaded, world) > 0.5


def same_taste(embedding, items, dataset, servable, world):
    """Which share of the five known items nearest to each of `items` is of its taste; a quarter by chance."""
    known = np.unique(dataset.train.item)
    directions = servable.vectors[known] / np.linalg.norm(servable.vectors[known], axis=1, keepdims=True)
    nearest = known[np.argsort(-embedding @ directions.T, axis=1)[:, :5]]
    ids = dataset.catalogue.ids
    return np.mean(
        [[world.item_taste[ids[i]] == world.item_taste[ids[h]] for i in row] for h, row in zip(items, nearest)]
    )


def test_training_and_serving_give_the_same_queries(loaded, trained, dataset):
    rows = np.arange(len(dataset.users))
    pairs = interactions(dataset.train, len(dataset.users))
    history = pairs.latest(rows, trained.config.serving.history)
    space = trained.blueprint.feature_space
    features = dict(space.encode_users(dataset.users))
    context = space.encode_context(dataset.train)
    features |= {name: np.zeros((len(rows), *codes.shape[1:]), codes.dtype) for name, codes in context.items()}
    embedder = Embedder(trained.model, trained.config.serving.history)
    inside = embedder.queries(embedder.items(trained.inputs), history, features)
    np.testing.assert_allclose(loaded.queries(history, dataset.users, rows), inside, atol=2e-4)


def test_batch_recommendations_are_those_of_the_signature(ask, loaded):
    from tfrec.errors import ServableError

    users = np.array(["u003", "u010"], object)
    ids, scores = loaded.recommend(users, 5)
    answer = ask("serving_default", 2, user_id=list(users))
    assert ids.tolist() == [row[:5] for row in answer["item_ids"]]
    np.testing.assert_allclose(scores, answer["scores"][:, :5], atol=1e-6)
    with pytest.raises(ServableError, match="exported for 1 to 10"):
        loaded.recommend(users, 11)


def test_features_of_the_request_count_for_new_users(ask):
    young = ask("serving_default", 1, age=[20.0], country=["PT"], device=["phone"])
    assert not np.allclose(young["scores"], ask("serving_default", 1)["scores"])
