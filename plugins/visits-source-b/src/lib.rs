//! Reads the visit events of source_b: as those of source_a, with other words for drug, dose and author.
//!
//! A record is what a JSON file has of one patient. The structs below are its shape; `Event` says what it means,
//! and [`visit_tables`] makes rows of that.

use serde::Deserialize;
use visit_tables::{Diagnosis, Event, OUTPUTS, RULES, Tables, Treatment, Visit};
use weir_plugin::prelude::*;

/// The plugin has nothing to configure.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Config {}

#[derive(FromRow)]
struct Record<'a> {
    patient_id: Option<&'a str>,
    name: Option<&'a str>,
    visits: Option<Vec<RecordVisit<'a>>>,
}

#[derive(FromRow)]
struct RecordVisit<'a> {
    visit_id: Option<&'a str>,
    date: Option<&'a str>,
    diagnoses: Option<Vec<RecordDiagnosis<'a>>>,
    provider_notes: Option<RecordNotes<'a>>,
}

#[derive(FromRow)]
struct RecordDiagnosis<'a> {
    code: Option<&'a str>,
    description: Option<&'a str>,
    treatments: Option<Vec<RecordTreatment<'a>>>,
}

#[derive(FromRow)]
struct RecordTreatment<'a> {
    drug_test: Option<&'a str>,
    dose_test: Option<&'a str>,
}

#[derive(FromRow)]
struct RecordNotes<'a> {
    text: Option<&'a str>,
    author_test: Option<&'a str>,
}

struct SourceB;

impl RowTransform for SourceB {
    type Config = Config;
    type Input<'a> = Record<'a>;
    type Output<'a> = Tables<'a>;

    const INFO: Info = Info {
        name: "visits-source-b",
        version: env!("CARGO_PKG_VERSION"),
        description: "Makes patients, visits, diagnoses and treatments of the visit events of source_b.",
        columns: Record::COLUMNS,
        rules: RULES,
    };

    const OUTPUTS: &'static [&'static str] = OUTPUTS;

    fn bind(_: Config, _: &Context) -> Result<Self, Error> {
        Ok(Self)
    }

    fn row<'a>(&'a self, record: Record<'a>) -> Result<Tables<'a>, Rejection> {
        Event::from(record).tables()
    }
}

impl<'a> From<Record<'a>> for Event<'a> {
    fn from(record: Record<'a>) -> Self {
        Self {
            patient_id: record.patient_id,
            name: record.name,
            visits: each(record.visits),
        }
    }
}

impl<'a> From<RecordVisit<'a>> for Visit<'a> {
    fn from(visit: RecordVisit<'a>) -> Self {
        let notes = visit.provider_notes;
        Self {
            visit_id: visit.visit_id,
            date: visit.date,
            diagnoses: each(visit.diagnoses),
            notes_text: notes.as_ref().and_then(|notes| notes.text),
            notes_author: notes.as_ref().and_then(|notes| notes.author_test),
        }
    }
}

impl<'a> From<RecordDiagnosis<'a>> for Diagnosis<'a> {
    fn from(diagnosis: RecordDiagnosis<'a>) -> Self {
        Self {
            code: diagnosis.code,
            description: diagnosis.description,
            treatments: each(diagnosis.treatments),
        }
    }
}

impl<'a> From<RecordTreatment<'a>> for Treatment<'a> {
    fn from(treatment: RecordTreatment<'a>) -> Self {
        Self {
            drug: treatment.drug_test,
            dose: treatment.dose_test,
        }
    }
}

/// The items of a list in our words; a list that is not there has none.
fn each<T, Ours: From<T>>(items: Option<Vec<T>>) -> Vec<Ours> {
    items
        .unwrap_or_default()
        .into_iter()
        .map(Ours::from)
        .collect()
}

weir_plugin::export_transform!(ByRow<SourceB>);
