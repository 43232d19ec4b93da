"""Leaks are made on purpose: events copied, moved in time, held-out items trained on."""

import dataclasses

import numpy as np
import pytest
from scipy import sparse

from tfrec.alarms.leakage import asked_and_known, dataset_leakage, row_leakage
from tfrec.data.tables import joined

BY = ("time", "last-out", "random", "within-user", "within-item")


@pytest.mark.parametrize("by", BY)
def test_ingested_data_has_no_leak(plain_world, by):
    config = plain_world.config(split={"by": by})
    assert dataset_leakage(plain_world.dataset(config, f"split-{by}"), by) == []


def test_test_events_copied_into_training_are_counted(plain_dataset):
    copied = plain_dataset.test.take(np.arange(5))
    leaky = dataclasses.replace(plain_dataset, train=joined(plain_dataset.train, copied))
    alarm, *later = dataset_leakage(leaky, "time")
    assert alarm.name == "leakage" and alarm.numbers == {"test": 5.0}
    assert "5 of the test part are in an earlier part as well" in alarm.sentence
    assert [alarm.numbers["events"] for alarm in later] == [5, 5]  # Known at validation, and at test.
    assert len(dataset_leakage(leaky, "random")) == 1


def test_a_copy_in_validation_is_counted_once_for_each_part(plain_dataset):
    copied = plain_dataset.train.take(np.arange(3))
    leaky = dataclasses.replace(plain_dataset, validation=copied, test=copied.take(np.arange(2)))
    (alarm,) = dataset_leakage(leaky, "random")
    assert alarm.numbers == {"validation": 3.0, "test": 2.0}
    assert "3 of the validation part and 2 of the test part" in alarm.seen


def test_repeated_listening_is_no_leak(events, divided):
    data = dataclasses.replace(divided(2, 3, train=[(0, 0)]), test=events([(0, 0)], time=[9]))
    assert dataset_leakage(data, "time") == []


def test_a_view_and_a_purchase_in_one_second_are_two_events(events, divided):
    viewed = dataclasses.replace(events([(0, 0)], time=[7]), type=np.array(["view"], object))
    bought = dataclasses.replace(viewed, type=np.array(["buy"], object))
    data = dataclasses.replace(divided(2, 3, train=[(1, 1)]), train=viewed, test=bought)
    assert dataset_leakage(data, "random") == []


def test_training_events_of_the_time_that_is_asked_for_raise_an_alarm(events, divided):
    data = divided(3, 3, train=[(0, 0)])
    data = dataclasses.replace(data, train=events([(0, 0), (1, 1)], time=[1, 9]), test=events([(2, 2)], time=[9]))
    (alarm,) = dataset_leakage(data, "time")
    assert "1 of the 2 events known when the test part is asked for are no earlier" in alarm.seen
    assert dataset_leakage(data, "random") == []


def test_a_users_later_events_in_history_raise_an_alarm_when_the_last_is_asked_for(events, divided):
    data = divided(3, 4, train=[(0, 0)])
    train = events([(0, 0), (1, 1), (0, 3)], time=[1, 9, 6])
    data = dataclasses.replace(data, train=train, test=events([(0, 2), (1, 2)], time=[5, 9]))
    (alarm,) = dataset_leakage(data, "last-out")
    assert alarm.numbers == {"events": 1.0, "known": 3.0}


def test_held_out_items_in_training_raise_an_alarm(divided):
    (alarm,) = dataset_leakage(divided(3, 4, train=[(0, 0), (1, 2), (2, 2)], held_out=[2, 3]), "random")
    assert "1 of the 2 held-out items have events in the training part" in alarm.seen


def test_a_part_in_the_place_of_validation_and_test_is_no_leak(plain_dataset):
    both = dataclasses.replace(plain_dataset, test=plain_dataset.validation)
    assert dataset_leakage(both, "time") == []


def test_pairs_asked_for_that_are_excluded_raise_an_alarm():
    truth = sparse.csr_matrix(np.array([[1, 1, 0], [0, 0, 1]]))
    known = sparse.csr_matrix(np.array([[0, 1, 1], [0, 0, 0]]))
    assert asked_and_known(truth, known, "test").numbers == {"pairs": 1.0, "asked": 3.0}
    assert asked_and_known(truth, sparse.csr_matrix(known.shape), "test") is None


def rows(history, targets, history_time=None, target_time=None, held_out=(), in_order=True, before=np.inf):
    history, targets = np.array(history), np.array(targets)
    history_time = np.zeros_like(history) if history_time is None else np.array(history_time)
    target_time = np.zeros_like(targets) if target_time is None else np.array(target_time)
    return row_leakage(history, targets, history_time, target_time, np.array(held_out, int), in_order, before)


def test_sound_rows_raise_no_alarm():
    assert rows([[1, 2, -1], [-1, -1, -1]], [[3, -1], [1, 2]], [[1, 2, 99], [9, 9, 9]], [[2, 0], [3, 4]]) == []


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"history": [[1, 2]], "targets": [[2, 3]]}, "ask for an item that their own history holds"),
        (
            {"history": [[1, 2]], "targets": [[3, -1]], "history_time": [[1, 5]], "target_time": [[4, 0]]},
            "hold later events in the history than in the targets",
        ),
        (
            {"history": [[1, -1]], "targets": [[3, -1]], "target_time": [[8, 0]], "before": 8},
            "hold events of the time that is asked for",
        ),
        ({"history": [[1, 2]], "targets": [[3, -1]], "held_out": [2]}, "hold items that were held out"),
        ({"history": [[1, 2]], "targets": [[3, -1]], "held_out": [3]}, "hold items that were held out"),
    ],
)
def test_every_leak_of_a_row_is_told(given, said):
    (alarm,) = rows(**given)
    assert alarm.name == "leakage" and f"1 of 1 training rows {said}" == alarm.seen


def test_other_objectives_may_mix_the_order():
    assert rows([[1]], [[3]], [[5]], [[4]], in_order=False) == []
