"""Runs the frozen encoders over the catalogue, so that the Trainer finds every vector in the cache."""

import json
import logging
import os

from tfx.dsl.component.experimental.annotations import InputArtifact, OutputArtifact, Parameter
from tfx.dsl.component.experimental.decorators import component
from tfx.dsl.io import fileio
from tfx.types.standard_artifacts import Examples

from tfrec.config import Config
from tfrec.data.tables import Catalogue
from tfrec.encoders.cache import Progress, encode_column, text_digests
from tfrec.encoders.item_inputs import search_texts
from tfrec.model.build import build_encoders
from tfrec.model.two_tower import search_feature
from tfrec.pipelines.artifacts import CatalogueMedia, Embeddings
from tfrec.pipelines.progress import steps_logged
from tfrec.pipelines.sections import config_of
from tfrec.pipelines.tables import read_catalogue

LOG = logging.getLogger(__name__)
_FILE = "embeddings.json"


@component
def ContentEncoder(
    catalogue: InputArtifact[Examples],
    media: InputArtifact[CatalogueMedia],
    embeddings: OutputArtifact[Embeddings],
    section: Parameter[str],
    cache: Parameter[str],
    fingerprint: Parameter[str],
    code: Parameter[str],
):
    """Encode what is new in the catalogue with every encoder that is not trained.

    The cache is keyed by content and encoder, and outlives the run: of a changed catalogue only changed items are
    encoded.

    Args:
        catalogue, media: what `CatalogueIngest` gave.
        embeddings: where the vectors are.
        section: `encoders_section` of the configuration.
        cache: folder of the embedding cache.
        fingerprint, code: hashes of the encoders' files and of the source, for the component's own cache only.
    """
    config = config_of(section)
    encoded = encode_catalogue(config, read_catalogue(config, catalogue.uri, media.uri), cache)
    with fileio.open(os.path.join(embeddings.uri, _FILE), "w") as file:
        file.write(json.dumps({"cache": cache, "encoders": encoded}))


def encode_catalogue(config: Config, catalogue: Catalogue, cache: str) -> dict[str, str]:
    """Fill the cache, and return the fingerprint of each frozen encoder by feature name."""
    encoders = {name: encoder for name, encoder in build_encoders(config).items() if encoder.frozen}
    search = search_feature(config.schema) if config.model.use_search else ""
    for name, encoder in encoders.items():
        if name in catalogue.media:
            media = catalogue.media[name]
            encode_column(encoder, media, media.digests, cache, _told(name))
        else:
            _encode_texts(encoder, catalogue.columns[name], cache, _told(name))
        if name == search:
            _encode_texts(encoder, search_texts(catalogue, name)[0], cache, _told("search texts"))
    return {name: encoder.fingerprint() for name, encoder in encoders.items()}


def cache_of(embeddings: str) -> str:
    """The folder of the embedding cache that the Embeddings artifact at this uri names."""
    with fileio.open(os.path.join(embeddings, _FILE), "r") as file:
        return json.loads(file.read())["cache"]


def _encode_texts(encoder, texts, cache: str, progress: Progress) -> None:
    encode_column(encoder, (text.encode() for text in texts), text_digests(texts), cache, progress)


def _told(what: str) -> Progress:
    progress = steps_logged(LOG)
    return lambda done, total: progress(what, done, total)
