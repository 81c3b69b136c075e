"""Moves the table `drugs` with dlt, in the quickest way that its documentation shows for each place.

    dlt_peer.py load LAKE_TABLE DESTINATION URL     Arrow tables of a Delta table into a database
    dlt_peer.py unload URL FOLDER                   a table of a database into a Delta table

DESTINATION is `postgres` (Parquet, by ADBC) or `sqlalchemy` (whatever else SQLAlchemy knows).
"""

import os
import sys
import tempfile

os.environ["RUNTIME__DLTHUB_TELEMETRY"] = "false"
# Files are loaded side by side.
os.environ["DATA_WRITER__FILE_MAX_ITEMS"] = "500000"

import dlt  # noqa: E402
import pyarrow as pa  # noqa: E402


def pipeline(destination):
    return dlt.pipeline(
        "peer",
        pipelines_dir=tempfile.mkdtemp(prefix="dlt-"),
        destination=destination,
        dataset_name="dlt_peer",
    )


def load(lake_table, destination, url):
    from deltalake import DeltaTable

    @dlt.resource(name="drugs", write_disposition="replace")
    def drugs():
        for batch in DeltaTable(lake_table).to_pyarrow_dataset().to_batches():
            if batch.num_rows:
                yield pa.Table.from_batches([batch])

    to = getattr(dlt.destinations, destination)(url)
    pipeline(to).run(drugs(), loader_file_format="parquet").raise_on_failed_jobs()


def unload(url, folder):
    from dlt.sources.sql_database import sql_table

    table = sql_table(
        credentials=url, table="drugs", schema="public", backend="connectorx",
        backend_kwargs={"return_type": "arrow"},
    )
    to = dlt.destinations.filesystem("file://" + folder)
    run = pipeline(to).run(table, write_disposition="replace", table_format="delta")
    run.raise_on_failed_jobs()


if __name__ == "__main__":
    {"load": load, "unload": unload}[sys.argv[1]](*sys.argv[2:])
