//! `run` of a step, and `[[view]]`: SQL that a database runs.

use crate::fields::{Fields, Keys, Text};
use crate::grammar::Context;
use crate::grammar::sql::sql;
use crate::grammar::write::names;
use crate::literals;
use crate::model::{DatabaseSql, DatabaseWork, Read, ReadSource, Step};
use crate::place::Place;
use crate::tree::Node;

pub(crate) const RUN: Keys = Keys {
    name: "run",
    what: "`run`",
    keys: &["connection", "sql"],
};

pub(crate) const VIEW: Keys = Keys {
    name: "view",
    what: "a view",
    keys: &[
        "name",
        "connection",
        "sql",
        "materialized",
        "grants",
        "description",
    ],
};

/// `run = { connection = "…", sql = "…" }`
pub(crate) fn run(node: &Node, context: &Context<'_>) -> Option<DatabaseSql> {
    let fields = Fields::open(node, &RUN, context.sink)?;
    let connection = connection(&fields, context);
    let sql = needed_sql(&fields, context);
    Some(DatabaseSql {
        connection: connection?,
        work: DatabaseWork::Script(sql?),
        place: node.place.clone(),
    })
}

/// An entry of `[[view]]`: a step that makes it.
pub(crate) fn view(node: &Node, context: &Context<'_>) -> Option<Step> {
    let fields = Fields::open(node, &VIEW, context.sink)?;
    let name = fields
        .need_text("name", "write name = \"…\"")
        .filter(|text| is_view(&fields, *text));
    let connection = connection(&fields, context);
    let sql = needed_sql(&fields, context);
    let grants = match fields.node("grants") {
        None => Some(Vec::new()),
        Some(_) => names(&fields, "grants"),
    };
    fields.text("description");
    let materialized = fields.flag("materialized").unwrap_or(false);
    let name = name?;
    Some(step(
        format!("view-{}", name.text.replace('.', "-")),
        DatabaseSql {
            connection: connection?,
            work: DatabaseWork::View {
                name: name.text.to_owned(),
                query: sql?,
                materialized,
                grants: grants?,
            },
            place: node.place.clone(),
        },
        name.place,
    ))
}

/// A step that has a database run SQL, and moves no rows.
pub(crate) fn step(name: String, sql: DatabaseSql, place: &Place) -> Step {
    Step {
        name,
        read: Read {
            source: ReadSource::Nothing,
            limit: None,
            incremental: None,
            own: None,
            place: sql.place.clone(),
        },
        stages: Vec::new(),
        writes: Vec::new(),
        run: Some(sql),
        timeout: None,
        place: place.clone(),
    }
}

fn connection(fields: &Fields<'_>, context: &Context<'_>) -> Option<String> {
    fields
        .need_text(
            "connection",
            "write connection = \"…\", a database of [connections]",
        )
        .map(|text| context.database(text))
}

fn needed_sql(fields: &Fields<'_>, context: &Context<'_>) -> Option<String> {
    fields.need("sql", "write sql = \"…\", or sql = { file = \"….sql\" }")?;
    sql(fields, context)
}

/// `view` or `schema.view`: it is part of the step's name.
fn is_view(fields: &Fields<'_>, text: Text<'_>) -> bool {
    let parts: Vec<&str> = text.text.split('.').collect();
    let fine = parts.len() <= 2 && parts.iter().all(|part| literals::is_identifier(part));
    if !fine && !text.guess {
        fields.fault(
            text.place,
            format!("a view cannot be named '{}'", text.text),
            "use lower-case letters, digits and _, no digit first; with a schema \"schema.view\"",
        );
    }
    fine
}
