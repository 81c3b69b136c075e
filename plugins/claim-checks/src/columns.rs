//! The columns that are judged, table by table, and what is demanded of each.

use super::Table;

/// What is demanded of a column's values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Demand {
    /// A date not before the one in that column.
    NotBefore(&'static str),
    /// Dollars and cents within reason.
    Amount,
    /// An ICD-9 diagnosis code.
    Diagnosis,
    /// An ICD-9 procedure code.
    Procedure,
    /// An HCPCS code.
    Hcpcs,
    /// A state, as Social Security numbers them.
    State,
    /// A county, as Social Security numbers them.
    County,
    /// A National Provider Identifier.
    Npi,
    /// A tax number of a provider.
    TaxNumber,
}

impl Demand {
    /// The column that it needs besides its own.
    pub(crate) fn other_column(self) -> Option<&'static str> {
        match self {
            Self::NotBefore(column) => Some(column),
            _ => None,
        }
    }
}

/// What is demanded of a table. A name that ends in `#` stands for as many numbered columns.
pub(crate) fn demands_of(table: Table) -> Vec<(String, Demand)> {
    let groups: &[(&str, u32, Demand)] = match table {
        Table::Beneficiary => BENEFICIARY,
        Table::Inpatient => INPATIENT,
        Table::Outpatient => OUTPATIENT,
        Table::PrescriptionDrug => PRESCRIPTION_DRUG,
        Table::Carrier => CARRIER,
    };
    let mut demands = Vec::new();
    for (name, count, demand) in groups {
        match name.strip_suffix('#') {
            Some(stem) => {
                demands.extend((1..=*count).map(|number| (format!("{stem}{number}"), *demand)))
            }
            None => demands.push(((*name).to_owned(), *demand)),
        }
    }
    demands
}

const BENEFICIARY: &[(&str, u32, Demand)] = &[
    ("bene_death_dt", 1, Demand::NotBefore("bene_birth_dt")),
    ("sp_state_code", 1, Demand::State),
    ("bene_county_cd", 1, Demand::County),
    ("medreimb_ip", 1, Demand::Amount),
    ("benres_ip", 1, Demand::Amount),
    ("pppymt_ip", 1, Demand::Amount),
    ("medreimb_op", 1, Demand::Amount),
    ("benres_op", 1, Demand::Amount),
    ("pppymt_op", 1, Demand::Amount),
    ("medreimb_car", 1, Demand::Amount),
    ("benres_car", 1, Demand::Amount),
    ("pppymt_car", 1, Demand::Amount),
];

const INPATIENT: &[(&str, u32, Demand)] = &[
    ("clm_thru_dt", 1, Demand::NotBefore("clm_from_dt")),
    ("nch_bene_dschrg_dt", 1, Demand::NotBefore("clm_admsn_dt")),
    ("clm_pmt_amt", 1, Demand::Amount),
    ("nch_prmry_pyr_clm_pd_amt", 1, Demand::Amount),
    ("clm_pass_thru_per_diem_amt", 1, Demand::Amount),
    ("nch_bene_ip_ddctbl_amt", 1, Demand::Amount),
    ("nch_bene_pta_coinsrnc_lblty_am", 1, Demand::Amount),
    ("nch_bene_blood_ddctbl_lblty_am", 1, Demand::Amount),
    ("at_physn_npi", 1, Demand::Npi),
    ("op_physn_npi", 1, Demand::Npi),
    ("ot_physn_npi", 1, Demand::Npi),
    ("admtng_icd9_dgns_cd", 1, Demand::Diagnosis),
    ("icd9_dgns_cd_#", 10, Demand::Diagnosis),
    ("icd9_prcdr_cd_#", 6, Demand::Procedure),
    ("hcpcs_cd_#", 45, Demand::Hcpcs),
];

const OUTPATIENT: &[(&str, u32, Demand)] = &[
    ("clm_thru_dt", 1, Demand::NotBefore("clm_from_dt")),
    ("clm_pmt_amt", 1, Demand::Amount),
    ("nch_prmry_pyr_clm_pd_amt", 1, Demand::Amount),
    ("nch_bene_blood_ddctbl_lblty_am", 1, Demand::Amount),
    ("nch_bene_ptb_ddctbl_amt", 1, Demand::Amount),
    ("nch_bene_ptb_coinsrnc_amt", 1, Demand::Amount),
    ("at_physn_npi", 1, Demand::Npi),
    ("op_physn_npi", 1, Demand::Npi),
    ("ot_physn_npi", 1, Demand::Npi),
    ("admtng_icd9_dgns_cd", 1, Demand::Diagnosis),
    ("icd9_dgns_cd_#", 10, Demand::Diagnosis),
    ("icd9_prcdr_cd_#", 6, Demand::Procedure),
    ("hcpcs_cd_#", 45, Demand::Hcpcs),
];

const PRESCRIPTION_DRUG: &[(&str, u32, Demand)] = &[
    ("ptnt_pay_amt", 1, Demand::Amount),
    ("tot_rx_cst_amt", 1, Demand::Amount),
];

/// Of a line of a claim: the synpuf transform makes a row of each.
const CARRIER: &[(&str, u32, Demand)] = &[
    ("clm_thru_dt", 1, Demand::NotBefore("clm_from_dt")),
    ("icd9_dgns_cd_#", 8, Demand::Diagnosis),
    ("prf_physn_npi", 1, Demand::Npi),
    ("tax_num", 1, Demand::TaxNumber),
    ("hcpcs_cd", 1, Demand::Hcpcs),
    ("line_nch_pmt_amt", 1, Demand::Amount),
    ("line_bene_ptb_ddctbl_amt", 1, Demand::Amount),
    ("line_bene_prmry_pyr_pd_amt", 1, Demand::Amount),
    ("line_coinsrnc_amt", 1, Demand::Amount),
    ("line_alowd_chrg_amt", 1, Demand::Amount),
    ("line_icd9_dgns_cd", 1, Demand::Diagnosis),
];
