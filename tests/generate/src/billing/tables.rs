//! The nine files and their columns.

/// A kind of file. The names, misspelt ones too, are the files' own.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Table {
    /// `FactTable.csv`: charges, payments and adjustments.
    Fact,
    /// `Dimpatient.csv`
    Patient,
    /// `DimPhyscian.csv`
    Physician,
    /// `Dimtrancstion.csv`
    Transaction,
    /// `DimPayer.csv`
    Payer,
    /// `DimLocation.csv`
    Location,
    /// `dimDate.csv`
    Date,
    /// `dimCptCode.csv`
    CptCode,
    /// `dimDiagnosisCode.csv`
    DiagnosisCode,
}

impl Table {
    /// Every kind.
    pub const ALL: [Self; 9] = [
        Self::Fact,
        Self::Patient,
        Self::Physician,
        Self::Transaction,
        Self::Payer,
        Self::Location,
        Self::Date,
        Self::CptCode,
        Self::DiagnosisCode,
    ];

    /// The name of its table in the warehouse.
    pub fn name(self) -> &'static str {
        match self {
            Self::Fact => "fact_table",
            Self::Patient => "dim_patient",
            Self::Physician => "dim_physician",
            Self::Transaction => "dim_transaction",
            Self::Payer => "dim_payer",
            Self::Location => "dim_location",
            Self::Date => "dim_date",
            Self::CptCode => "dim_cpt_code",
            Self::DiagnosisCode => "dim_diagnosis_code",
        }
    }

    /// The file's name without its ending.
    pub fn file(self) -> &'static str {
        match self {
            Self::Fact => "FactTable",
            Self::Patient => "Dimpatient",
            Self::Physician => "DimPhyscian",
            Self::Transaction => "Dimtrancstion",
            Self::Payer => "DimPayer",
            Self::Location => "DimLocation",
            Self::Date => "dimDate",
            Self::CptCode => "dimCptCode",
            Self::DiagnosisCode => "dimDiagnosisCode",
        }
    }

    /// The header; the first column is the key.
    pub fn columns(self) -> Vec<String> {
        let names = match self {
            Self::Fact => {
                "FactTablePK dimPatientPK dimPhysicianPK dimDatePostPK dimDateServicePK dimCPTCodePK dimPayerPK dimTransactionPK dimLocationPK PatientNumber dimDiagnosisCodePK CPTUnits GrossCharge Payment Adjustment AR"
            }
            Self::Patient => {
                "dimPatientPK PatientNumber FirstName LastName Email PatientGender PatientAge City State"
            }
            Self::Physician => {
                "dimPhysicianPK ProviderNpi ProviderName ProviderSpecialty ProviderFTE"
            }
            Self::Transaction => "dimTransactionPK TransactionType Transaction AdjustmentReason",
            Self::Payer => "dimPayerPK PayerName",
            Self::Location => "dimLocationPK LocationName",
            Self::Date => "dimDatePostPK Date Year Month MonthPeriod MonthYear Day DayName",
            Self::CptCode => "dimCPTCodePK CptCode CptDesc CptGrouping",
            Self::DiagnosisCode => {
                "dimDiagnosisCodePK DiagnosisCode DiagnosisCodeDescription DiagnosisCodeGroup"
            }
        };
        names.split(' ').map(str::to_owned).collect()
    }
}
