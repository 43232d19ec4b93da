"""What a served model takes and gives, read from its metadata: names, dtypes and fixed shapes."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from tfrec.errors import ServerError
from tfrec.serving.tensors import BY_NUMBER, Dtype


@dataclasses.dataclass(frozen=True)
class TensorSpec:
    """One input or output; `shape` holds -1 where a dimension is free, and is None where the rank is unknown."""

    dtype: Dtype
    shape: tuple[int, ...] | None


@dataclasses.dataclass(frozen=True)
class Signature:
    """Inputs and outputs of one signature, by name."""

    name: str
    inputs: Mapping[str, TensorSpec]
    outputs: Mapping[str, TensorSpec]

    def width(self, tensors: Mapping[str, TensorSpec], name: str) -> int:
        """The second dimension of the input or output `name`: H of history, E of exclude, K of item_ids.

        Raises:
            ServerError: the signature has no such tensor, or its second dimension is not fixed.
        """
        spec = tensors.get(name)
        if spec is None or spec.shape is None or len(spec.shape) != 2 or spec.shape[1] < 0:
            raise ServerError(
                f"signature {self.name!r} has no tensor {name!r} of shape [batch, fixed]; "
                "was this model exported by tfrec?"
            )
        return spec.shape[1]


@dataclasses.dataclass(frozen=True)
class ModelMetadata:
    """A served version and its signatures by name."""

    name: str
    version: int
    signatures: Mapping[str, Signature]

    def signature(self, name: str) -> Signature:
        """The signature `name`.

        Raises:
            ServerError: the model has no such signature.
        """
        if name not in self.signatures:
            raise ServerError(
                f"model {self.name!r} version {self.version} has no signature {name!r}; "
                f"it has {', '.join(sorted(self.signatures)) or 'none'}"
            )
        return self.signatures[name]


def metadata_from_response(response: Any, signature_def_map: Any) -> ModelMetadata:
    """`ModelMetadata` from a GetModelMetadataResponse and the SignatureDefMap in it; internal signatures left out."""
    signatures = {
        name: Signature(name, _specs(definition.inputs), _specs(definition.outputs))
        for name, definition in signature_def_map.signature_def.items()
        if not name.startswith("__")
    }
    spec = response.model_spec
    return ModelMetadata(spec.name, spec.version.value, signatures)


def _specs(tensors: Mapping[str, Any]) -> dict[str, TensorSpec]:
    return {name: _spec(info) for name, info in tensors.items() if info.dtype in BY_NUMBER}


def _spec(info: Any) -> TensorSpec:
    shape = info.tensor_shape
    sizes = None if shape.unknown_rank else tuple(dim.size for dim in shape.dim)
    return TensorSpec(BY_NUMBER[info.dtype], sizes)
