//! Reads the visit events of source_a: the shape that the tables are named for.
//!
//! The structs below are the shape of its records' `visits`; `From` says what they mean in the words that all
//! sources are brought to, those of [`visit_events`]. Nobody is named in visits, and the plugin is granted no other
//! column.

use serde::Deserialize;
use visit_events::{Diagnosis, Treatment, Visit, Visits, each};
use weir_plugin::prelude::*;

/// The plugin has nothing to configure.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Config {}

#[derive(FromRow)]
struct Record<'a> {
    visits: Option<Vec<Option<RecordVisit<'a>>>>,
}

#[derive(FromRow)]
struct RecordVisit<'a> {
    visit_id: Option<&'a str>,
    date: Option<&'a str>,
    diagnoses: Option<Vec<Option<RecordDiagnosis<'a>>>>,
    provider_notes: Option<RecordNotes<'a>>,
}

#[derive(FromRow)]
struct RecordDiagnosis<'a> {
    code: Option<&'a str>,
    description: Option<&'a str>,
    treatments: Option<Vec<Option<RecordTreatment<'a>>>>,
}

#[derive(FromRow)]
struct RecordTreatment<'a> {
    drug: Option<&'a str>,
    dose: Option<&'a str>,
}

#[derive(FromRow)]
struct RecordNotes<'a> {
    text: Option<&'a str>,
    author: Option<&'a str>,
}

struct SourceA;

impl RowTransform for SourceA {
    type Config = Config;
    type Input<'a> = Record<'a>;
    type Output<'a> = Visits<'a>;

    const INFO: Info = Info {
        name: "visits-source-a",
        version: env!("CARGO_PKG_VERSION"),
        description: "Brings the visits of source_a to the words of all sources.",
        columns: Record::COLUMNS,
        rules: &[],
    };

    fn bind(_: Config, _: &Context) -> Result<Self, Error> {
        Ok(Self)
    }

    fn row<'a>(&'a self, record: Record<'a>) -> Result<Visits<'a>, Rejection> {
        let visits = each(record.visits);
        Ok(Visits { visits })
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
            notes_author: notes.as_ref().and_then(|notes| notes.author),
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
            drug: treatment.drug,
            dose: treatment.dose,
        }
    }
}

weir_plugin::export_transform!(ByRow<SourceA>);
