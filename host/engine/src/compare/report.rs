//! What a comparison has found.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::commit::Counts;

/// The same of both sides.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Both<T> {
    /// With the plugin as the pipeline has it.
    pub old: T,
    /// With the other component.
    pub new: T,
}

impl<T: PartialEq> Both<T> {
    /// Whether it is not the same on both.
    pub fn differs(&self) -> bool {
        self.old != self.new
    }
}

/// What two components of a plugin make of the same rows.
#[derive(Debug, Clone, Serialize)]
pub struct Comparison {
    /// The plugin's name in the file.
    pub plugin: String,
    /// The most rows that were read in each step.
    pub limit: Option<u64>,
    /// The components.
    pub component: Both<Component>,
    /// The steps that have it.
    pub steps: Vec<StepComparison>,
}

/// A component.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Component {
    /// Where it is from.
    pub source: String,
    /// Its SHA-256.
    pub sha256: String,
    /// The version that it says.
    pub version: String,
    /// What it imports, sorted.
    pub imports: Vec<String>,
    /// The rules that it may raise.
    pub rules: Vec<String>,
}

/// What differs in a step.
#[derive(Debug, Clone, Serialize)]
pub struct StepComparison {
    /// Its name.
    pub step: String,
    /// Its input rows.
    pub counts: Both<Counts>,
    /// Why a run of it would fail.
    pub fails: Fails,
    /// Its targets; none where the new one ended at a row.
    pub outputs: Vec<OutputComparison>,
    /// The rules that other numbers of rows broke.
    pub rules: Vec<RuleChange>,
    /// The rows in quarantine; none where the step keeps none.
    pub quarantine: Option<Rows>,
    /// What the plugin used.
    pub cost: Vec<Cost>,
}

/// Why a run would fail because of what its rows are.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Fails {
    /// With the plugin as the pipeline has it.
    pub old: Option<String>,
    /// With the other component.
    pub new: Option<String>,
}

/// What differs in a target.
#[derive(Debug, Clone, Serialize)]
pub struct OutputComparison {
    /// The target.
    pub target: String,
    /// The columns by which rows are the same; empty where none say so.
    pub key: Vec<String>,
    /// The columns that both sides have, in one type: rows are compared by these.
    pub columns: Vec<String>,
    /// The columns that differ themselves.
    pub schema: Vec<ColumnChange>,
    /// The rows.
    pub rows: Rows,
}

/// A column that one side has not, or has in another type.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ColumnChange {
    /// Its name.
    pub column: String,
    /// Its type on each side that has it.
    pub types: Both<Option<String>>,
}

/// Which rows differ. A row that is there twice counts twice.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Rows {
    /// Rows that only the old side has.
    pub only_old: u64,
    /// Rows that only the new side has.
    pub only_new: u64,
    /// Rows of one key that are not the same.
    pub changed: u64,
    /// How many of those differ in which column.
    pub changed_columns: BTreeMap<String, u64>,
    /// Some of the rows that only the old side has.
    pub old_examples: Vec<Row>,
    /// Some of the rows that only the new side has.
    pub new_examples: Vec<Row>,
    /// Some of the rows of one key that are not the same.
    pub changed_examples: Vec<ChangedRow>,
}

impl Rows {
    /// Whether there is any difference.
    pub fn differ(&self) -> bool {
        self.only_old > 0 || self.only_new > 0 || self.changed > 0
    }
}

/// A row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Row {
    /// How often it is there more than on the other side.
    pub times: u64,
    /// Its values.
    pub values: Vec<Cell>,
}

/// A value of a row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Cell {
    /// The column.
    pub column: String,
    /// The value.
    pub value: Shown,
}

/// Two rows of one key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ChangedRow {
    /// The key.
    pub key: Vec<Cell>,
    /// The values that differ.
    pub values: Vec<ChangedCell>,
}

/// A value that is another on the other side.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ChangedCell {
    /// The column.
    pub column: String,
    /// The values.
    #[serde(flatten)]
    pub values: Both<Shown>,
}

/// A value as people may see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Shown {
    /// There is none.
    Null,
    /// As text.
    Text(String),
    /// The column is sensitive: it is there, and not told.
    Withheld {
        /// Always true.
        withheld: bool,
    },
}

/// A rule that other numbers of rows broke.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RuleChange {
    /// The stage's label.
    pub stage: String,
    /// The rule.
    pub rule: String,
    /// Whether rows are only warned of.
    pub warned: bool,
    /// How many rows.
    pub rows: Both<u64>,
}

/// What the plugin used in a stage.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Cost {
    /// The stage's label.
    pub stage: String,
    /// What it used.
    pub used: Both<Usage>,
}

/// What a plugin used.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Usage {
    /// Nanoseconds in the guest, over all instances.
    pub guest_ns: u64,
    /// The most memory that an instance had, in bytes.
    pub peak_memory: u64,
}

impl Comparison {
    /// Whether anything differs. What the components cost, say of themselves or no longer import is no
    /// difference.
    pub fn differs(&self) -> bool {
        self.new_imports().next().is_some() || self.steps.iter().any(StepComparison::differs)
    }

    /// What the new component imports and the old one does not.
    pub fn new_imports(&self) -> impl Iterator<Item = &str> {
        let Both { old, new } = &self.component;
        let news = new.imports.iter();
        news.filter(|import| !old.imports.contains(import))
            .map(String::as_str)
    }
}

impl StepComparison {
    /// Whether anything but the cost differs.
    pub fn differs(&self) -> bool {
        self.fails.old != self.fails.new
            || self.counts.differs()
            || !self.rules.is_empty()
            || self.outputs.iter().any(OutputComparison::differs)
            || self.quarantine.as_ref().is_some_and(Rows::differ)
    }

    /// Whether rows of any of its targets have a key.
    pub(super) fn is_keyed(&self) -> bool {
        self.outputs.iter().any(|output| !output.key.is_empty())
    }
}

impl OutputComparison {
    /// Whether columns or rows differ.
    pub fn differs(&self) -> bool {
        !self.schema.is_empty() || self.rows.differ()
    }
}
