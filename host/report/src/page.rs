//! The page.

use arrow::array::{Array, AsArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float64Type, Int64Type, TimeUnit};
use maud::{DOCTYPE, Markup, PreEscaped, html as markup};
use plotters::style::RGBColor;
use weir_pipeline::ChartKind;

use crate::chart::{Drawn, bars, line, map};
use crate::plot::{Plot, words};
use crate::shown::{Cell, Shown, text};
use crate::{Error, Figure};

/// More rows are not read; a query says which.
const MOST_ROWS: usize = 500;

/// All that a page shows.
#[derive(Debug)]
pub struct Page<'a> {
    /// The pipeline.
    pub name: &'a str,
    /// What it is for.
    pub description: Option<&'a str>,
    /// Who answers for it.
    pub owner: Option<&'a str>,
    /// The parameters, with their values.
    pub params: Vec<(String, String)>,
    /// When the page was made.
    pub made: String,
    /// The figures, in order.
    pub figures: Vec<Figure<'a>>,
    /// How good the data is; none if there was no run.
    pub quality: Option<Quality>,
}

/// What a run did, and what it kept aside.
#[derive(Debug)]
pub struct Quality {
    /// The run.
    pub run: String,
    /// What became of it.
    pub status: String,
    /// Its parameters, where they are others than the page's.
    pub other_params: Option<String>,
    /// That it was not a run of all steps, in words, if so.
    pub in_part: Option<String>,
    /// When it began.
    pub started: String,
    /// How long it took, in words.
    pub took: Option<String>,
    /// Its steps, in the order in which they ended.
    pub steps: Vec<StepLine>,
    /// The rules that rows broke.
    pub rules: Vec<RuleLine>,
}

/// A step of a run: how many rows it read, and what became of them.
#[derive(Debug)]
pub struct StepLine {
    /// Its name.
    pub step: String,
    /// What became of it.
    pub status: String,
    /// Rows.
    pub read: u64,
    /// Rows.
    pub accepted: u64,
    /// Rows.
    pub quarantined: u64,
    /// Rows.
    pub dropped: u64,
}

/// A rule that rows broke.
#[derive(Debug)]
pub struct RuleLine {
    /// The step.
    pub step: String,
    /// The stage.
    pub stage: String,
    /// The rule.
    pub rule: String,
    /// Whether the rows were kept all the same.
    pub warned: bool,
    /// How many rows broke it.
    pub rows: u64,
}

/// The page as HTML.
///
/// # Errors
/// If a figure cannot be drawn of its rows.
pub fn html(page: &Page<'_>) -> Result<String, Error> {
    let figures = page
        .figures
        .iter()
        .map(figure)
        .collect::<Result<Vec<_>, _>>()?;
    Ok(markup! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'";
                meta name="robots" content="noindex";
                title { (page.name) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                header {
                    h1 { (page.name) }
                    @if let Some(description) = page.description { p.lead { (description) } }
                    p.about {
                        @for (name, value) in &page.params { span { (name) " " b { (value) } } }
                        @if let Some(owner) = page.owner { span { "answered for by " b { (owner) } } }
                        span { "made " b { (page.made) } }
                    }
                }
                main {
                    @for figure in &figures { (figure) }
                    @if let Some(quality) = &page.quality { (of_run(quality)) }
                    @else { section { h2 { "Quality" } p.note { "There is no run of this pipeline among the latest runs of the lake." } } }
                }
            }
        }
    }
    .into_string())
}

fn figure(figure: &Figure<'_>) -> Result<Markup, Error> {
    let shown = Shown::of(figure)?;
    let mut notes = Vec::new();
    if shown.few > 0
        && let Some(few) = figure.few
    {
        notes.push(format!(
            "{} of {} rows stand for fewer than {} people, or would tell of one that does, and have no values here.",
            shown.few,
            shown.rows.len(),
            few.below
        ));
    }
    if figure.more {
        notes.push(format!(
            "The query gives more than these {} rows.",
            shown.rows.len()
        ));
    }
    let body = match figure.chart {
        _ if shown.rows.is_empty() => markup! { p.empty { "No rows." } },
        ChartKind::Number => tiles(figure, &shown)?,
        ChartKind::Table => markup! { (table(figure, &shown)) },
        ChartKind::Bars | ChartKind::Line | ChartKind::Map => {
            let drawn = draw(figure, &shown)?;
            notes.extend(drawn.notes.iter().cloned());
            chart(figure, &shown, drawn)
        }
    };
    Ok(markup! {
        section {
            h2 { (figure.title) }
            @if let Some(description) = figure.description { p.lead { (description) } }
            (body)
            @for note in &notes { p.note { (note) } }
        }
    })
}

fn draw(figure: &Figure<'_>, shown: &Shown) -> Result<Drawn, Error> {
    let wrong = |what: String, hint: &str| Error {
        title: figure.title.to_owned(),
        what,
        hint: hint.to_owned(),
    };
    let failed = |error: plotters::drawing::DrawingAreaErrorKind<std::io::Error>| {
        wrong(
            format!("cannot be drawn: {error}"),
            "show its rows as a table",
        )
    };
    // Rows without values may have gone to the end: places are those of rows as they came, which lines keep.
    let places = match figure.has_an_axis() {
        true => places(figure),
        false => None,
    };
    let place = |row: usize| places.as_ref()?.get(row).copied().flatten();
    let places = places
        .is_some()
        .then_some(&place as &dyn Fn(usize) -> Option<f64>);
    let plot = Plot::of(figure, shown, places)?;
    match figure.chart {
        ChartKind::Line => line::draw(plot, figure.unit).map_err(failed),
        ChartKind::Map => map::draw(&plot, figure.unit)
            .map_err(failed)?
            .map_err(|state| {
                wrong(
                    format!("has two rows for the state '{state}'"),
                    "add them up in the query: group by the state",
                )
            }),
        ChartKind::Bars | ChartKind::Table | ChartKind::Number => {
            bars::draw(plot, figure.unit).map_err(failed)
        }
    }
}

/// Where the rows lie on an axis of days, times or numbers.
fn places(figure: &Figure<'_>) -> Option<Vec<Option<f64>>> {
    let column = figure.rows.columns().get(figure.x?)?;
    let whole = |kind: &DataType| {
        let column = cast(column, kind).ok()?;
        let column = cast(&column, &DataType::Int64).ok()?;
        let values = column.as_primitive::<Int64Type>();
        Some(
            values
                .iter()
                .map(|value| value.map(|value| value as f64))
                .collect(),
        )
    };
    match column.data_type() {
        DataType::Date32 | DataType::Date64 => whole(&DataType::Date32),
        DataType::Timestamp(_, _) => whole(&DataType::Timestamp(TimeUnit::Millisecond, None)),
        kind if kind.is_numeric() => {
            let column = cast(column, &DataType::Float64).ok()?;
            Some(column.as_primitive::<Float64Type>().iter().collect())
        }
        _ => None,
    }
}

fn chart(figure: &Figure<'_>, shown: &Shown, drawn: Drawn) -> Markup {
    markup! {
        @if !drawn.legend.is_empty() {
            ul.legend {
                @for (colour, text) in &drawn.legend {
                    li { span.swatch style=(background(*colour)) {} (text) }
                }
            }
        }
        div.chart role="img" aria-label=(figure.title) { (PreEscaped(drawn.svg)) }
        details {
            summary { "Values" }
            (table(figure, shown))
        }
    }
}

fn background(RGBColor(red, green, blue): RGBColor) -> String {
    format!("background:#{red:02x}{green:02x}{blue:02x}")
}

/// The columns of one row.
fn tiles(figure: &Figure<'_>, shown: &Shown) -> Result<Markup, Error> {
    let [row] = shown.rows.as_slice() else {
        return Err(Error {
            title: figure.title.to_owned(),
            what: format!(
                "shows numbers of one row, and its query gives {}",
                shown.rows.len()
            ),
            hint: "add the rows up in the query, or show them as a table".to_owned(),
        });
    };
    Ok(markup! {
        div.tiles {
            @for y in figure.y {
                div.tile {
                    div.value {
                        @match row.get(*y) {
                            Some(Cell::Few) => { "too few" }
                            Some(Cell::Null) | None => { "–" }
                            Some(cell) => { (text(cell)) }
                        }
                    }
                    div.name { (shown.columns.get(*y).map(|name| words(name)).unwrap_or_default()) }
                }
            }
        }
    })
}

fn table(figure: &Figure<'_>, shown: &Shown) -> Markup {
    let numeric = |index: usize| {
        figure
            .rows
            .columns()
            .get(index)
            .is_some_and(|column| column.data_type().is_numeric())
    };
    let class = |index: usize| numeric(index).then_some("n");
    markup! {
        div.scroll {
            table {
                thead {
                    tr { @for (index, name) in shown.columns.iter().enumerate() {
                        th class=[class(index)] { (words(name)) }
                    } }
                }
                tbody {
                    @for row in shown.rows.iter().take(MOST_ROWS) {
                        tr { @for (index, cell) in row.iter().enumerate() {
                            td class=[class(index)] {
                                @match cell {
                                    Cell::Few => { span.few { "too few" } }
                                    cell => { (text(cell)) }
                                }
                            }
                        } }
                    }
                }
            }
        }
        @if shown.rows.len() > MOST_ROWS {
            p.note { "Listed are the first " (MOST_ROWS) " rows." }
        }
    }
}

fn of_run(quality: &Quality) -> Markup {
    let sum = |part: fn(&StepLine) -> u64| quality.steps.iter().map(part).sum::<u64>();
    let count = |rows: u64| crate::number::with_unit(&rows.to_string(), None);
    let (rejected, warned): (Vec<_>, Vec<_>) = quality.rules.iter().partition(|rule| !rule.warned);
    let tiles = [
        (quality.status.clone(), "run"),
        (count(sum(|step| step.quarantined)), "rows kept aside"),
        (count(sum(|step| step.dropped)), "rows dropped"),
        (count(warned.iter().map(|rule| rule.rows).sum()), "warnings"),
    ];
    let rules = |title: &str, of: &[&RuleLine]| {
        markup! {
            @if !of.is_empty() {
                h3 { (title) }
                div.scroll {
                    table {
                        thead { tr { th { "rule" } th { "stage" } th { "step" } th.n { "rows" } } }
                        tbody {
                            @for rule in of {
                                tr {
                                    td { (rule.rule) } td { (rule.stage) } td { (rule.step) }
                                    td.n { (count(rule.rows)) }
                                }
                            }
                        }
                    }
                }
            }
        }
    };
    markup! {
        section {
            h2 { "Quality" }
            p.lead {
                "Run " (quality.run) ", begun " (quality.started)
                @if let Some(took) = &quality.took { ", took " (took) }
                "."
                @if let Some(params) = &quality.other_params {
                    " It had other parameters: " (params) "."
                }
                @if let Some(in_part) = &quality.in_part { " " (in_part) }
            }
            div.tiles { @for (value, name) in &tiles {
                div.tile { div.value { (value) } div.name { (name) } }
            } }
            (rules("Rules that rows broke", &rejected))
            (rules("Rules that rows broke and were kept", &warned))
            h3 { "Steps" }
            div.scroll {
                table {
                    thead { tr {
                        th { "step" } th { "status" } th.n { "read" } th.n { "accepted" }
                        th.n { "kept aside" } th.n { "dropped" }
                    } }
                    tbody {
                        @for step in &quality.steps {
                            tr {
                                td { (step.step) } td { (step.status) }
                                td.n { (count(step.read)) } td.n { (count(step.accepted)) }
                                td.n { (count(step.quarantined)) } td.n { (count(step.dropped)) }
                            }
                        }
                    }
                }
            }
        }
    }
}

const STYLE: &str = r"
:root { color-scheme: light; }
* { box-sizing: border-box; }
body { margin: 0; background: #f4f6f7; color: #222b33; font: 15px/1.5 system-ui, -apple-system, 'Segoe UI', sans-serif; }
header, main { max-width: 980px; margin: 0 auto; padding: 0 20px; }
header { padding-top: 28px; }
h1 { margin: 0 0 4px; font-size: 28px; }
h2 { margin: 0 0 6px; font-size: 18px; }
h3 { margin: 18px 0 6px; font-size: 15px; }
section { background: #fff; border: 1px solid #e3e7ea; border-radius: 8px; padding: 18px 20px; margin: 18px 0; }
.lead { margin: 0 0 10px; color: #4c565f; max-width: 75ch; }
.about { display: flex; flex-wrap: wrap; gap: 4px 18px; margin: 0; color: #4c565f; font-size: 13px; }
.note, .empty { margin: 8px 0 0; color: #5d6770; font-size: 13px; }
.legend { display: flex; flex-wrap: wrap; gap: 4px 16px; list-style: none; margin: 4px 0 8px; padding: 0; font-size: 13px; }
.swatch { display: inline-block; width: 12px; height: 12px; margin-right: 6px; border: 1px solid #0002; vertical-align: -1px; }
.chart svg { display: block; width: 100%; height: auto; }
.tiles { display: flex; flex-wrap: wrap; gap: 10px 34px; }
.value { font-size: 26px; font-weight: 600; font-variant-numeric: tabular-nums; }
.name { color: #5d6770; font-size: 13px; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-size: 13px; font-variant-numeric: tabular-nums; }
th, td { text-align: left; padding: 4px 10px 4px 0; border-bottom: 1px solid #edf0f2; vertical-align: top; }
th { color: #5d6770; font-weight: 600; }
.n { text-align: right; padding: 4px 0 4px 14px; white-space: nowrap; }
.few { color: #8a939b; }
summary { cursor: pointer; color: #4c565f; font-size: 13px; margin-top: 8px; }
@media print {
  @page { margin: 14mm; }
  body { background: #fff; font-size: 12px; }
  header, main { max-width: none; padding: 0; }
  section { border: 0; border-top: 1px solid #c9d0d5; border-radius: 0; padding: 10px 0; margin: 8px 0; }
  .chart, .tiles, .legend, tr { break-inside: avoid; }
  h2, h3, .lead { break-after: avoid; }
  details { display: none; }
  * { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
}
";

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{Date32Array, Int64Array, StringArray};

    use super::*;
    use crate::shown::Few;
    use crate::shown::tests::{batch, figure};

    fn page(figures: Vec<Figure<'_>>) -> Page<'_> {
        Page {
            name: "p",
            description: None,
            owner: None,
            params: Vec::new(),
            made: "now".to_owned(),
            figures,
            quality: None,
        }
    }

    const WORDS: &str = "<script>alert(1)</script>&\"'\u{1b}";

    #[test]
    fn rows_cannot_bring_markup() {
        let rows = batch(vec![
            ("<b>who</b>", Arc::new(StringArray::from(vec![WORDS, "TX"]))),
            ("<i>n</i>", Arc::new(Int64Array::from(vec![1, 2]))),
        ]);
        for chart in [
            ChartKind::Bars,
            ChartKind::Line,
            ChartKind::Map,
            ChartKind::Table,
        ] {
            let figure = Figure {
                title: WORDS,
                description: Some(WORDS),
                ..figure(&rows, chart)
            };
            let html = html(&page(vec![figure])).unwrap();
            assert!(
                !html.contains("<script") && !html.contains("<b>who") && !html.contains("<i>n"),
                "{html}"
            );
            assert!(html.contains("&lt;script&gt;alert(1)"), "{html}");
        }
    }

    #[test]
    fn what_is_suppressed_is_nowhere_on_the_page() {
        let rows = batch(vec![
            (
                "state",
                Arc::new(StringArray::from(vec!["TX", "CA", "NY", "WA"])),
            ),
            (
                "cost",
                Arc::new(Int64Array::from(vec![71_117, 51_113, 91_119, 31_117])),
            ),
            (
                "patients",
                Arc::new(Int64Array::from(vec![4, 7, 1_201, 1_301])),
            ),
            // Nobody asked for this one to be drawn; it is among the values below the chart.
            (
                "men",
                Arc::new(Int64Array::from(vec![3_337, 5_557, 7_771, 9_991])),
            ),
            (
                "last",
                Arc::new(Date32Array::from(vec![19_000, 19_001, 19_002, 19_003])),
            ),
        ]);
        let few = Some(Few {
            count: 2,
            below: 11,
        });
        for chart in [
            ChartKind::Bars,
            ChartKind::Line,
            ChartKind::Map,
            ChartKind::Table,
        ] {
            let html = html(&page(vec![Figure {
                few,
                ..figure(&rows, chart)
            }]))
            .unwrap();
            for secret in [
                "71,117",
                "51,113",
                "71117",
                "51113",
                "71.1k",
                "51.1k",
                "3,337",
                "5,557",
                "2022-01-08",
                "2022-01-09",
            ] {
                assert!(!html.contains(secret), "{chart:?}: {secret}");
            }
            assert!(
                ["91,119", "1,201", "7,771", "2022-01-10"]
                    .iter()
                    .all(|text| html.contains(text)),
                "{chart:?}"
            );
            assert!(
                html.contains("2 of 4 rows stand for fewer than 11 people"),
                "{chart:?}"
            );
        }
    }

    #[test]
    fn days_lie_where_they_are() {
        let rows = batch(vec![
            (
                "day",
                Arc::new(Date32Array::from(vec![19_000, 19_001, 19_010])),
            ),
            ("n", Arc::new(Int64Array::from(vec![1, 2, 3]))),
        ]);
        let places = places(&figure(&rows, ChartKind::Line)).unwrap();
        assert_eq!(places, [Some(19_000.0), Some(19_001.0), Some(19_010.0)]);
    }

    #[test]
    fn numbers_are_of_one_row() {
        let rows = batch(vec![("n", Arc::new(Int64Array::from(vec![1, 2])) as _)]);
        let figure = Figure {
            x: None,
            y: &[0],
            ..figure(&rows, ChartKind::Number)
        };
        let error = html(&page(vec![figure])).unwrap_err();
        assert_eq!(
            error.to_string(),
            "report 't' shows numbers of one row, and its query gives 2"
        );
    }

    #[test]
    fn a_state_has_one_row() {
        let rows = batch(vec![
            ("state", Arc::new(StringArray::from(vec!["TX", "texas"]))),
            ("n", Arc::new(Int64Array::from(vec![1, 2]))),
        ]);
        let error = html(&page(vec![figure(&rows, ChartKind::Map)])).unwrap_err();
        assert_eq!(
            error.to_string(),
            "report 't' has two rows for the state 'texas'"
        );
    }
}
