//! `read`: files, a table or a query.

use crate::fields::{Fields, Keys, Text};
use crate::grammar::incremental::incremental;
use crate::grammar::sql::sql;
use crate::grammar::{Context, plugin_stage, schema, stage};
use crate::literals;
use crate::model::{
    AsOf, Column, Compression, CsvOptions, DataType, Encoding, FailAction, FileFormat, FileRead,
    FileSchema, ItemScan, OnFail, OwnTable, Read, ReadSource, SourceRead, Undeclared,
};
use crate::tree::Node;

pub(crate) const READ: Keys = Keys {
    name: "read",
    what: "a read",
    keys: &[
        "files",
        "connection",
        "table",
        "sql",
        "limit",
        "incremental",
        "as_of",
        "format",
        "decoder",
        "source",
        "stream",
        "max_rows",
        "config",
        "grant",
        "side_inputs",
        "contract",
        "compression",
        "schema",
        "allow_missing",
        "new_column",
        "max_files",
        "max_bytes",
        "delimiter",
        "quote",
        "escape",
        "header",
        "nulls",
        "encoding",
        "max_record",
        "on_fail",
        "fail_above",
        "warn_above",
        "item_column",
        "segments",
        "read_units",
        "consistent",
    ],
};

/// Keys that belong to files.
const FILE_KEYS: &[&str] = &[
    "format",
    "compression",
    "allow_missing",
    "new_column",
    "max_files",
    "max_bytes",
];
/// Keys that belong to a plugin that decodes files.
const DECODER_KEYS: &[&str] = &["decoder", "config", "grant", "side_inputs", "contract"];
/// Keys that belong to a plugin that reads elsewhere.
const SOURCE_KEYS: &[&str] = &["stream", "max_rows"];
/// How many rows of a source are kept at once unless the file says so.
const MAX_ROWS: u64 = 1_000_000;
/// Keys that belong to files of text.
const TEXT_KEYS: &[&str] = &[
    "encoding",
    "max_record",
    "on_fail",
    "fail_above",
    "warn_above",
];
/// Keys that belong to tables and queries.
const TABLE_KEYS: &[&str] = &["incremental", "as_of"];
/// Keys that belong to tables of DynamoDB.
const SCAN_KEYS: &[&str] = &["segments", "read_units", "consistent"];
/// Keys that say which records of files are read, and when.
const BATCH_KEYS: &[&str] = &[
    "format",
    "compression",
    "allow_missing",
    "max_files",
    "max_bytes",
    "encoding",
];
/// How many segments a table is read in unless the file says so.
const SEGMENTS: u32 = 4;
/// More segments than this bring no more.
const MOST_SEGMENTS: u64 = 1_000;
/// Keys that belong to CSV.
const CSV_KEYS: &[&str] = &["delimiter", "quote", "escape", "header", "nulls"];

#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Format {
    Csv,
    JsonLines,
    Json,
    Dynamodb,
    Parquet,
}

pub(crate) const AS_OF: &[(&str, AsOf)] = &[("before-run", AsOf::BeforeRun)];

pub(crate) const FORMATS: &[(&str, Format)] = &[
    ("csv", Format::Csv),
    ("json-lines", Format::JsonLines),
    ("json", Format::Json),
    ("dynamodb-json", Format::Dynamodb),
    ("parquet", Format::Parquet),
];

pub(crate) const COMPRESSIONS: &[(&str, Compression)] = &[
    ("auto", Compression::Auto),
    ("none", Compression::None),
    ("gzip", Compression::Gzip),
    ("zstd", Compression::Zstd),
];

pub(crate) const ENCODINGS: &[(&str, Encoding)] =
    &[("utf-8", Encoding::Utf8), ("latin-1", Encoding::Latin1)];

pub(crate) const UNDECLARED: &[(&str, Undeclared)] = &[
    ("discard", Undeclared::Discard),
    ("freeze", Undeclared::Freeze),
    ("quarantine", Undeclared::Quarantine),
];

/// A record of more bytes is never read: the text of a batch has to stay below 2 GiB.
const LONGEST_RECORD: u64 = 1 << 30;

pub(crate) fn read(node: &Node, context: &Context<'_>) -> Option<Read> {
    let fields = Fields::open(node, &READ, context.sink)?;
    let limit = fields.count("limit");
    let hint =
        "files = \"data/*.csv\", table = \"zone.table\", sql = \"select …\" or source = \"PLUGIN\"";
    let (key, entry) = fields.one_of(&["files", "table", "sql", "source"], hint)?;
    let text = match key {
        "sql" => None,
        key => fields.text(key),
    };
    let mut own = None;
    let scanned = match (key, fields.text("connection")) {
        ("table", Some(connection)) if context.is_dynamodb(connection.text) => Some(connection),
        _ => None,
    };
    if scanned.is_none() {
        fields.refuse(
            SCAN_KEYS,
            "belongs to tables of DynamoDB",
            "leave it out, or name a connection of kind = \"dynamodb\" with the table",
        );
    }
    if key != "source" {
        fields.refuse(
            SOURCE_KEYS,
            "belongs to `source`",
            "leave it out, or name the plugin that reads: source = \"NAME\"",
        );
    }
    let source = if key == "source" {
        elsewhere(&fields, context).map(ReadSource::Files)
    } else if let Some(connection) = scanned {
        items(&fields, connection, text, context).map(ReadSource::Files)
    } else if key == "files" {
        fields.refuse(
            TABLE_KEYS,
            "belongs to `table` and `sql`",
            "leave it out: of files each new one is read once where the step appends or merges",
        );
        fields.refuse(
            &["connection"],
            "belongs to `table`",
            "leave it out: files lie in no database",
        );
        files(&fields, text, context).map(ReadSource::Files)
    } else {
        for keys in [
            FILE_KEYS,
            DECODER_KEYS,
            TEXT_KEYS,
            CSV_KEYS,
            &["item_column"],
        ] {
            fields.refuse(
                keys,
                "belongs to `files`",
                "leave it out: tables and queries have a schema",
            );
        }
        own = own_table(&fields, context);
        if key == "table" {
            let text = text?;
            match fields.text("connection") {
                None => match text.text.split_once('.') {
                    Some((name, table)) if context.is_dynamodb(name) => {
                        fields.fault(
                            text.place,
                            format!("'{}' is a table of DynamoDB", text.text),
                            format!("write read = {{ connection = \"{name}\", table = \"{table}\", schema = … }}"),
                        );
                        None
                    }
                    _ => context.source_table(text),
                },
                Some(connection) => {
                    let name = context.connection(connection);
                    context.database_table(&name, text)
                }
            }
            .map(ReadSource::Table)
        } else {
            fields.refuse(
                &["connection"],
                "belongs to `table`",
                "leave it out: a query names tables as connection.table",
            );
            sql(&fields, context).map(ReadSource::Sql)
        }
    };
    let incremental = match fields.node("incremental") {
        Some(node) if key != "files" && key != "source" => {
            Some(incremental(node, source.as_ref(), context)?)
        }
        _ => None,
    };
    Some(Read {
        source: source?,
        limit,
        incremental,
        own,
        place: entry.node.place.clone(),
    })
}

/// How a step reads a table that it writes itself.
fn own_table(fields: &Fields<'_>, context: &Context<'_>) -> Option<OwnTable> {
    if fields.node("as_of").is_none() {
        fields.refuse(
            &["schema"],
            "belongs to `files`, and to `as_of`",
            "leave it out: tables and queries have a schema",
        );
        return None;
    }
    let as_of = fields.choice("as_of", AS_OF);
    let columns = match fields.node("schema") {
        Some(node) => Some(schema::declared(node, context)?),
        None => None,
    };
    Some(OwnTable {
        as_of: as_of?,
        columns,
    })
}

fn files(fields: &Fields<'_>, glob: Option<Text<'_>>, context: &Context<'_>) -> Option<FileRead> {
    let glob = glob.filter(|text| not_blank(fields, *text, "files"));
    if fields.node("decoder").is_some() {
        return decoded(fields, glob, context);
    }
    fields.refuse(
        DECODER_KEYS,
        "belongs to `decoder`",
        "name the plugin that decodes the files: decoder = \"NAME\"",
    );
    let format_hint = "write format = \"csv\", \"json-lines\", \"json\", \"dynamodb-json\" or \"parquet\"; or decoder = \"NAME\" for a plugin";
    fields.need("format", format_hint);
    let format = fields.choice("format", FORMATS);
    let compression = fields.choice("compression", COMPRESSIONS);
    let allow_missing = fields.flag("allow_missing").unwrap_or(false);
    let max_files = fields.count("max_files");
    let max_bytes = size(fields, "max_bytes");
    let encoding = fields.choice("encoding", ENCODINGS);
    let max_record = max_record(fields);
    let on_fail = on_fail(fields);
    let undeclared = undeclared(fields, format, &on_fail);
    if format.is_some_and(|format| format != Format::Csv) {
        fields.refuse(
            CSV_KEYS,
            "belongs to CSV",
            "leave it out, or write format = \"csv\"",
        );
    }
    if format == Some(Format::Parquet) {
        fields.refuse(
            TEXT_KEYS,
            "belongs to CSV and JSON",
            "leave it out: Parquet has no records that could be read one by one",
        );
    }
    if format == Some(Format::Parquet)
        && let Some(Compression::Gzip | Compression::Zstd) = compression
    {
        fields.refuse(
            &["compression"],
            "does not apply to Parquet",
            "leave it out: Parquet compresses its pages itself",
        );
    }
    if format.is_some_and(|format| format != Format::Dynamodb) {
        fields.refuse(
            &["item_column"],
            "belongs to items of DynamoDB",
            "leave it out, or write format = \"dynamodb-json\"",
        );
    } else if format.is_some() {
        fields.refuse(
            &["encoding"],
            "does not apply to items of DynamoDB",
            "leave it out: exports are UTF-8",
        );
    }
    let item_column = item_column(fields);
    let schema = match fields.node("schema") {
        _ if format == Some(Format::Dynamodb) => item_schema(fields, item_column.as_ref(), context),
        Some(node) => schema::declared(node, context).map(FileSchema::Declared),
        None if format == Some(Format::Parquet) => Some(FileSchema::FromFile),
        None => {
            if format.is_some() {
                fields.need(
                    "schema",
                    "write schema = \"schemas/….toml\", or list the columns: schema = { id = \"int64 not null\" }",
                );
            }
            None
        }
    };
    // Options of CSV are read whatever the format, so that all faults are told.
    let csv = csv_options(fields);
    let format = match format? {
        Format::Csv => FileFormat::Csv(csv?),
        Format::JsonLines => FileFormat::JsonLines,
        Format::Json => FileFormat::JsonArray,
        Format::Dynamodb => FileFormat::DynamodbJson {
            item_column: item_column?,
        },
        Format::Parquet => FileFormat::Parquet,
    };
    Some(FileRead {
        glob: glob?.text.to_owned(),
        format,
        compression: compression.unwrap_or(Compression::Auto),
        schema: schema?,
        allow_missing,
        max_files,
        max_bytes,
        encoding: encoding.unwrap_or_default(),
        max_record,
        undeclared: undeclared?,
        on_fail,
        items: None,
    })
}

/// Files that a plugin decodes.
fn decoded(fields: &Fields<'_>, glob: Option<Text<'_>>, context: &Context<'_>) -> Option<FileRead> {
    let hint = "leave it out: what the files hold is the plugin's to know";
    for keys in [
        &["format", "new_column", "item_column"][..],
        CSV_KEYS,
        &["encoding", "max_record"],
    ] {
        fields.refuse(keys, "does not apply to files that a plugin decodes", hint);
    }
    let compression = fields.choice("compression", COMPRESSIONS);
    let on_fail = on_fail(fields);
    let schema = match fields.node("schema") {
        Some(node) => schema::declared(node, context).map(FileSchema::Declared),
        None => Some(FileSchema::FromFile),
    };
    let decoder = plugin_stage::reading(fields, "decoder", on_fail.clone(), context);
    Some(FileRead {
        glob: glob?.text.to_owned(),
        format: FileFormat::Decoder(Box::new(decoder?)),
        compression: compression.unwrap_or(Compression::Auto),
        schema: schema?,
        allow_missing: fields.flag("allow_missing").unwrap_or(false),
        max_files: fields.count("max_files"),
        max_bytes: size(fields, "max_bytes"),
        encoding: Encoding::Utf8,
        max_record: None,
        undeclared: Undeclared::Discard,
        on_fail,
        items: None,
    })
}

/// A stream that a plugin reads elsewhere.
fn elsewhere(fields: &Fields<'_>, context: &Context<'_>) -> Option<FileRead> {
    for keys in [
        FILE_KEYS,
        CSV_KEYS,
        TABLE_KEYS,
        &[
            "decoder",
            "connection",
            "encoding",
            "max_record",
            "item_column",
        ],
    ] {
        fields.refuse(
            keys,
            "does not apply to a source",
            "leave it out: what it reads, and from where on, is between the plugin and the host",
        );
    }
    let hint = "name what is read: stream = \"NAME\"; `weir plan` lists the plugin's streams";
    let stream = fields
        .need_text("stream", hint)
        .filter(|text| not_blank(fields, *text, "stream"));
    let on_fail = on_fail(fields);
    let schema = match fields.node("schema") {
        Some(node) => schema::declared(node, context).map(FileSchema::Declared),
        None => Some(FileSchema::FromFile),
    };
    let max_rows = fields.count("max_rows").unwrap_or(MAX_ROWS);
    let plugin = plugin_stage::reading(fields, "source", on_fail.clone(), context)?;
    let stream = stream?.text.to_owned();
    Some(FileRead {
        glob: format!("{}:{stream}", plugin.plugin),
        format: FileFormat::Source(Box::new(SourceRead {
            plugin,
            stream,
            max_rows,
        })),
        compression: Compression::None,
        schema: schema?,
        allow_missing: false,
        max_files: None,
        max_bytes: None,
        encoding: Encoding::Utf8,
        max_record: None,
        undeclared: Undeclared::Discard,
        on_fail,
        items: None,
    })
}

/// The items of a table of DynamoDB.
fn items(
    fields: &Fields<'_>,
    connection: Text<'_>,
    table: Option<Text<'_>>,
    context: &Context<'_>,
) -> Option<FileRead> {
    for keys in [BATCH_KEYS, CSV_KEYS, DECODER_KEYS] {
        fields.refuse(
            keys,
            "belongs to `files`",
            "leave it out: a table of DynamoDB is read whole",
        );
    }
    fields.refuse(
        TABLE_KEYS,
        "does not apply to DynamoDB, whose tables are read whole",
        "write the items to a lake table, and read that incrementally",
    );
    let table = table.filter(|text| not_blank(fields, *text, "table"));
    let segments = fields.count("segments");
    if segments.is_some_and(|segments| segments > MOST_SEGMENTS)
        && let Some(node) = fields.node("segments")
    {
        fields.fault(
            &node.place,
            format!("`segments` is more than {MOST_SEGMENTS}"),
            "a few for each core are enough",
        );
    }
    let read_units = fields.count("read_units");
    let consistent = fields.flag("consistent").unwrap_or(false);
    let max_record = max_record(fields);
    let on_fail = on_fail(fields);
    let undeclared = undeclared(fields, Some(Format::Dynamodb), &on_fail);
    let item_column = item_column(fields);
    let schema = item_schema(fields, item_column.as_ref(), context);
    let table = table?.text.to_owned();
    Some(FileRead {
        glob: format!("{}:{table}", connection.text),
        format: FileFormat::DynamodbJson {
            item_column: item_column?,
        },
        compression: Compression::None,
        schema: schema?,
        allow_missing: false,
        max_files: None,
        max_bytes: None,
        encoding: Encoding::Utf8,
        max_record,
        undeclared: undeclared?,
        on_fail,
        items: Some(ItemScan {
            connection: connection.text.to_owned(),
            table,
            segments: segments
                .and_then(|segments| u32::try_from(segments).ok())
                .unwrap_or(SEGMENTS),
            read_units,
            consistent,
        }),
    })
}

/// The column that takes whole items; the outer `None` is a fault.
fn item_column(fields: &Fields<'_>) -> Option<Option<String>> {
    if fields.node("item_column").is_none() {
        return Some(None);
    }
    let text = fields.text("item_column")?;
    not_blank(fields, text, "item_column").then(|| Some(text.text.to_owned()))
}

/// The columns of items: those that are declared, or one of whole items.
fn item_schema(
    fields: &Fields<'_>,
    item_column: Option<&Option<String>>,
    context: &Context<'_>,
) -> Option<FileSchema> {
    match (fields.node("schema"), item_column?) {
        (Some(node), None) => schema::declared(node, context).map(FileSchema::Declared),
        (None, Some(name)) => Some(FileSchema::Declared(vec![Column {
            name: name.clone(),
            source: None,
            data_type: DataType::String,
            nullable: false,
            sensitivity: Vec::new(),
        }])),
        (Some(node), Some(_)) => {
            fields.fault(
                &node.place,
                "`schema` and `item_column` say two things",
                "leave one of them out: attributes are columns, or the item is one",
            );
            None
        }
        (None, None) => {
            fields.need(
                "schema",
                "write schema = \"schemas/….toml\", or list the attributes: schema = { id = \"string not null\" }; or item_column = \"item\" for whole items as JSON text",
            );
            None
        }
    }
}

/// What becomes of columns that are not declared.
fn undeclared(fields: &Fields<'_>, format: Option<Format>, on_fail: &OnFail) -> Option<Undeclared> {
    let Some(text) = fields.text("new_column") else {
        return fields
            .node("new_column")
            .is_none()
            .then_some(Undeclared::Discard);
    };
    if text.text == "evolve" {
        fields.fault(
            text.place,
            "a read cannot take columns that are not declared",
            "declare the column in `schema`: plugins and targets are held against it before data moves; a table gets it by `schema_change` of the write",
        );
        return None;
    }
    let undeclared = fields.choice("new_column", UNDECLARED)?;
    if fields.flag("header") == Some(false) {
        fields.fault(
            text.place,
            "without a header all columns have to be declared",
            "leave `new_column` out: a row with other fields is ragged",
        );
    }
    if undeclared == Undeclared::Quarantine {
        let hint = "write on_fail = \"quarantine\" too, or new_column = \"freeze\" or \"discard\"";
        if format == Some(Format::Parquet) {
            fields.fault(
                text.place,
                "Parquet has no records that could be kept aside",
                "write new_column = \"freeze\" or \"discard\"",
            );
        } else if on_fail.action != FailAction::Quarantine {
            fields.fault(
                text.place,
                "records with a new column go where those go that cannot be read, which is not quarantine",
                hint,
            );
        }
    }
    Some(undeclared)
}

/// What becomes of records that cannot be read. They end the step unless the file says otherwise:
/// a step's input is what its author takes it for until then.
fn on_fail(fields: &Fields<'_>) -> OnFail {
    let action = fields.choice("on_fail", stage::FAIL_ACTIONS);
    if let Some(FailAction::Warn) = action
        && let Some(node) = fields.node("on_fail")
    {
        fields.fault(
            &node.place,
            "a record that cannot be read cannot stay",
            "use on_fail = \"quarantine\", \"drop\" or \"fail\"",
        );
    }
    let read = OnFail {
        action: action.unwrap_or(FailAction::Fail),
        fail_above: stage::threshold(fields, "fail_above"),
        warn_above: stage::threshold(fields, "warn_above"),
    };
    if action == Some(FailAction::Fail) || fields.node("on_fail").is_none() {
        fields.refuse(
            &["fail_above", "warn_above"],
            "counts records that are kept aside",
            "write on_fail = \"quarantine\" or \"drop\" too, or leave it out: the first bad record ends the step",
        );
    }
    read
}

fn max_record(fields: &Fields<'_>) -> Option<u64> {
    let size = size(fields, "max_record")?;
    if size > LONGEST_RECORD
        && let Some(node) = fields.node("max_record")
    {
        fields.fault(
            &node.place,
            "`max_record` is more than 1GiB",
            "leave it out: records are never longer than 1GiB",
        );
    }
    Some(size)
}

/// A key that holds a size, of one byte at least.
fn size(fields: &Fields<'_>, key: &str) -> Option<u64> {
    let text = fields.text(key)?;
    let size = literals::size(text.text).filter(|size| *size > 0);
    if !text.guess && size.is_none() {
        fields.fault(
            text.place,
            format!("{key} cannot be '{}'", text.text),
            "write a number of KiB, MiB or GiB, such as 1GiB",
        );
    }
    size
}

fn csv_options(fields: &Fields<'_>) -> Option<CsvOptions> {
    let delimiter = character(fields, "delimiter", Some(b','));
    let quote = character(fields, "quote", Some(b'"'));
    let escape = character(fields, "escape", None);
    let header = fields.flag("header").unwrap_or(true);
    let nulls = match fields.texts("nulls") {
        Some(texts) => texts.iter().map(|text| text.text.to_owned()).collect(),
        None => vec![String::new()],
    };
    let (delimiter, quote) = (delimiter?, quote?);
    if delimiter == quote {
        let key = if fields.node("quote").is_some() {
            "quote"
        } else {
            "delimiter"
        };
        let place = fields.node(key).map_or(fields.place(), |node| &node.place);
        fields.fault(
            place,
            "`delimiter` and `quote` are the same character",
            "the defaults are delimiter = \",\" and quote = '\"'",
        );
        return None;
    }
    Some(CsvOptions {
        delimiter,
        quote,
        escape,
        header,
        nulls,
    })
}

/// A key that holds one ASCII character; line breaks and NUL end rows or text.
fn character(fields: &Fields<'_>, key: &str, default: Option<u8>) -> Option<u8> {
    if fields.node(key).is_none() {
        return default;
    }
    let text = fields.text(key)?;
    match text.text.as_bytes() {
        [byte] if byte.is_ascii() && !matches!(byte, b'\n' | b'\r' | 0) => Some(*byte),
        _ => {
            if !text.guess {
                fields.fault(
                    text.place,
                    format!("`{key}` must be one ASCII character"),
                    "write \",\", \"|\", \";\" or \"\\t\" for a tab",
                );
            }
            None
        }
    }
}

/// Whether a text says something.
pub(crate) fn not_blank(fields: &Fields<'_>, text: Text<'_>, key: &str) -> bool {
    let blank = text.text.trim().is_empty();
    if blank {
        fields.fault(
            text.place,
            format!("`{key}` is empty"),
            format!("give `{key}` a text"),
        );
    }
    !blank
}
