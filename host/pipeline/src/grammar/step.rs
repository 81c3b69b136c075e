//! `[[step]]`

use crate::fields::{Fields, Keys};
use crate::grammar::schema_change::{self, Wanted};
use crate::grammar::{Context, read, run, stage, write};
use crate::literals;
use crate::model::Step;
use crate::tree::Node;

pub(crate) const STEP: Keys = Keys {
    name: "step",
    what: "a step",
    keys: &[
        "name",
        "description",
        "each",
        "read",
        "stage",
        "write",
        "run",
        "timeout",
        "schema_change",
    ],
};

pub(crate) fn step(node: &Node, context: &Context<'_>) -> Option<Step> {
    let fields = Fields::open(node, &STEP, context.sink)?;
    let name = fields.need_text("name", "write name = \"…\"").filter(|text| {
        let fine = is_step_name(text.text);
        if !fine {
            fields.fault(
                text.place,
                format!("a step cannot be named '{}'", text.text),
                "use lower-case letters, digits, - and _; a step with `each` gets its values appended by itself",
            );
        }
        fine
    });
    fields.text("description");
    let timeout = fields.duration("timeout");
    if let Some(node) = fields.node("run") {
        fields.refuse(
            &["read", "stage", "write", "schema_change"],
            "belongs to a step that moves rows, and this one has `run`",
            "give each of them a step of its own",
        );
        let (name, sql) = (name?, run::run(node, context)?);
        return Some(Step {
            timeout,
            ..run::step(name.text.to_owned(), sql, name.place)
        });
    }

    let read = fields
        .need(
            "read",
            "write read = { files = \"…\", format = \"csv\", schema = \"…\" }",
        )
        .and_then(|node| read::read(node, context));
    let stage_nodes = fields.node("stage").map_or(&[][..], Node::elements);
    let stages: Vec<_> = stage_nodes
        .iter()
        .enumerate()
        .filter_map(|(index, node)| stage::stage(index + 1, node, context))
        .collect();
    let write_hint = "write write = { table = \"zone.table\" }, or [[step.write]] for each target";
    let write_node = fields.need("write", write_hint);
    let write_nodes = write_node.map_or(&[][..], Node::elements);
    if let Some(node) = write_node.filter(|node| node.elements().is_empty()) {
        fields.fault(&node.place, "a step needs a target", write_hint);
    }
    let schema_change = match fields.node("schema_change") {
        None => Some(Wanted::default()),
        Some(node) => schema_change::schema_change(node, context.sink),
    };
    let wanted = schema_change.clone().unwrap_or_default();
    let writes: Vec<_> = write_nodes
        .iter()
        .filter_map(|node| write::write(node, &wanted, context))
        .collect();

    let complete = stages.len() == stage_nodes.len() && writes.len() == write_nodes.len();
    let (name, read, _) = (name?, read?, schema_change?);
    (complete && !writes.is_empty()).then(|| Step {
        name: name.text.to_owned(),
        read,
        stages,
        writes,
        run: None,
        timeout,
        place: name.place.clone(),
    })
}

/// A name, with what `each` appends: a resolved file can be read again.
fn is_step_name(text: &str) -> bool {
    let suffix = |c: char| c.is_ascii_alphanumeric() || "-_.,".contains(c);
    match text.split_once('[') {
        None => literals::is_name(text),
        Some((name, tail)) => {
            literals::is_name(name)
                && tail
                    .strip_suffix(']')
                    .is_some_and(|tail| tail.chars().all(suffix))
        }
    }
}
