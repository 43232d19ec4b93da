"""Gaps in content are filled by what is there, as the same model worked out by hand would fill them."""

import numpy as np
import pytest
import tensorflow as tf

from tfrec.towers.imputation import Imputation
from tfrec.training.content_statistics import fit_imputation

WIDTHS = {"left": 6, "middle": 40, "right": 50}


def factor_data(rows, seed=0, noise=0.1):
    """Groups that three hidden factors make, centred."""
    random = np.random.default_rng(seed)
    shared = np.random.default_rng(99)
    factors = random.normal(size=(rows, 3))
    return {
        name: (factors @ shared.normal(size=(3, width)) + noise * random.normal(size=(rows, width))).astype(np.float32)
        for name, width in WIDTHS.items()
    }


def everywhere(groups):
    return {name: np.ones((len(values), 1), bool) for name, values in groups.items()}


def asked(groups, there):
    return {name: (tf.constant(values * there[name]), tf.constant(there[name])) for name, values in groups.items()}


def fitted(groups, there=None):
    layer = Imputation({name: values.shape[1] for name, values in groups.items()})
    there = there or everywhere(groups)
    fit_imputation(layer, {name: values * there[name] for name, values in groups.items()}, there)
    return layer


def error(layer, groups, there, name):
    filled = layer(asked(groups, there))[name].numpy()
    gone = ~there[name][:, 0]
    return float(((filled - groups[name])[gone] ** 2).mean() / (groups[name][gone] ** 2).mean())


@pytest.mark.parametrize("kept", ["left", "middle", "right"])
def test_one_group_tells_the_others(kept):
    layer = fitted(factor_data(400))
    new = factor_data(100, seed=1)
    there = {name: np.full((100, 1), name == kept) for name in WIDTHS}
    assert all(error(layer, new, there, name) < 0.1 for name in WIDTHS if name != kept)
    np.testing.assert_array_equal(layer(asked(new, there))[kept], new[kept])


def test_it_is_the_conditional_mean_of_a_gaussian_of_the_same_covariance():
    layer = fitted(factor_data(300, noise=0.5))
    new = factor_data(5, seed=2, noise=0.5)
    there = everywhere(new) | {"middle": np.zeros((5, 1), bool)}
    loadings = np.concatenate([layer.loadings[name].numpy() for name in WIDTHS]).astype(np.float64)
    covariance = loadings @ loadings.T + float(layer.noise) * np.eye(len(loadings))
    present = np.r_[0:6, 46:96]
    known = np.concatenate([new["left"], new["right"]], axis=1)
    expected = known @ np.linalg.solve(covariance[np.ix_(present, present)], covariance[np.ix_(present, range(6, 46))])
    np.testing.assert_allclose(layer(asked(new, there))["middle"], expected, rtol=1e-3, atol=1e-4)


def test_components_are_found_though_half_of_every_group_is_missing():
    groups = factor_data(600)
    random = np.random.default_rng(5)
    there = {name: random.random((600, 1)) < 0.5 for name in WIDTHS}
    layer = fitted(groups, there)
    new = factor_data(100, seed=1)
    gaps = everywhere(new) | {"right": np.zeros((100, 1), bool)}
    assert error(layer, new, gaps, "right") < 0.15


def test_with_nothing_there_an_item_lies_in_the_middle():
    layer = fitted(factor_data(100))
    nothing = {name: np.zeros((3, 1), bool) for name in WIDTHS}
    assert all(not filled.numpy().any() for filled in layer(asked(factor_data(3), nothing)).values())


def test_groups_without_any_spread_are_borne():
    groups = factor_data(50) | {"right": np.zeros((50, 50), np.float32)}
    there = everywhere(groups) | {"left": np.zeros((50, 1), bool)}
    filled = fitted(groups)(asked(groups, there))
    assert all(np.isfinite(values).all() for values in filled.values())
