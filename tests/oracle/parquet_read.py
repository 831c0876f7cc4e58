"""Reads a directory of Parquet files with hive partitions by DuckDB and by pandas: python parquet_read.py DIRECTORY

Standard output is {duckdb: rows, pandas: rows} as JSON, in the order of the column `n`.
"""

import datetime
import json
import sys

import duckdb
import pandas
import pyarrow.dataset

directory = sys.argv[1]


def plain(value):
    if value is None or value is pandas.NaT or value != value or str(value) == "__HIVE_DEFAULT_PARTITION__":
        return None
    if isinstance(value, (datetime.datetime, datetime.date)):
        return value.isoformat()
    return value.item() if hasattr(value, "item") else value


def rows(names, all_rows):
    return [{name: plain(value) for name, value in zip(names, row)} for row in all_rows]


relation = duckdb.sql(
    f"SELECT * FROM read_parquet('{directory}/**/*.parquet', hive_partitioning = true) ORDER BY n"
)
by_duckdb = rows(relation.columns, relation.fetchall())

# Without `partitioning`, pyarrow makes dictionaries of directories, which cannot hold nulls.
found = pyarrow.dataset.HivePartitioning.discover()
frame = pandas.read_parquet(directory, partitioning=found).sort_values("n")
by_pandas = rows(frame.columns, frame.itertuples(index=False, name=None))
json.dump({"duckdb": by_duckdb, "pandas": by_pandas}, sys.stdout)
