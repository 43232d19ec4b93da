"""What content features need to know of a catalogue: places of numbers, centres, lengths, and what goes together."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
import tensorflow as tf
from scipy import linalg
from scipy.sparse import linalg as splinalg

from tfrec.encoders.item_inputs import ItemInputs
from tfrec.towers.content_features import BUMPS, ContentFeatures
from tfrec.towers.imputation import Imputation

BLOCK = 4096
ROUNDS = 5  # Of filling in and finding the components anew, where something is absent.


def describe_content(features: ContentFeatures, inputs: ItemInputs, known: np.ndarray, sample: np.ndarray) -> None:
    """Set all that `features` has to know, from the known items.

    Args:
        features: the layer, built.
        inputs: the items' inputs, encoded.
        known: int [n], positions of the items to learn from.
        sample: int [s], those of them that principal components are computed from.
    """
    _place_bumps(features, inputs, known)
    _centre(features, inputs, known)
    if features.imputed:
        parts = [features.centred(tensors) for tensors in in_blocks(inputs, sample)]
        there = {name: np.concatenate([part[name][1].numpy() for part in parts]) for name in features.imputed}
        values = {name: np.concatenate([part[name][0].numpy() for part in parts]) for name in features.imputed}
        fit_imputation(features.imputation, values, there)


def groups_of(features: ContentFeatures, inputs: ItemInputs, positions: np.ndarray) -> dict[str, np.ndarray]:
    """The groups of features of the items at `positions`, float32 [n, width] by name."""
    parts = [features(tensors) for tensors in in_blocks(inputs, positions)]
    return {name: np.concatenate([part[name].numpy() for part in parts]) for name in features.groups}


def in_blocks(inputs: ItemInputs, positions: np.ndarray) -> Iterator[dict[str, tf.Tensor]]:
    """The inputs of the items at `positions`, some thousands at a time."""
    for start in range(0, len(positions), BLOCK):
        yield {name: tf.constant(array) for name, array in inputs.take(positions[start : start + BLOCK]).items()}


def fit_imputation(layer: Imputation, values: Mapping[str, np.ndarray], there: Mapping[str, np.ndarray]) -> None:
    """Find the principal components of all groups together; what is absent is filled in, and they are found anew.

    Args:
        layer: where they go.
        values: float32 [n, width] by group, centred, zeros where absent.
        there: bool [n, 1] by group.
    """
    layer({name: (tf.constant(values[name][:1]), tf.constant(there[name][:1])) for name in values})
    pairs = {name: (tf.constant(values[name]), tf.constant(there[name])) for name in values}
    rounds = 1 if all(flags.all() for flags in there.values()) else ROUNDS
    for _ in range(rounds):
        filled = layer(pairs)
        _set_components(layer, {name: found.numpy().astype(np.float64) for name, found in filled.items()})


def _set_components(layer: Imputation, filled: Mapping[str, np.ndarray]) -> None:
    """Maximum likelihood: W = U (L - s)^.5 from the leading eigenvectors of the covariance, s the mean of the rest."""
    joined = np.concatenate(list(filled.values()), axis=1)
    covariance = joined.T @ joined / len(joined)
    width, total = len(covariance), float(np.trace(covariance))
    if width <= 2 * layer.rank:
        variances, directions = linalg.eigh(covariance, subset_by_index=[width - layer.rank, width - 1])
    else:
        variances, directions = splinalg.eigsh(covariance, layer.rank, v0=np.ones(width))
    left = max(total - float(variances.sum()), 0.0) / max(width - layer.rank, 1)
    # A little noise stays where the components explain everything, so that there is something to divide by.
    noise = max(left, 1e-4 * total / width, 1e-9)
    loadings = directions * np.sqrt(np.maximum(variances - noise, 0))
    start = 0
    for name, width in layer.widths.items():
        layer.loadings[name].assign(loadings[start : start + width])
        start += width
    layer.noise.assign(noise)


def _place_bumps(features: ContentFeatures, inputs: ItemInputs, known: np.ndarray) -> None:
    for name, places in features.places.items():
        numbers = inputs.arrays[name][known]
        values = numbers[numbers[:, 1] > 0, 0]
        if len(values):
            quantiles = np.quantile(values, (np.arange(BUMPS) + 0.5) / BUMPS)
            gaps = np.maximum(np.gradient(quantiles), 1e-3 * max(np.ptp(values), 1e-6))
            places.assign(quantiles)
            features.spreads[name].assign(2 * gaps)


def _centre(features: ContentFeatures, inputs: ItemInputs, known: np.ndarray) -> None:
    totals = {name: np.zeros(width) for name, width in features.widths.items()}
    squares, counts = dict.fromkeys(totals, 0.0), dict.fromkeys(totals, 0)
    for tensors in in_blocks(inputs, known):
        for name, (raw, there) in features.raw(tensors).items():
            present = raw.numpy()[there.numpy()[:, 0]].astype(np.float64)
            totals[name] += present.sum(axis=0)
            squares[name] += float((present**2).sum())
            counts[name] += len(present)
    for name, total in totals.items():
        centre = total / max(counts[name], 1)
        variance = squares[name] / max(counts[name], 1) - float(centre @ centre)
        features.centres[name].assign(centre)
        features.lengths[name].assign(np.sqrt(variance) if variance > 1e-9 else 1.0)
