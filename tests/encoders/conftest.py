"""A tiny random BERT checkpoint, written as Transformers writes one."""

import json

import numpy as np
import pytest
from safetensors.numpy import save_file

WIDTH, LAYERS, HEADS, HIDDEN, POSITIONS = 12, 3, 2, 20, 40
PIECES = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *"abcdefghijklmnopqrstuvwxyz0123456789.,!?-'[]$é中文я", "##a"]
PIECES += [f"##{letter}" for letter in "bcdefghijklmnopqrstuvwxyz0123456789é"] + ["the", "robot", "##ing", "sea"]


def bert_tensors(seed=0):
    """Random tensors of a BERT with a pooler, by their names in Transformers."""
    random = np.random.default_rng(seed)
    shapes = {
        "embeddings.word_embeddings": [len(PIECES), WIDTH],
        "embeddings.position_embeddings": [POSITIONS, WIDTH],
        "embeddings.token_type_embeddings": [2, WIDTH],
        "pooler.dense": [WIDTH, WIDTH],
    }
    norms = ["embeddings.LayerNorm"]
    for n in range(LAYERS):
        layer = f"encoder.layer.{n}"
        for part in ("self.query", "self.key", "self.value", "output.dense"):
            shapes[f"{layer}.attention.{part}"] = [WIDTH, WIDTH]
        shapes[f"{layer}.intermediate.dense"] = [HIDDEN, WIDTH]
        shapes[f"{layer}.output.dense"] = [WIDTH, HIDDEN]
        norms += [f"{layer}.attention.output.LayerNorm", f"{layer}.output.LayerNorm"]
    tensors = {}
    for name, shape in shapes.items():
        tensors[f"{name}.weight"] = random.normal(0, 0.5, shape).astype(np.float32)
        if "embeddings" not in name:
            tensors[f"{name}.bias"] = random.normal(0, 0.5, shape[:1]).astype(np.float32)
    for name in norms:
        tensors[f"{name}.weight"] = random.normal(1, 0.2, [WIDTH]).astype(np.float32)
        tensors[f"{name}.bias"] = random.normal(0, 0.2, [WIDTH]).astype(np.float32)
    return tensors


def write_bert(folder, tensors=None, pieces=PIECES, config=None, tokenizer=None, pooling=None, max_length=24):
    """Write a checkpoint folder; `pooling` (mean_tokens or cls_token) makes it a Sentence Transformers one."""
    folder.mkdir(parents=True)
    settings = {
        "model_type": "bert",
        "hidden_size": WIDTH,
        "num_hidden_layers": LAYERS,
        "num_attention_heads": HEADS,
        "intermediate_size": HIDDEN,
        "hidden_act": "gelu",
        "layer_norm_eps": 1e-12,
        "hidden_dropout_prob": 0.1,
        "attention_probs_dropout_prob": 0.1,
    }
    (folder / "config.json").write_text(json.dumps({**settings, **(config or {})}))
    (folder / "vocab.txt").write_text("\n".join(pieces) + "\n", encoding="utf-8")
    save_file(bert_tensors() if tensors is None else tensors, folder / "model.safetensors")
    if tokenizer is not None:
        (folder / "tokenizer_config.json").write_text(json.dumps(tokenizer))
    if max_length:
        (folder / "sentence_bert_config.json").write_text(json.dumps({"max_seq_length": max_length}))
    if pooling:
        kinds = ("Transformer", "Pooling", "Normalize")
        (folder / "modules.json").write_text(json.dumps([{"type": f"sentence_transformers.models.{k}"} for k in kinds]))
        (folder / "1_Pooling").mkdir()
        (folder / "1_Pooling" / "config.json").write_text(json.dumps({f"pooling_mode_{pooling}": True}))
    return folder


@pytest.fixture(scope="session")
def checkpoints():
    """The functions that make checkpoints, for tests that change one."""
    return write_bert, bert_tensors


@pytest.fixture(scope="session")
def tiny_bert(tmp_path_factory):
    """An imported tiny BERT: mean pooling, normalised, at most 24 tokens."""
    from tfrec.encoders.bert import import_bert

    root = tmp_path_factory.mktemp("bert")
    return import_bert(str(write_bert(root / "checkpoint", pooling="mean_tokens")), str(root / "imported"))
