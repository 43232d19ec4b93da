"""Each of these ends in one clear sentence and exit status 2."""

import errno
import os
import resource

import pytest
import yaml

from tfrec.cli.failures import sentence_of
from tfrec.errors import DataError


@pytest.fixture
def fresh_shop(tmp_path, write_shop):
    return write_shop(tmp_path / "shop")[1]


def changed(path, change):
    """The configuration with `change` applied to its document."""
    document = yaml.safe_load(path.read_text())
    change(document)
    path.write_text(yaml.safe_dump(document))
    return path


def test_a_missing_configuration_key(tfrec, fresh_shop, one_sentence):
    changed(fresh_shop, lambda document: document["data"].pop("events"))
    assert "the key 'events' is missing" in one_sentence(tfrec("train", "-c", fresh_shop))


def test_an_unknown_configuration_key(tfrec, fresh_shop, one_sentence):
    changed(fresh_shop, lambda document: document["training"].update(epoch=3))
    assert "unknown key 'epoch'; did you mean 'epochs'?" in one_sentence(tfrec("validate", "-c", fresh_shop))


def test_a_wrong_path(tfrec, fresh_shop, one_sentence):
    changed(fresh_shop, lambda document: document["data"].update(items="itmes.jsonl"))
    assert "itmes.jsonl: there is no such file; check data.items" in one_sentence(tfrec("train", "-c", fresh_shop))


def test_an_unknown_column(tfrec, fresh_shop, one_sentence):
    changed(
        fresh_shop,
        lambda document: document["schema"]["items"]["features"].update(
            price={"column": "prize", "modality": "number"}
        ),
    )
    sentence = one_sentence(tfrec("validate", "-c", fresh_shop))
    assert "names the column 'prize'" in sentence
    assert "did you mean 'price'?" in sentence


@pytest.mark.parametrize("command", [["recommend", "--user", "u000"], ["search", "a comet"], ["similar", "i000"]])
def test_a_server_that_is_down(tfrec, command, one_sentence):
    refused = tfrec(*command, "--name", "shop", "--server", "127.0.0.1:1", "--timeout", "1")
    assert "no model server answers at 127.0.0.1:1; start one with `tfrec serve`" in one_sentence(refused)


def limited_to(size):
    """For a process to start with: files of more than `size` bytes cannot be written, as on a disk that is full."""
    return lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))


def test_a_full_disk_while_the_sample_is_written(tfrec_process, tmp_path, one_sentence):
    refused = tfrec_process(
        "data",
        "sample",
        "--out",
        tmp_path / "s",
        "--items",
        20,
        "--users",
        10,
        "--events",
        200,
        preexec_fn=limited_to(4000),
    )
    assert "cannot write the sample catalogue" in one_sentence(refused)


@pytest.mark.slow
@pytest.mark.parametrize("size", [2_000, 30_000])
def test_a_full_disk_in_ingestion_and_in_training(tfrec_process, fresh_shop, size, one_sentence):
    refused = tfrec_process("train", "-c", fresh_shop, preexec_fn=limited_to(size))
    sentence = one_sentence(refused)
    assert "cannot" in sentence or "disk" in sentence
    finished = tfrec_process("train", "-c", fresh_shop, "--json")
    assert finished.status == 0, finished.err
    assert finished.json["epochs"] == 3


def test_a_full_disk_told_by_tensorflow():
    import tensorflow as tf

    error = tf.errors.ResourceExhaustedError(None, None, "checkpoint.data; No space left on device")
    assert "the disk is full" in sentence_of(error)


def test_a_full_disk_told_by_the_operating_system():
    error = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "build/exported.json")
    assert (
        sentence_of(error)
        == "build/exported.json: No space left on device; free some space and run the same command again"
    )


def test_a_sentence_stays_on_one_line():
    assert sentence_of(DataError("first\n  second")) == "first second"


def test_a_fault_has_no_sentence():
    assert sentence_of(KeyError("x")) == ""
