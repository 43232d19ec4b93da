"""Multimodal recommendations and search on TensorFlow, from raw text, pictures, sound and events to TensorFlow Serving.

Importing `tfrec` imports no TensorFlow. TensorFlow Recommenders needs Keras 2, which TensorFlow 2.16 and later
provide as `tf_keras` when `TF_USE_LEGACY_KERAS=1` is set before TensorFlow is first imported; the package sets it.
"""

import os as _os
import sys as _sys

__version__ = "0.1.0"


def _choose_keras_2() -> None:
    if _os.environ.setdefault("TF_USE_LEGACY_KERAS", "1") in ("1", "True", "true"):
        return
    raise ImportError(
        "tfrec needs Keras 2 but TF_USE_LEGACY_KERAS is "
        f"{_os.environ['TF_USE_LEGACY_KERAS']!r}; unset it or set it to 1 before starting Python"
    )


def _refuse_keras_3() -> None:
    """Raise ImportError when TensorFlow has already bound `tf.keras` to Keras 3, which cannot be undone."""
    tensorflow = _sys.modules.get("tensorflow")
    if tensorflow is None or "TF_USE_LEGACY_KERAS" in _os.environ:
        return
    keras = _sys.modules.get("keras")
    if keras is not None and getattr(keras, "__version__", "").startswith("3") and "tf_keras" not in _sys.modules:
        raise ImportError(
            "TensorFlow was imported with Keras 3 before tfrec, which needs Keras 2; "
            "import tfrec first, or set TF_USE_LEGACY_KERAS=1 before importing tensorflow"
        )


_refuse_keras_3()
_choose_keras_2()
_os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
