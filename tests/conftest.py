"""A little shop made by the tests: four tastes that show in text, picture, sound and category alike.

Users favour one taste, so a model that learned anything recommends more of it, and a new item of that taste from its
content alone.
"""

import dataclasses
import io
import json
import os
import pathlib
import wave

# Before numpy is imported: OpenBLAS divides even systems of 64 equations among its threads, which on a busy machine
# wait for each other a hundred times longer than they calculate. The processes that tests start inherit it.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
if "PYTEST_XDIST_WORKER" in os.environ:
    # Where several processes run the tests, each keeps to about one core; with one thread between operations a slow
    # request would hold up the loading of other models.
    os.environ.setdefault("TF_NUM_INTRAOP_THREADS", "1")
    os.environ.setdefault("TF_NUM_INTEROP_THREADS", "2")

import numpy as np
import pytest

import tfrec  # noqa: F401  imported before any test imports TensorFlow, so that tf.keras is Keras 2
from tests.groups import pytest_collection_modifyitems  # noqa: F401

TASTES = ("space", "garden", "ocean", "castle")
WORDS = {
    "space": ["rocket", "planet", "comet", "orbit"],
    "garden": ["flower", "meadow", "beetle", "blossom"],
    "ocean": ["whale", "harbour", "coral", "sailor"],
    "castle": ["knight", "tower", "dragon", "queen"],
}
COLOURS = {"space": (20, 20, 60), "garden": (60, 200, 60), "ocean": (30, 120, 230), "castle": (190, 120, 60)}
PITCHES = {"space": 220, "garden": 440, "ocean": 880, "castle": 1760}
FEATURES = {
    "text": {"modality": "text", "columns": ["title", "description"]},
    "picture": {"modality": "image", "encoder": {"kind": "small-cnn", "size": 16, "dimension": 16}},
    "sound": {"modality": "audio", "encoder": {"kind": "logmel-cnn", "seconds": 0.3, "mels": 16, "dimension": 16}},
    "category": "category",
    "tags": {"modality": "categories"},
    "price": "number",
}

# The settings of `model` and `training` for a fused model.
JOINT = {"content": "joint", "query_hidden": [16], "temperature": 0.15}
JOINT_TRAINING = {"weight_decay": 0.01}


@dataclasses.dataclass
class World:
    """The shop's files in `folder`, and the taste of every item and user by id."""

    folder: pathlib.Path
    features: dict
    item_taste: dict
    user_taste: dict

    def document(self, **sections):
        """A configuration as nested mappings; `sections` are merged into it."""
        document = {
            "name": "shop",
            "data": {"items": "items.jsonl", "users": "users.jsonl", "events": "events.jsonl", "output": "out"},
            "schema": {
                "items": {"id": "item_id", "title": "title", "features": self.features},
                "users": {"id": "user_id", "features": {"age": "number", "country": "category"}},
                "events": {
                    "user": "user_id",
                    "item": "item_id",
                    "time": "time",
                    "type": "type",
                    "weights": {"view": 1, "buy": 3},
                    "context": {"device": "category"},
                },
            },
            "split": {"held_out_items": 0.15, "validation": 0.1, "test": 0.1},
            "model": {"dimension": 16, "factors": 8, "dropout": 0.1},
            "training": {"epochs": 2, "batch_size": 64, "targets": 8, "patience": 10},
            "evaluation": {"bootstrap": 20, "k": [5, 10]},
            "serving": {"history": 8, "exclude": 4, "k": 10},
        }
        for name, section in sections.items():
            document[name] = {**document.get(name, {}), **section}
        return document

    def config(self, **sections):
        from tfrec.config import parse_config

        return parse_config(json.loads(json.dumps(self.document(**sections))), str(self.folder / "shop.yaml"))

    def dataset(self, config, name="ingested"):
        from tfrec.data.ingest import ingest

        return ingest(config, str(self.folder / name))[0]


def write_world(folder, features=None, items=48, users=120, events=14, seed=0):
    """Write the shop into `folder`; `features` are the item features of its schema, all of `FEATURES` by default."""
    random = np.random.default_rng(seed)
    folder.mkdir(parents=True, exist_ok=True)
    features = dict(FEATURES if features is None else features)
    rows = [item_row(folder, f"i{number:03d}", TASTES[number % 4], random) for number in range(items)]
    popularity = random.permutation(items) + 4.0
    people, log = [], []
    for number in range(users):
        taste = number % 4
        person = {"user_id": f"u{number:03d}", "age": int(random.integers(18, 70)), "country": "NL" if taste else "PT"}
        people.append(person)
        chances = popularity * np.where(np.arange(items) % 4 == taste, 12.0, 1.0)
        chosen = random.choice(items, events, replace=False, p=chances / chances.sum())
        for item, time in zip(chosen, random.integers(0, 10**6, events)):
            kind = "buy" if random.random() < 0.2 else "view"
            device = ["phone", "desk", ""][random.integers(3)]
            event = {"user_id": person["user_id"], "item_id": f"i{item:03d}", "time": int(time)}
            log.append({**event, "type": kind, "device": device})
    for name, table in (("items", rows), ("users", people), ("events", sorted(log, key=lambda row: row["time"]))):
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in table))
    tastes = {row["item_id"]: row["taste"] for row in rows}
    return World(folder, features, tastes, {p["user_id"]: TASTES[n % 4] for n, p in enumerate(people)})


def item_row(folder, item_id, taste, random, media=True):
    """An item of a taste, its picture (PNG) and clip (WAV) written beside it; a few lack one or the other."""
    words = random.permutation(WORDS[taste])
    row = {
        "item_id": item_id,
        "title": f"{words[0].title()} {words[1]} {item_id}",
        "description": f"A tale of a {words[2]}. It has a {words[3]} in it.",
        "category": taste,
        "tags": "|".join(words[:2]),
        "price": float(np.round(random.uniform(1, 9), 2)),
        "taste": taste,
        "picture": "",
        "sound": "",
    }
    if media and random.random() > 0.1:
        row["picture"] = f"{item_id}.png"
        (folder / row["picture"]).write_bytes(picture_bytes(taste, random))
    if media and random.random() > 0.1:
        row["sound"] = f"{item_id}.wav"
        (folder / row["sound"]).write_bytes(clip_bytes(taste, random))
    return row


def picture_bytes(taste, random):
    from PIL import Image

    pixels = np.array(COLOURS[taste]) + random.normal(0, 12, (24, 20, 3))
    stream = io.BytesIO()
    Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8)).save(stream, "PNG")
    return stream.getvalue()


def clip_bytes(taste, random, seconds=0.3):
    time = np.arange(int(16000 * seconds)) / 16000
    sound = 0.5 * np.sin(2 * np.pi * PITCHES[taste] * time) + random.normal(0, 0.01, len(time))
    stream = io.BytesIO()
    with wave.open(stream, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16000)
        file.writeframes((np.clip(sound, -1, 1) * 32767).astype("<i2").tobytes())
    return stream.getvalue()


@pytest.fixture(scope="session")
def make_world():
    """`write_world`, for tests that need a shop of their own."""
    return write_world


@pytest.fixture(scope="session")
def make_item():
    """`item_row`, for tests that add items."""
    return item_row


@pytest.fixture(scope="session")
def word_encoder(tmp_path_factory):
    """Folder of an imported BERT of one layer that knows the shop's words, those of one taste near to each other."""
    from safetensors.numpy import save_file

    from tfrec.encoders.bert import import_bert

    random, width, folder = np.random.default_rng(3), 16, tmp_path_factory.mktemp("word_encoder")
    words = [word for taste in TASTES for word in WORDS[taste]]
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *words, *"aithn.0123456789", "tale", "of", "it", "has"]
    shapes = {"word_embeddings": len(vocabulary), "position_embeddings": 32, "token_type_embeddings": 2}
    tensors = {
        f"embeddings.{name}.weight": random.normal(0, 0.05 if "word" not in name else 1, [rows, width])
        for name, rows in shapes.items()
    }
    meanings = np.repeat(random.normal(0, 1, [len(TASTES), width]), 4, axis=0)
    tensors["embeddings.word_embeddings.weight"] *= 0.1
    tensors["embeddings.word_embeddings.weight"][5 : 5 + len(words)] += meanings
    layer = "encoder.layer.0"
    dense = [f"{layer}.attention.{part}" for part in ("self.query", "self.key", "self.value", "output.dense")]
    for name in [*dense, f"{layer}.intermediate.dense", f"{layer}.output.dense", "pooler.dense"]:
        tensors |= {f"{name}.weight": random.normal(0, 0.1, [width, width]), f"{name}.bias": np.zeros(width)}
    for name in ("embeddings.LayerNorm", f"{layer}.attention.output.LayerNorm", f"{layer}.output.LayerNorm"):
        tensors |= {f"{name}.weight": np.ones(width), f"{name}.bias": np.zeros(width)}
    settings = {"hidden_size": width, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": width}
    source = folder / "checkpoint"
    source.mkdir()
    (source / "config.json").write_text(json.dumps({"model_type": "bert", "hidden_act": "gelu", **settings}))
    (source / "vocab.txt").write_text("\n".join(vocabulary) + "\n")
    (source / "sentence_bert_config.json").write_text(json.dumps({"max_seq_length": 24}))
    save_file({name: tensor.astype(np.float32) for name, tensor in tensors.items()}, source / "model.safetensors")
    return import_bert(str(source), str(folder / "imported"))


@pytest.fixture(scope="session")
def world(tmp_path_factory, word_encoder):
    """The shop with all modalities."""
    features = json.loads(json.dumps(FEATURES))
    features["text"]["encoder"] = {"kind": "hub", "path": word_encoder, "pooling": "mean", "max_length": 16}
    return write_world(tmp_path_factory.mktemp("world"), features)


@pytest.fixture(scope="session")
def plain_world(tmp_path_factory):
    """The shop with a category, tags and a price only: nothing to encode, so training takes a second."""
    features = {name: FEATURES[name] for name in ("category", "tags", "price")}
    return write_world(tmp_path_factory.mktemp("plain_world"), features)


@pytest.fixture(scope="session")
def plain_dataset(plain_world):
    return plain_world.dataset(plain_world.config())


@pytest.fixture(scope="session")
def dataset(world):
    return world.dataset(world.config())


@pytest.fixture(scope="session")
def trained(world, dataset, tmp_path_factory):
    """A model of all modalities, its encoders trained for an epoch before the table; it must not be changed."""
    from tfrec.training.trainer import train

    config = world.config(training={"epochs": 6, "encoder_epochs": 1})
    return train(config, dataset, str(tmp_path_factory.mktemp("trained")), say=lambda line: None)
