"""Ingestion in two components: the catalogue with its media, then events and users, so that each is cached apart."""

import logging
import os

import apache_beam as beam
from tfx.dsl.component.experimental.annotations import (
    BeamComponentParameter,
    InputArtifact,
    OutputArtifact,
    Parameter,
)
from tfx.dsl.component.experimental.decorators import component
from tfx.types import artifact_utils
from tfx.types.standard_artifacts import Examples

from tfrec.data.ingest import ingest_catalogue, ingest_events
from tfrec.pipelines.artifacts import CatalogueMedia, IngestionReport
from tfrec.pipelines.events_transform import checked_events
from tfrec.pipelines.progress import steps_logged
from tfrec.pipelines.sections import config_of
from tfrec.pipelines.tables import (
    ITEMS,
    SPLITS,
    read_earlier,
    read_ingested_catalogue,
    write_catalogue,
    write_dataset,
)

LOG = logging.getLogger(__name__)


@component
def CatalogueIngest(
    catalogue: OutputArtifact[Examples],
    media: OutputArtifact[CatalogueMedia],
    report: OutputArtifact[IngestionReport],
    items_path: Parameter[str],
    media_folder: Parameter[str],
    section: Parameter[str],
    fingerprint: Parameter[str],
    code: Parameter[str],
):
    """Read and check the items file and the pictures and clips it names.

    Args:
        catalogue: split `items`, an example per item.
        media: normalised pictures and clips.
        report: the quarantined rows and cells, and the counts of the file.
        items_path, media_folder: data.items and data.media of the configuration.
        section: `catalogue_section` of the configuration.
        fingerprint, code: hashes of the input and of the source, for the cache only.
    """
    config = config_of(section, items=items_path, media=media_folder)
    ingested = ingest_catalogue(config, media.uri, steps_logged(LOG))
    write_catalogue(ingested, config, catalogue.uri, report.uri)
    catalogue.split_names = artifact_utils.encode_split_names([ITEMS])


@component(use_beam=True)
def EventIngest(
    catalogue: InputArtifact[Examples],
    media: InputArtifact[CatalogueMedia],
    catalogue_report: InputArtifact[IngestionReport],
    examples: OutputArtifact[Examples],
    report: OutputArtifact[IngestionReport],
    items_path: Parameter[str],
    events_path: Parameter[str],
    users_path: Parameter[str],
    section: Parameter[str],
    earlier: Parameter[str],
    fingerprint: Parameter[str],
    code: Parameter[str],
    beam_pipeline: BeamComponentParameter[beam.Pipeline] = None,
):
    """Read and check events and users, and divide the events; the workers of Beam read a piece of the log each.

    Args:
        catalogue, media, catalogue_report: what `CatalogueIngest` gave.
        examples: `tfrec.pipelines.tables.SPLITS`.
        report: quarantine and report of both ingestions together.
        items_path, events_path, users_path: data.items, data.events and data.users of the configuration.
        section: `events_section` of the configuration.
        earlier: examples of an earlier run, to which newer events are added; "" reads all events of the file.
        fingerprint, code: hashes of the input and of the source, for the cache only.
        beam_pipeline: with the options of `pipeline.beam`.
    """
    config = config_of(section, items=items_path, events=events_path, users=users_path)
    ingested = read_ingested_catalogue(config, catalogue.uri, media.uri, catalogue_report.uri)
    before = read_earlier(config, earlier) if earlier else None
    pieces = os.path.join(report.uri, "pieces")
    checked = checked_events(beam_pipeline, config, catalogue.uri, pieces, before.until if before else None)
    dataset, found = ingest_events(config, ingested, report.uri, checked, before)
    write_dataset(dataset, config, catalogue.uri, examples.uri)
    examples.split_names = artifact_utils.encode_split_names(list(SPLITS))
    for sentence in found.sentences():
        LOG.info(sentence)
