"""Every mistake in a configuration ends in one sentence that names the place and says what to do."""

import copy
import os

import pytest
import yaml

from tfrec.config import load_config, parse_config
from tfrec.errors import ConfigError

GOOD = {
    "data": {"items": "items.csv", "events": "logs/events.csv"},
    "schema": {
        "items": {"id": "item_id", "features": {"title": "text"}},
        "events": {"user": "user_id", "item": "item_id"},
    },
}


def changed(path, value):
    """`GOOD` with the value at a dotted path set, or removed where it is `...`."""
    document = copy.deepcopy(GOOD)
    *sections, key = path.split(".")
    section = document
    for name in sections:
        section = section.setdefault(name, {})
    if value is ...:
        del section[key]
    else:
        section[key] = value
    return document


def test_all_but_data_and_schema_has_defaults():
    config = parse_config(GOOD, "/shop/recommender.yaml")
    assert config.name == config.model_name == "recommender"
    assert config.data.items == "/shop/items.csv" and config.data.events == "/shop/logs/events.csv"
    assert config.data.media == "/shop" and config.data.output == "/shop/build"
    assert config.push_directory == "/shop/build/serving/recommender"
    assert config.schema.users.id == "user_id"


def test_paths_with_a_scheme_and_absolute_ones_stay_as_they_are():
    config = parse_config(changed("data.items", "gs://bucket/items.csv"), "/shop/a.yaml")
    assert config.data.items == "gs://bucket/items.csv"
    assert parse_config(changed("data.items", "/abs/items.csv"), "/shop/a.yaml").data.items == "/abs/items.csv"


def test_the_file_is_read_and_its_folder_anchors_relative_paths(tmp_path):
    path = tmp_path / "shop.yaml"
    path.write_text(yaml.safe_dump({**GOOD, "name": "books", "serving": {"push": "pushed"}}))
    config = load_config(str(path))
    assert config.name == "books" and config.source == str(path)
    assert config.push_directory == os.path.join(tmp_path, "pushed")


def test_single_values_and_whole_numbers_are_taken_for_lists_and_numbers():
    config = parse_config({**GOOD, "evaluation": {"k": 7}, "model": {"temperature": 1}}, "/a.yaml")
    assert config.evaluation.k == (7,)
    assert config.model.temperature == 1.0 and isinstance(config.model.temperature, float)


@pytest.mark.parametrize(
    "path, value, said",
    [
        ("data", ..., "the key 'data' is missing; `tfrec init`"),
        ("schema", ..., "the key 'schema' is missing"),
        ("data.items", ..., "data: the key 'items' is missing"),
        ("data.items", 5, "data.items must be text, got 5"),
        ("data", [1], "data must be a mapping of settings"),
        ("colour", 1, "unknown key 'colour'; the keys are name, data, schema"),
        ("training.epoch", 3, "training: unknown key 'epoch'; did you mean 'epochs'?"),
        ("training.zzz", 3, "training: unknown key 'zzz'; the keys are objective"),
        ("training.epochs", "many", "training.epochs must be a whole number, got 'many'"),
        ("training.epochs", 2.5, "training.epochs must be a whole number, got 2.5"),
        ("training.epochs", True, "training.epochs must be a whole number, got True"),
        ("training.logq", "yes", "training.logq must be true or false, got 'yes'"),
        ("training.epochs", 0, "training.epochs is 0; it must be greater than 0"),
        ("training.checkpoint_every", 0, "training.checkpoint_every is 0; it must be greater than 0"),
        ("training.candidates", -1, "training.candidates is -1; it must be at least 0"),
        ("training.encoder_epochs", -1, "training.encoder_epochs is -1; it must be at least 0"),
        ("training.patience", -2, "training.patience is -2; it must be at least 0"),
        ("training.weight_decay", -0.1, "training.weight_decay is -0.1; it must be at least 0"),
        ("training.search_weight", -1, "training.search_weight is -1.0; it must be at least 0"),
        ("training.learning_rate", float("nan"), "training.learning_rate is nan; it must be greater than 0"),
        ("training.learning_rate", float("inf"), "training.learning_rate is inf; it must be a finite number"),
        ("model.content", "both", "model.content is 'both'; expected one of regression, joint"),
        ("model.members", 0, "model.members is 0; it must be greater than 0"),
        ("model.factors", -1, "model.factors is -1; it must be at least 0"),
        ("model.use_id", False, "model.use_id is false, which needs model.content joint; set that or use_id true"),
        (
            "training",
            {"accumulate": 2, "strategy": "mirrored"},
            "training.accumulate is 2, which needs training.strategy one",
        ),
        (
            "training",
            {"tables": "sharded"},
            "training.tables is sharded, which training.strategy one does not allow; set it to mirrored or tpu",
        ),
        ("training.tables", "split", "training.tables is 'split'; expected one of auto, whole, sharded"),
        ("training.warmup", 1.5, "training.warmup is 1.5; it must be at least 0 and less than 1"),
        ("training.mixed_precision", "bfloat16", "training.mixed_precision is 'bfloat16'; expected one of "),
        ("training.objective", "nxt", "training.objective is 'nxt'; expected one of masked, next, retrieval"),
        ("training.strategy", "gpu", "training.strategy is 'gpu'; expected one of one, mirrored"),
        ("training.strategy", "parameter-server", "see each other's items as candidates; choose multi-worker or tpu"),
        ("model.fusion", "sum", "model.fusion is 'sum'; expected one of concatenation"),
        ("model.dropout", 1, "model.dropout is 1.0; it must be at least 0 and less than 1"),
        ("model.query_hidden", [64, 0], "model.query_hidden has the width 0; widths must be greater than 0"),
        ("model.query_hidden", {"a": 1}, "model.query_hidden must be a list, got {'a': 1}"),
        ("split.by", "week", "split.by is 'week'; expected one of time"),
        ("split.test", 0.95, "split.validation and split.test together leave no events"),
        ("serving.index", "scann", "serving.index is 'scann'; expected one of exact, partitioned, auto"),
        ("serving.recall", 1, "serving.recall is 1.0; it must be greater than 0 and less than 1; to find all"),
        ("serving.k", 0, "serving.k is 0; it must be greater than 0"),
        ("serving.name", "a/b", "the model name 'a/b' must be one folder name"),
        ("name", "..", "the model name '..' must be one folder name"),
        ("evaluation.k", [], "evaluation.k is empty"),
        ("evaluation.k", [0, 5], "evaluation.k has the cut-off 0; cut-offs must be greater than 0"),
        ("evaluation.confidence", 1, "evaluation.confidence is 1.0; it must be greater than 0 and less than 1"),
        ("evaluation.bootstrap", -1, "evaluation.bootstrap is -1; it must be at least 0"),
    ],
)
def test_a_mistake_is_told_in_one_sentence(path, value, said):
    with pytest.raises(ConfigError) as caught:
        parse_config(changed(path, value), "/shop/a.yaml")
    assert said in str(caught.value) and str(caught.value).startswith("/shop/a.yaml")
    assert "\n" not in str(caught.value)


def test_a_model_of_nothing_is_refused():
    document = changed("schema.items.features", {})
    assert parse_config(document, "/a.yaml").model.use_id
    with pytest.raises(ConfigError, match=r"items have no features and model\.use_id is false"):
        parse_config({**document, "model": {"use_id": False, "content": "joint"}}, "/a.yaml")


@pytest.mark.parametrize("text", ["", "- a\n- b\n", "just words"])
def test_a_file_that_is_no_mapping_is_refused(tmp_path, text):
    path = tmp_path / "a.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match="must be a mapping with the keys data and schema"):
        load_config(str(path))


def test_broken_yaml_is_told_with_its_line(tmp_path):
    path = tmp_path / "a.yaml"
    path.write_text("data: {items: [\nname: x")
    with pytest.raises(ConfigError, match=r"is no valid YAML: .*line 2"):
        load_config(str(path))


def test_a_file_in_another_encoding_is_told(tmp_path):
    path = tmp_path / "a.yaml"
    path.write_bytes("name: caf\xe9".encode("latin-1"))
    with pytest.raises(ConfigError, match="is not UTF-8"):
        load_config(str(path))


def test_a_missing_file_is_told():
    with pytest.raises(ConfigError, match=r"cannot read the configuration /no/such.yaml: No such file.*-c"):
        load_config("/no/such.yaml")


def test_a_named_protocol_decides_the_split_but_not_the_validation_part():
    split = parse_config({**GOOD, "split": {"protocol": "recommenders-team", "validation": 0.05}}, "/a.yaml").split
    assert (split.by, split.test, split.held_out_items, split.seed) == ("within-item", 0.25, 0, 42)
    assert (split.protocol, split.validation) == ("recommenders-team", 0.05)
    assert parse_config({**GOOD, "split": {"protocol": "per-user", "seed": 5}}, "/a.yaml").split.seed == 5


@pytest.mark.parametrize(
    "split, said",
    [
        ({"protocol": "mine"}, "split.protocol is 'mine'; expected one of recommenders-team, per-user"),
        ({"protocol": "per-user", "by": "time"}, "split.by is 'time', but protocol per-user makes it 'within-user'"),
        ({"protocol": "recommenders-team", "seed": 7}, "split.seed is 7, but protocol recommenders-team makes it 42"),
    ],
)
def test_a_protocol_that_is_unknown_or_contradicted_is_refused(split, said):
    with pytest.raises(ConfigError, match=said):
        parse_config({**GOOD, "split": split}, "/a.yaml")


def test_a_model_is_built_without_the_features_that_are_switched_off():
    features = {"text": "text", "poster": "image", "genres": "categories", "year": "number"}
    document = changed("schema.items.features", features)
    names = lambda config: [feature.name for feature in config.schema.items.features]  # noqa: E731
    assert names(parse_config({**document, "model": {"without": ["poster", "year"]}}, "/a.yaml")) == ["text", "genres"]
    config = parse_config({**document, "model": {"without": "attributes"}}, "/a.yaml")
    assert names(config) == ["text", "poster"]
    fewer = config.without(["poster"])
    assert names(fewer) == ["text"] and fewer.model.without == ("attributes", "poster")
    with pytest.raises(ConfigError, match=r"model\.without names 'postr'.*there are attributes, genres, poster"):
        parse_config({**document, "model": {"without": ["postr"]}}, "/a.yaml")


def test_the_audit_of_the_gates_is_found_from_the_folder_of_the_file():
    assert parse_config({**GOOD, "gates": {"audit": "audits/a.json"}}, "/shop/a.yaml").gates.audit == (
        "/shop/audits/a.json"
    )
