import json
import subprocess
import sys
import unicodedata

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_hub as hub
from hypothesis import given, settings
from hypothesis import strategies as st
from tensorflow.core.protobuf import saved_model_pb2

from tfrec.encoders.bert import import_bert
from tfrec.encoders.bert.checkpoint import Tokens, read_checkpoint
from tfrec.encoders.bert.preprocessor import BertPreprocessor

ALPHABET = st.characters(exclude_categories=["Cs"])
LIKELY = st.sampled_from(list("abz  éÉeE\u0301İß中文я.!-'[]$０ａﬁ\x00\x1f\u200b\u00a0\u3000\ufffd\ue000😀\n"))


def words_of(text, lower_case=True):
    """The steps of BERT's basic tokenizer, one after the other over the whole text."""
    cleaned = []
    for character in text:
        category = unicodedata.category(character)
        if character in "\t\n\r" or category in ("Zs", "Zl", "Zp"):
            cleaned.append(" ")
        elif character != "\ufffd" and category not in ("Cc", "Cf", "Co"):
            split = "CJK UNIFIED" in unicodedata.name(character, "") or "CJK COMPATIBILITY I" in unicodedata.name(
                character, ""
            )
            cleaned.append(f" {character} " if split else character)
    words = []
    for word in "".join(cleaned).split(" "):
        if lower_case:
            word = "".join(c for c in unicodedata.normalize("NFD", word) if unicodedata.category(c) != "Mn")
            word = "".join(c.lower() for c in word)
        current = ""
        for character in word:
            ascii_sign = character.isascii() and character.isprintable() and not character.isalnum()
            if ascii_sign or unicodedata.category(character)[0] == "P":
                words += [current, character]
                current = ""
            else:
                current += character
        words.append(current)
    return [word for word in words if word]


def pieces_of(word, vocabulary):
    """Greedy longest match."""
    if len(word) > 100:
        return ["[UNK]"]
    pieces, start = [], 0
    while start < len(word):
        prefix = "##" if start else ""
        ends = [e for e in range(len(word), start, -1) if prefix + word[start:e] in vocabulary]
        if not ends:
            return ["[UNK]"]
        pieces.append(prefix + word[start : ends[0]])
        start = ends[0]
    return pieces


def expected_ids(text, vocabulary, max_length, lower_case=True):
    pieces = [piece for word in words_of(text, lower_case) for piece in pieces_of(word, vocabulary)]
    return [vocabulary.index(p) for p in ["[CLS]", *pieces[: max_length - 2], "[SEP]"]]


def ids_of(preprocessor, texts):
    tokens = preprocessor(tf.constant(texts))
    ids, mask = tokens["input_word_ids"].numpy(), tokens["input_mask"].numpy()
    return [row[: kept.sum()].tolist() for row, kept in zip(ids, mask)]


@pytest.fixture(scope="module")
def tiny(tiny_bert):
    return hub.load(f"{tiny_bert}/preprocessor")


@pytest.fixture(scope="module")
def vocabulary(tiny_bert):
    with open(f"{tiny_bert}/../checkpoint/vocab.txt", encoding="utf-8") as file:
        return file.read().splitlines()


@settings(max_examples=300, deadline=None)
@given(texts=st.lists(st.text(st.one_of(LIKELY, LIKELY, ALPHABET), max_size=60), min_size=1, max_size=4))
def test_tokens_equal_an_independent_tokenizer(tiny, vocabulary, texts):
    # Blocks of Chinese characters named by Unicode but not listed by BERT: none is in the tiny vocabulary.
    texts = [text for text in texts if not any("\U0002b820" <= c <= "\U0002b91f" or c > "\U0002ceaf" for c in text)]
    texts = [text for text in texts if text] or [""]
    expected = [expected_ids(text, vocabulary, 24) for text in texts]
    assert ids_of(tiny, [text.encode() for text in texts]) == expected


def test_words_of_more_than_a_hundred_letters_are_unknown(vocabulary):
    preprocessor = BertPreprocessor(Tokens((*vocabulary, "ж" * 90, "##" + "ж" * 10, "##ж")), max_length=40)
    longest, too_long = ids_of(preprocessor, ["ж" * 100, "ж" * 101])
    assert longest == [2, len(vocabulary), len(vocabulary) + 1, 3]
    assert too_long == [2, 1, 3]


def test_a_long_text_is_cut_and_keeps_its_end_mark(tiny, vocabulary):
    (ids,) = ids_of(tiny, ["the robot, " * 1000])
    assert ids == expected_ids("the robot, " * 1000, vocabulary, 24)
    assert len(ids) == 24 and ids[-1] == vocabulary.index("[SEP]")


def test_an_empty_text_and_bytes_that_are_no_text_give_the_two_marks(tiny):
    assert ids_of(tiny, [b"", b" \n\t", b"\xff\xfe\x80", b"\x00\x01"]) == [[2, 3]] * 4


def test_marks_inside_a_text_are_words_and_not_marks(tiny, vocabulary):
    (ids,) = ids_of(tiny, ["[SEP]"])
    assert [vocabulary[i] for i in ids] == ["[CLS]", "[", "s", "##e", "##p", "]", "[SEP]"]


def test_a_cased_model_keeps_case_and_accents(vocabulary):
    pieces = (*vocabulary, "E", "É", "##É")
    preprocessor = BertPreprocessor(Tokens(pieces, lower_case=False, strip_accents=False), max_length=24)
    text = "É e é E\u00c9 sea"
    assert ids_of(preprocessor, [text]) == [expected_ids(text, list(pieces), 24, lower_case=False)]
    assert pieces.index("##É") in ids_of(preprocessor, [text])[0]


def test_tokenizer_settings_of_the_checkpoint_are_read(checkpoints, tmp_path):
    write_bert, _ = checkpoints
    settings_file = {"do_lower_case": False, "tokenize_chinese_chars": False, "unk_token": {"content": "[UNK]"}}
    tokens = read_checkpoint(str(write_bert(tmp_path / "checkpoint", tokenizer=settings_file))).tokens
    assert (tokens.lower_case, tokens.strip_accents, tokens.split_cjk) == (False, False, False)
    assert tokens.unknown == "[UNK]"


def test_repeated_and_empty_lines_keep_the_ids_of_the_others():
    pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "", "sea", "", "robot", "sea"]
    preprocessor = BertPreprocessor(Tokens(tuple(pieces)), max_length=8)
    assert ids_of(preprocessor, ["robot sea"]) == [[2, 7, 8, 3]]


def test_only_ops_of_the_serving_image_are_used(tiny_bert):
    for part, custom in (("preprocessor", {"FastWordpieceTokenizeWithOffsets"}), ("encoder", set())):
        with open(f"{tiny_bert}/{part}/saved_model.pb", "rb") as file:
            graph = saved_model_pb2.SavedModel.FromString(file.read()).meta_graphs[0].graph_def
        own = {function.signature.name for function in graph.library.function}
        ops = {node.op for function in graph.library.function for node in function.node_def}
        ops = (ops | {node.op for node in graph.node}) - own
        assert {op for op in ops if not hasattr(tf.raw_ops, op)} == custom
        assert not {op for op in ops if op.startswith(("PyFunc", "EagerPyFunc", "Xla"))}


FRESH = """
import json, sys
import tensorflow as tf, tensorflow_text
with tf.compat.v1.Session(graph=tf.Graph()) as session:
    meta = tf.compat.v1.saved_model.load(session, ["serve"], sys.argv[1])
    signature = meta.signature_def["serving_default"]
    text, vector = signature.inputs["text"].name, signature.outputs["vector"].name
    print(json.dumps(session.run(vector, {text: json.loads(sys.argv[2])}).tolist()))
assert not any(name.split(".")[0] in ("tfrec", "tensorflow_hub", "safetensors") for name in sys.modules)
"""


def test_loaded_models_are_saved_again_in_another_and_run_in_a_fresh_process(tiny_bert, tmp_path):
    module = tf.Module()
    module.preprocessor = hub.load(f"{tiny_bert}/preprocessor")
    module.encoder = hub.load(f"{tiny_bert}/encoder")

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="text")])
    def vector(text):
        return {"vector": module.encoder(module.preprocessor(text))["default"]}

    texts = ["the robot's sea", "", "中文 é!"]
    expected = vector(tf.constant(texts))["vector"].numpy()
    tf.saved_model.save(module, str(tmp_path / "servable"), signatures={"serving_default": vector})
    finished = subprocess.run(
        [sys.executable, "-c", FRESH, str(tmp_path / "servable"), json.dumps(texts)],
        capture_output=True,
        text=True,
        cwd=tmp_path,
    )
    assert finished.returncode == 0, finished.stderr[-2000:]
    np.testing.assert_allclose(json.loads(finished.stdout.splitlines()[-1]), expected, atol=1e-6)


def test_importing_twice_gives_the_same_fingerprint_and_other_weights_another(tiny_bert, checkpoints, tmp_path):
    write_bert, bert_tensors = checkpoints
    same, other = tmp_path / "same", tmp_path / "other"
    write_bert(same, pooling="mean_tokens")
    write_bert(other, pooling="mean_tokens", tensors=bert_tensors(seed=1))
    prints = []
    for folder in (same, other):
        imported = import_bert(str(folder), f"{folder}-imported")
        with open(f"{imported}/encoder.json") as file:
            prints.append(json.load(file)["fingerprint"])
    with open(f"{tiny_bert}/encoder.json") as file:
        original = json.load(file)["fingerprint"]
    assert prints[0] == original != prints[1]
