//! `cargo xtask demo`: from a fresh checkout to rows on the screen.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::bail;
use weir_generate::synpuf::{self, Dirt, Options, Table};

use crate::build;
use crate::stages::{Stages, exit_code, succeed};
use crate::workspace::Workspace;

const PIPELINE: &str = "pipelines/synpuf/pipeline.toml";

const COSTS_BY_YEAR: &str = "\
select year, count(*) as beneficiaries, sum(inpatient_claims + outpatient_claims) as claims, \
sum(drug_events) as drug_events, sum(total_cost) as total_cost \
from curated.beneficiary_costs group by year order by year";

const HIGHEST_COSTS: &str = "\
select desynpuf_id, year, inpatient_cost, outpatient_cost, drug_cost, total_cost \
from curated.beneficiary_costs order by total_cost desc, desynpuf_id, year limit 5";

const QUARANTINE: &str = "\
select _weir_rule as rule, count(*) as claims from cleansed.outpatient__quarantine \
group by _weir_rule order by _weir_rule";

/// The exit code of `weir` for a run that is done and left rows in quarantine.
const ROWS_IN_QUARANTINE: i32 = 3;

pub(crate) fn run(workspace: &Workspace, dir: Option<PathBuf>) -> anyhow::Result<()> {
    let dir = match dir {
        Some(dir) => std::path::absolute(dir)?,
        None => workspace.target().join("demo"),
    };
    let (landing, lake) = (dir.join("landing"), dir.join("lake"));
    let mut stages = Stages::new("demo", 7);

    stages.run("Add the wasm target to Rust, if it is missing", || {
        build::wasm_target(workspace)
    })?;
    stages.run("Build the plugins, as WebAssembly components", || {
        build::plugins(workspace)
    })?;
    stages.command(
        "Build weir; this compiles DataFusion, Delta Lake and wasmtime and is the longest stage",
        &mut workspace.cargo(["build", "--package", "weir"]),
    )?;
    stages.run(
        "Generate claims in the shape of CMS's DE-SynPUF, some of them faulty",
        || generate(&landing),
    )?;

    let weir = workspace.binary("weir");
    let weir = || {
        let mut command = workspace.command(&weir);
        // The demo's warehouse lies beside the lake.
        command.env_remove("WEIR_WAREHOUSE");
        command
    };
    stages.run("Run the pipeline: raw, cleansed and curated tables, and a SQLite warehouse", || {
        let mut landing_parameter = std::ffi::OsString::from("landing=");
        landing_parameter.push(&landing);
        let mut command = weir();
        command.arg("run").arg(PIPELINE).arg("--param").arg(landing_parameter);
        match exit_code(command.arg("--lake").arg(&lake))? {
            0 => {}
            ROWS_IN_QUARANTINE => eprintln!(
                "weir says 3: done, with rows in quarantine. So it should: the input has faults."
            ),
            code => bail!("weir run ended with exit code {code}"),
        }
        Ok(())
    })?;
    stages.run(
        "Ask the lake: what did the beneficiaries cost, and who cost the most?",
        || {
            query(&weir, &lake, COSTS_BY_YEAR)?;
            query(&weir, &lake, HIGHEST_COSTS)
        },
    )?;
    stages.run(
        "Ask the quarantine: which outpatient claims were rejected, and why?",
        || query(&weir, &lake, QUARANTINE),
    )?;
    stages.finish();

    let weir = short(workspace.root(), &workspace.binary("weir"));
    let lake = short(workspace.root(), &lake);
    let landing = short(workspace.root(), &landing);
    eprintln!(
        "\nTo try next, in {}:\n  \
         {weir} sql --lake {lake} \"select * from cleansed.outpatient limit 5\"\n  \
         {weir} plan {PIPELINE} --param landing={landing} --lake {lake}\n  \
         {weir} runs --lake {lake}",
        workspace.root().display()
    );
    Ok(())
}

fn generate(landing: &Path) -> anyhow::Result<()> {
    let options = Options {
        seed: 2008,
        dirt: Dirt::everywhere(0.002),
        ..Options::for_beneficiaries(2_000)
    };
    let manifest = synpuf::generate(landing, &options)?;
    for table in Table::ALL {
        eprintln!(
            "  {:>6} rows of {}, {} to be rejected",
            manifest.rows(table),
            table.name(),
            manifest.rejected(table)
        );
    }
    Ok(())
}

fn query(weir: &impl Fn() -> Command, lake: &Path, sql: &str) -> anyhow::Result<()> {
    eprintln!("\n  {sql}\n");
    succeed(weir().arg("sql").arg("--lake").arg(lake).arg(sql))
}

/// A path as it can be typed in `root`.
fn short(root: &Path, path: &Path) -> String {
    path.strip_prefix(root)
        .unwrap_or(path)
        .display()
        .to_string()
}
