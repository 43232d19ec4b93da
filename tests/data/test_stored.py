import pytest

from tfrec.data.ingest import ingest
from tfrec.data.stored import store_dataset, stored_dataset
from tfrec.errors import DataError


def test_a_stored_data_set_is_read_back_as_it_was(shop, same_tables):
    dataset, _ = ingest(shop.config({"test": 0.2, "validation": 0.2, "held_out_items": 0.25}), shop.output)
    store_dataset(shop.output, dataset)
    same_tables(stored_dataset(shop.output), dataset)


def test_a_missing_store_is_one_sentence(shop):
    with pytest.raises(DataError, match=r"cannot read .*items.parquet: there is no such file"):
        stored_dataset(shop.output)
