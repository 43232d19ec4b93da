"""A compiled pipeline is sent by Kubeflow's own client to a stub of its API that records the requests."""

import http.server
import json
import threading

import pytest
import yaml

from tfrec.cli.main import main
from tfrec.errors import TfrecError
from tfrec.pipelines.fingerprints import take_fingerprints
from tfrec.pipelines.kubeflow.submission import require_answer, submit, token_in

SPEC = {
    "pipelineInfo": {"name": "shop"},
    "schemaVersion": "2.1.0",
    "sdkVersion": "tfx-1.16.0",
    "components": {"a": {"executorLabel": "a_executor"}},
    "deploymentSpec": {"executors": {"a_executor": {"container": {"image": "tfrec:1"}}}},
    "root": {
        "dag": {"tasks": {"a": {"componentRef": {"name": "a"}, "taskInfo": {"name": "a"}}}},
        "inputDefinitions": {"parameters": {"items_path": {"parameterType": "STRING", "defaultValue": "gs://b/i"}}},
    },
}
PLATFORM = {"platforms": {"kubernetes": {"deploymentSpec": {"executors": {"a_executor": {}}}}}}


class Api(http.server.BaseHTTPRequestHandler):
    """What of the API a submission needs; `requests` are (method, path, token, body)."""

    refusal = None

    def do_GET(self):
        self._record(b"")
        if self.path.startswith("/apis/v2beta1/healthz"):
            return self._answer(200, {"multi_user": False})
        return self._answer(200, {"experiments": []})

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self._record(body)
        if self.path.startswith("/apis/v2beta1/experiments"):
            return self._answer(200, {"experiment_id": "e1", "display_name": json.loads(body)["display_name"]})
        if self.server.refusal:
            return self._answer(400, {"message": self.server.refusal})
        return self._answer(200, {"run_id": "r1", "experiment_id": "e1"})

    def _record(self, body):
        parsed = json.loads(body) if body else None
        self.server.requests.append((self.command, self.path, self.headers.get("Authorization"), parsed))

    def _answer(self, status, document):
        body = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments):
        pass


@pytest.fixture
def api(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))  # where the client keeps settings of its own
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Api) as server:
        server.requests, server.refusal = [], None
        server.address = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def package(tmp_path):
    path = tmp_path / "pipeline.yaml"
    path.write_text(yaml.safe_dump_all([SPEC, PLATFORM]))
    return str(path)


def test_a_run_is_started_with_pipeline_parameters_and_token(api, package, tmp_path):
    (tmp_path / "token").write_text("secret\n")
    token = token_in(str(tmp_path / "token"))
    require_answer(api.address, token)
    arguments = {"items_path": "gs://b/new"}
    run = submit(package, api.address, arguments, "shop today", "films", token=token, root="gs://b/root")
    assert (run.run_id, run.url) == ("r1", f"{api.address}/#/runs/details/r1")
    _, _, authorization, body = api.requests[-1]
    assert authorization == "Bearer secret"
    assert body["display_name"] == "shop today"
    assert body["pipeline_spec"] == {"pipeline_spec": SPEC, "platform_spec": PLATFORM}
    assert body["runtime_config"] == {"parameters": arguments, "pipeline_root": "gs://b/root"}
    experiments = [body for method, path, _, body in api.requests if method == "POST" and "experiments" in path]
    assert [body["display_name"] for body in experiments] == ["films"]


def test_the_command_compiles_and_sends_the_pipeline_of_the_configuration(api, shop, settings, tmp_path, capsys):
    config = settings()
    document = shop.document(kubeflow={"image": "tfrec:1", "volumes": dict(config.kubeflow.volumes)})
    path = shop.folder / "sent.yaml"
    path.write_text(yaml.safe_dump(json.loads(json.dumps(document))))
    (tmp_path / "token").write_text("secret\n")
    command = ["pipeline", "run", "-c", str(path), "--runner", "kubeflow", "--endpoint", f"{api.address}/"]
    command += ["--experiment", "films", "--token-file", str(tmp_path / "token")]
    assert main(command) == 0
    assert f"run r1 is under way: {api.address}/#/runs/details/r1" in capsys.readouterr().out
    _, _, authorization, body = api.requests[-1]
    sent, parameters = body["pipeline_spec"]["pipeline_spec"], body["runtime_config"]["parameters"]
    assert authorization == "Bearer secret"
    assert "Trainer" in sent["root"]["dag"]["tasks"] and sent["pipelineInfo"]["name"] == "shop"
    assert parameters["events_path"] == config.data.events
    assert parameters["events_fingerprint"] == take_fingerprints(config).events
    assert main([*command, "--since", "last"]) == 2  # it knows of runs on this machine alone


def test_a_refusal_is_the_api_s_own_sentence(api, package):
    api.refusal = "the pipeline has no root"
    with pytest.raises(TfrecError, match="refused the pipeline: 400 the pipeline has no root"):
        submit(package, api.address, {}, "shop")


def test_an_endpoint_that_is_down_is_one_sentence(api):
    address = api.address
    api.server_close()
    with pytest.raises(TfrecError, match=r"no Kubeflow Pipelines answers at .*kubectl port-forward"):
        require_answer(address)


@pytest.mark.parametrize("address", ["localhost:8888", "ml-pipeline"])
def test_an_endpoint_without_scheme_is_one_sentence(address):
    with pytest.raises(TfrecError, match="expected one such as http://localhost:8888"):
        require_answer(address)


def test_a_missing_token_file_is_one_sentence(tmp_path):
    with pytest.raises(TfrecError, match="--token-file"):
        token_in(str(tmp_path / "none"))
