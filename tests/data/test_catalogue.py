import numpy as np
import pytest

from tfrec.data.catalogue import build_catalogue
from tfrec.data.quarantine import Quarantine
from tfrec.data.read import read_table
from tfrec.errors import ConfigError


def built(shop):
    quarantine = Quarantine()
    table = read_table(str(shop.folder / "items.csv"), "items")
    catalogue, kept = build_catalogue(table, shop.config().schema.items, quarantine)
    assert len(kept.frame) == len(catalogue)
    return catalogue, [(problem.row, problem.code, problem.kept) for problem in quarantine.problems]


def test_items_keep_the_order_of_the_file_and_absent_values_are_marked(shop):
    catalogue, problems = built(shop)
    assert problems == []
    assert catalogue.ids.tolist() == ["a", "b", "c", "d"]
    assert catalogue.titles.tolist() == ["Alpha", "Beta", "Gamma", "Delta"]
    assert catalogue.columns["words"][0] == "Alpha. first words"
    assert catalogue.columns["genre"].tolist() == ["drama", "comedy", "drama", ""]
    assert catalogue.columns["tags"].tolist() == [("x", "y"), ("x",), (), ("y", "z")]
    np.testing.assert_array_equal(catalogue.columns["price"], np.array([10, 20, 30, np.nan], np.float32))


def test_rows_without_an_id_and_repeated_ids_are_quarantined_and_the_first_is_kept(shop):
    shop.add(
        items=",Nameless,w,g,,1,\na,Alpha again,w,g,,1,\n a ,Alpha with spaces,w,g,,1,\nnull,Null,w,g,,1,\ne,E,w,g,,1,"
    )
    catalogue, problems = built(shop)
    assert catalogue.ids.tolist() == ["a", "b", "c", "d", "e"]
    assert catalogue.titles[0] == "Alpha"
    assert problems == [
        (6, "missing_id", False),
        (7, "duplicate_id", False),
        (8, "duplicate_id", False),
        (9, "missing_id", False),
    ]


def test_a_bad_number_and_empty_text_are_noted_but_the_item_is_kept(shop):
    shop.add(items="e,,,drama,x,cheap,")
    catalogue, problems = built(shop)
    assert np.isnan(catalogue.columns["price"][4])
    assert catalogue.columns["words"][4] == ""
    assert sorted(problems) == [(6, "bad_number", True), (6, "empty_text", True)]


def test_an_unknown_column_names_its_place_in_the_schema(shop):
    shop.schema["items"]["features"]["genre"] = {"modality": "category", "column": "genres"}
    with pytest.raises(ConfigError, match=r"schema.items.features.genre names .* 'genres'.*did you mean 'genre'"):
        built(shop)
