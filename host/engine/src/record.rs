//! Run records: `_weir/runs/<run>.json`, one a run, for people and programs.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::commit::Counts;
use crate::difference::SchemaDifference;
use crate::error::{Error, Result};
use crate::lake::{FORMAT, Location, newer};
use crate::outbound::HttpRecord;
use crate::terms::TermsRecord;

/// One execution of a pipeline.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct RunRecord {
    /// The version of this layout.
    pub format: u32,
    /// Its identifier: a UUID of version 7, so that records sort by time.
    pub run: String,
    /// The pipeline.
    pub pipeline: String,
    /// The pipeline's owner.
    pub owner: Option<String>,
    /// The parameters.
    pub params: BTreeMap<String, String>,
    /// What became of it.
    pub status: Status,
    /// When it began, in RFC 3339.
    pub started_at: String,
    /// When it ended, in RFC 3339; absent while it runs, or after a crash.
    pub finished_at: Option<String>,
    /// The version of weir.
    pub weir: String,
    /// What it was asked for; absent in records of older versions.
    #[serde(default)]
    pub request: Option<RunRequest>,
    /// What the process used, once the run has ended.
    #[serde(default)]
    pub usage: Option<Usage>,
    /// Its steps, in the order in which they ended.
    pub steps: Vec<StepRecord>,
}

/// What a run was asked for, so that the rest of it can be run again.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct RunRequest {
    /// The pipeline file: an absolute path.
    pub file: String,
    /// The working directory, at which relative paths of parameters and of the file begin.
    pub dir: String,
    /// The profile, if one was named.
    pub profile: Option<String>,
    /// The parameters that were given, as text.
    pub params: BTreeMap<String, String>,
    /// The steps that were named; empty for all.
    pub steps: Vec<String>,
    /// The most rows to read in each step that reads files.
    pub limit: Option<u64>,
    /// Whether weir.lock had to name every plugin.
    pub locked: bool,
    /// The run of which this is the rest.
    pub retry_of: Option<String>,
    /// Whether it ran rejected rows instead of reading anything.
    #[serde(default)]
    pub replay: bool,
    /// Whether steps were to read everything and replace what they had added.
    #[serde(default)]
    pub full_refresh: bool,
}

/// What a process used. Runs at once in one process, as those of a backfill, are not told apart.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct Usage {
    /// Seconds of processor time while the run was under way, of all threads.
    pub cpu_seconds: f64,
    /// The most memory that the process has had, in bytes; absent where the system does not say.
    pub peak_memory: Option<u64>,
}

/// Measures what a run uses, from its beginning.
#[derive(Debug)]
pub(crate) struct Meter {
    began: f64,
}

impl Meter {
    pub(crate) fn start() -> Meter {
        Meter {
            began: processor_time(),
        }
    }

    pub(crate) fn usage(&self) -> Usage {
        Usage {
            cpu_seconds: processor_time() - self.began,
            peak_memory: peak_memory(),
        }
    }
}

/// Processor time of the process so far, in seconds.
fn processor_time() -> f64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}

/// The most memory that the process has had, where the system says it as Linux does.
fn peak_memory() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kib.checked_mul(1024)
}

/// What became of a run or step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Status {
    /// It runs, or crashed.
    Running,
    /// It is done.
    Succeeded,
    /// It is done, with rows in quarantine or a warning threshold passed.
    Warned,
    /// It failed.
    Failed,
    /// It was not begun, since a step before it failed.
    Blocked,
    /// There was nothing new to read.
    UpToDate,
    /// It was asked to stop before it had decided, or before it began.
    Interrupted,
}

impl Status {
    /// Whether nothing of it is left to do.
    pub fn is_done(self) -> bool {
        match self {
            Status::Succeeded | Status::Warned | Status::UpToDate => true,
            Status::Running | Status::Failed | Status::Blocked | Status::Interrupted => false,
        }
    }
}

impl std::fmt::Display for Status {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Status::Running => "running",
            Status::Succeeded => "succeeded",
            Status::Warned => "warned",
            Status::Failed => "failed",
            Status::Blocked => "blocked",
            Status::UpToDate => "up-to-date",
            Status::Interrupted => "interrupted",
        })
    }
}

/// One step of a run.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct StepRecord {
    /// Its name.
    pub step: String,
    /// What became of it.
    pub status: Status,
    /// The number of its decision, where it made one.
    pub n: Option<u64>,
    /// Digest of all that shaped its output.
    pub fingerprint: String,
    /// Input rows.
    pub counts: Counts,
    /// Rejected rows by stage and rule.
    pub rejected: Vec<RuleCount>,
    /// Rows warned of by stage and rule.
    pub warned: Vec<RuleCount>,
    /// What each target got.
    pub targets: Vec<TargetRecord>,
    /// The files it read.
    pub files: u64,
    /// The bytes of those files.
    #[serde(default)]
    pub bytes_read: u64,
    /// The lake tables that it read, with their versions.
    #[serde(default)]
    pub tables: BTreeMap<String, u64>,
    /// What it rejected before it failed, where that is kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held: Option<HeldRows>,
    /// Its plugins.
    pub plugins: Vec<PluginRecord>,
    /// How long it took.
    pub seconds: f64,
    /// Why it failed, if it did; no value of a row is in it.
    pub error: Option<String>,
    /// What to do about it.
    pub hint: Option<String>,
}

/// Rows that a step rejected before it failed. No table has them.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct HeldRows {
    /// The step.
    pub step: String,
    /// The folder of the quarantine table, as a URL.
    pub url: String,
    /// The files below it.
    pub files: Vec<String>,
    /// How many rows they hold.
    pub rows: u64,
}

/// Rows by rule.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct RuleCount {
    /// The stage's label.
    pub stage: String,
    /// The rule.
    pub rule: String,
    /// How many rows.
    pub rows: u64,
}

/// What a target got.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct TargetRecord {
    /// The target.
    pub target: String,
    /// Rows written to it.
    pub rows: u64,
    /// The bytes of the files that hold them.
    #[serde(default)]
    pub bytes: u64,
    /// For a Delta table the version that holds them.
    pub version: Option<u64>,
    /// What differed between the columns of the rows and those that it had, and what became of it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub schema_changes: Vec<SchemaDifference>,
}

/// A plugin at work in a step.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct PluginRecord {
    /// Its name in the file.
    pub plugin: String,
    /// Its component's SHA-256.
    pub digest: String,
    /// Where the component is from, as the pipeline file has it.
    #[serde(default)]
    pub source: String,
    /// The trusted key that signed it, if one did.
    #[serde(default)]
    pub signer: Option<String>,
    /// The stage's label.
    pub stage: String,
    /// What it was given and held to.
    #[serde(flatten)]
    pub terms: TermsRecord,
    /// The digest of that: see [`terms::digest`](crate::terms::digest).
    #[serde(default)]
    pub terms_digest: String,
    /// Guest time it used, in milliseconds, over all instances.
    pub guest_ms: u64,
    /// The most memory an instance used, in bytes.
    pub peak_memory: u64,
    /// Lines of its log that were dropped, its budget being spent.
    #[serde(default)]
    pub log_lines_dropped: u64,
    /// What it counted.
    pub metrics: BTreeMap<String, f64>,
    /// Its requests, of a source.
    #[serde(default)]
    pub requests: Option<HttpRecord>,
}

impl StepRecord {
    /// The record of this batch and the `next` of the same step.
    pub(crate) fn and(mut self, next: StepRecord) -> StepRecord {
        if next.status == Status::UpToDate {
            return self;
        }
        if self.status != Status::Warned {
            self.status = next.status;
        }
        self.n = next.n.or(self.n);
        self.counts = self.counts.and(next.counts);
        add_rules(&mut self.rejected, next.rejected);
        add_rules(&mut self.warned, next.warned);
        for target in next.targets {
            match self.targets.iter_mut().find(|t| t.target == target.target) {
                Some(before) => {
                    before.rows += target.rows;
                    before.bytes += target.bytes;
                    before.version = target.version.or(before.version);
                }
                None => self.targets.push(target),
            }
        }
        self.files += next.files;
        self.bytes_read += next.bytes_read;
        self.tables.extend(next.tables);
        self.held = next.held.or(self.held);
        for plugin in next.plugins {
            match self.plugins.iter_mut().find(|p| p.stage == plugin.stage) {
                Some(before) => {
                    before.guest_ms += plugin.guest_ms;
                    before.peak_memory = before.peak_memory.max(plugin.peak_memory);
                    before.log_lines_dropped += plugin.log_lines_dropped;
                    // Of all batches so far.
                    before.requests = plugin.requests.or(before.requests.take());
                    for (name, value) in plugin.metrics {
                        *before.metrics.entry(name).or_default() += value;
                    }
                }
                None => self.plugins.push(plugin),
            }
        }
        self
    }
}

fn add_rules(to: &mut Vec<RuleCount>, counts: Vec<RuleCount>) {
    for count in counts {
        let same = |other: &&mut RuleCount| other.stage == count.stage && other.rule == count.rule;
        match to.iter_mut().find(same) {
            Some(before) => before.rows += count.rows,
            None => to.push(count),
        }
    }
}

fn folder(weir: &Location) -> Location {
    weir.child(&["runs"])
}

impl RunRecord {
    /// Writes it, replacing what it was before.
    pub async fn save(&self, weir: &Location) -> Result<()> {
        folder(weir)
            .child(&[&format!("{}.json", self.run)])
            .write_json(self)
            .await
    }

    /// Reads the record of a run, by its identifier or the end of it, or `latest`.
    pub async fn find(weir: &Location, run: &str) -> Result<RunRecord> {
        let all = RunRecord::names(weir).await?;
        let matching: Vec<&String> = match run {
            "latest" => all.last().into_iter().collect(),
            _ => all
                .iter()
                .filter(|name| name.ends_with(run) || *name == run)
                .collect(),
        };
        let none = || match all.is_empty() {
            true => Error::usage(format!("no run is recorded in '{}'", weir.display()))
                .with_hint("check --lake"),
            false => Error::usage(format!("there is no run '{run}'"))
                .with_hint("list the runs with `weir runs`, of the same --lake"),
        };
        match matching.as_slice() {
            [] => Err(none()),
            [one] => {
                let place = folder(weir).child(&[&format!("{one}.json")]);
                let record: RunRecord = place.read_json().await?.ok_or_else(none)?;
                record.known()
            }
            _ => Err(
                Error::usage(format!("'{run}' is the end of several runs' identifiers"))
                    .with_hint("give more of it"),
            ),
        }
    }

    /// The record of the run with this whole identifier, if it is there.
    pub(crate) async fn get(weir: &Location, run: &str) -> Result<Option<RunRecord>> {
        let place = folder(weir).child(&[&format!("{run}.json")]);
        place
            .read_json::<RunRecord>()
            .await?
            .map(RunRecord::known)
            .transpose()
    }

    /// The latest records, newest first.
    pub async fn latest(weir: &Location, count: usize) -> Result<Vec<RunRecord>> {
        let mut records = Vec::new();
        for name in RunRecord::names(weir).await?.iter().rev().take(count) {
            let place = folder(weir).child(&[&format!("{name}.json")]);
            if let Some(record) = place.read_json::<RunRecord>().await? {
                records.push(record.known()?);
            }
        }
        Ok(records)
    }

    /// The record among the latest `count` of which `rank` says least, the newest of those that it says the same of;
    /// none of which it says nothing. With a rank of 0 no older one is read.
    pub async fn best(
        weir: &Location,
        count: usize,
        rank: impl Fn(&RunRecord) -> Option<u32>,
    ) -> Result<Option<RunRecord>> {
        let mut best: Option<(u32, RunRecord)> = None;
        for name in RunRecord::names(weir).await?.iter().rev().take(count) {
            let place = folder(weir).child(&[&format!("{name}.json")]);
            let Some(record) = place.read_json::<RunRecord>().await? else {
                continue;
            };
            let record = record.known()?;
            let Some(of_this) = rank(&record) else {
                continue;
            };
            if best.as_ref().is_none_or(|(known, _)| of_this < *known) {
                best = Some((of_this, record));
            }
            if of_this == 0 {
                break;
            }
        }
        Ok(best.map(|(_, record)| record))
    }

    async fn names(weir: &Location) -> Result<Vec<String>> {
        Ok(folder(weir)
            .list()
            .await?
            .iter()
            .filter_map(|object| object.location.filename()?.strip_suffix(".json"))
            .map(str::to_owned)
            .collect())
    }

    fn known(self) -> Result<RunRecord> {
        if self.format > FORMAT {
            return Err(newer("the record was written", self.format));
        }
        Ok(self)
    }
}
