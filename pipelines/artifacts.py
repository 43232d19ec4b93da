"""What the components hand on beside TFX's standard artifacts."""

from tfx.types.artifact import Artifact


class CatalogueMedia(Artifact):
    """Pictures and clips of the catalogue, a folder for each feature; see `tfrec.data.media`.

    They are kept apart from the examples so that statistics and Transform do not read them.
    """

    TYPE_NAME = "TfrecCatalogueMedia"


class IngestionReport(Artifact):
    """What an ingestion kept and refused: `quarantine.jsonl`, and `report.json` or `counts.json`."""

    TYPE_NAME = "TfrecIngestionReport"


class Embeddings(Artifact):
    """Which vectors are ready in the embedding cache: `embeddings.json`. The cache itself outlives the run."""

    TYPE_NAME = "TfrecEmbeddings"
