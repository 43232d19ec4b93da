"""Training from a data set to a trained model: prepare, fit, resume."""

from __future__ import annotations

import dataclasses
import hashlib
import os
from collections.abc import Callable, Mapping

import numpy as np
import scipy.sparse
import tensorflow as tf

from tfrec.code_hash import code_hash
from tfrec.config import Config
from tfrec.data.tables import Dataset, Events
from tfrec.data.vocabulary import FeatureSpace, fit_feature_space
from tfrec.encoders.base import Encoder
from tfrec.encoders.item_inputs import ItemInputs, item_inputs
from tfrec.errors import DataError
from tfrec.model.build import Blueprint, build_encoders, build_model
from tfrec.model.embedding import Embedder
from tfrec.model.two_tower import TwoTower
from tfrec.training.batches import Batches
from tfrec.training.callbacks import Keeper, Validation
from tfrec.training.checkpoints import Checkpoints
from tfrec.training.interactions import Interactions, interactions
from tfrec.training.optimizer import build_optimizer
from tfrec.training.rows import RowSampler
from tfrec.training.strategy import build_strategy

VALIDATION_USERS = 5000
# Above these many items a step looks at a sample of the catalogue: content that is encoded in the step costs more.
ALL_ITEMS_ENCODED_BEFORE = 4096
ALL_ITEMS_ENCODED_IN_STEP = 256

Say = Callable[[str], None]
Progress = Callable[[str, int, int], None]


@dataclasses.dataclass(frozen=True)
class Trained:
    """A trained model and what it was trained on.

    Attributes:
        blueprint: what rebuilds the model's structure.
        encoders: the encoder of each content feature, with its weights.
        inputs: the content of all items of the catalogue.
        interactions: the training interactions.
        history: the logs of each epoch.
    """

    config: Config
    blueprint: Blueprint
    encoders: Mapping[str, Encoder]
    model: TwoTower
    inputs: ItemInputs
    interactions: Interactions
    history: list[dict[str, float]]


def train(
    config: Config,
    dataset: Dataset,
    directory: str,
    feature_space: FeatureSpace | None = None,
    cache: str = "",
    say: Say = print,
    progress: Progress | None = None,
) -> Trained:
    """Train a model, or go on with one that was interrupted.

    Args:
        config: the configuration.
        dataset: the data, divided into parts.
        directory: folder of the training state (checkpoints, TensorBoard logs).
        feature_space: vocabularies and scaling; fitted on the training part where it is not given.
        cache: folder of the embedding cache, `directory`/cache by default.
        say: called with a line per epoch.
        progress: called with (what, done, total) while the catalogue is encoded.

    Raises:
        DataError: if the training part has no events.
        TrainingError: if the loss is no number, the disk is full or a device is missing.
    """
    if not len(dataset.train):
        raise DataError("the training part has no events; make split.validation and split.test smaller")
    tf.keras.utils.set_random_seed(config.training.seed)
    if config.training.mixed_precision:
        tf.keras.mixed_precision.set_global_policy(config.training.mixed_precision)
    space = feature_space or fit_feature_space(config.schema, dataset.catalogue, dataset.users, dataset.train)
    known = np.zeros(len(dataset.catalogue), bool)
    known[dataset.train.item] = True
    blueprint = Blueprint(space, known_items=int(known.sum()))
    pairs = interactions(dataset.train, len(dataset.users))
    strategy = build_strategy(config.training.strategy)
    with strategy.scope():
        encoders = build_encoders(config)
        model = build_model(config, blueprint, encoders)
    inputs = item_inputs(
        config.schema,
        dataset.catalogue,
        space,
        encoders,
        known,
        cache or os.path.join(directory, "cache"),
        model.text_feature,
        progress,
    )
    batches = _batches(config, dataset, space, pairs, inputs, encoders, known)
    steps = -(-batches.steps // strategy.num_replicas_in_sync)
    with strategy.scope():
        _build(model, batches)
        model.compile(
            optimizer=build_optimizer(config.training, config.training.epochs * steps // config.training.accumulate),
            jit_compile=config.training.jit,
        )
        _optimizer(model).build(model.trainable_variables)
        if config.training.accumulate > 1:
            model.build_accumulators()
    checkpoints = Checkpoints(
        os.path.join(directory, "checkpoints"), training_fingerprint(config, dataset, encoders), model
    )
    state = checkpoints.resume()
    keeper = Keeper(checkpoints, config.training.patience, config.training.checkpoint_every, state, say)
    if state:
        say(f"going on after epoch {state['epoch']}" if not state["finished"] else "the trained model is up to date")
    if not (state and state["finished"]):
        first = state["epoch"] if state else 0
        validation = _validation(config, dataset, space, pairs, inputs, Embedder(model, config.serving.history), known)
        model.fit(
            _distributed(strategy, batches, config.training.seed, first),
            epochs=config.training.epochs,
            initial_epoch=first,
            steps_per_epoch=steps,
            verbose=0,
            callbacks=[validation, keeper, *_loggers(config, directory)],
        )
    checkpoints.restore_best()
    return Trained(config, blueprint, encoders, model, inputs, pairs, keeper.history)


def training_fingerprint(config: Config, dataset: Dataset, encoders: Mapping[str, Encoder]) -> str:
    """A hash of all that decides a trained model: settings, data, encoders and the code of this package."""
    digest = hashlib.sha256()
    for part in (config.schema, config.model, config.training, config.serving.history, code_hash()):
        digest.update(repr(part).encode())
    for array in (dataset.train.user, dataset.train.item, dataset.train.time, dataset.train.weight, dataset.held_out):
        digest.update(np.ascontiguousarray(array).tobytes())
    digest.update("\n".join(dataset.catalogue.ids).encode())
    for name, media in sorted(dataset.catalogue.media.items()):
        digest.update(f"{name} {' '.join(media.digests)}".encode())
    for name, column in sorted(dataset.catalogue.columns.items()):
        digest.update(f"{name} {list(column)}".encode())
    for name, encoder in sorted(encoders.items()):
        digest.update(f"{name} {encoder.frozen and encoder.fingerprint()}".encode())
    return digest.hexdigest()


def _batches(
    config: Config,
    dataset: Dataset,
    space: FeatureSpace,
    pairs: Interactions,
    inputs: ItemInputs,
    encoders: Mapping[str, Encoder],
    known: np.ndarray,
) -> Batches:
    training = config.training
    sampler = RowSampler(
        pairs,
        training.objective,
        training.batch_size,
        config.serving.history,
        training.targets,
        config.model.history_dropout,
    )
    candidates = training.candidates
    if not candidates:
        in_step = any(not encoder.frozen for encoder in encoders.values())
        candidates = ALL_ITEMS_ENCODED_IN_STEP if in_step else ALL_ITEMS_ENCODED_BEFORE
    return Batches(
        sampler,
        pairs,
        inputs,
        space.encode_users(dataset.users) if config.model.use_user_features else {},
        space.encode_context(dataset.train) if config.model.use_context else {},
        candidates,
        known,
    )


def _build(model: TwoTower, batches: Batches) -> None:
    """Make the model's variables by computing one loss."""
    batch = next(batches.epoch(0, 0))
    model.compute_loss(tf.nest.map_structure(tf.constant, batch), training=False)


def _optimizer(model: TwoTower) -> tf.keras.optimizers.Optimizer:
    return getattr(model.optimizer, "inner_optimizer", model.optimizer)


def _distributed(strategy: tf.distribute.Strategy, batches: Batches, seed: int, first: int):
    """Whole batches to every replica: a batch's rows name its own items, so it must not be cut."""
    if strategy.num_replicas_in_sync == 1:
        return batches.dataset(seed, first)
    return strategy.distribute_datasets_from_function(
        lambda context: batches.dataset(seed + context.input_pipeline_id, first)
    )


def _validation(
    config: Config,
    dataset: Dataset,
    space: FeatureSpace,
    pairs: Interactions,
    inputs: ItemInputs,
    embedder: Embedder,
    known: np.ndarray,
) -> Validation:
    """Validation users: those with a validation event of an item that is known and new to them, at most some."""
    events: Events = dataset.validation.take(known[dataset.validation.item])
    shape = (len(dataset.users), len(dataset.catalogue))
    truth = scipy.sparse.csr_matrix((np.ones(len(events), bool), (events.user, events.item)), shape=shape)
    seen = pairs.matrix(shape[1]).astype(bool)
    truth = (truth > seen).tocsr()
    users = np.flatnonzero(np.diff(truth.indptr))
    if len(users) > VALIDATION_USERS:
        chosen = np.random.default_rng(config.training.seed).choice(users, VALIDATION_USERS, replace=False)
        users = np.sort(chosen)
    features = {}
    if config.model.use_user_features:
        features.update({name: codes[users] for name, codes in space.encode_users(dataset.users).items()})
    if config.model.use_context:
        # Which moment a request will come from is not known here; the first validation event stands for it.
        first = np.full(len(dataset.users), 0, np.int64)
        first[events.user[::-1]] = np.arange(len(events))[::-1]
        codes = space.encode_context(events)
        features.update({name: code[first[users]] for name, code in codes.items()})
    return Validation(
        embedder,
        inputs,
        pairs.latest(users, config.serving.history),
        features,
        seen[users],
        truth[users],
        np.flatnonzero(known),
    )


def _loggers(config: Config, directory: str) -> list[tf.keras.callbacks.Callback]:
    loggers: list[tf.keras.callbacks.Callback] = [
        tf.keras.callbacks.TensorBoard(os.path.join(directory, "tensorboard"), write_graph=False, profile_batch=0)
    ]
    if config.training.log_wandb:
        import wandb

        wandb.init(project="tfrec", name=config.name, dir=directory)
        loggers.append(wandb.keras.WandbMetricsLogger())
    return loggers
