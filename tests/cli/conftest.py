"""A shop with text, pictures and attributes, trained and pushed through the command line once for all tests here."""

import contextlib
import dataclasses
import io
import json
import os
import pathlib
import subprocess
import sys

import pytest
import yaml


@dataclasses.dataclass
class Shop:
    """A trained shop: its world, its configuration file, what `tfrec train` and `tfrec export` printed as JSON."""

    world: object
    config: pathlib.Path
    trained: dict
    pushed: dict

    @property
    def versions(self):
        """The folder that a server watches."""
        return os.path.dirname(self.pushed["pushed"])


@dataclasses.dataclass
class Finished:
    """What a command left: exit status, standard output, standard error."""

    status: int
    out: str
    err: str

    @property
    def json(self):
        return json.loads(self.out)


def run_main(*arguments):
    """Run `tfrec ARGUMENTS` in this process."""
    from tfrec.cli.main import main

    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            status = main([str(argument) for argument in arguments])
        except SystemExit as end:
            status = end.code
    return Finished(status, out.getvalue(), err.getvalue())


def run_process(*arguments, timeout=120, **settings):
    """Run `tfrec ARGUMENTS` in a process of its own."""
    command = [sys.executable, "-m", "tfrec.cli.main", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=timeout, **settings)
    return Finished(done.returncode, done.stdout, done.stderr)


@pytest.fixture(scope="session")
def tfrec():
    return run_main


@pytest.fixture(scope="session")
def tfrec_process():
    return run_process


@pytest.fixture(scope="session")
def write_shop(make_world, word_encoder):
    """write_shop(folder, **sections) writes a small shop and its configuration, and returns both."""

    def write(folder, **sections):
        features = {
            "text": {
                "modality": "text",
                "columns": ["title", "description"],
                "encoder": {"kind": "hub", "path": word_encoder, "pooling": "mean", "max_length": 16},
            },
            "picture": {
                "modality": "image",
                "encoder": {"kind": "small-cnn", "size": 16, "dimension": 8},
            },
            "category": "category",
            "tags": {"modality": "categories"},
            "price": "number",
        }
        world = make_world(folder, features, items=30, users=60, events=8)
        document = world.document(
            **{"training": {"epochs": 3}, "gates": {"better_than": []}, **sections},
        )
        path = folder / "shop.yaml"
        path.write_text(yaml.safe_dump(document, sort_keys=False))
        return world, path

    return write


@pytest.fixture(scope="session")
def shop(tmp_path_factory, write_shop):
    world, path = write_shop(tmp_path_factory.mktemp("shop"))
    trained = run_main("train", "-c", path, "--json")
    assert trained.status == 0, trained.err
    pushed = run_main("export", "-c", path, "--json")
    assert pushed.status == 0, pushed.err
    return Shop(world, path, trained.json, pushed.json)


@pytest.fixture(scope="session")
def server(shop):
    """A development server of the shop; its gRPC address."""
    from tfrec.serving import serve

    with serve(shop.versions, model_name="shop", grpc_port=0, rest_api_port=None) as running:
        yield running.grpc_address


@pytest.fixture
def one_sentence():
    """one_sentence(finished): standard error of a refused command, checked to be one line without a traceback."""

    def sentence(finished):
        assert finished.status == 2, (finished.status, finished.err)
        lines = finished.err.strip().splitlines()
        assert len(lines) == 1, finished.err
        assert lines[0].startswith("tfrec")
        assert "Traceback" not in finished.err
        return lines[0]

    return sentence
