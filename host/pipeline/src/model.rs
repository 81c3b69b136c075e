//! The checked pipeline: every template substituted, every name resolved, every value in range.
//!
//! [`crate::PipelineFile::resolve`] is the only maker of a [`Pipeline`].

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use crate::Place;
use crate::plugin_set::{PluginSet, PluginSource, Trust};

/// A pipeline with its parameters bound.
#[derive(Debug, Clone)]
pub struct Pipeline {
    /// The file it came from.
    pub path: PathBuf,
    /// The folder of that file; relative paths in the file start here.
    pub dir: PathBuf,
    /// Its name: lower-case letters, digits, `-` and `_`.
    pub name: String,
    /// Who answers for it.
    pub owner: Option<String>,
    /// What it is for.
    pub description: Option<String>,
    /// The bound parameters by name, rendered as text.
    pub params: BTreeMap<String, ParamValue>,
    /// Where its zones lie by default: an absolute URL or a path (relative to the working
    /// directory, as the shell's user expects, not to the file).
    pub lake: String,
    /// Settings of object stores, by the beginning of the URLs that they are for.
    pub stores: BTreeMap<String, StoreSettings>,
    /// Zones by name.
    pub zones: BTreeMap<String, Zone>,
    /// Databases by name.
    pub connections: BTreeMap<String, Connection>,
    /// Plugins by name.
    pub plugins: BTreeMap<String, PluginSource>,
    /// Whom it trusts for them.
    pub trust: Trust,
    /// Steps in the order of the file; a step with `each` is one entry for each tuple.
    pub steps: Vec<Step>,
    /// What a page for people shows, in the order of the file.
    pub reports: Vec<Report>,
}

/// A parameter's value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ParamValue {
    /// Text.
    String(String),
    /// A signed integer.
    Int(i64),
    /// A calendar day.
    Date(chrono::NaiveDate),
    /// True or false.
    Bool(bool),
    /// A path: absolute if it was given, as written (and relative to the file) if it is a default.
    Path(String),
}

/// A zone of the lake.
#[derive(Debug, Clone)]
pub struct Zone {
    /// Where it lies, if not at `<lake>/<zone>`.
    pub url: Option<String>,
    /// The labels of sensitive data that it may hold.
    pub sensitivity: Vec<String>,
    /// How long its data is to be kept.
    pub retention: Option<Duration>,
    /// Where it is named.
    pub place: Place,
}

/// Settings of an object store, by the names that the store gives them.
#[derive(Debug, Clone)]
pub struct StoreSettings {
    /// The settings.
    pub settings: BTreeMap<String, StoreSetting>,
    /// Where it is named.
    pub place: Place,
}

/// A setting of an object store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StoreSetting {
    /// Written in the file.
    Plain(String),
    /// Kept elsewhere.
    Secret(SecretSource),
}

/// A database.
#[derive(Debug, Clone)]
pub struct Connection {
    /// Which kind.
    pub kind: ConnectionKind,
    /// The labels of sensitive data that it may hold.
    pub sensitivity: Vec<String>,
    /// Where it is named.
    pub place: Place,
}

/// The kinds of database that can be written.
#[derive(Debug, Clone)]
pub enum ConnectionKind {
    /// One SQLite file. Absent or empty: `warehouse.sqlite` in the lake's folder.
    Sqlite {
        /// The file, relative to the working directory.
        path: Option<String>,
    },
    /// A database of a server.
    Server(ServerKind, Server),
    /// The tables of an AWS account in a region; they can be read.
    Dynamodb(Dynamodb),
    /// A Redshift warehouse; it can be written.
    Redshift(Redshift),
    /// A database behind an ADBC driver; it can be written.
    Adbc(Adbc),
}

/// A Redshift warehouse, and how it reads the files that it loads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Redshift {
    /// Where it is.
    pub server: Server,
    /// The folder of the files that it loads: an URL of S3.
    pub staging: String,
    /// As whom it reads them.
    pub access: S3Access,
    /// The region of the bucket; absent: the warehouse's own.
    pub region: Option<String>,
}

/// As whom Redshift reads S3.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum S3Access {
    /// A role that the warehouse may take: its ARN, a chain of them with commas between, or `default`.
    Role(String),
    /// The owner of a key.
    Key(AccessKey),
}

/// A database behind an ADBC driver: a shared library, which runs in the host and is trusted as the host is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Adbc {
    /// The library: a path, or a name that the system's loader finds.
    pub driver: String,
    /// The function that begins the driver; absent: the usual names.
    pub entry_point: Option<String>,
    /// Options of the database, by the driver's names.
    pub options: BTreeMap<String, AdbcOption>,
}

/// The value of a driver's option.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AdbcOption {
    /// As the file has it.
    Text(String),
    /// Kept elsewhere.
    Secret(SecretSource),
}

/// The DynamoDB tables of an account in a region.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dynamodb {
    /// The region.
    pub region: String,
    /// An endpoint other than the region's own: a URL.
    pub endpoint: Option<String>,
    /// As whom it is asked; absent: as AWS's standard chain says.
    pub key: Option<AccessKey>,
}

/// A key of AWS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccessKey {
    /// Its id.
    pub id: SecretSource,
    /// Its secret.
    pub secret: SecretSource,
    /// The session's token, where it is a temporary one.
    pub session_token: Option<SecretSource>,
}

/// What a server is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ServerKind {
    /// PostgreSQL.
    Postgres,
    /// MySQL or MariaDB.
    Mysql,
    /// Amazon Redshift.
    Redshift,
    /// Whatever an ADBC driver speaks to.
    Adbc,
}

impl ConnectionKind {
    /// What its server is; none if it is no server of tables.
    pub fn server(&self) -> Option<ServerKind> {
        match self {
            ConnectionKind::Server(kind, _) => Some(*kind),
            ConnectionKind::Redshift(_) => Some(ServerKind::Redshift),
            ConnectionKind::Adbc(_) => Some(ServerKind::Adbc),
            ConnectionKind::Sqlite { .. } | ConnectionKind::Dynamodb(_) => None,
        }
    }
}

/// A database of a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Server {
    /// Where it is, and as whom to go there.
    pub address: Address,
    /// How the connection is encrypted; absent: as the URL says, else as [`Tls::Verify`].
    pub tls: Option<Tls>,
    /// A file of certificates in PEM, relative to the pipeline file, that sign the server's; absent: those
    /// that the machine trusts.
    pub ca: Option<String>,
    /// How long it may take to connect.
    pub connect_timeout: Duration,
    /// How long one statement may take; absent: as long as the server lets it.
    pub statement_timeout: Option<Duration>,
}

/// Where a server is, and as whom to go there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Address {
    /// A URL, kept elsewhere: it may hold a password.
    Url(SecretSource),
    /// Its parts.
    Parts {
        /// A name, an address, or the folder of a Unix socket.
        host: String,
        /// The port; absent: the usual one.
        port: Option<u16>,
        /// The database.
        database: String,
        /// The user.
        user: String,
        /// The password, kept elsewhere.
        password: Option<SecretSource>,
    },
}

/// How a connection is encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tls {
    /// By TLS; the server's certificate must be for its name, and signed by somebody who is trusted.
    Verify,
    /// By TLS, with whoever answers.
    Require,
    /// Not at all.
    Off,
}

/// One step: reads, applies stages, writes; or has a database run SQL.
#[derive(Debug, Clone)]
pub struct Step {
    /// Its name; with `each`, the name followed by the tuple's values: `ingest[2008]`.
    pub name: String,
    /// What it reads.
    pub read: Read,
    /// What it applies, in order.
    pub stages: Vec<Stage>,
    /// What it writes; none where it has a database run SQL.
    pub writes: Vec<Write>,
    /// What a database is to run; such a step reads and writes no rows.
    pub run: Option<DatabaseSql>,
    /// How long it may run.
    pub timeout: Option<Duration>,
    /// Its name in the file.
    pub place: Place,
}

/// SQL that a database runs, once for each run of its step.
#[derive(Debug, Clone)]
pub struct DatabaseSql {
    /// The connection's name.
    pub connection: String,
    /// What it does.
    pub work: DatabaseWork,
    /// Where it stands in the file.
    pub place: Place,
}

/// What SQL does in a database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DatabaseWork {
    /// Statements in the words of the database, in one transaction, with the parameters that they name as
    /// `$param`.
    Script(String),
    /// A view is what a query in the words of the database says.
    View {
        /// `view` or `schema.view`.
        name: String,
        /// The query, with the parameters that it names as `$param`.
        query: String,
        /// Whether its rows are kept, and made anew by each run.
        materialized: bool,
        /// Roles that may read it.
        grants: Vec<String>,
    },
}

/// What a step reads.
#[derive(Debug, Clone)]
pub struct Read {
    /// From where.
    pub source: ReadSource,
    /// At most this many rows.
    pub limit: Option<u64>,
    /// How it tells the rows of a table that it has not read yet; absent: it reads all of them.
    pub incremental: Option<Incremental>,
    /// How it reads the table that the step writes itself; absent: it must not.
    pub own: Option<OwnTable>,
    /// The glob, table or query in the file.
    pub place: Place,
}

/// How a step tells the rows of a table that it has not read yet.
#[derive(Debug, Clone)]
pub struct Incremental {
    /// The table.
    pub table: TableName,
    /// By what.
    pub by: Progress,
    /// Where the file says so.
    pub place: Place,
}

/// How far a table has been read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Progress {
    /// By its version: what commits have added since is new.
    Version {
        /// What becomes of commits that have also taken rows away.
        removed: Removed,
    },
    /// By the highest value of a column: rows with a higher one are new.
    Cursor {
        /// The column.
        column: String,
        /// How far below the highest value rows are read again.
        lag: Option<Lag>,
    },
}

/// What becomes of commits that take rows away from a table that is read by version.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Removed {
    /// They are an error: what they took away would stay in the targets.
    #[default]
    Fail,
    /// What they add is read, and what they took away stays in the targets.
    Ignore,
}

/// How far below a cursor's highest value rows may still come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lag {
    /// For dates and timestamps.
    Time(Duration),
    /// For integers.
    Number(u64),
}

/// How a step reads a table that it writes itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnTable {
    /// Which state of it.
    pub as_of: AsOf,
    /// Its columns while it is not there yet.
    pub columns: Option<Vec<Column>>,
}

/// A state of a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AsOf {
    /// As it was before the step wrote to it.
    BeforeRun,
}

/// From where a step reads.
#[derive(Debug, Clone)]
pub enum ReadSource {
    /// Files that match a glob.
    Files(FileRead),
    /// A table of the lake, whole.
    Table(TableName),
    /// A query over tables of the lake, with the parameters it may name as `$param`.
    Sql(String),
    /// Nothing: the step has a database run SQL.
    Nothing,
}

/// Files in an object store.
#[derive(Debug, Clone)]
pub struct FileRead {
    /// A path (relative to the pipeline file) or URL with `*`, `?`, `[…]`, `{a,b}` and `**`.
    pub glob: String,
    /// How the bytes are laid out.
    pub format: FileFormat,
    /// How the bytes are compressed.
    pub compression: Compression,
    /// The columns to read.
    pub schema: FileSchema,
    /// Whether it is fine that nothing matches.
    pub allow_missing: bool,
    /// The most files in one batch, where files are added.
    pub max_files: Option<u64>,
    /// The most bytes of files in one batch, where files are added; one file is always read.
    pub max_bytes: Option<u64>,
    /// What the bytes of text files stand for.
    pub encoding: Encoding,
    /// The most bytes that a record of a text file may have; absent: the decoder's own limit.
    pub max_record: Option<u64>,
    /// What becomes of columns that are not declared.
    pub undeclared: Undeclared,
    /// What becomes of records that cannot be read; never [`FailAction::Warn`], since there is no row
    /// that could stay.
    pub on_fail: OnFail,
    /// The table whose items are read in place of files; `glob` is how people call it.
    pub items: Option<ItemScan>,
}

/// A stream that a plugin reads from somewhere else.
#[derive(Debug, Clone)]
pub struct SourceRead {
    /// The plugin. Its grant has no columns.
    pub plugin: PluginStage,
    /// The stream, as the plugin calls it.
    pub stream: String,
    /// How many rows are kept at once, where rows are added: the first page that reaches them ends the batch, and
    /// the next batch goes on behind it.
    pub max_rows: u64,
}

/// The items of a DynamoDB table, read in segments: each counts as a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ItemScan {
    /// The connection's name.
    pub connection: String,
    /// The table.
    pub table: String,
    /// How many segments; at least one.
    pub segments: u32,
    /// The most read units that all segments together may use in a second.
    pub read_units: Option<u64>,
    /// Whether all that was written before is read.
    pub consistent: bool,
}

impl Step {
    /// Its plugins: that of its read first, then those of its stages.
    pub fn plugins(&self) -> impl Iterator<Item = &PluginStage> {
        let staged = self.stages.iter().filter_map(|stage| match &stage.action {
            StageAction::Transform(plugin)
            | StageAction::PluginCheck(plugin)
            | StageAction::Fold(plugin) => Some(plugin),
            StageAction::Checks(_)
            | StageAction::Sql(_)
            | StageAction::Mask(_)
            | StageAction::Declassify(_) => None,
        });
        self.read.plugin().into_iter().chain(staged)
    }
}

impl Read {
    /// The plugin that decodes the files, or reads elsewhere, if one does.
    pub fn plugin(&self) -> Option<&PluginStage> {
        match &self.source {
            ReadSource::Files(read) => read.plugin(),
            ReadSource::Table(_) | ReadSource::Sql(_) | ReadSource::Nothing => None,
        }
    }

    /// What a plugin reads elsewhere, if it does.
    pub fn elsewhere(&self) -> Option<&SourceRead> {
        match &self.source {
            ReadSource::Files(FileRead {
                format: FileFormat::Source(source),
                ..
            }) => Some(source),
            _ => None,
        }
    }
}

impl FileRead {
    /// The plugin that decodes the files, or reads elsewhere, if one does.
    pub fn plugin(&self) -> Option<&PluginStage> {
        match &self.format {
            FileFormat::Decoder(plugin) => Some(plugin),
            FileFormat::Source(source) => Some(&source.plugin),
            FileFormat::Csv(_)
            | FileFormat::JsonLines
            | FileFormat::JsonArray
            | FileFormat::DynamodbJson { .. }
            | FileFormat::Parquet => None,
        }
    }

    /// Whether a record that cannot be read is a rejected row rather than the end of the step.
    pub fn is_tolerant(&self) -> bool {
        match self.on_fail.action {
            FailAction::Quarantine | FailAction::Drop => true,
            FailAction::Warn | FailAction::Fail => false,
        }
    }
}

/// What becomes of columns of files that are not declared.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Undeclared {
    /// They are not read.
    #[default]
    Discard,
    /// The step fails.
    Freeze,
    /// Records with a value in one are records that cannot be read.
    Quarantine,
}

/// What the bytes of text files stand for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Encoding {
    /// UTF-8; other bytes are a fault.
    #[default]
    Utf8,
    /// A character each byte, by the table of Windows-1252.
    Latin1,
}

/// The layouts of files.
#[derive(Debug, Clone)]
pub enum FileFormat {
    /// Delimiter-separated text.
    Csv(CsvOptions),
    /// One JSON object a line.
    JsonLines,
    /// One JSON array of objects, or objects one after the other.
    JsonArray,
    /// Items of DynamoDB, a line each, as exports of tables have them.
    DynamodbJson {
        /// The column that takes each item as JSON text; absent: attributes are columns.
        item_column: Option<String>,
    },
    /// Apache Parquet.
    Parquet,
    /// Whatever a plugin makes rows of. Its grant has no columns.
    Decoder(Box<PluginStage>),
    /// No files: rows that a plugin reads elsewhere. Each shard counts as a file.
    Source(Box<SourceRead>),
}

/// How delimiter-separated text is read.
#[derive(Debug, Clone)]
pub struct CsvOptions {
    /// Between fields.
    pub delimiter: u8,
    /// Around fields that hold delimiters.
    pub quote: u8,
    /// Before a quote that is data, if not by doubling.
    pub escape: Option<u8>,
    /// Whether the first row names the columns. With it columns are matched by name (exactly,
    /// else without regard to ASCII case) and may come in any order; without it by position.
    pub header: bool,
    /// Unquoted or quoted texts that mean null. The empty text is among them by default.
    pub nulls: Vec<String>,
}

/// How files are compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compression {
    /// By the file's ending: `.gz`, `.zst`, else none.
    Auto,
    /// Not at all.
    None,
    /// gzip.
    Gzip,
    /// Zstandard.
    Zstd,
}

/// The columns of files.
#[derive(Debug, Clone)]
pub enum FileSchema {
    /// As declared, in order.
    Declared(Vec<Column>),
    /// As the files themselves say, or the plugin that decodes them; of the formats only Parquet does.
    FromFile,
}

/// A declared column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// Its name in Weir.
    pub name: String,
    /// Its name in the file, where it differs.
    pub source: Option<String>,
    /// Its type.
    pub data_type: DataType,
    /// Whether values may be null.
    pub nullable: bool,
    /// The labels of what is sensitive about it, in words of the organisation's own.
    pub sensitivity: Vec<String>,
}

/// The types a file can declare, written in the file as the text given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DataType {
    /// `bool`
    Bool,
    /// `int8`
    Int8,
    /// `int16`
    Int16,
    /// `int32`
    Int32,
    /// `int64`
    Int64,
    /// `uint8`
    UInt8,
    /// `uint16`
    UInt16,
    /// `uint32`
    UInt32,
    /// `uint64`
    UInt64,
    /// `float32`
    Float32,
    /// `float64`
    Float64,
    /// `string`
    String,
    /// `binary`
    Binary,
    /// `date`
    Date,
    /// `time` (microseconds)
    Time,
    /// `timestamp` (microseconds, no zone)
    Timestamp,
    /// `timestamptz` (microseconds, UTC)
    TimestampTz,
    /// `decimal(precision,scale)`
    Decimal(u8, i8),
    /// `list<type>`
    List(Box<DataType>),
    /// `struct<name: type, …>`
    Struct(Vec<(String, DataType)>),
}

/// `zone.table`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TableName {
    /// The zone's name.
    pub zone: String,
    /// The table's name in it.
    pub table: String,
}

/// One link of a step's chain.
#[derive(Debug, Clone)]
pub struct Stage {
    /// How plans and errors call it: `stage 2 (check)`.
    pub label: String,
    /// Which output of the last transform it applies to; absent: the only one.
    pub output: Option<String>,
    /// What it does.
    pub action: StageAction,
    /// What it does, in the file: the plugin's name, the query, the checks.
    pub place: Place,
}

/// What a stage does.
#[derive(Debug, Clone)]
pub enum StageAction {
    /// A plugin of world `transform`.
    Transform(PluginStage),
    /// A plugin of world `check`.
    PluginCheck(PluginStage),
    /// A plugin of world `fold`, over all rows at once.
    Fold(PluginStage),
    /// A query over `input`, and over tables of the lake.
    Sql(String),
    /// Declared checks, judged in order; the first that fails is the row's rule.
    Checks(CheckStage),
    /// Values replaced by others that tell less.
    Mask(Vec<ColumnMask>),
    /// Columns that are not sensitive any more, by the word of the file's author.
    Declassify(Vec<String>),
}

/// A column whose values are replaced.
#[derive(Debug, Clone)]
pub struct ColumnMask {
    /// The column.
    pub column: String,
    /// By what.
    pub method: MaskMethod,
    /// The column's name in the file.
    pub place: Place,
}

/// By what a value is replaced. Null stays null.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MaskMethod {
    /// HMAC-SHA-256 of its text.
    Hmac {
        /// Where the key is.
        key: SecretSource,
    },
    /// A random token that stands for it.
    Token {
        /// The table that knows which.
        vault: TableName,
    },
    /// Null.
    Null,
    /// The year of a date or moment.
    Year,
    /// Its last characters, and `*` for those before.
    Partial {
        /// How many stay.
        keep: u8,
    },
}

/// A plugin at work in a step.
#[derive(Debug, Clone)]
pub struct PluginStage {
    /// The plugin's name in the file.
    pub plugin: String,
    /// Its configuration.
    pub config: serde_json::Map<String, serde_json::Value>,
    /// What it is given.
    pub grant: Grant,
    /// The reference tables that it is handed, in the order of the file.
    pub side_inputs: Vec<SideInput>,
    /// How long its memory lives.
    pub isolation: Isolation,
    /// What its output must keep to.
    pub contract: Contract,
    /// What becomes of rows it rejects or fails.
    pub on_fail: OnFail,
}

/// A small reference table that a plugin is handed.
#[derive(Debug, Clone)]
pub struct SideInput {
    /// Its name.
    pub name: String,
    /// What it is read from: a table, a query or plain files, whole.
    pub read: Read,
}

/// How long a plugin's memory lives.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Isolation {
    /// As long as its partition of the step.
    #[default]
    Partition,
    /// One batch.
    Batch,
}

/// What a plugin's output must keep to, beyond what holds for all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Contract {
    /// The columns that its output has more than its input, and nothing else: all columns of the
    /// input stay as they were. None: the plugin chooses its columns.
    pub adds: Option<Vec<Column>>,
    /// How many rows come out for each row that goes in.
    pub rows: RowContract,
    /// The only rules it may raise. None: those that it declares.
    pub rules: Option<Vec<String>>,
    /// Where its free text goes.
    pub text: GuestText,
}

/// How many rows of each output come out for each row that goes in; a rejected row counts as one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum RowContract {
    /// Any number.
    #[default]
    Any,
    /// One or none, in order.
    AtMostOne,
    /// One, in order.
    OneToOne,
}

/// Where the free text of a plugin goes: log lines, messages of rejections and errors, panics.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum GuestText {
    /// Messages go to quarantine and errors, lines to the log.
    #[default]
    Open,
    /// All of it goes to the guest log of the run, and nowhere else.
    GuestLog,
}

/// What a stage gives a plugin. Nothing by default.
#[derive(Debug, Clone)]
pub struct Grant {
    /// Columns by name or glob (`sp_*`), fields of structs by path (`patient.zip`); one that begins
    /// with `!` takes columns or fields out again.
    pub columns: Vec<String>,
    /// Bytes of linear memory.
    pub memory: u64,
    /// Guest time for one call.
    pub deadline: Duration,
    /// Rows out of one call for each row in. None: the sandbox's default, which lets small batches
    /// fan out.
    pub rows_out: Option<u32>,
    /// Bytes of log, stdout and stderr of one instance.
    pub log: u64,
    /// Secrets by the name under which the plugin asks for them.
    pub secrets: BTreeMap<String, SecretSource>,
    /// Whether it sees the real time.
    pub clock: bool,
    /// Whether it gets real random numbers.
    pub random: bool,
    /// Where its requests may go; only a source may make any.
    pub http: Vec<HttpGrant>,
}

/// A place that a source may reach.
#[derive(Debug, Clone)]
pub struct HttpGrant {
    /// Scheme, host (an exact name, `*.` and a name, or an address), perhaps a port, and the beginning of the path.
    pub url: String,
    /// The methods, in capitals.
    pub methods: Vec<String>,
    /// Whether the host may have an address that is not public.
    pub private: bool,
    /// How many requests may begin in a second; absent: any number.
    pub requests_per_second: Option<f64>,
    /// How long the head of a response may take, and each further part of it.
    pub timeout: Duration,
    /// Bytes of one response.
    pub max_response: u64,
    /// Headers that the host sets.
    pub headers: Vec<(String, HttpSecret)>,
    /// Parameters of the query that the host sets.
    pub query: Vec<(String, HttpSecret)>,
    /// With what the host signs requests, where AWS asks for that.
    pub sigv4: Option<SigV4>,
    /// Where it is granted.
    pub place: Place,
}

/// A secret as a request has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpSecret {
    /// What stands before it, such as `Bearer `.
    pub prefix: String,
    /// Where it is.
    pub source: SecretSource,
}

/// With what requests are signed by version 4 of AWS's signatures.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SigV4 {
    /// The region.
    pub region: String,
    /// The service, as its endpoint calls it.
    pub service: String,
    /// The key's identifier.
    pub access_key_id: SecretSource,
    /// The key.
    pub secret_access_key: SecretSource,
    /// The token of a temporary key.
    pub session_token: Option<SecretSource>,
}

/// Where a secret's value is: never in the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SecretSource {
    /// In a variable of the environment.
    Env(String),
    /// In a file, relative to the pipeline file; a line end at its end does not belong to it.
    File(PathBuf),
}

/// Declared checks that share a fate.
#[derive(Debug, Clone)]
pub struct CheckStage {
    /// The checks, in order.
    pub checks: Vec<Check>,
    /// What becomes of rows that fail.
    pub on_fail: OnFail,
}

/// What becomes of failing rows.
#[derive(Debug, Clone, PartialEq)]
pub struct OnFail {
    /// The fate of each row.
    pub action: FailAction,
    /// The share or number of failing rows above which the step fails.
    pub fail_above: Option<Threshold>,
    /// The share or number above which the run ends with a warning.
    pub warn_above: Option<Threshold>,
}

/// The fate of a failing row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FailAction {
    /// It is kept in quarantine, out of the target.
    Quarantine,
    /// It is counted and left out.
    Drop,
    /// It is counted and stays.
    Warn,
    /// The step fails.
    Fail,
}

/// A limit on failing rows.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Threshold {
    /// A share of the rows read, 0 to 1.
    Share(f64),
    /// A number of rows.
    Rows(u64),
}

/// A declared check.
#[derive(Debug, Clone)]
pub struct Check {
    /// The rule's name in quarantine and run records: `not_null(patient_id)`.
    pub rule: String,
    /// What it demands.
    pub kind: CheckKind,
    /// The column list, bounds or text that demands it.
    pub place: Place,
}

/// What a declared check demands. Null passes all but `NotNull`.
#[derive(Debug, Clone)]
pub enum CheckKind {
    /// The column has a value.
    NotNull {
        /// The column.
        column: String,
    },
    /// No other row has the same values; rows that share them all fail. A null in any of the
    /// columns passes.
    Unique {
        /// The columns of the key.
        columns: Vec<String>,
    },
    /// The value, as text, is one of these.
    Accepted {
        /// The column.
        column: String,
        /// The values.
        values: Vec<String>,
    },
    /// The value lies between, bounds included.
    Range {
        /// The column.
        column: String,
        /// The least value, as a literal of the column's type.
        min: Option<String>,
        /// The greatest value, likewise.
        max: Option<String>,
    },
    /// The whole text matches.
    Pattern {
        /// The column.
        column: String,
        /// A regular expression of the `regex` crate.
        regex: String,
    },
    /// A SQL expression is true (or null).
    Expression {
        /// The expression.
        sql: String,
    },
    /// The value occurs in a column of a table.
    References {
        /// The column.
        column: String,
        /// The table referred to.
        table: TableName,
        /// Its column.
        key: String,
    },
}

/// One target of a step.
#[derive(Debug, Clone)]
pub struct Write {
    /// Which output; absent: the only one.
    pub output: Option<String>,
    /// Where to.
    pub target: Target,
    /// How.
    pub mode: WriteMode,
    /// The scope: columns with the values that every written row has, in the file's order.
    pub partition: Vec<(String, ScopeValue)>,
    /// Further partition columns, whose values come from the rows.
    pub partition_by: Vec<PartitionBy>,
    /// How rows are matched, where they are merged.
    pub merge: Option<Merge>,
    /// What becomes of a table whose columns differ from those of the rows.
    pub schema_change: SchemaChange,
    /// How a server's table is made, where the file says so.
    pub ddl: Option<Ddl>,
    /// The table's name in the file.
    pub place: Place,
}

/// How a server's table is made. One that is there is left as it is.
#[derive(Debug, Clone)]
pub struct Ddl {
    /// Types in the words of the database, by column; others are those of the rows.
    pub types: BTreeMap<String, String>,
    /// The columns of its primary key.
    pub primary_key: Vec<String>,
    /// The columns of each index.
    pub indexes: Vec<Vec<String>>,
    /// What it is partitioned by: by the values of a column, or by the years, months or days of one; each
    /// partition by what comes next.
    pub partition_by: Vec<PartitionBy>,
    /// Roles that may read it.
    pub grants: Vec<String>,
    /// Redshift: how its rows are spread over the warehouse; absent: as the warehouse sees fit.
    pub dist: Option<Dist>,
    /// Redshift: the columns by which its rows are sorted.
    pub sort_key: Vec<String>,
    /// Where the file says so.
    pub place: Place,
}

/// How the rows of a Redshift table are spread over the warehouse.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Dist {
    /// Rows with one value of the column are together.
    Key(String),
    /// All alike.
    Style(DistStyle),
}

/// How rows are spread that are all alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DistStyle {
    /// In turn.
    Even,
    /// All rows on each node.
    All,
}

/// What becomes of a target whose columns differ from those of the rows, by the kind of difference.
#[derive(Debug, Clone, PartialEq)]
pub struct SchemaChange {
    /// There is no table.
    pub new_table: TableChange,
    /// The rows have a column that the table has not.
    pub new_column: ColumnChange,
    /// A column has another type in the table, which does not hold all values of the rows' type.
    pub changed_type: ColumnChange,
    /// The table has a column that the rows have not. To evolve is to leave it null in them; in a table
    /// that is replaced whole, to take it away.
    pub missing_column: TableChange,
    /// The share or number of rows that the table cannot take, above which the step fails.
    pub fail_above: Option<Threshold>,
    /// The same above which the run ends with a warning.
    pub warn_above: Option<Threshold>,
}

/// What becomes of a difference that is one of the whole table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TableChange {
    /// The table changes.
    Evolve,
    /// The step is refused.
    Freeze,
}

/// What becomes of a difference in one column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ColumnChange {
    /// The table changes.
    Evolve,
    /// The step is refused.
    Freeze,
    /// Rows with a value that the table cannot keep go to quarantine.
    Quarantine,
    /// Values that the table cannot keep are left out.
    Discard,
}

/// A scope column's value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ScopeValue {
    /// Text (`string`).
    String(String),
    /// A whole number (`int64`).
    Int(i64),
    /// A calendar day (`date`).
    Date(chrono::NaiveDate),
}

/// Where rows go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// A Delta table.
    Table(TableName),
    /// A table of a database.
    Database {
        /// The connection's name.
        connection: String,
        /// The table's name.
        table: String,
    },
}

/// How rows meet what is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WriteMode {
    /// They are added; the step reads files incrementally.
    Append,
    /// They take the place of the whole table.
    Replace,
    /// They take the place of the scope.
    ReplacePartition,
    /// They take the place of each partition that one of them is in.
    ReplaceDynamic,
    /// Each takes the place of the row with its key, or is added.
    Merge,
}

/// A partition column whose value each row has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartitionBy {
    /// The column of the output that it is taken from.
    pub column: String,
    /// What is taken of it.
    pub part: PartitionPart,
}

impl PartitionBy {
    /// The partition column's name: the column's own, or `<column>_year` and so on.
    pub fn name(&self) -> String {
        match self.part {
            PartitionPart::Whole => self.column.clone(),
            PartitionPart::Year => format!("{}_year", self.column),
            PartitionPart::Month => format!("{}_month", self.column),
            PartitionPart::Day => format!("{}_day", self.column),
        }
    }
}

/// What a partition column takes of the column that it comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PartitionPart {
    /// The value: the column is a partition column itself.
    Whole,
    /// The year of a date or moment (UTC), as a number.
    Year,
    /// The month, as a text: `2024-01`.
    Month,
    /// The day, as a date.
    Day,
}

/// How rows are merged into a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Merge {
    /// The columns that say which row is meant; at least one.
    pub key: Vec<String>,
    /// What becomes of a row that is there.
    pub when_matched: WhenMatched,
    /// Of several rows with one key, incoming or there, the one that is greatest in these columns
    /// stays. Empty: incoming rows with one key are an error, and an incoming row wins.
    pub order: Vec<String>,
}

/// What becomes of a row whose key an incoming row has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WhenMatched {
    /// The incoming row takes its place.
    Update,
    /// It stays, and the incoming row is left out.
    Keep,
}

impl Pipeline {
    /// The plugins that its steps use.
    pub fn plugin_set(&self) -> PluginSet {
        let reading = self.steps.iter().filter_map(|step| step.read.plugin());
        let stages = self.steps.iter().flat_map(|step| &step.stages);
        let staged = stages.filter_map(|stage| match &stage.action {
            StageAction::Transform(plugin)
            | StageAction::PluginCheck(plugin)
            | StageAction::Fold(plugin) => Some(plugin),
            StageAction::Sql(_)
            | StageAction::Checks(_)
            | StageAction::Mask(_)
            | StageAction::Declassify(_) => None,
        });
        let plugins = reading
            .chain(staged)
            .filter_map(|plugin| self.plugins.get_key_value(&plugin.plugin))
            .map(|(name, source)| (name.clone(), source.clone()))
            .collect();
        PluginSet {
            pipeline: self.name.clone(),
            dir: self.dir.clone(),
            plugins,
            trust: self.trust.clone(),
        }
    }
}

impl std::fmt::Display for TableName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}", self.zone, self.table)
    }
}

/// A part of the page that shows people what is in the lake.
#[derive(Debug, Clone)]
pub struct Report {
    /// The line above it.
    pub title: String,
    /// What a reader should know of it.
    pub description: Option<String>,
    /// The query over tables of the lake, with `$name` for parameters.
    pub sql: String,
    /// How its rows are drawn.
    pub chart: ChartKind,
    /// The column along the axis, or of states; absent: the first one.
    pub x: Option<String>,
    /// The columns of values; empty: all others.
    pub y: Vec<String>,
    /// The column whose values are lines or colours of their own.
    pub series: Option<String>,
    /// What the values are: a currency's sign, which stands before them, or a word or sign, which stands behind.
    pub unit: Option<String>,
    /// Which rows stand for too few people to be shown.
    pub suppress: Option<Suppression>,
    /// The labels of sensitive data that it may show.
    pub sensitivity: Vec<String>,
    /// Where it is.
    pub place: Place,
}

/// How the rows of a report are drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChartKind {
    /// A bar for each row and column of values.
    Bars,
    /// A line for each column of values, or for each of a series.
    Line,
    /// Rows as they are.
    Table,
    /// States of the United States, each in its colour.
    Map,
    /// The columns of one row, each as a number.
    Number,
}

impl ChartKind {
    /// As the file has it.
    pub const fn name(self) -> &'static str {
        match self {
            ChartKind::Bars => "bars",
            ChartKind::Line => "line",
            ChartKind::Table => "table",
            ChartKind::Map => "map",
            ChartKind::Number => "number",
        }
    }
}

/// Rows that stand for too few people to be shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Suppression {
    /// The column that says for how many people a row stands.
    pub count: String,
    /// The fewest of whom values are shown.
    pub below: u64,
}
