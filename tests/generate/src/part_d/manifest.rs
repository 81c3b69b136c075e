//! What was written, and what a correct pipeline must find in it.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::dirt::Fault;
use super::tables::Table;

/// A table, with all parts that have been written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TableManifest {
    /// Rows.
    pub rows: u64,
    /// Rows with each kind of fault; kinds without rows are left out. A repeated key counts once
    /// both of its rows are there.
    pub faults: BTreeMap<Fault, u64>,
}

impl TableManifest {
    /// Rows that go to quarantine.
    pub fn rejected(&self) -> u64 {
        let faults = self.faults.iter();
        faults
            .filter(|(fault, _)| fault.rejects())
            .map(|(_, rows)| rows)
            .sum()
    }

    /// Rows with this fault.
    pub fn faults(&self, fault: Fault) -> u64 {
        self.faults.get(&fault).copied().unwrap_or(0)
    }
}

/// Everything that the source holds after one call of [`generate`](super::generate): the part that
/// it wrote, and those before it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Manifest {
    /// The seed.
    pub seed: u64,
    /// The tables.
    pub tables: BTreeMap<Table, TableManifest>,
    /// Lines of the drug report: pairs of a brand and a drug in sound rows that the drug table has.
    pub drugs: u64,
    /// Brands among them.
    pub brands: u64,
    /// Antibiotics among them.
    pub antibiotics: u64,
    /// Sum, in cents, of the costs of all sound rows of `prescriber_drug`.
    pub cents: u64,
    /// Rows of the prescriber report: sound ones whose prescriber and state are known.
    pub joined: u64,
}

impl Manifest {
    /// What there is of a table.
    pub fn table(&self, table: Table) -> &TableManifest {
        self.tables.get(&table).expect("every table is written")
    }

    /// The manifest as `manifest.json` has it.
    pub fn to_json(&self) -> String {
        let mut text = format!("{{\n  \"seed\": {},\n  \"tables\": {{", self.seed);
        let mut separator = "\n";
        for (table, manifest) in &self.tables {
            let faults: Vec<String> = manifest
                .faults
                .iter()
                .map(|(fault, rows)| format!("\"{}\": {rows}", fault.name()))
                .collect();
            let _ = write!(
                text,
                "{separator}    \"{}\": {{ \"rows\": {}, \"rejected\": {}, \"faults\": {{{}}} }}",
                table.name(),
                manifest.rows,
                manifest.rejected(),
                faults.join(", ")
            );
            separator = ",\n";
        }
        let _ = write!(
            text,
            "\n  }},\n  \"drugs\": {},\n  \"brands\": {},\n  \"antibiotics\": {},\n  \"cost\": {}.{:02},\n  \"joined\": {}\n}}\n",
            self.drugs,
            self.brands,
            self.antibiotics,
            self.cents / 100,
            self.cents % 100,
            self.joined
        );
        text
    }
}
