"""Training from a data set to a trained model: prepare, fit, resume."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import tensorflow as tf

from tfrec.alarms.alarm import Alarm
from tfrec.config import Config
from tfrec.data.tables import Dataset
from tfrec.data.vocabulary import FeatureSpace, fit_feature_space
from tfrec.encoders.base import Encoder
from tfrec.encoders.item_inputs import ItemInputs, item_inputs
from tfrec.errors import DataError
from tfrec.model.build import Blueprint, build_encoders, build_model
from tfrec.model.embedding import Embedder
from tfrec.model.two_tower import TwoTower, search_feature
from tfrec.training.cluster import Workers
from tfrec.training.collaborative import train_collaborative
from tfrec.training.fingerprint import training_fingerprint
from tfrec.training.fit import Prepared, Say, fit
from tfrec.training.interactions import Interactions, interactions
from tfrec.training.strategy import build_strategy
from tfrec.training.validation import validation_question
from tfrec.training.warm_start import STATES, WarmStart, chosen_start, forget_states, save_state

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
        measured: metrics of the finished model on the validation part, by name; none where that asks for nothing.
    """

    config: Config
    blueprint: Blueprint
    encoders: Mapping[str, Encoder]
    model: TwoTower
    inputs: ItemInputs
    interactions: Interactions
    history: list[dict[str, float]]
    alarms: Sequence[Alarm] = ()
    measured: Mapping[str, float] = dataclasses.field(default_factory=dict)

    def validation_metrics(self) -> dict[str, float]:
        """`measured` as it is written beside a model, by names that say the part."""
        return {f"validation_{name}": value for name, value in self.measured.items()}


def train(
    config: Config,
    dataset: Dataset,
    directory: str,
    feature_space: FeatureSpace | None = None,
    cache: str = "",
    say: Say = print,
    progress: Progress | None = None,
    strategy: tf.distribute.Strategy | None = None,
    served: Sequence[str] = (),
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
        strategy: what `build_strategy` gave, where it was made before the data were read; made here by default.
        served: fingerprints of the trainings that the served versions came from, the latest last; with
            `training.warm_start` the training starts from that one.

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
    _choose_random_numbers(training.jit)
    space = feature_space or fit_feature_space(config.schema, dataset.catalogue, dataset.users, dataset.train)
    known = np.zeros(len(dataset.catalogue), bool)
    known[dataset.train.item] = True
    blueprint = Blueprint(space, known_items=int(known.sum()))
    strategy = strategy or build_strategy(training)
    with strategy.scope():
        encoders = build_encoders(config)
    chief = Workers(strategy).chief
    start = chosen_start(config, training_fingerprint(config, dataset, encoders), directory, served, say, chief)
    if start:
        training = dataclasses.replace(training, epochs=training.warm_epochs or training.epochs)
        config = dataclasses.replace(config, training=training)
    pairs = interactions(dataset.train, len(dataset.users))
    prepared = Prepared(dataset, space, known, pairs, strategy, encoders, validation_question(config, dataset))
    inputs = item_inputs(
        config.schema,
        dataset.catalogue,
        space,
        encoders,
        known,
        cache or os.path.join(directory, "cache"),
        search_feature(config.schema) if config.model.use_search else "",
        progress,
    )
    ids = dataset.catalogue.ids[known]
    with strategy.scope():
        model = build_model(config, blueprint, encoders)
        earlier = WarmStart(start, config, encoders) if start else None

    def begin(batch: Mapping, content: ItemInputs | None = None) -> None:
        if earlier is not None:
            newcomers = earlier.newcomers(content, dataset.catalogue, known) if content is not None else None
            kept = earlier.into(model, batch, space, ids, newcomers)
            say(f"starting from the served model, which knows {kept:,} of the {len(ids):,} known items")

    if config.model.content == "regression":
        history, bell = train_collaborative(config, blueprint, prepared, model, inputs, directory, say, begin)
    else:
        history, bell = fit(config, prepared, model, inputs, directory, say, begin)
    if training.warm_start and chief:
        name = training_fingerprint(config, dataset, encoders)
        save_state(os.path.join(directory, STATES, name), config, space, ids, model)
        forget_states(directory, [*served, name])
    bell.validation = prepared.validation(config, inputs, Embedder(model, config.serving.history))
    alarms = bell.at_the_end()
    return Trained(config, blueprint, encoders, model, inputs, prepared.pairs, history, alarms, bell.measured)


def _choose_random_numbers(jit: bool) -> None:
    """Let the dropout layers made from now on draw numbers that the seed decides, compiled or not.

    The operations that Keras's layers draw with by default ignore the seed once XLA has compiled them; those of a
    `tf.random.Generator` do not, and their state is in the checkpoints.
    """
    if jit:
        tf.keras.backend.experimental.enable_tf_random_generator()
    else:
        tf.keras.backend.experimental.disable_tf_random_generator()
