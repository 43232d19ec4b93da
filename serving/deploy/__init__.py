"""Files that put a pushed model behind the stock tensorflow/serving image: Docker, Kubernetes, KServe, monitoring.

`templates/` holds them; `write_deployment` fills in a model's name, place and sizes. Imports no TensorFlow.
"""

from tfrec.serving.deploy.render import rendered, write_deployment
from tfrec.serving.deploy.settings import DeploymentSettings

__all__ = ["DeploymentSettings", "rendered", "write_deployment"]
