//! What was written, and what a correct pipeline must find in it.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::columns::Table;
use super::dirt::Fault;

/// One written file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileManifest {
    /// The table of which the file holds rows.
    pub table: Table,
    /// The year of a beneficiary file.
    pub year: Option<u32>,
    /// Rows that the file's accepted rows become in the cleansed table: of Carrier claims one for
    /// each line, else one for each row.
    pub cleansed: u64,
    /// File name, without folder.
    pub name: String,
    /// Data rows: the header is not counted.
    pub rows: u64,
    /// Rows with each kind of fault; kinds without rows are left out.
    pub faults: BTreeMap<Fault, u64>,
    /// Rows of a peculiar but sound shape.
    pub shapes: Shapes,
    /// Sum, in cents, of the payments (`CLM_PMT_AMT`, `TOT_RX_CST_AMT`, `LINE_NCH_PMT_AMT`) of the rows
    /// that no fault [rejects](Fault::rejects), orphans included; 0 for beneficiaries.
    pub accepted_cents: i64,
}

/// Rows of shapes that look wrong, are not, and must be accepted as they are. Faulty rows are
/// counted too.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Shapes {
    /// Outpatient rows of segment 2, which have neither date.
    pub without_dates: u64,
    /// Rows with a negative amount.
    pub negative_amount: u64,
    /// Drug events that dispensed nothing.
    pub zero_quantity: u64,
}

impl FileManifest {
    /// Rows that go to quarantine.
    pub fn rejected(&self) -> u64 {
        rejected(&self.faults)
    }
}

/// The rows that go to quarantine for these faults.
pub(super) fn rejected(faults: &BTreeMap<Fault, u64>) -> u64 {
    let rejecting = faults.iter().filter(|(fault, _)| fault.rejects());
    rejecting.map(|(_, rows)| rows).sum()
}

/// Everything that one call of [`generate`](super::generate) wrote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manifest {
    /// The seed of the files.
    pub seed: u64,
    /// The files, in the order of [`Table::ALL`] and by year.
    pub files: Vec<FileManifest>,
}

impl Manifest {
    /// The files of a table: three of beneficiaries, two of Carrier claims, one of each other table.
    pub fn files_of(&self, table: Table) -> impl Iterator<Item = &FileManifest> {
        self.files.iter().filter(move |file| file.table == table)
    }

    /// All rows of a table.
    pub fn rows(&self, table: Table) -> u64 {
        self.files_of(table).map(|file| file.rows).sum()
    }

    /// Rows of a table with this fault.
    pub fn faults(&self, table: Table, fault: Fault) -> u64 {
        self.files_of(table)
            .filter_map(|file| file.faults.get(&fault))
            .sum()
    }

    /// Rows of a table that go to quarantine.
    pub fn rejected(&self, table: Table) -> u64 {
        self.files_of(table).map(FileManifest::rejected).sum()
    }

    /// Rows of a table that no fault turns away.
    pub fn accepted(&self, table: Table) -> u64 {
        self.rows(table) - self.rejected(table)
    }

    /// Rows of the cleansed table: see [`FileManifest::cleansed`].
    pub fn cleansed(&self, table: Table) -> u64 {
        self.files_of(table).map(|file| file.cleansed).sum()
    }

    /// Payments, in cents, of a table's accepted rows: see [`FileManifest::accepted_cents`].
    pub fn accepted_cents(&self, table: Table) -> i64 {
        self.files_of(table).map(|file| file.accepted_cents).sum()
    }

    /// The manifest as JSON, as it stands in `manifest.json`.
    pub fn to_json(&self) -> String {
        let files: Vec<String> = self.files.iter().map(file_json).collect();
        format!(
            "{{\n  \"seed\": {},\n  \"files\": [\n{}\n  ]\n}}\n",
            self.seed,
            files.join(",\n")
        )
    }
}

/// Names in the manifest are made of letters, digits and `_`, so that nothing needs escaping.
fn file_json(file: &FileManifest) -> String {
    let FileManifest {
        table,
        year,
        cleansed,
        name,
        rows,
        faults,
        shapes,
        accepted_cents,
    } = file;
    let Shapes {
        without_dates,
        negative_amount,
        zero_quantity,
    } = shapes;
    let mut json = format!(
        "    {{\"name\": \"{name}\", \"table\": \"{}\"",
        table.name()
    );
    if let Some(year) = year {
        let _ = write!(json, ", \"year\": {year}");
    }
    let faults: Vec<String> = faults
        .iter()
        .map(|(fault, rows)| format!("\"{}\": {rows}", fault.name()))
        .collect();
    let _ = write!(
        json,
        ", \"rows\": {rows}, \"rejected\": {}, \"cleansed\": {cleansed}, \"faults\": {{{}}}, \"shapes\": {{\"without_dates\": {without_dates}, \
         \"negative_amount\": {negative_amount}, \"zero_quantity\": {zero_quantity}}}, \
         \"accepted_cents\": {accepted_cents}}}",
        file.rejected(),
        faults.join(", ")
    );
    json
}
