//! `[[report]]`: what a page for people shows of the lake.

use crate::fields::{Fields, Keys};
use crate::grammar::sql::sql;
use crate::grammar::write::names;
use crate::grammar::{Context, mask};
use crate::model::{ChartKind, Report, Suppression};
use crate::tree::Node;

pub(crate) const REPORT: Keys = Keys {
    name: "report",
    what: "a report",
    keys: &[
        "title",
        "description",
        "sql",
        "chart",
        "x",
        "y",
        "series",
        "unit",
        "suppress",
        "sensitivity",
    ],
};

pub(crate) const SUPPRESS: Keys = Keys {
    name: "suppress",
    what: "`suppress`",
    keys: &["count", "below"],
};

pub(crate) const CHARTS: &[(&str, ChartKind)] = &[
    (ChartKind::Bars.name(), ChartKind::Bars),
    (ChartKind::Line.name(), ChartKind::Line),
    (ChartKind::Table.name(), ChartKind::Table),
    (ChartKind::Map.name(), ChartKind::Map),
    (ChartKind::Number.name(), ChartKind::Number),
];

/// CMS shows no cell that stands for ten people or fewer.
const USUAL_LEAST: u64 = 11;

/// An entry of `[[report]]`.
pub(crate) fn report(node: &Node, context: &Context<'_>) -> Option<Report> {
    let fields = Fields::open(node, &REPORT, context.sink)?;
    let title = fields
        .need_text("title", "write title = \"…\", the line above the chart")
        .filter(|text| {
            let blank = text.text.trim().is_empty() && !text.guess;
            if blank {
                fields.fault(text.place, "`title` is empty", "say what the chart shows");
            }
            !blank
        });
    let description = fields.owned("description");
    let kinds = "write chart = \"bars\", \"line\", \"table\", \"map\" or \"number\"";
    let chart = fields
        .need("chart", kinds)
        .and_then(|_| fields.choice("chart", CHARTS));
    fields.need("sql", "write sql = \"…\", or sql = { file = \"….sql\" }");
    let sql = sql(&fields, context);
    if let Some(chart) = chart {
        refuse_what_means_nothing(&fields, chart);
    }
    let y = match fields.node("y") {
        None => Some(Vec::new()),
        Some(_) => names(&fields, "y"),
    };
    if let (Some(ChartKind::Map), Some(y), Some(node)) = (chart, &y, fields.node("y"))
        && y.len() > 1
    {
        fields.fault(
            &node.place,
            "a map shows one column",
            "name one in `y`, and show the other on a map of its own",
        );
    }
    if let (Some(_), Some(y), Some(node)) = (fields.node("series"), &y, fields.node("y"))
        && y.len() > 1
    {
        fields.fault(
            &node.place,
            "with `series` a chart shows one column, a line or colour for each of its values",
            "name one in `y`, or leave out `series`",
        );
    }
    let suppress = match fields.node("suppress") {
        None => Some(None),
        Some(node) => suppression(node, context).map(Some),
    };
    let sensitivity = mask::labels(&fields, context.sink);
    Some(Report {
        title: title?.text.to_owned(),
        description,
        sql: sql?,
        chart: chart?,
        x: fields.owned("x"),
        y: y?,
        series: fields.owned("series"),
        unit: fields.owned("unit"),
        suppress: suppress?,
        sensitivity,
        place: node.place.clone(),
    })
}

fn refuse_what_means_nothing(fields: &Fields<'_>, chart: ChartKind) {
    let leave_out = "leave it out";
    match chart {
        ChartKind::Bars | ChartKind::Line => {}
        ChartKind::Map => fields.refuse(&["series"], "does not belong to a map", leave_out),
        ChartKind::Number => fields.refuse(
            &["x", "series"],
            "does not belong to numbers, of which each column is one",
            leave_out,
        ),
        ChartKind::Table => fields.refuse(
            &["x", "y", "series"],
            "does not belong to a table, which shows what the query gives",
            "leave it out, and let the query name the columns",
        ),
    }
}

fn suppression(node: &Node, context: &Context<'_>) -> Option<Suppression> {
    let fields = Fields::open(node, &SUPPRESS, context.sink)?;
    let count = fields.need_text(
        "count",
        "write count = \"…\", the column that says for how many people a row stands",
    );
    let below = match fields.node("below") {
        None => Some(USUAL_LEAST),
        Some(_) => fields.count("below"),
    };
    Some(Suppression {
        count: count?.text.to_owned(),
        below: below?,
    })
}
