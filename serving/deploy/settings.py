"""What differs between two deployments: the model, where it lies, and how much the service may use."""

from __future__ import annotations

import dataclasses
import posixpath
import re

import yaml

from tfrec.errors import ServerError

LARGEST_WARMUP = 8  # Warm-up requests have up to so many rows; a smaller largest batch would make loading fail.
MOUNTED = "/models"
DRAIN = 20  # Seconds a pod goes on answering once it is told to stop.
CONNECTION_AGE, CONNECTION_GRACE = 5_000, 5_000  # Milliseconds; together well below DRAIN.


@dataclasses.dataclass(frozen=True)
class DeploymentSettings:
    """One deployment.

    Attributes:
        name: the model's name, as clients send it.
        models: the folder of its numbered versions: a local folder (a volume in the cluster), gs://BUCKET/PATH, which
            the server reads itself, or s3://BUCKET/PATH, which it cannot read, so that a sidecar copies.
        image: tensorflow/serving with its tag.
        cpus: processors of one server; its thread pools have as many threads.
        memory: of one server, in Kubernetes' notation. While versions are swapped two are loaded.
        largest_batch: rows that are computed at once, at least 8.
        replicas: the fewest and the most servers.
        stable, canary: versions to serve under these labels; None for the latest version and no labels.

    Raises:
        ServerError: a value cannot be deployed.
    """

    name: str
    models: str
    image: str = "tensorflow/serving:2.16.1"
    cpus: int = 2
    memory: str = "4Gi"
    largest_batch: int = 32
    replicas: tuple[int, int] = (2, 10)
    stable: int | None = None
    canary: int | None = None

    def __post_init__(self) -> None:
        # The name stands in URLs, paths, text protos and PromQL, and must be read alike in all of them.
        if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.-]*", self.name):
            raise ServerError(f"the model's name is {self.name!r}; expected letters, digits, '_', '-' and '.' only")
        if not re.fullmatch(r"[A-Za-z0-9_./:@-]+", self.image):
            raise ServerError(f"the image is {self.image!r}; expected one such as tensorflow/serving:2.16.1")
        if not re.fullmatch(r"\d+(\.\d+)?(Ki|Mi|Gi|Ti|k|M|G|T)?", self.memory):
            raise ServerError(f"the memory is {self.memory!r}; expected a number with a unit, such as 4Gi")
        if not re.fullmatch(r"((gs|s3)://[A-Za-z0-9._-]+)?/[A-Za-z0-9 ._/@+-]*", self.models):
            raise ServerError(
                f"the models lie at {self.models!r}; expected a folder's absolute path, gs://BUCKET/PATH or "
                "s3://BUCKET/PATH, of letters, digits, blanks and . _ - @ + /"
            )
        if self.largest_batch < LARGEST_WARMUP:
            raise ServerError(
                f"the largest batch is {self.largest_batch}, but warm-up requests have up to {LARGEST_WARMUP} rows and "
                f"would fail; give at least {LARGEST_WARMUP}"
            )
        fewest, most = self.replicas
        if not 1 <= fewest <= most:
            raise ServerError(f"replicas are {fewest} to {most}; expected at least 1 and no more than the most")
        if self.canary is not None and self.stable in (None, self.canary):
            raise ServerError("a canary needs another version to be stable; give both")

    @property
    def label(self) -> str:
        """The name as Kubernetes allows it for a Service (RFC 1035), and as YAML reads it as text."""
        label = re.sub(r"[^a-z0-9]+", "-", self.name.lower()).strip("-")[:40].strip("-")
        plain = re.match(r"[a-z]", label) and isinstance(yaml.safe_load(label), str)
        return label if plain else f"model-{label}".strip("-")

    @property
    def scheme(self) -> str:
        """gs, s3, or "" for a volume."""
        return self.models.partition("://")[0] if "://" in self.models else ""

    @property
    def base_path(self) -> str:
        """The folder of the versions as the server sees it."""
        return self.models.rstrip("/") if self.scheme == "gs" else posixpath.join(MOUNTED, self.name)

    @property
    def versions(self) -> dict[str, int]:
        """Versions by label."""
        labels = {"stable": self.stable, "canary": self.canary}
        return {label: version for label, version in labels.items() if version is not None}

    @property
    def batch_sizes(self) -> tuple[int, ...]:
        """Batches are filled up to one of these: powers of two, and the largest."""
        return (*(2**power for power in range(self.largest_batch.bit_length()) if 2**power < self.largest_batch),
                self.largest_batch)  # fmt: skip

    def flags(self) -> list[str]:
        """The command line of tensorflow_model_server."""
        return [
            "--port=8500",
            "--rest_api_port=8501",
            "--model_config_file=/config/models/models.config",
            "--model_config_file_poll_wait_seconds=30",
            # A server that starts anew must be able to give a label to a version that it is only about to load.
            "--allow_version_labels_for_unavailable_models=true",
            f"--file_system_poll_wait_seconds={30 if self.scheme == 'gs' else 5}",
            *self.tuning(),
            "--batching_parameters_file=/config/server/batching.config",
            "--monitoring_config_file=/config/server/monitoring.config",
            "--enable_grpc_healthcheck_service=true",
            # Clients look for servers anew that often, so that load spreads and a server to be stopped is left.
            f"--grpc_channel_arguments=grpc.max_connection_age_ms={CONNECTION_AGE},"
            f"grpc.max_connection_age_grace_ms={CONNECTION_GRACE}",
        ]

    def tuning(self) -> list[str]:
        """Flags that fit the server to its processors; without them it counts those of the whole machine."""
        return [
            "--enable_batching=true",
            f"--tensorflow_intra_op_parallelism={self.cpus}",
            f"--tensorflow_inter_op_parallelism={self.cpus}",
            "--rest_api_timeout_in_ms=5000",
        ]
