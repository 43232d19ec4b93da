"""The servable: towers, index and known users behind the four signatures."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import tensorflow as tf

from tfrec.export.known_users import KnownUsers
from tfrec.export.raw_features import string_table
from tfrec.index.interface import Index

# How much the likeness of texts counts in search beside the learned space; the learned space finds items without text.
TEXT_SHARE = 0.9
# How much the user's taste moves the order of search results.
USER_SHARE = 0.2


class Servable(tf.Module):
    """Recommends, searches, finds similar items and embeds new ones.

    Args:
        towers: `tfrec.export.towers.ServingTowers`, new or loaded.
        specs: raw inputs by name: `items` and `query`, see `tfrec.export.towers`.
        ids: the items' ids, str [N].
        index: their embeddings, float32 [N, D], to be searched.
        texts: their projected text vectors, float32 [N, P], zeros where there is no text; None without search.
        users: what is known of users.
        history, exclude: H and E; K is that of the index.
    """

    def __init__(
        self,
        towers,
        specs: Mapping[str, Mapping[str, tf.TensorSpec]],
        ids: np.ndarray,
        index: Index,
        texts: np.ndarray | None,
        users: KnownUsers,
        history: int,
        exclude: int,
    ):
        super().__init__("servable")
        self.towers = towers
        self.users = users
        self.index = index
        self.ids = tf.Variable(["", *ids], trainable=False, dtype=tf.string, name="item_ids")
        self.positions = string_table(list(ids), list(range(len(ids))), missing=-1)
        self.texts = (
            None if texts is None else tf.Variable(np.ascontiguousarray(texts.T), trainable=False, name="texts")
        )
        self._query_inputs = {
            "user_id": tf.TensorSpec([None], tf.string, name="user_id"),
            "history": tf.TensorSpec([None, history], tf.string, name="history"),
            "exclude": tf.TensorSpec([None, exclude], tf.string, name="exclude"),
            **specs["query"],
        }
        self._item_inputs = dict(specs["items"])

    def signatures(self) -> dict[str, tf.types.experimental.ConcreteFunction]:
        """The concrete functions to export, by signature name."""
        with_text = {"query": tf.TensorSpec([None], tf.string, name="query"), **self._query_inputs}
        signatures = {
            "serving_default": tf.function(self._recommend, autograph=False).get_concrete_function(
                **self._query_inputs
            ),
            "similar_items": tf.function(self._similar, autograph=False).get_concrete_function(
                item_id=tf.TensorSpec([None], tf.string, name="item_id")
            ),
        }
        if self._item_inputs:
            signatures["embed_items"] = tf.function(self._embed, autograph=False).get_concrete_function(
                **self._item_inputs
            )
        if self.texts is not None:
            signatures["search"] = tf.function(self._search, autograph=False).get_concrete_function(**with_text)
        return signatures

    def _recommend(self, **inputs: tf.Tensor) -> dict[str, tf.Tensor]:
        queries, seen = self._query(inputs)
        return self._answer(*self.index.recommend(queries, seen))

    def _search(self, *, query: tf.Tensor, **inputs: tf.Tensor) -> dict[str, tf.Tensor]:
        # Exact with any index: what is best by the sum of three scores in two spaces, no one partition brings together.
        text = self.towers.encode_text(query)
        scores = (1 - TEXT_SHARE) * self.index.cosines(text["embedding"])
        scores += TEXT_SHARE * tf.matmul(text["text"], self.texts)
        taste, _ = self._query(inputs)
        rows, history = self._rows_and_history(inputs)
        known = tf.logical_or(rows > 0, tf.reduce_any(history >= 0, axis=1))
        scores += USER_SHARE * tf.cast(known, tf.float32)[:, tf.newaxis] * self.index.cosines(taste)
        # A search may find what the user has touched; only what the request excludes is left out.
        return self._answer(*self.index.top_k(scores, self._positions(inputs["exclude"])))

    def _similar(self, *, item_id: tf.Tensor) -> dict[str, tf.Tensor]:
        position = self._positions(item_id)
        # Exact with any index: blocks are cut by length, which cosines leave out.
        cosines = self.index.cosines(self.index.vectors_of(position))
        answer = self._answer(*self.index.top_k(cosines, position[:, tf.newaxis]))
        known = (position >= 0)[:, tf.newaxis]
        return {
            "item_ids": tf.where(known, answer["item_ids"], ""),
            "scores": tf.where(known, answer["scores"], 0.0),
        }

    def _embed(self, **inputs: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"embedding": self.towers.embed_items(inputs)["embedding"]}

    def _query(self, inputs: Mapping[str, tf.Tensor]) -> tuple[tf.Tensor, tf.Tensor]:
        """Queries float32 [B, D], and positions of what must not be recommended, int32 [B, X]."""
        rows, history = self._rows_and_history(inputs)
        raw = {name: inputs[name] for name in inputs if name not in ("user_id", "history", "exclude")}
        stored = {name: tf.gather(codes, rows) for name, codes in self.users.features.items()}
        mask = tf.cast(history >= 0, tf.float32)
        queries = self.towers.encode_query(self.index.vectors_of(history), mask, raw, stored)
        seen = tf.concat([history, self._positions(inputs["exclude"]), self.users.seen(rows)], axis=1)
        return queries, seen

    def _rows_and_history(self, inputs: Mapping[str, tf.Tensor]) -> tuple[tf.Tensor, tf.Tensor]:
        """Each user's row, and the history that counts: the request's own, or the stored one where it gives none."""
        rows = self.users.rows(inputs["user_id"])
        given = self._positions(inputs["history"])
        own = tf.reduce_any(tf.strings.length(inputs["history"]) > 0, axis=1, keepdims=True)
        return rows, tf.where(own, given, tf.gather(self.users.history, rows))

    def _positions(self, item_ids: tf.Tensor) -> tf.Tensor:
        return tf.cast(self.positions.lookup(item_ids), tf.int32)

    def _answer(self, positions: tf.Tensor, scores: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"item_ids": tf.gather(self.ids, positions + 1), "scores": scores}
