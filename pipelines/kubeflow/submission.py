"""Sends the compiled pipeline to a Kubeflow Pipelines endpoint."""

from __future__ import annotations

import contextlib
import dataclasses
import io
import json
import os
import urllib.error
import urllib.request
from collections.abc import Mapping

from tfrec.errors import TfrecError

_SECONDS = 10.0


@dataclasses.dataclass(frozen=True)
class Submitted:
    """A run that the endpoint accepted: its id, and the page that shows it."""

    run_id: str
    url: str


def submit(
    path: str,
    endpoint: str,
    arguments: Mapping[str, str],
    run_name: str,
    experiment: str = "Default",
    namespace: str | None = None,
    token: str | None = None,
    root: str = "",
) -> Submitted:
    """Start a run of the compiled pipeline in the file `path`.

    Args:
        path: what `write_definition` wrote.
        endpoint: address of the API, such as http://localhost:8888.
        arguments: values of the pipeline's parameters.
        run_name, experiment: names of the run and of the experiment it belongs to, which is made if it is not there.
        namespace: of the user, where the installation has several.
        token: bearer token of the API, None where it asks for none.
        root: folder of the artifacts, "" for the one in the file or the installation's own.

    Raises:
        TfrecError: if the endpoint refuses, in one sentence.
    """
    endpoint = endpoint.rstrip("/")
    import kfp.client
    import kfp_server_api

    try:
        with contextlib.redirect_stdout(io.StringIO()):  # the client prints links for notebooks
            client = kfp.client.Client(host=endpoint, namespace=namespace or "kubeflow", existing_token=token)
            run = client.create_run_from_pipeline_package(
                path,
                arguments=dict(arguments),
                run_name=run_name,
                experiment_name=experiment,
                namespace=namespace,
                pipeline_root=root or None,
            )
    except kfp_server_api.ApiException as error:
        raise TfrecError(
            f"{endpoint} refused the pipeline: {error.status} {_reason(error)}; its log says more"
        ) from error
    return Submitted(run.run_id, f"{endpoint}/#/runs/details/{run.run_id}")


def require_answer(endpoint: str, token: str | None = None) -> None:
    """Check that Kubeflow Pipelines answers; its client would try for half a minute and then say little.

    Raises:
        TfrecError: in one sentence that says what answered and what to do.
    """
    endpoint = endpoint.rstrip("/")
    if not endpoint.startswith(("http://", "https://")):
        raise TfrecError(f"the endpoint {endpoint} is no address; expected one such as http://localhost:8888")
    request = urllib.request.Request(
        f"{endpoint}/apis/v2beta1/healthz", headers={"Authorization": f"Bearer {token}"} if token else {}
    )
    try:
        with urllib.request.urlopen(request, timeout=_SECONDS) as answer:
            json.loads(answer.read())
    except urllib.error.HTTPError as error:
        hint = "give a valid token with --token-file" if error.code in (401, 403) else "check its address and version"
        raise TfrecError(f"{endpoint} answers {error.code} {error.reason} to Kubeflow's API; {hint}") from error
    except ValueError as error:
        raise TfrecError(f"{endpoint} answers, but not with Kubeflow's API of version 2; check the address") from error
    except OSError as error:
        reason = getattr(error, "reason", error)
        raise TfrecError(
            f"no Kubeflow Pipelines answers at {endpoint}: {reason}; check the address, or forward its port with "
            "`kubectl port-forward -n kubeflow svc/ml-pipeline 8888:8888`"
        ) from error


def _reason(error) -> str:
    try:
        told = json.loads(error.body or "{}")
        return str(told.get("message") or told.get("error") or error.reason)
    except ValueError:
        return str(error.reason)


def token_in(path: str) -> str | None:
    """The bearer token in the file at `path`, None for no path.

    Raises:
        TfrecError: if it cannot be read.
    """
    if not path:
        return None
    try:
        with open(os.path.expanduser(path), encoding="utf-8") as file:
            return file.read().strip()
    except OSError as error:
        raise TfrecError(f"cannot read the token file {path}: {error.strerror}; check --token-file") from error
