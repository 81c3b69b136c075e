//! What differs between the columns of rows and those of the table they go to, as plans and run records
//! say it.

use std::fmt;

use serde::{Deserialize, Serialize};

/// One difference, and what becomes of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SchemaDifference {
    /// What differs.
    pub kind: DifferenceKind,
    /// The column; absent where the whole table is meant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub column: Option<String>,
    /// Its type in the rows, where they have it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rows: Option<String>,
    /// Its type in the table, where that has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub table: Option<String>,
    /// What becomes of it.
    pub outcome: Outcome,
}

/// What differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DifferenceKind {
    /// There is no table.
    NewTable,
    /// The rows have a column more.
    NewColumn,
    /// A column has another type.
    ChangedType,
    /// The table has a column more.
    MissingColumn,
}

/// What becomes of a difference.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// The table is made.
    Created,
    /// The table gets the column, or a column of another name for its values.
    Added,
    /// The table's column gets the type of the rows.
    Retyped,
    /// The table loses the column.
    Removed,
    /// Values become values of the table's type, as which they all can be kept.
    Cast,
    /// Rows with a value that the table cannot keep are rejected.
    Rejected,
    /// Values that the table cannot keep are left out.
    Discarded,
    /// The column is null in these rows.
    Null,
}

impl SchemaDifference {
    /// That a table is made.
    pub(crate) fn new_table() -> SchemaDifference {
        SchemaDifference {
            kind: DifferenceKind::NewTable,
            column: None,
            rows: None,
            table: None,
            outcome: Outcome::Created,
        }
    }

    /// Whether it changes the table, rather than the rows on their way into it.
    pub fn changes_table(&self) -> bool {
        match self.outcome {
            Outcome::Created | Outcome::Added | Outcome::Retyped | Outcome::Removed => true,
            Outcome::Cast | Outcome::Rejected | Outcome::Discarded | Outcome::Null => false,
        }
    }
}

impl fmt::Display for SchemaDifference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let column = self.column.as_deref().unwrap_or_default();
        let rows = self.rows.as_deref().unwrap_or_default();
        let table = self.table.as_deref().unwrap_or_default();
        match (self.outcome, self.kind) {
            (Outcome::Created, _) => write!(f, "the table is made"),
            (Outcome::Added, _) => write!(f, "column {column} {rows} is added"),
            (Outcome::Retyped, _) => write!(f, "column {column} becomes {rows}, was {table}"),
            (Outcome::Removed, _) => write!(f, "column {column} {table} is taken away"),
            (Outcome::Cast, _) => write!(f, "column {column} is cast from {rows} to {table}"),
            (Outcome::Null, _) => write!(f, "column {column} {table} is null in these rows"),
            (Outcome::Rejected, DifferenceKind::ChangedType) => write!(
                f,
                "column {column} is cast from {rows} to {table}; rows whose value does not fit are rejected"
            ),
            (Outcome::Discarded, DifferenceKind::ChangedType) => write!(
                f,
                "column {column} is cast from {rows} to {table}; values that do not fit become null"
            ),
            (Outcome::Rejected, _) => write!(
                f,
                "column {column} {rows} is not in the table; rows with a value in it are rejected"
            ),
            (Outcome::Discarded, _) => {
                write!(f, "column {column} {rows} is not in the table and left out")
            }
        }
    }
}
