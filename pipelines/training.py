"""What the Trainer calls. TFX reloads this module on every run, so it defines nothing that others hold on to."""

from __future__ import annotations

import json
import logging
import os

from tfx.components.trainer.fn_args_utils import FnArgs
from tfx.dsl.io import fileio

from tfrec.export.export import export_servable
from tfrec.pipelines.encoding import cache_of
from tfrec.pipelines.feature_space import feature_space_of
from tfrec.pipelines.progress import steps_logged
from tfrec.pipelines.sections import config_of
from tfrec.pipelines.tables import read_dataset
from tfrec.pipelines.tuner import tuned
from tfrec.steps.served import served_trainings
from tfrec.training.trainer import train

LOG = logging.getLogger(__name__)
HISTORY_FILE = "history.json"


def run_fn(arguments: FnArgs) -> None:
    """Train, and write the servable, the history of the epochs and the feature space."""
    settings = arguments.custom_config
    places = settings["inputs"]
    config = config_of(settings["section"])
    if arguments.hyperparameters:
        config = tuned(config, arguments.hyperparameters)
    dataset = read_dataset(config, places["catalogue"], places["media"], places["examples"])
    space = feature_space_of(arguments.transform_graph_path, config.schema)
    fileio.makedirs(arguments.model_run_dir)
    space.save(os.path.join(arguments.model_run_dir, "feature_space.json"))
    trained = train(
        config,
        dataset,
        settings["directory"],
        space,
        cache_of(places["embeddings"]),
        LOG.info,
        steps_logged(LOG),
        served=served_trainings(settings["served"]),
    )
    with fileio.open(os.path.join(arguments.model_run_dir, HISTORY_FILE), "w") as file:
        file.write(json.dumps(trained.history))
    export_servable(trained, dataset, arguments.serving_model_dir, trained.validation_metrics(), LOG.info)
