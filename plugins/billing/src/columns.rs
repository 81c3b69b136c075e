//! The columns of each table, in the files' order, and what each is.

use weir_plugin::arrow::datatypes::DataType;

use super::Table;

/// What a column of text holds, and so what becomes of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A name, a description or a code of digits: trimmed.
    Text,
    /// A code that may have letters: trimmed and in upper case.
    Code,
    /// A surrogate key.
    Key,
    /// The key of a day, `20230102`.
    DateKey,
    /// A day, `01/02/2023`.
    Date,
    /// A small whole number.
    Count,
    /// A share of a full-time position, in hundredths.
    Share,
    /// Units of a procedure, in hundredths; blank is none.
    Units,
    /// Dollars and cents; blank is none.
    Amount,
}

impl Kind {
    /// The type of the cleansed column.
    pub(crate) fn data_type(self) -> DataType {
        match self {
            Self::Text | Self::Code => DataType::Utf8,
            Self::Key => DataType::Int64,
            Self::DateKey => DataType::Int32,
            Self::Date => DataType::Date32,
            Self::Count => DataType::Int16,
            Self::Share => DataType::Decimal128(5, 2),
            Self::Units | Self::Amount => DataType::Decimal128(12, 2),
        }
    }
}

/// The columns of a table.
pub(crate) fn columns_of(table: Table) -> &'static [(&'static str, Kind)] {
    match table {
        Table::Fact => FACT_TABLE,
        Table::DimPatient => DIM_PATIENT,
        Table::DimPhysician => DIM_PHYSICIAN,
        Table::DimTransaction => DIM_TRANSACTION,
        Table::DimPayer => DIM_PAYER,
        Table::DimLocation => DIM_LOCATION,
        Table::DimDate => DIM_DATE,
        Table::DimCptCode => DIM_CPT_CODE,
        Table::DimDiagnosisCode => DIM_DIAGNOSIS_CODE,
    }
}

const FACT_TABLE: &[(&str, Kind)] = &[
    ("fact_table_pk", Kind::Key),
    ("dim_patient_pk", Kind::Key),
    ("dim_physician_pk", Kind::Key),
    ("dim_date_post_pk", Kind::DateKey),
    ("dim_date_service_pk", Kind::DateKey),
    ("dim_cpt_code_pk", Kind::Key),
    ("dim_payer_pk", Kind::Key),
    ("dim_transaction_pk", Kind::Key),
    ("dim_location_pk", Kind::Key),
    ("patient_number", Kind::Text),
    ("dim_diagnosis_code_pk", Kind::Key),
    ("cpt_units", Kind::Units),
    ("gross_charge", Kind::Amount),
    ("payment", Kind::Amount),
    ("adjustment", Kind::Amount),
    ("ar", Kind::Amount),
];

const DIM_PATIENT: &[(&str, Kind)] = &[
    ("dim_patient_pk", Kind::Key),
    ("patient_number", Kind::Text),
    ("first_name", Kind::Text),
    ("last_name", Kind::Text),
    ("email", Kind::Text),
    ("patient_gender", Kind::Text),
    ("patient_age", Kind::Count),
    ("city", Kind::Text),
    ("state", Kind::Code),
];

const DIM_PHYSICIAN: &[(&str, Kind)] = &[
    ("dim_physician_pk", Kind::Key),
    ("provider_npi", Kind::Text),
    ("provider_name", Kind::Text),
    ("provider_specialty", Kind::Text),
    ("provider_fte", Kind::Share),
];

const DIM_TRANSACTION: &[(&str, Kind)] = &[
    ("dim_transaction_pk", Kind::Key),
    ("transaction_type", Kind::Text),
    ("transaction", Kind::Text),
    ("adjustment_reason", Kind::Text),
];

const DIM_PAYER: &[(&str, Kind)] = &[("dim_payer_pk", Kind::Key), ("payer_name", Kind::Text)];

const DIM_LOCATION: &[(&str, Kind)] = &[
    ("dim_location_pk", Kind::Key),
    ("location_name", Kind::Text),
];

const DIM_DATE: &[(&str, Kind)] = &[
    ("dim_date_pk", Kind::DateKey),
    ("calendar_date", Kind::Date),
    ("year", Kind::Count),
    ("month", Kind::Text),
    ("month_period", Kind::Text),
    ("month_year", Kind::Text),
    ("day", Kind::Count),
    ("day_name", Kind::Text),
];

const DIM_CPT_CODE: &[(&str, Kind)] = &[
    ("dim_cpt_code_pk", Kind::Key),
    ("cpt_code", Kind::Code),
    ("cpt_desc", Kind::Text),
    ("cpt_grouping", Kind::Text),
];

const DIM_DIAGNOSIS_CODE: &[(&str, Kind)] = &[
    ("dim_diagnosis_code_pk", Kind::Key),
    ("diagnosis_code", Kind::Code),
    ("diagnosis_code_description", Kind::Text),
    ("diagnosis_code_group", Kind::Text),
];
