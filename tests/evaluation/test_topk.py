import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from tfrec.errors import DataError
from tfrec.evaluation.topk import top_k, top_k_of_scores


def plain_top_k(scores, k, exclude, candidates, truth):
    """Sort each row item by item: score down, relevant items behind the others, then position."""
    result = []
    for row, values in enumerate(scores):
        allowed = [item for item in candidates if not exclude[row][item]]
        allowed.sort(key=lambda item: (-values[item], truth[row][item], item))
        result.append((allowed + [-1] * k)[:k])
    return result


@st.composite
def problems(draw):
    users, items = draw(st.integers(1, 6)), draw(st.integers(1, 25))
    generator = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    # Few distinct values make many ties; -0 and 0 must tie too.
    scores = generator.choice(np.array([-1.5, -0.0, 0.0, 2.0, 1e30], np.float32), (users, items))
    exclude, truth = generator.random((2, users, items)) < 0.3
    candidates = np.flatnonzero(generator.random(items) < 0.8)
    return scores, draw(st.integers(1, 30)), exclude, candidates, truth


@settings(deadline=None)
@given(problems(), st.integers(1, 4))
def test_the_order_equals_a_plain_sort_with_ties_against_the_model(problem, block):
    scores, k, exclude, candidates, truth = problem
    found = top_k_of_scores(
        lambda rows: scores[rows],
        *scores.shape,
        k,
        exclude=sparse.csr_matrix(exclude),
        candidates=candidates,
        truth=sparse.csr_matrix(truth),
        block=block,
    )
    assert found.positions.dtype == np.int32
    assert found.positions.tolist() == plain_top_k(scores.tolist(), k, exclude, candidates.tolist(), truth)
    for row in range(len(scores)):
        for position, score in zip(found.positions[row], found.scores[row]):
            assert score == (-np.inf if position < 0 else scores[row, position])


@settings(deadline=None)
@given(st.integers(1, 7), st.integers(1, 40), st.integers(1, 12), st.integers(0, 2**32 - 1))
def test_blocks_of_any_size_give_the_same_items(query_block, item_block, k, seed):
    generator = np.random.default_rng(seed)
    # Whole numbers make dot products exact, whatever the block.
    queries = generator.integers(-3, 4, (9, 4)).astype(np.float32)
    items = generator.integers(-3, 4, (31, 4)).astype(np.float32)
    truth = generator.random((9, 31)) < 0.2
    exclude = generator.random((9, 31)) < 0.3
    candidates = np.flatnonzero(generator.random(31) < 0.9)
    found = top_k(
        queries,
        items,
        k,
        exclude=sparse.csr_matrix(exclude),
        candidates=candidates,
        truth=sparse.csr_matrix(truth),
        query_block=query_block,
        item_block=item_block,
    )
    expected = plain_top_k((queries @ items.T).tolist(), k, exclude, candidates.tolist(), truth)
    assert found.positions.tolist() == expected


def test_a_collapsed_model_finds_nothing_until_only_relevant_items_are_left():
    truth = sparse.csr_matrix(np.array([[1, 1, 0, 0, 0, 0]], bool))
    same = np.ones((1, 2), np.float32), np.ones((6, 2), np.float32)
    assert top_k(*same, 4, truth=truth, item_block=2).positions.tolist() == [[2, 3, 4, 5]]
    assert top_k(*same, 5, truth=truth, item_block=2).positions.tolist() == [[2, 3, 4, 5, 0]]
    assert top_k(*same, 2).positions.tolist() == [[0, 1]]


def test_a_relevant_item_with_the_higher_score_still_wins():
    truth = sparse.csr_matrix(np.array([[0, 1, 0]], bool))
    scores = np.array([[1.0, np.nextafter(np.float32(1), np.float32(2)), 1.0]], np.float32)
    assert top_k_of_scores(lambda rows: scores[rows], 1, 3, 2, truth=truth).positions.tolist() == [[1, 0]]


def test_excluded_items_are_never_returned_and_missing_ones_are_minus_one():
    exclude = sparse.csr_matrix(np.array([[1, 1, 0], [1, 1, 1]], bool))
    found = top_k(np.ones((2, 1)), np.ones((3, 1)), 2, exclude=exclude)
    assert found.positions.tolist() == [[2, -1], [-1, -1]]
    assert found.scores.tolist() == [[1, -np.inf], [-np.inf, -np.inf]]


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_score_that_is_not_finite_is_named(bad):
    items = np.array([[1.0], [bad]])
    with pytest.raises(DataError, match=r"user row 0 for the item at position 1 is .*; scores must be finite"):
        top_k(np.ones((2, 1)), items, 1)


def test_candidates_outside_the_catalogue_are_refused():
    with pytest.raises(DataError, match="positions from 0 to 2, got 1 to 3"):
        top_k(np.ones((1, 1)), np.ones((3, 1)), 1, candidates=np.array([1, 3]))


def test_vectors_of_different_width_are_refused():
    with pytest.raises(DataError, match="same width"):
        top_k(np.ones((1, 2)), np.ones((3, 3)), 1)


def test_exclusions_of_other_users_are_refused():
    with pytest.raises(DataError, match=r"exclude must have the shape \[1, 3\], got \[2, 3\]"):
        top_k(np.ones((1, 2)), np.ones((3, 2)), 1, exclude=sparse.csr_matrix((2, 3), dtype=bool))
