"""All that the item tower reads of a catalogue, as arrays: coded attributes, vectors or prepared content, presence."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Mapping

import numpy as np
import tensorflow as tf

from tfrec.data.tables import Catalogue
from tfrec.data.vocabulary import FeatureSpace
from tfrec.encoders.base import Encoder
from tfrec.encoders.by_length import without_padding
from tfrec.encoders.cache import encode_column, prepare_column, text_digests
from tfrec.schema import Schema

SENTENCES_PER_ITEM = 3
# Bytes of what the frozen layers of a partly trained encoder give of a catalogue; of more, they run in every step.
MOST_OF_FROZEN_PARTS = 4 * 2**30
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+")


@dataclasses.dataclass(frozen=True)
class ItemInputs:
    """Inputs of the item tower for a whole catalogue of N items.

    Attributes:
        arrays: by input name, arrays of first dimension N as `ItemTower.call` takes them; `id` is 0 for an item that
            has no id vector.
        search_text: texts of items as free-text queries, encoded or prepared like the searched text feature, [S, ...];
            None where the catalogue has no text.
        search_owner: int32 [S], the item each text belongs to, ascending.
    """

    arrays: Mapping[str, np.ndarray]
    search_text: np.ndarray | None
    search_owner: np.ndarray

    def __len__(self) -> int:
        return len(self.arrays["id"])

    def take(self, positions: np.ndarray) -> dict[str, np.ndarray]:
        """The inputs of the items at `positions` int [U]."""
        return {name: array[positions] for name, array in self.arrays.items()}


def encoded(inputs: ItemInputs, encoders: Mapping[str, Encoder], search_feature: str = "") -> ItemInputs:
    """The same inputs with every trained encoder's content replaced by the vectors the encoder gives it now."""
    arrays = dict(inputs.arrays)
    trained = {name: encoder for name, encoder in encoders.items() if not encoder.frozen}
    for name, encoder in trained.items():
        arrays[name] = _vectors(encoder, arrays[name])
    search_text = inputs.search_text
    if search_feature in trained and search_text is not None:
        search_text = _vectors(trained[search_feature], search_text)
    return ItemInputs(arrays, search_text, inputs.search_owner)


def _vectors(encoder: Encoder, content: np.ndarray, batch: int = 64) -> np.ndarray:
    """What `encoder` gives for prepared content [N, ...], float32 [N, dimension], in batches of one shape."""
    encode = tf.function(lambda part: tf.cast(encoder(part, training=False), tf.float32), autograph=False)
    rows = []
    for start in range(0, len(content), batch):
        index = np.minimum(np.arange(start, start + batch), len(content) - 1)
        rows.append(encode(tf.constant(content[index])).numpy()[: len(content) - start])
    return np.concatenate(rows) if rows else np.zeros((0, encoder.dimension), np.float32)


def item_inputs(
    schema: Schema,
    catalogue: Catalogue,
    feature_space: FeatureSpace,
    encoders: Mapping[str, Encoder],
    known: np.ndarray,
    cache: str,
    search_feature: str = "",
    progress: Callable[[str, int, int], None] | None = None,
) -> ItemInputs:
    """Encode or prepare a catalogue.

    What a frozen encoder gives is computed once and cached by content, and so is what the frozen layers of one give of
    which only the top layers are trained; what other trained encoders need is prepared.

    Args:
        schema, catalogue, feature_space: what to encode and how its attributes are coded.
        encoders: the encoder of each content feature.
        known: bool [N], whether an item was seen in training and has an id vector of its own.
        cache: folder of the embedding cache, and of prepared content that is too large for memory.
        search_feature: the text feature whose texts serve as free-text queries in training, or "".
        progress: called with (what, done, total).
    """
    codes = np.zeros(len(catalogue), np.int32)
    codes[known] = np.arange(1, int(known.sum()) + 1)
    arrays: dict[str, np.ndarray] = {"id": codes, **feature_space.encode_items(catalogue)}
    for feature in schema.content():
        encoder = encoders[feature.name]
        if feature.modality == "text":
            texts = catalogue.columns[feature.name]
            arrays[feature.name] = _encoded_texts(encoder, texts, cache, _told(progress, feature.name))
            arrays[f"{feature.name}.present"] = texts != ""
        else:
            media = catalogue.media[feature.name]
            if encoder.frozen:
                content = encode_column(encoder, media, media.digests, cache, _told(progress, feature.name))
            else:
                content = prepare_column(encoder, media, cache)
            arrays[feature.name] = content
            arrays[f"{feature.name}.present"] = media.present
    if not search_feature:
        return ItemInputs(arrays, None, np.zeros(0, np.int32))
    texts, owners = search_texts(catalogue, search_feature)
    if not len(texts):
        return ItemInputs(arrays, None, owners)
    encoded = _encoded_texts(encoders[search_feature], texts, cache, _told(progress, "search texts"))
    return ItemInputs(arrays, encoded, owners)


def search_texts(catalogue: Catalogue, feature: str) -> tuple[np.ndarray, np.ndarray]:
    """Texts a person might search an item by: its title and its first sentences, each once.

    Returns:
        The texts, object array of str [S], and their items, int32 [S], ascending.
    """
    texts: list[str] = []
    owners: list[int] = []
    for position, (title, text) in enumerate(zip(catalogue.titles, catalogue.columns[feature])):
        variants = dict.fromkeys([title.strip(), *_SENTENCE_END.split(text)[:SENTENCES_PER_ITEM]])
        chosen = [variant.rstrip(".") for variant in variants if variant.strip()]
        texts.extend(chosen)
        owners.extend([position] * len(chosen))
    return np.array(texts, dtype=object), np.array(owners, np.int32)


def _encoded_texts(encoder: Encoder, texts: np.ndarray, cache: str, progress) -> np.ndarray:
    raw = (text.encode() for text in texts)
    part = encoder if encoder.frozen else encoder.frozen_part()
    if part and (encoder.frozen or _size(part, len(texts)) <= MOST_OF_FROZEN_PARTS):
        return encode_column(part, raw, text_digests(texts), cache, progress)
    # Every step would compute on the places that no text of the catalogue fills.
    return without_padding(prepare_column(encoder, raw, cache))


def _size(part: Encoder, count: int) -> int:
    return count * part.dimension * np.dtype(part.cached_as).itemsize


def _told(progress: Callable[[str, int, int], None] | None, what: str) -> Callable[[int, int], None] | None:
    return None if progress is None else lambda done, total: progress(what, done, total)
