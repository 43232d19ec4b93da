"""One run of steps over a model: batches, optimizer, checkpoints, validation and alarms, resumed where it stopped."""

from __future__ import annotations

import dataclasses
import functools
import os
from collections.abc import Callable, Iterator, Mapping

import numpy as np
import tensorflow as tf

from tfrec.config import Config, Training
from tfrec.data.tables import Dataset
from tfrec.data.vocabulary import FeatureSpace
from tfrec.encoders.base import Encoder
from tfrec.encoders.item_inputs import ItemInputs, encoded
from tfrec.errors import TrainingError
from tfrec.model.embedding import Embedder
from tfrec.model.sharded_table import ShardedTable
from tfrec.model.two_tower import TwoTower
from tfrec.training.batches import Batches
from tfrec.training.callbacks import EachStep, Keeper, StoredTable
from tfrec.training.checkpoints import Checkpoints
from tfrec.training.cluster import Workers
from tfrec.training.fingerprint import training_fingerprint
from tfrec.training.interactions import Interactions
from tfrec.training.leakage import training_leakage
from tfrec.training.optimizer import build_optimizer
from tfrec.training.preemption import Preemption
from tfrec.training.rows import RowSampler
from tfrec.training.sizes import items_per_step, rows_per_step
from tfrec.training.tables import divides_table, table_on_host
from tfrec.training.validation import AlarmBell, Question, Validation, build_validation
from tfrec.training.wandb_logger import WandbLogger

Say = Callable[[str], None]


@dataclasses.dataclass(frozen=True)
class Prepared:
    """What every run of one training shares.

    Attributes:
        known: bool [N], the items of the training part.
        pairs: the training interactions.
        question: what is asked on the validation part, if anything.
    """

    dataset: Dataset
    space: FeatureSpace
    known: np.ndarray
    pairs: Interactions
    strategy: tf.distribute.Strategy
    encoders: Mapping[str, Encoder]
    question: Question | None

    def validation(self, config: Config, inputs: ItemInputs, embedder: Embedder) -> Validation | None:
        """What measures a model on the validation part; None where that asks for nothing."""
        if self.question is None:
            return None
        return build_validation(config, self.dataset, self.space, self.pairs, inputs, embedder, self.question)


def fit(
    config: Config,
    prepared: Prepared,
    model: TwoTower,
    inputs: ItemInputs,
    directory: str,
    say: Say,
    begin: Callable[[Mapping], None] | None = None,
) -> tuple[list[dict[str, float]], AlarmBell]:
    """Train `model`, or go on where it was interrupted; it ends with the weights of the epoch that is kept.

    Args:
        config: the configuration; `config.training` decides the run.
        inputs: what the items' content is read from.
        directory: folder of checkpoints and logs.
        begin: called with a batch before the first step of a training that does not go on, to change the fresh model.

    Returns:
        The logs of each epoch, and the alarms.

    Raises:
        TrainingError: if the loss is no number or the disk is full.
        Preempted: after SIGTERM, when the state is saved.
    """
    training, encoders, strategy = config.training, prepared.encoders, prepared.strategy
    batches = _batches(config, prepared, inputs)
    steps = batches.steps
    divided = model.collaborative and divides_table(training, strategy, model.item_tower.known_items + 1)
    table = table_on_host(model.item_tower, inputs) if divided else None
    with strategy.scope():
        _build(model, batches)
        model.compile(
            optimizer=build_optimizer(
                training,
                training.epochs * steps // training.accumulate,
                [own for encoder in encoders.values() for own in encoder.own_learning_rates()],
                [table] if table else [],
            ),
            # A TPU compiles whatever it runs.
            jit_compile=training.jit and training.strategy != "tpu",
        )
        _optimizer(model).build(model.trainable_variables)
        if training.accumulate > 1:
            model.build_accumulators()
    model.shards = ShardedTable(strategy, table) if table else None
    workers = Workers(strategy)
    checkpoints = Checkpoints(
        os.path.join(directory, "checkpoints"), training_fingerprint(config, prepared.dataset, encoders), model, workers
    )
    state = checkpoints.resume()
    embedder = Embedder(model, config.serving.history)
    measured = functools.partial(prepared.validation, config, embedder=embedder)
    # Without validation nothing tells a better epoch from a luckier one.
    patience = training.patience if measured(inputs) else 0
    preemption = Preemption(workers)
    keeper = Keeper(
        checkpoints,
        training.epochs,
        patience,
        training.encoder_epochs,
        training.checkpoint_every,
        state,
        say,
        preemption,
    )
    if state:
        say("the trained model is up to date" if state["finished"] else _going_on(state))
    elif begin is not None:
        begin(next(batches.epoch(0, 0)))
    if model.shards:
        model.shards.load()
    bell = AlarmBell(say, training_leakage(config, prepared.dataset, batches.sampler))
    for first, last, content in _phases(training, state, inputs, encoders, model.text_feature):
        if keeper.finished:
            break
        bell.validation = measured(content)
        # Traced anew: Keras would take spectrograms and then vectors for one input of unknown shape.
        model.train_function = None
        if workers.number:
            # Or each worker would drop out the same places of its own rows.
            tf.random.set_seed(training.seed + workers.number)
        validated = [StoredTable(), bell.validation] if bell.validation else []
        callbacks = [*validated, keeper, EachStep(keeper), bell]
        if workers.chief:
            callbacks += _loggers(config, directory)
        batches = _batches(config, prepared, content)
        # An epoch that was begun is finished first.
        for start, end in [(first, first + 1), (first + 1, last)] if keeper.step else [(first, last)]:
            if start < end and not keeper.finished:
                with preemption:
                    model.fit(
                        _distributed(strategy, batches, training.seed, start, keeper.step),
                        epochs=end,
                        initial_epoch=start,
                        steps_per_epoch=steps - keeper.step,
                        verbose=0,
                        callbacks=callbacks,
                    )
    model.shards = None
    checkpoints.restore_best()
    return keeper.history, bell


def _going_on(state: Mapping) -> str:
    step = f", step {state['step']} of the next one" if state["step"] else ""
    return f"going on after epoch {state['epoch']}{step}"


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


def _batches(config: Config, prepared: Prepared, inputs: ItemInputs) -> Batches:
    training = config.training
    sampler = RowSampler(
        prepared.pairs,
        training.objective,
        _rows(training, len(prepared.pairs.users()), prepared.strategy.num_replicas_in_sync),
        config.serving.history,
        training.targets,
        config.model.history_dropout,
        training.epoch_rows,
    )
    in_step = any(not encoder.frozen for encoder in prepared.encoders.values())
    candidates = training.candidates or items_per_step(int(prepared.known.sum()), in_step)
    return Batches(
        sampler,
        prepared.pairs,
        inputs,
        prepared.space.encode_users(prepared.dataset.users) if config.model.use_user_features else {},
        prepared.space.encode_context(prepared.dataset.train) if config.model.use_context else {},
        candidates,
        prepared.known,
        config.model.members if config.model.content == "regression" else 1,
    )


def _rows(training: Training, users: int, replicas: int) -> int:
    """Rows per step, the same number of each for every replica."""
    if training.batch_size % replicas:
        raise TrainingError(
            f"training.batch_size is {training.batch_size}, which {replicas} devices cannot share evenly; make it a "
            f"multiple of {replicas}, or 0"
        )
    return training.batch_size or -(-rows_per_step(users) // replicas) * replicas


def _build(model: TwoTower, batches: Batches) -> None:
    """Make the model's variables by computing one loss."""
    batch = next(batches.epoch(0, 0))
    model.compute_loss(tf.nest.map_structure(tf.constant, batch), training=False)


def _optimizer(model: TwoTower) -> tf.keras.optimizers.Optimizer:
    return getattr(model.optimizer, "inner_optimizer", model.optimizer)


def _distributed(
    strategy: tf.distribute.Strategy, batches: Batches, seed: int, epoch: int, step: int
) -> tf.data.Dataset | tf.distribute.DistributedDataset:
    """The batches from a step of an epoch on, their shares given to the replicas."""
    replicas = strategy.num_replicas_in_sync
    if replicas == 1:
        return batches.dataset(seed, epoch, step)

    def shares(context: tf.distribute.InputContext) -> tf.data.Dataset:
        # Every worker makes all batches, and reads the content of its own replicas' items.
        local = replicas // context.num_input_pipelines
        chosen = range(local * context.input_pipeline_id, local * (context.input_pipeline_id + 1))
        return batches.dataset(seed, epoch, step, replicas, chosen)

    return strategy.distribute_datasets_from_function(shares)


def _loggers(config: Config, directory: str) -> list[tf.keras.callbacks.Callback]:
    loggers: list[tf.keras.callbacks.Callback] = [
        tf.keras.callbacks.TensorBoard(os.path.join(directory, "tensorboard"), write_graph=False, profile_batch=0)
    ]
    if config.training.log_wandb:
        loggers.append(WandbLogger(config.name, directory))
    return loggers
