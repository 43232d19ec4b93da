"""TFX's Trainer with more inputs: the catalogue, its media and its embeddings beside the events."""

from __future__ import annotations

from typing import Any, ClassVar

from tfx.components.trainer.executor import GenericExecutor
from tfx.components.trainer.fn_args_utils import FnArgs
from tfx.dsl.components.base.base_component import BaseComponent
from tfx.dsl.components.base.executor_spec import ExecutorClassSpec
from tfx.proto import trainer_pb2
from tfx.types import BaseChannel, Channel, artifact_utils, standard_component_specs
from tfx.types.component_spec import ChannelParameter
from tfx.types.standard_artifacts import Examples, Model, ModelRun
from tfx.utils import json_utils

from tfrec.pipelines.artifacts import CatalogueMedia, Embeddings

_CATALOGUE_INPUTS = {
    "catalogue": ChannelParameter(type=Examples),
    "media": ChannelParameter(type=CatalogueMedia),
    "embeddings": ChannelParameter(type=Embeddings),
}


class TrainerSpec(standard_component_specs.TrainerSpec):
    """TFX's TrainerSpec with the channels of the catalogue."""

    INPUTS: ClassVar = {**standard_component_specs.TrainerSpec.INPUTS, **_CATALOGUE_INPUTS}


class Executor(GenericExecutor):
    """Hands the places of all inputs to the run_fn in its `custom_config`."""

    def _GetFnArgs(self, input_dict, output_dict, exec_properties) -> FnArgs:
        arguments = super()._GetFnArgs(input_dict, output_dict, exec_properties)
        inputs = ("examples", *_CATALOGUE_INPUTS)
        arguments.custom_config["inputs"] = {name: artifact_utils.get_single_uri(input_dict[name]) for name in inputs}
        return arguments


class Trainer(BaseComponent):
    """Trains the model and exports it as a servable.

    Args:
        examples, catalogue, media, embeddings, transform_graph: channels of the components before.
        section: `training_section` of the configuration.
        directory: folder of the training state, which outlives the run so that a killed training goes on.
        served: folder of the versions that are served, from whose latest the training may start.
        code: hash of the source; run_fn is given by its name, which says nothing of what it does.
        hyperparameters: what a Tuner found, which replaces settings of the section; None for none.
    """

    SPEC_CLASS = TrainerSpec
    EXECUTOR_SPEC = ExecutorClassSpec(Executor)

    def __init__(
        self,
        examples: BaseChannel,
        catalogue: BaseChannel,
        media: BaseChannel,
        embeddings: BaseChannel,
        transform_graph: BaseChannel,
        section: str,
        directory: str,
        served: str,
        code: str,
        hyperparameters: BaseChannel | None = None,
    ):
        custom_config: dict[str, Any] = {"section": section, "directory": directory, "served": served, "code": code}
        spec = TrainerSpec(
            examples=examples,
            catalogue=catalogue,
            media=media,
            embeddings=embeddings,
            transform_graph=transform_graph,
            hyperparameters=hyperparameters,
            train_args=trainer_pb2.TrainArgs(splits=["train"]),
            eval_args=trainer_pb2.EvalArgs(splits=["validation"]),
            run_fn="tfrec.pipelines.training.run_fn",
            custom_config=json_utils.dumps(custom_config),
            model=Channel(type=Model),
            model_run=Channel(type=ModelRun),
        )
        super().__init__(spec=spec)
