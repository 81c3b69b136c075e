//! SQL in a pipeline file, or in a file of its own.

use crate::fault::Fault;
use crate::fields::{Fields, Keys};
use crate::grammar::Context;
use crate::grammar::read::not_blank;
use crate::substitute::refuse_in_sql;
use crate::tree::{Node, Value};

pub(crate) const SQL_FILE: Keys = Keys {
    name: "sql_file",
    what: "`sql` of a file",
    keys: &["file"],
};

/// What the key `sql` holds: a text, or `{ file = "…" }`, relative to the pipeline file.
pub(crate) fn sql(fields: &Fields<'_>, context: &Context<'_>) -> Option<String> {
    let node = fields.node("sql")?;
    if matches!(node.value, Value::Table(_)) {
        return from_file(node, context);
    }
    let text = fields.text("sql")?;
    not_blank(fields, text, "sql").then(|| text.text.to_owned())
}

fn from_file(node: &Node, context: &Context<'_>) -> Option<String> {
    let fields = Fields::open(node, &SQL_FILE, context.sink)?;
    let path = fields.need_text("file", "write sql = { file = \"….sql\" }")?;
    match context.schemas.text(&context.dir.join(path.text)) {
        Ok(content) => {
            refuse_in_sql(node, &content, context.sink);
            let blank = content.trim().is_empty();
            if blank {
                fields.fault(
                    path.place,
                    format!("SQL file '{}' is empty", path.text),
                    "write the SQL into it",
                );
            }
            (!blank).then_some(content)
        }
        Err(why) => {
            context.sink.push(
                Fault::new(format!("SQL file '{}' cannot be read: {why}", path.text))
                    .at(path.place)
                    .hint("paths are relative to the folder of the pipeline file"),
            );
            None
        }
    }
}
