"""A servable loaded again, to be evaluated, asked in batches or grown: what is judged is what is served."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import tensorflow as tf

from tfrec.data.tables import Users
from tfrec.errors import ServableError
from tfrec.export.absent import absent
from tfrec.export.manifest import read_items, read_manifest
from tfrec.export.request_shape import shape_of
from tfrec.index.stored import stored_vectors
from tfrec.request_inputs import is_feature

BATCH = 256


class LoadedServable:
    """A SavedModel of tfrec, loaded from the folder of one version.

    Attributes:
        directory: where it was loaded from.
        manifest: its manifest.
        ids, titles: its items, in the order of the index.
        vectors: their embeddings, float32 [N, D].
        shape: what a request may hold; k: K.

    Raises:
        ServableError: if the folder holds no servable.
    """

    def __init__(self, directory: str):
        self.directory = directory
        self.manifest = read_manifest(directory)
        import tensorflow_text  # noqa: F401  registers the ops of the text encoder

        try:
            self.module = tf.saved_model.load(directory)
        except (OSError, tf.errors.OpError, ValueError) as error:
            raise ServableError(
                f"the model in {directory} cannot be loaded: {' '.join(str(error).split())[:300]}"
            ) from error
        ids, titles = read_items(directory)
        self.ids, self.titles = np.array(ids, dtype=object), np.array(titles, dtype=object)
        self.vectors = stored_vectors(self.module.index)
        self.shape, self.k = shape_of(self.manifest["serving"]), self.manifest["serving"]["k"]

    @property
    def signatures(self) -> Mapping[str, tf.types.experimental.ConcreteFunction]:
        """The exported signatures by name."""
        return self.module.signatures

    def recommend(
        self, user_ids: np.ndarray, k: int, features: Mapping[str, np.ndarray] | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Recommendations for known users, or for unknown ones by their features.

        Args:
            user_ids: str [B].
            k: how many, at most K.
            features: raw user features and context by name; what is left out is absent.

        Returns:
            Item ids, object array of str [B, k], "" where there are fewer, and scores, float32 [B, k].
        """
        if not 0 < k <= self.k:
            raise ServableError(
                f"k is {k}, but this model was exported for 1 to {self.k}; export it with a larger serving.k"
            )
        found_ids, found_scores = [], []
        for start in range(0, len(user_ids), BATCH):
            rows = slice(start, start + BATCH)
            given = {name: values[rows] for name, values in (features or {}).items()}
            answer = self.signatures["serving_default"](**self._request(user_ids[rows], given))
            found_ids.append(answer["item_ids"].numpy()[:, :k])
            found_scores.append(answer["scores"].numpy()[:, :k])
        if not found_ids:
            return np.zeros((0, k), object), np.zeros((0, k), np.float32)
        ids = np.concatenate(found_ids)
        return np.array([item.decode() for item in ids.ravel()], dtype=object).reshape(ids.shape), np.concatenate(
            found_scores
        )

    def queries(self, history: np.ndarray, users: Users, rows: np.ndarray) -> np.ndarray:
        """Queries, float32 [B, D], from histories int32 [B, H] (positions, -1 for none) and the features of users.

        Args:
            history: positions in this servable's index.
            users: the users table; `rows` int [B] are theirs.
        """
        queries = []
        nobody = {name: np.zeros((1, *codes.shape[1:]), codes.dtype) for name, codes in self._stored().items()}
        for start in range(0, len(rows), BATCH):
            part = slice(start, start + BATCH)
            taken = history[part]
            raw = self._request(np.full(len(taken), "", object), {n: c[rows[part]] for n, c in users.columns.items()})
            raw = {name: values for name, values in raw.items() if is_feature(name)}
            queries.append(
                self.module.towers.encode_query(
                    tf.constant(self.vectors[np.maximum(taken, 0)]),
                    tf.constant((taken >= 0).astype(np.float32)),
                    raw,
                    {name: tf.constant(np.repeat(codes, len(taken), axis=0)) for name, codes in nobody.items()},
                ).numpy()
            )
        return np.concatenate(queries) if queries else np.zeros((0, self.vectors.shape[1]), np.float32)

    def _stored(self) -> dict[str, np.ndarray]:
        return {name: codes.numpy()[:1] for name, codes in self.module.users.features.items()}

    def _request(self, user_ids: np.ndarray, features: Mapping[str, np.ndarray]) -> dict[str, tf.Tensor]:
        inputs = {}
        for name, spec in self.signatures["serving_default"].structured_input_signature[1].items():
            shape = [len(user_ids), *spec.shape[1:]]
            if name == "user_id":
                inputs[name] = tf.constant(list(user_ids), tf.string, shape=[len(user_ids)])
            elif name in features:
                inputs[name] = tf.constant(_padded(features[name], spec), spec.dtype, shape=shape)
            else:
                inputs[name] = absent(spec, len(user_ids))
        return inputs


def _padded(values: np.ndarray, spec: tf.TensorSpec) -> list:
    if spec.shape.rank == 2:
        width = spec.shape[1]
        return [(list(row) + [""] * width)[:width] for row in values]
    return list(values)
