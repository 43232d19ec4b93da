"""What the components hand on beside TFX's standard artifacts.

Kubeflow wants type names of the form namespace.Name; the name is that of the class, by which `kubeflow.entry` finds it.
"""

from tfx.types.artifact import Artifact


class CatalogueMedia(Artifact):
    """Pictures and clips of the catalogue, a folder for each feature; see `tfrec.data.media`.

    They are kept apart from the examples so that statistics and Transform do not read them.
    """

    TYPE_NAME = "tfrec.CatalogueMedia"


class IngestionReport(Artifact):
    """What an ingestion kept and refused: `quarantine.jsonl`, and `report.json` or `counts.json`."""

    TYPE_NAME = "tfrec.IngestionReport"


class Embeddings(Artifact):
    """Which vectors are ready in the embedding cache: `embeddings.json`. The cache itself outlives the run."""

    TYPE_NAME = "tfrec.Embeddings"


class DriftReport(Artifact):
    """How far the data lie from those of the last blessed model: `drift.json`."""

    TYPE_NAME = "tfrec.DriftReport"
