"""Least-squares factors of a collaborative model: solved for in closed form, and weighed against its members."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from tfrec.evaluation.baselines.als import ALS
from tfrec.model.two_tower import TwoTower
from tfrec.towers.least_squares import CONFIDENCE
from tfrec.training.interactions import Interactions

REGULARISATION = 30.0
ITERATIONS = 10
SHARE = 0.3  # How far the factors move scores, as a share of how far the members do; benchmarks/results tells why.
ROWS = 1000  # Users the two are compared on.


def set_factors(model: TwoTower, pairs: Interactions, known: np.ndarray, seed: int) -> None:
    """Solve for the factors of all known items and put them into the towers.

    Args:
        model: a model with `model.factors` above 0, built.
        pairs: the training interactions.
        known: bool [N], the items with a vector of their own.
        seed: of the first factors.
    """
    width = model.settings.factors
    solved = ALS(width, REGULARISATION, CONFIDENCE, ITERATIONS, seed).fit(pairs.matrix(len(known))[:, known])
    factors = solved.item_factors_.astype(np.float64)
    model.item_tower.factors.assign(np.concatenate([np.zeros((1, width)), factors]).astype(np.float32))
    least_squares = model.query_tower.least_squares
    least_squares(tf.zeros([1, 1, width]), tf.zeros([1, 1]))  # Makes its weights: no step of training asks it.
    least_squares.gram.assign((factors.T @ factors + REGULARISATION * np.eye(width)).astype(np.float32))
    least_squares.scale.assign(1.0)


def weigh_factors(model: TwoTower, queries: np.ndarray, table: np.ndarray) -> None:
    """Set how much the factors say, so that they move a query's scores `SHARE` times as far as the members do.

    Args:
        queries: float32 [B, width] of some users, about `ROWS`, as the model makes them with the present weight of the
            factors.
        table: float32 [N, width], the known items.
    """
    rows = queries.astype(np.float64)
    width = model.item_tower.member_width
    of_members = _spread(rows[:, :width], table[:, :width])
    of_factors = _spread(rows[:, width:], table[:, width:])
    scale = model.query_tower.least_squares.scale
    # Without a spread there is nobody whose history the factors could tell anything of.
    scale.assign(float(scale.numpy()) * SHARE * of_members / of_factors if of_factors > 0 else 0.0)


def _spread(queries: np.ndarray, table: np.ndarray) -> float:
    """The standard deviation of a query's scores over the items, its mean over the queries."""
    centred = table - table.mean(axis=0)
    # The variance of q . v over the items is q' C q with their covariance C; no scores are needed.
    variances = np.einsum("bd,bd->b", queries @ (centred.T @ centred / len(table)), queries)
    return float(np.sqrt(np.maximum(variances, 0)).mean())
