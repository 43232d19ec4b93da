"""One loaded version of a model: a TensorFlow session over its SavedModel, as TensorFlow Serving loads it."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np
import tensorflow as tf
from tensorflow.python.client import pywrap_tf_session

from tfrec.serving.server.errors import NAMES, StatusError, invalid

try:
    import tensorflow_text  # registers its ops
except ImportError:
    tensorflow_text = None

# The public Session.run checks and converts feeds in Python, three times slower and with texts of its own; the call
# below is what it ends in, and gives the texts of the runtime that TensorFlow Serving gives.


ENDLESS = 1e7  # seconds


class Runnable(Protocol):
    """What requests need of a servable, batched or not; `Servable` says what the parts mean."""

    signatures: Mapping[str, Any]

    def run(
        self, feeds: Mapping[str, np.ndarray], fetches: Sequence[str], timeout: float | None = None
    ) -> list[np.ndarray]: ...

    def close(self) -> None: ...


class Servable:
    """A session and the signatures it can run; safe to use from several threads.

    Attributes:
        signatures: SignatureDef by name, as in the SavedModel.
    """

    def __init__(self, session: tf.compat.v1.Session, signatures: Mapping[str, Any]) -> None:
        self.signatures: Mapping[str, Any] = dict(signatures)
        self._session = session
        self._outputs: dict[str, Any] = {}
        self._lock = threading.Lock()
        session._extend_graph()

    def run(
        self, feeds: Mapping[str, np.ndarray], fetches: Sequence[str], timeout: float | None = None
    ) -> list[np.ndarray]:
        """Values of the tensors `fetches` with the tensors `feeds` replaced; only what they need is computed.

        Args:
            feeds: arrays by tensor name.
            timeout: seconds after which the run is given up.

        Raises:
            StatusError: with TensorFlow's own code and text.
        """
        fed = {self._tensor(name): array for name, array in feeds.items()}
        fetched = [self._tensor(name) for name in fetches]
        options = tf.compat.v1.RunOptions(timeout_in_ms=_milliseconds(timeout))
        buffer = pywrap_tf_session.TF_NewBufferFromString(options.SerializeToString())
        try:
            values = pywrap_tf_session.TF_SessionRun_wrapper(self._session._session, buffer, fed, fetched, [], None)
        except tf.errors.OpError as error:  # raised by the runtime without the attributes Python code would set
            code = tf.compat.v1.errors.error_code_from_exception_type(type(error))
            raise StatusError(NAMES.get(code, "UNKNOWN"), str(error)) from error
        except UnicodeDecodeError as error:  # the text of TensorFlow's error quotes bytes that are no UTF-8
            raise invalid(error.object.decode("utf-8", "replace")) from error
        finally:
            pywrap_tf_session.TF_DeleteBuffer(buffer)
        return [_array(value) for value in values]

    def close(self) -> None:
        """Free the session; the servable cannot run afterwards."""
        self._session.close()
        self._outputs.clear()

    def _tensor(self, name: str) -> Any:
        found = self._outputs.get(name)
        if found is None:
            try:
                tensor = self._session.graph.get_tensor_by_name(name)
            except (KeyError, ValueError, TypeError) as error:
                raise invalid(f"the signature names a tensor {name!r} that the graph does not have") from error
            with self._lock:
                found = self._outputs.setdefault(name, tensor._as_tf_output())
        return found


def _array(value: Any) -> np.ndarray:
    """Scalars come as NumPy scalars, or bytes for a string."""
    return np.array(value, dtype=object) if isinstance(value, bytes) else np.asarray(value)


def _milliseconds(timeout: float | None) -> int:
    """As TensorFlow takes it: 0 for none, which gRPC may give as an endless time."""
    if timeout is None or timeout > ENDLESS:
        return 0
    return max(1, int(timeout * 1000))


def session_config(session_threads: int = 0, intra_op: int = 0, inter_op: int = 0) -> tf.compat.v1.ConfigProto:
    """Threads within an op and between ops, `session_threads` for both if both are 0; 0 leaves it to TensorFlow."""
    if not (intra_op or inter_op):
        intra_op = inter_op = session_threads
    return tf.compat.v1.ConfigProto(intra_op_parallelism_threads=intra_op, inter_op_parallelism_threads=inter_op)


def load_servable(
    path: str,
    tags: Sequence[str] = (tf.saved_model.SERVING,),
    config: tf.compat.v1.ConfigProto | None = None,
) -> Servable:
    """Load the meta graph with `tags` of the SavedModel in the folder `path`.

    Raises:
        StatusError: there is no SavedModel, or it cannot be loaded.
    """
    if not any(tf.io.gfile.exists(f"{path}/saved_model.{ending}") for ending in ("pb", "pbtxt")):
        raise StatusError(
            "NOT_FOUND",
            f"Could not find SavedModel .pb or .pbtxt at supplied export directory path: {path}. "
            "Check that the directory exists and that you have the right permissions for accessing it.",
        )
    session = tf.compat.v1.Session(graph=tf.Graph(), config=config)
    try:
        meta_graph = tf.compat.v1.saved_model.load(session, list(tags), path)
        return Servable(session, meta_graph.signature_def)
    except BaseException as error:
        session.close()
        if isinstance(error, tf.errors.OpError):
            raise StatusError(NAMES.get(error.code, "UNKNOWN"), error.message) from error
        if isinstance(error, Exception):  # a broken file can make the loader raise anything
            raise StatusError("UNKNOWN", f"{type(error).__name__}: {error}") from error
        raise
