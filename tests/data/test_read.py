import pytest

from tfrec.data.read import read_table, require_columns
from tfrec.errors import ConfigError, DataError


def test_a_missing_file_is_one_sentence_that_names_the_setting(tmp_path):
    with pytest.raises(DataError, match=r"cannot read .*items.csv: there is no such file; check data.items"):
        read_table(str(tmp_path / "items.csv"), "items")


def test_a_folder_in_place_of_a_file_is_refused(tmp_path):
    (tmp_path / "items.csv").mkdir()
    with pytest.raises(DataError, match="Is a directory"):
        read_table(str(tmp_path / "items.csv"), "items")


def test_an_empty_file_is_refused(tmp_path):
    (tmp_path / "items.csv").write_text("\n")
    with pytest.raises(DataError, match=r"items.csv is empty"):
        read_table(str(tmp_path / "items.csv"), "items")


def test_an_unknown_kind_of_file_is_refused(tmp_path):
    with pytest.raises(ConfigError, match=r"expected a file that ends in \.csv"):
        read_table(str(tmp_path / "items.xlsx"), "items")


def test_an_unknown_column_is_refused_with_the_nearest_one_and_all_of_them(tmp_path):
    (tmp_path / "items.csv").write_text("item_id,title\na,One\n")
    table = read_table(str(tmp_path / "items.csv"), "items")
    with pytest.raises(ConfigError, match=r"did you mean 'title'\? its columns are item_id, title"):
        require_columns(table, [("titel", "schema.items.title")])
    with pytest.raises(ConfigError, match="did you mean 'item_id'"):
        require_columns(table, [("Item_ID", "schema.items.id")])


def test_rows_read_counts_malformed_rows_too(tmp_path):
    (tmp_path / "items.csv").write_text("item_id,title\na,One\nb\n")
    assert read_table(str(tmp_path / "items.csv"), "items").rows_read == 2
