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

/// The columns of a table as CMS has them.
pub(crate) fn columns_of(table: Table) -> Vec<(String, Kind)> {
    let groups: &[Group] = match table {
        Table::Beneficiary => BENEFICIARY,
        Table::Inpatient => INPATIENT,
        Table::Outpatient => OUTPATIENT,
        Table::PrescriptionDrug => PRESCRIPTION_DRUG,
        Table::Carrier => {
            return numbered(CARRIER_CLAIM)
                .chain(CARRIER_LINE.iter().flat_map(|(name, kind)| {
                    (1..=LINES).map(move |line| (format!("{name}_{line}"), *kind))
                }))
                .collect();
        }
    };
    numbered(groups).collect()
}

/// A group of columns: its name, how many there are, what they are.
pub(crate) type Group = (&'static str, u32, Kind);

/// The columns of groups, a name that ends in `#` with its numbers.
pub(crate) fn numbered(groups: &[Group]) -> impl Iterator<Item = (String, Kind)> {
    groups.iter().flat_map(|(name, count, kind)| {
        let stem = name.strip_suffix('#');
        (1..=*count).map(move |number| match stem {
            Some(stem) => (format!("{stem}{number}"), *kind),
            None => ((*name).to_owned(), *kind),
        })
    })
}

/// Lines of a Carrier claim.
pub(crate) const LINES: usize = 13;

const BENEFICIARY: &[Group] = &[
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

const INPATIENT: &[Group] = &[
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

const OUTPATIENT: &[Group] = &[
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

const PRESCRIPTION_DRUG: &[Group] = &[
    ("desynpuf_id", 1, Kind::Text),
    ("pde_id", 1, Kind::Text),
    ("srvc_dt", 1, Kind::Date),
    ("prod_srvc_id", 1, Kind::Code),
    ("qty_dspnsd_num", 1, Kind::Quantity),
    ("days_suply_num", 1, Kind::Count),
    ("ptnt_pay_amt", 1, Kind::Amount),
    ("tot_rx_cst_amt", 1, Kind::Amount),
];

/// What a Carrier claim says of itself.
pub(crate) const CARRIER_CLAIM: &[Group] = &[
    ("desynpuf_id", 1, Kind::Text),
    ("clm_id", 1, Kind::Text),
    ("clm_from_dt", 1, Kind::Date),
    ("clm_thru_dt", 1, Kind::Date),
    ("icd9_dgns_cd_#", 8, Kind::Code),
];

/// What it says of each of its lines, in a column for each line: `hcpcs_cd_1` to `hcpcs_cd_13`.
pub(crate) const CARRIER_LINE: &[(&str, Kind)] = &[
    ("prf_physn_npi", Kind::Text),
    ("tax_num", Kind::Text),
    ("hcpcs_cd", Kind::Code),
    ("line_nch_pmt_amt", Kind::Amount),
    ("line_bene_ptb_ddctbl_amt", Kind::Amount),
    ("line_bene_prmry_pyr_pd_amt", Kind::Amount),
    ("line_coinsrnc_amt", Kind::Amount),
    ("line_alowd_chrg_amt", Kind::Amount),
    ("line_prcsg_ind_cd", Kind::Code),
    ("line_icd9_dgns_cd", Kind::Code),
];
