"""The train step: items encoded once, compiled by XLA, gradients added up; on a model of all modalities."""

from unittest import mock

import numpy as np
import pytest
import tensorflow as tf

from tests.conftest import JOINT
from tfrec.data.vocabulary import fit_feature_space
from tfrec.encoders.item_inputs import item_inputs
from tfrec.model.build import Blueprint, build_encoders, build_model
from tfrec.training.batches import Batches
from tfrec.training.interactions import interactions
from tfrec.training.optimizer import build_optimizer
from tfrec.training.rows import RowSampler

STILL = {**JOINT, "dropout": 0.0, "modality_dropout": 0.0, "id_dropout": 0.0}


@pytest.fixture(scope="module")
def parts(world, dataset, tmp_path_factory):
    """Makes a built model and its batches for settings of the sections `model` and `training`."""
    cache = str(tmp_path_factory.mktemp("cache"))

    def make(model=None, training=None):
        quiet = {"features": {**world.features}}
        quiet["features"]["picture"] = {"modality": "image", "encoder": {"size": 16, "dimension": 8, "augment": False}}
        quiet["features"]["sound"] = {
            "modality": "audio",
            "encoder": {"seconds": 0.3, "mels": 16, "dimension": 8, "augment": False},
        }
        document = world.document(model={**STILL, **(model or {})}, training=training or {})
        document["schema"]["items"]["features"] = quiet["features"]
        from tfrec.config import parse_config

        config = parse_config(document, str(world.folder / "shop.yaml"))
        tf.keras.utils.set_random_seed(5)
        space = fit_feature_space(config.schema, dataset.catalogue, dataset.users, dataset.train)
        known = np.isin(np.arange(len(dataset.catalogue)), dataset.train.item)
        encoders = build_encoders(config)
        built = build_model(config, Blueprint(space, int(known.sum())), encoders)
        inputs = item_inputs(config.schema, dataset.catalogue, space, encoders, known, cache, built.text_feature)
        pairs = interactions(dataset.train, len(dataset.users))
        sampler = RowSampler(pairs, config.training.objective, 16, 6, 5, 0.0)
        batches = Batches(
            sampler,
            pairs,
            inputs,
            space.encode_users(dataset.users),
            space.encode_context(dataset.train),
            24,
            known,
            config.model.members if built.collaborative else 1,
        )
        batch = next(batches.epoch(0, 0))
        built.compute_loss(tf.nest.map_structure(tf.constant, batch))
        built.compile(build_optimizer(config.training, 100), jit_compile=config.training.jit)
        built.optimizer.build(built.trainable_variables)
        return built, batches

    return make


def constant(batch):
    return tf.nest.map_structure(tf.constant, batch)


def gradients_of(model, loss):
    with tf.GradientTape() as tape:
        value = loss()
    gradients = tape.gradient(value, model.trainable_variables)
    return [tf.convert_to_tensor(g).numpy() if g is not None else None for g in gradients]


def test_encoding_an_item_once_gives_the_gradients_of_encoding_it_wherever_it_occurs(parts):
    """The naive loss encodes the content of every history entry and of every candidate apart."""
    model, batches = parts(model={"use_search": False})
    batch = constant(next(batches.epoch(0, 0)))

    def naive_loss():
        history = batch["history"]
        rows, length = history.shape
        repeated = {
            name: tf.gather(array, tf.reshape(tf.maximum(history, 0), [-1])) for name, array in batch["items"].items()
        }
        touched = tf.reshape(model.encode_items(repeated), [rows, length, -1])
        queries = model.query_tower(touched, tf.cast(history >= 0, tf.float32), batch["features"])
        logits = tf.matmul(queries, model.encode_items(batch["items"]), transpose_b=True)
        logits = logits / model.settings.temperature - tf.math.log(batch["sampling_probability"])
        total = 0.0
        for row in range(rows):
            past = [int(item) for item in history[row] if item >= 0]
            kept = [item for item in range(logits.shape[1]) if item not in past]
            wanted = [number for number, item in enumerate(batch["targets"][row]) if item >= 0]
            chances = tf.nn.log_softmax(tf.gather(logits[row], kept))
            losses = [
                -batch["target_weights"][row, n] * chances[kept.index(int(batch["targets"][row, n]))] for n in wanted
            ]
            weight = sum(float(batch["target_weights"][row, n]) for n in wanted)
            total += tf.add_n(losses) / weight**0.5
        return total / rows

    np.testing.assert_allclose(model.compute_loss(batch), naive_loss(), rtol=1e-4)
    for once, naive in zip(gradients_of(model, lambda: model.compute_loss(batch)), gradients_of(model, naive_loss)):
        assert (once is None) == (naive is None)
        if once is not None:
            np.testing.assert_allclose(once, naive, rtol=2e-3, atol=2e-4)


def test_a_product_with_all_items_gives_the_queries_of_gathered_histories(parts):
    model, batches = parts()
    batch = constant(next(batches.epoch(0, 0)))
    losses = {}
    for limit in (0, 1000):
        with mock.patch("tfrec.model.two_tower.GATHERED_ABOVE", limit):
            losses[limit] = float(model.compute_loss(batch))
            gradients = gradients_of(model, lambda: model.compute_loss(batch))
            losses[limit, "gradients"] = [gradient for gradient in gradients if gradient is not None]
    np.testing.assert_allclose(losses[0], losses[1000], rtol=1e-5)
    for one, other in zip(losses[0, "gradients"], losses[1000, "gradients"]):
        np.testing.assert_allclose(one, other, rtol=2e-3, atol=2e-5)


def test_every_modality_gets_a_gradient(parts):
    model, batches = parts(model={"fusion": "concatenation"})
    batch = constant(next(batches.epoch(0, 0)))
    gradients = gradients_of(model, lambda: model.compute_loss(batch))
    learning = {v.ref() for v, gradient in zip(model.trainable_variables, gradients) if np.any(gradient)}
    tower = model.item_tower
    for layer in (*tower.projections.values(), tower.encoders["picture"], tower.encoders["sound"], model.text_query):
        assert layer.trainable_variables
        assert all(variable.ref() in learning for variable in layer.trainable_variables)
    assert tower.absent.ref() in learning and tower.id_embedding.embeddings.ref() in learning
    assert not tower.encoders["text"].trainable_variables


@pytest.mark.slow
@pytest.mark.parametrize("objective", ["masked", "retrieval"])
def test_the_train_step_of_all_modalities_compiles_with_xla_and_gives_the_same_loss(parts, objective):
    losses = {}
    for jit in (False, True):
        model, batches = parts(training={"objective": objective, "jit": jit})
        # `fit` with XLA refuses any op that runs on the host: strings, decoding, lookups, py_function.
        history = model.fit(batches.dataset(seed=1), epochs=1, steps_per_epoch=4, verbose=0)
        losses[jit] = [history.history["loss"][0], float(model.compute_loss(constant(next(batches.epoch(0, 0)))))]
    np.testing.assert_allclose(losses[True], losses[False], rtol=5e-3)


@pytest.mark.slow
def test_the_compiled_step_holds_no_call_to_the_host(parts):
    model, batches = parts()
    batch = constant(next(batches.epoch(0, 0)))
    step = tf.function(model.train_step, jit_compile=True, autograph=False)
    program = step.experimental_get_compiler_ir(batch)(stage="hlo")
    assert "convolution" in program or "custom-call" in program
    for host in ("infeed", "outfeed", "send(", "recv(", "xla_python", "host_callback"):
        assert host not in program
    graph = step.get_concrete_function(batch).graph
    ops = {op.type for op in graph.get_operations()}
    assert not ops & {"PyFunc", "EagerPyFunc", "LookupTableFindV2", "DecodeImage", "DecodeWav", "StringSplit"}
    assert not any(tensor.dtype == tf.string for op in graph.get_operations() for tensor in op.outputs)


def test_accumulating_k_batches_changes_the_weights_as_their_mean_gradient_does(parts):
    accumulating, batches = parts(training={"accumulate": 3, "schedule": "constant", "objective": "next"})
    accumulating.build_accumulators()
    plain, _ = parts(training={"schedule": "constant", "objective": "next"})
    for one, other in zip(plain.trainable_variables, accumulating.trainable_variables):
        np.testing.assert_array_equal(one, other)
    three = [constant(batch) for batch, _ in zip(batches.epoch(0, 0), range(3))]
    before = [variable.numpy() for variable in accumulating.trainable_variables]
    for batch in three[:2]:
        accumulating.train_step(batch)
    for variable, value in zip(accumulating.trainable_variables, before):
        np.testing.assert_array_equal(variable, value)
    accumulating.train_step(three[2])
    sums = [gradients_of(plain, lambda batch=batch: plain.compute_loss(batch, training=True)) for batch in three]
    means = [None if column[0] is None else sum(column) / 3 for column in zip(*sums)]
    plain.optimizer.apply_gradients(
        [(tf.constant(mean), variable) for mean, variable in zip(means, plain.trainable_variables) if mean is not None]
    )
    assert int(accumulating.optimizer.iterations) == int(plain.optimizer.iterations) == 1
    for one, other in zip(plain.trainable_variables, accumulating.trainable_variables):
        # AdamW's first step is near the sign of the gradient, so a rounded zero may move by the learning rate.
        assert np.mean(np.abs(one.numpy() - other.numpy()) > 1e-5) < 0.02
    assert all(not np.any(total) for total in accumulating.gradient_sums)


def test_rows_that_only_fill_up_a_batch_change_no_loss(parts):
    for objective in ("masked", "retrieval"):
        model, batches = parts(model={"use_search": False}, training={"objective": objective})
        batch = next(batches.epoch(0, 0))
        filled = dict(batch)
        for name, value in (("history", -1), ("targets", -1), ("target_weights", 0)):
            filled[name] = np.concatenate([batch[name], np.full_like(batch[name][:5], value)])
        filled["features"] = {
            name: np.concatenate([codes, np.zeros_like(codes[:5])]) for name, codes in batch["features"].items()
        }
        np.testing.assert_allclose(model.compute_loss(constant(filled)), model.compute_loss(constant(batch)), rtol=1e-5)


def test_members_are_all_trained(parts):
    model, batches = parts(model={"content": "regression", "members": 3})
    batch = constant(next(batches.epoch(2, 0)))
    before = float(model.compute_loss(batch))
    ids = model.item_tower.id_embedding.embeddings
    with tf.GradientTape() as tape:
        loss = model.compute_loss(batch)
    gradient = tf.reshape(tf.convert_to_tensor(tape.gradient(loss, ids)), [ids.shape[0], 3, -1])
    assert np.all(np.abs(gradient).max(axis=(0, 2)) > 0)
    for _ in range(20):
        model.train_step(batch)
    assert float(model.compute_loss(batch)) < before


def test_a_member_is_taught_by_rows_of_its_own(parts):
    """With the same weights in all members the loss is the mean over as many rows as they have together."""
    losses = []
    _, batches = parts(model={"content": "regression", "members": 1})
    for members in (1, 2):
        model, _ = parts(model={"content": "regression", "members": members})
        for variable in model.trainable_variables:
            variable.assign(tf.zeros_like(variable) if "correction" in variable.name else tf.ones_like(variable) * 0.1)
        losses.append(float(model.compute_loss(constant(next(batches.epoch(0, 0))))))
    np.testing.assert_allclose(losses[0], losses[1], rtol=1e-5)
