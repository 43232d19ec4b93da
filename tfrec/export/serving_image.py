"""What the images of TensorFlow Serving link, by version: core ops, ops of tensorflow-text, the graph version.

Every image links the ops of TensorFlow that have a kernel for the processor, those of tensorflow-text and those that
infer with decision forests. Which op and attribute came with which TensorFlow was read from the op registries of
tensorflow-cpu 2.15.1, 2.16.2, 2.17.1, 2.18.1, 2.19.1, 2.20.0 and 2.21.0, and the graph versions from their headers.
Images 2.15 to 2.19 link tensorflow-text 2.12.1 (workspace.bzl of TensorFlow Serving), 2.20 links 2.20.0.
"""

from __future__ import annotations

import dataclasses
import re

import tensorflow as tf

from tfrec.errors import ServableError

DEFAULT_VERSION = "2.16.1"
GRAPH_VERSIONS = {"2.15": 1645, "2.16": 1766, "2.17": 1882, "2.18": 1994, "2.19": 2129, "2.20": 2288}
MINORS = (*GRAPH_VERSIONS, "2.21")

_TEXT = """
    CaseFoldUTF8 ConstrainedSequence FastBertNormalize FastWordpieceTokenizeWithOffsets FindSourceOffsets
    MaxSpanningTree NormalizeUTF8 NormalizeUTF8WithOffsetsMap PhraseTokenize RegexSplitWithOffsets RougeL
    SentenceFragments SentenceFragmentsV2 SentencepieceDetokenizeOp SentencepieceIdToStringOp SentencepieceOp
    SentencepieceStringToIdOp SentencepieceTokenizeOp SentencepieceTokenizeWithOffsetsOp SentencepieceVocabSizeOp
    SplitMergeTokenizeWithOffsets TFText>BoiseTagsToOffsets TFText>ByteSplitByOffsets TFText>ByteSplitWithOffsets
    TFText>FastSentencepieceDetokenize TFText>FastSentencepieceTokenize TFText>FastWordpieceDetokenize
    TFText>NgramsStringJoin TFText>OffsetsToBoiseTags TFText>PhraseDetokenize TFText>WhitespaceTokenizeWithOffsetsV2
    TokenizerFromLogits UnicodeScriptTokenizeWithOffsets WhitespaceTokenizeWithOffsets WordpieceTokenizeWithOffsets
"""
TEXT_OPS = frozenset(_TEXT.split())
LATE_TEXT_OPS = frozenset({"TFText>RoundRobinTrim", "TFText>RoundRobinGenerateMasks", "TFText>Utf8Binarize"})
LATE_TEXT_FROM = "2.20"
_FOREST = """
    SimpleMLCreateModelResource SimpleMLInferenceLeafIndexOp SimpleMLInferenceLeafIndexOpWithHandle SimpleMLInferenceOp
    SimpleMLInferenceOpWithHandle SimpleMLLoadModelFromPath SimpleMLLoadModelFromPathWithHandle
"""
FOREST_OPS = frozenset(_FOREST.split())
# Ops with a kernel in the Python wheel that the server has none for, or that need hardware or libraries it lacks.
DENIED = re.compile(r"^(PyFunc|PyFuncStateless|EagerPyFunc|Xla.*|TPU.*|Nccl.*|Scann>.*|Addons>.*|IO>.*)$")

_NEW_OPS = {
    "2.16": "DatasetFingerprint ListSnapshotChunksDataset",
    "2.17": "CalibrationStatisticsSaver GlobalShuffleDataset IndexFlatMapDataset IteratorGetModelProto "
    "WeightedFlatMapDataset",
    "2.18": "CheckPinned",
    "2.19": "SobolSample",
    "2.20": "DecodeWebP",
    "2.21": "DecodeJxl",
}
NEW_OPS = {op: minor for minor, names in _NEW_OPS.items() for op in names.split()}
REMOVED_OPS = {"TfLiteSubgraphExecute": "2.19"}
_SCATTERED = """
    ScatterNd ScatterNdAdd ScatterNdMax ScatterNdMin ScatterNdNonAliasingAdd ScatterNdSub ScatterNdUpdate
    ResourceScatterNdAdd ResourceScatterNdMax ResourceScatterNdMin ResourceScatterNdSub ResourceScatterNdUpdate
    TensorScatterAdd TensorScatterMax TensorScatterMin TensorScatterSub TensorScatterUpdate
"""
NEW_ATTRIBUTES = {
    **{(op, name): "2.16" for op in ("BatchMatMul", "BatchMatMulV2", "BatchMatMulV3") for name in ("grad_x", "grad_y")},
    **{("MatMul", name): "2.16" for name in ("grad_a", "grad_b")},
    ("CustomAggregator", "num_bins"): "2.17",
    ("GatherNd", "bad_indices_policy"): "2.17",
    ("BatchFunction", "mixed_priority_policy"): "2.17",
    **{(op, "bad_indices_policy"): "2.18" for op in _SCATTERED.split()},
    ("MapDataset", "force_synchronous"): "2.18",
    ("ExperimentalMapDataset", "force_synchronous"): "2.18",
    ("ParallelMapDatasetV2", "use_unbounded_threadpool"): "2.18",
    ("BatchFunction", "batch_padding_policy"): "2.18",
    ("TensorListGetItem", "Tshape"): "2.21",
}


@dataclasses.dataclass(frozen=True)
class ServingImage:
    """One image: `version` as in its tag, `minor` such as 2.16."""

    version: str
    minor: str

    @property
    def graph_version(self) -> int:
        """TF_GRAPH_DEF_VERSION of the TensorFlow it links."""
        return GRAPH_VERSIONS[self.minor]

    def problem_of(self, op: str) -> str:
        """Why the image cannot run the op, "" if it can."""
        if DENIED.match(op):
            return f"op {op} has no kernel in image {self.version}"
        if op in LATE_TEXT_OPS:
            linked = not self._before(LATE_TEXT_FROM)
            return "" if linked else f"op {op} is not linked into image {self.version}, but from {LATE_TEXT_FROM} on"
        if op in TEXT_OPS or op in FOREST_OPS:
            return ""
        if op in NEW_OPS:
            from_ = NEW_OPS[op]
            if self._before(from_):
                return f"op {op} is not linked into image {self.version}: it came with TensorFlow {from_}"
            return ""
        if op in REMOVED_OPS and not self._before(REMOVED_OPS[op]):
            return f"op {op} is not linked into image {self.version}: it went with TensorFlow {REMOVED_OPS[op]}"
        return "" if _in_core(op) else f"op {op} is not linked into image {self.version}"

    def knows(self, op: str, attribute: str) -> bool:
        """Whether the op has the attribute there; those that start with _ are nobody's."""
        return (op, attribute) not in NEW_ATTRIBUTES or not self._before(NEW_ATTRIBUTES[op, attribute])

    def _before(self, minor: str) -> bool:
        return MINORS.index(self.minor) < MINORS.index(minor)


def serving_image(version: str = DEFAULT_VERSION) -> ServingImage:
    """The image of tensorflow/serving with this tag, such as 2.16.1.

    Raises:
        ServableError: what it links is not known.
    """
    found = re.fullmatch(r"(\d+\.\d+)(\.\d+)?", version)
    if found is None or found.group(1) not in GRAPH_VERSIONS:
        known = list(GRAPH_VERSIONS)
        raise ServableError(
            f"what tensorflow/serving:{version} links is not known; give a version of {known[0]} to {known[-1]}, such "
            f"as {DEFAULT_VERSION}"
        )
    return ServingImage(version, found.group(1))


def _in_core(op: str) -> bool:
    """Whether the installed TensorFlow defines the op, and with a kernel for the processor if with any."""
    from tensorflow.python.framework import kernels

    if ">" in op or not hasattr(tf.raw_ops, op):
        return False
    devices = {kernel.device_type for kernel in kernels.get_registered_kernels_for_op(op).kernel}
    return not devices or bool(devices & {"CPU", "DEFAULT"})
