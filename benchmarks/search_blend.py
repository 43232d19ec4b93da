"""How much the likeness of texts should count in search beside the learned space.

Known-item search: six words in a row are taken from a sentence of an item, and the item should come first. Printed are
the mean reciprocal rank and recall@10 for shares from 0 (learned space alone) to 1 (texts alone), on items seen in
training and on items that were held out of it. The share that ranks held-out items best is
`tfrec.export.servable.TEXT_SHARE`.

    python benchmarks/search_blend.py -c demo/lanternbox/tfrec.yaml --model demo/lanternbox/build/serving/lanternbox/1
"""

import numpy as np
from exported_model import exported_model

from tfrec.encoders.item_inputs import search_texts

import tensorflow as tf  # isort: skip

SHARES = (0.0, 0.3, 0.5, 0.7, 0.8, 0.9, 0.95, 1.0)
WORDS = 6
MOST = 600


def queries_of(texts: np.ndarray, generator: np.random.Generator) -> tuple[list[str], np.ndarray]:
    """Six words in a row of each text that is long enough, and the numbers of these texts."""
    queries, numbers = [], []
    for number, text in enumerate(texts):
        words = text.split()
        if len(words) > WORDS + 1:
            start = generator.integers(0, len(words) - WORDS + 1)
            queries.append(" ".join(words[start : start + WORDS]))
            numbers.append(number)
    return queries[:MOST], np.array(numbers[:MOST])


def main() -> None:
    config, dataset, servable = exported_model(__doc__)
    feature = config.schema.content("text")[0].name
    texts, owners = search_texts(dataset.catalogue, feature)
    vectors, text_vectors = servable.vectors, servable.module.texts.numpy().T
    held_out = np.isin(owners, dataset.held_out)
    print(f"{'items':10s} {'share':>6s} {'MRR':>7s} {'R@10':>7s}")
    for name, chosen in (("known", ~held_out), ("held out", held_out)):
        queries, numbers = queries_of(texts[chosen], np.random.default_rng(0))
        wanted = owners[chosen][numbers]
        encoded = [
            servable.module.towers.encode_text(tf.constant(queries[start : start + 64]))
            for start in range(0, len(queries), 64)
        ]
        learned = np.concatenate([part["embedding"].numpy() for part in encoded]) @ vectors.T
        likeness = np.concatenate([part["text"].numpy() for part in encoded]) @ text_vectors.T
        for share in SHARES:
            scores = (1 - share) * learned + share * likeness
            rank = 1 + (scores > scores[np.arange(len(wanted)), wanted][:, np.newaxis]).sum(axis=1)
            print(f"{name:10s} {share:6.2f} {np.mean(1 / rank):7.3f} {np.mean(rank <= 10):7.3f}")


if __name__ == "__main__":
    main()
