"""Checks that a SavedModel uses only what the stock TensorFlow Serving image can run."""

from __future__ import annotations

import os
import re

import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

# The ops of tensorflow-text that images 2.15 to 2.19 link (tensorflow-text 2.12.1).
_NAMES = """
    CaseFoldUTF8 ConstrainedSequence FastBertNormalize FastWordpieceTokenizeWithOffsets FindSourceOffsets
    MaxSpanningTree NormalizeUTF8 NormalizeUTF8WithOffsetsMap PhraseTokenize RegexSplitWithOffsets RougeL
    SentenceFragments SentenceFragmentsV2 SentencepieceDetokenizeOp SentencepieceIdToStringOp SentencepieceOp
    SentencepieceStringToIdOp SentencepieceTokenizeOp SentencepieceTokenizeWithOffsetsOp SentencepieceVocabSizeOp
    SplitMergeTokenizeWithOffsets TFText>BoiseTagsToOffsets TFText>ByteSplitByOffsets TFText>ByteSplitWithOffsets
    TFText>FastSentencepieceDetokenize TFText>FastSentencepieceTokenize TFText>FastWordpieceDetokenize
    TFText>NgramsStringJoin TFText>OffsetsToBoiseTags TFText>PhraseDetokenize TFText>WhitespaceTokenizeWithOffsetsV2
    TokenizerFromLogits UnicodeScriptTokenizeWithOffsets WhitespaceTokenizeWithOffsets WordpieceTokenizeWithOffsets
"""
TEXT_OPS = frozenset(_NAMES.split())
# Ops with a kernel in the Python wheel that the server has none for, or that need hardware or libraries it lacks.
DENIED = re.compile(r"^(PyFunc|PyFuncStateless|EagerPyFunc|Xla.*|TPU.*|Nccl.*|Scann>.*|Addons>.*|IO>.*)$")


def servable_problems(directory: str) -> list[str]:
    """One sentence for each reason why the stock image would not run the SavedModel in `directory`; empty if none.

    Raises:
        OSError, tf.errors.NotFoundError: if there is no readable saved_model.pb.
    """
    with tf.io.gfile.GFile(os.path.join(directory, "saved_model.pb"), "rb") as file:
        saved_model = saved_model_pb2.SavedModel.FromString(file.read())
    problems = []
    graphs = [graph for graph in saved_model.meta_graphs if "serve" in graph.meta_info_def.tags]
    if not graphs:
        return ["the SavedModel has no meta graph tagged 'serve'"]
    graph = graphs[0].graph_def
    functions = {function.signature.name for function in graph.library.function}
    used = {node.op for node in graph.node}
    for function in graph.library.function:
        used |= {node.op for node in function.node_def}
        compiled = function.attr.get("_XlaMustCompile")
        if compiled is not None and compiled.b:
            problems.append(f"function {function.signature.name} must be compiled by XLA, which the image has not")
    for op in sorted(used - functions):
        if DENIED.match(op):
            problems.append(f"op {op} has no kernel in the serving image")
        elif op not in TEXT_OPS and not _in_core(op):
            problems.append(f"op {op} is not linked into the serving image")
    for name, signature in graphs[0].signature_def.items():
        if name.startswith("__"):
            continue
        for kind, tensors in (("input", signature.inputs), ("output", signature.outputs)):
            for alias, info in tensors.items():
                shape = info.tensor_shape
                if shape.unknown_rank or not shape.dim or shape.dim[0].size != -1:
                    problems.append(f"{kind} {alias!r} of signature {name!r} has no free batch dimension 0")
    return problems


def _in_core(op: str) -> bool:
    """Whether TensorFlow itself defines the op with a kernel for the CPU."""
    from tensorflow.python.framework import kernels

    if ">" in op or not hasattr(tf.raw_ops, op):
        return False
    devices = {kernel.device_type for kernel in kernels.get_registered_kernels_for_op(op).kernel}
    return not devices or bool(devices & {"CPU", "DEFAULT"})
