//! `weir diff`.

use std::fmt::Write as _;
use std::path::Path;

use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use weir_engine::compare::report::{
    Both, Cell, Comparison, Component, Cost, OutputComparison, Row, Rows, RuleChange, Shown,
    StepComparison,
};
use weir_engine::compare::{Request, Side, Stopped, compare};
use weir_engine::plan::Planner;

use crate::args::{DiffArgs, Output};
use crate::commands::{print, print_json, resources, run, sandbox};
use crate::failure::{Failure, code};
use crate::table::{one_line, thousands};

/// The most characters of a value that are shown; JSON has all.
const WIDEST: usize = 60;

pub(crate) async fn run(args: &DiffArgs) -> Result<u8, Failure> {
    let pipeline = args.pipeline.resolve()?;
    let sandbox = sandbox()?;
    let planner = Planner {
        sandbox: &sandbox,
        components: args.components.settings(),
        stores: None,
        lake: args.lake.as_deref(),
        isolate: false,
        full_refresh: false,
        replay: false,
        aside: None,
        resources: resources()?,
    };
    let (plugin, component) = &args.plugin;
    // Paths of the pipeline file begin at its folder, those of the command line where it is typed.
    let component = std::path::absolute(Path::new(component)).map_err(|error| {
        Failure::usage(format!("'{component}' is no path: {error}"))
            .hint("write --plugin NAME=NEW.wasm")
    })?;
    let folder = tempfile::tempdir().map_err(|error| {
        Failure::new(format!("cannot make a temporary folder: {error}"))
            .hint("set TMPDIR to a folder that you may write to")
    })?;
    let stop = CancellationToken::new();
    let signals = tokio::spawn(run::stop_on_signal(stop.clone()));
    let request = Request {
        plugin,
        component: &component,
        steps: &args.steps,
        limit: args.limit,
        key: &args.key,
        show: args.show,
        folder: &folder.path().display().to_string(),
        stop,
    };
    let compared = compare(&planner, pipeline, &request).await;
    signals.abort();
    let compared = compared.map_err(|stopped| told(stopped, plugin))?;
    match args.output {
        Output::Text => print(&text(&compared))?,
        Output::Json => print_json(&as_json(&compared))?,
    }
    Ok(match compared.differs() {
        true => code::DIFFERS,
        false => 0,
    })
}

/// Says with which component it happened, before what happened.
fn told(stopped: Stopped, plugin: &str) -> Failure {
    match stopped.side {
        Some(Side::Old) => eprintln!("with plugin '{plugin}' as the pipeline has it:"),
        Some(Side::New) => eprintln!("with the other component of plugin '{plugin}':"),
        None => {}
    }
    stopped.error.into()
}

fn as_json(compared: &Comparison) -> Value {
    let mut all = json!(compared);
    if let Some(all) = all.as_object_mut() {
        all.insert("differs".to_owned(), compared.differs().into());
        let imports: Vec<&str> = compared.new_imports().collect();
        all.insert("new_imports".to_owned(), imports.into());
    }
    all
}

fn text(compared: &Comparison) -> String {
    let mut text = format!("plugin {}\n", compared.plugin);
    let Both { old, new } = &compared.component;
    component(&mut text, "old", old);
    component(&mut text, "new", new);
    if old.sha256 == new.sha256 {
        text.push_str(
            "  both are the same component: keep the old one before you build the new one\n",
        );
    }
    for import in compared.new_imports() {
        let _ = writeln!(text, "  the new one imports {import}, the old one does not");
    }
    for import in gone(&new.imports, &old.imports) {
        let _ = writeln!(text, "  the new one imports {import} no longer");
    }
    for rule in gone(&old.rules, &new.rules) {
        let _ = writeln!(text, "  the new one has the rule '{rule}'");
    }
    for rule in gone(&new.rules, &old.rules) {
        let _ = writeln!(text, "  the new one has the rule '{rule}' no longer");
    }
    for step in &compared.steps {
        self::step(&mut text, step, compared.limit);
    }
    text.push_str(match compared.differs() {
        true => "\nthere are differences\n",
        false => "\nnothing differs\n",
    });
    text
}

fn component(text: &mut String, which: &str, component: &Component) {
    let digest: String = component.sha256.chars().take(12).collect();
    let _ = writeln!(
        text,
        "  {which}  version {}, sha256 {digest}…, {}",
        component.version, component.source
    );
}

/// What is in `these` and not among `others`.
fn gone<'a>(others: &'a [String], these: &'a [String]) -> impl Iterator<Item = &'a String> {
    these.iter().filter(|name| !others.contains(name))
}

fn step(text: &mut String, step: &StepComparison, limit: Option<u64>) {
    let Both { old, new } = &step.counts;
    let first = match limit.is_some_and(|limit| old.read >= limit) {
        true => "the first ",
        false => "",
    };
    let _ = writeln!(
        text,
        "\nstep {}: {first}{} read",
        step.step,
        counted(old.read)
    );
    if let Some(why) = &step.fails.new
        && step.outputs.is_empty()
    {
        let _ = writeln!(text, "  with the new one the step fails: {why}");
        return;
    }
    let counts = [
        ("read", old.read, new.read),
        ("accepted", old.accepted, new.accepted),
        ("quarantined", old.quarantined, new.quarantined),
        ("dropped", old.dropped, new.dropped),
    ];
    for (what, old, new) in counts {
        if old != new {
            let (old, new) = (thousands(old), thousands(new));
            let _ = writeln!(text, "  {what}: {old} → {new} rows");
        }
    }
    for (which, why) in [("old", &step.fails.old), ("new", &step.fails.new)] {
        if let Some(why) = why {
            let _ = writeln!(text, "  a run with the {which} one would fail: {why}");
        }
    }
    for output in &step.outputs {
        self::output(text, output);
    }
    for RuleChange {
        stage,
        rule,
        warned,
        rows: Both { old, new },
    } in &step.rules
    {
        let what = match warned {
            true => "warned of",
            false => "rejected",
        };
        let (old, new) = (thousands(*old), thousands(*new));
        let _ = writeln!(text, "  rule {rule} of {stage}: {old} → {new} rows {what}");
    }
    if let Some(rejected) = &step.quarantine
        && rejected.differ()
    {
        text.push_str("  quarantine\n");
        rows(text, rejected);
    }
    for cost in &step.cost {
        self::cost(
            text,
            cost,
            Both {
                old: old.read,
                new: new.read,
            },
        );
    }
}

fn output(text: &mut String, output: &OutputComparison) {
    if !output.differs() {
        let _ = writeln!(text, "  {}: the same columns and rows", output.target);
        return;
    }
    let _ = writeln!(text, "  {}", output.target);
    for change in &output.schema {
        let column = &change.column;
        let _ = match (&change.types.old, &change.types.new) {
            (None, Some(new)) => writeln!(text, "    column {column} {new} is new"),
            (Some(old), None) => writeln!(text, "    column {column} {old} is gone"),
            (old, new) => {
                let (old, new) = (or_nothing(old), or_nothing(new));
                writeln!(text, "    column {column} is {new}, was {old}")
            }
        };
    }
    if output.columns.is_empty() {
        text.push_str("    no column is on both sides in one type: no rows are compared\n");
        return;
    }
    if !output.schema.is_empty() {
        let same = match output.rows.differ() {
            true => "rows by the other columns:",
            false => "rows are the same in the other columns",
        };
        let _ = writeln!(text, "    {same}");
    }
    if output.rows.differ() {
        rows(text, &output.rows);
    }
}

fn or_nothing(text: &Option<String>) -> &str {
    text.as_deref().unwrap_or_default()
}

fn rows(text: &mut String, rows: &Rows) {
    if rows.changed > 0 {
        let columns = rows.changed_columns.iter();
        let columns: Vec<String> = columns
            .map(|(column, rows)| format!("{column} in {}", thousands(*rows)))
            .collect();
        let _ = writeln!(
            text,
            "    {} of one key differ: {}",
            counted(rows.changed),
            columns.join(", ")
        );
    }
    for row in &rows.changed_examples {
        let values = row.values.iter().map(|cell| {
            let Both { old, new } = &cell.values;
            match (old, new) {
                (Shown::Withheld { .. }, _) | (_, Shown::Withheld { .. }) => {
                    format!("{} differs", cell.column)
                }
                (old, new) => format!("{}: {} → {}", cell.column, value(old), value(new)),
            }
        });
        let values: Vec<String> = values.collect();
        let _ = writeln!(text, "      {}: {}", cells(&row.key), values.join(", "));
    }
    for (which, count, examples) in [
        ("old", rows.only_old, &rows.old_examples),
        ("new", rows.only_new, &rows.new_examples),
    ] {
        if count == 0 {
            continue;
        }
        let _ = writeln!(text, "    {} only in the {which} one", counted(count));
        for Row { times, values } in examples {
            let times = match times {
                1 => String::new(),
                times => format!("{} times ", thousands(*times)),
            };
            let _ = writeln!(text, "      {times}{}", cells(values));
        }
    }
}

fn cells(cells: &[Cell]) -> String {
    let cells = cells
        .iter()
        .map(|cell| format!("{}={}", cell.column, value(&cell.value)));
    cells.collect::<Vec<_>>().join(", ")
}

/// So many rows, in words.
fn counted(rows: u64) -> String {
    match rows {
        1 => "1 row".to_owned(),
        rows => format!("{} rows", thousands(rows)),
    }
}

/// A value in one line, cut where it is long.
fn value(value: &Shown) -> String {
    match value {
        Shown::Null => "null".to_owned(),
        Shown::Withheld { .. } => "(sensitive)".to_owned(),
        Shown::Text(text) => one_line(text, WIDEST),
    }
}

fn cost(text: &mut String, cost: &Cost, read: Both<u64>) {
    let Both { old, new } = cost.used;
    let each = |nanoseconds: u64, rows: u64| nanoseconds as f64 / rows.max(1) as f64;
    let (old_ns, new_ns) = (each(old.guest_ns, read.old), each(new.guest_ns, read.new));
    let mib = |bytes: u64| bytes as f64 / f64::from(1 << 20);
    let _ = writeln!(
        text,
        "  cost of {}: {old_ns:.0} → {new_ns:.0} ns a row{}, {:.1} → {:.1} MiB of memory{}",
        cost.stage,
        ratio(old_ns, new_ns),
        mib(old.peak_memory),
        mib(new.peak_memory),
        ratio(mib(old.peak_memory), mib(new.peak_memory)),
    );
}

fn ratio(old: f64, new: f64) -> String {
    match old > 0.0 {
        true => format!(" ({:.2}×)", new / old),
        false => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_stay_in_their_line() {
        let text = |text: &str| value(&Shown::Text(text.to_owned()));
        assert_eq!(text("a\nb\u{1b}[31m"), "a\\nb\\u{1b}[31m");
        assert_eq!(text(&"é".repeat(70)), format!("{}…", "é".repeat(60)));
        assert_eq!(value(&Shown::Null), "null");
    }

    #[test]
    fn nothing_is_compared_with_nothing() {
        assert_eq!(ratio(0.0, 5.0), "");
        assert_eq!(ratio(2.0, 5.0), " (2.50×)");
    }
}
