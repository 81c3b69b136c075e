//! What was written, and what a correct pipeline must find in it.

use std::collections::BTreeMap;

use super::Source;
use super::dirt::Fault;

/// Rows that a file gives each table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rows {
    /// The snapshot of the day: patients of this and all earlier files of the source, each once.
    pub patients: u64,
    /// Visits.
    pub visits: u64,
    /// Diagnoses.
    pub diagnoses: u64,
    /// Treatments; the view of what was prescribed has as many.
    pub treatments: u64,
}

/// One written file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileManifest {
    /// Whose file it is.
    pub source: Source,
    /// Its day, `2024-02-28`.
    pub date: String,
    /// Records in it.
    pub records: u64,
    /// Records with each kind of fault; kinds without any are left out.
    pub faults: BTreeMap<Fault, u64>,
    /// Rows of the records that have none.
    pub rows: Rows,
}

impl FileManifest {
    /// The file's path below the folder of all.
    pub fn path(&self) -> String {
        let day = self.date.replace('-', "");
        format!("{}/{day}/visit_events.json", self.source.name())
    }

    /// Rejected records by the rule that they break, of those that can be read or of those that cannot.
    pub fn rejected(&self, readable: bool) -> BTreeMap<String, u64> {
        let mut rules = BTreeMap::new();
        for (fault, records) in &self.faults {
            if fault.is_readable() == readable {
                *rules.entry(fault.rule().to_owned()).or_default() += records;
            }
        }
        rules
    }

    /// Records that no fault keeps out of the tables.
    pub fn accepted(&self) -> u64 {
        self.records - self.faults.values().sum::<u64>()
    }
}

/// Everything that one call of [`generate`](super::generate) wrote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manifest {
    /// The seed of the files.
    pub seed: u64,
    /// The files, by source and day.
    pub files: Vec<FileManifest>,
}

impl Manifest {
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
    let faults: Vec<String> = file
        .faults
        .iter()
        .map(|(fault, records)| format!("\"{}\": {records}", fault.name()))
        .collect();
    let Rows {
        patients,
        visits,
        diagnoses,
        treatments,
    } = file.rows;
    format!(
        "    {{\"path\": \"{}\", \"records\": {}, \"accepted\": {}, \"faults\": {{{}}}, \"rows\": {{\"patients\": \
         {patients}, \"visits\": {visits}, \"diagnoses\": {diagnoses}, \"treatments\": {treatments}}}}}",
        file.path(),
        file.records,
        file.accepted(),
        faults.join(", ")
    )
}
