//! The plugin of a read, bound: a decoder of files, or a source that reads somewhere else.

use std::sync::Arc;

use arrow::datatypes::{FieldRef, Schema, SchemaRef};
use weir_pipeline::{Column, Fault, FileRead, FileSchema, PluginStage, SourceRead, Step};
use weir_sandbox::{Stream, World};

use super::plugin_stage::{bound, planning, refused};
use super::stages::{StepPlanner, distinct_names};
use super::{at, mask_stage};
use crate::error::{Error, Result};
use crate::granted::Granted;
use crate::plugins::LoadedPlugin;
use crate::segment::{PluginCall, PluginRole};
use crate::types::{arrow_schema, type_text};

impl StepPlanner<'_> {
    /// The plugin that decodes the files of a step.
    pub(super) async fn decoder(
        &self,
        step: &Step,
        read: &FileRead,
        plugin: &PluginStage,
    ) -> Result<PluginCall> {
        let place = &step.read.place;
        let loaded = self.of_world(plugin, World::Decoder, place)?;
        let call = self.reader(step, plugin, loaded).await?;
        let label = read_label(step);
        let outputs = bound(loaded, plugin, (&label, &call.terms), &call.bind, place).await?;
        let [output] = outputs.as_slice() else {
            return Err(Error::internal("a decoder has one output"));
        };
        let schema = Arc::clone(&output.schema);
        fits(read, &schema, loaded, step)?;
        Ok(PluginCall {
            role: PluginRole::Decoder { schema },
            ..call
        })
    }

    /// The plugin that reads a stream somewhere else.
    pub(super) async fn source(
        &self,
        step: &Step,
        read: &FileRead,
        source: &SourceRead,
    ) -> Result<PluginCall> {
        let place = &step.read.place;
        let loaded = self.of_world(&source.plugin, World::Source, place)?;
        let call = self.reader(step, &source.plugin, loaded).await?;
        let terms = planning(&source.plugin, &call.terms);
        let placed = |error| refused(error, place);
        let started = loaded.plugin.instantiate(&read_label(step), &terms).await;
        let found = started.map_err(placed)?.discover(&call.bind).await;
        let streams = found.map_err(placed)?;
        let Some(stream) = streams.iter().find(|stream| stream.name == source.stream) else {
            let known: Vec<&str> = streams.iter().map(|stream| stream.name.as_str()).collect();
            return Err(Fault::new(format!(
                "plugin '{}' has no stream '{}'",
                source.plugin.plugin, source.stream
            ))
            .at(place)
            .hint(format!("its streams are {}", known.join(", ")))
            .into());
        };
        fits(read, &stream.schema, loaded, step)?;
        Ok(PluginCall {
            role: PluginRole::Source {
                stream: stream.clone(),
            },
            ..call
        })
    }

    /// The call of a plugin that is given no column, before it has said what it makes.
    async fn reader(
        &self,
        step: &Step,
        plugin: &PluginStage,
        loaded: &LoadedPlugin,
    ) -> Result<PluginCall> {
        let place = &step.read.place;
        self.instances_fit(1, place)?;
        let (terms, http) = self.terms(plugin, loaded, place)?;
        let nothing = Arc::new(Schema::empty());
        let granted = Granted::of(&nothing, &[])
            .map_err(|_| Error::internal("a grant of nothing has a pattern"))?;
        let side_inputs = self.side_inputs(plugin).await?;
        Ok(PluginCall {
            plugin: loaded.plugin.clone(),
            provenance: loaded.provenance.clone(),
            terms,
            http,
            bind: self.request(step, plugin, Arc::clone(&nothing), &side_inputs),
            side_inputs,
            // Decided by what it says.
            role: PluginRole::Check,
            seen_of: nothing,
            granted,
            text: plugin.contract.text,
            // Of records that cannot be read no text is kept where the step masks anything.
            words_kept_out: mask_stage::masks(step),
        })
    }
}

/// The schema of the rows that a plugin makes in a read, and the stream if it reads one.
pub(super) fn made(call: &PluginCall) -> Option<(&SchemaRef, Option<&Stream>)> {
    match &call.role {
        PluginRole::Decoder { schema } => Some((schema, None)),
        PluginRole::Source { stream } => Some((&stream.schema, Some(stream))),
        PluginRole::Transform { .. } | PluginRole::Check | PluginRole::Fold { .. } => None,
    }
}

/// Whether what a plugin makes is what the step can read.
fn fits(read: &FileRead, schema: &SchemaRef, loaded: &LoadedPlugin, step: &Step) -> Result<()> {
    let place = &step.read.place;
    if let FileSchema::Declared(columns) = &read.schema {
        as_declared(columns, schema, loaded).map_err(|fault| fault.at(place))?;
    }
    distinct_names(schema).map_err(|error| at(error, place))
}

/// How people call the read of a step.
pub(crate) fn read_label(step: &Step) -> String {
    format!("step '{}' read", step.name)
}

/// Holds what a decoder or source gives against the columns that the file declares.
fn as_declared(
    columns: &[Column],
    schema: &Schema,
    loaded: &LoadedPlugin,
) -> std::result::Result<(), Fault> {
    let declared = arrow_schema(columns);
    let texts = |schema: &Schema| -> Vec<String> {
        let fields = schema.fields().iter();
        fields
            .map(|field| {
                let null = if field.is_nullable() { "" } else { " not null" };
                format!("{} {}{null}", field.name(), type_text(field.data_type()))
            })
            .collect()
    };
    let same = |(one, other): (&FieldRef, &FieldRef)| {
        one.name() == other.name()
            && one.data_type() == other.data_type()
            && one.is_nullable() == other.is_nullable()
    };
    if declared.fields().len() == schema.fields().len()
        && declared.fields().iter().zip(schema.fields()).all(same)
    {
        return Ok(());
    }
    let (declared, found) = (texts(&declared), texts(schema));
    let lacks = |of: &[String], among: &[String]| -> String {
        let lacking = of.iter().filter(|text| !among.contains(text)).cloned();
        let lacking: Vec<String> = lacking.collect();
        match lacking.is_empty() {
            true => "nothing else".to_owned(),
            false => lacking.join(", "),
        }
    };
    Err(Fault::new(format!(
        "plugin '{}' gives other columns than `schema` declares: it gives {}, and {} is declared",
        loaded.plugin.name(),
        lacks(&found, &declared),
        lacks(&declared, &found)
    ))
    .hint(format!("its columns are, in order: {}", found.join(", "))))
}
