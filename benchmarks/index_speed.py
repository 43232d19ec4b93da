"""Recall and throughput of the partitioned index beside exact search in TensorFlow and beside ScaNN.

The vectors are made up from a fixed seed: topics of uneven size, a few dimensions that carry most, and lengths that
vary as those of popular and rare items do. A query is the mean of up to 20 items of up to 3 topics, and noise. Our
index is made of a sample of queries as an export makes it, ScaNN takes the fastest of the settings that are tried which
has the recall on that sample; other queries measure recall and time. Ours and exact search run from SavedModels. All
run in turns in one process, round after round; ratios are of the two times in one round.

    python benchmarks/index_speed.py [--items 100000 1000000] [--width 64] [--rounds 15] [--save]
    python benchmarks/index_speed.py --model build/serving/films/1 --name films [--save]

ScaNN is optional: `pip install --no-deps scann==1.3.2` beside TensorFlow 2.16. `--save` writes benchmarks/results/.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import os
import pathlib
import platform
import tempfile
import time
from collections.abc import Callable, Iterator

import numpy as np
from index_page import page
from scipy import sparse

from tfrec.speed.measured import spread
from tfrec.speed.vectors import made_up

K = 100
RECALLS = (0.8, 0.9, 0.95, 0.98)
QUERIES, OTHERS = 2000, 640
ADDED = (250, 1000, 4000)
BATCHES = {"one query": (1, 20), "batches of 32": (32, 4)}  # Queries at once, and calls in a round.
RESULTS = pathlib.Path(__file__).parent / "results"


def of_model(folder: str) -> tuple[np.ndarray, np.ndarray]:
    """The vectors of an exported model's items, float32 [N, D], and queries of its users, float32 [Q, D]."""
    from tfrec.export.add_items import query_specs
    from tfrec.export.loaded import LoadedServable
    from tfrec.export.user_queries import user_queries

    servable = LoadedServable(folder)
    module, specs, most = servable.module, query_specs(servable), QUERIES + OTHERS
    return servable.vectors, user_queries(module.towers, module.users, specs, servable.vectors, most, seed=0)[0]


def served(index, width: int) -> Callable[[np.ndarray], np.ndarray]:
    """The index saved as a model and loaded again: queries [B, D] to positions [B, k]."""
    import tensorflow as tf

    module = tf.Module()
    module.index = index
    module.run = tf.function(
        lambda queries, excluded: dict(zip(("positions", "scores"), index.recommend(queries, excluded))),
        input_signature=[
            tf.TensorSpec([None, width], tf.float32, name="queries"),
            tf.TensorSpec([None, None], tf.int32, name="excluded"),
        ],
        autograph=False,
    )
    with tempfile.TemporaryDirectory() as folder:
        tf.saved_model.save(module, folder, signatures={"serving_default": module.run})
        loaded = tf.saved_model.load(folder)
    run = loaded.signatures["serving_default"]

    nothing = {batch: tf.fill([batch, K], -1) for batch in range(1, 33)}  # As many places as requests have.

    def ask(queries: np.ndarray) -> np.ndarray:
        return run(queries=tf.constant(queries), excluded=nothing[len(queries)])["positions"].numpy()

    ask.loaded = loaded  # type: ignore[attr-defined]  # Its variables live as long as the function.
    return ask


def recall(ask: Callable[[np.ndarray], np.ndarray], queries: np.ndarray, truth: np.ndarray) -> float:
    """The mean share of the true positions int [Q, k] that are found."""
    found = np.concatenate([ask(queries[start : start + 32]) for start in range(0, len(queries), 32)])
    return float(np.mean([len(np.intersect1d(row, true)) / len(true) for row, true in zip(found, truth)]))


def scann_askers(vectors: np.ndarray, queries: np.ndarray, truth: np.ndarray) -> tuple[dict, float]:
    """For each recall the fastest setting of ScaNN that reaches it on these queries, and the seconds to build it."""
    import scann

    started = time.perf_counter()
    builder = scann.scann_ops_pybind.builder(vectors, K, "dot_product")
    leaves = int(2 * len(vectors) ** 0.5)
    if len(vectors) >= 20_000:
        builder = builder.tree(leaves, leaves // 20, training_sample_size=min(len(vectors), 250_000))
    searcher = builder.score_ah(2, anisotropic_quantization_threshold=0.2).reorder(K).build()
    built = time.perf_counter() - started

    def setting(probed: int | None, reordered: int) -> Callable[[np.ndarray], np.ndarray]:
        settings = {"pre_reorder_num_neighbors": reordered, "leaves_to_search": probed}

        def ask(asked: np.ndarray) -> np.ndarray:
            if len(asked) == 1:
                return searcher.search(asked[0], **settings)[0][np.newaxis]
            return searcher.search_batched_parallel(asked, **settings)[0]

        ask.settings = settings  # type: ignore[attr-defined]
        return ask

    tried = []
    shares = (0.02, 0.05, 0.1, 0.2, 0.4) if len(vectors) >= 20_000 else (None,)
    for share in shares:
        for reordered in (200, 400, 800, 1600, 3200, 6400):
            ask = setting(None if share is None else max(1, int(share * leaves)), min(reordered, len(vectors)))
            reached = recall(ask, queries, truth)
            times = [_seconds(ask, queries[:32]) for _ in range(5)]
            tried.append((float(np.median(times)), reached, ask))
    fastest = {}
    for asked in RECALLS:
        enough = [(seconds, number) for number, (seconds, reached, _) in enumerate(tried) if reached >= asked]
        if enough:
            fastest[asked] = tried[min(enough)[1]][2]
    return fastest, built


def measure(vectors: np.ndarray, queries: np.ndarray, rounds: int) -> dict:
    """One row of the table: curve, ratios and the times to make and to grow the index.

    Args:
        vectors: float32 [N, D].
        queries: float32 [Q, D]; the last `OTHERS` measure, at most a third of them, and the first choose.
        rounds: of the time measurement.
    """
    from tfrec.evaluation.topk import top_k
    from tfrec.index.exact import ExactIndex
    from tfrec.index.making import Asked, index_for, partitioned_index, with_partition
    from tfrec.index.stored import stored_partition

    items, width = vectors.shape
    chosen = len(queries) - min(OTHERS, len(queries) // 3)
    sample, others = queries[:chosen], queries[chosen:]
    nothing = sparse.csr_matrix((chosen, items), dtype=bool)
    sample_truth, truth = (top_k(part, vectors, K).positions for part in (sample[: chosen // 2], others))
    started = time.perf_counter()
    made = partitioned_index(vectors, Asked(sample, nothing, K, 0.95), seed=0)
    seconds = time.perf_counter() - started
    partition = stored_partition(made[0])
    asked: dict[str, Callable[[np.ndarray], np.ndarray]] = {"exact": served(ExactIndex(vectors, K), width)}
    settings: dict[str, dict] = {}
    for share in RECALLS:
        asked_of = Asked(sample, nothing, K, share)
        index, record = made if share == 0.95 else with_partition(vectors, partition, 1, 0.0, asked_of)
        settings[f"ours {share}"] = record
        asked[f"ours {share}"] = served(index, width)
    built = None
    try:
        peers, built = scann_askers(vectors, sample[: chosen // 2], sample_truth)
    except ImportError:
        print("scann is not installed, so only exact search is the peer; pip install --no-deps scann==1.3.2")
        peers = {}
    for share, ask in peers.items():
        asked[f"scann {share}"] = ask
        settings[f"scann {share}"] = ask.settings
    row = {
        "items": items,
        "auto": index_for(vectors, "auto", Asked(sample, nothing, K, 0.95), seed=0)[1]["kind"],
        "width": width,
        "directions": len(partition.centres),
        "choose_seconds": seconds,
        "scann_build_seconds": built,
        "grow": grow(vectors, partition),
        "settings": settings,
        "recall": {name: recall(ask, others, truth) for name, ask in asked.items()},
        "milliseconds": {},
        "ratios": {},
    }
    for name, (batch, calls) in BATCHES.items():
        times = in_turns(asked, others, batch, calls, rounds)
        row["milliseconds"][name] = {key: 1e3 * float(np.median(value)) for key, value in times.items()}
        row["ratios"][name] = {
            f"{one} over {other}": spread(times[other] / times[one])
            for share in RECALLS
            for one, other in ((f"ours {share}", "exact"), (f"ours {share}", f"scann {share}"))
            if other in times
        }
    return row


def grow(vectors: np.ndarray, partition) -> dict[str, float]:
    """Seconds to let the last vectors join the partition of the others, as many as `ADDED`, and to make one of all.

    The first is what adding items does to an index; its vectors are copied then, as they are at every export.
    """
    from tfrec.index.growth import grown
    from tfrec.index.kmeans import nearest_centres, spherical_centres
    from tfrec.index.partition import cut, cut_by
    from tfrec.index.partitioned import promises, renewed

    rows = partition.items.shape[1]
    direction_of = nearest_centres(vectors, partition.centres)
    seconds = {}
    for count in ADDED:
        old = len(vectors) - count
        before = cut_by(vectors[:old], partition.centres, direction_of[:old], rows)
        promise = promises(vectors[:old], before, 1.0)
        started = time.perf_counter()
        after, changed = grown(vectors, before, np.arange(old, len(vectors)))
        renewed(promise, vectors, after, 1.0, changed)
        seconds[f"{count}"] = time.perf_counter() - started
    started = time.perf_counter()
    centres = spherical_centres(vectors, len(partition.centres), seed=0)
    promises(vectors, cut(vectors, centres, rows), 1.0)
    return {**seconds, "rebuild": time.perf_counter() - started}


def in_turns(asked: dict, queries: np.ndarray, batch: int, calls: int, rounds: int) -> dict[str, np.ndarray]:
    """Seconds per call of each, [rounds]: in a round each answers the same queries, one after the other."""
    times: dict[str, list[float]] = {name: [] for name in asked}
    for number in range(-1, rounds):  # The first round warms up.
        parts = [queries[(number * calls + call) * batch % len(queries) :][:batch] for call in range(calls)]
        for name, ask in asked.items():
            taken = np.median([_seconds(ask, part) for part in parts])
            if number >= 0:
                times[name].append(float(taken))
    return {name: np.array(values) for name, values in times.items()}


def _seconds(ask: Callable[[np.ndarray], np.ndarray], queries: np.ndarray) -> float:
    started = time.perf_counter()
    ask(queries)
    return time.perf_counter() - started


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "none"


def main(arguments: list[str] | None = None) -> None:
    """Measure the sizes that are asked for, print the page, and write it with `--save`."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--items", type=int, nargs="+", default=[10_000, 100_000, 1_000_000])
    parser.add_argument("--width", type=int, nargs="+", default=[32, 64, 128])
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--model", default="", metavar="DIR", help="the vectors of an exported version instead")
    parser.add_argument("--name", default="a model", help="what its row is called (default: a model)")
    parser.add_argument("--save", action="store_true", help="write the results; other rows are kept")
    given = parser.parse_args(arguments)
    import tfrec  # noqa: F401  sets up Keras before TensorFlow is imported

    path = RESULTS / "index.json"
    stored = json.loads(path.read_text())["rows"] if given.save and path.exists() else []
    rows = {(row["source"], row["items"], row["width"]): row for row in stored}
    about = {
        "machine": f"{os.cpu_count()} cores, {_processor()}",
        "versions": {
            "Python": platform.python_version(),
            **{name: _version(name) for name in ("tensorflow", "scann", "numpy")},
        },
        "k": K,
    }
    for source, vectors, queries in _asked_for(given):
        key = (source, *vectors.shape)
        print(f"{source}: {len(vectors):,} x {vectors.shape[1]}", flush=True)
        measured = measure(vectors, queries, given.rounds)
        row = {"source": source, "machine": about["machine"], "rounds": given.rounds, **measured}
        print(page({**about, "rows": [row]}))
        if key in rows and _has_peer(rows[key]) and not _has_peer(row):
            print("not saved, since the row on record has ScaNN's columns too; install ScaNN to replace it")
        elif given.save:
            rows[key] = row
            document = {**about, "rows": [rows[key] for key in sorted(rows)]}
            path.write_text(json.dumps(document, indent=1) + "\n")
            path.with_suffix(".md").write_text(page(document))


def _has_peer(row: dict) -> bool:
    return row["scann_build_seconds"] is not None


def _asked_for(given: argparse.Namespace) -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
    """What the vectors are, vectors float32 [N, D] and queries float32 [Q, D] of each row."""
    if given.model:
        yield given.name, *of_model(given.model)
        return
    for items in given.items:
        for width in given.width:
            yield "made up", *made_up(items, width, QUERIES + OTHERS)


def _processor() -> str:
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        names = [line.split(":", 1)[1].strip() for line in file if line.startswith("model name")]
    return names[0] if names else platform.processor()


if __name__ == "__main__":
    main()
