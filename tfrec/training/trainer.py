"""Training from a data set to a trained model: prepare, fit, resume."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import os
from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np
import tensorflow as tf

from tfrec.alarms.alarm import Alarm
from tfrec.code_hash import code_hash
from tfrec.config import Config, Training
from tfrec.data.tables import Dataset
from tfrec.data.vocabulary import FeatureSpace, fit_feature_space
from tfrec.encoders.base import Encoder
from tfrec.encoders.item_inputs import ItemInputs, encoded, item_inputs
from tfrec.errors import DataError
from tfrec.model.build import Blueprint, build_encoders, build_model
from tfrec.model.embedding import Embedder
from tfrec.model.two_tower import TwoTower
from tfrec.training.batches import Batches
from tfrec.training.callbacks import MONITORED, Keeper
from tfrec.training.checkpoints import Checkpoints
from tfrec.training.interactions import Interactions, interactions
from tfrec.training.leakage import training_leakage
from tfrec.training.optimizer import build_optimizer
from tfrec.training.rows import RowSampler
from tfrec.training.strategy import build_strategy
from tfrec.training.validation import AlarmBell, build_validation
from tfrec.training.wandb_logger import WandbLogger

# Above these many items a step looks at a sample of the catalogue: content that is encoded in the step costs more.
ALL_ITEMS_ENCODED_BEFORE = 4096
ALL_ITEMS_ENCODED_IN_STEP = 1024

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
        alarms: what is wrong with the model or its data, see docs/alarms.md.
    """

    config: Config
    blueprint: Blueprint
    encoders: Mapping[str, Encoder]
    model: TwoTower
    inputs: ItemInputs
    interactions: Interactions
    history: list[dict[str, float]]
    alarms: Sequence[Alarm] = ()

    def validation_metrics(self) -> dict[str, float]:
        """The validation metrics of the epoch whose weights were kept, by name; none without validation users.

        That is the best epoch, or the last one where `training.patience` is 0.
        """
        measured = [epoch for epoch in self.history if MONITORED in epoch]
        if not measured:
            return {}
        kept = max(measured, key=lambda epoch: epoch[MONITORED]) if self.config.training.patience else measured[-1]
        return {f"validation_{name}": value for name, value in kept.items() if "@" in name}


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
    training = config.training
    tf.keras.utils.set_random_seed(training.seed)
    # Set also where it is the usual one: a training before this one in the same process may have changed it.
    tf.keras.mixed_precision.set_global_policy(training.mixed_precision or "float32")
    space = feature_space or fit_feature_space(config.schema, dataset.catalogue, dataset.users, dataset.train)
    known = np.zeros(len(dataset.catalogue), bool)
    known[dataset.train.item] = True
    blueprint = Blueprint(space, known_items=int(known.sum()))
    pairs = interactions(dataset.train, len(dataset.users))
    strategy = build_strategy(training.strategy)
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
    prepared = functools.partial(_batches, config, dataset, space, pairs, encoders, known)
    batches = prepared(inputs)
    steps = -(-batches.steps // strategy.num_replicas_in_sync)
    with strategy.scope():
        _build(model, batches)
        model.compile(
            optimizer=build_optimizer(
                training,
                training.epochs * steps // training.accumulate,
                [own for encoder in encoders.values() for own in encoder.own_learning_rates()],
            ),
            jit_compile=training.jit,
        )
        _optimizer(model).build(model.trainable_variables)
        if training.accumulate > 1:
            model.build_accumulators()
    checkpoints = Checkpoints(
        os.path.join(directory, "checkpoints"), training_fingerprint(config, dataset, encoders), model
    )
    state = checkpoints.resume()
    keeper = Keeper(
        checkpoints, training.epochs, training.patience, training.encoder_epochs, training.checkpoint_every, state, say
    )
    if state:
        say("the trained model is up to date" if state["finished"] else f"going on after epoch {state['epoch']}")
    bell = AlarmBell(say, training_leakage(config, dataset, batches.sampler))
    measured = functools.partial(
        build_validation, config, dataset, space, pairs, embedder=Embedder(model, config.serving.history)
    )
    for first, last, content in _phases(training, state, inputs, encoders, model.text_feature):
        if keeper.finished:
            break
        bell.validation = measured(content)
        # Traced anew: Keras would take spectrograms and then vectors for one input of unknown shape.
        model.train_function = None
        model.fit(
            _distributed(strategy, prepared(content), training.seed, first),
            epochs=last,
            initial_epoch=first,
            steps_per_epoch=steps,
            verbose=0,
            callbacks=[
                *([bell.validation] if bell.validation else []),
                keeper,
                bell,
                *_loggers(config, directory),
            ],
        )
    checkpoints.restore_best()
    bell.validation = measured(inputs)
    return Trained(config, blueprint, encoders, model, inputs, pairs, keeper.history, bell.at_the_end())


def _phases(
    training: Training,
    state: Mapping | None,
    inputs: ItemInputs,
    encoders: Mapping[str, Encoder],
    text_feature: str,
) -> Iterator[tuple[int, int, ItemInputs]]:
    """First epoch, last epoch and item content of each phase that is left: with encoders in training, and without."""
    done = state["epoch"] if state else 0
    in_step = any(not encoder.frozen for encoder in encoders.values())
    switch = min(training.encoder_epochs or training.epochs, training.epochs) if in_step else 0
    if done < switch:
        yield done, switch, inputs
    if switch < training.epochs:
        vectors = encoded(inputs, encoders, text_feature) if in_step else inputs
        for encoder in encoders.values():
            encoder.trainable = False
        yield max(done, switch), training.epochs, vectors


def training_fingerprint(config: Config, dataset: Dataset, encoders: Mapping[str, Encoder]) -> str:
    """A hash of all that decides a trained model: settings, data, encoders and the code of this package."""
    digest = hashlib.sha256()
    for setting in (config.schema, config.model, config.training, config.serving.history, code_hash()):
        digest.update(repr(setting).encode())
    for events in (dataset.train, dataset.validation):
        for array in (events.user, events.item, events.time, events.weight):
            digest.update(np.ascontiguousarray(array).tobytes())
        for name, column in sorted(events.context.items()):
            digest.update(f"{name} {list(column)}".encode())
    digest.update(np.ascontiguousarray(dataset.held_out).tobytes())
    digest.update("\n".join([*dataset.catalogue.ids, "", *dataset.users.ids]).encode())
    for name, column in sorted(dataset.users.columns.items()):
        digest.update(f"{name} {list(column)}".encode())
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
    encoders: Mapping[str, Encoder],
    known: np.ndarray,
    inputs: ItemInputs,
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


def _loggers(config: Config, directory: str) -> list[tf.keras.callbacks.Callback]:
    loggers: list[tf.keras.callbacks.Callback] = [
        tf.keras.callbacks.TensorBoard(os.path.join(directory, "tensorboard"), write_graph=False, profile_batch=0)
    ]
    if config.training.log_wandb:
        loggers.append(WandbLogger(config.name, directory))
    return loggers
