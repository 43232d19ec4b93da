import numpy as np
import pytest
import tensorflow as tf

OBJECTIVES = ("masked", "next", "retrieval")


def shapes(batch):
    return tf.nest.map_structure(lambda array: (array.shape, array.dtype), batch)


@pytest.mark.parametrize("objective", OBJECTIVES)
@pytest.mark.parametrize("candidates", [25, 0])
def test_all_batches_have_the_same_shapes_also_the_last(batches, objective, candidates):
    made = batches(objective, candidates)
    epoch = list(made.epoch(0, 0))
    assert len(epoch) == made.steps and made.steps * 7 > made.sampler._rows
    assert all(shapes(batch) == shapes(epoch[0]) for batch in epoch)
    spec = tf.nest.map_structure(lambda s: (tuple(s.shape), s.dtype.as_numpy_dtype), made.spec())
    assert tf.nest.flatten(spec) == tf.nest.flatten(tf.nest.map_structure(lambda a: (a.shape, a.dtype.type), epoch[0]))


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_candidates_are_unique_allowed_and_hold_what_the_rows_name(batches, objective):
    for batch in batches(objective, candidates=25).epoch(0, 0):
        items = batch["items"]["id"]
        assert len(items) == 25 == len(set(items)) and items.max() < 50
        for name in ("history", "targets"):
            assert batch[name].min() >= -1 and batch[name].max() < 25
        np.testing.assert_array_equal(batch["items"]["text"][:, 0], items * 3)
        for past, wanted in zip(batch["history"], batch["targets"]):
            assert not set(past[past >= 0]) & set(wanted[wanted >= 0])
        assert np.all((batch["target_weights"] > 0) >= (batch["targets"] >= 0))


def test_rows_keep_their_own_items_features_and_context(batches, pairs):
    made = batches("masked", candidates=0, history_dropout=0.0)
    owner = np.repeat(np.arange(37), np.diff(pairs.indptr))
    for batch in made.epoch(0, 0):
        items = batch["items"]["id"]
        for row, country in enumerate(batch["features"]["country"]):
            if country == 0:
                assert np.all(batch["targets"][row] < 0)
                continue
            touched = set(pairs.item[owner == country - 2])
            wanted = batch["targets"][row][batch["targets"][row] >= 0]
            past = batch["history"][row][batch["history"][row] >= 0]
            assert set(items[wanted]) | set(items[past]) <= touched
            event = int(batch["features"]["hour"][row, 0])
            assert owner[event] == country - 2 and pairs.item[event] == items[batch["targets"][row, 0]]


def test_the_same_seed_and_epoch_give_the_same_batches(batches):
    one, same = (list(batches().epoch(3, 4)) for _ in range(2))
    for a, b in zip(one, same):
        tf.nest.map_structure(np.testing.assert_array_equal, a, b)
    other = next(batches().epoch(3, 5))
    assert not np.array_equal(one[0]["items"]["id"], other["items"]["id"])


def test_a_dataset_begins_at_any_epoch(batches):
    made = batches()
    from_second = made.dataset(seed=7, first_epoch=1).take(1).get_single_element()
    expected = next(made.epoch(7, 1))
    np.testing.assert_array_equal(from_second["items"]["id"], expected["items"]["id"])
    np.testing.assert_array_equal(from_second["history"], expected["history"])


def test_search_texts_belong_to_items_of_the_batch(batches):
    for batch in batches(candidates=25).epoch(0, 0):
        owners = batch["search_text"][:, 0]
        numbers = batch["search_items"]
        there = numbers >= 0
        np.testing.assert_array_equal(batch["items"]["id"][numbers[there]], owners[there])
        assert there.any() and not there.all()


@pytest.mark.parametrize("objective, candidates", [("masked", 30), ("masked", 45), ("next", 40), ("masked", 0)])
def test_the_sampling_probability_is_about_the_share_of_batches_an_item_is_in(batches, objective, candidates):
    made = batches(objective, candidates, search=False)
    drawn = np.zeros(60)
    count = 0
    for number in range(4):
        for batch in made.epoch(11, number):
            drawn[batch["items"]["id"]] += 1
            count += 1
    measured, said = drawn[:50] / count, made.probability[:50]
    assert said.min() > 0 and said.max() <= 1
    # What matters for the correction is the logarithm; the estimate may be off by a third for single items.
    error = np.abs(np.log(said) - np.log(measured))
    assert error.mean() < 0.2 and error.max() < 0.6
    assert said.sum() == pytest.approx(candidates or 50, rel=0.1)
    assert np.all(drawn[50:] == 0)


def test_for_in_batch_candidates_the_probability_is_the_share_of_events(batches, pairs):
    made = batches("retrieval")
    np.testing.assert_allclose(made.probability, np.bincount(pairs.item, minlength=60) / len(pairs.item), atol=1e-6)


def test_more_candidates_than_items_are_all_items(batches):
    assert len(next(batches(candidates=1000).epoch(0, 0))["items"]["id"]) == 50


def rows_of(batch):
    """Each row's user and the items of its history and targets, to tell rows apart by."""
    items = np.append(batch["items"]["id"], -1)
    return [
        (user, tuple(sorted(items[past])), tuple(sorted(items[wanted])))
        for user, past, wanted in zip(batch["features"]["country"], batch["history"], batch["targets"])
    ]


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_members_have_rows_of_their_own_those_of_the_first_one_first(batches, objective):
    alone = [rows_of(batch) for batch in batches(objective, candidates=0).epoch(3, 1)]
    together = [rows_of(batch) for batch in batches(objective, candidates=0, members=3).epoch(3, 1)]
    assert len(together) == len(alone) and all(len(rows) == 21 for rows in together)
    parts = [[row for rows in together for row in rows[7 * member : 7 * member + 7]] for member in range(3)]
    # The first member's rows are those of a model alone, so adding members changes nothing about it.
    assert parts[0] == [row for rows in alone for row in rows]
    for one, other in ((0, 1), (0, 2), (1, 2)):
        assert np.mean([a == b for a, b in zip(parts[one], parts[other])]) < 0.2


def test_members_meet_every_user_as_often(batches):
    made = batches(candidates=0, members=2)
    counts = np.zeros((2, 39))
    for batch in made.epoch(0, 0):
        for member, users in enumerate(np.split(batch["features"]["country"], 2)):
            np.add.at(counts[member], users, 1)
    assert np.all(np.ptp(counts[:, 2:], axis=1) <= 1) and counts[:, 2:].min() >= 27


def test_items_are_in_more_batches_the_more_members_there_are(batches):
    """The correction of the softmax needs the chance of an item in batches with all members' rows."""
    made = batches("next", 40, search=False, members=3)
    drawn, count = np.zeros(60), 0
    for batch in made.epoch(11, 0):
        drawn[batch["items"]["id"]] += 1
        count += 1
    error = np.abs(np.log(made.probability[:50]) - np.log(drawn[:50] / count))
    assert error.mean() < 0.2 and error.max() < 0.6
