//! The words that all sources of visit events are brought to.
//!
//! A plugin for a source reads visits in the source's words and gives a [`Visit`] for each, in ours; the plugin
//! `visit-tables` reads these. Nothing is judged here: texts are as the source wrote them, and what it left out
//! is null.
//!
//! ```
//! use visit_events::{Treatment, each};
//!
//! /// As some source says it.
//! struct Prescribed<'a> {
//!     drug_name: Option<&'a str>,
//! }
//!
//! impl<'a> From<Prescribed<'a>> for Treatment<'a> {
//!     fn from(prescribed: Prescribed<'a>) -> Self {
//!         Self { drug: prescribed.drug_name, dose: None }
//!     }
//! }
//!
//! let ours: Vec<Treatment> = each(Some(vec![Some(Prescribed { drug_name: Some("metformin") }), None]));
//! assert_eq!(ours, [Treatment { drug: Some("metformin"), dose: None }, Treatment::default()]);
//! ```

use weir_plugin::rows::{FromRow, IntoRow};

/// The column of a record that a source's plugin gives.
#[derive(Clone, Debug, Default, PartialEq, Eq, FromRow, IntoRow)]
pub struct Visits<'a> {
    /// The visits of one patient on one day; none is no fault.
    pub visits: Vec<Visit<'a>>,
}

/// One visit.
#[derive(Clone, Debug, Default, PartialEq, Eq, FromRow, IntoRow)]
pub struct Visit<'a> {
    /// Its number at the source.
    pub visit_id: Option<&'a str>,
    /// Its day, `2024-03-01`.
    pub date: Option<&'a str>,
    /// What was found.
    pub diagnoses: Vec<Diagnosis<'a>>,
    /// What the provider noted.
    pub notes_text: Option<&'a str>,
    /// Who noted it.
    pub notes_author: Option<&'a str>,
}

/// One diagnosis of a visit.
#[derive(Clone, Debug, Default, PartialEq, Eq, FromRow, IntoRow)]
pub struct Diagnosis<'a> {
    /// Its code.
    pub code: Option<&'a str>,
    /// The code in words.
    pub description: Option<&'a str>,
    /// What was prescribed for it.
    pub treatments: Vec<Treatment<'a>>,
}

/// One drug that was prescribed for a diagnosis.
#[derive(Clone, Debug, Default, PartialEq, Eq, FromRow, IntoRow)]
pub struct Treatment<'a> {
    /// The drug.
    pub drug: Option<&'a str>,
    /// How much of it.
    pub dose: Option<&'a str>,
}

/// The items of a source's list in our words. A list that is not there has none; an item that is null is one of
/// which nothing is known, so that it is not lost before somebody judges it.
pub fn each<Theirs, Ours>(items: Option<Vec<Option<Theirs>>>) -> Vec<Ours>
where
    Ours: From<Theirs> + Default,
{
    let items = items.unwrap_or_default().into_iter();
    items
        .map(|item| item.map(Ours::from).unwrap_or_default())
        .collect()
}
