//! A stage with a plugin, bound: what it is given, the terms it works under, what is above it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use arrow::datatypes::{Fields, Schema, SchemaRef};
use weir_pipeline::{
    Column, Contract, FailAction, Fault, Grant, GuestText, Isolation, Place, PluginStage,
    RowContract, Stage, Step,
};
use weir_sandbox::{
    BindRequest, Limits, Output, Powers, SandboxError, Secret, Speech, Terms, World,
};

use super::stages::{StepPlanner, at_index, distinct_names, names, output_index, unmasked};
use super::{
    Labels, PlannedFold, PlannedSegment, PlannedSideInput, PlannedStage, PlannedWork,
    SegmentLabels, SegmentSource, at, sensitivity,
};
use crate::error::{Error, Result};
use crate::granted::{Granted, joined_fields};
use crate::outbound::HttpAccess;
use crate::plugins::LoadedPlugin;
use crate::secret;
use crate::segment::{Joining, PluginCall, PluginRole, StageFate};
use crate::types::arrow_schema;

/// The least time that a call of a source may take, waiting included.
const SOURCE_WAIT: Duration = Duration::from_secs(600);

impl StepPlanner<'_> {
    pub(super) async fn plugin(
        &self,
        segment: &mut PlannedSegment,
        step: &Step,
        (stage, plugin): (&Stage, &PluginStage),
        fate: StageFate,
        world: World,
    ) -> Result<()> {
        let loaded = self.of_world(plugin, world, &stage.place)?;
        let before = segment.stages.iter();
        let plugins = before.filter(|stage| matches!(stage.work, PlannedWork::Plugin(_)));
        let reading = usize::from(step.read.plugin().is_some());
        self.instances_fit(plugins.count() + reading + 1, &stage.place)?;
        let output = output_index(&segment.outputs, stage)?;
        let (name, schema) = at_index(&segment.outputs, output)?.clone();
        let granted = granted(&plugin.grant, &schema, stage, &loaded.info.columns)?;
        let (terms, http) = self.terms(plugin, loaded, &stage.place)?;
        let side_inputs = self.side_inputs(plugin).await?;
        let bind = self.request(step, plugin, granted.schema(&schema), &side_inputs);
        let outputs = bound(loaded, plugin, (&fate.label, &terms), &bind, &stage.place).await?;
        let role = match world {
            World::Transform => {
                let joining = match &plugin.contract.adds {
                    Some(adds) => pinned(adds, &bind.input, &outputs, loaded, stage)?,
                    None => Joining::Behind {
                        rest: granted.rest_fields(&schema),
                    },
                };
                let above = above(&outputs, &joining, &schema, stage)?;
                let named = outputs.iter().map(|bound| {
                    // One output of several keeps the name by which later stages know it.
                    if segment.outputs.len() > 1 && outputs.len() == 1 {
                        name.clone()
                    } else {
                        bound.name.clone()
                    }
                });
                let above: Vec<_> = named.zip(above).collect();
                segment.outputs.splice(output..=output, above);
                distinct_outputs(&segment.outputs, stage)?;
                PluginRole::Transform {
                    emitted: outputs.into_iter().map(|output| output.schema).collect(),
                    joining,
                }
            }
            World::Check | World::Decoder | World::Source | World::Fold => PluginRole::Check,
        };
        segment.stages.push(PlannedStage {
            fate,
            on_fail: plugin.on_fail.clone(),
            output,
            work: PlannedWork::Plugin(Box::new(PluginCall {
                plugin: loaded.plugin.clone(),
                provenance: loaded.provenance.clone(),
                terms,
                http,
                bind,
                side_inputs,
                role,
                seen_of: schema,
                granted,
                text: plugin.contract.text,
                words_kept_out: false,
            })),
            above: segment.outputs.clone(),
            place: stage.place.clone(),
        });
        Ok(())
    }

    /// What comes behind a fold: a segment that reads its result.
    pub(super) async fn fold(
        &self,
        segment: &PlannedSegment,
        step: &Step,
        (stage, plugin): (&Stage, &PluginStage),
        fate: StageFate,
    ) -> Result<PlannedSegment> {
        let loaded = self.of_world(plugin, World::Fold, &stage.place)?;
        let fate = StageFate {
            action: FailAction::Fail,
            ..fate
        };
        // One for each partition, and one that merges.
        self.instances_fit(2, &stage.place)?;
        if segment.outputs.len() > 1 {
            return Err(Fault::new("a fold after a transform with several outputs")
                .at(&stage.place)
                .hint("write the outputs, and fold one in a step of its own")
                .into());
        }
        let output = output_index(&segment.outputs, stage)?;
        let (_, schema) = at_index(&segment.outputs, output)?;
        let granted = granted(&plugin.grant, schema, stage, &loaded.info.columns)?;
        let (terms, http) = self.terms(plugin, loaded, &stage.place)?;
        let side_inputs = self.side_inputs(plugin).await?;
        let bind = self.request(step, plugin, granted.schema(schema), &side_inputs);
        let outputs = bound(loaded, plugin, (&fate.label, &terms), &bind, &stage.place).await?;
        let [result] = outputs.as_slice() else {
            return Err(Error::internal("a fold has one output"));
        };
        let made = Arc::clone(&result.schema);
        distinct_names(&made).map_err(|error| at(error, &stage.place))?;
        let call = PluginCall {
            plugin: loaded.plugin.clone(),
            provenance: loaded.provenance.clone(),
            terms,
            http,
            bind,
            side_inputs,
            role: PluginRole::Fold {
                schema: Arc::clone(&made),
            },
            seen_of: Arc::clone(schema),
            granted,
            text: plugin.contract.text,
            words_kept_out: false,
        };
        // What is made of sensitive values is sensitive, until somebody says otherwise.
        let labels = segment.labels.outputs.get(output);
        let labels = labels.map(|labels| sensitivity::folded(&call, labels, &made));
        Ok(PlannedSegment {
            labels: SegmentLabels::of(labels.unwrap_or_default()),
            made_of: Labels::new(),
            kept: unmasked(&made)?,
            source: SegmentSource::Fold(Box::new(PlannedFold { fate, call })),
            outputs: vec![("out".to_owned(), Arc::clone(&made))],
            input: made,
            stages: Vec::new(),
            whole: Vec::new(),
        })
    }

    /// The plugin, if it is of the world that is needed here.
    pub(super) fn of_world(
        &self,
        plugin: &PluginStage,
        world: World,
        place: &Place,
    ) -> Result<&LoadedPlugin> {
        let loaded = self
            .plugins
            .get(&plugin.plugin)
            .ok_or_else(|| Error::internal("a plugin was not loaded"))?;
        if loaded.plugin.world() != world {
            return Err(Fault::new(format!(
                "plugin '{}' is of world {}, one of world {world} is needed here",
                plugin.plugin,
                loaded.plugin.world()
            ))
            .at(place)
            .hint("use `transform` for transforms, `plugin_check` for checks, `fold` for folds, and in `read` `decoder` for decoders and `source` for sources")
            .into());
        }
        if plugin.contract.text == GuestText::GuestLog && self.lake.root().local().is_none() {
            return Err(Fault::new(
                "a guest log is kept on a local disk only, where its owner alone can read it",
            )
            .at(place)
            .hint("leave out `text = \"guest-log\"`, or use a local lake")
            .into());
        }
        Ok(loaded)
    }

    /// What a plugin of the step is bound with.
    pub(super) fn request(
        &self,
        step: &Step,
        plugin: &PluginStage,
        input: SchemaRef,
        side_inputs: &[PlannedSideInput],
    ) -> BindRequest {
        BindRequest {
            config: serde_json::Value::Object(plugin.config.clone()),
            pipeline: self.pipeline.name.clone(),
            step: step.name.clone(),
            parameters: self
                .pipeline
                .params
                .iter()
                .map(|(name, value)| (name.clone(), value.to_string()))
                .collect(),
            input,
            side_inputs: side_inputs
                .iter()
                .map(PlannedSideInput::without_rows)
                .collect(),
        }
    }

    /// Whether the sandbox has room for one instance of each of so many plugins in each partition.
    pub(super) fn instances_fit(&self, plugins: usize, place: &Place) -> Result<()> {
        let needed = plugins.saturating_mul(self.resources.partitions);
        let allowed = usize::try_from(self.sandbox.max_instances()).unwrap_or(usize::MAX);
        if needed <= allowed {
            return Ok(());
        }
        Err(Fault::new(format!(
            "{plugins} plugins in a row in {} partitions need {needed} instances; {allowed} may be alive at once",
            self.resources.partitions
        ))
        .at(place)
        .hint("lower the run's parallelism (WEIR_PARTITIONS), or split the step in two")
        .into())
    }

    /// The terms of the stage, but for where words and memory go while it runs; and what it may reach.
    pub(super) fn terms(
        &self,
        plugin: &PluginStage,
        loaded: &LoadedPlugin,
        place: &Place,
    ) -> Result<(Terms, Option<HttpAccess>)> {
        // Destructured, so that a new key does not compile before it means something here.
        let PluginStage {
            plugin: _,
            config: _,
            grant,
            side_inputs: _,
            isolation,
            contract,
            on_fail: _,
        } = plugin;
        let Grant {
            columns: _,
            memory,
            deadline,
            rows_out,
            log,
            secrets,
            clock,
            random,
            http,
        } = grant;
        let Contract {
            adds: _,
            rows,
            rules,
            text: _,
        } = contract;
        let mut limits = Limits {
            memory: *memory,
            log_bytes: *log,
            ..Limits::default().with_deadline(*deadline)
        };
        if let Some(rows) = rows_out {
            limits = limits.with_rows_out(*rows);
        }
        if loaded.plugin.world() == World::Source {
            // It waits for others, who may be slow.
            limits.wall_clock = limits.wall_clock.max(SOURCE_WAIT);
        }
        let http = HttpAccess::of(http, &self.pipeline.dir)?;
        let secrets = secrets
            .iter()
            .map(|(name, source)| {
                let value = secret::read(name, source, &self.pipeline.dir, place)?;
                Ok((name.clone(), Secret::new(value)))
            })
            .collect::<Result<BTreeMap<_, _>>>()?;
        let terms = Terms {
            limits,
            powers: Powers {
                clock: *clock,
                random: *random,
                secrets,
                http: http.as_ref().map(HttpAccess::outbound),
            },
            contract: weir_sandbox::Contract {
                rows: match rows {
                    RowContract::Any => weir_sandbox::RowContract::Any,
                    RowContract::AtMostOne => weir_sandbox::RowContract::AtMostOne,
                    RowContract::OneToOne => weir_sandbox::RowContract::OneToOne,
                },
                rules: Some(rule_list(rules.as_deref(), loaded, place)?),
            },
            isolation: match isolation {
                Isolation::Partition => weir_sandbox::Isolation::Partition,
                Isolation::Batch => weir_sandbox::Isolation::Batch,
            },
            speech: Speech::Open,
            budget: None,
        };
        Ok((terms, http))
    }
}

/// The terms of a plugin while the run is planned. No row is near, so what it says now can hold none; but a secret it
/// was granted, and where words are kept there is no log yet to keep them in.
pub(super) fn planning(plugin: &PluginStage, terms: &Terms) -> Terms {
    let mut planning = terms.clone();
    if plugin.contract.text == GuestText::GuestLog || !terms.powers.secrets.is_empty() {
        planning.speech = Speech::Untold;
    }
    planning
}

/// What a plugin answers to `bind` while the run is planned.
pub(super) async fn bound(
    loaded: &LoadedPlugin,
    plugin: &PluginStage,
    (label, terms): (&str, &Terms),
    bind: &BindRequest,
    place: &Place,
) -> Result<Vec<Output>> {
    let placed = |error: SandboxError| refused(error, place);
    loaded.plugin.permitted(&terms.powers).map_err(placed)?;
    let planning = planning(plugin, terms);
    let started = loaded.plugin.instantiate(label, &planning).await;
    let mut instance = started.map_err(placed)?;
    instance.bind(bind).await.map_err(placed)
}

/// The rules that the stage's plugin may raise, with what they demand: those it declares, or those of
/// them that the contract lists.
fn rule_list(
    listed: Option<&[String]>,
    loaded: &LoadedPlugin,
    place: &Place,
) -> Result<BTreeMap<String, String>> {
    let mut declared: BTreeMap<String, String> = loaded
        .info
        .rules
        .iter()
        .map(|rule| (rule.name.clone(), rule.description.clone()))
        .collect();
    let Some(listed) = listed else {
        return Ok(declared);
    };
    if let Some(unknown) = listed.iter().find(|rule| !declared.contains_key(*rule)) {
        let known: Vec<&str> = declared.keys().map(String::as_str).collect();
        return Err(Fault::new(format!(
            "plugin '{}' declares no rule '{unknown}'",
            loaded.plugin.name()
        ))
        .at(place)
        .hint(format!("its rules are {}", known.join(", ")))
        .into());
    }
    declared.retain(|rule, _| listed.contains(rule));
    Ok(declared)
}

/// What of `schema` the grant gives; what the plugin wants must be in it.
pub(super) fn granted(
    grant: &Grant,
    schema: &SchemaRef,
    stage: &Stage,
    wanted: &[String],
) -> Result<Granted> {
    let granted = Granted::of(schema, &grant.columns).map_err(|bad| {
        Error::from(
            Fault::new(format!("'{}' {}", bad.pattern, bad.why))
                .at(&stage.place)
                .hint(format!("the columns here are {}", names(schema))),
        )
    })?;
    let missing: Vec<&str> = wanted
        .iter()
        .filter(|name| !granted.touches(schema, name))
        .map(String::as_str)
        .collect();
    if !missing.is_empty() {
        return Err(Fault::new(format!(
            "the plugin wants columns that it is not granted: {}",
            missing.join(", ")
        ))
        .at(&stage.place)
        .hint(format!(
            "add them to grant.columns; the columns here are {}",
            names(schema)
        ))
        .into());
    }
    Ok(granted)
}

/// Holds what the plugin bound to against the columns it may add.
fn pinned(
    adds: &[Column],
    input: &Schema,
    outputs: &[Output],
    loaded: &LoadedPlugin,
    stage: &Stage,
) -> Result<Joining> {
    let plugin = loaded.plugin.name();
    let broken = |what: String, hint: String| {
        Error::from(
            Fault::new(format!("plugin '{plugin}' breaks the contract: {what}"))
                .at(&stage.place)
                .hint(hint),
        )
    };
    let [output] = outputs else {
        return Err(broken(
            format!("it has {} outputs, and `adds` means one", outputs.len()),
            "leave `adds` out for a plugin with several outputs".to_owned(),
        ));
    };
    let wanted = arrow_schema(adds);
    let mut columns = Vec::with_capacity(adds.len());
    for field in wanted.fields() {
        let Some((index, found)) = output.schema.column_with_name(field.name()) else {
            return Err(broken(
                format!("it does not give the column '{}'", field.name()),
                format!("the columns it gives are {}", names(&output.schema)),
            ));
        };
        let nullable = found.is_nullable() && !field.is_nullable();
        if found.data_type() != field.data_type() || nullable {
            let or_null = |nullable: bool| if nullable { "" } else { " not null" };
            return Err(broken(
                format!(
                    "its column '{}' is {}{}, the contract says {}{}",
                    field.name(),
                    found.data_type(),
                    or_null(found.is_nullable()),
                    field.data_type(),
                    or_null(field.is_nullable()),
                ),
                "change `adds` if the plugin is right; else do not run it".to_owned(),
            ));
        }
        columns.push(index);
    }
    for field in output.schema.fields() {
        let is_added = wanted.column_with_name(field.name()).is_some();
        let is_given = input
            .column_with_name(field.name())
            .is_some_and(|(_, given)| given.data_type() == field.data_type());
        if !is_added && !is_given {
            return Err(broken(
                format!(
                    "it gives the column '{}', which the contract does not have",
                    field.name()
                ),
                "add it to `adds` if it is meant; else do not run the plugin".to_owned(),
            ));
        }
    }
    Ok(Joining::Adds {
        columns,
        fields: wanted.fields().clone(),
    })
}

/// The schemas above the stage, one for each output that the plugin bound.
fn above(
    outputs: &[Output],
    joining: &Joining,
    below: &SchemaRef,
    stage: &Stage,
) -> Result<Vec<SchemaRef>> {
    let placed = |error: Error, hint: &str| at(error.with_hint(hint), &stage.place);
    outputs
        .iter()
        .map(|bound| {
            let full = match joining {
                Joining::Behind { rest } => {
                    let hint = "what is not granted is joined on behind the plugin's own: grant it, or rename one";
                    let fields = joined_fields(bound.schema.fields(), rest).map_err(|name| {
                        placed(Error::usage(format!("two columns are called '{name}'")), hint)
                    })?;
                    let full = Schema::new(fields);
                    distinct_names(&full).map_err(|error| placed(error, hint))?;
                    full
                }
                Joining::Adds { fields, .. } => {
                    let all: Fields = below.fields().iter().chain(fields).cloned().collect();
                    let full = Schema::new(all);
                    let hint = "a contract adds columns and changes none: give the added one another name";
                    distinct_names(&full).map_err(|error| placed(error, hint))?;
                    full
                }
            };
            Ok(Arc::new(full))
        })
        .collect()
}

fn distinct_outputs(outputs: &[(String, SchemaRef)], stage: &Stage) -> Result<()> {
    let mut seen = BTreeSet::new();
    match outputs.iter().find(|(name, _)| !seen.insert(name)) {
        None => Ok(()),
        Some((twice, _)) => Err(Fault::new(format!("two outputs are called '{twice}'"))
            .at(&stage.place)
            .hint("apply the second transform in a step of its own")
            .into()),
    }
}

/// A refusal of the sandbox's, at its place.
pub(super) fn refused(error: SandboxError, place: &Place) -> Error {
    if error.retryable() {
        return Error::from(error);
    }
    let mut fault = Fault::new(error.to_string()).at(place);
    if let Some(hint) = error.hint() {
        fault = fault.hint(hint);
    }
    Error::from(fault)
}
