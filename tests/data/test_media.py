import hashlib
import os

import pytest

from tfrec.data import media as media_module
from tfrec.data.media import open_media, write_media
from tfrec.errors import DataError

BLOBS = [b"one", b"", b"three\0\xff"]


def test_bytes_come_back_in_order_with_presence_and_digests(tmp_path):
    media = write_media(str(tmp_path), "poster", iter(BLOBS))
    assert list(media) == BLOBS
    assert len(media) == 3
    assert media.present.tolist() == [True, False, True]
    assert media.digests.tolist() == [
        hashlib.sha256(b"one").hexdigest(),
        "",
        hashlib.sha256(b"three\0\xff").hexdigest(),
    ]
    assert [blob.numpy() for blob in media.dataset()] == BLOBS


def test_reopened_media_are_equal(tmp_path):
    written = write_media(str(tmp_path), "poster", BLOBS)
    opened = open_media(str(tmp_path), "poster")
    assert list(opened) == BLOBS
    assert opened.digests.tolist() == written.digests.tolist()


def test_many_bytes_are_spread_over_shards_in_order(tmp_path, monkeypatch):
    monkeypatch.setattr(media_module, "_SHARD_BYTES", 10)
    blobs = [bytes([number]) * 4 for number in range(20)]
    media = write_media(str(tmp_path), "poster", blobs)
    assert len(media.shards) == 7
    assert list(media) == blobs


def test_no_items_at_all_are_no_error(tmp_path):
    media = write_media(str(tmp_path), "poster", [])
    assert len(media) == 0
    assert list(media) == []


def test_writing_again_replaces_what_was_there_and_a_failure_leaves_it(tmp_path):
    write_media(str(tmp_path), "poster", [b"old"])

    def broken():
        yield b"new"
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_media(str(tmp_path), "poster", broken())
    assert list(open_media(str(tmp_path), "poster")) == [b"old"]
    write_media(str(tmp_path), "poster", [b"new"])
    assert list(open_media(str(tmp_path), "poster")) == [b"new"]
    assert os.listdir(tmp_path) == ["poster"]


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="this system has no /dev/full to stand for a full disk")
def test_a_full_disk_is_one_sentence(tmp_path, monkeypatch):
    import tensorflow as tf

    monkeypatch.setattr(media_module, "_shard_writer", lambda path: tf.io.TFRecordWriter("/dev/full"))
    with pytest.raises(DataError, match=r"cannot write .*No space left on device; free some space"):
        write_media(str(tmp_path), "poster", [b"x" * 1000] * 2000)


def test_missing_and_damaged_media_are_one_sentence(tmp_path):
    with pytest.raises(DataError, match="there is no such file"):
        open_media(str(tmp_path), "poster")
    (tmp_path / "poster").mkdir()
    (tmp_path / "poster" / "index.json").write_text("{")
    with pytest.raises(DataError, match="is damaged"):
        open_media(str(tmp_path), "poster")
