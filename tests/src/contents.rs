//! What the tables of a lake and a warehouse hold.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use rusqlite::types::ValueRef;
use serde_json::Value;

use crate::Scene;

/// Columns that differ from run to run though the rows are the same: the run, and the file where
/// it is a table's own, whose name is unique.
const OF_THE_RUN: [&str; 2] = ["_weir_run", "_weir_file"];

/// Every row of every table of a lake and its warehouse, as sorted lines of text. The parts of a
/// table that is partitioned by `year` count as tables of their own, for they are written apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contents(pub BTreeMap<String, Vec<String>>);

impl Contents {
    /// Reads all there is. Rows come from `weir sql`, names and columns from Delta's logs.
    #[track_caller]
    pub fn of(scene: &Scene) -> Self {
        let tables = tables(&scene.lake());
        let mut contents = BTreeMap::new();
        let queries: Vec<String> = tables
            .iter()
            .map(|(name, table)| table.as_text(name))
            .collect();
        if !queries.is_empty() {
            for row in scene.sql(&queries.join(" union all ")) {
                let text = |key: &str| row[key].as_str().unwrap_or_default().to_owned();
                let rows: &mut Vec<String> = contents.entry(text("name")).or_default();
                rows.push(text("line"));
            }
        }
        // A table without rows is there all the same.
        for (name, table) in &tables {
            if !table.by_year {
                contents.entry(name.clone()).or_default();
            }
        }
        if scene.warehouse().exists() {
            warehouse(scene, &mut contents);
        }
        for rows in contents.values_mut() {
            rows.sort_unstable();
        }
        Self(contents)
    }

    /// Names of the tables that are not as in `other`, with how many rows they have here and
    /// there: for people, where whole contents would flood the screen.
    pub fn differences(&self, other: &Self) -> Vec<String> {
        let names = self.0.keys().chain(other.0.keys());
        let mut names: Vec<&String> = names.collect();
        names.sort();
        names.dedup();
        let rows = |contents: &Self, name: &String| contents.0.get(name).map(Vec::len);
        names
            .into_iter()
            .filter(|name| self.0.get(*name) != other.0.get(*name))
            .map(|name| {
                format!(
                    "{name}: {:?} rows here, {:?} there",
                    rows(self, name),
                    rows(other, name)
                )
            })
            .collect()
    }

    /// Demands the same rows in the same tables.
    #[track_caller]
    pub fn expect_same(&self, other: &Self, when: &str) {
        let differences = self.differences(other);
        assert!(differences.is_empty(), "{when}: {differences:#?}");
    }
}

struct Table {
    columns: Vec<String>,
    by_year: bool,
}

impl Table {
    /// A query for the table's rows, each as one line of text.
    fn as_text(&self, name: &str) -> String {
        let values: Vec<String> = self
            .columns
            .iter()
            .filter(|column| !OF_THE_RUN.contains(&column.as_str()))
            .map(|column| format!("coalesce(cast(\"{column}\" as varchar), '∅')"))
            .collect();
        let label = if self.by_year {
            format!("concat('{name} year=', cast(year as varchar))")
        } else {
            format!("'{name}'")
        };
        format!(
            "select {label} as name, concat_ws('|', {}) as line from {name}",
            values.join(", ")
        )
    }
}

/// The tables of a lake with their columns, as the latest metadata in each log says.
fn tables(lake: &Path) -> BTreeMap<String, Table> {
    let mut tables = BTreeMap::new();
    for log in commit_logs(lake) {
        let mut table = None;
        for (_, content) in log.commits {
            for line in content.lines() {
                let action: Value = serde_json::from_str(line).expect("Delta's log is JSON");
                let metadata = &action["metaData"];
                let Some(schema) = metadata["schemaString"].as_str() else {
                    continue;
                };
                let schema: Value = serde_json::from_str(schema).expect("a schema");
                let fields = schema["fields"].as_array().expect("fields");
                table = Some(Table {
                    columns: fields
                        .iter()
                        .map(|field| field["name"].as_str().expect("a name").to_owned())
                        .collect(),
                    by_year: metadata["partitionColumns"] == serde_json::json!(["year"]),
                });
            }
        }
        if let Some(table) = table {
            tables.insert(log.table, table);
        }
    }
    tables
}

/// A Delta table's log.
#[derive(Debug, PartialEq, Eq)]
pub struct CommitLog {
    /// `zone.table`
    pub table: String,
    /// Name and content of each commit, in order.
    pub commits: Vec<(String, String)>,
}

/// The logs of all tables of a lake: what a target is, to the letter.
pub fn commit_logs(lake: &Path) -> Vec<CommitLog> {
    let mut logs = Vec::new();
    for zone in folders(lake) {
        for table in folders(&zone) {
            let mut commits: Vec<(String, String)> = match fs::read_dir(table.join("_delta_log")) {
                Err(_) => continue,
                Ok(entries) => entries
                    .map(|entry| entry.expect("an entry").path())
                    .filter(|path| path.extension().is_some_and(|kind| kind == "json"))
                    .map(|path| {
                        let content = fs::read_to_string(&path).expect("a commit");
                        (name(&path), content)
                    })
                    .collect(),
            };
            commits.sort();
            if !commits.is_empty() {
                logs.push(CommitLog {
                    table: format!("{}.{}", name(&zone), name(&table)),
                    commits,
                });
            }
        }
    }
    logs
}

fn folders(dir: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(dir) else {
        return Vec::new();
    };
    let mut folders: Vec<PathBuf> = entries
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.is_dir() && name(path) != "_weir")
        .collect();
    folders.sort();
    folders
}

fn name(path: &Path) -> String {
    let name = path.file_name().expect("a name");
    name.to_string_lossy().into_owned()
}

/// All tables of the warehouse but the ledger.
fn warehouse(scene: &Scene, contents: &mut BTreeMap<String, Vec<String>>) {
    let connection = scene.sqlite();
    let mut names = connection
        .prepare("select name from sqlite_master where type = 'table' and name not like '\\_%' escape '\\'")
        .expect("a query");
    let names: Vec<String> = names
        .query_map([], |row| row.get(0))
        .expect("names")
        .collect::<Result<_, _>>()
        .expect("names");
    for name in names {
        let mut statement = connection
            .prepare(&format!("select * from \"{name}\""))
            .expect("a query");
        let width = statement.column_count();
        let rows = statement
            .query_map([], |row| {
                let values: Result<Vec<String>, _> = (0..width)
                    .map(|index| row.get_ref(index).map(text))
                    .collect();
                Ok(values?.join("|"))
            })
            .expect("rows")
            .collect::<Result<_, _>>()
            .expect("rows");
        contents.insert(format!("warehouse:{name}"), rows);
    }
}

fn text(value: ValueRef<'_>) -> String {
    match value {
        ValueRef::Null => "∅".to_owned(),
        ValueRef::Integer(number) => number.to_string(),
        ValueRef::Real(number) => format!("{number:?}"),
        ValueRef::Text(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        ValueRef::Blob(bytes) => format!("{bytes:?}"),
    }
}
