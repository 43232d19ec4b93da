"""The servable: towers, index and known users behind the signatures."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import tensorflow as tf

from tfrec.export.filters import AttributeFilters
from tfrec.export.known_users import KnownUsers
from tfrec.export.raw_features import string_table
from tfrec.export.reasons import ItemParts, reasons
from tfrec.export.request_shape import RequestShape
from tfrec.index.diversity import diversified
from tfrec.index.found import LOWEST
from tfrec.index.interface import Allowed, Index
from tfrec.index.listed import best_of_listed
from tfrec.request_inputs import ALLOW, DIVERSITY, EXCLUDE, HISTORY, ITEM_IDS, USER_ID

# How much the likeness of texts counts in search beside the learned space; the learned space finds items without text.
TEXT_SHARE = 0.9
# How much the user's taste moves the order of search results.
USER_SHARE = 0.2

# What a recommendation may be based on, from most to least. With the context or nothing it is of popular items.
BASED_ON = ("history", "features", "context", "popularity")


class Servable(tf.Module):
    """Recommends, searches, finds similar items and embeds new ones.

    Args:
        towers: `tfrec.export.towers.ServingTowers`, new or loaded.
        specs: raw inputs by name: `items` and `query`, see `tfrec.export.towers`.
        ids: the items' ids, str [N].
        index: their embeddings, float32 [N, D], to be searched; it says what K is.
        texts: their projected text vectors, float32 [N, P], zeros where there is no text; None without search.
        users: what is known of users.
        shape: what a request may hold.
        filters: the attributes that requests may filter by; None for none.
        parts: what the items' modalities add to their vectors; needed where the shape has reasons.
    """

    def __init__(
        self,
        towers,
        specs: Mapping[str, Mapping[str, tf.TensorSpec]],
        ids: np.ndarray,
        index: Index,
        texts: np.ndarray | None,
        users: KnownUsers,
        shape: RequestShape,
        filters: AttributeFilters | None = None,
        parts: ItemParts | None = None,
    ):
        super().__init__("servable")
        self.towers = towers
        self.users = users
        self.index = index
        self.shape = shape
        self.filters = filters
        self.parts = parts
        self.ids = tf.Variable(["", *ids], trainable=False, dtype=tf.string, name="item_ids")
        self.positions = string_table(list(ids), list(range(len(ids))), missing=-1)
        self.texts = (
            None if texts is None else tf.Variable(np.ascontiguousarray(texts.T), trainable=False, name="texts")
        )
        self._features = dict(specs["query"])
        self._query_inputs = {
            **shape.inputs(),
            **(filters.signature() if filters is not None else {}),
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
        if self.parts is not None:
            asked = {name: self._query_inputs[name] for name in (USER_ID, HISTORY, *self._features)}
            asked[ITEM_IDS] = tf.TensorSpec([None, self.shape.reasons], tf.string, name=ITEM_IDS)
            signatures["explain"] = tf.function(self._explain, autograph=False).get_concrete_function(**asked)
        if self.texts is not None:
            signatures["search"] = tf.function(self._search, autograph=False).get_concrete_function(**with_text)
        return signatures

    def _recommend(self, **inputs: tf.Tensor) -> dict[str, tf.Tensor]:
        queries, seen = self._query(inputs)
        found = self._best(
            inputs,
            seen,
            lambda allowed: self.index.recommend(queries, seen, allowed),
            lambda listed: tf.linalg.matvec(self.index.vectors_of(listed), queries),
        )
        return {**self._answer(*self._diversified(inputs, *found)), "based_on": self._based_on(inputs)}

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
        excluded = self._positions(inputs[EXCLUDE])
        found = self._best(
            inputs,
            excluded,
            lambda allowed: self.index.top_k(scores, excluded, allowed),
            lambda listed: tf.gather(scores, tf.maximum(listed, 0), batch_dims=1),
        )
        return self._answer(*self._diversified(inputs, *found))

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

    def _best(
        self,
        inputs: Mapping[str, tf.Tensor],
        excluded: tf.Tensor,
        of_all: Callable[[Allowed | None], tuple[tf.Tensor, tf.Tensor]],
        of_listed: Callable[[tf.Tensor], tf.Tensor],
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Positions int32 [B, K] and scores of the best items that the requests want.

        Args:
            excluded: positions int32 [B, X] that must not be found.
            of_all: finds the best of all that are allowed.
            of_listed: scores float32 [B, A] of items at positions int32 [B, A].
        """
        filtered = None if self.filters is None else self.filters.asked(inputs)
        if not self.shape.allow:
            return of_all(filtered)
        # A list of unknown items allows none.
        by_list = tf.reduce_any(tf.strings.length(inputs[ALLOW]) > 0, axis=1)
        listed = tf.sort(self._positions(inputs[ALLOW]), axis=1)
        scores = of_listed(listed)
        if filtered is not None:
            scores = tf.where(filtered.at(tf.maximum(listed, 0)), scores, LOWEST)
        few = best_of_listed(listed, scores, excluded, self.index.k)
        # Filters that leave little make a partitioned index look through everything, for lists to no purpose.
        many = of_all(None if filtered is None else filtered.lifted(by_list))
        by_list = by_list[:, tf.newaxis]
        return tf.where(by_list, few[0], many[0]), tf.where(by_list, few[1], many[1])

    def _diversified(
        self, inputs: Mapping[str, tf.Tensor], positions: tf.Tensor, scores: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        if not self.shape.diversity:
            return positions, scores
        return diversified(positions, scores, self.index.vectors_of(positions), inputs[DIVERSITY])

    def _explain(self, **inputs: tf.Tensor) -> dict[str, tf.Tensor]:
        assert self.parts is not None, "the signature is only made of a servable with parts"
        _, history, asked = self._asked(inputs)
        outputs = reasons(
            self.index,
            self._positions(inputs[ITEM_IDS]),
            self.towers.encode_query(*asked),
            self.towers.query_parts(*asked),
            self.parts,
        )
        batch = tf.shape(history)[0]
        outputs["history_ids"] = tf.gather(self.ids, history + 1)
        outputs["modality_names"] = tf.tile(self.parts.names[tf.newaxis], [batch, 1])
        if self._features:
            outputs["feature_names"] = tf.tile(tf.constant([list(self._features)]), [batch, 1])
        return outputs

    def _query(self, inputs: Mapping[str, tf.Tensor]) -> tuple[tf.Tensor, tf.Tensor]:
        """Queries float32 [B, D], and positions of what must not be recommended, int32 [B, X]."""
        rows, history, asked = self._asked(inputs)
        seen = tf.concat([history, self._positions(inputs[EXCLUDE]), self.users.seen(rows)], axis=1)
        return self.towers.encode_query(*asked), seen

    def _asked(self, inputs: Mapping[str, tf.Tensor]) -> tuple[tf.Tensor, tf.Tensor, tuple]:
        """Users' rows, positions of their histories int32 [B, H], and what the query tower takes."""
        rows, history = self._rows_and_history(inputs)
        raw = {name: inputs[name] for name in self._features}
        stored = {name: tf.gather(codes, rows) for name, codes in self.users.features.items()}
        mask = tf.cast(history >= 0, tf.float32)
        return rows, history, (self.index.vectors_of(history), mask, raw, stored)

    def _based_on(self, inputs: Mapping[str, tf.Tensor]) -> tf.Tensor:
        """The most that is known of each user, string [B]; see `BASED_ON`."""
        rows, history, (_, _, raw, stored) = self._asked(inputs)
        nothing = tf.zeros_like(rows, tf.bool)
        of_user = tf.reduce_any(
            [nothing]
            + [_given(value) for name, value in raw.items() if name in stored]
            + [tf.reduce_any(tf.reshape(codes, [tf.size(rows), -1]) != 0, axis=1) for codes in stored.values()],
            axis=0,
        )
        of_context = tf.reduce_any([nothing] + [_given(v) for name, v in raw.items() if name not in stored], axis=0)
        of_history = tf.reduce_any(history >= 0, axis=1)
        by_history, by_features, by_context, by_none = BASED_ON
        known = tf.where(of_user, by_features, tf.where(of_context, by_context, by_none))
        return tf.where(of_history, by_history, known)

    def _rows_and_history(self, inputs: Mapping[str, tf.Tensor]) -> tuple[tf.Tensor, tf.Tensor]:
        """Each user's row, and the history that counts: the request's own, or the stored one where it gives none."""
        rows = self.users.rows(inputs[USER_ID])
        given = self._positions(inputs[HISTORY])
        own = tf.reduce_any(tf.strings.length(inputs[HISTORY]) > 0, axis=1, keepdims=True)
        return rows, tf.where(own, given, tf.gather(self.users.history, rows))

    def _positions(self, item_ids: tf.Tensor) -> tf.Tensor:
        return tf.cast(self.positions.lookup(item_ids), tf.int32)

    def _answer(self, positions: tf.Tensor, scores: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"item_ids": tf.gather(self.ids, positions + 1), "scores": scores}


def _given(values: tf.Tensor) -> tf.Tensor:
    """Whether a raw feature is given, bool [B]."""
    if values.dtype == tf.float32:
        return tf.math.is_finite(values)
    there = tf.strings.length(values) > 0
    return there if there.shape.rank == 1 else tf.reduce_any(there, axis=1)
