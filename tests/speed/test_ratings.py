import numpy as np
import pytest

from tfrec.errors import DataError
from tfrec.speed.ratings import made_up, movielens


def test_made_up_rows_are_the_same_each_time_distinct_and_uneven():
    one, same = made_up(2000, 500, 120, 200), made_up(2000, 500, 120, 200)
    np.testing.assert_array_equal(one.train, same.train)
    both = np.concatenate([one.train, one.test])
    assert len(one.train) == 2000 and len(one.test) == 500 and len(np.unique(both, axis=0)) == 2500
    popularity = np.sort(np.bincount(one.train[:, 1], minlength=200))
    assert popularity[-20:].sum() > 5 * popularity[:20].sum()
    dataset = one.dataset()
    assert len(dataset.train) == 2000 and len(dataset.users) == 120 and len(dataset.catalogue) == 200


def test_more_rows_than_there_can_be_are_refused():
    with pytest.raises(DataError, match="20 users and 30 items"):
        made_up(2000, 500, 20, 30)


def test_a_folder_without_the_release_is_refused(tmp_path):
    with pytest.raises(DataError, match=r"u\.data"):
        movielens(str(tmp_path))
