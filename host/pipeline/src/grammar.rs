//! The grammar of a pipeline file: a plain tree in, a checked [`Pipeline`] out.

pub(crate) mod check;
pub(crate) mod connections;
pub(crate) mod data_type;
pub(crate) mod ddl;
pub(crate) mod http;
pub(crate) mod incremental;
pub(crate) mod mask;
pub(crate) mod plugin_stage;
pub(crate) mod plugins;
pub(crate) mod read;
pub(crate) mod report;
pub(crate) mod run;
pub(crate) mod schema;
pub(crate) mod schema_change;
pub(crate) mod sections;
pub(crate) mod side_input;
pub(crate) mod sql;
pub(crate) mod stage;
pub(crate) mod step;
pub(crate) mod write;

use std::collections::BTreeMap;
use std::path::Path;

use crate::fault::{Fault, Sink};
use crate::fields::{self, Fields, Keys, Text};
use crate::literals;
use crate::model::{
    Check, Connection, ConnectionKind, ParamValue, Pipeline, ServerKind, TableName, Zone,
};
use crate::plugin_set::PluginSource;
use crate::tree::Node;
use crate::whole;

pub(crate) const PIPELINE: Keys = Keys {
    name: "pipeline",
    what: "a pipeline",
    keys: &[
        "weir",
        "name",
        "owner",
        "description",
        "include",
        "params",
        "lake",
        "store",
        "zone",
        "connections",
        "plugins",
        "trust",
        "profile",
        "defaults",
        "checks",
        "step",
        "view",
        "report",
    ],
};

/// What an included file may hold.
pub(crate) const INCLUDED: Keys = Keys {
    name: "included",
    what: "an included file",
    keys: &[
        "params",
        "store",
        "zone",
        "connections",
        "plugins",
        "trust",
        "checks",
        "step",
        "view",
        "report",
    ],
};

/// What a profile may hold: everything that does not say which pipeline this is.
pub(crate) const PROFILE: Keys = Keys {
    name: "profile",
    what: "a profile",
    keys: &[
        "owner",
        "description",
        "params",
        "lake",
        "store",
        "zone",
        "connections",
        "plugins",
        "trust",
        "defaults",
        "checks",
        "step",
        "view",
        "report",
    ],
};

#[cfg(test)]
/// Every kind of table, for the JSON Schema to be held against.
pub(crate) const TABLES: &[&Keys] = &[
    &PIPELINE,
    &PROFILE,
    &crate::params::PARAM,
    &crate::expand::DEFAULTS,
    &crate::expand::DEFAULTS_STEP,
    &sections::LAKE,
    &sections::ZONE,
    &connections::CONNECTION,
    &plugins::PLUGIN,
    &plugins::TRUST,
    &step::STEP,
    &run::RUN,
    &run::VIEW,
    &report::REPORT,
    &report::SUPPRESS,
    &sql::SQL_FILE,
    &read::READ,
    &incremental::INCREMENTAL,
    &schema::SCHEMA_FILE,
    &schema::COLUMN,
    &schema::NAMED_COLUMN,
    &stage::STAGE,
    &plugin_stage::GRANT,
    &plugin_stage::SECRET,
    &http::HTTP,
    &http::HTTP_SECRET,
    &http::SIGV4,
    &plugin_stage::CONTRACT,
    &check::CHECK,
    &check::RANGE,
    &mask::MASK,
    &write::WRITE,
    &schema_change::SCHEMA_CHANGE,
    &ddl::DDL,
];

/// What the parts of a file know of the rest of it.
pub(crate) struct Context<'a> {
    pub(crate) sink: &'a Sink,
    /// The folder of the pipeline file.
    pub(crate) dir: &'a Path,
    pub(crate) schemas: &'a schema::SchemaFiles,
    pub(crate) zones: BTreeMap<String, Zone>,
    pub(crate) connections: BTreeMap<String, Connection>,
    pub(crate) plugins: BTreeMap<String, PluginSource>,
    pub(crate) checks: BTreeMap<String, Vec<Check>>,
}

impl Context<'_> {
    /// The name of a plugin of this file.
    pub(crate) fn plugin(&self, text: Text<'_>) -> String {
        self.known("plugin", "[plugins]", text, self.plugins.keys());
        text.text.to_owned()
    }

    /// The name of a connection of this file.
    pub(crate) fn connection(&self, text: Text<'_>) -> String {
        self.known("connection", "[connections]", text, self.connections.keys());
        text.text.to_owned()
    }

    /// The name of a connection of this file that can be written, or run SQL.
    pub(crate) fn database(&self, text: Text<'_>) -> String {
        let name = self.connection(text);
        if self.is_dynamodb(&name) {
            self.sink.push(
                Fault::new(format!(
                    "connection '{name}' is DynamoDB, which is only read"
                ))
                .at(text.place)
                .hint("name another connection, or write a lake table"),
            );
        }
        name
    }

    /// Whether a connection of this file is DynamoDB.
    pub(crate) fn is_dynamodb(&self, name: &str) -> bool {
        self.connections
            .get(name)
            .is_some_and(|found| matches!(found.kind, ConnectionKind::Dynamodb(_)))
    }

    /// What the server of a connection of this file is; none if it is no server of tables.
    pub(crate) fn server(&self, name: &str) -> Option<ServerKind> {
        self.connections.get(name)?.kind.server()
    }

    pub(crate) fn known<'k>(
        &self,
        what: &str,
        section: &str,
        text: Text<'_>,
        names: impl Iterator<Item = &'k String>,
    ) -> bool {
        let names: Vec<&str> = names.map(String::as_str).collect();
        let known = names.contains(&text.text);
        if !known && !text.guess {
            self.sink.push(
                Fault::new(format!("there is no {what} '{}'", text.text))
                    .at(text.place)
                    .hint(fields::choices(
                        &format!("{section} has"),
                        text.text,
                        names.into_iter(),
                    )),
            );
        }
        known
    }

    /// `zone.table`, where the zone is known.
    pub(crate) fn table_name(&self, text: Text<'_>) -> Option<TableName> {
        let parts: Vec<&str> = text.text.split('.').collect();
        let [zone, table] = parts.as_slice() else {
            if !text.guess {
                self.sink.push(
                    Fault::new(format!("'{}' does not name a table of a zone", text.text))
                        .at(text.place)
                        .hint("write \"zone.table\""),
                );
            }
            return None;
        };
        let at = |part| Text { text: part, ..text };
        let zone_known = self.known("zone", "[zone]", at(zone), self.zones.keys());
        let table_fine = self.is_table(at(table));
        (zone_known && table_fine).then(|| TableName {
            zone: (*zone).to_owned(),
            table: (*table).to_owned(),
        })
    }

    /// What a step can read: `zone.table`, or `connection.table`, where a database's table may have a
    /// schema before it.
    pub(crate) fn source_table(&self, text: Text<'_>) -> Option<TableName> {
        match text.text.split_once('.') {
            Some((name, table)) if self.connections.contains_key(name) => self.database_table(
                name,
                Text {
                    text: table,
                    ..text
                },
            ),
            _ => self.table_name(text),
        }
    }

    /// A table of a connection of this file. What a database takes for a name, it says itself.
    pub(crate) fn database_table(&self, connection: &str, table: Text<'_>) -> Option<TableName> {
        let fine = !table.text.is_empty() && table.text.split('.').all(|part| !part.is_empty());
        if !fine && !table.guess {
            self.sink.push(
                Fault::new(format!(
                    "'{}' does not name a table of a database",
                    table.text
                ))
                .at(table.place)
                .hint("write \"table\" or \"schema.table\""),
            );
        }
        fine.then(|| TableName {
            zone: connection.to_owned(),
            table: table.text.to_owned(),
        })
    }

    pub(crate) fn is_table(&self, text: Text<'_>) -> bool {
        let fine = literals::is_identifier(text.text);
        if !fine && !text.guess {
            self.sink.push(
                Fault::new(format!("a table cannot be named '{}'", text.text))
                    .at(text.place)
                    .hint("use lower-case letters, digits and _, no digit first"),
            );
        }
        fine
    }
}

/// Tables are called by their zone or connection, so no name can be both.
fn names_tell_apart(context: &Context<'_>) {
    for (name, connection) in &context.connections {
        if context.zones.contains_key(name) {
            context.sink.push(
                Fault::new(format!("'{name}' is the name of a zone and of a connection"))
                    .at(&connection.place)
                    .hint("give one of them another name: tables are called zone.table and connection.table"),
            );
        }
    }
}

/// Reads an expanded tree. Without a pipeline there is at least one fault in `sink`, or a name
/// that only a parameter's value can settle.
pub(crate) fn pipeline(
    root: &Node,
    path: &Path,
    dir: &Path,
    params: BTreeMap<String, ParamValue>,
    schemas: &schema::SchemaFiles,
    sink: &Sink,
) -> Option<Pipeline> {
    let fields = Fields::open(root, &PIPELINE, sink)?;
    let name = fields
        .need_text("name", "write name = \"…\" at the top")
        .filter(|text| {
            let fine = literals::is_name(text.text);
            if !fine {
                fields.fault(
                    text.place,
                    format!("a pipeline cannot be named '{}'", text.text),
                    "use lower-case letters, digits, - and _, a letter or digit first",
                );
            }
            fine
        });
    let owner = fields.owned("owner");
    let description = fields.owned("description");
    let lake = sections::lake(fields.node("lake"), sink);

    let stores = sections::stores(fields.node("store"), sink);

    let trust = plugins::trust(fields.node("trust"), sink);
    let mut context = Context {
        sink,
        dir,
        schemas,
        zones: sections::zones(fields.node("zone"), sink),
        connections: connections::connections(fields.node("connections"), sink),
        plugins: plugins::plugins(fields.node("plugins"), &trust, sink),
        checks: BTreeMap::new(),
    };
    names_tell_apart(&context);
    context.checks = check::named_sets(fields.node("checks"), &context);

    let hint = "add [[step]] with name, read and write";
    let step_nodes = fields.need("step", hint)?;
    if step_nodes.elements().is_empty() {
        fields.fault(&step_nodes.place, "a pipeline needs a step", hint);
    }
    let steps: Vec<_> = step_nodes
        .elements()
        .iter()
        .filter_map(|node| step::step(node, &context))
        .collect();
    let view_nodes = fields.node("view").map_or(&[][..], Node::elements);
    // Whatever writes the tables that they are made of comes before them.
    let views = view_nodes
        .iter()
        .filter_map(|node| run::view(node, &context));
    let steps: Vec<_> = steps.into_iter().chain(views).collect();
    whole::check(&steps, sink);

    let report_nodes = fields.node("report").map_or(&[][..], Node::elements);
    let reports: Vec<_> = report_nodes
        .iter()
        .filter_map(|node| report::report(node, &context))
        .collect();

    let complete = steps.len() == step_nodes.elements().len() + view_nodes.len()
        && reports.len() == report_nodes.len();
    let Context {
        zones,
        connections,
        plugins,
        ..
    } = context;
    name.filter(|_| complete).map(|name| Pipeline {
        path: path.to_owned(),
        dir: dir.to_owned(),
        name: name.text.to_owned(),
        owner,
        description,
        params,
        lake,
        stores,
        zones,
        connections,
        plugins,
        trust,
        steps,
        reports,
    })
}
