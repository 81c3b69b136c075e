//! The figures of all cases, and the marks they are held against.

use std::fmt::Write;

use crate::cases::{Case, Round};

/// Where Weir runs a plugin as a run does.
const SANDBOX: &str = "sandbox";
const NATIVE: &str = "native";
const PEER: &str = "arrow-udf-runtime";

/// What was measured of one case.
pub(crate) struct Figures {
    pub(crate) name: String,
    task: String,
    place: String,
    pub(crate) rows: String,
    pub(crate) digest: u64,
    /// Nanoseconds a row, in order of rounds.
    turns: Vec<f64>,
}

impl Figures {
    pub(crate) fn new(case: &Case, digest: u64) -> Figures {
        Figures {
            name: case.name(),
            task: case.task.clone(),
            place: case.place.clone(),
            rows: case.rows.clone(),
            digest,
            turns: Vec::new(),
        }
    }

    pub(crate) fn add(&mut self, round: Round) -> Round {
        self.turns.push(round.nanoseconds_a_row());
        round
    }

    fn time(&self) -> Spread {
        Spread::of(self.turns.clone())
    }

    /// This case's time in terms of another's of the same round.
    fn over(&self, other: &Figures) -> Spread {
        let ratios = self
            .turns
            .iter()
            .zip(&other.turns)
            .map(|(own, other)| own / other);
        Spread::of(ratios.collect())
    }
}

/// The median and the quartiles.
#[derive(Clone, Copy)]
struct Spread {
    low: f64,
    median: f64,
    high: f64,
}

impl Spread {
    fn of(mut values: Vec<f64>) -> Spread {
        values.sort_by(f64::total_cmp);
        let at = |part: usize| {
            let place = values.len().saturating_sub(1) * part / 4;
            values.get(place).copied().unwrap_or(f64::NAN)
        };
        Spread {
            low: at(1),
            median: at(2),
            high: at(3),
        }
    }
}

impl std::fmt::Display for Spread {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:.2} ({:.2}–{:.2})", self.median, self.low, self.high)
    }
}

/// A table in Markdown, and below it the marks.
pub(crate) fn render(figures: &[Figures]) -> String {
    let mut out = String::from(
        "| transform | where | ns a row (quartiles) | times native | times Weir's sandbox |\n\
         |---|---|---|---|---|\n",
    );
    let mut tasks: Vec<&str> = Vec::new();
    for case in figures {
        if !tasks.contains(&case.task.as_str()) {
            tasks.push(&case.task);
        }
    }
    for task in tasks {
        let cells = |case: &Figures, place: &str| match find(figures, task, place) {
            Some(other) if other.name != case.name => case.over(other).to_string(),
            Some(_) => "1".to_owned(),
            None => "–".to_owned(),
        };
        for case in figures.iter().filter(|case| case.task == task) {
            let (native, sandbox) = (cells(case, NATIVE), cells(case, SANDBOX));
            let _ = writeln!(
                out,
                "| {task} | {} | {} | {native} | {sandbox} |",
                case.place,
                case.time()
            );
        }
    }
    out.push('\n');
    for mark in marks(figures) {
        let _ = writeln!(out, "{mark}");
    }
    out
}

fn find<'a>(figures: &'a [Figures], task: &str, place: &str) -> Option<&'a Figures> {
    figures
        .iter()
        .find(|case| case.task == task && case.place == place)
}

/// What the sandbox is to reach, and whether it does. A mark whose cases were not run is left out.
fn marks(figures: &[Figures]) -> Vec<String> {
    let ratio = |task: &str, own: &str, other: &str| {
        Some(
            find(figures, task, own)?
                .over(find(figures, task, other)?)
                .median,
        )
    };
    let time = |task: &str, place: &str| Some(find(figures, task, place)?.time().median);
    let at_most = |what: &str, limit: f64, value: Option<f64>| {
        value.map(|value| verdict(value <= limit, what, value))
    };
    let at_least = |what: &str, limit: f64, value: Option<f64>| {
        value.map(|value| verdict(value >= limit, what, value))
    };
    [
        at_most(
            "text, row by row, in the sandbox with deadlines: at most 1.5 times native",
            1.5,
            ratio("text, row by row", SANDBOX, NATIVE),
        ),
        at_most(
            "text, kernels, in the sandbox with deadlines: at most 20 ns a row",
            20.0,
            time("text, kernels", SANDBOX),
        ),
        at_least(
            "crossing: arrow-udf-runtime takes at least 1.5 times Weir's time",
            1.5,
            ratio("crossing", PEER, SANDBOX),
        ),
        at_least(
            "text, row by row: arrow-udf-runtime takes longer than Weir",
            1.0,
            ratio("text, row by row", PEER, SANDBOX),
        ),
        at_least(
            "numbers, row by row: arrow-udf-runtime takes longer than Weir",
            1.0,
            ratio("numbers, row by row", PEER, SANDBOX),
        ),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn verdict(reached: bool, what: &str, value: f64) -> String {
    let verdict = if reached { "reached" } else { "MISSED" };
    format!("{verdict}: {what} ({value:.2})")
}
