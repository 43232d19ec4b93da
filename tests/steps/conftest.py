"""Versions of models that are nothing but names, for tests of what is pushed, kept and taken back."""

import json
import os

import pytest

from tfrec.steps.push import push


@pytest.fixture
def served(tmp_path):
    """Pushes a model called `name` and returns its version; `served.directory` is the folder of versions."""

    def push_model(name, keep=0):
        return int(os.path.basename(push(push_model.made(name), push_model.directory, keep)))

    def made(name):
        source = tmp_path / "made" / name
        if not source.exists():
            (source / "assets.extra").mkdir(parents=True)
            (source / "saved_model.pb").write_bytes(b"no graph")
            (source / "assets.extra" / "tfrec_manifest.json").write_text(json.dumps({"name": name}))
        return str(source)

    push_model.made = made
    push_model.directory = str(tmp_path / "served" / "shop")
    return push_model
