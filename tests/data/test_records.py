import numpy as np
import pytest
import tensorflow as tf

from tfrec.data.ingest import ingest
from tfrec.data.records import (
    events_columns,
    parsing_spec,
    read_catalogue_examples,
    read_events_examples,
    read_users_examples,
    shards,
    write_catalogue_examples,
    write_events_examples,
    write_users_examples,
)
from tfrec.data.tables import Users
from tfrec.errors import DataError


@pytest.fixture
def ingested(shop):
    shop.add(items="e,Größe,日本語 🎈,dra\u2028ma,x,0,")
    return ingest(shop.config(), shop.output)[0], shop.config().schema


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "table").mkdir()
    return tmp_path / "table"


@pytest.mark.parametrize("rows", [100_000, 3, 1])
def test_all_tables_come_back_equal_whatever_the_rows_of_a_shard(ingested, tmp_path, same_tables, monkeypatch, rows):
    monkeypatch.setattr("tfrec.data.records.ROWS_PER_SHARD", rows)
    dataset, schema = ingested
    paths = {name: str(tmp_path / name) for name in ("items", "users", "events")}
    for path in paths.values():
        tf.io.gfile.makedirs(path)
    write_catalogue_examples(paths["items"], schema, dataset.catalogue)
    write_users_examples(paths["users"], schema, dataset.users)
    write_events_examples(paths["events"], schema, dataset.train, dataset.catalogue, dataset.users)
    assert len(shards(paths["items"])) == -(-len(dataset.catalogue) // rows)
    catalogue = read_catalogue_examples(paths["items"], schema)
    users = read_users_examples(paths["users"], schema)
    same_tables(catalogue, dataset.catalogue)
    same_tables(users, dataset.users)
    same_tables(read_events_examples(paths["events"], schema, catalogue, users), dataset.train)


def test_no_events_are_no_error(ingested, folder, same_tables):
    dataset, schema = ingested
    none = dataset.train.take(np.empty(0, np.int64))
    write_events_examples(str(folder), schema, none, dataset.catalogue, dataset.users)
    same_tables(read_events_examples(str(folder), schema, dataset.catalogue, dataset.users), none)


def test_a_record_is_an_example_with_ids_that_anyone_can_parse(ingested, folder):
    dataset, schema = ingested
    write_events_examples(str(folder), schema, dataset.train, dataset.catalogue, dataset.users)
    serialised = next(iter(tf.data.TFRecordDataset(shards(str(folder)), compression_type="GZIP"))).numpy()
    example = tf.train.Example.FromString(serialised)
    features = example.features.feature
    assert features["user_id"].bytes_list.value[0] == b"u1"
    assert features["item_id"].bytes_list.value[0] == b"a"
    assert features["time"].int64_list.value[0] == 100
    assert features["events.device"].bytes_list.value[0] == b"phone"
    again = example.SerializeToString(deterministic=True)
    spec = parsing_spec(events_columns(schema))
    for key, value in tf.io.parse_single_example(again, spec).items():
        assert value.numpy() == tf.io.parse_single_example(serialised, spec)[key].numpy()


def test_an_event_of_a_user_that_the_table_lacks_is_one_sentence(ingested, folder):
    dataset, schema = ingested
    write_events_examples(str(folder), schema, dataset.train, dataset.catalogue, dataset.users)
    users = Users(dataset.users.ids[1:], {})
    with pytest.raises(DataError, match="the events name the user 'u1'"):
        read_events_examples(str(folder), schema, dataset.catalogue, users)


def test_damaged_and_missing_records_are_one_sentence(ingested, folder, monkeypatch):
    monkeypatch.setattr("tfrec.data.records.ROWS_PER_SHARD", 3)
    dataset, schema = ingested
    with pytest.raises(DataError, match=r"cannot read the examples .* has 0 shards"):
        read_catalogue_examples(str(folder), schema)
    write_catalogue_examples(str(folder), schema, dataset.catalogue)
    first, *_, last = sorted(folder.iterdir())
    content = last.read_bytes()
    last.unlink()
    with pytest.raises(DataError, match=r"cannot read the examples .* not all"):
        read_catalogue_examples(str(folder), schema)
    last.write_bytes(content)
    first.write_bytes(first.read_bytes()[:-30])
    with pytest.raises(DataError, match="cannot read the examples"):
        read_catalogue_examples(str(folder), schema)


def test_records_that_cannot_be_written_are_one_sentence(ingested, tmp_path):
    dataset, schema = ingested
    with pytest.raises(DataError, match="cannot write"):
        write_catalogue_examples(str(tmp_path / "missing"), schema, dataset.catalogue)
