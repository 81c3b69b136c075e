//! Rows merged into a table by their key: staged in a temporary table, then matched in the transaction.

use super::quoted;
use crate::error::{Error, Result};
use crate::merge::{Merging, not_older};

/// The rows that came in, before they are merged.
pub(super) const STAGE: &str = "temp.\"_weir_stage\"";

/// The statement that makes the stage. Its columns keep values as those of the table do.
pub(super) fn stage(table: &str, columns: &[(String, String)]) -> String {
    let names: Vec<String> = columns.iter().map(|(name, _)| quoted(name)).collect();
    format!(
        "create temporary table \"_weir_stage\" as select {} from main.{} where false",
        names.join(", "),
        quoted(table)
    )
}

/// The statements that merge the rows of the stage.
///
/// # Errors
/// Usage, if the columns have all names of SQLite's own number of a row.
pub(super) fn merge(table: &str, columns: &[(String, String)], how: &Merging) -> Result<String> {
    let taken = |own: &&str| {
        columns
            .iter()
            .any(|(name, _)| name.eq_ignore_ascii_case(own))
    };
    let number = ["rowid", "_rowid_", "oid"]
        .into_iter()
        .find(|own| !taken(own))
        .ok_or_else(|| {
            Error::usage("a table with columns called rowid, _rowid_ and oid cannot be merged into")
                .with_hint("give one of them another name in a query")
        })?;
    let table = format!("main.{}", quoted(table));
    // Moments are texts, and a zone's letter is greater than the point before a fraction.
    let ordered = |of: &str, name: &str| {
        let column = format!("{of}.{}", quoted(name));
        let declared = columns.iter().find(|(own, _)| own == name);
        match declared.is_some_and(|(_, declared)| declared.starts_with("TIMESTAMP")) {
            true => format!("replace(rtrim({column}, 'Z'), ' ', 'T')"),
            false => format!("{column} collate binary"),
        }
    };
    // The first finds an index of the table; the second compares as the stage does, by bytes, whatever
    // collation the table has.
    let same: Vec<String> = how
        .key
        .iter()
        .map(|name| format!("t.{0} = s.{0} and s.{0} = t.{0}", quoted(name)))
        .collect();
    let same = same.join(" and ");
    let keys: Vec<String> = how.key.iter().map(|name| quoted(name)).collect();
    let keys = keys.join(", ");
    let mut statements = Vec::new();
    if !how.order.is_empty() {
        // Of incoming rows with one key the greatest stays; nulls are least.
        let order: Vec<String> = how
            .order
            .iter()
            .map(|name| format!("{} desc", ordered("s", name)))
            .collect();
        statements.push(format!(
            "delete from {STAGE} where {number} in (select \"_weir_id\" from (select s.{number} as \"_weir_id\", row_number() over (partition by {keys} order by {}, s.{number} desc) as \"_weir_place\" from {STAGE} s) where \"_weir_place\" > 1)",
            order.join(", ")
        ));
    }
    statements.push(format!(
        "create index temp.\"_weir_stage_key\" on \"_weir_stage\" ({keys})"
    ));
    let others: Vec<String> = columns
        .iter()
        .filter(|(name, _)| !how.key.contains(name))
        .map(|(name, _)| format!("{0} = s.{0}", quoted(name)))
        .collect();
    if !how.keep && !others.is_empty() {
        statements.push(format!(
            "update {table} as t set {} from {STAGE} as s where {same} and {}",
            others.join(", "),
            not_older(&how.order, &ordered)
        ));
    }
    let all: Vec<String> = columns.iter().map(|(name, _)| quoted(name)).collect();
    let all = all.join(", ");
    // What is there has been matched: one pass over the table, with the stage's index.
    statements.push(format!(
        "delete from {STAGE} where {number} in (select s.{number} from {table} as t join {STAGE} as s on {same})"
    ));
    statements.push(format!(
        "insert into {table} ({all}) select {all} from {STAGE}"
    ));
    statements.push(format!("drop table {STAGE}"));
    Ok(statements.join(";\n"))
}
