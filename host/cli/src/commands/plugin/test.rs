//! `weir plugin test`.

use std::path::Path;
use std::sync::Arc;

use weir_sandbox::{Plugin, World};
use weir_workbench::{Fixture, Heard, Outcome, Stopped, build, find, run as run_fixture};

use super::{component, inspect};
use crate::args::TestArgs;
use crate::commands::{print, sandbox};
use crate::failure::{Failure, code};

pub(crate) async fn run(args: &TestArgs) -> Result<u8, Failure> {
    let plugin = loaded(&args.folder, args.component.as_deref()).await?;
    let mut fixtures = found(&args.folder)?;
    for name in &args.only {
        if !fixtures.iter().any(|fixture| fixture.name == *name) {
            return Err(no_fixture(name, &fixtures));
        }
    }
    if !args.only.is_empty() {
        fixtures.retain(|fixture| args.only.contains(&fixture.name));
    }
    print(&format!("{}: {}\n", plugin.name(), plugin.world()))?;
    let width = fixtures.iter().map(|fixture| fixture.name.len()).max();
    let width = width.unwrap_or_default();
    let (mut failed, mut blessed) = (0, 0);
    for fixture in &fixtures {
        let heard = Arc::new(Heard::default());
        let ran = run_fixture(&plugin, fixture, &heard).await;
        let differences = fixture.compare(&ran);
        let said = heard.take();
        let name = format!("{:width$}", fixture.name);
        if args.bless && (fixture.is_new() || !differences.is_empty()) {
            // What depends on the borders of batches has no outcome that could be expected.
            if let Ok((_, Some(differs))) = &ran {
                failed += 1;
                print(&told(
                    &name,
                    &[format!(
                        "{differs}: it depends on where batches begin, and they begin anywhere"
                    )],
                    &said,
                ))?;
                continue;
            }
            fixture.bless(&ran)?;
            blessed += 1;
            print(&format!("  new   {name}  {}\n", counts(&plugin, &ran)))?;
            continue;
        }
        if fixture.is_new() {
            failed += 1;
            let nothing =
                "it does not say yet what is expected: look at what comes out with --bless";
            print(&told(&name, &[nothing.to_owned()], &said))?;
        } else if differences.is_empty() {
            print(&format!("  ok    {name}  {}\n", counts(&plugin, &ran)))?;
        } else {
            failed += 1;
            print(&told(&name, &differences, &said))?;
        }
    }
    let passed = fixtures
        .len()
        .saturating_sub(failed)
        .saturating_sub(blessed);
    let written = match blessed {
        0 => String::new(),
        blessed => format!(", {blessed} written"),
    };
    print(&format!("{passed} passed, {failed} failed{written}\n"))?;
    Ok(if failed == 0 { 0 } else { code::FAILED })
}

/// The plugin of a component's file, or of what building the folder gives.
pub(super) async fn loaded(folder: &Path, file: Option<&Path>) -> Result<Plugin, Failure> {
    let (name, bytes) = named(folder, file)?;
    Ok(sandbox()?.load(&name, bytes).await?)
}

/// The component of a file, or what building the folder gives, with the plugin's name.
pub(super) fn named(folder: &Path, file: Option<&Path>) -> Result<(String, Vec<u8>), Failure> {
    let (file, name) = match file {
        Some(file) => {
            let name = file.file_stem().unwrap_or_default();
            (file.to_owned(), name.to_string_lossy().into_owned())
        }
        None => {
            let built = build(folder)?;
            (built.component, built.name)
        }
    };
    let bytes = component(&file)?;
    inspect::refuse_revoked(&bytes)?;
    Ok((name, bytes))
}

pub(super) fn found(folder: &Path) -> Result<Vec<Fixture>, Failure> {
    let fixtures = find(folder)?;
    match fixtures.is_empty() {
        false => Ok(fixtures),
        true => Err(
            Failure::usage(format!("'{}' has no fixture", folder.join("tests").display()))
                .hint("write one, tests/NAME.toml, with an [input], and see what comes out: weir plugin test --bless"),
        ),
    }
}

pub(super) fn no_fixture(name: &str, fixtures: &[Fixture]) -> Failure {
    let names: Vec<&str> = fixtures
        .iter()
        .map(|fixture| fixture.name.as_str())
        .collect();
    Failure::usage(format!("there is no fixture '{name}'"))
        .hint(format!("the fixtures are {}", names.join(", ")))
}

fn told(name: &str, differences: &[String], said: &[String]) -> String {
    let mut text = format!("  FAIL  {name}\n");
    for line in differences.iter().flat_map(|difference| difference.lines()) {
        text.push_str(&format!("          {line}\n"));
    }
    if !said.is_empty() {
        text.push_str("        it said:\n");
    }
    for line in said {
        text.push_str(&format!("          {line}\n"));
    }
    text
}

fn counts(plugin: &Plugin, ran: &Result<(Outcome, Option<String>), Stopped>) -> String {
    match ran {
        Err(stopped) => format!("stops as expected: {}", stopped.error),
        Ok((outcome, _)) => {
            let rejected = outcome.rejected();
            match plugin.world() {
                World::Transform => format!(
                    "{} rows in, {} out, {rejected} rejected",
                    outcome.given,
                    outcome.kept()
                ),
                World::Check => format!("{} rows in, {rejected} fail", outcome.given),
                World::Decoder => format!(
                    "{} bytes in, {} rows out, {rejected} rejects",
                    outcome.given,
                    outcome.kept()
                ),
                World::Fold => format!("{} rows in, {} out", outcome.given, outcome.kept()),
                World::Source => format!("{} rows read, {rejected} rejects", outcome.kept()),
            }
        }
    }
}
