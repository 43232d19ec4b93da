import numpy as np
import pytest

from tfrec.errors import DataError
from tfrec.evaluation.tasks import cold_task, new_user_tasks, warm_task


def test_the_warm_task_asks_for_unseen_items_among_those_known_from_training(dataset):
    data = dataset(
        4,
        6,
        train=[(0, 0), (1, 1), (2, 2), (3, 3)],
        validation=[(0, 1), (1, 4)],
        test=[(0, 2), (0, 1), (0, 4), (1, 1), (2, 3), (2, 3)],
    )
    task = warm_task(data)
    assert task.users.tolist() == [0, 2]
    assert task.candidates.tolist() == [0, 1, 2, 3]
    assert task.truth.toarray().nonzero()[1].tolist() == [2, 3]
    assert task.exclude.toarray().astype(int).tolist() == [[1, 1, 0, 0, 0, 0], [0, 0, 1, 0, 0, 0]]
    assert task.left_out == {"item is no candidate": 1, "item already touched by the user": 2}
    assert task.history[0].indices.tolist() == [0, 1]
    assert task.train[0].indices.tolist() == [0]


def test_on_the_validation_part_only_training_was_seen(dataset):
    data = dataset(1, 3, train=[(0, 0)], validation=[(0, 1)], test=[(0, 2)])
    with pytest.raises(DataError, match="validation part: none of the 1 events can be asked for"):
        warm_task(data, "validation")
    data = dataset(2, 3, train=[(0, 0), (1, 1)], validation=[(0, 1)], test=[(1, 0)])
    task = warm_task(data, "validation")
    assert task.exclude.nonzero()[1].tolist() == [0]
    assert task.history.nnz == 2


def test_the_cold_task_ranks_held_out_items_among_themselves(dataset):
    data = dataset(2, 4, train=[(0, 0), (1, 1)], validation=[(1, 0)], cold=[(1, 3), (1, 2)], held_out=[2, 3])
    task = cold_task(data)
    assert task.users.tolist() == [1]
    assert task.candidates.tolist() == [2, 3]
    assert task.truth.indices.tolist() == [2, 3]
    assert task.history[1].indices.tolist() == [1]
    assert np.bincount(task.train.indices, minlength=4)[2:].sum() == 0


def test_without_held_out_items_there_is_no_cold_task(dataset):
    with pytest.raises(DataError, match=r"set split.held_out_items above 0"):
        cold_task(dataset(1, 1, train=[(0, 0)]))


def test_an_unknown_part_is_refused(dataset):
    with pytest.raises(DataError, match="part is 'train'; expected validation or test"):
        warm_task(dataset(1, 1, train=[(0, 0)]), "train")


def test_new_users_give_their_first_items_and_are_asked_for_what_came_after_the_ten(dataset):
    first = [12, 3, 3, 5, 7, 9, 11, 13, 1, 0, 2]  # ten different items, 3 met again
    later = [3, 4, 6, 15]
    data = dataset(3, 16, train=[(0, item) for item in range(15)], test=[(1, item) for item in first + later])
    tasks = new_user_tasks(data, [1, 3, 10])
    assert [task.name for task in tasks] == [
        "new users, 1 event given",
        "new users, 3 events given",
        "new users, 10 events given",
    ]
    given = [task.history[1].indices.tolist() for task in tasks]
    assert given == [[12], [3, 5, 12], sorted(set(first))]
    for task in tasks:
        assert task.users.tolist() == [1]
        assert task.truth.indices.tolist() == [4, 6]  # item 15 is unknown to training
        assert task.exclude[0].indices.tolist() == sorted(set(first))
        assert task.left_out == {"item is no candidate": 1, "item already touched by the user": 10}
    assert tasks[1].known.item.tolist() == [12, 3, 5]


def test_drawn_events_are_ten_of_any_time_and_the_others_are_asked_for(dataset):
    data = dataset(2, 40, train=[(0, item) for item in range(40)], test=[(1, item) for item in range(40)])
    few, ten = new_user_tasks(data, [3, 10], drawn=0)
    assert [few.name, ten.name] == ["new users, 3 events drawn", "new users, 10 events drawn"]
    aside = ten.history[1].indices.tolist()
    assert len(aside) == 10 and max(aside) > 20 and set(few.history[1].indices) < set(aside)
    assert sorted(aside + ten.truth.indices.tolist()) == list(range(40))
    np.testing.assert_array_equal(few.truth.indices, ten.truth.indices)
    assert aside != new_user_tasks(data, [10], drawn=1)[0].history[1].indices.tolist()


def test_somebody_with_an_event_in_training_is_not_new(dataset):
    data = dataset(2, 13, train=[(0, 12)], test=[(0, item) for item in range(12)])
    with pytest.raises(DataError, match="none of the 0 events can be asked for"):
        new_user_tasks(data)


def test_more_events_than_are_set_aside_cannot_be_given(dataset):
    with pytest.raises(DataError, match="given is \\[3, 11\\]; expected numbers of events from 1 to 10"):
        new_user_tasks(dataset(1, 1, train=[(0, 0)]), [3, 11])
