//! What the plugin of a stage is given, found out without that plugin: it need not be there yet.

use std::collections::BTreeSet;

use arrow::datatypes::SchemaRef;
use weir_pipeline::{
    FileSchema, Pipeline, PluginStage, ReadSource, Stage, StageAction, Step, Target,
};
use weir_sandbox::{World, normalise_schema};

use super::plugin_stage::granted;
use super::stages::{StepPlanner, at_index, output_index};
use super::{Planned, Planner, order};
use crate::error::{Error, Result};
use crate::session;
use crate::types::arrow_schema;

/// What the plugin of a stage is given, and what it must give, where the file says so.
#[derive(Debug, Clone)]
pub struct Given {
    /// The plugin's name in the file.
    pub plugin: String,
    /// How people call the stage: `step 'x' stage 2 (transform)`.
    pub label: String,
    /// What kind of plugin it is.
    pub world: World,
    /// The columns granted, in the types in which they cross; none for what reads.
    pub input: Option<SchemaRef>,
    /// The columns that a contract pins with `adds`, or those that a read declares.
    pub output: Option<SchemaRef>,
}

/// A stage of a step, with its plugin.
pub struct StageOf {
    /// The step's name.
    step: String,
    stage: Stage,
    plugin: PluginStage,
    world: World,
}

impl StageOf {
    pub(super) fn is_of(&self, step: &Step) -> bool {
        self.step == step.name
    }

    fn given(&self, input: Option<SchemaRef>, output: Option<SchemaRef>) -> Given {
        Given {
            plugin: self.plugin.plugin.clone(),
            label: format!("step '{}' {}", self.step, self.stage.label),
            world: self.world,
            input,
            output,
        }
    }
}

/// A stage with a plugin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chosen {
    /// The step's name.
    pub step: String,
    /// The stage's place among the step's, from 0; none for the plugin of the read.
    pub stage: Option<usize>,
    /// The plugin's name in the file.
    pub plugin: String,
}

/// The stage that is meant by the name of a step and the number of a stage, from 1 (0: the read): either may be
/// left out where only one can be meant. Without a step it is the one whose plugin lies in a folder, to be built.
///
/// # Errors
/// Usage, with what there is to choose from.
pub fn choose(pipeline: &Pipeline, step: Option<&str>, stage: Option<usize>) -> Result<Chosen> {
    let chosen = |step: &Step, stage: Option<usize>, plugin: &PluginStage| Chosen {
        step: step.name.clone(),
        stage,
        plugin: plugin.plugin.clone(),
    };
    if let Some(name) = step {
        let step = step_of(pipeline, name)?;
        let (stage, plugin) = plugin_of(step, stage)?;
        return Ok(chosen(step, stage, plugin));
    }
    let in_folder = |plugin: &PluginStage| {
        let source = pipeline.plugins.get(&plugin.plugin);
        source.is_some_and(|source| source.component.folder(&pipeline.dir).is_some())
    };
    let with: Vec<&Step> = pipeline
        .steps
        .iter()
        .filter(|step| step.plugins().any(in_folder))
        .collect();
    let names: Vec<&str> = with.iter().map(|step| step.name.as_str()).collect();
    match with.as_slice() {
        [step] => {
            let (stage, plugin) = plugin_of(step, stage)?;
            Ok(chosen(step, stage, plugin))
        }
        [] => Err(
            Error::usage("no step has a plugin whose component is a folder")
                .with_hint("say which step is meant (--step NAME); or name the plugin's folder in the file: component = \"../my-plugin\""),
        ),
        _ => Err(Error::usage(format!("{} steps have plugins that lie in folders", with.len()))
            .with_hint(format!("say which is meant, with --step: {}", names.join(", ")))),
    }
}

impl Planner<'_> {
    /// What the plugin of a stage of `step` is given; `stage` is counted from 1, and may be left out
    /// where one stage has a plugin. Steps before it are planned with their plugins, its own stages up to
    /// this one too; the plugin itself is not loaded.
    ///
    /// # Errors
    /// Usage, with what there is to choose from, if no such step or stage is there; else as for
    /// [`plan`](Planner::plan).
    pub async fn given(
        &self,
        pipeline: Pipeline,
        step: &str,
        stage: Option<usize>,
    ) -> Result<Given> {
        let found = step_of(&pipeline, step)?;
        let (index, plugin) = plugin_of(found, stage)?;
        let Some(index) = index else {
            return Ok(reader(found, plugin));
        };
        let (stage, world) = match found.stages.get(index) {
            Some(stage) => match &stage.action {
                StageAction::PluginCheck(_) => (stage, World::Check),
                StageAction::Fold(_) => (stage, World::Fold),
                _ => (stage, World::Transform),
            },
            None => return Err(Error::internal("a stage is not there")),
        };
        let until = StageOf {
            step: found.name.clone(),
            stage: stage.clone(),
            plugin: plugin.clone(),
            world,
        };
        let before = self.steps_before(pipeline, &until.step, index)?;
        match self.planned(before, Some(&until)).await? {
            Planned::Given(given) => Ok(given),
            Planned::Whole(_) => Err(Error::internal("planning has gone past a stage")),
        }
    }

    /// The pipeline with the steps only that `step` reads the tables of, and of its own stages those
    /// before `index`.
    fn steps_before(&self, mut pipeline: Pipeline, step: &str, index: usize) -> Result<Pipeline> {
        for own in pipeline.steps.iter_mut().filter(|own| own.name == step) {
            own.stages.truncate(index);
        }
        let runtime = session::runtime(self.resources)?;
        let reads = self.reads(&pipeline, &runtime)?;
        // Its own table may be read by a stage that is left out.
        for (own, tables) in pipeline.steps.iter_mut().zip(&reads) {
            let is_read = own
                .writes
                .iter()
                .any(|write| matches!(&write.target, Target::Table(name) if tables.contains(name)));
            if own.name == step && !is_read {
                own.read.own = None;
            }
        }
        let mut needed: BTreeSet<String> = BTreeSet::from([step.to_owned()]);
        // Backwards, each step comes before all that it needs.
        for (index, depends_on) in order(&pipeline.steps, &reads)?.into_iter().rev() {
            let name = |index: usize| pipeline.steps.get(index).map(|step| step.name.clone());
            if name(index).is_some_and(|name| needed.contains(&name)) {
                needed.extend(depends_on.into_iter().filter_map(name));
            }
        }
        pipeline.steps.retain(|step| needed.contains(&step.name));
        Ok(pipeline)
    }
}

impl StepPlanner<'_> {
    /// What the plugin of a stage is given that comes after all stages of `step`.
    pub(super) async fn given(&self, step: &Step, at: &StageOf) -> Result<Given> {
        let before = self.before_writes(step).await?;
        let segment = before
            .segments
            .last()
            .ok_or_else(|| Error::internal("a step has no segment"))?;
        let output = output_index(&segment.outputs, &at.stage)?;
        let (_, schema) = at_index(&segment.outputs, output)?;
        let granted = granted(&at.plugin.grant, schema, &at.stage, &[])?;
        let input = normalise_schema(&granted.schema(schema))?;
        let adds = at.plugin.contract.adds.as_deref().map(arrow_schema);
        Ok(at.given(Some(input), adds))
    }
}

/// What the plugin of a read gives: the columns that the file declares.
fn reader(step: &Step, plugin: &PluginStage) -> Given {
    let output = match &step.read.source {
        ReadSource::Files(read) => match &read.schema {
            FileSchema::Declared(columns) => Some(arrow_schema(columns)),
            FileSchema::FromFile => None,
        },
        ReadSource::Table(_) | ReadSource::Sql(_) | ReadSource::Nothing => None,
    };
    Given {
        plugin: plugin.plugin.clone(),
        label: super::read_label(step),
        world: match step.read.elsewhere() {
            Some(_) => World::Source,
            None => World::Decoder,
        },
        input: None,
        output,
    }
}

/// The step of that name.
fn step_of<'a>(pipeline: &'a Pipeline, name: &str) -> Result<&'a Step> {
    let whole = pipeline.steps.iter().find(|step| step.name == name);
    let named = |step: &&Step| crate::run::is_step(name, &step.name);
    let all: Vec<&Step> = pipeline.steps.iter().filter(named).collect();
    let list = |steps: &[&Step]| -> String {
        let names: Vec<&str> = steps.iter().map(|step| step.name.as_str()).collect();
        names.join(", ")
    };
    match (whole, all.as_slice()) {
        (Some(step), _) => Ok(step),
        (None, [step]) => Ok(*step),
        (None, []) => {
            let steps: Vec<&Step> = pipeline.steps.iter().collect();
            Err(Error::usage(format!("there is no step '{name}'"))
                .with_hint(format!("the steps are {}", list(&steps))))
        }
        (None, several) => Err(Error::usage(format!("'{name}' is {} steps", several.len()))
            .with_hint(format!(
                "say which, in quotes for the shell: {}",
                list(several)
            ))),
    }
}

/// The stage that is meant, by its index, with its plugin; without an index that of its read.
fn plugin_of(step: &Step, stage: Option<usize>) -> Result<(Option<usize>, &PluginStage)> {
    let reading = step.read.plugin().map(|plugin| (None, plugin));
    let stages = step.stages.iter().enumerate();
    let staged = stages.filter_map(|(index, stage)| match &stage.action {
        StageAction::Transform(plugin)
        | StageAction::PluginCheck(plugin)
        | StageAction::Fold(plugin) => Some((Some(index), plugin)),
        StageAction::Sql(_)
        | StageAction::Checks(_)
        | StageAction::Mask(_)
        | StageAction::Declassify(_) => None,
    });
    let all: Vec<(Option<usize>, &PluginStage)> = reading.into_iter().chain(staged).collect();
    // The read comes before the first stage.
    let number = |index: Option<usize>| index.map_or(0, |index| index + 1);
    let choices = || {
        let all = all.iter().map(|(index, plugin)| {
            let number = number(*index);
            format!("--stage {number} ('{}')", plugin.plugin)
        });
        all.collect::<Vec<_>>().join(", ")
    };
    match (stage, all.as_slice()) {
        (_, []) => Err(
            Error::usage(format!("no stage of step '{}' has a plugin", step.name)).with_hint(
                "name a step with a stage `transform` or `plugin_check`; `weir plan` shows them",
            ),
        ),
        (None, [one]) => Ok(*one),
        (None, several) => Err(Error::usage(format!(
            "step '{}' has {} plugins",
            step.name,
            several.len()
        ))
        .with_hint(format!("say which: {}", choices()))),
        (Some(wanted), all) => {
            let found = all.iter().find(|(index, _)| number(*index) == wanted);
            found.copied().ok_or_else(|| {
                Error::usage(format!(
                    "stage {wanted} of step '{}' has no plugin",
                    step.name
                ))
                .with_hint(format!("there is {}", choices()))
            })
        }
    }
}
