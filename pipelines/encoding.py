"""Runs the frozen encoders over the catalogue, so that the Trainer finds every vector in the cache."""

import json
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
from tfx.dsl.io import fileio
from tfx.types.standard_artifacts import Examples

from tfrec.model.build import build_encoders
from tfrec.pipelines.artifacts import CatalogueMedia, Embeddings
from tfrec.pipelines.beam_run import counted, run_beam
from tfrec.pipelines.encoding_transform import ENCODED, Encode, content_shards
from tfrec.pipelines.sections import config_of

LOG = logging.getLogger(__name__)
_FILE = "embeddings.json"


@component(use_beam=True)
def ContentEncoder(
    catalogue: InputArtifact[Examples],
    media: InputArtifact[CatalogueMedia],
    embeddings: OutputArtifact[Embeddings],
    section: Parameter[str],
    cache: Parameter[str],
    fingerprint: Parameter[str],
    code: Parameter[str],
    beam_pipeline: BeamComponentParameter[beam.Pipeline] = None,
):
    """Encode what is new in the catalogue with every encoder that is not trained, on the workers of Beam.

    The cache is keyed by content and encoder, and outlives the run: of a changed catalogue only changed items are
    encoded.

    Args:
        catalogue, media: what `CatalogueIngest` gave.
        embeddings: where the vectors are.
        section: `encoders_section` of the configuration.
        cache: folder of the embedding cache.
        fingerprint, code: hashes of the encoders' files and of the source, for the component's own cache only.
        beam_pipeline: with the options of `pipeline.beam`.
    """
    encoded = encode_catalogue(beam_pipeline, section, catalogue.uri, media.uri, cache)
    with fileio.open(os.path.join(embeddings.uri, _FILE), "w") as file:
        file.write(json.dumps({"cache": cache, "encoders": encoded}))


def encode_catalogue(pipeline: beam.Pipeline, section: str, catalogue: str, media: str, cache: str) -> dict[str, str]:
    """Fill the cache, and return the fingerprint of each frozen encoder by feature name.

    Raises:
        DataError: if content cannot be decoded, vectors are not finite, or the disk is full.
    """
    config = config_of(section)
    encoders = {name: encoder for name, encoder in build_encoders(config).items() if encoder.frozen}
    for name, encoder in encoders.items():
        shards = content_shards(config, name, catalogue, media)
        _ = pipeline | f"encode {name}" >> Encode(section, name, encoder, shards, cache)
    if encoders:
        LOG.info(f"{counted(run_beam(pipeline), ENCODED):,} contents were new and are encoded")
    return {name: encoder.fingerprint() for name, encoder in encoders.items()}


def cache_of(embeddings: str) -> str:
    """The folder of the embedding cache that the Embeddings artifact at this uri names."""
    with fileio.open(os.path.join(embeddings, _FILE), "r") as file:
        return json.loads(file.read())["cache"]
