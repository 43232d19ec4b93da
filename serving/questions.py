"""What can be asked of a model server, apart from how a call travels: shared by both clients.

Each question is a generator: it yields the calls it needs one after the other, is sent their responses, and returns the
answer. `tfrec.serving.client` and `tfrec.serving.async_client` make the calls.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Generator, Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias, TypeVar

import numpy as np

from tfrec.errors import ServerError
from tfrec.request_inputs import ITEM_IDS
from tfrec.serving import wire
from tfrec.serving.channel import CallError
from tfrec.serving.padding import tensors_from_rows
from tfrec.serving.query import Query, row_from_query
from tfrec.serving.reasons import Explanation, explanations
from tfrec.serving.results import STATES, Recommendation, Recommendations, VersionStatus
from tfrec.serving.signatures import ModelMetadata, Signature, metadata_from_response
from tfrec.serving.tensors import array_from_proto, fill_proto

LARGEST_BATCH = 256  # queries sent in one request
SWAPS = 3  # What takes several requests is asked for so often until one version answers all of them.


class Call(NamedTuple):
    """A request to be sent; `method` is the path of the gRPC method."""

    method: str
    request: Any
    response_type: Any


Answer = TypeVar("Answer")
Question: TypeAlias = Generator[Call, Any, Answer]
Rows = Callable[[Signature], Sequence[Mapping[str, Any]]]


class Questions:
    """The questions of one model, with what was learned of its signatures.

    Args:
        model_name: the name the model is served under.
        titles: titles by item id.
        version: the version to ask; None for the latest.
        label: the label of the version to ask, such as stable or canary; "" for none.

    Raises:
        ServerError: a version and a label are given.
    """

    def __init__(self, model_name: str, titles: Mapping[str, str], version: int | None, label: str) -> None:
        if version is not None and label:
            raise ServerError(f"a version is asked for by its number or by its label, got {version} and {label!r}")
        self.model_name = model_name
        self.titles = titles
        self.version = version
        self.label = label
        self._metadata: ModelMetadata | None = None
        self._seen: set[int] = set()

    def recommend(
        self,
        user_id: str = "",
        history: Sequence[str] = (),
        exclude: Sequence[str] = (),
        k: int = 10,
        features: Mapping[str, Any] | None = None,
        context: Mapping[str, Any] | None = None,
        reasons: bool = False,
        **wanted: Any,
    ) -> Question[Recommendations]:
        """The `k` best items for one user.

        Args:
            user_id, history, exclude, features, context: see `Query`.
            reasons: whether to ask why too: every item then has `why`, an `Explanation`.
            wanted: filters, allow and diversity, see `Query`.
        """
        query = Query(user_id, history, exclude, features or {}, context or {}, **wanted)
        for _ in range(SWAPS):
            (answer,) = yield from self.recommend_many([query], k)
            if not reasons or not answer:
                return answer
            why, versions = yield from self._explained(answer.item_ids, query)
            if versions == {answer.model_version}:
                items = (dataclasses.replace(item, why=each) for item, each in zip(answer, why))
                return dataclasses.replace(answer, items=tuple(items))
        raise self._swapped("reasons")

    def recommend_many(self, queries: Sequence[Query], k: int = 10) -> Question[list[Recommendations]]:
        """The `k` best items for each of `queries`, in their order."""
        return (yield from self._ranked("serving_default", queries, k))

    def explain(
        self,
        item_ids: Sequence[str],
        user_id: str = "",
        history: Sequence[str] = (),
        features: Mapping[str, Any] | None = None,
        context: Mapping[str, Any] | None = None,
    ) -> Question[list[Explanation]]:
        """Why items have the scores they have for a user, in the order of `item_ids`; see `Explanation`."""
        query = Query(user_id, history, (), features or {}, context or {})
        for _ in range(SWAPS):
            why, versions = yield from self._explained(item_ids, query)
            if len(versions) <= 1:
                return why
        raise self._swapped("reasons")

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
    ) -> Question[Recommendations]:
        """The `k` items that fit `text` best, given what is known of the user; arguments as of `recommend`."""
        query = Query(user_id, history, exclude, features or {}, context or {}, text, **wanted)
        return (yield from self.search_many([query], k))[0]

    def search_many(self, queries: Sequence[Query], k: int = 10) -> Question[list[Recommendations]]:
        """The `k` items that fit the `text` of each of `queries` best, in their order."""
        return (yield from self._ranked("search", queries, k))

    def similar(self, item_id: str, k: int = 10) -> Question[Recommendations]:
        """The `k` items most like `item_id`."""
        return (yield from self.similar_many([item_id], k))[0]

    def similar_many(self, item_ids: Sequence[str], k: int = 10) -> Question[list[Recommendations]]:
        """The `k` items most like each of `item_ids`, in their order."""
        _check_ids(item_ids)

        def row(item_id: str, signature: Signature) -> dict[str, Any]:
            return {"item_id": item_id}

        return (yield from self._chunked("similar_items", item_ids, k, row, lambda item_id: {item_id}))

    def embed(self, items: Sequence[Mapping[str, Any]]) -> Question[np.ndarray]:
        """Embeddings float32 [len(items), D] of items given by their content, all by one version.

        Args:
            items: one mapping per item from feature name to its value: str for text, bytes for a picture or a clip
                (as files), attributes as they are; absent features may be left out.
        """
        for _ in range(SWAPS):
            parts = []
            versions = set()
            for start in range(0, len(items), LARGEST_BATCH):

                def rows(signature: Signature, start: int = start) -> Sequence[Mapping[str, Any]]:
                    return items[start : start + LARGEST_BATCH]

                outputs, version = yield from self._predict("embed_items", rows)
                parts.append(outputs["embedding"])
                versions.add(version)
            if len(versions) <= 1:
                return np.concatenate(parts) if parts else np.zeros((0, 0), np.float32)
        raise self._swapped("embeddings")

    def status(self) -> Question[list[VersionStatus]]:
        """The versions of the model that the server knows, newest first."""
        request = wire.GetModelStatusRequest()
        self._name_model(request.model_spec)
        response = yield Call(wire.GET_MODEL_STATUS, request, wire.GetModelStatusResponse)
        return [
            VersionStatus(
                entry.version,
                STATES.get(entry.state, str(entry.state)),
                entry.status.error_code,
                entry.status.error_message,
            )
            for entry in response.model_version_status
        ]

    def metadata(self) -> Question[ModelMetadata]:
        """The version that answers now, and its signatures."""
        request = wire.GetModelMetadataRequest(metadata_field=["signature_def"])
        self._name_model(request.model_spec)
        response = yield Call(wire.GET_MODEL_METADATA, request, wire.GetModelMetadataResponse)
        signatures = wire.SignatureDefMap.FromString(response.metadata["signature_def"].value)
        self._metadata = metadata_from_response(response, signatures)
        return self._metadata

    def predict(
        self, signature: str, inputs: Mapping[str, np.ndarray], output_filter: Sequence[str] = ()
    ) -> Question[tuple[dict[str, np.ndarray], int]]:
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
        response = yield Call(wire.PREDICT, request, wire.PredictResponse)
        outputs = {name: array_from_proto(tensor) for name, tensor in response.outputs.items()}
        return outputs, response.model_spec.version.value

    def _name_model(self, model_spec: Any) -> None:
        model_spec.name = self.model_name
        if self.version is not None:
            model_spec.version.value = self.version
        if self.label:
            model_spec.version_label = self.label

    def _ranked(self, signature: str, queries: Sequence[Query], k: int) -> Question[list[Recommendations]]:
        unwanted: Callable[[Query], set[str]] = lambda query: set(query.exclude)  # noqa: E731
        return (yield from self._chunked(signature, queries, k, row_from_query, unwanted))

    def _swapped(self, what: str) -> ServerError:
        return ServerError(
            f"another version of {self.model_name!r} took over whenever {what} were asked for; ask again"
        )

    def _explained(self, item_ids: Sequence[str], query: Query) -> Question[tuple[list[Explanation], set[int]]]:
        """Reasons for the scores of items, and the versions that gave them."""
        _check_ids(item_ids)
        found: list[Explanation] = []
        versions = set()
        while len(found) < len(item_ids):
            rest = item_ids[len(found) :]

            def rows(signature: Signature, rest: Sequence[str] = rest) -> list[dict[str, Any]]:
                width = signature.width(signature.inputs, ITEM_IDS)
                return [{**row_from_query(query, signature), ITEM_IDS: list(rest[:width])}]

            outputs, version = yield from self._predict("explain", rows)
            found += explanations(rest, outputs, self.titles)
            versions.add(version)
        return found, versions

    def _chunked(
        self,
        signature: str,
        queries: Sequence[Any],
        k: int,
        row: Callable[[Any, Signature], dict[str, Any]],
        unwanted: Callable[[Any], set[str]],
    ) -> Question[list[Recommendations]]:
        """Answers to `queries`, sent in batches; `row` makes an input row, `unwanted` are ids to leave out."""
        answers = []
        for start in range(0, len(queries), LARGEST_BATCH):
            chunk = queries[start : start + LARGEST_BATCH]

            def rows(definition: Signature, chunk: Sequence[Any] = chunk) -> list[dict[str, Any]]:
                largest = definition.width(definition.outputs, "item_ids")
                if not 1 <= k <= largest:
                    raise ServerError(f"k must be between 1 and {largest}, the most this model returns; got {k}")
                return [row(query, definition) for query in chunk]

            outputs, version = yield from self._predict(signature, rows)
            bases = outputs.get("based_on", [b""] * len(chunk))  # of recommendations only
            for query, ids, scores, basis in zip(chunk, outputs["item_ids"], outputs["scores"], bases):
                items = self._items(ids, scores, unwanted(query) | {""}, k)
                answers.append(Recommendations(items, version, basis.decode()))
        return answers

    def _predict(self, name: str, rows: Rows) -> Question[tuple[dict[str, np.ndarray], int]]:
        """Outputs and version for `rows`, made anew if another version with other shapes has taken over."""
        metadata = self._metadata or (yield from self.metadata())
        try:
            outputs, version = yield from self._send(metadata, name, rows)
        except CallError as error:
            if error.code not in ("INVALID_ARGUMENT", "FAILED_PRECONDITION"):
                raise
            current = yield from self.metadata()
            if current.version == metadata.version:
                raise
            return (yield from self._send(current, name, rows))
        if version not in self._seen:
            # Servers of different versions may be asked in turn: each version is a reason to look again only once.
            self._seen.add(version)
            if version != metadata.version:
                self._metadata = None
        return outputs, version

    def _send(self, metadata: ModelMetadata, name: str, rows: Rows) -> Question[tuple[dict[str, np.ndarray], int]]:
        signature = metadata.signature(name)
        return (yield from self.predict(name, tensors_from_rows(rows(signature), signature)))

    def _items(self, ids: np.ndarray, scores: np.ndarray, unwanted: set[str], k: int) -> tuple[Recommendation, ...]:
        decoded = (item_id.decode("utf-8") for item_id in ids)
        kept = [(item_id, score) for item_id, score in zip(decoded, scores.tolist()) if item_id not in unwanted]
        return tuple(
            Recommendation(item_id, score, rank, self.titles.get(item_id, ""))
            for rank, (item_id, score) in enumerate(kept[:k], start=1)
        )


def _check_ids(item_ids: Sequence[str]) -> None:
    if isinstance(item_ids, (str, bytes)):
        raise ServerError(f"expected a list of item ids, got {item_ids!r}")
