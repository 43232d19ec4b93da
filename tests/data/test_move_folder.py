"""A folder in an object store is moved file by file, and a SavedModel is whole as soon as it can be loaded."""

import tensorflow as tf

from tfrec.data.files import move_folder


def test_what_lies_deeper_is_moved_first_so_that_a_saved_model_comes_last(monkeypatch):
    for name in ("saved_model.pb", "fingerprint.pb", "variables/variables.index", "assets.extra/manifest.json"):
        path = f"ram://move/new/{name}"
        tf.io.gfile.makedirs(path.rpartition("/")[0])
        with tf.io.gfile.GFile(path, "w") as file:
            file.write(name)
    moved = []
    rename = tf.io.gfile.rename

    def recorded(source, destination, overwrite=False):
        rename(source, destination, overwrite)
        moved.append(destination.removeprefix("ram://move/1/"))

    monkeypatch.setattr(tf.io.gfile, "rename", recorded)
    move_folder("ram://move/new", "ram://move/1")
    assert set(moved[:2]) == {"variables/variables.index", "assets.extra/manifest.json"}
    assert moved[-1] == "saved_model.pb"
    with tf.io.gfile.GFile("ram://move/1/variables/variables.index") as file:
        assert file.read() == "variables/variables.index"
