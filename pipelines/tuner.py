"""Searches the settings of the section `tuning` and hands the best to the Trainer, as TFX's own Tuner does.

TFX's Tuner reads one channel of examples; this one also needs the catalogue, its media and its embeddings.
"""

import json
import logging
import os

from tfx.dsl.component.experimental.annotations import InputArtifact, OutputArtifact, Parameter
from tfx.dsl.component.experimental.decorators import component
from tfx.dsl.io import fileio
from tfx.types.standard_artifacts import Examples, HyperParameters, TransformGraph, TunerResults

from tfrec.config import Config
from tfrec.pipelines.artifacts import CatalogueMedia, Embeddings
from tfrec.pipelines.encoding import cache_of
from tfrec.pipelines.feature_space import feature_space_of
from tfrec.pipelines.progress import steps_logged
from tfrec.pipelines.sections import config_of
from tfrec.pipelines.tables import read_dataset
from tfrec.search_space import with_values
from tfrec.tuning.oracle import decoded
from tfrec.tuning.plot import trials_plot
from tfrec.tuning.study import tune

LOG = logging.getLogger(__name__)
BEST_FILE = "best_hyperparameters.txt"
RESULTS_FILE, PLOT_FILE = "tuner_results.json", "tuning.svg"


@component
def Tuner(
    examples: InputArtifact[Examples],
    catalogue: InputArtifact[Examples],
    media: InputArtifact[CatalogueMedia],
    embeddings: InputArtifact[Embeddings],
    transform_graph: InputArtifact[TransformGraph],
    best_hyperparameters: OutputArtifact[HyperParameters],
    tuner_results: OutputArtifact[TunerResults],
    section: Parameter[str],
    directory: Parameter[str],
    code: Parameter[str],
):
    """Train a model for each trial and keep the settings of the one that is best on the validation part.

    Args:
        examples, catalogue, media, embeddings, transform_graph: what the Trainer reads too.
        best_hyperparameters: a file of KerasTuner's HyperParameters, for the Trainer.
        tuner_results: tuner_results.json and tuning.svg.
        section: `tuning_section` of the configuration.
        directory: folder of the searches, which outlives the run so that one that was killed goes on.
        code: hash of the source, for the cache only.
    """
    config = config_of(section)
    result = tune(
        config,
        read_dataset(config, catalogue.uri, media.uri, examples.uri),
        directory,
        feature_space_of(transform_graph.uri, config.schema),
        cache_of(embeddings.uri),
        LOG.info,
        steps_logged(LOG),
    )
    files = {
        os.path.join(best_hyperparameters.uri, BEST_FILE): json.dumps(result.hyperparameters),
        os.path.join(tuner_results.uri, RESULTS_FILE): json.dumps(result.document(), indent=1),
        os.path.join(tuner_results.uri, PLOT_FILE): trials_plot(result),
    }
    for path, text in files.items():
        with fileio.open(path, "w") as file:
            file.write(text)


def tuned(config: Config, hyperparameters: dict) -> Config:
    """The configuration with the values of KerasTuner's HyperParameters, given as it writes them."""
    return with_values(config, decoded(hyperparameters["values"]))
