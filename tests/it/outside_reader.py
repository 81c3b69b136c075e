"""Holds every value of CMS's CSV files against the Delta tables of a lake.

usage: outside_reader.py LAKE LANDING

raw:       each row of the files, each value as text, empty as null
cleansed:  each row of the files, either typed in the table or as text in quarantine
"""

import csv
import datetime
import decimal
import pathlib
import sys
from collections import Counter

from deltalake import DeltaTable

csv.field_size_limit(1 << 20)
lake, landing = map(pathlib.Path, sys.argv[1:])

TABLES = {
    "beneficiary": "Beneficiary_Summary_File",
    "inpatient": "Inpatient_Claims",
    "outpatient": "Outpatient_Claims",
    "prescription_drug": "Prescription_Drug_Events",
}
NONE_IS_ZERO = {"clm_utlztn_day_cnt"}


def sent(table):
    """The rows of a table's files, by name in lower case; empty is None."""
    rows = []
    for path in sorted(landing.rglob(f"DE1_0_*_{TABLES[table]}_*.csv")):
        with open(path, newline="", encoding="utf-8") as file:
            for row in csv.DictReader(file):
                row = {name.lower(): value or None for name, value in row.items()}
                if table == "beneficiary":
                    row["year"] = path.name.split("_")[2]
                rows.append(row)
    assert rows, f"no file of {table} in {landing}"
    return rows


def found(zone, table):
    delta = DeltaTable(str(lake / zone / table))
    rows = delta.to_pyarrow_table().to_pylist()
    numbers = delta.get_add_actions(flatten=True)
    counted = sum(numbers.column("num_records").to_pylist())
    assert counted == len(rows), f"{zone}.{table}: statistics say {counted} of {len(rows)} rows"
    runs = {row.pop("_weir_run") for row in rows}
    assert len(runs) == 1 or not rows, f"{zone}.{table}: written by the runs {runs}"
    return rows


def as_text(row, columns):
    return tuple(None if row[name] is None else str(row[name]) for name in columns)


def typed(text, value, name):
    """The text, typed as the value is."""
    if text is None:
        return 0 if name in NONE_IS_ZERO and value is not None else None
    text = text.strip()
    if isinstance(value, datetime.date):
        return datetime.datetime.strptime(text, "%Y%m%d").date()
    if isinstance(value, decimal.Decimal):
        return decimal.Decimal(text)
    if isinstance(value, int):
        return int(text)
    return text


def same(row, cleansed):
    return all(typed(row[name], value, name) == value for name, value in cleansed.items())


def key(row):
    for column in ("pde_id", "clm_id"):
        if column in row:
            return (row[column], str(row.get("segment")))
    return (row["desynpuf_id"], str(row["year"]))


values = 0
for table in TABLES:
    rows = sent(table)
    columns = list(rows[0])
    raw = found("raw", table)
    assert set(columns) == set(raw[0]), f"raw.{table} has columns {sorted(raw[0])}"
    for row in raw:
        for name in columns:
            assert row[name] is None or name == "year" or isinstance(row[name], str), name
    missing = Counter(as_text(row, columns) for row in rows)
    missing.subtract(as_text(row, columns) for row in raw)
    different = {row: count for row, count in missing.items() if count}
    assert not different, f"raw.{table} differs in {len(different)} rows"

    # In cleansed or in quarantine, never in both, never in none.
    aside = found("cleansed", table + "__quarantine")
    left = Counter(as_text(row, columns) for row in rows)
    left.subtract(as_text(row, columns) for row in aside)
    assert min(left.values()) >= 0, f"quarantine of {table} holds rows that nobody sent"
    good = [row for row in aside if not (row["_weir_rule"] and row["_weir_message"])]
    assert not good, f"{table}: rows in quarantine without rule or message"
    by_key = {}
    for row in rows:
        text = as_text(row, columns)
        if left[text] > 0:
            left[text] -= 1
            by_key.setdefault(key(row), []).append(row)
    cleansed = found("cleansed", table)
    assert set(cleansed[0]) == set(columns), f"cleansed.{table} has columns {sorted(cleansed[0])}"
    for row in cleansed:
        candidates = by_key.get(key(row), [])
        match = next((one for one in candidates if same(one, row)), None)
        assert match is not None, f"cleansed.{table} holds a row that nobody sent: {key(row)}"
        candidates.remove(match)
    lost = sum(map(len, by_key.values()))
    assert lost == 0, f"{lost} rows of {table} are neither in cleansed nor in quarantine"
    values += len(rows) * len(columns)
    print(f"{table}: {len(rows)} rows of {len(columns)} columns, {len(aside)} in quarantine")
print(f"every value was found: {values}")
