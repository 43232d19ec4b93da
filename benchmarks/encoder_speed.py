"""Seconds to encode a catalogue's texts with MiniLM on the CPU, beside Sentence Transformers on PyTorch.

Same weights, texts, batch size and longest text. Both sort the texts by length and pad each batch to its longest text.
They run in turns, round after round, each in a process of its own; ratios are between turns of one round, those of
processor seconds of all threads are disturbed less by other work on the machine. With `--threads 1` they hardly are:
threads that wait for each other on a busy machine count as busy too.

    python benchmarks/encoder_speed.py --peer PYTHON [--texts 512] [--batch 32] [--rounds 5] [--threads 1] [--save]

where PYTHON is an interpreter with Sentence Transformers, best of a virtual environment of its own:

    python3.11 -m venv .venv-peer && .venv-peer/bin/pip install torch sentence-transformers

`make bench` finds it there. Without one only ours is measured. `--save` writes benchmarks/results/encoder-speed.json
and .md, or encoder-speed-2-threads and so on for more threads than one.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import os
import pathlib
import platform
import subprocess
import sys
import time

import numpy as np

WORKLOADS = {
    "titles, 4 to 12 words": (4, 12),
    "descriptions, 20 to 90 words": (20, 90),
    "mixed, 3 to 90 words": (3, 90),
}
MAX_LENGTH = 128
RESULTS = pathlib.Path(__file__).parent / "results"
OURS, THEIRS = "tfrec", "Sentence Transformers"

PEER = """
import json, sys, time
import sentence_transformers, torch
order = json.loads(sys.stdin.readline())
model = sentence_transformers.SentenceTransformer(order["folder"], device="cpu")
model.max_seq_length = order["length"]
versions = {"sentence-transformers": sentence_transformers.__version__, "torch": torch.__version__}
print(json.dumps({"threads": torch.get_num_threads(), "versions": versions}), flush=True)
for line in sys.stdin:
    texts = json.loads(line)
    started = time.perf_counter(), time.process_time()
    vectors = model.encode(texts, batch_size=order["batch"], show_progress_bar=False, normalize_embeddings=True)
    seconds = [time.perf_counter() - started[0], time.process_time() - started[1]]
    print(json.dumps({"seconds": seconds, "vectors": vectors[:20].tolist()}), flush=True)
"""


class Peer:
    """PyTorch in a process of its own, so that the two libraries' threads do not share one."""

    def __init__(self, python: str, folder: str, batch: int) -> None:
        self._process = subprocess.Popen(
            [python, "-c", PEER],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        self.about = self._ask({"folder": folder, "batch": batch, "length": MAX_LENGTH})

    def encode(self, texts: list[str]) -> tuple[list[float], np.ndarray]:
        """Wall-clock and processor seconds for all texts, and the vectors of the first twenty."""
        answer = self._ask(texts)
        return answer["seconds"], np.array(answer["vectors"])

    def _ask(self, message) -> dict:
        self._process.stdin.write(json.dumps(message) + "\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        if not answer:
            sys.exit("the peer's process ended; try its interpreter by hand with `import sentence_transformers`")
        return json.loads(answer)

    def close(self) -> None:
        self._process.stdin.close()
        self._process.wait()


def main(arguments: list[str] | None = None) -> None:
    """Measure, print the page, and write it with `--save`."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peer", default="", metavar="PYTHON", help="an interpreter with Sentence Transformers")
    parser.add_argument("--texts", type=int, default=512)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=0, help="of each library (default: as it chooses)")
    parser.add_argument("--save", action="store_true", help="write the results; only with a peer")
    given = parser.parse_args(arguments)
    if given.save and not given.peer:
        parser.error("--save writes ratios, so it needs --peer")
    if given.threads:  # Before TensorFlow is imported; the peer inherits it.
        names = ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")
        os.environ.update(dict.fromkeys(names, str(given.threads)))
    from tfrec.encoders.minilm import minilm_checkpoint
    from tfrec.encoders.text import TextEncoder

    encoder = TextEncoder({"max_length": MAX_LENGTH})
    peer = Peer(given.peer, minilm_checkpoint(), given.batch) if given.peer else None
    rows = {name: in_turns(encoder, peer, name, given) for name in WORKLOADS}
    if peer:
        peer.close()
    versions = {"Python": platform.python_version(), "tensorflow": importlib.metadata.version("tensorflow")}
    document = {
        "texts": given.texts,
        "batch": given.batch,
        "rounds": given.rounds,
        "threads": given.threads,
        "machine": f"{os.cpu_count()} cores ({platform.machine()}), load average {os.getloadavg()[0]:.1f} at the end",
        "versions": {**versions, **(peer.about["versions"] if peer else {})},
        "rows": rows,
    }
    print(page(document))
    if given.save:
        threads = "" if given.threads == 1 else f"-{given.threads or 'all'}-threads"
        path = RESULTS / f"encoder-speed{threads}.json"
        path.write_text(json.dumps(document, indent=1) + "\n")
        path.with_suffix(".md").write_text(page(document))


def in_turns(encoder, peer: Peer | None, name: str, given: argparse.Namespace) -> dict:
    """Wall-clock and processor seconds of each way, a pair per round; the first round warms up and is left out."""
    texts = made_texts(given.texts, *WORKLOADS[name])
    row: dict = {OURS: [], THEIRS: [], "apart": None}
    for number in range(given.rounds + 1):
        started = time.perf_counter(), time.process_time()
        vectors = encoder.encode_raw(texts, given.batch)
        row[OURS].append([time.perf_counter() - started[0], time.process_time() - started[1]])
        if peer:
            seconds, expected = peer.encode(texts)
            row[THEIRS].append(seconds)
            row["apart"] = float(np.max(1 - np.sum(vectors[: len(expected)] * expected, axis=1)))
        print(f"{name}, round {number}: {', '.join(f'{row[way][-1][0]:.2f} s' for way in (OURS, THEIRS) if row[way])}")
    return {way: values[1:] if way != "apart" else values for way, values in row.items()}


def page(document: dict) -> str:
    """The results as Markdown."""
    lines = [
        "# Encoding texts with MiniLM, beside Sentence Transformers",
        "",
        f"`python benchmarks/encoder_speed.py --peer PYTHON --texts {document['texts']} --batch {document['batch']} "
        f"--rounds {document['rounds']} --threads {document['threads']} --save`",
        "",
        f"{document['texts']} texts of random words, batches of {document['batch']}, at most {MAX_LENGTH} tokens, "
        f"{document['rounds']} rounds in turn; threads of each: {document['threads'] or 'its own choice'}. "
        "Smallest / median / largest; above 1 tfrec is faster. Vectors of both "
        "are the same but for rounding: `apart` is the largest 1 - cosine.",
        "",
        "| texts | tfrec, texts/s | times Sentence Transformers | in processor seconds | apart |",
        "|---|---|---|---|---|",
    ]
    for name, row in document["rows"].items():
        ours, theirs = np.array(row[OURS]), np.array(row[THEIRS])
        ratios = ["-", "-"] if not len(theirs) else [_range(theirs[:, kind] / ours[:, kind]) for kind in (0, 1)]
        apart = "-" if row["apart"] is None else f"{row['apart']:.1e}"
        lines.append(f"| {name} | {_range(document['texts'] / ours[:, 0], '.0f')} | {' | '.join(ratios)} | {apart} |")
    versions = ", ".join(f"{name} {version}" for name, version in document["versions"].items())
    return "\n".join([*lines, "", f"{document['machine']}. {versions}."]) + "\n"


def _range(values: np.ndarray, form: str = ".2f") -> str:
    return " / ".join(format(value, form) for value in (values.min(), np.median(values), values.max()))


def made_texts(count: int, fewest: int, most: int) -> list[str]:
    """Texts of random words of the vocabulary, as many words as drawn between `fewest` and `most`."""
    from tfrec.encoders.bert.checkpoint import read_checkpoint
    from tfrec.encoders.minilm import minilm_checkpoint

    vocabulary = read_checkpoint(minilm_checkpoint()).tokens.vocabulary
    words = [piece for piece in vocabulary if piece.isascii() and piece.isalpha() and len(piece) > 2]
    random = np.random.default_rng(7)
    return [" ".join(random.choice(words, random.integers(fewest, most + 1))) for _ in range(count)]


if __name__ == "__main__":
    main()
