//! `weir plan --terms`: the terms of each plugin, a page each, for whoever has to answer for the data.

use weir_engine::plan::{Plan, PlannedStep};
use weir_engine::segment::{PluginCall, PluginRole, StageFate};
use weir_engine::terms::{TermsRecord, digest};
use weir_engine::types::type_text;
use weir_pipeline::{FailAction, ReadSource};

/// Width of a page.
const WIDTH: usize = 100;
/// Where what is said of a heading begins.
const INDENT: usize = 14;

/// One page for each plugin of each step.
pub(crate) fn pages(plan: &Plan) -> String {
    let mut pages = Vec::new();
    for step in &plan.steps {
        for (fate, call) in step.plugins() {
            pages.push(page(plan, step, &fate, call));
        }
    }
    if pages.is_empty() {
        return "no step of this pipeline has a plugin\n".to_owned();
    }
    pages.join("\n")
}

fn page(plan: &Plan, step: &PlannedStep, fate: &StageFate, call: &PluginCall) -> String {
    let terms = TermsRecord::of(call);
    let is_decoder = matches!(call.role, PluginRole::Decoder { .. });
    let is_source = matches!(call.role, PluginRole::Source { .. });
    let place = match is_decoder || is_source {
        true => "read".to_owned(),
        false => format!("stage {}", fate.stage + 1),
    };
    let mut page = Page::new(&format!(
        "TERMS of plugin '{}' in pipeline '{}', step '{}', {place}",
        call.plugin.name(),
        plan.pipeline.name,
        step.step.name,
    ));
    component(&mut page, plan, call);
    page.blank();
    if let (true, ReadSource::Files(files)) = (is_decoder, &step.step.read.source) {
        let given = format!(
            "the bytes of the files {}, decompressed, and not their names",
            files.glob
        );
        page.line("is given", &given);
    } else if is_source {
        page.line(
            "is given",
            "nothing of the pipeline's data; what it read last of each shard, as far as it said so itself",
        );
    } else {
        page.line("is given", &typed_columns(call));
        page.line(
            "not given",
            &or_nothing(terms.withheld.join(", "), "nothing: it sees all columns"),
        );
    }
    for (index, side_input) in terms.side_inputs.iter().enumerate() {
        let what = if index == 0 { "is handed" } else { "" };
        page.line(what, &format!("all rows of {side_input}"));
    }
    page.line("powers", &powers(&terms));
    page.line("limits", &limits(&terms));
    page.line(
        "memory of it",
        match terms.isolation.as_str() {
            _ if is_source => {
                "a fresh instance for each shard: from run to run nothing is carried but its state, which lies in the lake in plain text"
            }
            _ if is_decoder => {
                "a fresh instance for each file: nothing is carried from one to the next"
            }
            _ if matches!(call.role, PluginRole::Fold { .. }) => {
                "its state, made of all rows: what it emits at the end may hold any value that it was given"
            }
            "batch" => "a fresh instance for each batch: nothing is carried from one to the next",
            _ => "one instance for each partition: it may carry values from batch to batch",
        },
    );
    page.blank();
    gives(&mut page, &terms, call);
    page.line("rows", rows(&terms, call));
    page.line("rules", &rules(call));
    page.line(
        "rejects",
        &match (fate.action, &step.quarantine) {
            (FailAction::Quarantine, Some(quarantine)) if is_source => {
                format!("records that it rejects go to {}", quarantine.name)
            }
            (FailAction::Quarantine, Some(quarantine)) if is_decoder => {
                format!("parts of files that it rejects go to {}", quarantine.name)
            }
            (FailAction::Quarantine, Some(quarantine)) => {
                format!("rows it rejects go whole to {}", quarantine.name)
            }
            (FailAction::Drop, _) => "rows it rejects are counted and left out".to_owned(),
            (FailAction::Warn, _) => "rows it fails are counted and stay".to_owned(),
            (FailAction::Fail | FailAction::Quarantine, _) => {
                "a row it rejects fails the step".to_owned()
            }
        },
    );
    page.line(
        "its words",
        match terms.text.as_str() {
            "guest-log" => {
                "kept: messages, logs and panics of a run go to its guest log and nowhere else (while it is planned, when no row is near, they are open)"
            }
            _ => {
                "open: messages go to quarantine and errors, logs to Weir's log; they may hold data"
            }
        },
    );
    page.blank();
    // Where its rejected rows go is said above.
    let targets: Vec<String> = step
        .writes
        .iter()
        .map(|write| write.target.display())
        .collect();
    page.line("written to", &targets.join(", "));
    page.line("terms", &digest(step, fate, call));
    page.blank();
    page.text
        .push_str("signed for ______________________________   date ____________________\n");
    page.text
}

fn component(page: &mut Page, plan: &Plan, call: &PluginCall) {
    let said = plan
        .plugins
        .get(call.plugin.name())
        .map(|loaded| &loaded.info);
    page.line("component", &format!("sha256 {}", call.plugin.digest()));
    let from = &call.provenance;
    let signed = match &from.signer {
        Some(key) => format!("signed with the key '{key}'"),
        None => "signed by nobody".to_owned(),
    };
    let locked = if from.locked { "pinned" } else { "not pinned" };
    let from = format!("{}, {signed}, {locked} by weir.lock", from.source);
    page.line("comes from", &from);
    if let Some(info) = said {
        let what = format!("{} {}: {}", info.name, info.version, info.description);
        page.line("says it is", &what);
    }
    let (own, inert): (Vec<&String>, Vec<&String>) = call
        .plugin
        .imports()
        .iter()
        .partition(|import| import.starts_with("weir:") || import.starts_with("wasi:http/"));
    let own: Vec<&str> = own.into_iter().map(String::as_str).collect();
    page.line(
        "imports",
        &format!(
            "{}; {} interfaces of WASI that give it nothing",
            own.join(", "),
            inert.len()
        ),
    );
    page.line("is told", &call.bind.config.to_string());
}

/// The columns given, with their types.
fn typed_columns(call: &PluginCall) -> String {
    let columns: Vec<String> = call
        .bind
        .input
        .fields()
        .iter()
        .map(|field| format!("{} {}", field.name(), type_text(field.data_type())))
        .collect();
    columns.join(", ")
}

fn powers(terms: &TermsRecord) -> String {
    let mut given = Vec::new();
    if !terms.secrets.is_empty() {
        given.push(format!("the secrets {}", terms.secrets.join(", ")));
    }
    for place in &terms.http {
        given.push(format!("requests: {place}"));
    }
    if terms.clock {
        given.push("the real time".to_owned());
    }
    if terms.random {
        given.push("real random numbers: two runs may differ".to_owned());
    }
    or_nothing(
        given.join("; "),
        "none: no file, no network, no environment, no clock, no randomness, no secret",
    )
}

fn limits(terms: &TermsRecord) -> String {
    let rows = match terms.rows_out_floor {
        0 if terms.rows_out == 1 => "1 row out for each row in".to_owned(),
        0 => format!("{} rows out for each row in", terms.rows_out),
        floor => format!(
            "{} rows out for each row in, and {floor} more",
            terms.rows_out
        ),
    };
    format!(
        "{} KiB of memory, {} ms a call, {rows}, {} KiB of log",
        terms.memory >> 10,
        terms.deadline_ms,
        terms.log_bytes >> 10
    )
}

fn gives(page: &mut Page, terms: &TermsRecord, call: &PluginCall) {
    let emitted = match &call.role {
        PluginRole::Transform { emitted, .. } => emitted.as_slice(),
        PluginRole::Decoder { schema } | PluginRole::Fold { schema } => {
            std::slice::from_ref(schema)
        }
        PluginRole::Source { stream } => std::slice::from_ref(&stream.schema),
        PluginRole::Check => {
            page.line("gives back", "nothing: it judges rows and changes none");
            return;
        }
    };
    if let Some(adds) = &terms.adds {
        page.line("adds", &adds.join(", "));
        page.line("changes", "nothing: all other columns stay as they were");
        return;
    }
    for schema in emitted {
        let columns: Vec<String> = schema
            .fields()
            .iter()
            .map(|field| format!("{} {}", field.name(), type_text(field.data_type())))
            .collect();
        page.line("gives back", &columns.join(", "));
    }
    page.line(
        "not pinned",
        "these columns are of its own making, also where they bear the name of one it was given",
    );
}

fn rows(terms: &TermsRecord, call: &PluginCall) -> &'static str {
    match (&call.role, terms.rows.as_str()) {
        (PluginRole::Check, _) => "none",
        (PluginRole::Decoder { .. }, _) => "any number for each file",
        (PluginRole::Source { .. } | PluginRole::Fold { .. }, _) => "any number",
        (_, "one-to-one") => "one for each row it is given, in order, or a rejection",
        (_, "at-most-one") => "at most one for each row it is given, in order",
        _ => "any number for each row it is given; each is traced to the row it came from",
    }
}

fn rules(call: &PluginCall) -> String {
    let rules = call.terms.contract.rules.iter().flatten();
    let rules: Vec<String> = rules
        .map(|(rule, demand)| format!("{rule} ({})", demand.trim_end_matches('.')))
        .collect();
    or_nothing(rules.join("; "), "none: it may reject no row")
}

fn or_nothing(text: String, nothing: &str) -> String {
    if text.is_empty() {
        nothing.to_owned()
    } else {
        text
    }
}

/// Text in lines of a width, under headings at the left.
struct Page {
    text: String,
}

impl Page {
    fn new(title: &str) -> Page {
        Page {
            text: format!("{title}\n\n"),
        }
    }

    fn blank(&mut self) {
        self.text.push('\n');
    }

    fn line(&mut self, heading: &str, said: &str) {
        let mut line = format!("{heading:<INDENT$}");
        for word in said.split(' ') {
            let full = line.chars().count() + word.chars().count() > WIDTH;
            if full && line.chars().count() > INDENT {
                self.text.push_str(line.trim_end());
                self.text.push('\n');
                line = " ".repeat(INDENT);
            }
            line.push_str(word);
            line.push(' ');
        }
        self.text.push_str(line.trim_end());
        self.text.push('\n');
    }
}
