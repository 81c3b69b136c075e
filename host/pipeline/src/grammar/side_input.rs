//! `side_inputs`: small reference tables that a plugin is handed.

use crate::fault::Fault;
use crate::fields;
use crate::grammar::{Context, read};
use crate::literals;
use crate::model::{FailAction, FileFormat, FileRead, Read, ReadSource, SideInput};
use crate::tree::Node;

/// Reads the table `side_inputs`, whose values are reads.
pub(crate) fn side_inputs(node: &Node, context: &Context<'_>) -> Vec<SideInput> {
    let mut side_inputs = Vec::new();
    for (name, entry) in fields::named(node, "side_inputs", context.sink) {
        if !literals::is_identifier(name) {
            context.sink.push(
                Fault::new(format!("a side input cannot be named '{name}'"))
                    .at(&entry.key)
                    .hint("use lower-case letters, digits and _, a letter first"),
            );
        }
        let Some(read) = read::read(&entry.node, context) else {
            continue;
        };
        if let Some((what, hint)) = refused(&read) {
            let fault = Fault::new(what).at(&entry.node.place);
            context.sink.push(fault.hint(hint));
        }
        side_inputs.push(SideInput {
            name: name.to_owned(),
            read,
        });
    }
    side_inputs
}

/// Why a read cannot be one of a side input: it is read whole, by every run, and has no quarantine.
fn refused(read: &Read) -> Option<(&'static str, &'static str)> {
    let whole = (
        "a side input is read whole, by every run",
        "leave out `incremental`, `as_of`, `max_files` and `max_bytes`",
    );
    if read.incremental.is_some() || read.own.is_some() {
        return Some(whole);
    }
    let ReadSource::Files(files) = &read.source else {
        return None;
    };
    let FileRead {
        format,
        max_files,
        max_bytes,
        on_fail,
        items,
        ..
    } = files;
    if max_files.is_some() || max_bytes.is_some() {
        return Some(whole);
    }
    if items.is_some() || matches!(format, FileFormat::Decoder(_) | FileFormat::Source(_)) {
        return Some((
            "a side input is a table, a query or plain files",
            "load it with a step of its own, and name the table that the step writes",
        ));
    }
    (on_fail.action != FailAction::Fail).then_some((
        "a side input has no quarantine: a record of it that cannot be read ends the step",
        "leave out `on_fail`; or load it with a step of its own, and name the table that the step writes",
    ))
}
