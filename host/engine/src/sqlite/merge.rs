//! Rows merged into a table by their key: staged in a temporary table, then matched in the transaction.

use super::quoted;
use crate::merge::Merging;

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
pub(super) fn merge(table: &str, columns: &[(String, String)], how: &Merging) -> String {
    let table = format!("main.{}", quoted(table));
    // Moments are texts, and a zone's letter is greater than the point before a fraction.
    let ordered = |of: &str, name: &str| {
        let column = format!("{of}.{}", quoted(name));
        let declared = columns.iter().find(|(own, _)| own == name);
        match declared.is_some_and(|(_, declared)| declared.starts_with("TIMESTAMP")) {
            true => format!("rtrim({column}, 'Z')"),
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
            "delete from {STAGE} where rowid in (select id from (select s.rowid as id, row_number() over (partition by {keys} order by {}, s.rowid desc) as place from {STAGE} s) where place > 1)",
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
    statements.push(format!(
        "insert into {table} ({all}) select {all} from {STAGE} as s where not exists (select 1 from {table} as t where {same})"
    ));
    statements.push(format!("drop table {STAGE}"));
    statements.join(";\n")
}

/// Whether the incoming row `s` is not older than `t`: nulls are least, and equal ones are newer.
fn not_older(order: &[String], ordered: &impl Fn(&str, &str) -> String) -> String {
    let Some((first, rest)) = order.split_first() else {
        return "true".to_owned();
    };
    let (s, t) = (ordered("s", first), ordered("t", first));
    format!(
        "({s} > {t} or ({s} is not null and {t} is null) or ({s} is {t} and {}))",
        not_older(rest, ordered)
    )
}
