//! What may stand on the command line.

use std::path::PathBuf;
use std::time::Duration;

use chrono::{DateTime, Utc};
use clap::{ArgGroup, Args as ClapArgs, Parser, Subcommand, ValueEnum};

/// A data-pipeline host with sandboxed plugins.
#[derive(Debug, Parser)]
#[command(name = "weir", version, about, max_term_width = 100)]
pub(crate) struct Args {
    #[command(flatten)]
    pub(crate) log: LogArgs,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct LogArgs {
    /// What to log: error, warn, info, debug, trace, or filters such as weir_engine=debug
    #[arg(
        long,
        global = true,
        env = "WEIR_LOG",
        default_value = "warn",
        value_name = "FILTER"
    )]
    pub(crate) log: String,
    /// How log lines look
    #[arg(long, global = true, value_enum, default_value_t = LogFormat::Text)]
    pub(crate) log_format: LogFormat,
    /// Append the log to a file instead of stderr
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) log_file: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum LogFormat {
    /// For people
    Text,
    /// One JSON object a line
    Json,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Check a pipeline file, and say all that is wrong with it
    Validate(ValidateArgs),
    /// Show what a run would do: steps, schemas, grants, targets
    Plan(PlanArgs),
    /// Run a pipeline
    Run(RunArgs),
    /// Try a stage on real rows, again whenever its plugin or the pipeline file changes
    Dev(DevArgs),
    /// Say what another component of a plugin would change: columns, rows, rejections, cost
    Diff(DiffArgs),
    /// Run what is left of a run that failed, was stopped or was killed
    Retry(RetryArgs),
    /// Run a pipeline for each value of a parameter, such as each day of a year
    Backfill(BackfillArgs),
    /// Run rejected rows through a mended step
    Replay(ReplayArgs),
    /// Look at rejected rows
    #[command(subcommand)]
    Quarantine(QuarantineCommand),
    /// Say where a row comes from: its run, step, plugins and input
    Trace(TraceArgs),
    /// Query the tables of a lake
    Sql(SqlArgs),
    /// Make the page of a pipeline's reports: charts and tables of what is in the lake, and its quality
    Report(ReportArgs),
    /// List the runs of a lake, newest first
    Runs(RunsArgs),
    /// Show one run: rows, rules, targets, plugins
    Show(ShowArgs),
    /// Print what plugins said in a run whose words are kept (text = "guest-log"); it may hold data
    Logs(LogsArgs),
    /// Look after the tables of a lake
    #[command(subcommand)]
    Lake(LakeCommand),
    /// Work with plugins
    #[command(subcommand)]
    Plugin(PluginCommand),
}

#[derive(Debug, Subcommand)]
pub(crate) enum QuarantineCommand {
    /// Count rejected rows by table, step, rule and state
    List(ListArgs),
    /// Show rejected rows of a table, whole and with the reason
    Show(ShowRowsArgs),
    /// Print all of them, for programs
    Export(ExportArgs),
    /// Show the rows that a step rejected before it failed because of them
    Held(HeldArgs),
    /// Say of rejected rows that they need not be replayed
    Ack(AckArgs),
}

#[derive(Debug, Subcommand)]
pub(crate) enum LakeCommand {
    /// List the versions of a table, newest first, and which run made each
    History(HistoryArgs),
    /// Write the small files of tables together
    Optimize(OptimizeArgs),
    /// Remove files that no table needs any more, and what crashed runs left
    Vacuum(VacuumArgs),
    /// Make a table what it was in an earlier version
    Restore(RestoreArgs),
    /// Say whether everything is there that should be: files, rows, decisions
    Check(CheckArgs),
}

#[derive(Debug, Subcommand)]
pub(crate) enum PluginCommand {
    /// Make the folder of a new plugin, which builds and whose tests pass
    New(NewArgs),
    /// Build the component of a plugin's folder
    Build(BuildArgs),
    /// Build a plugin and run its fixtures (tests/*.toml) in the sandbox
    Test(TestArgs),
    /// Say what a row costs in the sandbox, with the input of a fixture
    Bench(BenchArgs),
    /// Print Rust structs for the rows that the plugin of a stage is given and gives
    Bind(BindArgs),
    /// Show what a component is and wants: world, imports, rules, configuration
    Inspect(InspectArgs),
    /// Write weir.lock: which components the steps of a pipeline use
    Lock(PipelineArgs),
    /// Make a key to sign plugins with
    Keygen(KeygenArgs),
    /// Sign a component
    Sign(SignArgs),
    /// Check the signature of a component
    Verify(VerifyArgs),
    /// Put a component, and its signature, into an OCI registry; prints what pipelines call it
    Publish(PublishArgs),
    /// Get a component from an OCI registry
    Pull(PullArgs),
    /// Keep a component from running, whatever pipelines say; or list what is kept from it
    Revoke(RevokeArgs),
}

#[derive(Debug, ClapArgs)]
pub(crate) struct NewArgs {
    /// The folder, whose last part is the plugin's name
    #[arg(value_name = "NAME")]
    pub(crate) folder: PathBuf,
    /// What the plugin is to do
    #[arg(long, value_enum, default_value_t = WorldArg::Transform)]
    pub(crate) world: WorldArg,
    /// The language it is written in
    #[arg(long, value_enum, default_value_t = LanguageArg::Rust)]
    pub(crate) lang: LanguageArg,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum WorldArg {
    /// Turn rows into rows
    Transform,
    /// Name rows that break a rule
    Check,
    /// Turn the bytes of a file into rows
    Decoder,
    /// Read rows from somewhere else, such as over HTTP
    Source,
    /// Turn all rows into few
    Fold,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum LanguageArg {
    /// Rust
    Rust,
    /// Python
    Python,
    /// JavaScript
    Js,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct BuildArgs {
    /// The plugin's folder
    #[arg(value_name = "FOLDER", default_value = ".")]
    pub(crate) folder: PathBuf,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct TestArgs {
    /// The plugin's folder
    #[arg(value_name = "FOLDER", default_value = ".")]
    pub(crate) folder: PathBuf,
    /// Test this component instead of building one
    #[arg(long, value_name = "FILE")]
    pub(crate) component: Option<PathBuf>,
    /// Run the fixtures of these names only
    #[arg(long = "only", value_name = "NAME")]
    pub(crate) only: Vec<String>,
    /// Write what the plugin makes into the fixtures, as what is expected from now on
    #[arg(long)]
    pub(crate) bless: bool,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct BenchArgs {
    /// The plugin's folder
    #[arg(value_name = "FOLDER", default_value = ".")]
    pub(crate) folder: PathBuf,
    /// Measure this component instead of building one
    #[arg(long, value_name = "FILE")]
    pub(crate) component: Option<PathBuf>,
    /// The fixture whose input is given; the first, if none is named
    #[arg(long, value_name = "NAME")]
    pub(crate) fixture: Option<String>,
    /// How often it is given
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) rounds: u32,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct BindArgs {
    #[command(flatten)]
    pub(crate) pipeline: PipelineArgs,
    #[command(flatten)]
    pub(crate) components: ComponentArgs,
    /// Use this lake instead of the file's
    #[arg(long, value_name = "URL")]
    pub(crate) lake: Option<String>,
    /// The step
    #[arg(long, value_name = "NAME")]
    pub(crate) step: String,
    /// The stage, counted from 1; 0 is the decoder of the step's files. Not needed where only one has a
    /// plugin
    #[arg(long, value_name = "N")]
    pub(crate) stage: Option<usize>,
    /// The language of the structs
    #[arg(long, value_enum, default_value_t = BindLanguageArg::Rust)]
    pub(crate) lang: BindLanguageArg,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum BindLanguageArg {
    /// Rust, with the derives of `weir_plugin::rows`
    Rust,
}

/// Which pipeline, and with what.
#[derive(Debug, ClapArgs)]
pub(crate) struct PipelineArgs {
    /// The pipeline file
    #[arg(value_name = "PIPELINE")]
    pub(crate) pipeline: PathBuf,
    /// A parameter; may be given several times
    #[arg(long = "param", short = 'p', value_name = "NAME=VALUE", value_parser = name_value)]
    pub(crate) params: Vec<(String, String)>,
    /// A profile of the file
    #[arg(long, value_name = "NAME")]
    pub(crate) profile: Option<String>,
}

/// Which components are accepted.
#[derive(Debug, ClapArgs)]
pub(crate) struct ComponentArgs {
    /// Demand that weir.lock names every plugin in use
    #[arg(long)]
    pub(crate) locked: bool,
}

fn name_value(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("write it as NAME=VALUE".to_owned()),
    }
}

#[derive(Debug, ClapArgs)]
pub(crate) struct ValidateArgs {
    #[command(flatten)]
    pub(crate) pipeline: PipelineArgs,
    /// Print the file after includes, profile, defaults, `each` and the parameters given
    #[arg(long)]
    pub(crate) resolved: bool,
    /// Print the JSON Schema of pipeline files, for editors
    #[arg(long, conflicts_with = "resolved")]
    pub(crate) schema: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Output {
    /// For people
    Text,
    /// For programs
    Json,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct PlanArgs {
    #[command(flatten)]
    pub(crate) pipeline: PipelineArgs,
    #[command(flatten)]
    pub(crate) components: ComponentArgs,
    /// Use this lake instead of the file's
    #[arg(long, value_name = "URL")]
    pub(crate) lake: Option<String>,
    /// Show the terms of each plugin instead, a page each: what it gets, what it may give, what it
    /// is held to
    #[arg(long)]
    pub(crate) terms: bool,
    /// How the plan looks
    #[arg(long, value_enum, default_value_t = Output::Text)]
    pub(crate) output: Output,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct ReportArgs {
    #[command(flatten)]
    pub(crate) pipeline: PipelineArgs,
    /// Read the tables of this lake instead of the file's
    #[arg(long, value_name = "URL")]
    pub(crate) lake: Option<String>,
    /// The file that the page is written to
    #[arg(long, value_name = "FILE", default_value = "report.html")]
    pub(crate) out: PathBuf,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct RunArgs {
    #[command(flatten)]
    pub(crate) pipeline: PipelineArgs,
    #[command(flatten)]
    pub(crate) components: ComponentArgs,
    /// Use this lake instead of the file's
    #[arg(long, value_name = "URL")]
    pub(crate) lake: Option<String>,
    /// Run only this step; may be given several times
    #[arg(long = "step", value_name = "NAME")]
    pub(crate) steps: Vec<String>,
    /// Read at most this many rows in each step that reads files
    #[arg(long, value_name = "ROWS")]
    pub(crate) limit: Option<u64>,
    /// Let steps that read only new files read all of them, and replace what they have added before
    #[arg(long, conflicts_with = "limit")]
    pub(crate) full_refresh: bool,
    /// Do everything but change a target: the run works on an empty lake of its own
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// How the result looks
    #[arg(long, value_enum, default_value_t = Output::Text)]
    pub(crate) output: Output,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct DevArgs {
    #[command(flatten)]
    pub(crate) pipeline: PipelineArgs,
    #[command(flatten)]
    pub(crate) components: ComponentArgs,
    /// Read the tables of this lake instead of the file's
    #[arg(long, value_name = "URL")]
    pub(crate) lake: Option<String>,
    /// The step; if not given, the one that has a plugin in a folder
    #[arg(long, value_name = "NAME")]
    pub(crate) step: Option<String>,
    /// The number of the stage, from 1; 0 is the read. If not given, the one that has a plugin
    #[arg(long, value_name = "NUMBER")]
    pub(crate) stage: Option<usize>,
    /// Read at most this many rows
    #[arg(long, value_name = "ROWS", default_value_t = 100, value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) limit: u64,
    /// How many rows are shown
    #[arg(long, value_name = "ROWS", default_value_t = 5)]
    pub(crate) show: usize,
    /// Show the values of sensitive columns
    #[arg(long)]
    pub(crate) show_sensitive: bool,
    /// Try once, and end
    #[arg(long)]
    pub(crate) once: bool,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct DiffArgs {
    #[command(flatten)]
    pub(crate) pipeline: PipelineArgs,
    #[command(flatten)]
    pub(crate) components: ComponentArgs,
    /// Read the tables of this lake instead of the file's
    #[arg(long, value_name = "URL")]
    pub(crate) lake: Option<String>,
    /// The plugin, and the component that is to stand in its place
    #[arg(long, value_name = "NAME=NEW.wasm", value_parser = name_value)]
    pub(crate) plugin: (String, String),
    /// Only this step; may be given several times
    #[arg(long = "step", value_name = "NAME")]
    pub(crate) steps: Vec<String>,
    /// Read at most this many rows in each step
    #[arg(long, value_name = "ROWS")]
    pub(crate) limit: Option<u64>,
    /// The columns that say which rows are the same, with commas; if not given, the key of a merge
    #[arg(long, value_name = "COLUMN,…", value_delimiter = ',')]
    pub(crate) key: Vec<String>,
    /// How many rows of each kind are shown
    #[arg(long, value_name = "ROWS", default_value_t = 5)]
    pub(crate) show: usize,
    /// How the result looks
    #[arg(long, value_enum, default_value_t = Output::Text)]
    pub(crate) output: Output,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct RetryArgs {
    /// The run's identifier, the end of it, or `latest`
    #[arg(value_name = "RUN", default_value = "latest")]
    pub(crate) run: String,
    #[command(flatten)]
    pub(crate) lake: LakeArgs,
    /// How the result looks
    #[arg(long, value_enum, default_value_t = Output::Text)]
    pub(crate) output: Output,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct BackfillArgs {
    /// The pipeline file; the values are given as --param date=2024-01-01..2024-03-31, both included
    #[command(flatten)]
    pub(crate) pipeline: PipelineArgs,
    #[command(flatten)]
    pub(crate) components: ComponentArgs,
    /// Use this lake instead of the file's
    #[arg(long, value_name = "URL")]
    pub(crate) lake: Option<String>,
    /// Run only this step; may be given several times
    #[arg(long = "step", value_name = "NAME")]
    pub(crate) steps: Vec<String>,
    /// How far dates are apart
    #[arg(long, value_enum, default_value_t = Every::Day)]
    pub(crate) every: Every,
    /// How many runs at once
    #[arg(long, default_value_t = 1, value_name = "RUNS", value_parser = clap::value_parser!(u16).range(1..=64))]
    pub(crate) parallel: u16,
    /// Also run what has been done before and has not changed since
    #[arg(long)]
    pub(crate) again: bool,
    /// How the summary looks
    #[arg(long, value_enum, default_value_t = Output::Text)]
    pub(crate) output: Output,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Every {
    /// Each day
    Day,
    /// Each seventh day
    Week,
    /// The same day of each month
    Month,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct ReplayArgs {
    #[command(flatten)]
    pub(crate) pipeline: PipelineArgs,
    #[command(flatten)]
    pub(crate) components: ComponentArgs,
    /// Use this lake instead of the file's
    #[arg(long, value_name = "URL")]
    pub(crate) lake: Option<String>,
    /// The step that rejected the rows
    #[arg(long, value_name = "NAME")]
    pub(crate) step: String,
    /// Only rows that broke this rule
    #[arg(long, value_name = "RULE")]
    pub(crate) rule: Option<String>,
    /// How the result looks
    #[arg(long, value_enum, default_value_t = Output::Text)]
    pub(crate) output: Output,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct TraceArgs {
    /// The table: zone.table
    #[arg(value_name = "TABLE")]
    pub(crate) table: String,
    /// A column and its value; may be given several times
    #[arg(long, value_name = "COLUMN=VALUE", required = true, value_parser = name_value)]
    pub(crate) key: Vec<(String, String)>,
    #[command(flatten)]
    pub(crate) lake: LakeArgs,
    /// How the result looks
    #[arg(long, value_enum, default_value_t = Output::Text)]
    pub(crate) output: Output,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct ListArgs {
    #[command(flatten)]
    pub(crate) lake: LakeArgs,
    /// How the list looks
    #[arg(long, value_enum, default_value_t = Output::Text)]
    pub(crate) output: Output,
}

/// Which rejected rows.
#[derive(Debug, ClapArgs)]
pub(crate) struct SelectionArgs {
    /// Only rows that this step rejected
    #[arg(long, value_name = "NAME")]
    pub(crate) step: Option<String>,
    /// Only rows that broke this rule
    #[arg(long, value_name = "RULE")]
    pub(crate) rule: Option<String>,
    /// Only rows that this run rejected: its whole identifier
    #[arg(long, value_name = "RUN")]
    pub(crate) run: Option<String>,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct ShowRowsArgs {
    /// The table that the rows were meant for: zone.table
    #[arg(value_name = "TABLE")]
    pub(crate) table: String,
    #[command(flatten)]
    pub(crate) selection: SelectionArgs,
    /// Only rows in this state: open, replayed or acknowledged
    #[arg(long, value_name = "STATE", value_parser = ["open", "replayed", "acknowledged"])]
    pub(crate) state: Option<String>,
    /// At most this many
    #[arg(long, default_value_t = 20, value_name = "ROWS")]
    pub(crate) limit: usize,
    #[command(flatten)]
    pub(crate) lake: LakeArgs,
    /// How rows look
    #[arg(long, value_enum, default_value_t = RowsOutput::Text)]
    pub(crate) output: RowsOutput,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct ExportArgs {
    /// The table that the rows were meant for: zone.table
    #[arg(value_name = "TABLE")]
    pub(crate) table: String,
    #[command(flatten)]
    pub(crate) selection: SelectionArgs,
    /// Only rows in this state: open, replayed or acknowledged
    #[arg(long, value_name = "STATE", value_parser = ["open", "replayed", "acknowledged"])]
    pub(crate) state: Option<String>,
    #[command(flatten)]
    pub(crate) lake: LakeArgs,
    /// How rows look
    #[arg(long, value_enum, default_value_t = ExportOutput::Csv)]
    pub(crate) output: ExportOutput,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ExportOutput {
    /// Comma-separated, with a header
    Csv,
    /// One JSON object a line
    Json,
}

impl From<ExportOutput> for RowsOutput {
    fn from(output: ExportOutput) -> RowsOutput {
        match output {
            ExportOutput::Csv => RowsOutput::Csv,
            ExportOutput::Json => RowsOutput::Json,
        }
    }
}

#[derive(Debug, ClapArgs)]
pub(crate) struct HeldArgs {
    /// The run's identifier, the end of it, or `latest`
    #[arg(value_name = "RUN", default_value = "latest")]
    pub(crate) run: String,
    /// The step, where several of the run hold rows
    #[arg(long, value_name = "NAME")]
    pub(crate) step: Option<String>,
    /// At most this many; 0 for all
    #[arg(long, default_value_t = 20, value_name = "ROWS")]
    pub(crate) limit: usize,
    #[command(flatten)]
    pub(crate) lake: LakeArgs,
    /// How rows look
    #[arg(long, value_enum, default_value_t = RowsOutput::Text)]
    pub(crate) output: RowsOutput,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct AckArgs {
    /// The table that the rows were meant for: zone.table
    #[arg(value_name = "TABLE")]
    pub(crate) table: String,
    #[command(flatten)]
    pub(crate) selection: SelectionArgs,
    /// Why, for whoever looks at the rows later
    #[arg(long, value_name = "TEXT")]
    pub(crate) note: String,
    #[command(flatten)]
    pub(crate) lake: LakeArgs,
}

/// Which lake.
#[derive(Debug, ClapArgs)]
pub(crate) struct LakeArgs {
    /// The lake
    #[arg(long, env = "WEIR_LAKE", default_value = "./lake", value_name = "URL")]
    pub(crate) lake: String,
}

/// Which lake, and which zones.
#[derive(Debug, ClapArgs)]
pub(crate) struct ZonesArgs {
    /// The lake, with the zones that lie in it; if not given, WEIR_LAKE, else ./lake
    #[arg(long, value_name = "URL")]
    pub(crate) lake: Option<String>,
    /// The lake of this pipeline file, with the file's zones, wherever they lie
    #[arg(long, value_name = "FILE", conflicts_with = "lake")]
    pub(crate) pipeline: Option<PathBuf>,
    /// A parameter of the pipeline file; may be given several times
    #[arg(long = "param", short = 'p', value_name = "NAME=VALUE", value_parser = name_value, requires = "pipeline")]
    pub(crate) params: Vec<(String, String)>,
    /// A profile of the pipeline file
    #[arg(long, value_name = "NAME", requires = "pipeline")]
    pub(crate) profile: Option<String>,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct HistoryArgs {
    /// The table, as zone.table
    #[arg(value_name = "TABLE")]
    pub(crate) table: String,
    #[command(flatten)]
    pub(crate) zones: ZonesArgs,
    /// At most this many
    #[arg(long, default_value_t = 20)]
    pub(crate) last: usize,
    /// How the list looks
    #[arg(long, value_enum, default_value_t = Output::Text)]
    pub(crate) output: Output,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct OptimizeArgs {
    /// Tables, as zone.table; all if none is named
    #[arg(value_name = "TABLE")]
    pub(crate) tables: Vec<String>,
    #[command(flatten)]
    pub(crate) zones: ZonesArgs,
    /// How large files become; those below half of it are written together
    #[arg(long, value_name = "SIZE", default_value = "256MiB", value_parser = size)]
    pub(crate) target_size: u64,
    /// How the result looks
    #[arg(long, value_enum, default_value_t = Output::Text)]
    pub(crate) output: Output,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct VacuumArgs {
    /// Tables, as zone.table; all if none is named, and what crashed runs left beside them
    #[arg(value_name = "TABLE")]
    pub(crate) tables: Vec<String>,
    #[command(flatten)]
    pub(crate) zones: ZonesArgs,
    /// How long old versions can be read, and files that are in none are kept; longer than any run
    #[arg(long, value_name = "TIME", default_value = "7d", value_parser = duration)]
    pub(crate) retention: Duration,
    /// Remove nothing, say what would be removed
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Accept a retention below 1h, and tables into which runs of other lakes write
    #[arg(long)]
    pub(crate) force: bool,
    /// How the result looks
    #[arg(long, value_enum, default_value_t = Output::Text)]
    pub(crate) output: Output,
}

#[derive(Debug, ClapArgs)]
#[command(group = ArgGroup::new("goal").required(true))]
pub(crate) struct RestoreArgs {
    /// The table, as zone.table
    #[arg(value_name = "TABLE")]
    pub(crate) table: String,
    #[command(flatten)]
    pub(crate) zones: ZonesArgs,
    /// The version that it is to be again
    #[arg(long, value_name = "N", group = "goal")]
    pub(crate) version: Option<u64>,
    /// The moment at which it was what it is to be again, such as 2026-01-05T10:00:00Z
    #[arg(long, value_name = "RFC3339", group = "goal", value_parser = moment)]
    pub(crate) time: Option<DateTime<Utc>>,
    /// How the result looks
    #[arg(long, value_enum, default_value_t = Output::Text)]
    pub(crate) output: Output,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct CheckArgs {
    /// Tables, as zone.table; all if none is named
    #[arg(value_name = "TABLE")]
    pub(crate) tables: Vec<String>,
    #[command(flatten)]
    pub(crate) zones: ZonesArgs,
    /// Read every data file whole, and compare its rows with what the log says
    #[arg(long)]
    pub(crate) deep: bool,
    /// How the result looks
    #[arg(long, value_enum, default_value_t = Output::Text)]
    pub(crate) output: Output,
}

fn size(text: &str) -> Result<u64, String> {
    weir_pipeline::size(text)
        .filter(|bytes| *bytes > 0)
        .ok_or_else(|| "write it like 64MiB or 1GiB".to_owned())
}

fn duration(text: &str) -> Result<Duration, String> {
    weir_pipeline::duration(text).ok_or_else(|| "write it like 7d, 36h or 1h30m".to_owned())
}

fn moment(text: &str) -> Result<DateTime<Utc>, String> {
    DateTime::parse_from_rfc3339(text)
        .map(|moment| moment.with_timezone(&Utc))
        .map_err(|_| "write it like 2026-01-05T10:00:00Z".to_owned())
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum RowsOutput {
    /// A table
    Text,
    /// One JSON object a line
    Json,
    /// Comma-separated, with a header
    Csv,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct SqlArgs {
    /// The query; tables are written zone.table
    #[arg(value_name = "QUERY")]
    pub(crate) query: String,
    #[command(flatten)]
    pub(crate) lake: LakeArgs,
    /// How rows look
    #[arg(long, value_enum, default_value_t = RowsOutput::Text)]
    pub(crate) output: RowsOutput,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct RunsArgs {
    #[command(flatten)]
    pub(crate) lake: LakeArgs,
    /// At most this many
    #[arg(long, default_value_t = 20)]
    pub(crate) last: usize,
    /// How the list looks
    #[arg(long, value_enum, default_value_t = Output::Text)]
    pub(crate) output: Output,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct ShowArgs {
    /// The run's identifier, the end of it, or `latest`
    #[arg(value_name = "RUN")]
    pub(crate) run: String,
    #[command(flatten)]
    pub(crate) lake: LakeArgs,
    /// How the record looks
    #[arg(long, value_enum, default_value_t = Output::Text)]
    pub(crate) output: Output,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct LogsArgs {
    /// The run's identifier, the end of it, or `latest`
    #[arg(value_name = "RUN")]
    pub(crate) run: String,
    #[command(flatten)]
    pub(crate) lake: LakeArgs,
    /// How lines look
    #[arg(long, value_enum, default_value_t = Output::Text)]
    pub(crate) output: Output,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct InspectArgs {
    /// The component
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    /// How the result looks
    #[arg(long, value_enum, default_value_t = Output::Text)]
    pub(crate) output: Output,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct KeygenArgs {
    /// Where the key goes: NAME.key, which is secret, and NAME.pub
    #[arg(value_name = "NAME", default_value = "weir")]
    pub(crate) name: PathBuf,
    /// Do not protect the secret key with a password
    #[arg(long)]
    pub(crate) no_password: bool,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct SignArgs {
    /// The component
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    /// The secret key; its password is asked for, or taken from WEIR_KEY_PASSWORD
    #[arg(long, value_name = "FILE")]
    pub(crate) key: PathBuf,
    /// Where the signature goes, if not to FILE.minisig
    #[arg(long, value_name = "FILE")]
    pub(crate) signature: Option<PathBuf>,
    /// A line that the signature covers, instead of time and file name
    #[arg(long, value_name = "TEXT")]
    pub(crate) comment: Option<String>,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct PublishArgs {
    /// The component; its signature beside it (FILE.minisig) goes with it
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    /// Where to, with the login that `docker login` left
    #[arg(value_name = "oci://REGISTRY/NAME")]
    pub(crate) place: String,
    /// What it is called there besides; pipelines name its digest
    #[arg(long, value_name = "TAG", default_value = "latest", value_parser = tag)]
    pub(crate) tag: String,
}

/// A tag as registries have it.
fn tag(text: &str) -> Result<String, String> {
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let later = |c: char| fits(c) || c == '.' || c == '-';
    let is_tag = text.starts_with(fits) && text.chars().all(later) && text.len() <= 128;
    match is_tag {
        true => Ok(text.to_owned()),
        false => Err("write letters, digits, '_', '.' and '-', such as 1.2.0".to_owned()),
    }
}

#[derive(Debug, ClapArgs)]
pub(crate) struct PullArgs {
    /// What pipelines call it
    #[arg(value_name = "oci://REGISTRY/NAME@sha256:DIGEST")]
    pub(crate) reference: String,
    /// Where it goes, if not to NAME.wasm
    #[arg(long = "output", short = 'o', value_name = "FILE")]
    pub(crate) file: Option<PathBuf>,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct VerifyArgs {
    /// The component
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    /// The public key, or the .pub file that has it
    #[arg(long, value_name = "KEY")]
    pub(crate) key: String,
    /// Where the signature is, if not in FILE.minisig
    #[arg(long, value_name = "FILE")]
    pub(crate) signature: Option<PathBuf>,
    /// How the result looks
    #[arg(long, value_enum, default_value_t = Output::Text)]
    pub(crate) output: Output,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct RevokeArgs {
    /// SHA-256 of the component, or of its manifest in a registry
    #[arg(value_name = "DIGEST", required_unless_present = "list")]
    pub(crate) digest: Option<String>,
    /// Why, for whoever meets it
    #[arg(long, value_name = "TEXT", conflicts_with = "undo")]
    pub(crate) reason: Option<String>,
    /// Take it off the list again
    #[arg(long)]
    pub(crate) undo: bool,
    /// Show the list
    #[arg(long, conflicts_with_all = ["digest", "reason", "undo"])]
    pub(crate) list: bool,
    /// Another list than your own, such as one that a pipeline names in [trust], or /etc/weir/revoked.toml
    #[arg(long, value_name = "FILE")]
    pub(crate) file: Option<PathBuf>,
    /// How the list looks
    #[arg(long, value_enum, default_value_t = Output::Text)]
    pub(crate) output: Output,
}
