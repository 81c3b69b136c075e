//! What a try has made of each row, as text.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use arrow::array::RecordBatch;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use weir_engine::rehearsal::Rehearsal;
use weir_sandbox::World;
use weir_workbench::Outcome;

use crate::table::{one_line, thousands};

/// The most characters of a value that are shown.
const WIDEST: usize = 60;
/// The same of what a plugin says of a row that it rejects.
const WIDEST_FINDING: usize = 200;
/// What stands in the place of a value that is not told.
const HIDDEN: &str = "(sensitive)";

/// What a try has made, kept for the next one.
pub(crate) struct Shown {
    world: World,
    rows: Vec<Row>,
    /// The rows of a result that is of no row alone.
    whole: Vec<Vec<Line>>,
    /// Counted by rule.
    rules: BTreeMap<String, u64>,
    metrics: BTreeMap<String, f64>,
}

/// A row given, and what became of it.
struct Row {
    given: Vec<Line>,
    made: Vec<Line>,
}

/// A column and its value, or a rejection.
#[derive(Clone, PartialEq, Eq)]
struct Line {
    name: String,
    value: String,
    /// Whether the value is not told. It is compared all the same.
    hidden: bool,
    /// Whether it says that the row is rejected, or fails.
    finding: bool,
}

impl Shown {
    /// What a transform, check or fold has made of the rows that it was given.
    pub(super) fn made(rehearsal: &Rehearsal, outcome: &Outcome, hides: bool) -> Shown {
        let hidden = |name: &str| hides && rehearsal.sensitive.contains(name);
        let given = lines(&rehearsal.rows, &hidden);
        let mut rows: Vec<Row> = given
            .into_iter()
            .map(|given| Row {
                given,
                made: Vec::new(),
            })
            .collect();
        let outputs: Vec<_> = outcome.outputs().collect();
        let hides_made = hides && rehearsal.makes_sensitive;
        let mut whole = Vec::new();
        for (name, batch, origin) in &outputs {
            let made = lines(batch, &|_| hides_made);
            let Some(origin) = origin else {
                whole.extend(made);
                continue;
            };
            for (made, row) in made.into_iter().zip(*origin) {
                let row = usize::try_from(*row).ok().and_then(|row| rows.get_mut(row));
                let Some(row) = row else { continue };
                let is_next = !row.made.is_empty();
                row.made
                    .extend(made.into_iter().enumerate().map(|(index, line)| {
                        let mut line = line;
                        if outputs.len() > 1 {
                            line.name = format!("{name}.{}", line.name);
                        }
                        if is_next && index == 0 {
                            line.name.insert_str(0, "+ ");
                        }
                        line
                    }));
            }
        }
        let mut rules = BTreeMap::new();
        for (row, rule, message) in outcome.findings() {
            *rules.entry(rule.to_owned()).or_insert(0) += 1;
            let row = usize::try_from(row).ok().and_then(|row| rows.get_mut(row));
            if let Some(row) = row {
                row.made.push(Line {
                    name: match rehearsal.plugin.world() {
                        World::Check => "fails".to_owned(),
                        _ => "rejected".to_owned(),
                    },
                    // What a plugin says of sensitive rows may hold them.
                    value: match message.is_empty() || hides_made {
                        true => rule.to_owned(),
                        false => format!("{rule}: {message}"),
                    },
                    hidden: false,
                    finding: true,
                });
            }
        }
        Shown {
            world: rehearsal.plugin.world(),
            rows,
            whole,
            rules,
            // Their names and values are the plugin's words.
            metrics: match hides_made {
                true => BTreeMap::new(),
                false => outcome.metrics.clone(),
            },
        }
    }

    /// The rows that a plugin has read.
    pub(super) fn read(rehearsal: &Rehearsal, hides: bool) -> Shown {
        let hidden = |name: &str| hides && rehearsal.sensitive.contains(name);
        Shown {
            world: rehearsal.plugin.world(),
            rows: Vec::new(),
            whole: lines(&rehearsal.rows, &hidden),
            rules: BTreeMap::new(),
            metrics: BTreeMap::new(),
        }
    }

    /// The first rows, the first one of each rule, counts, and what is other than `before`.
    pub(super) fn text(&self, show: usize, before: Option<&Shown>) -> String {
        let mut text = String::new();
        if !self.whole.is_empty() {
            if self.world == World::Fold {
                text.push_str("its result\n");
            }
            for (index, made) in self.whole.iter().enumerate().take(show) {
                let _ = writeln!(text, "row {index}");
                side_by_side(&mut text, made, &[]);
            }
            more(&mut text, self.whole.len(), show);
        }
        let chosen = self.chosen(show);
        if self.world == World::Fold && !chosen.is_empty() {
            text.push_str("rows given\n");
        }
        for index in &chosen {
            if let Some(row) = self.rows.get(*index) {
                let _ = writeln!(text, "row {index}");
                side_by_side(&mut text, &row.given, &row.becomes(self.world));
            }
        }
        if !self.rows.is_empty() {
            more(&mut text, self.rows.len(), chosen.len());
            text.push_str(&self.counts());
        }
        for (name, sum) in &self.metrics {
            let _ = writeln!(text, "counter {name}: {sum}");
        }
        if let Some(before) = before {
            self.changes(&mut text, before, show);
        }
        text
    }

    /// The first rows, and the first one of each rule.
    fn chosen(&self, show: usize) -> BTreeSet<usize> {
        let mut chosen: BTreeSet<usize> = (0..self.rows.len().min(show)).collect();
        let mut seen = BTreeSet::new();
        for (index, row) in self.rows.iter().enumerate() {
            for line in row.made.iter().filter(|line| line.finding) {
                let rule = line.value.split(':').next().unwrap_or_default();
                if seen.insert(rule) {
                    chosen.insert(index);
                }
            }
        }
        chosen
    }

    fn counts(&self) -> String {
        let found = self.rows.iter().filter(|row| row.is_found()).count() as u64;
        let made = self.rows.iter().filter(|row| !row.is_found());
        let kept = made.filter(|row| !row.made.is_empty()).count() as u64;
        let all = self.rows.len() as u64;
        let mut text = match self.world {
            World::Check => format!(
                "{} pass, {} fail\n",
                thousands(all - found),
                thousands(found)
            ),
            World::Fold => return String::new(),
            _ => format!(
                "{} kept, {} rejected, {} dropped\n",
                thousands(kept),
                thousands(found),
                thousands(all - found - kept)
            ),
        };
        for (rule, rows) in &self.rules {
            let _ = writeln!(text, "  rule {rule}: {} rows", thousands(*rows));
        }
        text
    }

    /// What has become other since the try before.
    fn changes(&self, text: &mut String, before: &Shown, show: usize) {
        let same_input = self.rows.len() == before.rows.len()
            && std::iter::zip(&self.rows, &before.rows).all(|(now, was)| now.given == was.given);
        if !same_input {
            text.push_str("since the last try: other rows are given\n");
            return;
        }
        let longest = self.whole.len().max(before.whole.len());
        let of =
            |whole: &'_ [Vec<Line>], index: usize| whole.get(index).cloned().unwrap_or_default();
        let whole = (0..longest).map(|index| (of(&before.whole, index), of(&self.whole, index)));
        let by_row = std::iter::zip(&before.rows, &self.rows);
        let by_row = by_row.map(|(was, now)| (was.made.clone(), now.made.clone()));
        let changed: Vec<_> = by_row
            .enumerate()
            .chain(whole.enumerate())
            .filter(|(_, (was, now))| was != now)
            .collect();
        if changed.is_empty() {
            text.push_str("since the last try: nothing changed\n");
            return;
        }
        let _ = writeln!(
            text,
            "since the last try: {} rows changed (was | is)",
            thousands(changed.len() as u64)
        );
        for (index, (was, now)) in changed.iter().take(show) {
            let _ = writeln!(text, "row {index}");
            let (was, now) = differing(was, now);
            side_by_side(text, &was, &now);
        }
        more(text, changed.len(), show);
    }
}

impl Row {
    fn is_found(&self) -> bool {
        self.made.iter().any(|line| line.finding)
    }

    /// What is shown beside the row.
    fn becomes(&self, world: World) -> Vec<Line> {
        let said = |name: &str| {
            vec![Line {
                name: name.to_owned(),
                value: String::new(),
                hidden: false,
                finding: false,
            }]
        };
        match (world, self.made.is_empty()) {
            (World::Check, true) => said("passes"),
            (World::Fold, _) => Vec::new(),
            (_, true) => said("dropped"),
            (_, false) => self.made.clone(),
        }
    }
}

impl Line {
    fn value(&self) -> String {
        match self.hidden {
            true => HIDDEN.to_owned(),
            false if self.finding => one_line(&self.value, WIDEST_FINDING),
            false => one_line(&self.value, WIDEST),
        }
    }
}

/// The lines of both that the other has not.
fn differing(was: &[Line], now: &[Line]) -> (Vec<Line>, Vec<Line>) {
    let lacking = |these: &[Line], among: &[Line]| -> Vec<Line> {
        let lacking = these.iter().filter(|line| !among.contains(line));
        lacking.cloned().collect()
    };
    (lacking(was, now), lacking(now, was))
}

/// Each row of a batch as its columns' values.
fn lines(batch: &RecordBatch, hidden: &dyn Fn(&str) -> bool) -> Vec<Vec<Line>> {
    let options = FormatOptions::default().with_null("null");
    let schema = batch.schema();
    let columns: Vec<_> = batch
        .columns()
        .iter()
        .zip(schema.fields())
        .map(|(column, field)| {
            let formatter = ArrayFormatter::try_new(column.as_ref(), &options);
            (field.name(), hidden(field.name()), formatter)
        })
        .collect();
    (0..batch.num_rows())
        .map(|row| {
            let line =
                |(name, hidden, formatter): &(&String, bool, Result<ArrayFormatter<'_>, _>)| Line {
                    name: (*name).clone(),
                    value: match formatter {
                        Ok(formatter) => formatter.value(row).to_string(),
                        Err(_) => "(cannot be shown)".to_owned(),
                    },
                    hidden: *hidden,
                    finding: false,
                };
            columns.iter().map(line).collect()
        })
        .collect()
}

/// Two lists of lines, one beside the other.
fn side_by_side(text: &mut String, left: &[Line], right: &[Line]) {
    let width = |lines: &[Line]| {
        let names = lines.iter().map(|line| line.name.chars().count());
        names.max().unwrap_or_default()
    };
    let render = |lines: &[Line]| -> Vec<String> {
        let names = width(lines);
        let line = |line: &Line| {
            let text = format!("{:names$}  {}", line.name, line.value());
            text.trim_end().to_owned()
        };
        lines.iter().map(line).collect()
    };
    let (left, right) = (render(left), render(right));
    let widest = left.iter().map(|line| line.chars().count()).max();
    let widest = widest.unwrap_or_default();
    for index in 0..left.len().max(right.len()) {
        let one = left.get(index).map_or("", String::as_str);
        let line = match right.get(index) {
            Some(other) => format!("  {one:widest$}  | {other}"),
            None if right.is_empty() => format!("  {one}"),
            None => format!("  {one:widest$}  |"),
        };
        let _ = writeln!(text, "{}", line.trim_end());
    }
}

fn more(text: &mut String, all: usize, shown: usize) {
    if let Some(more) = all.checked_sub(shown).filter(|more| *more > 0) {
        let _ = writeln!(text, "… and {} more (--show)", thousands(more as u64));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(name: &str, value: &str) -> Line {
        Line {
            name: name.to_owned(),
            value: value.to_owned(),
            hidden: false,
            finding: name == "rejected",
        }
    }

    fn shown(rows: &[(&str, &[Line])]) -> Shown {
        let rows = rows.iter().map(|(given, made)| Row {
            given: vec![line("id", given)],
            made: made.to_vec(),
        });
        Shown {
            world: World::Transform,
            rows: rows.collect(),
            whole: Vec::new(),
            rules: BTreeMap::new(),
            metrics: BTreeMap::new(),
        }
    }

    #[test]
    fn rows_stand_beside_what_became_of_them() {
        let kept = [line("id", "a"), line("amount", "12.50")];
        let rejected = [line("rejected", "bad_amount: no amount")];
        let text = shown(&[("a", &kept), ("b", &[]), ("c", &rejected)]).text(2, None);
        assert_eq!(
            text,
            "row 0\n  id  a  | id      a\n         | amount  12.50\nrow 1\n  id  b  | dropped\nrow 2\n  id  c  | rejected  bad_amount: no amount\n1 kept, 1 rejected, 1 dropped\n"
        );
    }

    #[test]
    fn what_changed_is_told_line_by_line() {
        let was = shown(&[
            ("a", &[line("x", "1"), line("y", "2")]),
            ("b", &[line("x", "1")]),
        ]);
        let now = shown(&[
            ("a", &[line("x", "1"), line("y", "3")]),
            ("b", &[line("x", "1")]),
        ]);
        let text = now.text(0, Some(&was));
        assert!(
            text.ends_with(
                "since the last try: 1 rows changed (was | is)\n… and 1 more (--show)\n"
            ),
            "{text}"
        );
        let text = now.text(5, Some(&was));
        assert!(
            text.ends_with("(was | is)\nrow 0\n  y  2  | y  3\n"),
            "{text}"
        );
        assert!(now.text(5, Some(&now)).ends_with("nothing changed\n"));
        assert!(
            now.text(5, Some(&shown(&[("z", &[])])))
                .ends_with("other rows are given\n")
        );
    }

    #[test]
    fn a_value_that_is_not_told_is_compared_all_the_same() {
        let secret = |value: &str| Line {
            hidden: true,
            ..line("ssn", value)
        };
        let (was, now) = (
            shown(&[("a", &[secret("1")])]),
            shown(&[("a", &[secret("2")])]),
        );
        let text = now.text(5, Some(&was));
        assert!(
            text.contains("  ssn  (sensitive)  | ssn  (sensitive)"),
            "{text}"
        );
        assert!(!text.contains('2'), "{text}");
    }
}
