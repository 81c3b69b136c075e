//! What was written, and what a correct pipeline must find in it.

use std::collections::BTreeMap;

use super::dirt::Fault;

/// Everything that one call of [`generate`](super::generate) or [`fill`](super::fill) wrote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manifest {
    /// The seed.
    pub seed: u64,
    /// Which batch, from 1.
    pub batch: u64,
    /// The export's folder below the folder of all.
    pub export: String,
    /// Items, lines that are none among them.
    pub items: u64,
    /// Items that the batch modified, those that had a fault before among them.
    pub modified: u64,
    /// Items that the batch added.
    pub added: u64,
    /// Items that were there before the batch and are gone.
    pub removed: u64,
    /// Items with each kind of fault; kinds without any are left out.
    pub faults: BTreeMap<Fault, u64>,
}

impl Manifest {
    /// Rejected items by the rule that they break, of those that can be read or of those that cannot.
    pub fn rejected(&self, readable: bool) -> BTreeMap<String, u64> {
        let kinds = self.faults.iter();
        kinds
            .filter(|(fault, _)| fault.is_readable() == readable)
            .map(|(fault, items)| (fault.rule().to_owned(), *items))
            .collect()
    }

    /// Items that can be read: rows of the bronze table.
    pub fn readable(&self) -> u64 {
        self.items - self.rejected(false).values().sum::<u64>()
    }

    /// Items that no fault keeps out of the tables.
    pub fn accepted(&self) -> u64 {
        self.items - self.faults.values().sum::<u64>()
    }

    /// The manifest as JSON, as it stands in `manifest.json`. Names are made of letters, digits, `_`, `-` and `/`, so
    /// that nothing needs escaping.
    pub fn to_json(&self) -> String {
        let faults: Vec<String> = self
            .faults
            .iter()
            .map(|(fault, items)| format!("\"{}\": {items}", fault.name()))
            .collect();
        format!(
            "{{\n  \"seed\": {}, \"batch\": {}, \"export\": \"{}\",\n  \"items\": {}, \"modified\": {}, \"added\": {}, \
             \"removed\": {},\n  \"readable\": {}, \"accepted\": {},\n  \"faults\": {{{}}}\n}}\n",
            self.seed,
            self.batch,
            self.export,
            self.items,
            self.modified,
            self.added,
            self.removed,
            self.readable(),
            self.accepted(),
            faults.join(", ")
        )
    }
}
