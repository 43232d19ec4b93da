"""Checks that a SavedModel is one that the stock TensorFlow Serving image can load and run."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterator
from typing import Any

import tensorflow as tf
from google.protobuf.message import DecodeError
from tensorflow.core.protobuf import saved_model_pb2

from tfrec.errors import ServableError
from tfrec.export.serving_image import ServingImage, serving_image
from tfrec.export.warmup_check import warmup_problems

XLA_MARK = "_XlaMustCompile"


@dataclasses.dataclass(frozen=True)
class Examined:
    """One thing that was examined.

    Attributes:
        name: what it is.
        found: what it is like where nothing is wrong with it.
        problems: each a sentence without a full stop; the server would not load, or not run, the model.
        remarks: what is worth knowing and wrong with nothing.
        mend: what to do about the problems or the remarks.
    """

    name: str
    found: str
    problems: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()
    mend: str = ""


def servable_problems(directory: str, image: ServingImage | None = None) -> list[str]:
    """One sentence for each reason why the image would not run the SavedModel in `directory`; empty if none.

    Raises:
        ServableError: there is no readable saved_model.pb.
    """
    return [problem for one in examine(directory, image) for problem in one.problems]


def examine(directory: str, image: ServingImage | None = None) -> list[Examined]:
    """What the image would make of the SavedModel in `directory`; `image` is 2.16.1 if it is not given.

    Raises:
        ServableError: there is no readable saved_model.pb.
    """
    image = image or serving_image()
    graphs = [graph for graph in _read(directory).meta_graphs if "serve" in graph.meta_info_def.tags]
    if not graphs:
        missing = "the SavedModel has no meta graph tagged 'serve'"
        return [Examined("meta graph", "", (missing,), mend="save it with tf.saved_model.save")]
    graph = graphs[0].graph_def
    return [
        _versions(graph, image),
        _ops(graph, image),
        _functions(graph),
        _attributes(graph, image),
        _signatures(graphs[0]),
        _warmup(directory, graphs[0]),
    ]


def _read(directory: str) -> Any:
    path = os.path.join(directory, "saved_model.pb")
    try:
        with tf.io.gfile.GFile(path, "rb") as file:
            return saved_model_pb2.SavedModel.FromString(file.read())
    except tf.errors.OpError as error:
        raise ServableError(f"{path} cannot be read: {error.message}; give the folder of one version") from error
    except DecodeError as error:
        raise ServableError(f"{path} is no SavedModel, or only a part of one; export it again") from error


def _nodes(graph: Any) -> Iterator[Any]:
    yield from graph.node
    for function in graph.library.function:
        yield from function.node_def


def _versions(graph: Any, image: ServingImage) -> Examined:
    """A consumer takes a graph unless it asks for a newer one (tensorflow/core/public/version.h)."""
    versions, own = graph.versions, image.graph_version
    problems = []
    if versions.min_consumer > own:
        problems.append(f"the graph asks for graph version {versions.min_consumer}, image {image.version} has {own}")
    if own in versions.bad_consumers:
        problems.append(f"the graph must not be run by graph version {own}, which image {image.version} has")
    mend = "use a newer image, or export with the image's TensorFlow"
    return Examined("graph version", f"{versions.producer} by its maker, {own} in the image", tuple(problems), (), mend)


def _ops(graph: Any, image: ServingImage) -> Examined:
    functions = {function.signature.name for function in graph.library.function}
    used = {node.op for node in _nodes(graph)} - functions
    problems = tuple(problem for problem in map(image.problem_of, sorted(used)) if problem)
    mend = "leave the op out of the signatures, or use an image that links it"
    return Examined("ops", f"{len(used)}, all linked into image {image.version}", problems, (), mend)


def _functions(graph: Any) -> Examined:
    marked = [function.signature.name for function in graph.library.function if function.attr[XLA_MARK].b]
    calls = [f"node {node.name}" for node in _nodes(graph) if XLA_MARK in node.attr and node.attr[XLA_MARK].b]
    problems = tuple(
        f"{what} must be compiled by XLA, which the image has not"
        for what in [*(f"function {name}" for name in marked), *([] if marked else calls)]
    )
    mend = "build the serving functions without jit_compile=True"
    return Examined("functions", f"{len(graph.library.function)}, none that XLA must compile", problems, (), mend)


def _attributes(graph: Any, image: ServingImage) -> Examined:
    unknown = {
        (node.op, name)
        for node in _nodes(graph)
        for name in node.attr
        if not name.startswith("_") and not image.knows(node.op, name)
    }
    remarks = tuple(f"image {image.version} ignores attribute {name} of {op}" for op, name in sorted(unknown))
    mend = "right if it has its default value; else export with the image's TensorFlow"
    return Examined("attributes of ops", f"all known to image {image.version}", (), remarks, mend)


def _signatures(meta_graph: Any) -> Examined:
    problems = []
    names = [name for name in sorted(meta_graph.signature_def) if not name.startswith("__")]
    if not names:
        problems.append("the model has no signature to serve")
    for name in names:
        signature = meta_graph.signature_def[name]
        for kind, tensors in (("input", signature.inputs), ("output", signature.outputs)):
            for alias, info in sorted(tensors.items()):
                shape = info.tensor_shape
                if shape.unknown_rank or not shape.dim or shape.dim[0].size != -1:
                    problems.append(f"{kind} {alias!r} of signature {name!r} has no free batch dimension 0")
    mend = "give every input and output a first dimension of None; batches of requests are joined and cut by it"
    return Examined("signatures", f"{', '.join(names)}; all in batches", tuple(problems), (), mend)


def _warmup(directory: str, meta_graph: Any) -> Examined:
    count, problems = warmup_problems(directory, meta_graph.signature_def)
    remarks = () if count or problems else ("no warm-up requests; the first requests will be slow",)
    mend = "export it again, or remove assets.extra/tf_serving_warmup_requests"
    return Examined("warm-up requests", f"{count}, all fit their signatures", tuple(problems), remarks, mend)
