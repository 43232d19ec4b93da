"""Rows of the items file -> the catalogue, without its pictures and clips (`tfrec.data.contents` adds them)."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd

from tfrec.data.columns import feature_columns, string_column
from tfrec.data.quarantine import Quarantine
from tfrec.data.read import Table, require_columns
from tfrec.data.tables import Catalogue
from tfrec.schema import Items


def build_catalogue(table: Table, schema: Items, quarantine: Quarantine) -> tuple[Catalogue, Table]:
    """The catalogue in the order of the file, and the table cut down to the rows that are kept.

    Rows without an id and rows that repeat an id are quarantined; of rows with one id the first is kept.

    Raises:
        ConfigError: if the schema names a column that the file does not have.
    """
    wanted = [(schema.id, "schema.items.id")] + ([(schema.title, "schema.items.title")] if schema.title else [])
    features = (*schema.features, *schema.filtered)
    for feature in features:
        wanted += [(column, f"schema.items.features.{feature.name}") for column in feature.columns]
    require_columns(table, wanted)
    quarantine.add_malformed(table)
    ids, table = unique_ids(table, schema.id, "missing_id", quarantine)
    titles = string_column(table.frame[schema.title].to_numpy()) if schema.title else np.full(len(ids), "", object)
    columns = feature_columns(table, features, quarantine)
    return Catalogue(ids=ids, titles=titles, columns=columns), table


def unique_ids(table: Table, column: str, missing: str, quarantine: Quarantine) -> tuple[np.ndarray, Table]:
    """The ids of the rows that have one no earlier row has, and the table cut down to these rows."""
    ids = string_column(table.frame[column].to_numpy())
    absent = ids == ""
    repeated = pd.Series(ids, dtype=object).duplicated().to_numpy() & ~absent
    quarantine.reject(table, absent, column, missing)
    quarantine.reject(table, repeated, column, "duplicate_id")
    keep = ~absent & ~repeated
    return ids[keep], dataclasses.replace(table, frame=table.frame[keep])
