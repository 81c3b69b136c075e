//! Rows as one page for people: numbers, bars, lines, maps of states and tables.
//!
//! ```text
//! Figure (rows, and what each column is) ─→ Shown (cells as text; few people: no value) ─→ Plot ─→ SVG ─→ page
//! ```
//!
//! What stands for too few people is taken out in the first step, so that nothing after it can show it. Pages need
//! no network and run no script: all text of rows is escaped, and the page forbids the browser everything but its own
//! style.
//!
//! | module | idea |
//! |---|---|
//! | [`Figure`], `shown` | cells of a figure, and which are suppressed |
//! | `number` | numbers as people read them |
//! | `plot` | values by label and series |
//! | `chart` | bars, lines and maps as SVG |
//! | `page` | the page |

mod chart;
mod number;
mod page;
mod plot;
mod shown;

pub use page::{Page, Quality, RuleLine, StepLine, html};
pub use shown::{Few, Figure};

/// Why a figure cannot be drawn.
#[derive(Debug, thiserror::Error)]
#[error("report '{title}' {what}")]
pub struct Error {
    /// The figure's title.
    pub title: String,
    /// What is wrong.
    pub what: String,
    /// What to do about it.
    pub hint: String,
}
