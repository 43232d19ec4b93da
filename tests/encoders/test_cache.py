import builtins
import errno
import hashlib
import io
import multiprocessing
import pathlib
import signal
import threading

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

import tfrec  # noqa: F401
from tfrec.encoders import cache_shards, scratch
from tfrec.encoders.base import Encoder
from tfrec.encoders.cache import encode_column, prepare_column, text_digests
from tfrec.encoders.image import ImageEncoder
from tfrec.encoders.item_inputs import ItemInputs
from tfrec.errors import DataError

import tensorflow as tf  # isort: skip


class LengthEncoder(Encoder):
    """Encodes a text to (its length, 1) and counts what it encodes."""

    def __init__(self, version: str = "a"):
        super().__init__(name="length")
        self.content_spec, self.dimension, self.frozen = tf.TensorSpec([1], tf.int32), 2, True
        self.encoded: list[bytes] = []
        self.version = version

    def prepare(self, raw):
        def counted(batch):
            self.encoded.extend(text for text in batch.numpy() if text)
            return batch

        raw = tf.py_function(counted, [raw], tf.string)
        return tf.ensure_shape(tf.strings.length(raw)[:, None], [None, 1])

    def call(self, content, training=False):
        return tf.concat([tf.cast(content, tf.float32), tf.ones([tf.shape(content)[0], 1])], axis=1)

    def fingerprint(self):
        return f"length-{self.version}"


def lengths(texts) -> np.ndarray:
    return np.array([[len(text.encode()), 1] if text else [0, 0] for text in texts], np.float32).reshape(-1, 2)


def encoded(encoder, texts, directory, **settings) -> np.ndarray:
    return encode_column(encoder, texts, text_digests(texts), str(directory), **settings)


def shard_files(directory) -> list[pathlib.Path]:
    return sorted(path for path in pathlib.Path(directory).rglob("*") if path.is_file())


TEXTS = ["a film", "", "another", "a film", "Zürich", "the last of them"]


def test_each_content_is_encoded_once_duplicates_too_and_absent_items_are_zeros(tmp_path):
    encoder = LengthEncoder()
    vectors = encoded(encoder, TEXTS, tmp_path, batch_size=4)
    assert vectors.dtype == np.float32
    np.testing.assert_array_equal(vectors, lengths(TEXTS))
    assert sorted(encoder.encoded) == sorted({text.encode() for text in TEXTS} - {b""})


def test_a_second_run_encodes_nothing_and_does_not_even_read_the_content(tmp_path):
    encoded(LengthEncoder(), TEXTS, tmp_path)
    again = LengthEncoder()
    unread = (pytest.fail("read") for _ in TEXTS)
    vectors = encode_column(again, unread, text_digests(TEXTS), str(tmp_path))
    np.testing.assert_array_equal(vectors, lengths(TEXTS))
    assert not again.encoded


def test_a_changed_title_and_another_order_encode_one_item(tmp_path):
    encoded(LengthEncoder(), TEXTS, tmp_path)
    changed = [*TEXTS[::-1]]
    changed[0] = "the very last of them"
    again = LengthEncoder()
    np.testing.assert_array_equal(encoded(again, changed, tmp_path), lengths(changed))
    assert again.encoded == [b"the very last of them"]


def test_another_fingerprint_shares_nothing(tmp_path):
    encoded(LengthEncoder("a"), TEXTS, tmp_path)
    other = LengthEncoder("b")
    encoded(other, TEXTS, tmp_path)
    assert len(other.encoded) == 4


@settings(max_examples=30, deadline=None)
@given(
    before=st.lists(st.text(max_size=4), max_size=20),
    texts=st.lists(st.text(max_size=4), max_size=20),
    shard_size=st.integers(1, 7),
    batch_size=st.integers(1, 5),
)
def test_any_catalogue_after_any_other_is_encoded_right(tmp_path_factory, before, texts, shard_size, batch_size):
    directory = tmp_path_factory.mktemp("cache")
    encoded(LengthEncoder(), before, directory, shard_size=shard_size, batch_size=batch_size)
    again = LengthEncoder()
    vectors = encoded(again, texts, directory, shard_size=shard_size, batch_size=batch_size)
    np.testing.assert_array_equal(vectors, lengths(texts))
    new = {text.encode() for text in texts} - {text.encode() for text in before} - {b""}
    assert sorted(again.encoded) == sorted(new)


def test_after_an_interrupt_the_finished_shards_stay(tmp_path):
    texts = [f"title {number}" for number in range(20)]

    def interrupted():
        yield from texts[:13]
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        encode_column(LengthEncoder(), interrupted(), text_digests(texts), str(tmp_path), shard_size=5)
    again = LengthEncoder()
    np.testing.assert_array_equal(encoded(again, texts, tmp_path, shard_size=5), lengths(texts))
    assert sorted(again.encoded) == sorted(text.encode() for text in texts[10:])


def test_progress_counts_the_missing_items_across_shards(tmp_path):
    encoded(LengthEncoder(), ["known"], tmp_path)
    told = []
    texts = ["known", *(f"new {number}" for number in range(5))]
    encoded(LengthEncoder(), texts, tmp_path, shard_size=3, batch_size=2, progress=lambda *counts: told.append(counts))
    assert told == [(2, 5), (3, 5), (5, 5)]


@pytest.mark.parametrize("damage", ["truncated", "flipped", "empty", "foreign"])
def test_a_damaged_shard_is_reported_and_made_again(tmp_path, damage):
    texts = [f"title {number}" for number in range(6)]
    encoded(LengthEncoder(), texts, tmp_path, shard_size=3)
    shard = shard_files(tmp_path)[0]
    content = shard.read_bytes()
    flipped = content[:-3] + bytes([content[-3] ^ 1]) + content[-2:]
    wrong = {"truncated": content[:-20], "flipped": flipped, "empty": b"", "foreign": b"not a shard at all"}
    shard.write_bytes(wrong[damage])
    again = LengthEncoder()
    with pytest.warns(RuntimeWarning, match="is damaged; its items are encoded again"):
        np.testing.assert_array_equal(encoded(again, texts, tmp_path), lengths(texts))
    assert len(again.encoded) == 3
    calm = LengthEncoder()
    np.testing.assert_array_equal(encoded(calm, texts, tmp_path), lengths(texts))
    assert not calm.encoded


def test_a_full_disk_is_one_clear_sentence_and_leaves_no_half_shard(tmp_path, monkeypatch):
    texts = [f"title {number}" for number in range(9)]
    written = []
    whole_open = builtins.open

    class FullDisk(io.FileIO):
        def write(self, data):
            super().write(bytes(data)[:10])
            raise OSError(errno.ENOSPC, "No space left on device")

    def opened(path, mode="r", *arguments, **settings):
        if "w" not in mode:
            return whole_open(path, mode, *arguments, **settings)
        written.append(path)
        return FullDisk(path, mode) if len(written) > 1 else whole_open(path, mode, *arguments, **settings)

    monkeypatch.setattr(cache_shards, "open", opened, raising=False)
    with pytest.raises(DataError, match=r"the disk is full; make room .*what was encoded before is kept") as error:
        encoded(LengthEncoder(), texts, tmp_path, shard_size=3)
    assert "\n" not in str(error.value)
    assert [path.suffix for path in shard_files(tmp_path)] == [".npy"], "the first shard stays, nothing of the second"
    monkeypatch.undo()
    again = LengthEncoder()
    np.testing.assert_array_equal(encoded(again, texts, tmp_path), lengths(texts))
    assert len(again.encoded) == 6


def test_a_folder_that_cannot_be_written_is_one_clear_sentence(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match=r"cannot write .* of encoded content to"):
        encoded(LengthEncoder(), TEXTS, tmp_path / "file")


def test_what_a_killed_process_left_half_written_is_removed_later(tmp_path, monkeypatch):
    encoded(LengthEncoder(), ["one"], tmp_path)
    left = shard_files(tmp_path)[0].with_name("left.partial")
    left.write_bytes(b"half")
    encoded(LengthEncoder(), ["two"], tmp_path)
    assert left.exists(), "it may be another process's shard being written"
    monkeypatch.setattr(cache_shards, "_ABANDONED_SECONDS", -1)
    encoded(LengthEncoder(), ["three"], tmp_path)
    assert not left.exists()


MANY = [f"title {number}" for number in range(40)]


def _encode_and_be_killed(directory, half_written):
    """Encodes with shards of 4 and hangs where the third has been written but not yet renamed."""
    written = []

    def hangs(descriptor):
        written.append(descriptor)
        if len(written) == 3:
            half_written.set()
            threading.Event().wait()

    cache_shards.os.fsync = hangs
    encoded(LengthEncoder(), MANY, directory, shard_size=4)


def test_after_a_kill_in_the_middle_only_what_is_missing_is_encoded(tmp_path):
    spawn = multiprocessing.get_context("spawn")
    half_written = spawn.Event()
    process = spawn.Process(target=_encode_and_be_killed, args=(str(tmp_path), half_written))
    process.start()
    assert half_written.wait(120)
    process.kill()
    process.join()
    assert process.exitcode == -signal.SIGKILL
    assert sorted(path.suffix for path in shard_files(tmp_path)) == [".npy", ".npy", ".partial"]
    again = LengthEncoder()
    np.testing.assert_array_equal(encoded(again, MANY, tmp_path, shard_size=4), lengths(MANY))
    assert again.encoded == [text.encode() for text in MANY[8:]]


def _encode_beside_another(directory, barrier):
    class Waiting(LengthEncoder):
        """Begins each batch when the other process does."""

        def prepare(self, raw):
            def waited(batch):
                barrier.wait(120)
                return batch

            return super().prepare(tf.ensure_shape(tf.py_function(waited, [raw], tf.string), [None]))

    encoder = Waiting()
    vectors = encoded(encoder, MANY, directory, shard_size=4)
    np.testing.assert_array_equal(vectors, lengths(MANY))
    assert len(encoder.encoded) == len(MANY)


@pytest.mark.slow
def test_two_processes_that_encode_the_same_items_at_once_leave_each_item_once(tmp_path):
    spawn = multiprocessing.get_context("spawn")
    barrier = spawn.Barrier(2)
    processes = [spawn.Process(target=_encode_beside_another, args=(str(tmp_path), barrier)) for _ in range(2)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(120)
    assert [process.exitcode for process in processes] == [0, 0]
    stored = np.concatenate([np.load(path) for path in shard_files(tmp_path)])
    assert len(stored) == len(np.unique(stored["key"])) == len(MANY)
    again = LengthEncoder()
    np.testing.assert_array_equal(encoded(again, MANY[::-1], tmp_path), lengths(MANY[::-1]))
    assert not again.encoded


def test_an_encoder_with_its_own_batching_is_asked_for_a_whole_shard(tmp_path):
    class Batching(LengthEncoder):
        def encode_raw(self, items, batch_size, progress):
            progress(len(items), len(items))
            self.encoded.append(items)
            return lengths(items)

    encoder, told = Batching(), []
    vectors = encoded(encoder, TEXTS, tmp_path, shard_size=3, progress=lambda *counts: told.append(counts))
    np.testing.assert_array_equal(vectors, lengths(TEXTS))
    assert [len(items) for items in encoder.encoded] == [3, 1] and told == [(3, 4), (4, 4)]


def test_vectors_that_are_not_finite_are_refused(tmp_path):
    class Broken(LengthEncoder):
        def call(self, content, training=False):
            return super().call(content) * float("nan")

    with pytest.raises(DataError, match="not finite for 4 items"):
        encoded(Broken(), TEXTS, tmp_path)
    assert not shard_files(tmp_path)


def test_fewer_contents_than_digests_are_refused(tmp_path):
    with pytest.raises(DataError, match="6 content digests but less content"):
        encode_column(LengthEncoder(), TEXTS[:3], text_digests(TEXTS), str(tmp_path))


def picture_bytes(colour) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (20, 20), colour).save(file, "PNG")
    return file.getvalue()


PICTURES = [picture_bytes((number * 3, 90, 10)) if number % 7 else b"" for number in range(70)]


def test_pictures_go_through_prepare_and_call_in_padded_batches(tmp_path):
    encoder = ImageEncoder({"size": 16, "dimension": 4})
    keys = [hashlib.sha256(picture).hexdigest() if picture else "" for picture in PICTURES]
    vectors = encode_column(encoder, iter(PICTURES), keys, str(tmp_path), batch_size=32)
    present = np.array([bool(picture) for picture in PICTURES])
    np.testing.assert_allclose(vectors[present], encoder(encoder.prepare(tf.constant(PICTURES)))[present], atol=1e-5)
    assert not vectors[~present].any()


def test_a_prepared_column_equals_the_preparation_of_all_at_once():
    encoder = ImageEncoder({"size": 16})
    column = prepare_column(encoder, PICTURES)
    assert column.dtype == np.uint8 and column.shape == (70, 16, 16, 3)
    np.testing.assert_array_equal(column, encoder.prepare(tf.constant(PICTURES)))
    np.testing.assert_array_equal(column, prepare_column(encoder, iter(PICTURES)))
    assert prepare_column(encoder, []).shape == (0, 16, 16, 3)


def test_prepared_content_too_large_for_memory_is_in_a_file_that_goes_with_it(tmp_path, monkeypatch):
    encoder = ImageEncoder({"size": 16})
    expected = prepare_column(encoder, PICTURES, str(tmp_path))
    assert not isinstance(expected, np.memmap)
    monkeypatch.setattr(scratch, "MOST_IN_MEMORY", 1000)
    column = prepare_column(encoder, PICTURES, str(tmp_path / "cache"))
    assert isinstance(column, np.memmap) and column.dtype == np.uint8
    np.testing.assert_array_equal(column, expected)
    inputs = ItemInputs({"id": np.arange(70), "picture": column}, None, np.zeros(0, np.int32))
    np.testing.assert_array_equal(tf.constant(inputs.take(np.array([69, 1, 1]))["picture"]), expected[[69, 1, 1]])
    assert not shard_files(tmp_path), "nobody has to clear away what a killed process leaves"


def test_a_disk_without_room_for_prepared_content_is_one_clear_sentence(tmp_path, monkeypatch):
    def no_room(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(scratch, "MOST_IN_MEMORY", 1000)
    monkeypatch.setattr(scratch.os, "posix_fallocate", no_room)
    with pytest.raises(DataError, match=r"cannot keep 0\.0 GB of prepared content in .*: the disk is full; make room"):
        prepare_column(ImageEncoder({"size": 16}), PICTURES, str(tmp_path))


def test_content_that_cannot_be_decoded_is_one_clear_sentence(tmp_path):
    encoder = ImageEncoder({"size": 16}, name="poster")
    for encode in (
        lambda: prepare_column(encoder, [b"no picture"]),
        lambda: encode_column(encoder, [b"no picture"], ["x"], str(tmp_path)),
    ):
        with pytest.raises(
            DataError, match=r"content of 'poster' cannot be decoded .*run the ingestion again"
        ) as error:
            encode()
        assert "\n" not in str(error.value)


def test_text_digests_are_empty_for_empty_texts_and_equal_for_equal_ones():
    digests = text_digests(TEXTS)
    assert digests.dtype == object and digests.shape == (6,)
    assert digests[1] == "" and digests[0] == digests[3] != digests[2] and len(digests[0]) == 64
