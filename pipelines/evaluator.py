"""Judges the servable on the test part and on held-out items, and blesses it or says why not."""

import json
import logging
import os

from tfx.dsl.component.experimental.annotations import InputArtifact, OutputArtifact, Parameter
from tfx.dsl.component.experimental.decorators import component
from tfx.dsl.io import fileio
from tfx.types.standard_artifacts import (
    Examples,
    ExampleStatistics,
    Model,
    ModelBlessing,
    ModelEvaluation,
    ModelRun,
)
from tfx.utils import path_utils

from tfrec.data.ingest import REPORT_FILE
from tfrec.data.report import Report
from tfrec.evaluation.drift import Drift
from tfrec.export.manifest import servable_identity
from tfrec.pipelines.artifacts import CatalogueMedia, DriftReport, IngestionReport
from tfrec.pipelines.drift import DRIFT_FILE, keep_statistics, read_statistics
from tfrec.pipelines.sections import config_of
from tfrec.pipelines.tables import read_dataset
from tfrec.pipelines.training import HISTORY_FILE
from tfrec.steps.evaluate import evaluate_servable
from tfrec.steps.rollback import withdrawn_models

LOG = logging.getLogger(__name__)
METRICS_FILE = "metrics.json"
JUDGED, COMPARED_WITH, WITHDRAWN = "judged", "compared_with", "withdrawn"
"""Properties of a blessing: the `servable_identity` of the model, and of the served one, "" for none, and whether the
model had been withdrawn by a rollback, 0 or 1."""


@component
def RetrievalEvaluator(
    model: InputArtifact[Model],
    model_run: InputArtifact[ModelRun],
    examples: InputArtifact[Examples],
    catalogue: InputArtifact[Examples],
    media: InputArtifact[CatalogueMedia],
    report: InputArtifact[IngestionReport],
    statistics: InputArtifact[ExampleStatistics],
    drift: InputArtifact[DriftReport],
    evaluation: OutputArtifact[ModelEvaluation],
    blessing: OutputArtifact[ModelBlessing],
    section: Parameter[str],
    served: Parameter[str],
    blessed: Parameter[str],
    audit: Parameter[str],
    code: Parameter[str],
):
    """Evaluate by retrieval over the full catalogue; TFMA's per-example metrics cannot rank it.

    Args:
        model, model_run: what the Trainer gave.
        examples, catalogue, media, report: what ingestion gave.
        statistics, drift: of the examples; the statistics of a blessed run are what the next one is compared with.
        evaluation: metrics.json, report.json and report.html.
        blessing: as the Pusher expects it, with a file BLESSED or NOT_BLESSED that holds the reasons.
        section: `evaluation_section` of the configuration.
        served: the folder of the versions that are served, with whose latest the model is compared.
        blessed: the folder where statistics of blessed runs are kept.
        audit, code: hashes of the audit that the gates name and of the source, for the cache only.
    """
    config = config_of(section)
    with fileio.open(os.path.join(report.uri, REPORT_FILE), "r") as file:
        data_report = Report.from_json(json.loads(file.read()))
    with fileio.open(os.path.join(model_run.uri, HISTORY_FILE), "r") as file:
        history = json.loads(file.read())
    with fileio.open(os.path.join(drift.uri, DRIFT_FILE), "r") as file:
        measured = Drift.from_json(json.loads(file.read()))
    servable = path_utils.serving_model_path(model.uri)
    assessment = evaluate_servable(
        config,
        read_dataset(config, catalogue.uri, media.uri, examples.uri),
        servable,
        evaluation.uri,
        data_report,
        history,
        LOG.info,
        served,
        measured,
    )
    if assessment.blessed:
        keep_statistics(blessed, read_statistics(statistics))
    name = "BLESSED" if assessment.blessed else "NOT_BLESSED"
    with fileio.open(os.path.join(blessing.uri, name), "w") as file:
        file.write("".join(reason + "\n" for reason in assessment.reasons))
    blessing.set_int_custom_property("blessed", int(assessment.blessed))
    blessing.set_string_custom_property("current_model", model.uri)
    blessing.set_int_custom_property("current_model_id", model.id)
    identity = servable_identity(servable)
    blessing.set_string_custom_property(JUDGED, identity)
    blessing.set_int_custom_property(WITHDRAWN, int(identity in withdrawn_models(served)))
    blessing.set_string_custom_property(COMPARED_WITH, assessment.compared_with)
