"""The pipeline: one definition for every runner."""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Callable
from typing import Any

from tfx.components import StatisticsGen, Transform
from tfx.dsl.components.base.base_component import BaseComponent
from tfx.orchestration.pipeline import Pipeline
from tfx.proto import pusher_pb2, transform_pb2

from tfrec.config import Config
from tfrec.errors import ConfigError
from tfrec.pipelines import sections
from tfrec.pipelines.drift import DriftDetector, compared_features
from tfrec.pipelines.encoding import ContentEncoder
from tfrec.pipelines.evaluator import RetrievalEvaluator
from tfrec.pipelines.fingerprints import Fingerprints
from tfrec.pipelines.ingestion import CatalogueIngest, EventIngest
from tfrec.pipelines.preprocessing import preprocessing_config
from tfrec.pipelines.pusher import ServablePusher
from tfrec.pipelines.schema import SchemaGen
from tfrec.pipelines.tables import ANALYSED
from tfrec.pipelines.trainer import Trainer
from tfrec.pipelines.tuner import Tuner
from tfrec.pipelines.validation import ExampleValidator

Parameter = Callable[[str, str], Any]

BEAM_IN_MEMORY = ("--direct_running_mode=in_memory", "--direct_num_workers=1")
"""The default of `pipeline.beam`: on two cores faster than several processes, which start slowly."""


@dataclasses.dataclass(frozen=True)
class Places:
    """Folders a pipeline writes to, local or in an object store; all but `root` outlive its runs.

    Attributes:
        root: artifacts of the runs.
        training: training state and, in `cache`, embeddings; the same that `tfrec train` uses.
        tuning: searches for settings; the same that `tfrec tune` uses.
        push: the folder TensorFlow Serving watches.
    """

    root: str
    training: str
    tuning: str
    push: str

    @property
    def statistics(self) -> str:
        """Where the statistics of the last blessed run are kept."""
        return os.path.join(self.training, "statistics")

    @classmethod
    def of(cls, config: Config) -> Places:
        """The places below data.output."""
        output = config.data.output
        root, training, tuning = (os.path.join(output, name) for name in ("pipeline", "training", "tuning"))
        return cls(root, training, tuning, config.push_directory)


def create_pipeline(
    config: Config,
    fingerprints: Fingerprints,
    places: Places,
    metadata=None,
    parameter: Parameter = lambda name, value: value,
    earlier: str = "",
) -> Pipeline:
    """Connect the components.

    Every execution parameter is something a result depends on, so a runner's cache is right: hashes of the inputs and
    of the source, and of the configuration only what the component reads.

    Args:
        config: the configuration.
        fingerprints: hashes of the inputs.
        places: where to write.
        metadata: connection configuration of ML Metadata, None where the runner brings its own.
        parameter: (name, value) -> what a component is given for a value that a run may choose; the files and their
            fingerprints are such.
        earlier: examples of an earlier run, to which newer events are added; "" takes the events of the file alone.

    Raises:
        ConfigError: if training takes several machines.
    """
    if config.training.strategy == "multi-worker":
        raise ConfigError(
            f"{config.source or config.name}: training.strategy is multi-worker, but the pipeline's Trainer is one "
            "process; choose one, mirrored or tpu, or train by `tfrec train` on each machine"
        )
    code = fingerprints.code
    catalogue, events = ingestion(config, fingerprints, parameter, earlier)
    content = {"catalogue": catalogue.outputs["catalogue"], "media": catalogue.outputs["media"]}
    examples = events.outputs["examples"]
    statistics = StatisticsGen(examples=examples)
    schema = SchemaGen(statistics=statistics.outputs["statistics"], code=code)
    validator = ExampleValidator(
        statistics=statistics.outputs["statistics"], schema=schema.outputs["schema"], code=code
    )
    drift = DriftDetector(
        statistics=statistics.outputs["statistics"],
        features=json.dumps(compared_features(config.schema)),
        threshold=config.gates.drift_threshold,
        blessed=places.statistics,
        code=code,
    )
    transform = Transform(
        examples=examples,
        schema=schema.outputs["schema"],
        preprocessing_fn="tfrec.pipelines.preprocessing.preprocessing_fn",
        splits_config=transform_pb2.SplitsConfig(analyze=ANALYSED),
        custom_config=preprocessing_config(config.schema, code),
        materialize=False,
        disable_analyzer_cache=True,
        disable_statistics=True,
    )
    encoder = ContentEncoder(
        **content,
        section=sections.encoders_section(config),
        cache=os.path.join(places.training, "cache"),
        fingerprint=fingerprints.encoders,
        code=code,
    )
    training = {
        "examples": examples,
        **content,
        "embeddings": encoder.outputs["embeddings"],
        "transform_graph": transform.outputs["transform_graph"],
    }
    tuners = []
    if config.pipeline.tune:
        tuners.append(Tuner(**training, section=sections.tuning_section(config), directory=places.tuning, code=code))
    trainer = Trainer(
        **training,
        hyperparameters=tuners[0].outputs["best_hyperparameters"] if tuners else None,
        section=sections.training_section(config),
        directory=places.training,
        served=places.push,
        code=code,
    )
    evaluator = RetrievalEvaluator(
        model=trainer.outputs["model"],
        model_run=trainer.outputs["model_run"],
        examples=examples,
        **content,
        report=events.outputs["report"],
        statistics=statistics.outputs["statistics"],
        drift=drift.outputs["drift"],
        section=sections.evaluation_section(config),
        served=places.push,
        blessed=places.statistics,
        audit=fingerprints.audit,
        code=code,
    )
    pusher = ServablePusher(
        model=trainer.outputs["model"],
        model_blessing=evaluator.outputs["blessing"],
        push_destination=pusher_pb2.PushDestination(
            filesystem=pusher_pb2.PushDestination.Filesystem(base_directory=places.push)
        ),
        custom_config={"code": code, "keep": config.serving.keep},
    ).with_id("Pusher")
    return Pipeline(
        pipeline_name=config.name,
        pipeline_root=places.root,
        components=[
            catalogue,
            events,
            statistics,
            schema,
            validator,
            drift,
            transform,
            encoder,
            *tuners,
            trainer,
            evaluator,
            pusher,
        ],
        enable_cache=True,
        beam_pipeline_args=list(config.pipeline.beam or BEAM_IN_MEMORY),
        metadata_connection_config=metadata,
    )


def ingestion(
    config: Config, fingerprints: Fingerprints, parameter: Parameter, earlier: str
) -> tuple[BaseComponent, BaseComponent]:
    """The components that read the files; arguments as of `create_pipeline`."""
    items_path = parameter("items_path", config.data.items)
    catalogue = CatalogueIngest(
        items_path=items_path,
        media_folder=parameter("media_folder", config.data.media),
        section=sections.catalogue_section(config),
        fingerprint=parameter("catalogue_fingerprint", fingerprints.catalogue),
        code=fingerprints.code,
    )
    events = EventIngest(
        catalogue=catalogue.outputs["catalogue"],
        media=catalogue.outputs["media"],
        catalogue_report=catalogue.outputs["report"],
        items_path=items_path,
        events_path=parameter("events_path", config.data.events),
        users_path=parameter("users_path", config.data.users),
        section=sections.events_section(config),
        earlier=earlier,
        fingerprint=parameter("events_fingerprint", fingerprints.events),
        code=fingerprints.code,
    )
    return catalogue, events
