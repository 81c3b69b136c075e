//! What was written, and what a correct pipeline must find in it.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::dirt::Fault;
use super::tables::Table;

/// A file of a delivery.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileManifest {
    /// Its name.
    pub name: String,
    /// Its kind.
    pub table: Table,
    /// Rows, the header not counted.
    pub rows: u64,
    /// Rows with each kind of fault; kinds without rows are left out.
    pub faults: BTreeMap<Fault, u64>,
}

/// A table of the lake, with its zone, and a rule.
pub type Reason = (String, String);

/// A delivery, and what there is once it and those before it have been loaded, in whatever order its files came.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Manifest {
    /// The seed.
    pub seed: u64,
    /// The files of the delivery.
    pub files: Vec<FileManifest>,
    /// Rows that are kept aside, by the table beside which they lie and the rule.
    pub quarantined: BTreeMap<Reason, u64>,
    /// Rows of the delivery that are loaded and warned of, by table and rule.
    pub warned: BTreeMap<Reason, u64>,
    /// Rows of each table.
    pub loaded: BTreeMap<Table, u64>,
    /// Cents of all facts that are loaded: charges, payments, adjustments and AR.
    pub cents: [i64; 4],
    /// Facts among them whose charge is a reversal.
    pub reversals: u64,
}

impl Manifest {
    /// Rows of a table.
    pub fn loaded(&self, table: Table) -> u64 {
        self.loaded.get(&table).copied().unwrap_or(0)
    }

    /// The manifest as `manifest.json` has it.
    pub fn to_json(&self) -> String {
        let mut text = format!("{{\n  \"seed\": {},\n  \"files\": [", self.seed);
        let files: Vec<String> = self
            .files
            .iter()
            .map(|file| {
                let faults = file.faults.iter();
                let faults: Vec<String> = faults
                    .map(|(fault, rows)| format!("\"{}\": {rows}", fault.name()))
                    .collect();
                format!(
                    "\n    {{ \"name\": \"{}\", \"rows\": {}, \"faults\": {{{}}} }}",
                    file.name,
                    file.rows,
                    faults.join(", ")
                )
            })
            .collect();
        let _ = write!(text, "{}\n  ],", files.join(","));
        for (name, reasons) in [("quarantined", &self.quarantined), ("warned", &self.warned)] {
            let rows: Vec<String> = reasons
                .iter()
                .map(|((table, rule), rows)| format!("\n    \"{table} {rule}\": {rows}"))
                .collect();
            let _ = write!(text, "\n  \"{name}\": {{{}\n  }},", rows.join(","));
        }
        let loaded: Vec<String> = self
            .loaded
            .iter()
            .map(|(table, rows)| format!("\"{}\": {rows}", table.name()))
            .collect();
        let _ = write!(text, "\n  \"loaded\": {{ {} }},", loaded.join(", "));
        let names = ["gross_charge", "payment", "adjustment", "ar"];
        for (name, cents) in names.into_iter().zip(self.cents) {
            let minus = if cents < 0 { "-" } else { "" };
            let cents = cents.unsigned_abs();
            let _ = write!(
                text,
                "\n  \"{name}\": {minus}{}.{:02},",
                cents / 100,
                cents % 100
            );
        }
        let _ = write!(text, "\n  \"reversals\": {}\n}}\n", self.reversals);
        text
    }
}
