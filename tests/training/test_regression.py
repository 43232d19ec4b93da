"""Content onto vectors: what tells something is heard, what is noise is not, and new items land where they belong."""

import numpy as np
import pytest
import tensorflow as tf
from scipy import sparse

from tests.training.toy import KNOWN, TASTES, make_toy
from tfrec.training.hidden_items import HiddenItems
from tfrec.training.regression import RIDGE, TRUST, Fit, fit_regression, solve_normal_equations


def regressed(toy, seed=0, exposure=0.0):
    """What was chosen, and the vectors of all items with content read."""
    tower = toy.model.item_tower
    tower.regression({name: tf.constant(array[:1]) for name, array in toy.inputs.arrays.items()})
    known = np.flatnonzero(toy.known)
    fit = fit_regression(tower.regression, toy.inputs, known, toy.table, toy.embedder(), toy.pairs, {}, seed, exposure)
    tower.reads_content = True
    return fit, toy.embedder().items(toy.inputs)


def share_of_the_right_taste(toy, table):
    """Of the items nobody touched, how many are nearest to the mean vector of their own taste; 1/12 by chance."""
    centres = np.stack([toy.table[toy.known & (toy.taste == taste)].mean(axis=0) for taste in range(TASTES)])
    new = table[~toy.known]
    distances = ((new[:, np.newaxis] - centres) ** 2).sum(axis=-1)
    return np.mean(distances.argmin(axis=1) == toy.taste[~toy.known])


def landmarks(monkeypatch, count):
    monkeypatch.setattr("tfrec.towers.content_regression.LANDMARKS", count)
    monkeypatch.setattr("tfrec.training.regression.LANDMARKS", count)


def test_noise_is_heard_less_than_what_tells_the_taste():
    fits = [regressed(make_toy(seed=seed), seed)[0] for seed in range(4)]
    kind, noise, price = (np.array([fit.weights[name] for fit in fits]) for name in ("kind", "noise", "price"))
    assert np.all(kind > 0) and np.all(noise <= kind) and np.all(price <= kind)
    assert max(noise.sum(), price.sum()) < kind.sum() / 2


def test_new_items_land_among_those_of_their_taste_and_known_ones_stay():
    toy = make_toy()
    _, table = regressed(toy)
    assert share_of_the_right_taste(toy, table) == 1.0
    np.testing.assert_allclose(table[toy.known], toy.table[toy.known], atol=1e-6)


def test_noise_alone_places_new_items_by_chance_and_is_told_so():
    """The measure that weights are chosen by must not see what is not there."""
    telling, _ = regressed(make_toy())
    shares, scores = [], []
    for seed in range(4):
        toy = make_toy({"noise": "category"}, seed=seed)
        fit, table = regressed(toy, seed)
        shares.append(share_of_the_right_taste(toy, table))
        scores.append(fit.ndcg)
    assert np.mean(shares) < 0.25 and max(scores) < telling.ndcg - 0.1


@pytest.mark.parametrize("count", [40, 60])
def test_more_items_than_landmarks_are_fitted_all(monkeypatch, count):
    landmarks(monkeypatch, count)
    toy = make_toy()
    _, table = regressed(toy)
    assert toy.model.item_tower.regression.points.shape[0] == count < KNOWN
    assert share_of_the_right_taste(toy, table) > 0.9


def test_coefficients_of_landmarks_are_the_minimum_over_all_known_items(monkeypatch):
    """The gradient of sum_i t_i |(A c - Y)_i|^2 + ridge c'Kc is nothing, A being the likeness of items to landmarks."""
    landmarks(monkeypatch, 40)
    toy = make_toy()
    fit, _ = regressed(toy)
    layer = toy.model.item_tower.regression
    points, solved = (variable.numpy().astype(np.float64) for variable in (layer.points, layer.coefficients))

    def alike(rows):
        return np.exp(-((rows[:, np.newaxis] - points) ** 2).sum(axis=-1))

    groups = layer.features({name: tf.constant(array[toy.known]) for name, array in toy.inputs.arrays.items()})
    rows = np.concatenate([groups[name].numpy() * fit.weights[name] ** 0.5 for name in groups], axis=1)
    every, missed = alike(rows), toy.table[toy.known] - layer.mean.numpy()
    counts = np.bincount(toy.pairs.item, minlength=len(toy.known))[toy.known]
    trust = (counts / (counts + TRUST))[:, np.newaxis]
    gradient = every.T @ (trust * (every @ solved - missed)) + RIDGE * alike(points) @ solved
    assert len(every) == KNOWN and np.abs(gradient).max() < 1e-3 * np.abs(every.T @ missed).max()
    most = rows[np.sort(np.argsort(-counts, kind="stable")[:40])]
    np.testing.assert_allclose(points, most, atol=1e-5)  # Landmarks are those that were touched most.


def test_landmarks_of_equal_content_are_solved_for():
    """Twenty categories and a price in steps make equal landmarks, whose rounded likeness is not definite."""
    random = np.random.default_rng(0)
    kinds, prices = random.integers(0, 20, 4000), 0.3 * random.integers(-9, 9, 4000)
    apart = 0.72 * (kinds[:, np.newaxis] != kinds[:800]) + (prices[:, np.newaxis] - prices[:800]) ** 2
    alike = np.exp(-apart).astype(np.float32).astype(np.float64)
    alike[:800] += np.triu(random.uniform(-3e-7, 3e-7, (800, 800)))  # What products in single precision round by.
    alike[:800] = np.triu(alike[:800]) + np.triu(alike[:800], 1).T
    left, right = RIDGE * alike[:800] + alike.T @ alike, alike.T @ random.normal(size=(4000, 3))
    assert np.linalg.eigvalsh(left)[0] < -1e-6
    solved = solve_normal_equations(left, right)
    assert np.isfinite(solved).all()
    np.testing.assert_allclose(left @ solved, right, atol=1e-3 * np.abs(right).max())


def test_the_same_seed_chooses_the_same():
    (one, first), (other, second) = (regressed(make_toy(), seed=3) for _ in range(2))
    assert one == other
    np.testing.assert_array_equal(first, second)


def test_numbers_place_items_between_their_neighbours():
    """Tastes are stretches of the price, so that no line through it could tell them."""
    toy = make_toy({"price": "number"})
    random = np.random.default_rng(4)
    toy.inputs.arrays["price"][:, 0] = random.permutation(TASTES)[toy.taste] + random.uniform(0.1, 0.9, len(toy.taste))
    _, table = regressed(toy)
    assert share_of_the_right_taste(toy, table) > 0.9


def test_a_fit_says_what_is_read_what_is_switched_off_and_how_often_new_items_are_seen():
    said = Fit({"kind": 0.4, "noise": 0.0}, 0.51234, 1.25, 0.5).sentence()
    assert said == (
        "content reads kind 0.4; switched off: noise (nDCG@10 of hidden items 0.5123); widened by 1.25, hidden items "
        "stand in lists 0.50 times as often as their number"
    )


def test_new_items_are_widened_until_hidden_ones_are_seen_as_often_as_asked_and_keep_their_order():
    """A weak hint of the taste makes predictions timid, so that as they are they lose against known items."""
    tables, fits = [], []
    for exposure in (0.0, 1.2):
        toy = make_toy({"kind": "category"})
        random = np.random.default_rng(4)
        strange = random.random(len(toy.taste)) < 0.5
        toy.inputs.arrays["kind"][strange] = random.integers(2, TASTES + 2, strange.sum())
        fit, table = regressed(toy, exposure=exposure)
        fits.append(fit)
        tables.append(table[~toy.known] - toy.table[toy.known].mean(axis=0))
    timid, seen = fits
    assert timid.scale == 1.0 and timid.exposure < 1.2 <= seen.exposure and seen.scale > 1
    np.testing.assert_allclose(tables[1], seen.scale * tables[0], rtol=1e-3, atol=1e-5)


def test_exposure_is_counted_in_merged_lists():
    """Against lists made by hand: two hidden items and twelve others, a list of ten for each of two users."""
    rest = np.array([[12, 11, 10, 9, 8, 7, 6, 5, 4, 3.0], [1, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1]])
    likeness = np.eye(14)
    likeness[[0, 1], [12, 13]] = likeness[[12, 13], [0, 1]] = 1.0
    scored = np.zeros((2, 12), np.float32)
    scored[:, 0], scored[:, 1] = [5.5, 5.5], [0.01, 0.35]
    hidden = HiddenItems(
        np.arange(12), np.array([12, 13]), scored, np.zeros(2), rest, sparse.csr_matrix(np.ones((2, 2), np.float32))
    )
    # The first user has one of them among ten, the second both: 3 of 20 places, and they are 2 of 14 items.
    np.testing.assert_allclose(hidden.exposure(likeness, np.zeros(14), np.array([1.0])), [3 / 20 / (2 / 14)])
    # Twice as far, the first user's list is as it was, but for the order.
    np.testing.assert_allclose(hidden.exposure(likeness, np.zeros(14), np.array([2.0])), [3 / 20 / (2 / 14)])
    np.testing.assert_allclose(hidden.exposure(likeness, np.zeros(14), np.array([0.1])), [1 / 20 / (2 / 14)])
