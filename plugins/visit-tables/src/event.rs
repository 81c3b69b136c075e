//! What a record says, in words of no source.

/// What a source says of one patient on one day. Texts are as the source wrote them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Event<'a> {
    /// Whose record it is.
    pub patient_id: Option<&'a str>,
    /// The patient's name, or what a mask has made of it.
    pub name: Option<&'a str>,
    /// The visits; none is no fault.
    pub visits: Vec<Visit<'a>>,
}

/// One visit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
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
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Diagnosis<'a> {
    /// Its code.
    pub code: Option<&'a str>,
    /// The code in words.
    pub description: Option<&'a str>,
    /// What was prescribed for it.
    pub treatments: Vec<Treatment<'a>>,
}

/// One drug that was prescribed for a diagnosis.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Treatment<'a> {
    /// The drug.
    pub drug: Option<&'a str>,
    /// How much of it.
    pub dose: Option<&'a str>,
}
