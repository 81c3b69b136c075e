//! `weir trace`.

use weir_engine::trace::{self, Origin};

use crate::args::{Output, TraceArgs};
use crate::commands::quarantine::{open, table_name};
use crate::commands::{print, print_json};
use crate::failure::Failure;
use crate::table::thousands;

pub(crate) async fn run(args: &TraceArgs) -> Result<u8, Failure> {
    let (lake, applier) = open(&args.lake.lake).await?;
    let table = table_name(&args.table)?;
    let origins = trace::trace(&lake, &table, &args.key, &applier).await?;
    if args.output == Output::Json {
        print_json(&origins)?;
        return Ok(0);
    }
    if origins.is_empty() {
        let rejected = trace::in_quarantine(&lake, &table, &args.key, &applier).await?;
        let hint = match rejected {
            0 => format!("look for it with `weir sql \"select … from {table}\"`"),
            rows => format!(
                "{} rows with that key are in quarantine: weir quarantine show {table}",
                thousands(rows)
            ),
        };
        return Err(Failure::usage(format!("{table} has no such row")).hint(hint));
    }
    for origin in &origins {
        print(&text(origin))?;
    }
    Ok(0)
}

fn text(origin: &Origin) -> String {
    let mut text = format!(
        "{} rows, written by run {}\n",
        thousands(origin.rows),
        origin.run
    );
    let Some(record) = &origin.record else {
        text.push_str("  its record is not in the lake\n");
        return text;
    };
    let params: Vec<String> = record
        .params
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    text.push_str(&format!(
        "  pipeline  {}{}\n  run       {}, {}, weir {}\n",
        record.pipeline,
        match params.is_empty() {
            true => String::new(),
            false => format!(" ({})", params.join(", ")),
        },
        record.started_at,
        record.status,
        record.weir
    ));
    for step in &origin.steps {
        text.push_str(&format!(
            "  step      {}, decision {}, fingerprint {}\n",
            step.step,
            step.n,
            step.fingerprint.get(..12).unwrap_or(&step.fingerprint)
        ));
        for file in &step.files {
            text.push_str(&format!("    read    {file}\n"));
        }
        for (table, version) in &step.tables {
            text.push_str(&format!("    read    {table}, version {version}\n"));
        }
        let of_step = record.steps.iter().filter(|other| other.step == step.step);
        for plugin in of_step.flat_map(|step| &step.plugins) {
            text.push_str(&format!(
                "    plugin  {} (sha256 {}), {}\n",
                plugin.plugin, plugin.digest, plugin.stage
            ));
        }
    }
    text
}
