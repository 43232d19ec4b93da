"""What a warm start saves: nDCG@10 after few epochs from the model of yesterday, and from nothing.

The events are divided by time. Yesterday's model is trained on the first part of the training part, with as many epochs
as the configuration says; then both start on all of it, in turn for each number of epochs, and are asked for the test
part, with the same seed.

    python benchmarks/warm_start.py -c lanternbox/tfrec.yaml --without text,cover,tune
"""

import argparse
import dataclasses
import json
import os
import tempfile
import time

import numpy as np

from tfrec.config import load_config
from tfrec.data.files import write_text
from tfrec.data.ingest import ingest
from tfrec.evaluation.metrics import user_metrics
from tfrec.evaluation.quality_page import markdown_table
from tfrec.evaluation.tasks import warm_task
from tfrec.evaluation.uncertainty import paired_p_values
from tfrec.evaluation.wording import machine_sentence, p_value
from tfrec.steps.quality import environment, model_recommender
from tfrec.training.fingerprint import training_fingerprint
from tfrec.training.trainer import train

K = 10


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-c", "--config", required=True)
    parser.add_argument("--without", default="", help="item features to leave out, separated by commas")
    parser.add_argument("--past", type=float, default=0.85, help="yesterday's share of the training part (0.85)")
    parser.add_argument("--epochs", default="1,2,5,10,20,50", help="numbers of epochs, separated by commas")
    parser.add_argument("--out", default="", help="write OUT.json and OUT.md")
    given = parser.parse_args()
    config = load_config(given.config)
    config = config.without([name for name in given.without.split(",") if name])
    config = dataclasses.replace(config, split=dataclasses.replace(config.split, by="time"))
    epochs = [int(number) for number in given.epochs.split(",")]
    with tempfile.TemporaryDirectory() as folder:
        rows = compared(config, given.past, epochs, folder)
    table = [
        [
            "epochs",
            "from nothing",
            "from yesterday's model",
            "difference",
            "p",
            "seconds from nothing",
            "seconds from it",
        ]
    ]
    table += [
        [
            str(row["epochs"]),
            f"{row['cold']:.4f}",
            f"{row['warm']:.4f}",
            f"{row['warm'] - row['cold']:+.4f}",
            p_value(row["p_value"]),
            f"{row['cold_seconds']:.0f}",
            f"{row['warm_seconds']:.0f}",
        ]
        for row in rows
    ]
    print("\n".join(markdown_table(table)))
    if given.out:
        words = ["python benchmarks/warm_start.py", f"-c {os.path.basename(given.config)}"]
        words += [f"--without {given.without}"] if given.without else []
        command = " ".join([*words, f"--past {given.past:g}", f"--epochs {given.epochs}"])
        machine = environment()
        document = {"command": command, "environment": machine, "config": config.name, "past": given.past, "rows": rows}
        write_text(f"{given.out}.json", json.dumps(document, indent=1) + "\n")
        write_text(f"{given.out}.md", page(config.name, command, table, rows, given.past, machine))


def compared(config, past, epochs, folder):
    """A row of results for each number of epochs."""
    dataset, _ = ingest(config, os.path.join(folder, "data"))
    task = warm_task(dataset)
    cut = int(past * len(dataset.train))
    rows = np.arange(len(dataset.train))
    yesterday = dataclasses.replace(
        dataset, train=dataset.train.take(rows[:cut]), validation=dataset.train.take(rows[cut:])
    )
    state = os.path.join(folder, "training")

    def run(data, directory, served, **training):
        settings = dataclasses.replace(config.training, warm_start=True, patience=0, **training)
        started = time.perf_counter()
        trained = train(
            dataclasses.replace(config, training=settings),
            data,
            directory,
            cache=os.path.join(folder, "cache"),
            say=lambda line: print("   ", line) if line.startswith("starting") else None,
            served=served,
        )
        return trained, time.perf_counter() - started

    before, _ = run(yesterday, state, ())
    name = training_fingerprint(before.config, yesterday, before.encoders)
    found = []
    for count in epochs:
        cold, cold_seconds = run(dataset, os.path.join(folder, f"cold{count}"), (), epochs=count)
        # What was learned yesterday is left where it is: the names of both are needed.
        warm, warm_seconds = run(dataset, state, (name,), warm_epochs=count)
        values = [_ndcg(model_recommender(trained, dataset, task), task) for trained in (cold, warm)]
        row = {
            "epochs": count,
            "cold": float(values[0].mean()),
            "warm": float(values[1].mean()),
            "p_value": float(paired_p_values((values[1] - values[0])[:, np.newaxis])[0]),
            "users": len(task.users),
            "cold_seconds": cold_seconds,
            "warm_seconds": warm_seconds,
        }
        print(row, flush=True)
        found.append(row)
    return found


def _ndcg(recommender, task):
    lists = recommender.recommend(task.users, K, exclude=task.exclude, candidates=task.candidates, truth=task.truth)
    return user_metrics(lists, task.truth, [K])[f"ndcg@{K}"]


def page(name, command, table, rows, past, machine):
    return (
        "\n".join(
            [
                f"# Warm start: {name}",
                "",
                "```",
                command,
                "```",
                "",
                f"nDCG@{K} on the test part, {rows[0]['users']:,} users, one seed; p of a t-test paired by user.",
                "",
                *markdown_table(table),
                "",
                f"Yesterday's model saw the first {past:.0%} of the training events. Seconds are those of a whole",
                "training on cores that others worked on too; what is solved for takes its share in every one of them,",
                "however few the epochs.",
                "",
                "## Machine and versions",
                "",
                machine_sentence(machine),
            ]
        )
        + "\n"
    )


if __name__ == "__main__":
    main()
