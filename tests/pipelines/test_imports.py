"""The library does without TFX, and the command line without TensorFlow until a command needs it."""

import subprocess
import sys

import pytest

CORE = (
    "data.ingest data.records encoders.build encoders.cache encoders.item_inputs model.build training.trainer "
    "evaluation.report export.export steps.evaluate steps.push"
)


def loaded_after(statement):
    heavy = ("tfx", "apache_beam", "tensorflow")
    code = f"import sys\n{statement}\nprint(*(name for name in {heavy} if name in sys.modules))"
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()


def test_the_core_imports_no_tfx():
    statement = "\n".join(f"import tfrec.{name}" for name in CORE.split())
    assert loaded_after(statement) == ["tensorflow"]


@pytest.mark.parametrize("module", ["tfrec.pipelines.run", "tfrec.pipelines.logs", "tfrec.cli.pipeline"])
def test_the_door_of_the_pipeline_imports_nothing_heavy(module):
    assert loaded_after(f"import {module}") == []
