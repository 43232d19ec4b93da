"""Serving: a client of TensorFlow Serving's API, a development server that speaks it, and starting the real one.

Importing this package, and using the client, imports no TensorFlow.
"""

from tfrec.serving.async_client import AsyncClient
from tfrec.serving.channel import TLS, CallError
from tfrec.serving.client import Client
from tfrec.serving.model_server import find_model_server, start_model_server
from tfrec.serving.query import Query
from tfrec.serving.reasons import Explanation, Reason
from tfrec.serving.results import Recommendation, Recommendations, VersionStatus
from tfrec.serving.server import serve

__all__ = [
    "TLS",
    "AsyncClient",
    "CallError",
    "Client",
    "Explanation",
    "Query",
    "Reason",
    "Recommendation",
    "Recommendations",
    "VersionStatus",
    "find_model_server",
    "serve",
    "start_model_server",
]
