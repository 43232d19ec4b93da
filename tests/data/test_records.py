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


def test_all_tables_come_back_equal(ingested, tmp_path, same_tables):
    dataset, schema = ingested
    paths = {name: str(tmp_path / f"{name}.gz") for name in ("items", "users", "events")}
    write_catalogue_examples(paths["items"], schema, dataset.catalogue)
    write_users_examples(paths["users"], schema, dataset.users)
    write_events_examples(paths["events"], schema, dataset.train, dataset.catalogue, dataset.users)
    catalogue = read_catalogue_examples([paths["items"]], schema)
    users = read_users_examples([paths["users"]], schema)
    same_tables(catalogue, dataset.catalogue)
    same_tables(users, dataset.users)
    same_tables(read_events_examples([paths["events"]], schema, catalogue, users), dataset.train)


def test_several_files_are_read_in_order_and_no_events_are_no_error(ingested, tmp_path, same_tables):
    dataset, schema = ingested
    paths = [str(tmp_path / name) for name in ("one", "none", "two")]
    parts = [dataset.train, dataset.train.take(np.empty(0, np.int64)), dataset.test]
    for path, events in zip(paths, parts):
        write_events_examples(path, schema, events, dataset.catalogue, dataset.users)
    read = read_events_examples(paths, schema, dataset.catalogue, dataset.users)
    assert read.time.tolist() == [*dataset.train.time, *dataset.test.time]
    same_tables(read_events_examples(paths[1:2], schema, dataset.catalogue, dataset.users), parts[1])


def test_a_record_is_an_example_with_ids_that_anyone_can_parse(ingested, tmp_path):
    dataset, schema = ingested
    path = str(tmp_path / "events.gz")
    write_events_examples(path, schema, dataset.train, dataset.catalogue, dataset.users)
    serialised = next(iter(tf.data.TFRecordDataset(path, compression_type="GZIP"))).numpy()
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


def test_an_event_of_a_user_that_the_table_lacks_is_one_sentence(ingested, tmp_path):
    dataset, schema = ingested
    path = str(tmp_path / "events.gz")
    write_events_examples(path, schema, dataset.train, dataset.catalogue, dataset.users)
    users = Users(dataset.users.ids[1:], {})
    with pytest.raises(DataError, match="the events name the user 'u1'"):
        read_events_examples([path], schema, dataset.catalogue, users)


def test_damaged_and_missing_records_are_one_sentence(ingested, tmp_path):
    dataset, schema = ingested
    path = tmp_path / "items.gz"
    with pytest.raises(DataError, match="cannot read the examples"):
        read_catalogue_examples([str(path)], schema)
    write_catalogue_examples(str(path), schema, dataset.catalogue)
    path.write_bytes(path.read_bytes()[:-30])
    with pytest.raises(DataError, match="cannot read the examples"):
        read_catalogue_examples([str(path)], schema)


def test_records_that_cannot_be_written_are_one_sentence(ingested, tmp_path):
    dataset, schema = ingested
    with pytest.raises(DataError, match="cannot write"):
        write_catalogue_examples(str(tmp_path / "missing" / "items.gz"), schema, dataset.catalogue)
