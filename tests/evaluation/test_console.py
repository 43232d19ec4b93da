import io

import numpy as np
from rich.console import Console

from tfrec.evaluation.console import console_table
from tfrec.evaluation.protocol import evaluate, fitted_baselines
from tfrec.evaluation.recommenders import EmbeddingRecommender
from tfrec.evaluation.tasks import warm_task


def printed(table):
    console = Console(file=io.StringIO(), width=80)
    console.print(table)
    return console.file.getvalue()


def test_the_table_shows_the_model_first_and_fits_a_terminal(taste_dataset):
    task = warm_task(taste_dataset)
    model = EmbeddingRecommender("Two-tower", np.eye(2)[np.arange(60) % 2], np.eye(2)[np.arange(40) % 2])
    result = evaluate(model, fitted_baselines(task), task, [3, 10])
    text = printed(console_table(result))
    lines = text.splitlines()
    names = [line.split()[0] for line in lines if line.strip() and line.split()[0] in ("Two-tower", "MostPop", "EASE")]
    assert names == ["Two-tower", "MostPop", "EASE"]
    assert "…" not in text
    assert f"{result.model.metrics['ndcg@10'].value:.4f} ±" in text
    assert "Recall@3" in printed(console_table(result, metrics=["recall@3"]))
