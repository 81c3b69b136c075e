//! `weir plugin inspect`.

use std::path::Path;

use serde_json::json;
use weir_components::revoked::RevocationList;
use weir_components::signature::Signature;
use weir_components::{Settings, sha256};
use weir_sandbox::Limits;

use super::{component, signature_of, text};
use crate::args::{InspectArgs, Output};
use crate::commands::{print, print_json, sandbox};
use crate::failure::Failure;
use crate::table::{Table, thousands};

pub(crate) async fn run(args: &InspectArgs) -> Result<u8, Failure> {
    let bytes = component(&args.file)?;
    // To be described it has to run.
    refuse_revoked(&bytes)?;
    let name = args
        .file
        .file_stem()
        .map(|stem| stem.to_string_lossy().into_owned())
        .unwrap_or_default();
    let plugin = sandbox()?.load(&name, bytes).await?;
    let info = plugin.describe(&Limits::default()).await?;
    if args.output == Output::Json {
        let schema: serde_json::Value =
            serde_json::from_str(&info.config_schema).unwrap_or(serde_json::Value::Null);
        print_json(&json!({
            "name": info.name,
            "version": info.version,
            "description": info.description,
            "world": plugin.world().to_string(),
            "track": plugin.track(),
            "digest": plugin.digest(),
            "bytes": plugin.size(),
            "signed_by": signed_by(&args.file)?,
            "imports": plugin.imports(),
            "columns": info.columns,
            "rules": info.rules.iter().map(|rule| json!({
                "name": rule.name,
                "description": rule.description,
            })).collect::<Vec<_>>(),
            "config_schema": schema,
        }))?;
        return Ok(0);
    }
    let columns = match info.columns.is_empty() {
        true => "as its configuration says".to_owned(),
        false => info.columns.join(", "),
    };
    let signed = match signed_by(&args.file)? {
        None => "no signature lies beside it".to_owned(),
        Some(key) => format!(
            "by key {key}, as the file beside it says (weir plugin verify holds it against a key)"
        ),
    };
    let mut page = format!(
        "{} {}: {}\n\n  world    {} (weir:plugin@{})\n  sha256   {}\n  size     {} bytes\n  signed   {signed}\n  columns  {columns}\n",
        info.name,
        info.version,
        info.description,
        plugin.world(),
        plugin.track(),
        plugin.digest(),
        thousands(plugin.size()),
    );
    let mut rules = Table::new(&[], &[]);
    for rule in &info.rules {
        rules.row(vec![rule.name.clone(), rule.description.clone()]);
    }
    page.push_str("\nrules\n");
    page.push_str(rules.render(2).trim_start_matches('\n'));
    page.push_str("\nimports\n");
    for import in plugin.imports() {
        page.push_str(&format!("  {import}\n"));
    }
    page.push_str("\nconfiguration\n");
    print(&page)?;
    match serde_json::from_str::<serde_json::Value>(&info.config_schema) {
        Ok(schema) => print_json(&schema)?,
        Err(_) => print("  its JSON Schema is not JSON\n")?,
    }
    Ok(0)
}

/// The key by which the signature beside a component says that it was made; none if there is no signature.
fn signed_by(file: &Path) -> Result<Option<String>, Failure> {
    let path = signature_of(file);
    if !path.is_file() {
        return Ok(None);
    }
    let signature = Signature::parse(&text(
        &path,
        "get the signature anew from the plugin's author",
    )?);
    let signature = signature.map_err(|why| {
        Failure::new(format!(
            "the signature '{}' is wrong: {why}",
            path.display()
        ))
        .hint("get component and signature anew from the plugin's author; do not run it")
    })?;
    Ok(Some(signature.key_id().to_owned()))
}

pub(super) fn refuse_revoked(bytes: &[u8]) -> Result<(), Failure> {
    let Some(config) = Settings::of_user().config else {
        return Ok(());
    };
    let list = RevocationList::read(&RevocationList::path_in(&config))?;
    let digest = sha256(bytes);
    match list.as_ref().and_then(|list| list.find(&digest)) {
        None => Ok(()),
        Some(entry) => {
            let why = entry.reason.as_ref().map(|reason| format!(": {reason}"));
            Err(Failure::usage(format!(
                "it is revoked: {digest}, on {}{}",
                entry.date,
                why.unwrap_or_default()
            ))
            .hint("who is sure that it may run takes it off the list: weir plugin revoke --undo DIGEST"))
        }
    }
}
