//! The tables that visit events become, whichever source they come from.
//!
//! Each source has its own words for the same things. A plugin for a source reads a record in these words
//! and says what it means as an [`Event`]; [`Event::tables`] makes the rows of the four tables of it, under
//! rules that are the same for all sources: a source cannot forget one.
//!
//! ```
//! use visit_tables::{Diagnosis, Event, NO_DRUG, Treatment, Visit};
//!
//! let mut event = Event {
//!     patient_id: Some("P1"),
//!     name: Some("Ada"),
//!     visits: vec![Visit {
//!         visit_id: Some("V1"),
//!         date: Some("2024-03-01"),
//!         diagnoses: vec![Diagnosis {
//!             code: Some("I10"),
//!             description: None,
//!             treatments: vec![Treatment { drug: Some("lisinopril"), dose: Some("10 mg") }],
//!         }],
//!         ..Visit::default()
//!     }],
//! };
//! let (patient, visits, diagnoses, treatments) = event.clone().tables()?;
//! assert_eq!((patient.patient_id, visits[0].visit_id), ("P1", "V1"));
//! assert_eq!((diagnoses[0].visit_id, treatments[0].treatments_drug), ("V1", "lisinopril"));
//!
//! event.visits[0].diagnoses[0].treatments[0].drug = Some(" ");
//! assert_eq!(event.tables().unwrap_err().rule(), &NO_DRUG);
//! # Ok::<(), weir_plugin::rows::Rejection>(())
//! ```

mod event;
mod tables;

pub use event::{Diagnosis, Event, Treatment, Visit};
pub use tables::{
    BAD_DATE, DiagnosisRow, NO_DIAGNOSIS_CODE, NO_DRUG, NO_PATIENT_ID, NO_VISIT_ID, OUTPUTS,
    PatientRow, RULES, Tables, TreatmentRow, VisitRow,
};
