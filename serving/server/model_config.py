"""Which models to serve: tensorflow_model_server's model config, as a text file or in a reload request."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping, Sequence
from typing import Any

from google.protobuf import text_format
from tensorflow_serving.config import model_server_config_pb2

from tfrec.errors import ServerError
from tfrec.serving.server.errors import StatusError, invalid
from tfrec.serving.server.options import Policy

PLATFORM = "tensorflow"
ABSOLUTE = re.compile(r"/|[A-Za-z][A-Za-z0-9+.-]*://")


@dataclasses.dataclass(frozen=True)
class ModelConfig:
    """One model: where its versions lie, which of them to serve, and versions by label."""

    name: str
    base_path: str
    policy: Policy = dataclasses.field(default_factory=Policy)
    labels: Mapping[str, int] = dataclasses.field(default_factory=dict)
    platform: str = PLATFORM


def configs_from_file(path: str) -> list[ModelConfig]:
    """The models in a text-format ModelServerConfig.

    Raises:
        ServerError: the file cannot be read or parsed, or lists what cannot be served.
    """
    try:
        with open(path, encoding="utf-8") as file:
            config = text_format.Parse(file.read(), model_server_config_pb2.ModelServerConfig())
        return configs_from_proto(config)
    except (OSError, UnicodeDecodeError) as error:
        raise ServerError(f"cannot read the model config file {path}: {error}") from error
    except text_format.ParseError as error:
        raise ServerError(
            f"Error parsing text-format tensorflow.serving.ModelServerConfig: {error}; correct {path}"
        ) from error
    except StatusError as error:
        raise ServerError(f"the model config file {path} cannot be served: {error.message}") from error


def configs_from_proto(config: Any) -> list[ModelConfig]:
    """The models of a ModelServerConfig.

    Raises:
        StatusError: INVALID_ARGUMENT or FAILED_PRECONDITION, with TensorFlow Serving's text.
    """
    if config.WhichOneof("config") != "model_config_list":
        raise invalid(
            "ServerModelConfig type not supported by HandleReloadConfigRequest. Only ModelConfigList is currently "
            "supported"
        )
    models = config.model_config_list.config
    names: set[str] = set()
    for model in models:
        if model.name in names:
            raise invalid(f"Illegal to list model {model.name} multiple times in config list")
        names.add(model.name)
        if not ABSOLUTE.match(model.base_path):
            raise invalid(
                f"Expected model {model.name} to have an absolute path or URI; got base_path()={model.base_path}"
            )
    return [
        ModelConfig(
            model.name,
            model.base_path,
            _policy(model.model_version_policy),
            dict(model.version_labels),
            _platform(model),
        )
        for model in models
    ]


def check_platforms(configs: Sequence[ModelConfig], current: Mapping[str, ModelConfig]) -> None:
    """Refuse platforms that are not served, or that a model would change to.

    Raises:
        StatusError: as said.
    """
    for config in configs:
        before = current.get(config.name)
        if before is not None and before.platform != config.platform:
            raise invalid(
                f"Illegal to change a model's platform. For model {config.name} platform was {before.platform} and "
                f"new platform requested is {config.platform}"
            )
        if config.platform != PLATFORM:
            raise StatusError("FAILED_PRECONDITION", f"PlatformConfigMap has no entry for platform {config.platform}")


def _policy(policy: Any) -> Policy:
    kind = policy.WhichOneof("policy_choice") or "latest"
    if kind == "specific":
        return Policy("specific", versions=tuple(policy.specific.versions))
    return Policy(kind, policy.latest.num_versions or 1)


def _platform(model: Any) -> str:
    unset = model_server_config_pb2.MODEL_TYPE_UNSPECIFIED
    fields = "ModelServerConfig::model_type (deprecated) {} ModelServerConfig::model_platform, model name is {}"
    if model.model_type != unset and model.model_platform:
        raise invalid("Illegal setting both " + fields.format("and", model.name))
    if model.model_type != unset:
        return model_server_config_pb2.ModelType.Name(model.model_type).lower()
    if not model.model_platform:
        raise invalid("Illegal setting neither " + fields.format("nor", model.name))
    return model.model_platform
