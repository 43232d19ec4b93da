"""The notebooks, run top to bottom in a kernel of their own, on less data than they come with."""

import importlib.util
import os
import pathlib
import sys

import nbformat
import pytest
from nbclient import NotebookClient

NOTEBOOKS = pathlib.Path(__file__).resolve().parents[2] / "notebooks"
SMALL = {
    "1_quickstart": "ITEMS, USERS, EVENTS, EPOCHS, ENCODER_EPOCHS = 60, 80, 1_500, 2, 1",
    "2_your_data_and_the_audit": 'ITEMS, USERS, EVENTS, EPOCHS, SEEDS = 60, 80, 1_500, 2, "0"',
    "3_gpu_and_tpu": "ITEMS, USERS, EVENTS, EPOCHS = 60, 80, 1_500, 3",
    "4_the_pipeline_step_by_step": "ITEMS, USERS, EVENTS, EPOCHS = 60, 80, 1_500, 2",
    "5_serving": "ITEMS, USERS, EVENTS, EPOCHS = 60, 80, 1_500, 2",
}


# The notebook that looks for a TPU is told of one that does not answer, and goes on without it.
SURROUNDINGS = {"3_gpu_and_tpu": {"TPU_NAME": "grpc://127.0.0.1:1"}}


def run(name, folder, parameters):
    """The notebook with its outputs, run with other parameters; an error in a cell is raised with its traceback."""
    notebook = nbformat.read(NOTEBOOKS / f"{name}.ipynb", as_version=4)
    [cell] = [cell for cell in notebook.cells if "parameters" in cell.metadata.get("tags", ())]
    cell.source = parameters
    # Commands of cells that start with ! are those of this environment, as in a notebook on Colab.
    path = os.pathsep.join([str(pathlib.Path(sys.executable).parent), os.environ["PATH"]])
    client = NotebookClient(notebook, timeout=600, kernel_name="python3", resources={"metadata": {"path": str(folder)}})
    client.execute(env={**os.environ, "PATH": path, "TMPDIR": str(folder), **SURROUNDINGS.get(name, {})})
    return notebook


def outputs(notebook):
    return [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]


def printed(notebook):
    """All that the cells printed or gave back, as text."""
    found = outputs(notebook)
    streams = [output.text for output in found if output.output_type == "stream"]
    return "\n".join([*streams, *(output.data.get("text/plain", "") for output in found if "data" in output)])


def pictures(notebook):
    return [output for output in outputs(notebook) if "image/png" in output.get("data", {})]


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(SMALL))
def test_a_notebook_runs_from_top_to_bottom(name, tmp_path):
    if "pipeline" in name and not importlib.util.find_spec("tfx"):
        pytest.skip("needs the pipeline environment, where TFX is installed")
    notebook = run(name, tmp_path, SMALL[name])
    said = printed(notebook)
    assert "Traceback" not in said and "tfrec: " not in said, said  # `!tfrec …` that fails ends no cell
    if name == "1_quickstart":
        assert len(pictures(notebook)) == 5
        assert "EASE" in said
    elif name == "2_your_data_and_the_audit":
        assert "nDCG@10" in said and len(pictures(notebook)) == 1
    elif name == "3_gpu_and_tpu":
        assert "going on without the TPU: " in said and "'strategy': 'one'" in said
        assert said.count("ndcg@10") >= 2 and len(pictures(notebook)) == 1
    elif name == "4_the_pipeline_step_by_step":
        assert "BLESSED" in said and "['1']" in said
    elif name == "5_serving":
        assert "(2, 'AVAILABLE')" in said and "p50" in said


def test_notebooks_are_kept_without_outputs():
    for path in NOTEBOOKS.glob("*.ipynb"):
        cells = nbformat.read(path, as_version=4).cells
        assert all(not cell.get("outputs") and cell.get("execution_count") is None for cell in cells), path.name
