//! The four tables: their columns in CMS's order, and what they are in PostgreSQL.

use std::fmt::Write;

/// A table of the source.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Table {
    /// Cities of the United States, with state and population.
    State,
    /// Medicare Part D Prescribers by Geography and Drug: a row for the nation and for states.
    Drug,
    /// Medicare Part D Prescribers by Provider: who they are and what they prescribed in all.
    Prescriber,
    /// Medicare Part D Prescribers by Provider and Drug.
    PrescriberDrug,
}

const STATE: &[(&str, &str)] = &[
    ("city", "text"),
    ("city_ascii", "text"),
    ("state_id", "text"),
    ("state_name", "text"),
    ("county_fips", "text"),
    ("county_name", "text"),
    ("lat", "numeric(8,4)"),
    ("lng", "numeric(8,4)"),
    ("population", "integer"),
    ("density", "numeric(8,1)"),
    ("timezone", "text"),
    ("zips", "text"),
];

const DRUG: &[(&str, &str)] = &[
    ("Prscrbr_Geo_Lvl", "text"),
    ("Prscrbr_Geo_Cd", "text"),
    ("Prscrbr_Geo_Desc", "text"),
    ("Brnd_Name", "text"),
    ("Gnrc_Name", "text"),
    ("Tot_Prscrbrs", "integer"),
    ("Tot_Clms", "integer"),
    ("Tot_30day_Fills", "numeric(14,1)"),
    ("Tot_Drug_Cst", "numeric(16,2)"),
    ("Tot_Benes", "integer"),
    ("GE65_Sprsn_Flag", "text"),
    ("GE65_Tot_Clms", "integer"),
    ("GE65_Tot_30day_Fills", "numeric(14,1)"),
    ("GE65_Tot_Drug_Cst", "numeric(16,2)"),
    ("GE65_Bene_Sprsn_Flag", "text"),
    ("GE65_Tot_Benes", "integer"),
    ("LIS_Bene_Cst_Shr", "numeric(16,2)"),
    ("NonLIS_Bene_Cst_Shr", "numeric(16,2)"),
    ("Opioid_Drug_Flag", "text"),
    ("Opioid_LA_Drug_Flag", "text"),
    ("Antbtc_Drug_Flag", "text"),
    ("Antpsyct_Drug_Flag", "text"),
];

/// The first 22 of CMS's columns: the prescriber, and the totals. The others repeat the totals for
/// kinds of drugs and of patients.
const PRESCRIBER: &[(&str, &str)] = &[
    ("PRSCRBR_NPI", "text"),
    ("Prscrbr_Last_Org_Name", "text"),
    ("Prscrbr_First_Name", "text"),
    ("Prscrbr_MI", "text"),
    ("Prscrbr_Crdntls", "text"),
    ("Prscrbr_Ent_Cd", "text"),
    ("Prscrbr_St1", "text"),
    ("Prscrbr_St2", "text"),
    ("Prscrbr_City", "text"),
    ("Prscrbr_State_Abrvtn", "text"),
    ("Prscrbr_State_FIPS", "text"),
    ("Prscrbr_zip5", "text"),
    ("Prscrbr_RUCA", "text"),
    ("Prscrbr_RUCA_Desc", "text"),
    ("Prscrbr_Cntry", "text"),
    ("Prscrbr_Type", "text"),
    ("Prscrbr_Type_src", "text"),
    ("Tot_Clms", "integer"),
    ("Tot_30day_Fills", "numeric(14,1)"),
    ("Tot_Drug_Cst", "numeric(16,2)"),
    ("Tot_Day_Suply", "integer"),
    ("Tot_Benes", "integer"),
];

const PRESCRIBER_DRUG: &[(&str, &str)] = &[
    ("Prscrbr_NPI", "text"),
    ("Prscrbr_Last_Org_Name", "text"),
    ("Prscrbr_First_Name", "text"),
    ("Prscrbr_City", "text"),
    ("Prscrbr_State_Abrvtn", "text"),
    ("Prscrbr_State_FIPS", "text"),
    ("Prscrbr_Type", "text"),
    ("Prscrbr_Type_Src", "text"),
    ("Brnd_Name", "text"),
    ("Gnrc_Name", "text"),
    ("Tot_Clms", "integer"),
    ("Tot_30day_Fills", "numeric(12,1)"),
    ("Tot_Day_Suply", "integer"),
    ("Tot_Drug_Cst", "numeric(14,2)"),
    ("Tot_Benes", "integer"),
    ("GE65_Sprsn_Flag", "text"),
    ("GE65_Tot_Clms", "integer"),
    ("GE65_Tot_30day_Fills", "numeric(12,1)"),
    ("GE65_Tot_Drug_Cst", "numeric(14,2)"),
    ("GE65_Tot_Day_Suply", "integer"),
    ("GE65_Bene_Sprsn_Flag", "text"),
    ("GE65_Tot_Benes", "integer"),
];

impl Table {
    /// All tables, small ones first.
    pub const ALL: [Self; 4] = [
        Self::State,
        Self::Drug,
        Self::Prescriber,
        Self::PrescriberDrug,
    ];

    /// The table's name in PostgreSQL and in the lake.
    pub fn name(self) -> &'static str {
        match self {
            Self::State => "state",
            Self::Drug => "drug",
            Self::Prescriber => "prescriber",
            Self::PrescriberDrug => "prescriber_drug",
        }
    }

    fn typed(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::State => STATE,
            Self::Drug => DRUG,
            Self::Prescriber => PRESCRIBER,
            Self::PrescriberDrug => PRESCRIBER_DRUG,
        }
    }

    /// The names of the columns, as they are published. PostgreSQL has them in lower case, with a
    /// surrogate `id` before them.
    pub fn columns(self) -> Vec<String> {
        let names = self.typed().iter().map(|(name, _)| (*name).to_owned());
        names.collect()
    }

    /// The statement that makes the table in PostgreSQL, if it is not there.
    pub fn create(self) -> String {
        let mut sql = format!(
            "create table if not exists {} (\n    id bigserial primary key",
            self.name()
        );
        for (name, kind) in self.typed() {
            let name = name.to_lowercase();
            let _ = write!(sql, ",\n    {name} {kind}");
        }
        sql.push_str("\n);\n");
        sql
    }

    /// The statement that takes the table's rows as CSV with a header, from `source`: `stdin`, or
    /// the name of a file for `\copy`.
    pub fn copy(self, source: &str) -> String {
        let names: Vec<String> = self.columns();
        format!(
            "copy {} ({}) from {source} with (format csv, header)",
            self.name(),
            names.join(", ").to_lowercase()
        )
    }
}
