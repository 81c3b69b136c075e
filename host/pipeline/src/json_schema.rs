//! The grammar as a JSON Schema, for editors.

use serde_json::{Map, Value, json};

use crate::grammar::{
    connections, ddl, incremental, mask, plugin_stage, read, report, schema_change, stage, write,
};
use crate::model::FailAction;
use crate::params::PARAM_TYPES;

/// A JSON Schema (draft 2020-12) of a pipeline file.
///
/// Editors use it to complete and explain keys. It says less than [`crate::PipelineFile::check`]:
/// what one table may hold, not what tables mean to each other. Parameters, connections and plugins
/// have no required keys in it, since a profile may override a single key of each.
pub fn json_schema() -> Value {
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Weir pipeline",
        "$ref": "#/$defs/pipeline",
        "$defs": {
            "pipeline": pipeline(),
            "profile": profile(),
            "param": table("A parameter", &[], json!({
                "type": one_of("The type of its values", PARAM_TYPES),
                "default": { "description": "The value if none is given; without one it is required" },
                "values": { "type": "array", "minItems": 1, "description": "The values it may have" },
                "description": text("What it is for"),
            })),
            "defaults": table("What steps have if they do not say otherwise", &[], json!({
                "step": reference("defaults_step"),
            })),
            "defaults_step": table("Defaults of steps", &[], json!({
                "timeout": duration("How long a step may run"),
                "schema_change": schema_change(),
            })),
            "lake": table("Where zones lie by default", &[], json!({ "url": text("A path or URL; ./lake if absent") })),
            "store": {
                "type": "object",
                "description": "Settings of an object store; secrets by reference",
                "additionalProperties": { "anyOf": [
                    { "type": ["string", "integer", "boolean"] },
                    reference("secret"),
                ] },
            },
            "zone": zone_table(),
            "connection": connection_table(),
            "plugin": plugin_table(),
            "trust": trust_table(),
            "step": step(),
            "run": run_table(),
            "view": view_table(),
            "report": report_table(),
            "suppress": suppress_table(),
            "sql_file": sql_file(),
            "read": read_table(),
            "incremental": incremental_table(),
            "schema_file": table("A schema file", &["columns"], json!({
                "columns": reference("columns"),
                "description": text("What the files hold"),
            })),
            "columns": { "oneOf": [
                { "type": "object", "additionalProperties": { "oneOf": [
                    text("A type, and `not null` if nulls are refused"),
                    reference("named_column"),
                ] } },
                { "type": "array", "minItems": 1, "items": reference("column") },
            ] },
            "column": table("A column", &["name", "type"], json!({
                "name": text("Its name in Weir"),
                "type": text("int64, string, date, timestamp, decimal(p,s), list<type>, struct<name: type, …>, …"),
                "nullable": { "type": "boolean", "default": true, "description": "Whether values may be null" },
                "source": text("Its name in the file, where it differs"),
                "sensitivity": one_or_more("What is sensitive about it, in words of your own"),
            })),
            "named_column": table("A column by its name", &["type"], json!({
                "type": text("A type, and `not null` if nulls are refused"),
                "nullable": { "type": "boolean", "default": true, "description": "Whether values may be null" },
                "source": text("Its name in the file, where it differs"),
                "sensitivity": one_or_more("What is sensitive about it, in words of your own"),
            })),
            "stage": stage_table(),
            "grant": grant_table(true),
            "read_grant": grant_table(false),
            "http": http_table(),
            "http_secret": http_secret_table(),
            "sigv4": sigv4_table(),
            "secret": secret_table(),
            "contract": contract_table(),
            "mask": mask_table(),
            "check": check(),
            "range": range_table(),
            "write": write_table(),
            "ddl": ddl_table(),
            "schema_change": schema_change_table(),
                    },
    })
}

fn connection_table() -> Value {
    table(
        "A database",
        &[],
        json!({
            "kind": one_of("The kind of database", connections::KINDS),
            "path": text("sqlite: the file; warehouse.sqlite in the lake if absent"),
            "url": reference("secret"),
            "host": text("A name, an address, or the folder of a Unix socket"),
            "port": { "type": "integer", "minimum": 1, "maximum": 65535 },
            "database": text("The database"),
            "user": text("The user"),
            "password": reference("secret"),
            "tls": one_of("How the connection is encrypted; verify if absent", connections::TLS),
            "ca": text("A file of certificates in PEM that sign the server's"),
            "connect_timeout": duration("How long it may take to connect; 10s if absent"),
            "statement_timeout": duration("How long one statement may take"),
            "region": text("dynamodb: the region of AWS; redshift: that of the bucket, if another"),
            "endpoint": text("dynamodb: another endpoint than the region's own"),
            "access_key_id": reference("secret"),
            "secret_access_key": reference("secret"),
            "session_token": reference("secret"),
            "staging": text("redshift: the folder on S3 of the files that it loads: s3://bucket/folder"),
            "iam_role": text("redshift: the role as which it reads them: an ARN, or default"),
            "driver": text("adbc: the driver's shared library"),
            "entry_point": text("adbc: the function that begins the driver; the usual names if absent"),
            "options": {
                "type": "object",
                "description": "adbc: options by the driver's names; secrets by reference",
                "additionalProperties": { "anyOf": [{ "type": ["string", "integer", "boolean"] }, reference("secret")] },
            },
            "sensitivity": one_or_more("The labels of sensitive data that it may hold"),
        }),
    )
}

fn schema_change_table() -> Value {
    table(
        "What becomes of a table whose columns differ from the rows'",
        &[],
        json!({
            "new_table": one_of("There is no table; evolve if absent", schema_change::TABLE_CHANGES),
            "new_column": one_of("The rows have a column more; freeze if absent, evolve for mode replace", schema_change::COLUMN_CHANGES),
            "changed_type": one_of("A column's type does not hold the rows' values; freeze if absent, evolve for mode replace", schema_change::COLUMN_CHANGES),
            "missing_column": one_of("The table has a column more; freeze if absent, evolve for mode replace", schema_change::TABLE_CHANGES),
            "fail_above": limit(),
            "warn_above": limit(),
        }),
    )
}

/// The grant of a plugin that is given `rows`, or else reads.
fn grant_table(rows: bool) -> Value {
    let mut properties = json!({
        "memory": size("Memory of one instance; 128MiB if absent"),
        "deadline": duration("Guest time for one call; 2s if absent"),
        "log": size("Bytes of log of one instance; 64KiB if absent"),
        "secrets": named("secret", "Secrets by the name under which the plugin asks for them"),
        "clock": { "type": "boolean", "default": false, "description": "Whether it sees the real time" },
        "random": { "type": "boolean", "default": false, "description": "Whether it gets real random numbers" },
    });
    let of_rows = [
        (
            "columns",
            texts("Columns by name or glob, fields of structs by path; !name takes one out"),
        ),
        (
            "rows_out",
            json!({ "type": "integer", "minimum": 1, "description": "Rows out of one call for each row in" }),
        ),
    ];
    if let Some(properties) = properties.as_object_mut() {
        match rows {
            true => properties.extend(of_rows.map(|(key, value)| (key.to_owned(), value))),
            false => {
                let http = json!({ "type": "array", "minItems": 1, "items": reference("http"), "description": "Where the requests of a source may go" });
                properties.insert("http".to_owned(), http);
            }
        }
    }
    table(
        "What the plugin is given; nothing by default",
        match rows {
            true => &["columns"],
            false => &[],
        },
        properties,
    )
}

fn http_table() -> Value {
    table(
        "A place that a source may reach",
        &["url"],
        json!({
            "url": text("https:// or http://, a host (*. for any below it), perhaps a port, and the beginning of the path"),
            "methods": texts("The methods; GET and HEAD if absent"),
            "private": { "type": "boolean", "default": false, "description": "Whether the host may have an address that is not public" },
            "requests_per_second": { "type": "number", "exclusiveMinimum": 0, "description": "How many requests may begin in a second" },
            "timeout": duration("How long the head of a response may take, and each further part; 30s if absent"),
            "max_response": size("Bytes of one response; 64MiB if absent"),
            "headers": named("http_secret", "Headers that the host sets"),
            "query": named("http_secret", "Parameters of the query that the host sets"),
            "sigv4": reference("sigv4"),
        }),
    )
}

fn http_secret_table() -> Value {
    table(
        "Where a secret's value is, and what stands before it in a request",
        &[],
        json!({
            "env": text("A variable of the environment"),
            "file": text("A file, relative to this one"),
            "prefix": text("What stands before it, such as \"Bearer \""),
        }),
    )
}

fn sigv4_table() -> Value {
    table(
        "With what requests are signed for AWS",
        &["region", "service", "access_key_id", "secret_access_key"],
        json!({
            "region": text("The region"),
            "service": text("The service, as its endpoint calls it"),
            "access_key_id": reference("secret"),
            "secret_access_key": reference("secret"),
            "session_token": reference("secret"),
        }),
    )
}

fn plugin_table() -> Value {
    table(
        "A WebAssembly component",
        &[],
        json!({
            "component": text("A .wasm file, the folder of a plugin's crate, or oci://registry/name@sha256:…"),
            "sha256": { "type": "string", "pattern": "^[0-9a-f]{64}$", "description": "The digest it must have" },
            "signed_by": text("The key of [trust] that must have signed it"),
            "signature": text("The file of its signature; beside the component if absent"),
        }),
    )
}

fn trust_table() -> Value {
    table(
        "Whom the pipeline trusts for its plugins",
        &[],
        json!({
            "keys": { "type": "object", "description": "minisign public keys by name", "additionalProperties": { "type": "string", "pattern": "^RW[QRST][A-Za-z0-9+/]{53}$" } },
            "require_signature": { "type": "boolean", "default": false, "description": "Whether every plugin must be signed by one of the keys" },
            "revoked": texts("Further lists of revoked components"),
        }),
    )
}

fn mask_table() -> Value {
    table(
        "How a column's values are replaced",
        &["method"],
        json!({
            "method": one_of("By what", mask::METHODS),
            "key": reference("secret"),
            "vault": text("zone.table that keeps the values of tokens, in a zone of its own"),
            "keep": { "type": "integer", "minimum": 1, "maximum": 64, "description": "For `partial`: how many characters at the end stay" },
        }),
    )
}

fn incremental_table() -> Value {
    table(
        "How new rows of a table are told",
        &["by"],
        json!({
            "by": one_of("By what", incremental::BY),
            "of": text("The table of which a query sees new rows only"),
            "removed": one_of("What becomes of commits that take rows away; fail if absent", incremental::REMOVED),
            "column": text("The cursor: a column that grows with each new or changed row"),
            "lag": { "oneOf": [duration("How long rows may come late"), { "type": "integer", "minimum": 1 }] },
        }),
    )
}

fn secret_table() -> Value {
    table(
        "Where a secret's value is: one of the two",
        &[],
        json!({
            "env": text("A variable of the environment"),
            "file": text("A file, relative to this one"),
        }),
    )
}

fn zone_table() -> Value {
    table(
        "A named prefix that holds tables",
        &[],
        json!({
            "url": text("Where it lies, if not at <lake>/<zone>"),
            "sensitivity": one_or_more("The labels of sensitive data that it may hold"),
            "retention": duration("How long its data is kept"),
        }),
    )
}

fn range_table() -> Value {
    table(
        "Bounds, included",
        &[],
        json!({
            "min": { "type": ["string", "number"] },
            "max": { "type": ["string", "number"] },
        }),
    )
}

fn contract_table() -> Value {
    table(
        "What the plugin's output must keep to",
        &[],
        json!({
            "adds": reference("columns"),
            "rows": one_of("Rows out for each row in; any if absent", plugin_stage::ROWS),
            "rules": texts("The only rules it may raise"),
            "text": one_of("Where its free text goes; open if absent", plugin_stage::TEXTS),
        }),
    )
}

/// A text, or the file that holds it.
fn sql(description: &str) -> Value {
    json!({ "oneOf": [text(description), reference("sql_file")] })
}

/// A text, or a list of texts.
fn one_or_more(description: &str) -> Value {
    json!({
        "description": description,
        "oneOf": [
            { "type": "string" },
            { "type": "array", "minItems": 1, "items": { "type": "string" } },
        ],
    })
}

fn pipeline() -> Value {
    let mut properties = shared_sections();
    properties.insert(
        "weir".into(),
        json!({ "const": 1, "description": "The format of the file" }),
    );
    properties.insert("name".into(), json!({ "type": "string", "pattern": "^[a-z0-9][a-z0-9_-]*$", "description": "The pipeline's name" }));
    properties.insert(
        "include".into(),
        texts("Files with params, stores, zones, connections, plugins, trust, checks, steps, views and reports"),
    );
    properties.insert(
        "profile".into(),
        named("profile", "Overrides, chosen by --profile"),
    );
    table(
        "A pipeline",
        &["weir", "name", "step"],
        Value::Object(properties),
    )
}

fn profile() -> Value {
    table(
        "What one profile overrides",
        &[],
        Value::Object(shared_sections()),
    )
}

/// The sections that a file and its profiles have alike.
fn shared_sections() -> Map<String, Value> {
    let sections = [
        ("owner", text("Who answers for it")),
        ("description", text("What it is for")),
        (
            "params",
            named("param", "Parameters, bound anew by each run"),
        ),
        ("lake", reference("lake")),
        (
            "store",
            named(
                "store",
                "Settings of object stores, by the beginning of their URLs",
            ),
        ),
        ("zone", named("zone", "Zones by name")),
        ("connections", named("connection", "Databases by name")),
        ("plugins", named("plugin", "Plugins by name")),
        ("trust", reference("trust")),
        ("defaults", reference("defaults")),
        ("checks", named("check", "Sets of checks by name")),
        (
            "step",
            json!({ "type": "array", "minItems": 1, "items": reference("step") }),
        ),
        (
            "view",
            json!({ "type": "array", "items": reference("view") }),
        ),
        (
            "report",
            json!({ "type": "array", "items": reference("report") }),
        ),
    ];
    sections
        .into_iter()
        .map(|(name, schema)| (name.to_owned(), schema))
        .collect()
}

fn step() -> Value {
    table(
        "Reads, applies stages, writes; or has a database run SQL",
        &["name"],
        json!({
            "name": text("Its name, unlike that of any other step"),
            "description": text("What it is for"),
            "each": {
                "type": "object",
                "minProperties": 1,
                "additionalProperties": { "type": "array", "minItems": 1 },
                "description": "Lists walked side by side: one step for each tuple, read as ${each.name}",
            },
            "read": reference("read"),
            "stage": { "type": "array", "items": reference("stage") },
            "write": { "oneOf": [reference("write"), { "type": "array", "minItems": 1, "items": reference("write") }] },
            "run": reference("run"),
            "timeout": duration("How long it may run"),
            "schema_change": schema_change(),
        }),
    )
}

/// One word for new columns and changed types, or a table.
fn schema_change() -> Value {
    json!({ "oneOf": [
        one_of("What becomes of new columns and changed types", schema_change::COLUMN_CHANGES),
        reference("schema_change"),
    ] })
}

fn run_table() -> Value {
    table(
        "SQL that a database runs in one transaction",
        &["connection", "sql"],
        json!({
            "connection": text("A database of [connections]"),
            "sql": sql("Statements in the words of the database; parameters as $name"),
        }),
    )
}

fn view_table() -> Value {
    table(
        "A view of a database",
        &["name", "connection", "sql"],
        json!({
            "name": text("view or schema.view"),
            "connection": text("A database of [connections]"),
            "sql": sql("A query in the words of the database; parameters as $name"),
            "materialized": { "type": "boolean", "default": false, "description": "PostgreSQL: whether its rows are kept, and made anew by each run" },
            "grants": one_or_more("PostgreSQL: roles that may read it"),
            "description": text("What it is for"),
        }),
    )
}

fn report_table() -> Value {
    table(
        "A part of the page that `weir report` makes",
        &["title", "chart", "sql"],
        json!({
            "title": text("The line above it"),
            "description": text("What a reader should know of it"),
            "sql": sql("A query over tables of the lake; parameters as $name"),
            "chart": one_of("How the rows are drawn", report::CHARTS),
            "x": text("The column along the axis, or of states; the first one if absent"),
            "y": one_or_more("The columns of values; all others if absent"),
            "series": text("The column whose values are lines or colours of their own"),
            "unit": text("What the values are: a currency's sign, or a word behind them"),
            "suppress": reference("suppress"),
            "sensitivity": one_or_more("The labels of sensitive data that it may show"),
        }),
    )
}

fn suppress_table() -> Value {
    table(
        "Which rows stand for too few people to be shown",
        &["count"],
        json!({
            "count": text("The column that says for how many people a row stands"),
            "below": { "type": "integer", "minimum": 1, "default": 11, "description": "The fewest of whom values are shown" },
        }),
    )
}

fn sql_file() -> Value {
    table(
        "SQL in a file",
        &["file"],
        json!({ "file": text("A path, relative to the pipeline file") }),
    )
}

fn read_table() -> Value {
    let may_stay = |action: &FailAction| *action == FailAction::Warn;
    let read_actions: Vec<(&str, FailAction)> = stage::FAIL_ACTIONS
        .iter()
        .filter(|(_, action)| !may_stay(action))
        .copied()
        .collect();
    table(
        "What a step reads: files, table, sql or source",
        &[],
        json!({
            "connection": text("The connection in whose database `table` is"),
            "files": text("A path with *, ?, […], {a,b} and **, relative to this file"),
            "table": text("zone.table"),
            "sql": sql("A query over tables; parameters as $name"),
            "limit": { "type": "integer", "minimum": 1, "description": "At most this many rows" },
            "incremental": reference("incremental"),
            "as_of": one_of("Which state of the table that the step writes itself", read::AS_OF),
            "format": one_of("How the files are laid out", read::FORMATS),
            "decoder": text("The plugin that decodes the files, instead of a format"),
            "source": text("The plugin that reads rows from somewhere else"),
            "stream": text("Which of the source's streams is read"),
            "max_rows": { "type": "integer", "minimum": 1, "description": "How many rows of a source are kept at once, where rows are added; 1000000 if absent" },
            "config": { "type": "object", "description": "The decoder's or source's configuration" },
            "grant": reference("read_grant"),
            "side_inputs": side_inputs(),
            "contract": reference("contract"),
            "compression": one_of("How the files are compressed; auto if absent", read::COMPRESSIONS),
            "schema": { "oneOf": [text("A schema file"), reference("columns"), reference("schema_file")] },
            "allow_missing": { "type": "boolean", "default": false, "description": "Whether it is fine that no file matches" },
            "new_column": one_of("What becomes of columns that are not declared; discard if absent", read::UNDECLARED),
            "max_files": { "type": "integer", "minimum": 1, "description": "The most files in one batch, for mode append" },
            "max_bytes": size("The most bytes of files in one batch, for mode append"),
            "delimiter": character("Between fields; a comma if absent"),
            "quote": character("Around fields that hold delimiters; \" if absent"),
            "escape": character("Before a quote that is data; doubling if absent"),
            "header": { "type": "boolean", "default": true, "description": "Whether the first row names the columns" },
            "nulls": texts("Texts that mean null; the empty text if absent"),
            "encoding": one_of("What the bytes of text files stand for; utf-8 if absent", read::ENCODINGS),
            "max_record": size("The most bytes of one record of a text file; 1GiB if absent"),
            "on_fail": one_of("What becomes of records that cannot be read; fail if absent", &read_actions),
            "fail_above": limit(),
            "warn_above": limit(),
            "item_column": text("Items of DynamoDB: the column that takes each whole, as JSON text"),
            "segments": { "type": "integer", "minimum": 1, "maximum": 1000, "description": "DynamoDB: in how many parts a table is read; 4 if absent" },
            "read_units": { "type": "integer", "minimum": 1, "description": "DynamoDB: the most read units that it may use in a second" },
            "consistent": { "type": "boolean", "default": false, "description": "DynamoDB: whether all is read that was written before" },
        }),
    )
}

fn side_inputs() -> Value {
    named(
        "read",
        "Small reference tables handed to the plugin, by name",
    )
}

/// How many rows may be found wanting.
fn limit() -> Value {
    json!({ "oneOf": [
        { "type": "string", "pattern": "^[0-9.]+%$" },
        { "type": "integer", "minimum": 0 },
    ], "description": "A share such as \"1%\" or a number of rows" })
}

fn write_table() -> Value {
    table(
        "A target",
        &["table"],
        json!({
            "table": text("zone.table, or a table of the connection"),
            "connection": text("A database of [connections]"),
            "mode": one_of("How rows meet what is there; replace if absent", write::MODES),
            "output": text("Which output; the only one if absent"),
            "partition": {
                "type": "object",
                "minProperties": 1,
                "description": "Columns with the values that every written row has",
                "additionalProperties": { "type": ["string", "integer"] },
            },
            "partition_by": one_or_more("Partition columns whose values rows have: a column, or year(column), month(column), day(column)"),
            "overwrite": one_of("Which partitions are replaced: the one of `partition`, or those that rows are in; static if absent", write::OVERWRITES),
            "key": one_or_more("Where rows are merged: the columns that say which row is meant"),
            "when_matched": one_of("What becomes of a row that is there; update if absent", write::WHEN_MATCHED),
            "order": one_or_more("Of rows with one key the greatest in these columns stays"),
            "schema_change": schema_change(),
            "ddl": reference("ddl"),
        }),
    )
}

fn ddl_table() -> Value {
    let list = json!({ "type": "array", "minItems": 1, "items": { "type": "string" } });
    table(
        "How a server's table is made",
        &[],
        json!({
            "types": {
                "type": "object",
                "description": "Types of columns in the words of the database",
                "additionalProperties": { "type": "string" },
            },
            "primary_key": one_or_more("The columns of its primary key"),
            "indexes": {
                "type": "array",
                "description": "For each index a column, or a list of columns",
                "items": { "oneOf": [{ "type": "string" }, list] },
            },
            "partition_by": one_or_more("postgres: a column, or year(column), month(column), day(column), and so on within each partition"),
            "grants": one_or_more("postgres, redshift: roles that may read it"),
            "dist_key": text("redshift: rows with one value of the column are together"),
            "dist_style": one_of("redshift: how rows are spread that have no dist_key", ddl::DIST_STYLES),
            "sort_key": one_or_more("redshift: the columns by which rows are sorted"),
        }),
    )
}

fn stage_table() -> Value {
    table(
        "One link of a step's chain: transform, check, plugin_check, fold, sql, mask or declassify",
        &[],
        json!({
            "transform": text("A plugin that makes rows out of rows"),
            "check": { "oneOf": [reference("check"), text("A set of [checks]"), texts("Sets of [checks]")] },
            "plugin_check": text("A plugin that judges rows"),
            "fold": text("The plugin that makes few rows of all rows"),
            "sql": sql("A query over `input`"),
            "mask": named("mask", "Columns whose values are replaced, by name"),
            "declassify": texts("Columns that are not sensitive any more, on your word"),
            "output": text("Which output of the last transform it applies to"),
            "config": { "type": "object", "description": "The plugin's configuration" },
            "grant": reference("grant"),
            "side_inputs": side_inputs(),
            "isolation": one_of("How long the plugin's memory lives; partition if absent", plugin_stage::ISOLATIONS),
            "contract": reference("contract"),
            "on_fail": one_of("What becomes of failing rows; quarantine if absent", stage::FAIL_ACTIONS),
            "fail_above": limit(),
            "warn_above": limit(),
        }),
    )
}

fn check() -> Value {
    let per_column = |schema: Value| json!({ "type": "object", "minProperties": 1, "additionalProperties": schema });
    table(
        "Declared checks, judged in the order of the file",
        &[],
        json!({
            "not_null": texts("Columns that have a value"),
            "unique": { "oneOf": [texts("A key"), { "type": "array", "items": texts("A key") }] },
            "accepted": per_column(json!({ "type": "array", "minItems": 1, "description": "The values a column may have" })),
            "range": per_column(reference("range")),
            "pattern": per_column(text("A regular expression that the whole text matches")),
            "expression": per_column(text("SQL that is true for good rows, under the rule's name")),
            "references": per_column(text("zone.table.column in which the value occurs")),
        }),
    )
}

fn table(description: &str, required: &[&str], properties: Value) -> Value {
    json!({
        "type": "object",
        "description": description,
        "required": required,
        "additionalProperties": false,
        "properties": properties,
    })
}

fn named(definition: &str, description: &str) -> Value {
    json!({ "type": "object", "description": description, "additionalProperties": reference(definition) })
}

fn reference(definition: &str) -> Value {
    json!({ "$ref": format!("#/$defs/{definition}") })
}

fn text(description: &str) -> Value {
    json!({ "type": "string", "description": description })
}

fn texts(description: &str) -> Value {
    json!({ "type": "array", "items": { "type": "string" }, "description": description })
}

fn duration(description: &str) -> Value {
    json!({ "type": "string", "pattern": "^([0-9]+(ms|s|m|h|d))+$", "description": description })
}

fn size(description: &str) -> Value {
    json!({ "type": "string", "pattern": "^[0-9]+(KiB|MiB|GiB)$", "description": description })
}

fn character(description: &str) -> Value {
    json!({ "type": "string", "minLength": 1, "maxLength": 1, "description": description })
}

/// A fixed choice; templates are strings too, so that the list only completes.
fn one_of<T>(description: &str, choices: &[(&str, T)]) -> Value {
    let names: Vec<&str> = choices.iter().map(|(name, _)| *name).collect();
    json!({
        "description": description,
        "anyOf": [{ "enum": names }, { "type": "string", "pattern": "\\$\\{" }],
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::grammar::TABLES;

    #[test]
    fn every_key_the_reader_takes_is_in_the_schema() {
        let schema = json_schema();
        for keys in TABLES {
            // What a read grants is another table than what a stage does.
            let names = [keys.name.to_owned(), format!("read_{}", keys.name)];
            let listed: BTreeSet<&str> = names
                .iter()
                .filter_map(|name| schema["$defs"][name]["properties"].as_object())
                .flat_map(|properties| properties.keys().map(String::as_str))
                .collect();
            let taken: BTreeSet<&str> = keys.keys.iter().copied().collect();
            assert_eq!(listed, taken, "{}", keys.name);
        }
    }

    #[test]
    fn every_reference_has_a_definition() {
        let schema = json_schema();
        let text = schema.to_string();
        for part in text.split("\"#/$defs/").skip(1) {
            let name = part.split('"').next().unwrap();
            assert!(schema["$defs"].get(name).is_some(), "{name}");
        }
    }
}
