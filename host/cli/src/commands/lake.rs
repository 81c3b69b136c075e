//! `weir lake`: history, optimize, vacuum, restore, check.

use weir_engine::lake::Lake;
use weir_engine::store::Stores;
use weir_engine::upkeep::check::{self, Checked, Finding, Verdict};
use weir_engine::upkeep::history::{self, Maker};
use weir_engine::upkeep::optimize;
use weir_engine::upkeep::restore::{self, Goal, Restored};
use weir_engine::upkeep::vacuum::{self, VacuumOptions, Vacuumed};

use crate::args::{
    CheckArgs, HistoryArgs, LakeCommand, OptimizeArgs, Output, PipelineArgs, RestoreArgs,
    VacuumArgs, ZonesArgs,
};
use crate::commands::{print, print_json, resources};
use crate::failure::{Failure, code};
use crate::table::{Table, thousands};

/// A text for people names no more files than this of a finding; JSON has all.
const MOST_FILES: usize = 5;

pub(crate) async fn run(command: &LakeCommand) -> Result<u8, Failure> {
    match command {
        LakeCommand::History(args) => history(args).await,
        LakeCommand::Optimize(args) => optimize(args).await,
        LakeCommand::Vacuum(args) => vacuum(args).await,
        LakeCommand::Restore(args) => restore(args).await,
        LakeCommand::Check(args) => check(args).await,
    }
}

impl ZonesArgs {
    async fn open(&self) -> Result<Lake, Failure> {
        let Some(file) = &self.pipeline else {
            let url = match &self.lake {
                Some(url) => url.clone(),
                None => std::env::var("WEIR_LAKE")
                    .ok()
                    .filter(|url| !url.is_empty())
                    .unwrap_or_else(|| "./lake".to_owned()),
            };
            let lake = Lake::at(&url, &Stores::default()).await?;
            // Of nothing all would be well.
            if lake.root().local().is_some_and(|folder| !folder.exists()) {
                return Err(Failure::usage(format!(
                    "there is no lake '{}'",
                    lake.root().display()
                ))
                .hint("check --lake; a lake is made by the first run of a pipeline"));
            }
            return Ok(lake);
        };
        let pipeline = PipelineArgs {
            pipeline: file.clone(),
            params: self.params.clone(),
            profile: self.profile.clone(),
        }
        .resolve()?;
        let stores = Stores::of(&pipeline)?;
        let lake = Lake::of(&pipeline, None, false, &stores)?;
        lake.check_format().await?;
        Ok(lake)
    }

    /// What to type for the same lake in another command.
    fn again(&self) -> String {
        let mut text = String::new();
        if let Some(lake) = &self.lake {
            text.push_str(&format!(" --lake {lake}"));
        }
        if let Some(file) = &self.pipeline {
            text.push_str(&format!(" --pipeline {}", file.display()));
        }
        for (name, value) in &self.params {
            text.push_str(&format!(" --param {name}={value}"));
        }
        if let Some(profile) = &self.profile {
            text.push_str(&format!(" --profile {profile}"));
        }
        text
    }
}

async fn history(args: &HistoryArgs) -> Result<u8, Failure> {
    let lake = args.zones.open().await?;
    let versions = history::history(&lake, &args.table, args.last).await?;
    if args.output == Output::Json {
        print_json(&versions)?;
        return Ok(0);
    }
    let mut table = Table::new(
        &[
            "VERSION",
            "AT",
            "OPERATION",
            "BY",
            "RUN",
            "FILES",
            "",
            "ROWS",
            "",
        ],
        &[0, 5, 6, 7, 8],
    );
    let counted = |sign: char, count: Option<u64>| match count {
        Some(0) => String::new(),
        Some(count) => format!("{sign}{}", thousands(count)),
        None => format!("{sign}?"),
    };
    for version in versions {
        let (by, run) = match version.made_by {
            Maker::Step {
                run,
                pipeline,
                step,
                n,
            } => (format!("{pipeline}/{step} {n}"), run),
            Maker::UnknownStep { application, n } => (format!("{application} {n}"), String::new()),
            Maker::Upkeep { command } => (format!("weir lake {command}"), String::new()),
            Maker::Other { engine } => (engine.unwrap_or_default(), String::new()),
        };
        table.row(vec![
            version.version.to_string(),
            version.at,
            version.operation.unwrap_or_default(),
            by,
            run,
            counted('+', Some(version.files_added)),
            counted('-', Some(version.files_removed)),
            counted('+', version.rows_added),
            counted('-', version.rows_removed),
        ]);
    }
    print(&table.render(0))?;
    Ok(0)
}

async fn optimize(args: &OptimizeArgs) -> Result<u8, Failure> {
    let lake = args.zones.open().await?;
    let all = optimize::optimize(
        &lake,
        &args.tables,
        args.target_size,
        resources()?,
        |table| tracing::info!(table = %table.table, version = table.version, "optimized"),
    )
    .await?;
    let left_alone = all.iter().any(|table| table.left_alone.is_some());
    let exit = if left_alone { code::WARNED } else { 0 };
    if args.output == Output::Json {
        print_json(&all)?;
        return Ok(exit);
    }
    let mut text = Table::new(
        &[
            "TABLE", "VERSION", "FILES", "BECAME", "BYTES", "BECAME", "ROWS",
        ],
        &[1, 2, 3, 4, 5, 6],
    );
    for table in &all {
        text.row(vec![
            table.table.clone(),
            table.version.map(|v| v.to_string()).unwrap_or_default(),
            thousands(table.files_removed),
            thousands(table.files_added),
            bytes(table.bytes_removed),
            bytes(table.bytes_added),
            thousands(table.rows),
        ]);
    }
    print(&text.render(0))?;
    for table in &all {
        if let Some(why) = &table.left_alone {
            eprintln!("{} was left alone: {why}", table.table);
        }
        if table.files_lost > 0 {
            eprintln!(
                "{}: another writer took away {} meanwhile, which stays so",
                table.table,
                files(table.files_lost)
            );
        }
    }
    if all.iter().any(|table| table.version.is_some()) {
        eprintln!("the old files stay until `weir lake vacuum` removes them");
    }
    Ok(exit)
}

async fn vacuum(args: &VacuumArgs) -> Result<u8, Failure> {
    let lake = args.zones.open().await?;
    let options = VacuumOptions {
        tables: args.tables.clone(),
        retention: args.retention,
        now: chrono::Utc::now(),
        dry_run: args.dry_run,
        force: args.force,
    };
    let outcome = vacuum::vacuum(&lake, &options).await?;
    let left_alone = outcome
        .tables
        .iter()
        .any(|table| !table.left_alone.is_empty());
    match args.output {
        Output::Json => print_json(&outcome)?,
        Output::Text => vacuumed(&outcome)?,
    }
    Ok(if left_alone { code::WARNED } else { 0 })
}

fn vacuumed(outcome: &Vacuumed) -> Result<(), Failure> {
    let mut text = Table::new(
        &["TABLE", "FILES", "BYTES", "LOG FILES", "KEPT FOR DECISIONS"],
        &[1, 2, 3, 4],
    );
    for table in &outcome.tables {
        text.row(vec![
            table.table.clone(),
            thousands(table.data.files.len() as u64),
            bytes(table.data.bytes),
            thousands(table.log.files.len() as u64),
            thousands(table.kept_for_decisions),
        ]);
    }
    print(&text.render(0))?;
    for (removed, what) in [
        (&outcome.staged, "staged for runs that are over"),
        (&outcome.torn, "of writes that were cut off"),
    ] {
        if !removed.files.is_empty() {
            let count = files(removed.files.len() as u64);
            print(&format!("{count} {what}, {}\n", bytes(removed.bytes)))?;
        }
    }
    for table in &outcome.tables {
        for why in &table.left_alone {
            eprintln!("{} was left alone: {why}", table.table);
        }
    }
    let older = &outcome.older_than;
    match outcome.dry_run {
        true => {
            eprintln!("nothing was removed: these are older than {older}; --output json lists them")
        }
        false => eprintln!("removed what was older than {older}"),
    }
    Ok(())
}

async fn restore(args: &RestoreArgs) -> Result<u8, Failure> {
    let lake = args.zones.open().await?;
    let goal = match (args.version, args.time) {
        (Some(version), _) => Goal::Version(version),
        (None, Some(time)) => Goal::Time(time),
        (None, None) => {
            return Err(Failure::usage("neither --version nor --time is given")
                .hint("`weir lake history` lists the versions"));
        }
    };
    let restored = restore::restore(&lake, &args.table, goal).await?;
    match args.output {
        Output::Json => print_json(&restored)?,
        Output::Text => print(&restored_text(&restored, &args.zones.again()))?,
    }
    Ok(0)
}

fn restored_text(restored: &Restored, lake: &str) -> String {
    let table = &restored.table;
    let Some(version) = restored.version else {
        return format!(
            "{table} is what it was in version {}: nothing was to be done\n",
            restored.restored
        );
    };
    let rows = |rows: Option<u64>| match rows {
        Some(rows) => thousands(rows),
        None => "an unknown number of".to_owned(),
    };
    let mut text = format!(
        "{table} is what it was in version {}, as version {version}\n\
         \x20 in again: {}, {} rows\n\
         \x20 taken out: {}, {} rows\n\
         \n\
         to undo this: weir lake restore {table} --version {}{lake}\n",
        restored.restored,
        files(restored.files_added),
        rows(restored.rows_added),
        files(restored.files_removed),
        rows(restored.rows_removed),
        restored.before,
    );
    if !restored.steps.is_empty() {
        text.push_str(&format!(
            "\nundone is what these steps wrote: {}\n\
             What a step has read counts as read. One that appends does not add these rows again; to\n\
             have it do so, give its files another name, or touch them on a local disk, and run the\n\
             pipeline: its other tables then get them again, too. One that replaces writes the table\n\
             anew when it runs the next time.\n",
            restored.steps.join(", ")
        ));
    }
    if !table.ends_with("__quarantine") {
        text.push_str(&format!(
            "\n{table}__quarantine, if there is one, is a table of its own and stays as it is.\n"
        ));
    }
    text
}

async fn check(args: &CheckArgs) -> Result<u8, Failure> {
    let lake = args.zones.open().await?;
    let checked = check::check(&lake, &args.tables, args.deep).await?;
    match args.output {
        Output::Json => print_json(&checked)?,
        Output::Text => print(&checked_text(&checked))?,
    }
    Ok(match checked.verdict {
        Verdict::Well => 0,
        Verdict::Look => code::WARNED,
        Verdict::Damaged => code::FAILED,
    })
}

fn checked_text(checked: &Checked) -> String {
    let mut table = Table::new(
        &["TABLE", "VERSION", "FILES", "BYTES", "ROWS", ""],
        &[1, 2, 3, 4],
    );
    for one in &checked.tables {
        let worst = one.findings.iter().map(|finding| finding.verdict).max();
        table.row(vec![
            one.table.clone(),
            one.version.map(|v| v.to_string()).unwrap_or_default(),
            thousands(one.files),
            bytes(one.bytes),
            one.rows.map(thousands).unwrap_or_default(),
            word(worst.unwrap_or(Verdict::Well)).to_owned(),
        ]);
    }
    let mut text = table.render(0);
    for one in &checked.tables {
        for finding in &one.findings {
            say(finding, &format!("{}: ", one.table), &mut text);
        }
    }
    for finding in &checked.decisions {
        say(finding, "", &mut text);
    }
    text.push_str(match checked.verdict {
        Verdict::Well => "\nall is well\n",
        Verdict::Look => "\nnothing is lost\n",
        Verdict::Damaged => "\nsomething is damaged\n",
    });
    text
}

fn word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Well => "well",
        Verdict::Look => "look",
        Verdict::Damaged => "damaged",
    }
}

fn say(finding: &Finding, of: &str, text: &mut String) {
    text.push_str(&format!(
        "\n{}: {of}{}\n",
        match finding.verdict {
            Verdict::Well => "note",
            other => word(other),
        },
        finding.text
    ));
    for file in finding.files.iter().take(MOST_FILES) {
        text.push_str(&format!("  {file}\n"));
    }
    if let Some(more) = finding.files.len().checked_sub(MOST_FILES)
        && more > 0
    {
        text.push_str(&format!(
            "  and {} more; --output json lists them\n",
            thousands(more as u64)
        ));
    }
}

fn files(count: u64) -> String {
    match count {
        1 => "1 file".to_owned(),
        _ => format!("{} files", thousands(count)),
    }
}

/// Bytes as people read them.
fn bytes(count: u64) -> String {
    let units = [("GiB", 30), ("MiB", 20), ("KiB", 10)];
    for (unit, shift) in units {
        if count >> shift > 0 {
            return format!("{:.1} {unit}", count as f64 / (1_u64 << shift) as f64);
        }
    }
    format!("{count} B")
}

#[cfg(test)]
mod tests {
    #[test]
    fn bytes_have_a_unit() {
        for (count, text) in [
            (0, "0 B"),
            (1023, "1023 B"),
            (1024, "1.0 KiB"),
            (1_572_864, "1.5 MiB"),
            (3 << 30, "3.0 GiB"),
        ] {
            assert_eq!(super::bytes(count), text);
        }
    }
}
