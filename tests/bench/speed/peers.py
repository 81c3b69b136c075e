"""Does with other tools what Weir does in `cargo bench -p weir-tests --bench speed`, each as its documentation has it.

    peers.py polars|duckdb|datafusion|pyspark csv|parquet INPUT OUTPUT
        from the prescriber-by-drug file to typed, trimmed, upper-cased, filtered and checked rows, as Parquet with zstd
    peers.py parquet INPUT OUTPUT
        the CSV file as Parquet, as it is
    peers.py same FOLDER_OR_FILE...
        whether all of these Parquet files hold the same rows; prints how many
"""

import os
import sys

STATES = ["NY", "CA", "TX", "FL", "WA"]
LEAST = 100
# The columns that are read, and what becomes of them.
COLUMNS = {
    "prscrbr_npi": ("presc_id", "int64"),
    "prscrbr_last_org_name": ("last_name", "text"),
    "prscrbr_state_abrvtn": ("state", "text"),
    "prscrbr_type": ("specialty", "text"),
    "brnd_name": ("brand", "text"),
    "gnrc_name": ("drug", "text"),
    "tot_clms": ("claims", "int64"),
    "tot_drug_cst": ("cost", "decimal"),
}


def sql(source):
    """The same in SQL: of DuckDB and DataFusion."""

    def column(old, new, kind):
        if kind == "text":
            return f"nullif(upper(trim({old})), '') as {new}"
        return f"{old} as {new}"

    columns = ", ".join(column(old, new, kind) for old, (new, kind) in COLUMNS.items())
    states = ", ".join(f"'{state}'" for state in STATES)
    return (
        f"select * from (select {columns} from {source} where tot_clms >= {LEAST}) "
        f"where presc_id is not null and brand is not null and drug is not null "
        f"and claims >= 11 and cost >= 0 and state in ({states})"
    )


def polars(form, source, target):
    import polars as pl

    types = {"int64": pl.Int64, "text": pl.String, "decimal": pl.Decimal(14, 2)}
    if form == "csv":
        rows = pl.scan_csv(
            source,
            schema_overrides={old: types[kind] for old, (_, kind) in COLUMNS.items()},
        )
    else:
        rows = pl.scan_parquet(source)

    def column(old, new, kind):
        column = pl.col(old)
        if kind == "text":
            column = column.str.strip_chars().str.to_uppercase().replace("", None)
        return column.alias(new)

    rows = rows.filter(pl.col("tot_clms") >= LEAST)
    rows = rows.select([column(old, new, kind) for old, (new, kind) in COLUMNS.items()])
    rows = rows.filter(
        pl.col("presc_id").is_not_null()
        & pl.col("brand").is_not_null()
        & pl.col("drug").is_not_null()
        & (pl.col("claims") >= 11)
        & (pl.col("cost") >= 0)
        & pl.col("state").is_in(STATES)
    )
    rows.sink_parquet(target, compression="zstd", compression_level=1, engine="streaming")


def duckdb(form, source, target):
    import duckdb

    types = {"int64": "bigint", "text": "varchar", "decimal": "decimal(14,2)"}
    if form == "csv":
        named = ", ".join(f"'{old}': '{types[kind]}'" for old, (_, kind) in COLUMNS.items())
        rows = f"read_csv('{source}', header = true, types = {{{named}}})"
    else:
        rows = f"read_parquet('{source}')"
    duckdb.sql("set preserve_insertion_order = false")
    duckdb.sql(
        f"copy ({sql(rows)}) to '{target}' (format parquet, compression zstd, compression_level 1)"
    )


def datafusion(form, source, target):
    import pyarrow as pa
    from datafusion import ParquetWriterOptions, SessionConfig, SessionContext

    context = SessionContext(SessionConfig().with_target_partitions(os.cpu_count()))
    if form == "csv":
        types = {"int64": pa.int64(), "text": pa.string(), "decimal": pa.decimal128(14, 2)}
        with open(source) as file:
            header = file.readline().strip().split(",")
        fields = [
            (name, types[COLUMNS[name][1]] if name in COLUMNS else pa.string()) for name in header
        ]
        context.register_csv("rows", source, schema=pa.schema(fields), has_header=True)
    else:
        context.register_parquet("rows", source)
    options = ParquetWriterOptions(compression="zstd(1)")
    context.sql(sql("rows")).write_parquet_with_options(target, options)


def pyspark(form, source, target):
    from pyspark.sql import SparkSession
    from pyspark.sql import functions as f

    spark = (
        SparkSession.builder.master(f"local[{os.cpu_count()}]")
        .config("spark.ui.enabled", "false")
        .config("spark.driver.memory", "4g")
        .config("spark.driver.bindAddress", "127.0.0.1")
        .config("spark.driver.host", "127.0.0.1")
        .config("spark.sql.parquet.compression.codec", "zstd")
        .getOrCreate()
    )
    types = {"int64": "bigint", "text": "string", "decimal": "decimal(14,2)"}
    if form == "csv":
        with open(source) as file:
            header = file.readline().strip().split(",")
        schema = ", ".join(
            f"{name} {types[COLUMNS[name][1]] if name in COLUMNS else 'string'}" for name in header
        )
        rows = spark.read.csv(source, header=True, schema=schema)
    else:
        rows = spark.read.parquet(source)

    def column(old, new, kind):
        column = f.col(old)
        if kind == "text":
            column = f.nullif(f.upper(f.trim(column)), f.lit(""))
        return column.alias(new)

    rows = rows.where(f.col("tot_clms") >= LEAST)
    rows = rows.select([column(old, new, kind) for old, (new, kind) in COLUMNS.items()])
    rows = rows.where(
        f.col("presc_id").isNotNull()
        & f.col("brand").isNotNull()
        & f.col("drug").isNotNull()
        & (f.col("claims") >= 11)
        & (f.col("cost") >= 0)
        & f.col("state").isin(STATES)
    )
    rows.write.parquet(target)
    spark.stop()


def parquet(source, target):
    """Typed, and with text as it stands in the file."""
    import duckdb

    types = {"int64": "bigint", "text": "varchar", "decimal": "decimal(14,2)"}
    named = ", ".join(f"'{old}': '{types[kind]}'" for old, (_, kind) in COLUMNS.items())
    rows = f"read_csv('{source}', header = true, types = {{{named}}})"
    duckdb.sql(f"copy (from {rows}) to '{target}' (format parquet, compression zstd)")


def same(*places):
    import duckdb

    found = {}
    for place in places:
        files = f"{place}/**/*.parquet" if os.path.isdir(place) else place
        names = [new for new, _ in COLUMNS.values()]
        rows = f"read_parquet('{files}', hive_partitioning = false)"
        text = ", ".join(f"cast({name} as varchar)" for name in names)
        query = f"select count(*), sum(claims), sum(cost), bit_xor(hash({text})), sum(hash({text}) % 1000003) from {rows}"
        found[place] = duckdb.sql(query).fetchone()
    if len(set(found.values())) != 1:
        for place, row in found.items():
            print(place, row, file=sys.stderr)
        sys.exit("the outputs hold other rows")
    print(next(iter(found.values()))[0])


if __name__ == "__main__":
    globals()[sys.argv[1]](*sys.argv[2:])
