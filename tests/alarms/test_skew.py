import numpy as np
import pytest

from tfrec.alarms.skew import answer_skew, partial_answer_skew, vector_skew

IDS = np.array([["a", "b", "c"], ["b", "c", ""]], object)
SCORES = np.array([[3.0, 2.0, 1.0], [2.0, 1.0, 0.0]])


def test_vectors_within_the_tolerance_raise_no_alarm():
    vectors = np.random.default_rng(0).normal(size=[8, 4])
    assert vector_skew("embed_items", vectors + 1e-6, vectors, 1e-3) is None


@pytest.mark.parametrize(
    "change", [lambda v: v + 0.1, lambda v: -v, lambda v: v[::-1], lambda v: v * 2, lambda v: v * np.nan]
)
def test_other_vectors_raise_an_alarm(change):
    vectors = np.random.default_rng(0).normal(size=[8, 4])
    alarm = vector_skew("embed_items", change(vectors), vectors, 1e-3)
    assert alarm.name == "skew" and alarm.seen.startswith("embed_items of the exported model gives other vectors")


def test_the_same_answers_raise_no_alarm():
    assert answer_skew("serving_default", IDS, SCORES + 1e-6, IDS, SCORES, 1e-3) is None


def test_items_of_one_score_may_change_places():
    scores = np.array([[2.0, 1.0, 1.0]])
    ids, others = np.array([["a", "b", "c"]], object), np.array([["a", "c", "d"]], object)
    assert answer_skew("serving_default", others, scores, ids, scores, 1e-3) is None


@pytest.mark.parametrize(
    ("ids", "scores"),
    [
        (IDS, SCORES * 1.1),
        (IDS[:, ::-1], SCORES),
        (np.array([["a", "x", "c"], ["b", "c", ""]], object), SCORES),
        (np.array([["a", "b", ""], ["b", "c", ""]], object), SCORES),
        (IDS, SCORES * np.nan),
    ],
)
def test_other_items_or_scores_raise_an_alarm(ids, scores):
    alarm = answer_skew("serving_default", ids, scores, IDS, SCORES, 1e-3)
    assert alarm.name == "skew" and "recommends other items or scores" in alarm.seen


def test_an_index_that_finds_part_may_leave_out_items_but_not_change_scores_or_order():
    part = np.array([["a", "c", "d"], ["b", "c", ""]], object)
    scores = np.array([[3.0, 1.0, 0.5], [2.0, 1.0, 0.0]])
    assert partial_answer_skew("serving_default", part, scores, IDS, SCORES, 1e-3, 0.7) is None
    assert "finds 80.0% of what that ranks first, where at least 90.0%" in (
        partial_answer_skew("serving_default", part, scores, IDS, SCORES, 1e-3, 0.9).seen
    )


def test_an_index_that_finds_other_items_of_the_same_score_finds_as_much():
    scores = np.array([[2.0, 1.0, 1.0]])
    ids, others = np.array([["a", "b", "c"]], object), np.array([["a", "d", "e"]], object)
    assert partial_answer_skew("serving_default", others, scores, ids, scores, 1e-3, 0.9) is None
    worse = scores - [[0, 1e-3, 1e-3]]
    assert "finds 33.3%" in partial_answer_skew("serving_default", others, worse, ids, scores, 1e-3, 0.9).seen


@pytest.mark.parametrize(
    ("ids", "scores"),
    [
        (IDS, SCORES * 1.1),
        (np.array([["x", "b", "c"], ["b", "c", ""]], object), SCORES),  # Better than what the model ranks last.
        (np.array([["a", "b", ""], ["b", "c", ""]], object), SCORES),
        (IDS, SCORES * np.nan),
    ],
)
def test_what_an_index_of_parts_cannot_explain_raises_an_alarm(ids, scores):
    alarm = partial_answer_skew("serving_default", ids, scores, IDS, SCORES, 1e-3, 0.5)
    assert alarm.name == "skew" and "recommends other items or scores" in alarm.seen
