"""What one environment exports the other serves: Python 3.10 with TFX's TensorFlow, Python 3.12 with the newest."""

import csv
import pathlib
import subprocess
import sys

import numpy as np
import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def other_python():
    """Python of the environment that does not run this test."""
    for folder in (ROOT / ".venv", ROOT / ".venv-core"):
        python = folder / "bin" / "python"
        if python.exists() and pathlib.Path(sys.prefix) != folder:
            return python
    pytest.skip("needs both environments: `make .venv/ready .venv-core/ready`")


def recommendations(python, shop, folder):
    """Item ids and scores by user, as `tfrec recommend` of that Python writes them."""
    (folder / "users.txt").write_text("\n".join(sorted(shop.world.user_taste)[:20]) + "\n")
    command = [python, "-m", "tfrec.cli.main", "recommend", "--model", shop.trained["model"], "-k", "5"]
    command += ["--users", folder / "users.txt", "--out", folder / "recommended.csv"]
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    with open(folder / "recommended.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    return [(row["user_id"], row["item_id"]) for row in rows], np.array([float(row["score"]) for row in rows])


@pytest.mark.slow
def test_a_model_exported_here_recommends_the_same_in_the_other_environment(shop, other_python, tmp_path):
    answers = []
    for name, python in (("here", sys.executable), ("there", other_python)):
        (tmp_path / name).mkdir()
        answers.append(recommendations(python, shop, tmp_path / name))
    (here, scores), (there, other_scores) = answers
    np.testing.assert_allclose(other_scores, scores, rtol=1e-4, atol=1e-5)
    assert there == here
