"""The compiled pipeline, run container by container as the launcher does, gives what a run on this machine gives."""

import json
import os

import numpy as np
import pytest
import yaml

from tests.pipelines.kubeflow.launcher import Cluster
from tfrec.export.loaded import LoadedServable
from tfrec.pipelines.fingerprints import take_fingerprints
from tfrec.pipelines.kubeflow.definition import write_definition
from tfrec.pipelines.run import run_pipeline

TUNING = {"trials": 2, "algorithm": "grid", "space": {"training.epochs": [1, 3]}}


@pytest.mark.slow
def test_the_pods_push_the_model_that_a_local_run_pushes(shop, settings, tmp_path):
    tuning = {"pipeline": {"tune": True}, "tuning": TUNING}
    config = settings(**tuning)
    write_definition(config, take_fingerprints(config), str(tmp_path / "pipeline.yaml"))
    cluster = Cluster(tmp_path / "pipeline.yaml", tmp_path / "root")
    tasks = cluster.run()

    path = shop.folder / "local.yaml"
    sections = {"split": {"held_out_items": 0.25}, "gates": {"margin": 0.01}, "data": {"output": "local"}, **tuning}
    path.write_text(yaml.safe_dump(json.loads(json.dumps(shop.document(**sections)))))
    local = run_pipeline(str(path), lambda line: None)

    assert len(tasks) == 12
    for name, task in cluster.spec["root"]["dag"]["tasks"].items():
        for earlier in task.get("dependentTasks", []):
            assert cluster.log.index(("ends", earlier)) < cluster.log.index(("begins", name))
    with open(os.path.join(tasks["Tuner"].outputs["best_hyperparameters"]["uri"], "best_hyperparameters.txt")) as file:
        values = json.load(file)["values"]
    assert values == local.tuned
    with open(os.path.join(local.training, "history.json")) as file:
        assert len(json.load(file)) == values["training.epochs"]
    evaluation = tasks["RetrievalEvaluator"].outputs
    assert evaluation["blessing"]["metadata"]["blessed"] == 1
    with open(os.path.join(evaluation["evaluation"]["uri"], "metrics.json")) as file:
        assert json.load(file)["metrics"] == pytest.approx(local.metrics, abs=1e-6)
    pushed = tasks["Pusher"].outputs["pushed_model"]["metadata"]["pushed_destination"]
    assert pushed == os.path.join(config.push_directory, "1")
    (ids, scores), (expected_ids, expected_scores) = (recommended(path, shop) for path in (pushed, local.pushed))
    np.testing.assert_array_equal(ids, expected_ids)
    np.testing.assert_allclose(scores, expected_scores, rtol=1e-4, atol=1e-5)


def recommended(folder, shop):
    """What the servable in the folder recommends to every user."""
    return LoadedServable(folder).recommend(np.array(list(shop.user_taste), object), 5)
