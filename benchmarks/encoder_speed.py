"""Texts per second of the text encoder on the CPU, beside PyTorch with the same MiniLM, texts and batch size.

The peer does what Sentence Transformers does: texts sorted by length, each batch padded to its longest text. Both run
in turns, several times, and the fastest turn of each counts, because other work on the machine can only slow one down.

    python benchmarks/encoder_speed.py [--peer PYTHON]

where PYTHON is an interpreter that has torch and transformers; without one, only ours is measured.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time

import numpy as np

WORKLOADS = {"titles (4 to 12 words)": (4, 12), "descriptions (20 to 90 words)": (20, 90), "mixed": (3, 90)}
MAX_LENGTH = 128

PEER = """
import json, sys, time
import torch
from transformers import AutoTokenizer, BertModel
order = json.loads(sys.stdin.readline())
tokenizer = AutoTokenizer.from_pretrained(order["folder"])
model = BertModel.from_pretrained(order["folder"]).eval()

@torch.inference_mode()
def encode(texts):
    rows = sorted(range(len(texts)), key=lambda i: -len(texts[i]))
    vectors = [None] * len(texts)
    for start in range(0, len(rows), order["batch"]):
        batch = rows[start : start + order["batch"]]
        tokens = tokenizer(
            [texts[i] for i in batch], padding=True, truncation=True, max_length=order["length"], return_tensors="pt"
        )
        weights = tokens["attention_mask"][:, :, None].float()
        means = (model(**tokens).last_hidden_state * weights).sum(1) / weights.sum(1)
        for i, vector in zip(batch, torch.nn.functional.normalize(means, dim=1)):
            vectors[i] = vector
    return torch.stack(vectors)

print(json.dumps({"threads": torch.get_num_threads(), "version": torch.__version__}), flush=True)
for line in sys.stdin:
    texts = json.loads(line)
    started = time.perf_counter()
    vectors = encode(texts)
    seconds = time.perf_counter() - started
    print(json.dumps({"seconds": seconds, "vectors": vectors[:20].tolist()}), flush=True)
"""


class Peer:
    """PyTorch in a process of its own, so that the two libraries' threads do not share one."""

    def __init__(self, python: str, folder: str, batch: int) -> None:
        self._process = subprocess.Popen(
            [python, "-c", PEER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        self.about = self._ask({"folder": folder, "batch": batch, "length": MAX_LENGTH})

    def encode(self, texts: list[str]) -> tuple[float, np.ndarray]:
        """Seconds for all texts, and the vectors of the first twenty."""
        answer = self._ask(texts)
        return answer["seconds"], np.array(answer["vectors"])

    def _ask(self, message) -> dict:
        self._process.stdin.write(json.dumps(message) + "\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        if not answer:
            sys.exit("the peer's process ended; try its interpreter by hand with `import torch, transformers`")
        return json.loads(answer)

    def close(self) -> None:
        self._process.stdin.close()
        self._process.wait()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--peer", default=sys.executable, help="an interpreter with torch and transformers")
    parser.add_argument("--texts", type=int, default=512)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--turns", type=int, default=5)
    arguments = parser.parse_args()

    from tfrec.encoders.minilm import minilm_checkpoint
    from tfrec.encoders.text import TextEncoder

    encoder = TextEncoder({"max_length": MAX_LENGTH})
    has_peer = subprocess.run([arguments.peer, "-c", "import torch, transformers"], capture_output=True).returncode == 0
    peer = Peer(arguments.peer, minilm_checkpoint(), arguments.batch) if has_peer else None
    if peer:
        print(f"peer: PyTorch {peer.about['version']}, {peer.about['threads']} threads")
    else:
        print(f"peer left out: {arguments.peer} has no torch and transformers; give one that has with --peer")
    print(f"{arguments.texts} texts, batches of {arguments.batch}; texts per second")
    print(f"{'workload':32}{'ours':>8}{'PyTorch':>9}{'ratio':>7}{'1 - cosine':>12}")
    for name, (fewest, most) in WORKLOADS.items():
        texts = made_texts(arguments.texts, fewest, most)
        ours, theirs = [], []
        encoder.encode_raw(texts[:64], arguments.batch)
        for _ in range(arguments.turns):
            started = time.perf_counter()
            vectors = encoder.encode_raw(texts, arguments.batch)
            ours.append(time.perf_counter() - started)
            if peer:
                seconds, expected = peer.encode(texts)
                theirs.append(seconds)
        line = f"{name:32}{len(texts) / min(ours):8.0f}"
        if peer:
            apart = 1 - np.sum(vectors[: len(expected)] * expected, axis=1)
            line += f"{len(texts) / min(theirs):9.0f}{min(theirs) / min(ours):7.2f}{np.max(apart):12.1e}"
        print(line)
    if peer:
        peer.close()


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
