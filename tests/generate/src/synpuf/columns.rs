//! CMS's tables: their columns, in CMS's order and case, and their file names.

/// A table of DE-SynPUF.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Table {
    /// Beneficiary Summary: 32 columns, one file per year.
    Beneficiary,
    /// Inpatient Claims: 81 columns.
    Inpatient,
    /// Outpatient Claims: 76 columns.
    Outpatient,
    /// Prescription Drug Events: 8 columns.
    DrugEvents,
    /// Carrier Claims: 142 columns, two files, A and B.
    Carrier,
}

/// Lines of a Carrier claim.
pub(super) const LINES: usize = 13;

impl Table {
    /// Every table, in the order in which the files are written.
    pub const ALL: [Self; 5] = [
        Self::Beneficiary,
        Self::Inpatient,
        Self::Outpatient,
        Self::DrugEvents,
        Self::Carrier,
    ];

    /// The table's name in the manifest: `beneficiary`, `inpatient`, `outpatient`,
    /// `prescription_drug`, `carrier`, as the cleansed tables of the synpuf pipeline are called.
    pub fn name(self) -> &'static str {
        match self {
            Self::Beneficiary => "beneficiary",
            Self::Inpatient => "inpatient",
            Self::Outpatient => "outpatient",
            Self::DrugEvents => "prescription_drug",
            Self::Carrier => "carrier",
        }
    }

    /// The columns of the table's files.
    pub fn columns(self) -> Vec<String> {
        match self {
            Self::Beneficiary => names(&[BENEFICIARY]),
            Self::Inpatient => {
                let mut columns = names(&[CLAIM, INPATIENT_STAY]);
                columns.extend(diagnoses_and_procedures());
                columns.extend(numbered("HCPCS_CD", 45));
                columns
            }
            Self::Outpatient => {
                let mut columns = names(&[CLAIM, &["NCH_BENE_BLOOD_DDCTBL_LBLTY_AM"]]);
                columns.extend(diagnoses_and_procedures());
                columns.extend(names(&[OUTPATIENT_VISIT]));
                columns.extend(numbered("HCPCS_CD", 45));
                columns
            }
            Self::DrugEvents => names(&[DRUG_EVENT]),
            Self::Carrier => {
                let mut columns = names(&[CARRIER_CLAIM]);
                columns.extend(numbered("ICD9_DGNS_CD", 8));
                for column in CARRIER_LINE {
                    columns.extend(numbered(column, LINES));
                }
                columns
            }
        }
    }

    /// The name of one of the table's files: of beneficiaries that of the year `part`, of Carrier
    /// claims that of A or B, which are the parts 0 and 1.
    pub(super) fn file_name(self, part: u32, sample: u64) -> String {
        let kind = match self {
            Self::Beneficiary => {
                return format!("DE1_0_{part}_Beneficiary_Summary_File_Sample_{sample}.csv");
            }
            Self::Inpatient => "Inpatient_Claims",
            Self::Outpatient => "Outpatient_Claims",
            Self::DrugEvents => "Prescription_Drug_Events",
            Self::Carrier => "Carrier_Claims",
        };
        let letter = match (self, part) {
            (Self::Carrier, 0) => "A",
            (Self::Carrier, _) => "B",
            _ => "",
        };
        format!("DE1_0_2008_to_2010_{kind}_Sample_{sample}{letter}.csv")
    }
}

const BENEFICIARY: &[&str] = &[
    "DESYNPUF_ID",
    "BENE_BIRTH_DT",
    "BENE_DEATH_DT",
    "BENE_SEX_IDENT_CD",
    "BENE_RACE_CD",
    "BENE_ESRD_IND",
    "SP_STATE_CODE",
    "BENE_COUNTY_CD",
    "BENE_HI_CVRAGE_TOT_MONS",
    "BENE_SMI_CVRAGE_TOT_MONS",
    "BENE_HMO_CVRAGE_TOT_MONS",
    "PLAN_CVRG_MOS_NUM",
    "SP_ALZHDMTA",
    "SP_CHF",
    "SP_CHRNKIDN",
    "SP_CNCR",
    "SP_COPD",
    "SP_DEPRESSN",
    "SP_DIABETES",
    "SP_ISCHMCHT",
    "SP_OSTEOPRS",
    "SP_RA_OA",
    "SP_STRKETIA",
    "MEDREIMB_IP",
    "BENRES_IP",
    "PPPYMT_IP",
    "MEDREIMB_OP",
    "BENRES_OP",
    "PPPYMT_OP",
    "MEDREIMB_CAR",
    "BENRES_CAR",
    "PPPYMT_CAR",
];

/// The columns with which both kinds of claims begin.
const CLAIM: &[&str] = &[
    "DESYNPUF_ID",
    "CLM_ID",
    "SEGMENT",
    "CLM_FROM_DT",
    "CLM_THRU_DT",
    "PRVDR_NUM",
    "CLM_PMT_AMT",
    "NCH_PRMRY_PYR_CLM_PD_AMT",
    "AT_PHYSN_NPI",
    "OP_PHYSN_NPI",
    "OT_PHYSN_NPI",
];

const INPATIENT_STAY: &[&str] = &[
    "CLM_ADMSN_DT",
    "ADMTNG_ICD9_DGNS_CD",
    "CLM_PASS_THRU_PER_DIEM_AMT",
    "NCH_BENE_IP_DDCTBL_AMT",
    "NCH_BENE_PTA_COINSRNC_LBLTY_AM",
    "NCH_BENE_BLOOD_DDCTBL_LBLTY_AM",
    "CLM_UTLZTN_DAY_CNT",
    "NCH_BENE_DSCHRG_DT",
    "CLM_DRG_CD",
];

const OUTPATIENT_VISIT: &[&str] = &[
    "NCH_BENE_PTB_DDCTBL_AMT",
    "NCH_BENE_PTB_COINSRNC_AMT",
    "ADMTNG_ICD9_DGNS_CD",
];

const DRUG_EVENT: &[&str] = &[
    "DESYNPUF_ID",
    "PDE_ID",
    "SRVC_DT",
    "PROD_SRVC_ID",
    "QTY_DSPNSD_NUM",
    "DAYS_SUPLY_NUM",
    "PTNT_PAY_AMT",
    "TOT_RX_CST_AMT",
];

const CARRIER_CLAIM: &[&str] = &["DESYNPUF_ID", "CLM_ID", "CLM_FROM_DT", "CLM_THRU_DT"];

/// What is said of each line, in a column for each line.
const CARRIER_LINE: [&str; 10] = [
    "PRF_PHYSN_NPI",
    "TAX_NUM",
    "HCPCS_CD",
    "LINE_NCH_PMT_AMT",
    "LINE_BENE_PTB_DDCTBL_AMT",
    "LINE_BENE_PRMRY_PYR_PD_AMT",
    "LINE_COINSRNC_AMT",
    "LINE_ALOWD_CHRG_AMT",
    "LINE_PRCSG_IND_CD",
    "LINE_ICD9_DGNS_CD",
];

fn names(groups: &[&[&str]]) -> Vec<String> {
    groups
        .iter()
        .flat_map(|group| group.iter().map(ToString::to_string))
        .collect()
}

fn numbered(prefix: &str, count: usize) -> impl Iterator<Item = String> {
    (1..=count).map(move |number| format!("{prefix}_{number}"))
}

fn diagnoses_and_procedures() -> impl Iterator<Item = String> {
    numbered("ICD9_DGNS_CD", 10).chain(numbered("ICD9_PRCDR_CD", 6))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_have_as_many_columns_as_cms_files() {
        assert_eq!(
            Table::ALL.map(|table| table.columns().len()),
            [32, 81, 76, 8, 142]
        );
    }

    #[test]
    fn columns_stand_where_cms_puts_them() {
        let at = |table: Table, number: usize| table.columns().swap_remove(number - 1);
        assert_eq!(at(Table::Inpatient, 20), "CLM_DRG_CD");
        assert_eq!(at(Table::Inpatient, 21), "ICD9_DGNS_CD_1");
        assert_eq!(at(Table::Inpatient, 36), "ICD9_PRCDR_CD_6");
        assert_eq!(at(Table::Inpatient, 81), "HCPCS_CD_45");
        assert_eq!(at(Table::Outpatient, 12), "NCH_BENE_BLOOD_DDCTBL_LBLTY_AM");
        assert_eq!(at(Table::Outpatient, 28), "ICD9_PRCDR_CD_6");
        assert_eq!(at(Table::Outpatient, 31), "ADMTNG_ICD9_DGNS_CD");
        assert_eq!(at(Table::Outpatient, 32), "HCPCS_CD_1");
        assert_eq!(at(Table::Carrier, 12), "ICD9_DGNS_CD_8");
        assert_eq!(at(Table::Carrier, 26), "TAX_NUM_1");
        assert_eq!(at(Table::Carrier, 142), "LINE_ICD9_DGNS_CD_13");
    }
}
