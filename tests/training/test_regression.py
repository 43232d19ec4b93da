"""Content onto vectors: what tells something is heard, what is noise is not, and new items land where they belong."""

import numpy as np
import pytest
import tensorflow as tf

from tests.training.toy import KNOWN, TASTES, make_toy
from tfrec.training.regression import Fit, fit_regression


def regressed(toy, seed=0):
    """What was chosen, and the vectors of all items with content read."""
    tower = toy.model.item_tower
    tower.regression({name: tf.constant(array[:1]) for name, array in toy.inputs.arrays.items()})
    known = np.flatnonzero(toy.known)
    fit = fit_regression(tower.regression, toy.inputs, known, toy.table, toy.embedder(), toy.pairs, {}, seed)
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
    """The gradient of |A c - Y|^2 + ridge c'Kc is nothing, with A the likeness of all known items to the landmarks."""
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
    gradient = every.T @ (every @ solved - missed) + fit.ridge * alike(points) @ solved
    assert len(every) == KNOWN and np.abs(gradient).max() < 1e-3 * np.abs(every.T @ missed).max()


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


def test_a_fit_says_what_is_read_and_what_is_switched_off():
    said = Fit({"kind": 0.4, "noise": 0.0}, 0.1, 0.51234).sentence()
    assert said == "content reads kind 0.4; switched off: noise (nDCG@10 of hidden items 0.5123)"
