"""A little shop whose files lie on a volume of the pods."""

import importlib.util
import json

import pytest

collect_ignore_glob = [] if importlib.util.find_spec("tfx") else ["test_*.py"]


@pytest.fixture(scope="module")
def shop(tmp_path_factory, make_world, word_encoder):
    text = {"modality": "text", "columns": ["title"], "encoder": {"path": word_encoder, "max_length": 16}}
    features = {"text": text, "category": "category", "tags": {"modality": "categories"}, "price": "number"}
    return make_world(tmp_path_factory.mktemp("shop"), features, items=32, users=60, events=12)


@pytest.fixture(scope="module")
def settings(shop, word_encoder):
    """Returns the configuration with `kubeflow` settings changed."""

    def make(output="cluster", pipeline=None, tuning=None, **kubeflow):
        volumes = {"shop": str(shop.folder), "encoders": word_encoder}
        return shop.config(
            data={"output": output},
            split={"held_out_items": 0.25},
            gates={"margin": 0.01},
            pipeline=pipeline or {},
            tuning=tuning or {},
            kubeflow={"image": "registry.example/tfrec:1", "volumes": volumes, **json.loads(json.dumps(kubeflow))},
        )

    return make
