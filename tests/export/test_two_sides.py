"""A model whose items are found by one vector and read by another, with members: trained, exported and asked."""

import numpy as np
import pytest
import tensorflow as tf

from tests.export.test_servable import same_taste
from tfrec.evaluation.metrics import ranking_metrics
from tfrec.evaluation.tasks import warm_task
from tfrec.evaluation.topk import top_k
from tfrec.export.add_items import embed_catalogue
from tfrec.export.export import export_servable
from tfrec.export.loaded import LoadedServable
from tfrec.model.embedding import Embedder
from tfrec.steps.quality import model_recommender
from tfrec.training.trainer import train

MODEL = {
    "content": "regression",
    "members": 2,
    "dimension": 8,
    "factors": 5,
    "use_user_features": False,
    "use_context": False,
}


@pytest.fixture(scope="module")
def trained_own(plain_world, plain_dataset, tmp_path_factory):
    config = plain_world.config(model=MODEL, training={"epochs": 3})
    return train(config, plain_dataset, str(tmp_path_factory.mktemp("own")), say=lambda line: None)


@pytest.fixture(scope="module")
def loaded_own(trained_own, plain_dataset, tmp_path_factory):
    folder = str(tmp_path_factory.mktemp("servables") / "1")
    return LoadedServable(export_servable(trained_own, plain_dataset, folder, say=lambda line: None))


def test_the_model_learns_what_users_like(trained_own, plain_dataset):
    task = warm_task(plain_dataset)
    found = model_recommender(trained_own, plain_dataset, task).recommend(
        task.users, 10, exclude=task.exclude, candidates=task.candidates
    )
    counts = np.bincount(plain_dataset.train.item, minlength=len(plain_dataset.catalogue)).astype(np.float32)
    ones = np.ones([len(task.users), 1], np.float32)
    popular = top_k(ones, counts[:, np.newaxis], 10, exclude=task.exclude, candidates=task.candidates).positions
    ours, theirs = (ranking_metrics(positions, task.truth, [10])["ndcg@10"] for positions in (found, popular))
    assert ours > 1.2 * theirs


def test_the_servable_asks_and_finds_as_the_trained_model_does(trained_own, loaded_own, plain_dataset):
    rows = np.arange(len(plain_dataset.users))
    history = trained_own.interactions.latest(rows, trained_own.config.serving.history)
    embedder = Embedder(trained_own.model, trained_own.config.serving.history)
    table = embedder.items(trained_own.inputs)
    assert table.shape[1] == 2 * (2 * 8 + 1) + 5
    np.testing.assert_allclose(loaded_own.vectors, table, atol=1e-4)
    inside = embedder.queries(table, history, {})
    np.testing.assert_allclose(loaded_own.queries(history, plain_dataset.users, rows), inside, atol=1e-4)


def test_a_new_item_is_embedded_from_its_attributes(loaded_own, plain_dataset):
    held_out = plain_dataset.held_out
    chosen = plain_dataset.catalogue
    columns = {name: column[held_out] for name, column in chosen.columns.items()}
    new = type(chosen)(chosen.ids[held_out], chosen.titles[held_out], columns)
    embedded = embed_catalogue(loaded_own, new)["embedding"]
    np.testing.assert_allclose(embedded, loaded_own.vectors[held_out], atol=1e-4)


def test_a_new_item_is_near_items_of_its_taste_from_its_category_alone(loaded_own, plain_dataset, plain_world):
    held_out, catalogue = plain_dataset.held_out, plain_dataset.catalogue
    categories = [catalogue.columns["category"][position] for position in held_out]
    inputs = loaded_own.signatures["embed_items"].structured_input_signature[1]
    absent = {
        name: tf.fill([len(held_out), *spec.shape[1:]], "" if spec.dtype == tf.string else np.nan)
        for name, spec in inputs.items()
    }
    embedding = loaded_own.signatures["embed_items"](**{**absent, "category": tf.constant(categories)})["embedding"]
    assert same_taste(embedding.numpy(), held_out, plain_dataset, loaded_own, plain_world) > 0.5


def test_the_training_step_compiles_under_xla(plain_world, plain_dataset, tmp_path):
    config = plain_world.config(model=MODEL, training={"epochs": 1, "jit": True})
    trained = train(config, plain_dataset, str(tmp_path), say=lambda line: None)
    assert np.isfinite(trained.history[0]["loss"])
    assert trained.model.item_tower.id_embedding.embeddings.shape[1] == trained.model.item_tower.member_width


def test_single_events_with_negatives_from_the_batch_train_it_too(plain_world, plain_dataset, tmp_path):
    config = plain_world.config(model=MODEL, training={"epochs": 2, "objective": "retrieval"})
    trained = train(config, plain_dataset, str(tmp_path), say=lambda line: None)
    assert trained.history[-1]["loss"] < trained.history[0]["loss"]
