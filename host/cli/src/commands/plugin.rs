//! `weir plugin …`.

use serde_json::json;
use weir_sandbox::Limits;

use crate::args::{InspectArgs, Output};
use crate::commands::{print_json, sandbox};
use crate::failure::Failure;
use crate::table::{Table, thousands};

pub(crate) async fn inspect(args: &InspectArgs) -> Result<u8, Failure> {
    let bytes = std::fs::read(&args.file).map_err(|error| {
        Failure::usage(format!("cannot read '{}': {error}", args.file.display()))
            .hint("give the .wasm file that building the plugin left")
    })?;
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
    println!("{} {}: {}", info.name, info.version, info.description);
    println!();
    println!(
        "  world    {} (weir:plugin@{})",
        plugin.world(),
        plugin.track()
    );
    println!("  sha256   {}", plugin.digest());
    println!("  size     {} bytes", thousands(plugin.size()));
    let columns = match info.columns.is_empty() {
        true => "as its configuration says".to_owned(),
        false => info.columns.join(", "),
    };
    println!("  columns  {columns}");
    println!();
    println!("rules");
    let mut rules = Table::new(&[], &[]);
    for rule in &info.rules {
        rules.row(vec![rule.name.clone(), rule.description.clone()]);
    }
    print!("{}", rules.render(2).trim_start_matches('\n'));
    println!();
    println!("imports");
    for import in plugin.imports() {
        println!("  {import}");
    }
    println!();
    println!("configuration");
    match serde_json::from_str::<serde_json::Value>(&info.config_schema) {
        Ok(schema) => print_json(&schema)?,
        Err(_) => println!("  its JSON Schema is not JSON"),
    }
    Ok(0)
}
