//! What another component of a plugin would change: a step's input goes through both, and what they
//! make of it is compared.
//!
//! Each step that has the plugin is tried by itself ([`run::trial`](crate::run)): what it reads is what
//! it would read now, from files, tables of the lake and databases; what it writes goes to a folder that
//! the caller removes. Lake tables that it writes are taken as not there, so that the rows are seen as
//! the step makes them, not as a table would take them.
//!
//! - [`report`]: what is found, for people and programs.
//! - `rows`: which rows only one side has, by a query over the files of both.
//! - `pairs`: rows of one key, and examples.

mod pairs;
pub mod report;
mod rows;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use tokio_util::sync::CancellationToken;
use weir_components::{Components, LockUse, Settings};
use weir_pipeline::{ComponentSource, Pipeline, PluginSource, Step};
use weir_sandbox::Limits;

use crate::commit::Applier;
use crate::connections::Connections;
use crate::database::Snapshots;
use crate::error::{Error, ErrorKind, Result};
use crate::lake::{Location, RUN_COLUMN};
use crate::plan::{Aside, Plan, PlannedWrite, Planner};
use crate::plugins::{self, LoadedPlugin, refusal};
use crate::record::RuleCount;
use crate::run::{Ground, Tried, Used, attempt, is_step};
use crate::segment::WrittenFile;
use crate::session;
use crate::store::Stores;
use crate::vault::Vaults;
use report::{
    Both, Comparison, Component, Cost, Fails, OutputComparison, RuleChange, StepComparison, Usage,
};
use rows::{RowSet, Wanted};

/// What is compared.
#[derive(Debug, Clone)]
pub struct Request<'a> {
    /// The plugin's name in the file.
    pub plugin: &'a str,
    /// The other component: a `.wasm` file, or the folder of its plugin.
    pub component: &'a Path,
    /// Only these steps, and what the file calls by these names with `each`; empty: all that have it.
    pub steps: &'a [String],
    /// Read at most this many rows in each step.
    pub limit: Option<u64>,
    /// The columns that say which rows are the same; empty: the key of a write that merges, else none.
    pub key: &'a [String],
    /// How many rows of each kind are shown.
    pub show: usize,
    /// A folder of the local disk in which nothing is. The caller removes it.
    pub folder: &'a str,
    /// Stops the comparison at a batch.
    pub stop: CancellationToken,
}

/// Which of the two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// The plugin as the pipeline has it.
    Old,
    /// The other component.
    New,
}

/// Why nothing could be compared.
#[derive(Debug)]
pub struct Stopped {
    /// With which of the two it happened; none where it has to do with neither.
    pub side: Option<Side>,
    /// What happened.
    pub error: Error,
}

impl From<Error> for Stopped {
    fn from(error: Error) -> Stopped {
        Stopped { side: None, error }
    }
}

fn on(side: Side) -> impl FnOnce(Error) -> Stopped {
    move |error| Stopped {
        side: Some(side),
        error,
    }
}

/// Compares. The planner's `aside` is not looked at.
///
/// # Errors
/// Usage, if no step has the plugin, or a key is no column; whatever keeps a plan from being made, or a
/// step from being run, with either component; conflict, if a table changed meanwhile.
pub async fn compare(
    planner: &Planner<'_>,
    mut pipeline: Pipeline,
    request: &Request<'_>,
) -> Result<Comparison, Stopped> {
    pipeline.steps = chosen(&pipeline, request)?;
    let old = plugins::load(planner.sandbox, &pipeline, &planner.components)
        .await
        .map_err(on(Side::Old))?;
    let mut new = old.clone();
    let replaced = replacement(planner, &pipeline, request)
        .await
        .map_err(on(Side::New))?;
    let before = new.insert(request.plugin.to_owned(), replaced.clone());
    let before = before.ok_or_else(|| Error::internal("a plugin was not loaded"))?;
    if before.plugin.world() != replaced.plugin.world() {
        return Err(Error::usage(format!(
            "plugin '{}' is of world {}, the other component of world {}",
            request.plugin,
            before.plugin.world(),
            replaced.plugin.world()
        ))
        .with_hint("give a component that can stand in its place")
        .into());
    }
    let mut steps = Vec::with_capacity(pipeline.steps.len());
    for step in &pipeline.steps {
        let mut one = pipeline.clone();
        let mut step = step.clone();
        step.read.limit = match (step.read.limit, request.limit) {
            (Some(own), Some(most)) => Some(own.min(most)),
            (own, most) => own.or(most),
        };
        one.steps = vec![step];
        let pair = StepPair {
            planner,
            request,
            number: steps.len(),
        };
        steps.push(pair.compare(one, (&old, &new)).await?);
    }
    let has_rows = steps.iter().any(|step| !step.outputs.is_empty());
    if !request.key.is_empty() && has_rows && !steps.iter().any(StepComparison::is_keyed) {
        return Err(no_key(request, &steps).into());
    }
    Ok(Comparison {
        plugin: request.plugin.to_owned(),
        limit: request.limit,
        component: Both {
            old: component(&before),
            new: component(&replaced),
        },
        steps,
    })
}

/// The steps that have the plugin, of those that are asked for.
fn chosen(pipeline: &Pipeline, request: &Request<'_>) -> Result<Vec<Step>> {
    let has = |step: &Step| {
        let one = Pipeline {
            steps: vec![step.clone()],
            ..pipeline.clone()
        };
        one.plugin_set().plugins.contains_key(request.plugin)
    };
    let names = |steps: &[&Step]| -> String {
        let names: Vec<&str> = steps.iter().map(|step| step.name.as_str()).collect();
        names.join(", ")
    };
    let with: Vec<&Step> = pipeline.steps.iter().filter(|step| has(step)).collect();
    if with.is_empty() {
        let known = pipeline.plugin_set().plugins;
        let known: Vec<&str> = known.keys().map(String::as_str).collect();
        return Err(
            Error::usage(format!("no step has a plugin '{}'", request.plugin)).with_hint(
                match known.is_empty() {
                    true => "no step of the pipeline has any".to_owned(),
                    false => format!("the plugins that steps have are {}", known.join(", ")),
                },
            ),
        );
    }
    for name in request.steps {
        if !with.iter().any(|step| is_step(name, &step.name)) {
            let is_there = pipeline.steps.iter().any(|step| is_step(name, &step.name));
            let what = match is_there {
                true => format!("step '{name}' has no plugin '{}'", request.plugin),
                false => format!("there is no step '{name}'"),
            };
            return Err(Error::usage(what).with_hint(format!(
                "the steps with plugin '{}' are {}",
                request.plugin,
                names(&with)
            )));
        }
    }
    let asked = |step: &&&Step| {
        let named = |name: &String| is_step(name, &step.name);
        request.steps.is_empty() || request.steps.iter().any(named)
    };
    Ok(with.iter().filter(asked).copied().cloned().collect())
}

/// Loads the other component. What pins the plugin does not hold for it; what is demanded of signatures,
/// and which components are revoked, does.
async fn replacement(
    planner: &Planner<'_>,
    pipeline: &Pipeline,
    request: &Request<'_>,
) -> Result<LoadedPlugin> {
    let mut set = pipeline.plugin_set();
    set.plugins.retain(|name, _| name == request.plugin);
    for source in set.plugins.values_mut() {
        *source = PluginSource {
            component: ComponentSource::Path(request.component.to_owned()),
            sha256: None,
            signature: None,
            ..source.clone()
        };
    }
    // What is wrong with it is not wrong in the pipeline file.
    let nowhere = weir_pipeline::PluginSet {
        plugins: BTreeMap::new(),
        ..set.clone()
    };
    let refused = |error| refusal(error, &nowhere);
    let settings = Settings {
        lock: LockUse::Ignore,
        ..planner.components.clone()
    };
    let components = Components::open(set, &settings).map_err(refused)?;
    let component = components.fetch(request.plugin).await.map_err(refused)?;
    let plugin = planner
        .sandbox
        .load(request.plugin, component.bytes)
        .await?;
    let info = plugin.describe(&Limits::default()).await?;
    Ok(LoadedPlugin {
        plugin,
        info,
        provenance: component.provenance,
    })
}

fn component(loaded: &LoadedPlugin) -> Component {
    Component {
        source: loaded.provenance.source.clone(),
        sha256: loaded.provenance.sha256.clone(),
        version: loaded.info.version.clone(),
        imports: loaded.plugin.imports().to_vec(),
        rules: loaded
            .info
            .rules
            .iter()
            .map(|rule| rule.name.clone())
            .collect(),
    }
}

fn no_key(request: &Request<'_>, steps: &[StepComparison]) -> Error {
    let columns: BTreeSet<&str> = steps
        .iter()
        .flat_map(|step| &step.outputs)
        .flat_map(|output| output.columns.iter().map(String::as_str))
        .collect();
    let columns: Vec<&str> = columns.into_iter().collect();
    Error::usage(format!(
        "no target has all columns of the key {}",
        request.key.join(", ")
    ))
    .with_hint(format!(
        "the columns that both sides have are {}",
        columns.join(", ")
    ))
}

/// A step that is run twice.
struct StepPair<'a> {
    planner: &'a Planner<'a>,
    request: &'a Request<'a>,
    number: usize,
}

type Loaded = BTreeMap<String, LoadedPlugin>;

/// A folder, and files below it.
type Written = (Location, Vec<WrittenFile>);

impl StepPair<'_> {
    async fn compare(
        &self,
        pipeline: Pipeline,
        (old, new): (&Loaded, &Loaded),
    ) -> Result<StepComparison, Stopped> {
        let plan = |plugins: &Loaded| {
            let pipeline = pipeline.clone();
            let planner = Planner {
                sandbox: self.planner.sandbox,
                components: self.planner.components.clone(),
                stores: self.planner.stores.clone(),
                lake: self.planner.lake,
                isolate: false,
                full_refresh: false,
                replay: false,
                aside: Some(Aside {
                    plugins: plugins.clone(),
                    targets: self.request.folder,
                }),
                resources: self.resources(),
            };
            async move { planner.plan(pipeline).await.map(Arc::new) }
        };
        let plans = Both {
            old: plan(old).await.map_err(on(Side::Old))?,
            new: plan(new).await.map_err(on(Side::New))?,
        };
        let ground = self.ground(&plans).await?;
        let name = |side: &str| format!("{side}-{}", self.number);
        let old = attempt(Arc::clone(&plans.old), &ground, &name("old"))
            .await
            .map_err(on(Side::Old))?;
        let old = match old {
            Tried::Written(old) => *old,
            Tried::Ended(error) => return Err(on(Side::Old)(error)),
        };
        let new = attempt(Arc::clone(&plans.new), &ground, &name("new"))
            .await
            .map_err(on(Side::New))?;
        ground.snapshots.close().await;
        let step = one_step(&plans.old)?;
        let mut found = StepComparison {
            step: step.step.name.clone(),
            counts: Both {
                old: old.record.counts,
                new: Default::default(),
            },
            fails: Fails {
                old: old.refusal.as_ref().map(Error::to_string),
                new: None,
            },
            outputs: Vec::new(),
            rules: Vec::new(),
            quarantine: None,
            cost: Vec::new(),
        };
        let new = match new {
            Tried::Written(new) => *new,
            Tried::Ended(error) => {
                found.fails.new = Some(error.to_string());
                return Ok(found);
            }
        };
        if old.record.tables != new.record.tables {
            return Err(changed(&found.step).into());
        }
        found.counts.new = new.record.counts;
        found.fails.new = new.refusal.as_ref().map(Error::to_string);
        found.rules = rules(&old.record.rejected, &new.record.rejected, false);
        found
            .rules
            .extend(rules(&old.record.warned, &new.record.warned, true));
        found.cost = costs(self.request.plugin, &old.used, &new.used);
        let writes = step.writes.iter().zip(&one_step(&plans.new)?.writes);
        let files = old.accepted.iter().zip(&new.accepted);
        for (writes, files) in writes.zip(files) {
            let output = self.output(&ground, writes, files).await?;
            found.outputs.push(output);
        }
        found.quarantine = self
            .quarantine(&ground, &plans, (&old.quarantined, &new.quarantined))
            .await?;
        Ok(found)
    }

    /// What the runs may use. With a limit one task reads, so that the first rows are the same.
    fn resources(&self) -> session::Resources {
        let all = self.planner.resources;
        match self.request.limit {
            None => all,
            Some(_) => session::Resources {
                partitions: 1,
                ..all
            },
        }
    }

    async fn ground(&self, plans: &Both<Arc<Plan>>) -> Result<Ground> {
        let Both { old, new } = plans;
        let (old_step, new_step) = (one_step(old)?, one_step(new)?);
        if old_step.files != new_step.files {
            return Err(changed(&old_step.step.name));
        }
        let stores: Stores = old.lake.root().stores().clone();
        let folder = Location::parse(self.request.folder, &stores)?;
        folder.create_folder().await?;
        let resources = self.resources();
        let runtime = session::runtime(resources)?;
        let connections = Connections::of(&old.pipeline, &old.lake);
        let applier = Applier {
            stores,
            connections: connections.clone(),
            runtime: Arc::clone(&runtime),
            resources,
        };
        let mut vaults = old_step.vaults();
        for (name, labels) in new_step.vaults() {
            vaults.entry(name).or_default().extend(labels);
        }
        let vaults = Vaults::open(&vaults, &old.lake, &applier, &Default::default()).await?;
        Ok(Ground {
            folder,
            runtime,
            resources,
            stop: self.request.stop.clone(),
            snapshots: Snapshots::new(connections),
            vaults: Arc::new(vaults),
        })
    }

    async fn output(
        &self,
        ground: &Ground,
        (old, new): (&PlannedWrite, &PlannedWrite),
        (old_files, new_files): (&Written, &Written),
    ) -> Result<OutputComparison> {
        let rows = Both {
            old: RowSet::of_write(old, old_files),
            new: RowSet::of_write(new, new_files),
        };
        let merged = old.merge.as_ref().map(|merging| merging.key.clone());
        let key = match self.request.key {
            [] => merged.unwrap_or_default(),
            key => key.to_vec(),
        };
        let wanted = Wanted {
            key,
            order: Vec::new(),
            hidden: hidden(old.labels.keys().chain(new.labels.keys())),
            left_out: |name| name == RUN_COLUMN,
            show: self.request.show,
        };
        let compared = rows::compare(ground, &rows, wanted).await?;
        Ok(OutputComparison {
            target: old.target.display(),
            key: compared.key,
            columns: compared.columns,
            schema: compared.schema,
            rows: compared.rows,
        })
    }

    async fn quarantine(
        &self,
        ground: &Ground,
        plans: &Both<Arc<Plan>>,
        (old_files, new_files): (&[WrittenFile], &[WrittenFile]),
    ) -> Result<Option<report::Rows>> {
        let old = one_step(&plans.old)?.quarantine.as_ref();
        let (Some(old), Some(new)) = (old, one_step(&plans.new)?.quarantine.as_ref()) else {
            return Ok(None);
        };
        let rows = Both {
            old: RowSet::of_quarantine(old, old_files),
            new: RowSet::of_quarantine(new, new_files),
        };
        let order = ["_weir_file", "_weir_ordinal", "_weir_stage", "_weir_rule"];
        let wanted = Wanted {
            key: Vec::new(),
            order: order.map(str::to_owned).to_vec(),
            hidden: hidden(old.labels.keys().chain(new.labels.keys())),
            left_out: is_about_the_run,
            show: self.request.show,
        };
        Ok(Some(rows::compare(ground, &rows, wanted).await?.rows))
    }
}

/// The columns of quarantine that say which run and component rejected a row, and what became of it
/// since: not what was found.
fn is_about_the_run(name: &str) -> bool {
    let kept = [
        "_weir_rule",
        "_weir_message",
        "_weir_stage",
        "_weir_file",
        "_weir_ordinal",
        "_weir_raw",
    ];
    name.starts_with("_weir_") && !kept.contains(&name)
}

fn hidden<'a>(names: impl Iterator<Item = &'a String>) -> BTreeSet<String> {
    names.cloned().collect()
}

fn one_step(plan: &Plan) -> Result<&crate::plan::PlannedStep> {
    let [step] = plan.steps.as_slice() else {
        return Err(Error::internal("a comparison is one of one step"));
    };
    Ok(step)
}

fn changed(step: &str) -> Error {
    Error::new(
        ErrorKind::Conflict,
        format!("step '{step}': what it reads changed while it was compared"),
    )
    .with_hint("run the same command again")
}

/// The rules by which the two found unlike numbers of rows.
fn rules(old: &[RuleCount], new: &[RuleCount], warned: bool) -> Vec<RuleChange> {
    let mut all: BTreeMap<(&str, &str), Both<u64>> = BTreeMap::new();
    for rule in old {
        all.entry((&rule.stage, &rule.rule)).or_default().old += rule.rows;
    }
    for rule in new {
        all.entry((&rule.stage, &rule.rule)).or_default().new += rule.rows;
    }
    all.into_iter()
        .filter(|(_, rows)| rows.old != rows.new)
        .map(|((stage, rule), rows)| RuleChange {
            stage: stage.to_owned(),
            rule: rule.to_owned(),
            warned,
            rows,
        })
        .collect()
}

/// What the plugin used in each of its stages.
fn costs(plugin: &str, old: &[Used], new: &[Used]) -> Vec<Cost> {
    let usage = |used: &Used| Usage {
        guest_ns: u64::try_from(used.guest_time.as_nanos()).unwrap_or(u64::MAX),
        peak_memory: used.peak_memory,
    };
    old.iter()
        .zip(new)
        .filter(|(old, _)| old.plugin == plugin)
        .map(|(old, new)| Cost {
            stage: old.stage.clone(),
            used: Both {
                old: usage(old),
                new: usage(new),
            },
        })
        .collect()
}
