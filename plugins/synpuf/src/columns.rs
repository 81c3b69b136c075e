//! The columns of each table, in CMS's order and in lower case, and what each is.

use weir_plugin::arrow::datatypes::DataType;

use super::Table;

/// What a raw column holds, and so what becomes of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// An identifier, or a code of digits: trimmed.
    Text,
    /// A code that may have letters: trimmed and in upper case.
    Code,
    /// A day, `20100312`.
    Date,
    /// A small whole number.
    Count,
    /// A count of days that CMS leaves out where there were none.
    Days,
    /// Dollars and cents; negative for a reversal.
    Amount,
    /// A quantity of a drug, in thousandths.
    Quantity,
}

impl Kind {
    /// The type of the cleansed column.
    pub(crate) fn data_type(self) -> DataType {
        match self {
            Self::Text | Self::Code => DataType::Utf8,
            Self::Date => DataType::Date32,
            Self::Count | Self::Days => DataType::Int16,
            Self::Amount => DataType::Decimal128(12, 2),
            Self::Quantity => DataType::Decimal128(12, 3),
        }
    }
}

/// The columns of a table. A name that ends in `#` stands for as many numbered columns.
pub(crate) fn columns_of(table: Table) -> Vec<(String, Kind)> {
    let groups: &[(&str, u32, Kind)] = match table {
        Table::Beneficiary => BENEFICIARY,
        Table::Inpatient => INPATIENT,
        Table::Outpatient => OUTPATIENT,
        Table::PrescriptionDrug => PRESCRIPTION_DRUG,
    };
    let mut columns = Vec::new();
    for (name, count, kind) in groups {
        match name.strip_suffix('#') {
            Some(stem) => {
                columns.extend((1..=*count).map(|number| (format!("{stem}{number}"), *kind)))
            }
            None => columns.push(((*name).to_owned(), *kind)),
        }
    }
    columns
}

const BENEFICIARY: &[(&str, u32, Kind)] = &[
    ("desynpuf_id", 1, Kind::Text),
    ("bene_birth_dt", 1, Kind::Date),
    ("bene_death_dt", 1, Kind::Date),
    ("bene_sex_ident_cd", 1, Kind::Text),
    ("bene_race_cd", 1, Kind::Text),
    ("bene_esrd_ind", 1, Kind::Code),
    ("sp_state_code", 1, Kind::Text),
    ("bene_county_cd", 1, Kind::Text),
    ("bene_hi_cvrage_tot_mons", 1, Kind::Count),
    ("bene_smi_cvrage_tot_mons", 1, Kind::Count),
    ("bene_hmo_cvrage_tot_mons", 1, Kind::Count),
    ("plan_cvrg_mos_num", 1, Kind::Count),
    ("sp_alzhdmta", 1, Kind::Text),
    ("sp_chf", 1, Kind::Text),
    ("sp_chrnkidn", 1, Kind::Text),
    ("sp_cncr", 1, Kind::Text),
    ("sp_copd", 1, Kind::Text),
    ("sp_depressn", 1, Kind::Text),
    ("sp_diabetes", 1, Kind::Text),
    ("sp_ischmcht", 1, Kind::Text),
    ("sp_osteoprs", 1, Kind::Text),
    ("sp_ra_oa", 1, Kind::Text),
    ("sp_strketia", 1, Kind::Text),
    ("medreimb_ip", 1, Kind::Amount),
    ("benres_ip", 1, Kind::Amount),
    ("pppymt_ip", 1, Kind::Amount),
    ("medreimb_op", 1, Kind::Amount),
    ("benres_op", 1, Kind::Amount),
    ("pppymt_op", 1, Kind::Amount),
    ("medreimb_car", 1, Kind::Amount),
    ("benres_car", 1, Kind::Amount),
    ("pppymt_car", 1, Kind::Amount),
];

const INPATIENT: &[(&str, u32, Kind)] = &[
    ("desynpuf_id", 1, Kind::Text),
    ("clm_id", 1, Kind::Text),
    ("segment", 1, Kind::Count),
    ("clm_from_dt", 1, Kind::Date),
    ("clm_thru_dt", 1, Kind::Date),
    ("prvdr_num", 1, Kind::Code),
    ("clm_pmt_amt", 1, Kind::Amount),
    ("nch_prmry_pyr_clm_pd_amt", 1, Kind::Amount),
    ("at_physn_npi", 1, Kind::Text),
    ("op_physn_npi", 1, Kind::Text),
    ("ot_physn_npi", 1, Kind::Text),
    ("clm_admsn_dt", 1, Kind::Date),
    ("admtng_icd9_dgns_cd", 1, Kind::Code),
    ("clm_pass_thru_per_diem_amt", 1, Kind::Amount),
    ("nch_bene_ip_ddctbl_amt", 1, Kind::Amount),
    ("nch_bene_pta_coinsrnc_lblty_am", 1, Kind::Amount),
    ("nch_bene_blood_ddctbl_lblty_am", 1, Kind::Amount),
    ("clm_utlztn_day_cnt", 1, Kind::Days),
    ("nch_bene_dschrg_dt", 1, Kind::Date),
    ("clm_drg_cd", 1, Kind::Code),
    ("icd9_dgns_cd_#", 10, Kind::Code),
    ("icd9_prcdr_cd_#", 6, Kind::Code),
    ("hcpcs_cd_#", 45, Kind::Code),
];

const OUTPATIENT: &[(&str, u32, Kind)] = &[
    ("desynpuf_id", 1, Kind::Text),
    ("clm_id", 1, Kind::Text),
    ("segment", 1, Kind::Count),
    ("clm_from_dt", 1, Kind::Date),
    ("clm_thru_dt", 1, Kind::Date),
    ("prvdr_num", 1, Kind::Code),
    ("clm_pmt_amt", 1, Kind::Amount),
    ("nch_prmry_pyr_clm_pd_amt", 1, Kind::Amount),
    ("at_physn_npi", 1, Kind::Text),
    ("op_physn_npi", 1, Kind::Text),
    ("ot_physn_npi", 1, Kind::Text),
    ("nch_bene_blood_ddctbl_lblty_am", 1, Kind::Amount),
    ("icd9_dgns_cd_#", 10, Kind::Code),
    ("icd9_prcdr_cd_#", 6, Kind::Code),
    ("nch_bene_ptb_ddctbl_amt", 1, Kind::Amount),
    ("nch_bene_ptb_coinsrnc_amt", 1, Kind::Amount),
    ("admtng_icd9_dgns_cd", 1, Kind::Code),
    ("hcpcs_cd_#", 45, Kind::Code),
];

const PRESCRIPTION_DRUG: &[(&str, u32, Kind)] = &[
    ("desynpuf_id", 1, Kind::Text),
    ("pde_id", 1, Kind::Text),
    ("srvc_dt", 1, Kind::Date),
    ("prod_srvc_id", 1, Kind::Code),
    ("qty_dspnsd_num", 1, Kind::Quantity),
    ("days_suply_num", 1, Kind::Count),
    ("ptnt_pay_amt", 1, Kind::Amount),
    ("tot_rx_cst_amt", 1, Kind::Amount),
];
