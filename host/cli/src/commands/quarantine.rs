//! `weir quarantine`.

use weir_engine::commit::Applier;
use weir_engine::connections::Connections;
use weir_engine::lake::Lake;
use weir_engine::quarantine::{self, Selection};
use weir_engine::record::RunRecord;
use weir_engine::session;
use weir_engine::store::Stores;
use weir_pipeline::TableName;

use crate::args::{
    AckArgs, ExportArgs, HeldArgs, ListArgs, Output, QuarantineCommand, SelectionArgs, ShowRowsArgs,
};
use crate::commands::{print, print_json, resources, sql};
use crate::failure::Failure;
use crate::table::{Table, thousands};

pub(crate) async fn run(command: &QuarantineCommand) -> Result<u8, Failure> {
    match command {
        QuarantineCommand::List(args) => list(args).await,
        QuarantineCommand::Show(args) => show(args).await,
        QuarantineCommand::Export(args) => export(args).await,
        QuarantineCommand::Held(args) => held(args).await,
        QuarantineCommand::Ack(args) => ack(args).await,
    }
}

/// A lake, and what its tables are read with.
pub(crate) async fn open(url: &str) -> Result<(Lake, Applier), Failure> {
    let stores = Stores::default();
    let resources = resources()?;
    let applier = Applier {
        stores: stores.clone(),
        connections: Connections::default(),
        runtime: session::runtime(resources)?,
        resources,
    };
    Ok((Lake::at(url, &stores).await?, applier))
}

/// The table that `text` names, or beside which the quarantine table lies that it names.
pub(crate) fn table_name(text: &str) -> Result<TableName, Failure> {
    let wrong = || {
        Failure::usage(format!("'{text}' names no table"))
            .hint("write zone.table: the table that the rows were meant for")
    };
    let (zone, table) = text.split_once('.').ok_or_else(wrong)?;
    if zone.is_empty() || table.is_empty() || table.contains('.') {
        return Err(wrong());
    }
    // Whoever writes the quarantine table's own name means the same.
    let table = table.strip_suffix(quarantine::SUFFIX).unwrap_or(table);
    Ok(TableName {
        zone: zone.to_owned(),
        table: table.to_owned(),
    })
}

fn selection(args: &SelectionArgs, state: Option<&str>) -> Selection {
    Selection {
        step: args.step.clone(),
        rule: args.rule.clone(),
        run: args.run.clone(),
        state: state.map(str::to_owned),
        ..Selection::default()
    }
}

async fn list(args: &ListArgs) -> Result<u8, Failure> {
    let (lake, applier) = open(&args.lake.lake).await?;
    let groups = quarantine::list(&lake, &applier).await?;
    match args.output {
        Output::Json => print_json(&groups)?,
        Output::Text if groups.is_empty() => eprintln!("no row is in quarantine"),
        Output::Text => {
            let header = [
                "TABLE",
                "STEP",
                "STAGE",
                "RULE",
                "STATE",
                "ROWS",
                "LATEST RUN",
            ];
            let mut table = Table::new(&header, &[5]);
            for group in groups {
                table.row(vec![
                    group.table,
                    group.step,
                    group.stage,
                    group.rule,
                    group.state,
                    thousands(group.rows),
                    group.latest_run,
                ]);
            }
            print(&table.render(0))?;
        }
    }
    Ok(0)
}

async fn show(args: &ShowRowsArgs) -> Result<u8, Failure> {
    let (lake, applier) = open(&args.lake.lake).await?;
    let table = table_name(&args.table)?;
    let selection = selection(&args.selection, args.state.as_deref());
    let rows = quarantine::rows(&lake, &table, &selection, Some(args.limit), &applier).await?;
    sql::print_rows(rows, args.output).await
}

async fn export(args: &ExportArgs) -> Result<u8, Failure> {
    let (lake, applier) = open(&args.lake.lake).await?;
    let table = table_name(&args.table)?;
    let selection = selection(&args.selection, args.state.as_deref());
    let rows = quarantine::rows(&lake, &table, &selection, None, &applier).await?;
    sql::print_rows(rows, args.output.into()).await
}

async fn held(args: &HeldArgs) -> Result<u8, Failure> {
    let (lake, applier) = open(&args.lake.lake).await?;
    let record = RunRecord::find(&lake.weir(), &args.run).await?;
    let limit = (args.limit > 0).then_some(args.limit);
    let rows = quarantine::held(&lake, &record, args.step.as_deref(), limit, &applier).await?;
    sql::print_rows(rows, args.output).await
}

async fn ack(args: &AckArgs) -> Result<u8, Failure> {
    let (lake, applier) = open(&args.lake.lake).await?;
    let table = table_name(&args.table)?;
    let selection = selection(&args.selection, None);
    let rows = quarantine::acknowledge(&lake, &table, &selection, &args.note, &applier).await?;
    match rows {
        0 => eprintln!("no open row is meant by that"),
        1 => eprintln!("1 row of {table} is acknowledged"),
        rows => eprintln!("{} rows of {table} are acknowledged", thousands(rows)),
    }
    Ok(0)
}
