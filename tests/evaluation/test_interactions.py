import numpy as np

from tfrec.evaluation.interactions import interaction_matrix, only_columns, touched_matrix, without


def test_the_largest_weight_of_a_pair_counts(events):
    matrix = interaction_matrix(events([(0, 1), (0, 1), (0, 1), (1, 2)], weight=[1, 3, 2, 1]), 2, 3)
    assert matrix.toarray().tolist() == [[0, 3, 0], [0, 0, 1]]
    assert matrix.dtype == np.float32


def test_events_of_weight_zero_are_no_interaction_but_were_touched(events):
    table = events([(0, 1), (1, 2)], weight=[0, 1])
    assert interaction_matrix(table, 2, 3).nnz == 1
    assert touched_matrix([table], 2, 3).toarray().tolist() == [[False, True, False], [False, False, True]]


def test_older_events_weigh_less_with_a_half_life(events):
    matrix = interaction_matrix(events([(0, 0), (0, 1)], time=[0, 100]), 1, 2, half_life=50)
    assert matrix.toarray().tolist() == [[0.25, 1]]


def test_touched_pairs_of_several_parts_are_joined(events):
    matrix = touched_matrix([events([(0, 0), (0, 0)]), events([(0, 2)]), events([])], 1, 3)
    assert matrix.toarray().tolist() == [[True, False, True]]


def test_pairs_and_columns_are_taken_away(events):
    all_pairs = touched_matrix([events([(0, 0), (0, 1), (1, 2)])], 2, 3)
    left = without(all_pairs, touched_matrix([events([(0, 1), (1, 1)])], 2, 3))
    assert left.toarray().tolist() == [[True, False, False], [False, False, True]]
    assert left.nnz == 2
    assert only_columns(all_pairs, np.array([2])).toarray().tolist() == [[False] * 3, [False, False, True]]
