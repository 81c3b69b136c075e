//! The rows that a record becomes, and the rules that it must keep to.

use visit_events::Visit;
use weir_plugin::prelude::*;
use weir_plugin::rows::{Date, MISSING_VALUE};

/// What a source says of one patient on one day.
#[derive(Clone, Debug, FromRow)]
pub(crate) struct Record<'a> {
    /// Whose record it is.
    pub(crate) patient_id: Option<&'a str>,
    /// The patient's name, or what a mask has made of it.
    pub(crate) name: Option<&'a str>,
    /// In our words.
    pub(crate) visits: Vec<Visit<'a>>,
}

/// A record is about somebody.
pub(crate) const NO_PATIENT_ID: Rule = Rule {
    name: "no_patient_id",
    description: "A record has a patient_id that is not blank.",
};
/// A visit can be told from others.
pub(crate) const NO_VISIT_ID: Rule = Rule {
    name: "no_visit_id",
    description: "A visit has a visit_id that is not blank.",
};
/// A visit has a day.
pub(crate) const BAD_DATE: Rule = Rule {
    name: "bad_date",
    description: "A visit has a date, a day of the calendar written yyyy-mm-dd.",
};
/// A diagnosis has a code.
pub(crate) const NO_DIAGNOSIS_CODE: Rule = Rule {
    name: "no_diagnosis_code",
    description: "A diagnosis has a code that is not blank.",
};
/// A treatment has a drug.
pub(crate) const NO_DRUG: Rule = Rule {
    name: "no_drug",
    description: "A treatment has a drug that is not blank.",
};

/// Every reason for which a record is rejected: the last is the SDK's own, for a
/// list that is null.
pub(crate) const RULES: &[Rule] = &[
    NO_PATIENT_ID,
    NO_VISIT_ID,
    BAD_DATE,
    NO_DIAGNOSIS_CODE,
    NO_DRUG,
    MISSING_VALUE,
];

/// The names of the outputs, in the order of [`Tables`].
pub(crate) const OUTPUTS: &[&str] = &["patients", "visits", "diagnoses", "treatments"];

/// What becomes of a record: the rows of each table.
pub(crate) type Tables<'a> = (
    PatientRow<'a>,
    Vec<VisitRow<'a>>,
    Vec<DiagnosisRow<'a>>,
    Vec<TreatmentRow<'a>>,
);

/// A row of `patients`.
#[derive(Clone, Debug, PartialEq, Eq, IntoRow)]
pub(crate) struct PatientRow<'a> {
    /// The key.
    pub(crate) patient_id: &'a str,
    /// The name, or what a mask has made of it.
    pub(crate) name: Option<&'a str>,
}

/// A row of `visits`.
#[derive(Clone, Debug, PartialEq, Eq, IntoRow)]
pub(crate) struct VisitRow<'a> {
    /// The key.
    pub(crate) visit_id: &'a str,
    /// Whose visit it was.
    pub(crate) patient_id: &'a str,
    /// Its day.
    pub(crate) visit_date: Date,
    /// What the provider noted.
    pub(crate) provider_notes_text: Option<&'a str>,
    /// Who noted it.
    pub(crate) provider_notes_author: Option<&'a str>,
}

/// A row of `diagnoses`; its key is code and visit.
#[derive(Clone, Debug, PartialEq, Eq, IntoRow)]
pub(crate) struct DiagnosisRow<'a> {
    /// The code.
    pub(crate) diagnosis_code: &'a str,
    /// At which visit it was found.
    pub(crate) visit_id: &'a str,
    /// The code in words.
    pub(crate) diagnosis_description: Option<&'a str>,
}

/// A row of `treatments`.
#[derive(Clone, Debug, PartialEq, Eq, IntoRow)]
pub(crate) struct TreatmentRow<'a> {
    /// The drug.
    pub(crate) treatments_drug: &'a str,
    /// How much of it.
    pub(crate) treatments_dose: Option<&'a str>,
    /// For which diagnosis,
    pub(crate) diagnosis_code: &'a str,
    /// and at which visit.
    pub(crate) visit_id: &'a str,
}

impl<'a> Record<'a> {
    /// The rows of the four tables: texts without the space around them, blank ones as null.
    ///
    /// # Errors
    /// A [`Rejection`] of the whole record, under one of [`RULES`], where a key or a date is missing or a date is
    /// none: so no table has a row whose parent is in quarantine.
    pub(crate) fn tables(self) -> Result<Tables<'a>, Rejection> {
        let patient_id = needed(
            self.patient_id,
            &NO_PATIENT_ID,
            "the record has no patient_id",
        )?;
        let mut visits = Vec::with_capacity(self.visits.len());
        let mut diagnoses = Vec::with_capacity(self.visits.len());
        let mut treatments = Vec::with_capacity(self.visits.len());
        for visit in self.visits {
            let visit_id = needed(visit.visit_id, &NO_VISIT_ID, "a visit has no visit_id")?;
            let date = needed(visit.date, &BAD_DATE, "a visit has no date")?;
            let visit_date = date.parse();
            visits.push(VisitRow {
                visit_id,
                patient_id,
                visit_date: visit_date
                    .map_err(|_| Rejection::new(&BAD_DATE, "the date of a visit is none"))?,
                provider_notes_text: given(visit.notes_text),
                provider_notes_author: given(visit.notes_author),
            });
            for diagnosis in visit.diagnoses {
                let diagnosis_code = needed(
                    diagnosis.code,
                    &NO_DIAGNOSIS_CODE,
                    "a diagnosis has no code",
                )?;
                diagnoses.push(DiagnosisRow {
                    diagnosis_code,
                    visit_id,
                    diagnosis_description: given(diagnosis.description),
                });
                for treatment in diagnosis.treatments {
                    treatments.push(TreatmentRow {
                        treatments_drug: needed(
                            treatment.drug,
                            &NO_DRUG,
                            "a treatment has no drug",
                        )?,
                        treatments_dose: given(treatment.dose),
                        diagnosis_code,
                        visit_id,
                    });
                }
            }
        }
        let patient = PatientRow {
            patient_id,
            name: given(self.name),
        };
        Ok((patient, visits, diagnoses, treatments))
    }
}

/// The text without the space around it; none where nothing is left.
fn given(text: Option<&str>) -> Option<&str> {
    text.map(str::trim).filter(|text| !text.is_empty())
}

fn needed<'a>(
    text: Option<&'a str>,
    rule: &'static Rule,
    message: &'static str,
) -> Result<&'a str, Rejection> {
    given(text).ok_or_else(|| Rejection::new(rule, message))
}

#[cfg(test)]
mod tests {
    use super::*;
    use visit_events::{Diagnosis, Treatment};

    fn visit<'a>(visit_id: &'a str, codes: &[&'a str]) -> Visit<'a> {
        let diagnoses = codes.iter().map(|code| Diagnosis {
            code: Some(code),
            description: None,
            treatments: vec![Treatment {
                drug: Some("drug"),
                dose: None,
            }],
        });
        Visit {
            visit_id: Some(visit_id),
            date: Some("2024-02-29"),
            diagnoses: diagnoses.collect(),
            ..Visit::default()
        }
    }

    fn record<'a>(visits: Vec<Visit<'a>>) -> Record<'a> {
        Record {
            patient_id: Some("P1"),
            name: None,
            visits,
        }
    }

    /// One code at two visits is two diagnoses, and each treatment belongs to one of them.
    #[test]
    fn a_diagnosis_belongs_to_its_visit() {
        let record = record(vec![
            visit("V1", &["I10", "E11.9"]),
            visit(" V2 ", &["I10"]),
        ]);
        let (_, visits, diagnoses, treatments) = record.tables().unwrap();
        assert_eq!(visits.len(), 2);
        let keys = |row: &DiagnosisRow<'static>| (row.visit_id, row.diagnosis_code);
        let expected = [("V1", "I10"), ("V1", "E11.9"), ("V2", "I10")];
        assert!(diagnoses.iter().map(keys).eq(expected));
        assert!(
            treatments
                .iter()
                .map(|row| (row.visit_id, row.diagnosis_code))
                .eq(expected)
        );
    }

    #[test]
    fn nothing_to_tell_is_no_fault() {
        assert_eq!(record(vec![]).tables().unwrap().1, []);
        let (_, visits, diagnoses, _) = record(vec![visit("V1", &[])]).tables().unwrap();
        assert_eq!((visits.len(), diagnoses.len()), (1, 0));
    }

    #[test]
    fn each_thing_that_is_missing_has_its_rule() {
        let broken = |breaks: fn(&mut Record<'_>)| {
            let mut record = record(vec![visit("V1", &["I10"])]);
            breaks(&mut record);
            record.tables().unwrap_err().rule().name
        };
        assert_eq!(broken(|record| record.patient_id = None), "no_patient_id");
        assert_eq!(
            broken(|record| record.patient_id = Some(" \t")),
            "no_patient_id"
        );
        assert_eq!(
            broken(|record| record.visits[0].visit_id = Some("")),
            "no_visit_id"
        );
        assert_eq!(broken(|record| record.visits[0].date = None), "bad_date");
        for date in [
            "2024-02-30",
            "20240229",
            "02/29/2024",
            "2024-02-29T10:00:00",
        ] {
            let mut record = record(vec![visit("V1", &["I10"])]);
            record.visits[0].date = Some(date);
            assert_eq!(record.tables().unwrap_err().rule(), &BAD_DATE, "{date}");
        }
        assert_eq!(
            broken(|record| record.visits[0].diagnoses[0].code = None),
            "no_diagnosis_code"
        );
        let no_drug =
            |record: &mut Record<'_>| record.visits[0].diagnoses[0].treatments[0].drug = None;
        assert_eq!(broken(no_drug), "no_drug");
    }
}
