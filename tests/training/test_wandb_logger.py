import sys
import types

import pytest

from tfrec.errors import TrainingError
from tfrec.training.wandb_logger import WandbLogger


class Run:
    def __init__(self, **settings):
        self.settings, self.logged, self.finished = settings, [], False

    def log(self, values, step):
        self.logged.append((step, values))

    def finish(self):
        self.finished = True


def test_each_epoch_is_logged_to_a_run_of_its_own_name(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "wandb", types.SimpleNamespace(init=Run))
    logger = WandbLogger("films", str(tmp_path))
    logger.on_epoch_end(0, {"loss": 2.0})
    logger.on_epoch_end(1, {"loss": 1.0, "ndcg@10": 0.5})
    logger.on_train_end()
    assert logger.run.settings == {"project": "tfrec", "name": "films", "dir": str(tmp_path)}
    assert logger.run.logged == [(1, {"loss": 2.0}), (2, {"loss": 1.0, "ndcg@10": 0.5})]
    assert logger.run.finished


def test_without_the_package_one_sentence_says_what_to_install(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "wandb", None)
    with pytest.raises(TrainingError, match="pip install wandb"):
        WandbLogger("films", str(tmp_path))
