//! What can go wrong, typed, with where it happened and what to do about it.

use std::fmt;

use crate::outbound::Refused;

/// What stands in the place of guest text where words are kept.
pub(crate) const KEPT: &str = "what it said is in the guest log";
/// What stands there where words are dropped.
pub(crate) const UNTOLD: &str =
    "what it said is not told before a run, which keeps it in the guest log";

/// A call that the host makes into a plugin.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Call {
    /// Creating the instance, which runs its start functions.
    Instantiate,
    /// `describe`.
    Describe,
    /// `bind`.
    Bind,
    /// `process`.
    Process,
    /// `decode`.
    Decode,
    /// `finish`.
    Finish,
    /// `discover`.
    Discover,
    /// `open`.
    Open,
    /// `read`.
    Read,
    /// `snapshot`.
    Snapshot,
    /// `merge`.
    Merge,
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Call::Instantiate => "instantiate",
            Call::Describe => "describe",
            Call::Bind => "bind",
            Call::Process => "process",
            Call::Decode => "decode",
            Call::Finish => "finish",
            Call::Discover => "discover",
            Call::Open => "open",
            Call::Read => "read",
            Call::Snapshot => "snapshot",
            Call::Merge => "merge",
        })
    }
}

/// Where an error happened: which plugin, in which stage, during which call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallSite {
    /// The plugin's name in the pipeline file.
    pub plugin: String,
    /// First 12 hex digits of the component's SHA-256.
    pub digest: String,
    /// The stage's label, such as `step 'x' stage 2`; empty where there is none.
    pub stage: String,
    /// The call.
    pub call: Call,
    /// The batch (chunk of a decoder, page of a source) of this instance, counted from 1.
    pub batch: Option<u64>,
    /// The last of its requests in this call that came to nothing, if any and if it may be told.
    pub refused: Option<Refused>,
}

impl fmt::Display for CallSite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "plugin '{}' ({})", self.plugin, self.digest)?;
        if !self.stage.is_empty() {
            write!(f, ", {}", self.stage)?;
        }
        write!(f, ", {}", self.call)?;
        match self.batch {
            Some(batch) => write!(f, ", batch {batch}"),
            None => Ok(()),
        }
    }
}

/// Which kind of error a plugin returned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PluginErrorKind {
    /// The configuration does not fit.
    Config,
    /// The input as a whole cannot be used.
    Data,
    /// It may work if tried again later.
    Retry,
    /// It will not work.
    Fatal,
}

impl fmt::Display for PluginErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            PluginErrorKind::Config => "config",
            PluginErrorKind::Data => "data",
            PluginErrorKind::Retry => "retry",
            PluginErrorKind::Fatal => "fatal",
        })
    }
}

/// A limit that a plugin ran into. The unit of `allowed` is given with each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum LimitKind {
    /// Linear memory, in bytes over all memories.
    Memory,
    /// Table elements over all tables.
    Tables,
    /// Guest time of one call, in milliseconds.
    Deadline,
    /// Time of one call including waiting, in milliseconds.
    WallClock,
    /// Bytes copied by one host call.
    Hostcall,
    /// Bytes emitted, or held in findings, by one call.
    OutputBytes,
    /// Rows emitted by one call.
    OutputRows,
    /// Instances alive in the sandbox.
    Instances,
    /// Bytes of the run's memory that are left for a call's output.
    RunMemory,
}

impl fmt::Display for LimitKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            LimitKind::Memory => "bytes of memory",
            LimitKind::Tables => "table elements",
            LimitKind::Deadline => "ms of guest time",
            LimitKind::WallClock => "ms of time",
            LimitKind::Hostcall => "bytes copied in one host call",
            LimitKind::OutputBytes => "bytes of output in one call",
            LimitKind::OutputRows => "rows of output in one call",
            LimitKind::Instances => "instances alive",
            LimitKind::RunMemory => "bytes of output that the run's memory has room for",
        })
    }
}

/// An error of an underlying library.
pub type Source = Box<dyn std::error::Error + Send + Sync>;

/// Why the sandbox could not load or run a plugin.
///
/// `Display` says what happened and where, never embeds the source, and holds no guest text other
/// than the message of a typed plugin error. [`hint`](SandboxError::hint) says what to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SandboxError {
    /// The sandbox itself could not start.
    #[error("cannot start the sandbox")]
    Engine(#[source] Source),
    /// The bytes are not a WebAssembly component.
    #[error("plugin '{plugin}' is not a WebAssembly component: found {found}")]
    NotAComponent {
        /// The plugin's name in the pipeline file.
        plugin: String,
        /// What was found instead.
        found: &'static str,
    },
    /// The component is larger than the sandbox accepts.
    #[error("plugin '{plugin}' is {size} bytes; at most {allowed} are accepted")]
    TooLarge {
        /// The plugin's name in the pipeline file.
        plugin: String,
        /// Its size in bytes.
        size: u64,
        /// The most accepted.
        allowed: u64,
    },
    /// The component is invalid or uses a WebAssembly feature that is off.
    #[error("plugin '{plugin}' does not compile")]
    Compile {
        /// The plugin's name in the pipeline file.
        plugin: String,
        /// The compiler's reason.
        #[source]
        source: Source,
    },
    /// Compiling the component took more than a compiler may use.
    #[error(
        "plugin '{plugin}' cannot be compiled within {} MiB of memory and {seconds} s of processor time: {how}",
        .memory >> 20
    )]
    CompileLimit {
        /// The plugin's name in the pipeline file.
        plugin: String,
        /// Bytes of memory allowed.
        memory: u64,
        /// Processor time allowed, in seconds.
        seconds: u64,
        /// How the compiler ended.
        how: String,
    },
    /// The component exports no world that this build knows.
    #[error("{}", wrong_track(.plugin, .found.as_deref()))]
    WrongTrack {
        /// The plugin's name in the pipeline file.
        plugin: String,
        /// The track it targets, such as `0.3`; none if it exports no Weir interface at all.
        found: Option<String>,
    },
    /// The component imports what it was not granted.
    #[error("plugin '{plugin}' imports `{import}`, which it is not granted")]
    ForbiddenImport {
        /// The plugin's name in the pipeline file.
        plugin: String,
        /// The import's full name.
        import: String,
    },
    /// Imports or exports have the right names and the wrong types.
    #[error("plugin '{plugin}' does not fit the contract it names")]
    WrongTypes {
        /// The plugin's name in the pipeline file.
        plugin: String,
        /// Which item, and how it differs.
        #[source]
        source: Source,
    },
    /// The plugin returned a typed error.
    #[error("{at}: {kind} error: {message}")]
    PluginError {
        /// Where.
        at: Box<CallSite>,
        /// Which kind.
        kind: PluginErrorKind,
        /// The plugin's message, escaped and cut at 1 KiB.
        message: String,
    },
    /// The guest trapped.
    #[error("{at}: trapped: {what}")]
    Trap {
        /// Where.
        at: Box<CallSite>,
        /// The trap, such as `unreachable` or `stack overflow`.
        what: String,
    },
    /// The guest ran into a limit.
    #[error("{at}: over the limit of {allowed} {which}{}", asked_for(*.asked))]
    Limit {
        /// Where.
        at: Box<CallSite>,
        /// Which limit.
        which: LimitKind,
        /// What it allows, in the unit of `which`.
        allowed: u64,
        /// What the guest asked for, in the same unit, where that is known and may be told.
        asked: Option<u64>,
    },
    /// The guest emitted something that is not a batch of the schema bound.
    #[error("{at}: emitted a bad batch: {why}")]
    BadBatch {
        /// Where.
        at: Box<CallSite>,
        /// What is wrong with it.
        why: String,
    },
    /// The guest's `bind` returned a schema that cannot be.
    #[error("{at}: returned a bad schema: {why}")]
    BadSchema {
        /// Where.
        at: Box<CallSite>,
        /// What is wrong with it.
        why: String,
    },
    /// The guest used the host against the contract, such as emitting outside `process`, or broke the
    /// terms of its stage, such as a rule that is not on its list.
    #[error("{at}: broke the contract: {why}")]
    Contract {
        /// Where.
        at: Box<CallSite>,
        /// What it did.
        why: String,
    },
    /// The host called with something the contract does not allow; the guest was not called.
    #[error("{at}: not called: {why}")]
    BadCall {
        /// Where.
        at: Box<CallSite>,
        /// What is wrong.
        why: String,
    },
    /// One row alone is larger than a batch may be; the guest was not called.
    #[error("{at}: one row of {bytes} bytes; at most {allowed} fit into a batch")]
    RowTooLarge {
        /// Where.
        at: Box<CallSite>,
        /// The row's size in bytes.
        bytes: u64,
        /// The most that fit: a quarter of the memory grant.
        allowed: u64,
    },
    /// The reference tables are larger than a plugin of this memory should hold; it was not called.
    #[error("{at}: side inputs of {bytes} bytes; at most {allowed} are given")]
    SideInputsTooLarge {
        /// Where.
        at: Box<CallSite>,
        /// Their size in bytes.
        bytes: u64,
        /// The most that are given: a quarter of the memory grant.
        allowed: u64,
    },
    /// A column has a type that cannot cross into a plugin.
    #[error("column '{column}' has type {data_type}, which cannot be given to a plugin")]
    UnsupportedType {
        /// The column's path.
        column: String,
        /// Its type.
        data_type: String,
    },
    /// The compile cache cannot be trusted or used.
    #[error("compile cache {path}: {why}")]
    Cache {
        /// The directory or file.
        path: String,
        /// What is wrong with it.
        why: String,
    },
    /// The instance failed, timed out or was cancelled before, and is gone.
    #[error("{at}: the instance is gone after an earlier failure")]
    Poisoned {
        /// Where.
        at: Box<CallSite>,
    },
}

fn asked_for(asked: Option<u64>) -> String {
    asked.map_or_else(String::new, |asked| format!(" (asked for {asked})"))
}

fn wrong_track(plugin: &str, found: Option<&str>) -> String {
    let supported = crate::track::SUPPORTED;
    match found {
        Some(found) => {
            format!("plugin '{plugin}' targets weir:plugin@{found}; this weir supports {supported}")
        }
        None => format!(
            "plugin '{plugin}' exports no interface of weir:plugin; this weir supports {supported}"
        ),
    }
}

impl SandboxError {
    /// What a person can do about it, in one sentence without a full stop; none if nothing useful
    /// can be said.
    pub fn hint(&self) -> Option<String> {
        if let Some(refused) = self.call_site().and_then(|at| at.refused.as_ref()) {
            return Some(match &refused.hint {
                Some(hint) => format!("{}: {hint}", refused.what),
                None => refused.what.clone(),
            });
        }
        let hint = match self {
            told if told.words() == Some(KEPT) => {
                "`weir logs RUN` prints what plugins said in a run; it may hold data".into()
            }
            told if told.words() == Some(UNTOLD) => {
                "try the plugin by itself with `weir plugin inspect`, or on a copy of the pipeline with `text = \"open\"` and without real secrets".into()
            }
            SandboxError::Engine(_) => {
                "the sandbox reserves address space ahead of use: raise `ulimit -v`, or lower max_instances".into()
            }
            SandboxError::NotAComponent { .. } => {
                "build it for target wasm32-wasip2, or wrap a core module with `wasm-tools component new`".into()
            }
            SandboxError::TooLarge { .. } => "strip debug information: `wasm-tools strip`".into(),
            SandboxError::Compile { .. } => {
                "threads, garbage collection, 64-bit memory and relaxed SIMD are off in the sandbox".into()
            }
            SandboxError::CompileLimit { .. } => {
                "no ordinary component needs so much: do not trust it, or have its author make it smaller; these limits are fixed".into()
            }
            SandboxError::WrongTrack { found: Some(_), .. } => {
                format!("rebuild the plugin against weir:plugin@{}, or install a weir that supports its version", crate::track::SUPPORTED)
            }
            SandboxError::WrongTrack { found: None, .. } => {
                "a plugin exports `transformer`, `checker`, `decoder-plugin`, `source-plugin` or `folder`: build it with the SDK, or from the folder `wit/`".into()
            }
            SandboxError::ForbiddenImport { import, .. } if import.starts_with("weir:plugin/secrets@") => {
                "grant it the secrets it needs: `secrets = { NAME = { env = \"VARIABLE\" } }` in the stage's grant".into()
            }
            SandboxError::ForbiddenImport { import, .. } if import.starts_with("wasi:http") => {
                "of the worlds only `source` may reach the network, and only what its step grants: `grant = { http = [{ url = \"https://HOST/\" }] }` in `read`".into()
            }
            SandboxError::ForbiddenImport { .. } => {
                "a plugin may import the basic WASI 0.2 interfaces and what its own world offers, nothing else".into()
            }
            SandboxError::WrongTypes { .. } => "rebuild the plugin against the published WIT files".into(),
            SandboxError::PluginError { kind, .. } => match kind {
                PluginErrorKind::Config => "mend the stage's `config`; `weir plugin inspect` prints what the plugin accepts".into(),
                PluginErrorKind::Data => "look at the step's input: the plugin cannot use it as a whole".into(),
                PluginErrorKind::Retry => "run it again".into(),
                PluginErrorKind::Fatal => "the plugin says that it cannot work: tell its author".into(),
            },
            SandboxError::Trap { what, .. } if what.contains("stack") => {
                "the plugin recurses too deeply; its author must bound the recursion".into()
            }
            SandboxError::Trap { .. } => "see the guest's log for its last words (--log weir::guest=debug)".into(),
            SandboxError::Limit { which, .. } => match which {
                LimitKind::Memory => "raise `memory` in the stage's grant".into(),
                LimitKind::Deadline => "raise `deadline` in the stage's grant, if the plugin is only slow".into(),
                LimitKind::WallClock => "raise `deadline` in the stage's grant: a call may take ten times as long, waiting included, and never less than a minute".into(),
                LimitKind::OutputBytes => "emit less for one batch: this limit is fixed".into(),
                LimitKind::OutputRows => "raise `rows_out` in the stage's grant, if so many rows are meant".into(),
                LimitKind::RunMemory => "raise WEIR_MEMORY (such as 2GiB), or lower the run's parallelism (WEIR_PARTITIONS)".into(),
                LimitKind::Hostcall => "the plugin passed more in one call than its output limit allows; emit smaller batches".into(),
                LimitKind::Tables => "build the plugin with fewer function pointers: this limit is fixed".into(),
                LimitKind::Instances => "lower the run's parallelism, or raise max_instances".into(),
            },
            SandboxError::BadBatch { .. } | SandboxError::BadSchema { .. } => {
                "this is the plugin's fault; tell its author".into()
            }
            SandboxError::Contract { .. } => {
                "if it is meant, change the stage's `contract`, or have the plugin declare the rule; else tell the plugin's author".into()
            }
            SandboxError::SideInputsTooLarge { .. } => "raise `memory` in the stage's grant to more than four times that; or select fewer rows and columns with `sql`".into(),
            SandboxError::RowTooLarge { .. } => "raise `memory` in the stage's grant to more than four times the row".into(),
            SandboxError::UnsupportedType { .. } => {
                format!("cast the column in SQL, or leave it out of the grant; these types can cross: {}", crate::schema::CROSSING_TYPES)
            }
            SandboxError::Cache { .. } => "the cache directory must belong to you with mode 0700; remove it and it is made anew".into(),
            SandboxError::BadCall { .. } | SandboxError::Poisoned { .. } => return None,
        };
        Some(hint)
    }

    /// The guest's own words in it, or what stands in their place.
    fn words(&self) -> Option<&str> {
        match self {
            SandboxError::PluginError { message: words, .. }
            | SandboxError::Trap { what: words, .. }
            | SandboxError::BadBatch { why: words, .. }
            | SandboxError::BadSchema { why: words, .. }
            | SandboxError::Contract { why: words, .. } => Some(words),
            _ => None,
        }
    }

    /// Whether the same call may succeed later without anyone changing anything.
    pub fn retryable(&self) -> bool {
        match self {
            SandboxError::PluginError { kind, .. } => *kind == PluginErrorKind::Retry,
            SandboxError::Limit { which, .. } => {
                matches!(
                    which,
                    LimitKind::WallClock | LimitKind::Instances | LimitKind::RunMemory
                )
            }
            _ => false,
        }
    }

    /// Where it happened, for errors of a call.
    pub fn call_site(&self) -> Option<&CallSite> {
        match self {
            SandboxError::PluginError { at, .. }
            | SandboxError::Trap { at, .. }
            | SandboxError::Limit { at, .. }
            | SandboxError::BadBatch { at, .. }
            | SandboxError::BadSchema { at, .. }
            | SandboxError::Contract { at, .. }
            | SandboxError::BadCall { at, .. }
            | SandboxError::RowTooLarge { at, .. }
            | SandboxError::SideInputsTooLarge { at, .. }
            | SandboxError::Poisoned { at } => Some(at),
            _ => None,
        }
    }
}
