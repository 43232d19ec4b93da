"""A client of any server with TensorFlow Serving's gRPC API that serves a model exported by tfrec."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from tfrec.errors import ServerError
from tfrec.serving import wire
from tfrec.serving.channel import TLS, CallError, Channel
from tfrec.serving.padding import tensors_from_rows
from tfrec.serving.query import Query, row_from_query
from tfrec.serving.results import STATES, Recommendation, Recommendations, VersionStatus, read_titles
from tfrec.serving.signatures import ModelMetadata, Signature, metadata_from_response
from tfrec.serving.tensors import array_from_proto, fill_proto

LARGEST_BATCH = 256  # queries sent in one request


class Client:
    """Asks a model server for recommendations, search results, similar items and embeddings.

    It learns the shapes of the signatures from the server once (and again when another version answers), pads and
    trims to them, and is safe to share between threads.

    Example:
        with Client("localhost:8500", model_name="films", titles="items.jsonl") as client:
            for item in client.recommend(user_id="u1", history=["m3", "m7"], k=10):
                print(item.rank, item.title, item.score)

    Args:
        address: host:port of the gRPC API, or unix:/path.
        model_name: the name the model is served under.
        timeout: seconds a call may take, its retries included.
        titles: titles by item id, or the path of the model's assets.extra/items.jsonl.
        version: the version to ask; None for the latest.
        attempts: how often a call is tried while the server is unavailable.
        tls: paths of certificates, or True for the system's authorities; None for plain text.

    Raises:
        ServerError: (by every method) in one sentence: the server is down, too slow, or refuses the request.
    """

    def __init__(
        self,
        address: str = "localhost:8500",
        model_name: str = "default",
        timeout: float = 5.0,
        titles: str | os.PathLike[str] | Mapping[str, str] | None = None,
        version: int | None = None,
        attempts: int = 4,
        tls: TLS | bool | None = None,
    ) -> None:
        self.model_name = model_name
        self.version = version
        self._titles = read_titles(titles)
        self._channel = Channel(address, timeout, attempts, TLS() if tls is True else tls or None)
        self._metadata: ModelMetadata | None = None
        self._lock = threading.Lock()

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection."""
        self._channel.close()

    def recommend(
        self,
        user_id: str = "",
        history: Sequence[str] = (),
        exclude: Sequence[str] = (),
        k: int = 10,
        features: Mapping[str, Any] | None = None,
        context: Mapping[str, Any] | None = None,
        **wanted: Any,
    ) -> Recommendations:
        """The `k` best items for one user; see `Query` for the arguments, `wanted` are filters, allow and diversity."""
        return self.recommend_many([Query(user_id, history, exclude, features or {}, context or {}, **wanted)], k)[0]

    def recommend_many(self, queries: Sequence[Query], k: int = 10) -> list[Recommendations]:
        """The `k` best items for each of `queries`, in their order."""
        return self._ranked("serving_default", queries, k)

    def search(
        self,
        text: str,
        user_id: str = "",
        history: Sequence[str] = (),
        exclude: Sequence[str] = (),
        k: int = 10,
        features: Mapping[str, Any] | None = None,
        context: Mapping[str, Any] | None = None,
        **wanted: Any,
    ) -> Recommendations:
        """The `k` items that fit `text` best, given what is known of the user; arguments as of `recommend`."""
        query = Query(user_id, history, exclude, features or {}, context or {}, text, **wanted)
        return self.search_many([query], k)[0]

    def search_many(self, queries: Sequence[Query], k: int = 10) -> list[Recommendations]:
        """The `k` items that fit the `text` of each of `queries` best, in their order."""
        return self._ranked("search", queries, k)

    def similar(self, item_id: str, k: int = 10) -> Recommendations:
        """The `k` items most like `item_id`."""
        return self.similar_many([item_id], k)[0]

    def similar_many(self, item_ids: Sequence[str], k: int = 10) -> list[Recommendations]:
        """The `k` items most like each of `item_ids`, in their order."""
        if isinstance(item_ids, (str, bytes)):
            raise ServerError(f"expected a list of item ids, got {item_ids!r}")

        def row(item_id: str, signature: Signature) -> dict[str, Any]:
            return {"item_id": item_id}

        return self._chunked("similar_items", item_ids, k, row, lambda item_id: {item_id})

    def embed(self, items: Sequence[Mapping[str, Any]]) -> np.ndarray:
        """Embeddings float32 [len(items), D] of items given by their content.

        Args:
            items: one mapping per item from feature name to its value: str for text, bytes for a picture or a clip
                (as files), attributes as they are; absent features may be left out.
        """
        parts = []
        for start in range(0, len(items), LARGEST_BATCH):

            def rows(signature: Signature, start: int = start) -> Sequence[Mapping[str, Any]]:
                return items[start : start + LARGEST_BATCH]

            outputs, _ = self._predict("embed_items", rows)
            parts.append(outputs["embedding"])
        return np.concatenate(parts) if parts else np.zeros((0, 0), np.float32)

    def status(self) -> list[VersionStatus]:
        """The versions of the model that the server knows, newest first."""
        request = wire.GetModelStatusRequest()
        self._name_model(request.model_spec)
        response = self._channel.call(wire.GET_MODEL_STATUS, request, wire.GetModelStatusResponse)
        return [
            VersionStatus(
                entry.version,
                STATES.get(entry.state, str(entry.state)),
                entry.status.error_code,
                entry.status.error_message,
            )
            for entry in response.model_version_status
        ]

    def metadata(self) -> ModelMetadata:
        """The version that answers now, and its signatures."""
        request = wire.GetModelMetadataRequest(metadata_field=["signature_def"])
        self._name_model(request.model_spec)
        response = self._channel.call(wire.GET_MODEL_METADATA, request, wire.GetModelMetadataResponse)
        signatures = wire.SignatureDefMap.FromString(response.metadata["signature_def"].value)
        metadata = metadata_from_response(response, signatures)
        with self._lock:
            self._metadata = metadata
        return metadata

    def predict(
        self, signature: str, inputs: Mapping[str, np.ndarray], output_filter: Sequence[str] = ()
    ) -> tuple[dict[str, np.ndarray], int]:
        """The outputs of any signature for tensors sent as they are, and the version that answered.

        Args:
            inputs: arrays by input name; strings as object arrays of bytes.
            output_filter: names of the outputs to compute; all if empty.
        """
        request = wire.PredictRequest(output_filter=list(output_filter))
        self._name_model(request.model_spec)
        request.model_spec.signature_name = signature
        for name, array in inputs.items():
            fill_proto(request.inputs[name], array, packed=True)
        response = self._channel.call(wire.PREDICT, request, wire.PredictResponse)
        outputs = {name: array_from_proto(tensor) for name, tensor in response.outputs.items()}
        return outputs, response.model_spec.version.value

    def _name_model(self, model_spec: Any) -> None:
        model_spec.name = self.model_name
        if self.version is not None:
            model_spec.version.value = self.version

    def _ranked(self, signature: str, queries: Sequence[Query], k: int) -> list[Recommendations]:
        return self._chunked(signature, queries, k, row_from_query, lambda query: set(query.exclude))

    def _chunked(
        self,
        signature: str,
        queries: Sequence[Any],
        k: int,
        row: Callable[[Any, Signature], dict[str, Any]],
        unwanted: Callable[[Any], set[str]],
    ) -> list[Recommendations]:
        """Answers to `queries`, sent in batches; `row` makes an input row, `unwanted` are ids to leave out."""
        answers = []
        for start in range(0, len(queries), LARGEST_BATCH):
            chunk = queries[start : start + LARGEST_BATCH]

            def rows(definition: Signature, chunk: Sequence[Any] = chunk) -> list[dict[str, Any]]:
                largest = definition.width(definition.outputs, "item_ids")
                if not 1 <= k <= largest:
                    raise ServerError(f"k must be between 1 and {largest}, the most this model returns; got {k}")
                return [row(query, definition) for query in chunk]

            outputs, version = self._predict(signature, rows)
            for query, ids, scores in zip(chunk, outputs["item_ids"], outputs["scores"]):
                answers.append(self._recommendations(ids, scores, unwanted(query), k, version))
        return answers

    def _predict(
        self, name: str, rows: Callable[[Signature], Sequence[Mapping[str, Any]]]
    ) -> tuple[dict[str, np.ndarray], int]:
        """Outputs and version for `rows`, made anew if another version with other shapes has taken over."""
        metadata = self._metadata or self.metadata()
        try:
            outputs, version = self._send(metadata, name, rows)
        except CallError as error:
            if error.code not in ("INVALID_ARGUMENT", "FAILED_PRECONDITION"):
                raise
            current = self.metadata()
            if current.version == metadata.version:
                raise
            return self._send(current, name, rows)
        if version != metadata.version:
            with self._lock:
                self._metadata = None
        return outputs, version

    def _send(
        self, metadata: ModelMetadata, name: str, rows: Callable[[Signature], Sequence[Mapping[str, Any]]]
    ) -> tuple[dict[str, np.ndarray], int]:
        signature = metadata.signature(name)
        return self.predict(name, tensors_from_rows(rows(signature), signature))

    def _recommendations(
        self, ids: np.ndarray, scores: np.ndarray, unwanted: set[str], k: int, version: int
    ) -> Recommendations:
        decoded = (item_id.decode("utf-8") for item_id in ids)
        kept = [(item_id, score) for item_id, score in zip(decoded, scores.tolist()) if item_id not in unwanted | {""}]
        items = tuple(
            Recommendation(item_id, score, rank, self._titles.get(item_id, ""))
            for rank, (item_id, score) in enumerate(kept[:k], start=1)
        )
        return Recommendations(items, version)
