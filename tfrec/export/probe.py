"""A probe: raw requests and what the trained model answers to them, kept beside the servable it must agree with.

What is compared takes two ways. The trained model answers from the arrays of training: codes made by the feature space,
content prepared or encoded and cached before training. The servable answers from the raw strings, numbers and bytes of
the same items and users. Any difference between the two ways is skew between training and serving.

No user can be made out in it: its histories are of items drawn at random, its features drawn from all users one by one.
"""

from __future__ import annotations

import base64
import dataclasses
import json
import math
import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from tfrec.alarms.alarm import Alarm
from tfrec.alarms.skew import answer_skew, partial_answer_skew, vector_skew
from tfrec.export.absent import absent
from tfrec.export.manifest import EXTRA

FILE = "tfrec_probe.json"
TOLERANCE = 1e-3
# Matrix products in bfloat16 keep 8 bits, and their order differs between a batch of training and one of serving.
TOLERANCE_IN_BFLOAT16 = 2e-2


@dataclasses.dataclass(frozen=True)
class Probe:
    """Requests and expected answers.

    Attributes:
        requests: by signature, raw inputs by name: lists of str, bytes, float (None where absent), or lists of str.
        embedding: float32 [I, D], what `embed_items` must give; None where items are known by their ids only.
        ids, scores: str and float32 [Q, K], what `serving_default` must give.
        tolerance: largest difference allowed, as a share of the largest vector or score.
        recall: the share of the K best that the servable's index finds; all of them if it is exact.
    """

    requests: Mapping[str, Mapping[str, Sequence[Any]]]
    embedding: np.ndarray | None
    ids: np.ndarray
    scores: np.ndarray
    tolerance: float
    recall: float = 1.0

    def alarms(self, signatures: Mapping[str, Any]) -> list[Alarm]:
        """Ask the signatures of a loaded servable, and tell where they answer otherwise."""
        found = []
        if self.embedding is not None:
            served = self._asked(signatures, "embed_items")["embedding"].numpy()
            found.append(vector_skew("embed_items", served, self.embedding, self.tolerance))
        answer = self._asked(signatures, "serving_default")
        given = answer["item_ids"].numpy()
        ids = np.array([item.decode() for item in given.ravel()], object).reshape(given.shape)
        scores = answer["scores"].numpy()
        if self.recall < 1:
            found.append(
                partial_answer_skew(
                    "serving_default", ids, scores, self.ids, self.scores, self.tolerance, self.recall / 2
                )
            )
        else:
            found.append(answer_skew("serving_default", ids, scores, self.ids, self.scores, self.tolerance))
        return [alarm for alarm in found if alarm]

    def _asked(self, signatures: Mapping[str, Any], name: str) -> Mapping[str, tf.Tensor]:
        function = signatures[name]
        specs = function.structured_input_signature[1]
        given = {
            key: tf.constant([math.nan if value is None else value for value in values], specs[key].dtype)
            for key, values in self.requests[name].items()
        }
        batch = len(next(iter(self.requests[name].values())))
        # What the probe does not give, as filters, is absent.
        return function(**{key: given[key] if key in given else absent(spec, batch) for key, spec in specs.items()})

    def write(self, directory: str) -> None:
        """Write the probe into the servable's folder `directory`."""
        document = {
            "requests": self.requests,
            "embedding": None if self.embedding is None else self.embedding.tolist(),
            "ids": self.ids.tolist(),
            "scores": self.scores.tolist(),
            "tolerance": self.tolerance,
            "recall": self.recall,
        }
        with tf.io.gfile.GFile(os.path.join(directory, EXTRA, FILE), "w") as file:
            file.write(json.dumps(document, default=_bytes_to_json) + "\n")


def read_probe(directory: str) -> Probe | None:
    """The probe of the servable in `directory`; None where it has none, as one that was grown by `tfrec add-items`."""
    path = os.path.join(directory, EXTRA, FILE)
    if not tf.io.gfile.exists(path):
        return None
    with tf.io.gfile.GFile(path) as file:
        document = json.loads(file.read(), object_hook=_bytes_from_json)
    embedding = document["embedding"]
    return Probe(
        document["requests"],
        None if embedding is None else np.array(embedding, np.float32),
        np.array(document["ids"], object),
        np.array(document["scores"], np.float32),
        document["tolerance"],
        document.get("recall", 1.0),
    )


def _bytes_to_json(value: bytes) -> dict[str, str]:
    return {"base64": base64.b64encode(value).decode()}


def _bytes_from_json(document: dict[str, Any]) -> Any:
    return base64.b64decode(document["base64"]) if set(document) == {"base64"} else document
