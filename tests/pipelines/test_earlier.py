"""`--since last` finds the events of the last run, and says clearly where there are none."""

import json

import pytest
import yaml
from tfx.orchestration import metadata
from tfx.orchestration.pipeline import Pipeline

from tfrec.config import load_config
from tfrec.errors import ConfigError, TfrecError
from tfrec.pipelines.earlier import earlier_examples
from tfrec.pipelines.fingerprints import take_fingerprints
from tfrec.pipelines.local import run_locally
from tfrec.pipelines.pipeline import Places, ingestion
from tfrec.pipelines.run import run_pipeline
from tfrec.pipelines.tables import read_earlier


class Shop:
    """The first two components of the pipeline of a little shop, run as the whole would run them."""

    def __init__(self, world):
        self.world, self.log = world, world.folder / "events.jsonl"
        self.rows = self.log.read_text().splitlines(keepends=True)
        self.path = world.folder / "shop.yaml"
        self.configure()
        (world.folder / "out" / "pipeline").mkdir(parents=True)
        self.connection = metadata.sqlite_metadata_connection_config(
            str(world.folder / "out" / "pipeline" / "metadata.sqlite")
        )

    def configure(self, **sections):
        self.path.write_text(yaml.safe_dump(json.loads(json.dumps(self.world.document(**sections)))))

    def earlier(self):
        config = load_config(str(self.path))
        return earlier_examples(self.connection, config, take_fingerprints(config).events)

    def run(self, since_last=False):
        config = load_config(str(self.path))
        earlier = self.earlier() if since_last else ""
        pipeline = Pipeline(
            pipeline_name="shop",
            pipeline_root=Places.of(config).root,
            components=list(ingestion(config, take_fingerprints(config), lambda name, value: value, earlier)),
            enable_cache=True,
            metadata_connection_config=self.connection,
        )
        execution = run_locally(pipeline, lambda *_: None)["EventIngest"]
        return execution, read_earlier(config, execution.outputs["examples"].uri)


@pytest.fixture
def shop(tmp_path, make_world):
    return Shop(make_world(tmp_path / "shop", {"category": "category"}, items=20, users=30, events=8))


def test_newer_events_are_added_run_after_run(shop):
    for until in (100, 150, 200):
        shop.log.write_text("".join(shop.rows[:until]))
        execution, kept = shop.run(since_last=until > 100)
        assert not execution.reused and len(kept.events) == until
    again, _ = shop.run(since_last=True)
    assert again.reused  # the same files, so there is nothing to do
    shop.configure(schema={**shop.world.document()["schema"], "users": {"id": "user_id"}})
    with pytest.raises(ConfigError, match="the schema has changed since the last run"):
        shop.earlier()


def test_without_an_earlier_run_that_is_told(shop):
    with pytest.raises(TfrecError, match=r"there was none whose events are still in .*out; run once without it"):
        run_pipeline(str(shop.path), lambda line: None, since_last=True)


def test_events_without_time_cannot_be_told_apart(shop):
    schema = shop.world.document()["schema"]
    shop.configure(schema={**schema, "events": {k: v for k, v in schema["events"].items() if k != "time"}})
    with pytest.raises(ConfigError, match=r"--since last needs schema\.events\.time"):
        shop.earlier()
