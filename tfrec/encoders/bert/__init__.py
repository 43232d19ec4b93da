"""BERT in TensorFlow, and the import of a BERT checkpoint as a TF-Hub style pair of SavedModels."""

from tfrec.encoders.bert.importing import import_bert

__all__ = ["import_bert"]
