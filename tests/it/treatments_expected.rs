//! What the tables of the pipeline treatments have to hold after loads of exports: worked out from the lines of their
//! files, by rules and sums of our own.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::Read;
use std::path::Path;

use flate2::read::GzDecoder;
use serde_json::Value;

use crate::visit_events::hmac;

/// The columns of each table whose rows are compared, but for those of silver.
pub(crate) const TABLES: [(&str, &str); 16] = [
    (
        "gold.dim_dates",
        "date_key full_date year quarter month month_name day day_name is_weekend",
    ),
    ("gold.dim_times", "time_key hour minute second part_of_day"),
    (
        "gold.dim_treatment_types_and_outcome_statuses",
        "type_and_status_key treatment_type outcome_status",
    ),
    (
        "gold.dim_locations",
        "location_id country state city modified_at stated_by",
    ),
    (
        "gold.dim_specialities",
        "speciality_id name modified_at stated_by",
    ),
    (
        "gold.dim_providers",
        "provider_id full_name speciality_id affiliated_hospital modified_at stated_by",
    ),
    (
        "gold.dim_patients",
        "patient_id full_name gender age modified_at stated_by",
    ),
    (
        "gold.dim_diseases",
        "disease_id speciality_id name type severity transmission_mode mortality_rate modified_at stated_by",
    ),
    (
        "gold.fact_treatments",
        "treatment_id start_date_key start_time_key completion_date_key completion_time_key outcome_date_key \
         outcome_time_key type_and_status_key location_id speciality_id provider_id patient_id disease_id \
         duration_in_days cost added_at modified_at",
    ),
    (
        "analytics.provider_treatment_rank",
        "treatment_rank provider_id provider_full_name speciality_name total_treatments patients",
    ),
    (
        "analytics.provider_success_rate_rank",
        "success_rate_rank provider_id provider_full_name total_treatments patients successful_treatments success_rate",
    ),
    (
        "analytics.monthly_treatment_trends",
        "year month total_treatments successful_treatments patients total_cost avg_cost",
    ),
    (
        "analytics.geographical_treatment_distribution",
        "country state total_treatments patients total_cost percent_of_treatments",
    ),
    (
        "analytics.summary_avg_treatment_cost",
        "treatment_type total_treatments with_cost patients_with_cost avg_cost min_cost max_cost total_cost",
    ),
    (
        "analytics.summary_total_treatments_per_city",
        "country state city total_treatments patients",
    ),
    (
        "analytics.summary_provider_success_rates",
        "provider_id provider_full_name speciality_name affiliated_hospital total_treatments patients successful_treatments \
         success_rate",
    ),
];

/// The columns of silver.
pub(crate) const SILVER: &str = "treatment_id treatment_start_date treatment_completion_date treatment_outcome_status \
    treatment_outcome_date treatment_duration_in_days treatment_cost treatment_type provider_id provider_full_name \
    provider_speciality_id provider_speciality_name provider_affiliated_hospital location_id location_country \
    location_state location_city patient_id patient_gender patient_age disease_id disease_speciality_id disease_name \
    disease_type disease_severity disease_transmission_mode disease_mortality_rate metadata_added_at \
    metadata_modified_at patient_full_name";

/// What a null is shown as.
pub(crate) const NULL: &str = "∅";

type Text = Option<String>;

/// A row of silver: the text of each column that has a value.
#[derive(Clone, Default)]
struct Silver(BTreeMap<&'static str, String>);

impl Silver {
    fn get(&self, column: &str) -> Text {
        self.0.get(column).cloned()
    }

    fn text(&self, column: &str) -> &str {
        self.0.get(column).map_or("", String::as_str)
    }

    fn cents(&self) -> Option<i128> {
        let cost = self.0.get("treatment_cost")?;
        Some(cost.replace('.', "").parse().unwrap())
    }
}

/// What was said of something, by which treatment and when.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Default)]
struct Stated {
    modified_at: String,
    by: String,
    values: Vec<Text>,
}

/// The state of the tables.
#[derive(Clone)]
pub(crate) struct Expected {
    /// The outcome that counts.
    pub(crate) success: &'static str,
    /// Items that the last load could read.
    pub(crate) bronze: u64,
    /// Items of the last load by rule: those that cannot be read, and those that break another rule.
    pub(crate) rejected: [BTreeMap<String, u64>; 2],
    silver: BTreeMap<String, Silver>,
    moments: BTreeSet<String>,
    kinds: BTreeSet<(String, String)>,
    /// By dimension and key.
    stated: BTreeMap<(&'static str, String), Stated>,
}

impl Expected {
    pub(crate) fn new() -> Expected {
        Expected {
            success: "Successful",
            bronze: 0,
            rejected: Default::default(),
            silver: BTreeMap::new(),
            moments: BTreeSet::new(),
            kinds: BTreeSet::new(),
            stated: BTreeMap::new(),
        }
    }

    /// A load of the export in a folder.
    pub(crate) fn load(&mut self, export: &Path) {
        self.bronze = 0;
        self.rejected = Default::default();
        let mut newer = Vec::new();
        for line in lines(export) {
            let item = match readable(&line) {
                Ok(item) => item,
                Err(rule) => {
                    *self.rejected[0].entry(rule.to_owned()).or_default() += 1;
                    continue;
                }
            };
            self.bronze += 1;
            match silver(&item) {
                Ok(row) => {
                    let known = self.silver.get(row.text("treatment_id"));
                    let modified = |row: &Silver| row.text("metadata_modified_at").to_owned();
                    if known.is_none_or(|known| modified(&row) > modified(known)) {
                        newer.push(row);
                    }
                }
                Err(rule) => *self.rejected[1].entry(rule.to_owned()).or_default() += 1,
            }
        }
        for row in newer {
            self.state(&row);
            self.silver.insert(row.text("treatment_id").to_owned(), row);
        }
    }

    /// What a row says of dimensions.
    fn state(&mut self, row: &Silver) {
        for column in [
            "treatment_start_date",
            "treatment_completion_date",
            "treatment_outcome_date",
        ] {
            self.moments.extend(row.get(column));
        }
        self.kinds.insert((
            row.text("treatment_type").to_owned(),
            row.text("treatment_outcome_status").to_owned(),
        ));
        let of = |columns: &str| -> Vec<Text> {
            columns
                .split_whitespace()
                .map(|column| row.get(column))
                .collect()
        };
        let said = [
            (
                "gold.dim_locations",
                "location_id",
                "location_country location_state location_city",
            ),
            (
                "gold.dim_specialities",
                "provider_speciality_id",
                "provider_speciality_name",
            ),
            (
                "gold.dim_providers",
                "provider_id",
                "provider_full_name provider_speciality_id provider_affiliated_hospital",
            ),
            (
                "gold.dim_patients",
                "patient_id",
                "patient_full_name patient_gender patient_age",
            ),
            (
                "gold.dim_diseases",
                "disease_id",
                "disease_speciality_id disease_name disease_type disease_severity disease_transmission_mode \
                 disease_mortality_rate",
            ),
        ];
        for (table, key, columns) in said {
            let stated = Stated {
                modified_at: row.text("metadata_modified_at").to_owned(),
                by: row.text("treatment_id").to_owned(),
                values: of(columns),
            };
            let known = self
                .stated
                .entry((table, row.text(key).to_owned()))
                .or_default();
            if (&stated.modified_at, &stated.by) >= (&known.modified_at, &known.by) {
                *known = stated;
            }
        }
        if let Some(only_named) = row.get("disease_speciality_id") {
            let known = self.stated.entry(("gold.dim_specialities", only_named));
            known.or_insert_with(|| Stated {
                values: vec![None],
                ..Stated::default()
            });
        }
    }

    /// The rows of all tables, sorted lines.
    pub(crate) fn tables(&self) -> BTreeMap<&'static str, Vec<String>> {
        let mut tables: BTreeMap<&'static str, Vec<String>> = TABLES
            .iter()
            .map(|(table, _)| (*table, Vec::new()))
            .collect();
        let silver = self
            .silver
            .values()
            .map(|row| line(SILVER.split_whitespace().map(|column| row.get(column))));
        tables.insert("silver.treatments", silver.collect());
        let mut push = |table: &'static str, values: Vec<Text>| {
            tables.get_mut(table).unwrap().push(line(values));
        };
        let days: BTreeSet<&str> = self.moments.iter().map(|moment| &moment[..10]).collect();
        for day in days {
            push("gold.dim_dates", date(day));
        }
        let times: BTreeSet<&str> = self.moments.iter().map(|moment| &moment[11..]).collect();
        for time in times {
            let part = |at: usize| time[at..at + 2].parse::<u32>().unwrap();
            let hour = part(0);
            let of_day = ["night", "morning", "afternoon", "evening"][hour as usize / 6];
            let numbers = [number(time), hour, part(3), part(6)].map(|number| number.to_string());
            let values = numbers.into_iter().chain([of_day.to_owned()]);
            push("gold.dim_times", values.map(Some).collect());
        }
        for (kind, status) in &self.kinds {
            let values = [kind_key(kind, status), kind.clone(), status.clone()];
            push(
                "gold.dim_treatment_types_and_outcome_statuses",
                values.into_iter().map(Some).collect(),
            );
        }
        for ((table, key), stated) in &self.stated {
            let mut values = vec![Some(key.clone())];
            values.extend(stated.values.iter().cloned());
            values.extend(
                [&stated.modified_at, &stated.by]
                    .map(|text| Some(text.clone()).filter(|text| !text.is_empty())),
            );
            push(table, values);
        }
        for row in self.silver.values() {
            push("gold.fact_treatments", fact(row));
        }
        self.analytics(&mut push);
        for rows in tables.values_mut() {
            rows.sort_unstable();
        }
        tables
    }

    fn said(&self, table: &'static str, key: &str) -> &[Text] {
        &self.stated[&(table, key.to_owned())].values
    }

    fn analytics(&self, push: &mut impl FnMut(&'static str, Vec<Text>)) {
        let facts = || self.silver.values();
        let succeeds = |row: &&Silver| row.text("treatment_outcome_status") == self.success;
        let grouped = |key: &dyn Fn(&Silver) -> Vec<Text>| {
            let mut groups: BTreeMap<Vec<Text>, Vec<&Silver>> = BTreeMap::new();
            for row in facts() {
                groups.entry(key(row)).or_default().push(row);
            }
            groups
        };
        let successes = |rows: &[&Silver]| rows.iter().filter(|row| succeeds(row)).count();
        let patients = |rows: &[&Silver]| {
            let all: BTreeSet<&str> = rows.iter().map(|row| row.text("patient_id")).collect();
            all.len()
        };
        let n = |number: usize| Some(number.to_string());

        let providers = grouped(&|row| vec![row.get("provider_id")]);
        for (key, rows) in &providers {
            let id = key[0].clone();
            let provider = self.said("gold.dim_providers", id.as_deref().unwrap());
            let (name, hospital) = (provider[0].clone(), provider[2].clone());
            let speciality = provider[1].as_deref().unwrap();
            let speciality = self.said("gold.dim_specialities", speciality)[0].clone();
            let (total, successful) = (rows.len(), successes(rows));
            let more = providers
                .values()
                .filter(|other| other.len() > total)
                .count();
            push(
                "analytics.provider_treatment_rank",
                vec![
                    n(more + 1),
                    id.clone(),
                    name.clone(),
                    speciality.clone(),
                    n(total),
                    n(patients(rows)),
                ],
            );
            let better = providers
                .values()
                .filter(|other| successes(other) * total > successful * other.len())
                .count();
            let rate = hundredths(successful as i128 * 100, total as i128);
            push(
                "analytics.provider_success_rate_rank",
                vec![
                    n(better + 1),
                    id.clone(),
                    name.clone(),
                    n(total),
                    n(patients(rows)),
                    n(successful),
                    Some(rate.clone()),
                ],
            );
            push(
                "analytics.summary_provider_success_rates",
                vec![
                    id,
                    name,
                    speciality,
                    hospital,
                    n(total),
                    n(patients(rows)),
                    n(successful),
                    Some(rate),
                ],
            );
        }
        let months = grouped(&|row| {
            let start = row.text("treatment_start_date");
            vec![Some(start[..7].to_owned())]
        });
        for (month, rows) in &months {
            let (year, month) = month[0].as_deref().unwrap().split_once('-').unwrap();
            let costs = Costs::of(rows);
            push(
                "analytics.monthly_treatment_trends",
                vec![
                    Some(year.to_owned()),
                    Some(month.trim_start_matches('0').to_owned()),
                    n(rows.len()),
                    n(successes(rows)),
                    n(patients(rows)),
                    costs.total(),
                    costs.mean(),
                ],
            );
        }
        let place = |row: &Silver| {
            self.said("gold.dim_locations", row.text("location_id"))
                .to_vec()
        };
        for (state, rows) in grouped(&|row| place(row)[..2].to_vec()) {
            let share = hundredths(rows.len() as i128 * 100, self.silver.len() as i128);
            let mut values = state;
            values.extend([
                n(rows.len()),
                n(patients(&rows)),
                Costs::of(&rows).total(),
                Some(share),
            ]);
            push("analytics.geographical_treatment_distribution", values);
        }
        for (mut city, rows) in grouped(&place) {
            city.extend([n(rows.len()), n(patients(&rows))]);
            push("analytics.summary_total_treatments_per_city", city);
        }
        for (kind, rows) in grouped(&|row| vec![row.get("treatment_type")]) {
            let costs = Costs::of(&rows);
            let of_known = rows.iter().copied().filter(|row| row.cents().is_some());
            let known: Vec<&Silver> = of_known.collect();
            let bound = |cents: Option<&i128>| cents.map(|cents| hundredths(*cents, 100));
            push(
                "analytics.summary_avg_treatment_cost",
                vec![
                    kind[0].clone(),
                    n(rows.len()),
                    n(costs.0.len()),
                    n(patients(&known)),
                    costs.mean(),
                    bound(costs.0.iter().min()),
                    bound(costs.0.iter().max()),
                    costs.total(),
                ],
            );
        }
    }

    /// The keys of dimensions and facts.
    pub(crate) fn keys(&self) -> usize {
        self.stated.len() + self.kinds.len() + self.silver.len()
    }

    /// Treatments that silver has.
    pub(crate) fn treatments(&self) -> u64 {
        self.silver.len() as u64
    }
}

/// The costs that are known, in cents.
struct Costs(Vec<i128>);

impl Costs {
    fn of(rows: &[&Silver]) -> Costs {
        Costs(rows.iter().filter_map(|row| row.cents()).collect())
    }

    fn total(&self) -> Text {
        (!self.0.is_empty()).then(|| hundredths(self.0.iter().sum(), 100))
    }

    fn mean(&self) -> Text {
        let sum: i128 = self.0.iter().sum();
        (!self.0.is_empty()).then(|| hundredths(sum, 100 * self.0.len() as i128))
    }
}

/// A quotient of numbers that are not below 0 with two digits after the point, halves rounded up.
fn hundredths(part: i128, whole: i128) -> String {
    let rounded = (200 * part + whole) / (2 * whole);
    format!("{}.{:02}", rounded / 100, rounded % 100)
}

/// A row as a line of text.
fn line(values: impl IntoIterator<Item = Text>) -> String {
    let texts: Vec<String> = values
        .into_iter()
        .map(|value| value.unwrap_or_else(|| NULL.to_owned()))
        .collect();
    texts.join("|")
}

/// The number that the digits of a text spell.
fn number(text: &str) -> u32 {
    let digits: String = text.chars().filter(char::is_ascii_digit).collect();
    digits.parse().unwrap()
}

fn kind_key(kind: &str, status: &str) -> String {
    format!(
        "{} | {}",
        kind.replace('|', "||"),
        status.replace('|', "||")
    )
}

/// A row of `dim_dates`.
fn date(day: &str) -> Vec<Text> {
    const MONTHS: [&str; 12] = [
        "January",
        "February",
        "March",
        "April",
        "May",
        "June",
        "July",
        "August",
        "September",
        "October",
        "November",
        "December",
    ];
    const DAYS: [&str; 7] = [
        "Sunday",
        "Monday",
        "Tuesday",
        "Wednesday",
        "Thursday",
        "Friday",
        "Saturday",
    ];
    // Sakamoto's table of the days by which months begin later in the week.
    const LATER: [u32; 12] = [0, 3, 2, 5, 0, 3, 5, 1, 4, 6, 2, 4];
    let (year, month, of_month) = (number(&day[..4]), number(&day[5..7]), number(&day[8..]));
    let from = year - u32::from(month < 3);
    let week =
        (from + from / 4 - from / 100 + from / 400 + LATER[month as usize - 1] + of_month) % 7;
    let name = DAYS[week as usize];
    let values = [
        number(day).to_string(),
        day.to_owned(),
        year.to_string(),
        month.div_ceil(3).to_string(),
        month.to_string(),
        MONTHS[month as usize - 1].to_owned(),
        of_month.to_string(),
        name.to_owned(),
        name.starts_with('S').to_string(),
    ];
    values.into_iter().map(Some).collect()
}

/// A row of `fact_treatments`.
fn fact(row: &Silver) -> Vec<Text> {
    let mut values = vec![row.get("treatment_id")];
    for what in ["start", "completion", "outcome"] {
        let moment = row.get(&format!("treatment_{what}_date"));
        let date = moment
            .as_deref()
            .map(|moment| number(&moment[..10]).to_string());
        let time = moment
            .as_deref()
            .map(|moment| number(&moment[11..]).to_string());
        values.extend([date, time]);
    }
    let kind = kind_key(
        row.text("treatment_type"),
        row.text("treatment_outcome_status"),
    );
    values.push(Some(kind));
    let rest = "location_id provider_speciality_id provider_id patient_id disease_id treatment_duration_in_days \
                treatment_cost metadata_added_at metadata_modified_at";
    values.extend(rest.split_whitespace().map(|column| row.get(column)));
    values
}

/// The lines of an export.
fn lines(export: &Path) -> Vec<String> {
    let mut lines = Vec::new();
    for entry in fs::read_dir(export.join("data")).unwrap() {
        let mut text = String::new();
        let file = File::open(entry.unwrap().path()).unwrap();
        GzDecoder::new(file).read_to_string(&mut text).unwrap();
        lines.extend(text.lines().map(str::to_owned));
    }
    lines
}

/// The item of a line, or why it cannot be read.
fn readable(line: &str) -> Result<Value, &'static str> {
    let line: Value = serde_json::from_str(line).map_err(|_| "bad_json")?;
    let item = &line["Item"];
    let maps = item.as_object().unwrap().iter();
    for (name, map) in maps.filter(|(_, value)| value.get("M").is_some()) {
        for (leaf, value) in map["M"].as_object().unwrap() {
            let is_number =
                ["duration_in_days", "cost", "age", "mortality_rate"].contains(&leaf.as_str());
            let is_known = !["accepts_patients", "allergies"].contains(&leaf.as_str());
            let fits = match (is_number, value.as_object().unwrap().iter().next().unwrap()) {
                (_, (kind, _)) if kind == "NULL" => true,
                (true, (kind, value)) => {
                    (kind == "N" || kind == "S") && value.as_str().unwrap().parse::<f64>().is_ok()
                }
                (false, (kind, _)) => kind == "S",
            };
            if is_known && !fits {
                assert!(!name.is_empty());
                return Err("bad_value");
            }
        }
    }
    Ok(item.clone())
}

/// A text without the space around it, if there is one.
fn text(leaf: &Value) -> Text {
    let text = leaf["S"].as_str()?.trim();
    (!text.is_empty()).then(|| text.to_owned())
}

/// A number below 10^12 and of at most four digits after the point, in ten-thousandths.
fn units(leaf: &Value) -> Option<i64> {
    let digits = leaf["N"].as_str().or(leaf["S"].as_str())?;
    let (sign, digits) = match digits.strip_prefix('-') {
        Some(digits) => (-1, digits),
        None => (1, digits),
    };
    let (whole, rest) = digits.split_once('.').unwrap_or((digits, ""));
    assert!(rest.len() <= 4, "{digits}");
    let all: i64 = format!("{whole}{rest:0<4}").parse().unwrap();
    Some(sign * all)
}

/// A moment as the tables show it, or that it is none.
fn moment(text: Text) -> Result<Text, &'static str> {
    let Some(text) = text else {
        return Ok(None);
    };
    let text = text.replace(' ', "T");
    let shape: String = text
        .chars()
        .map(|c| if c.is_ascii_digit() { '0' } else { c })
        .collect();
    if shape != "0000-00-00T00:00:00" {
        return Err("bad_date");
    }
    let (year, month, day) = (
        number(&text[..4]),
        number(&text[5..7]),
        number(&text[8..10]),
    );
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let last = match month {
        4 | 6 | 9 | 11 => 30,
        2 if leap => 29,
        2 => 28,
        1..=12 => 31,
        _ => 0,
    };
    if (1..=last).contains(&day) {
        Ok(Some(text))
    } else {
        Err("bad_date")
    }
}

/// The row of an item, or the rule that it breaks.
fn silver(item: &Value) -> Result<Silver, &'static str> {
    let mut row = Silver::default();
    let leaf = |column: &str| {
        let (map, leaf) = column.split_once('_').unwrap();
        &item[map]["M"][leaf]
    };
    let key = item["treatment_id_partition_key"]["S"].as_str().unwrap();
    if text(leaf("treatment_id")).is_some_and(|id| id != key) {
        return Err("other_key");
    }
    for column in SILVER.split_whitespace() {
        let value = match column {
            "treatment_id" => Some(key.to_owned()),
            "patient_full_name" => leaf(column)["S"].as_str().map(hmac),
            "treatment_duration_in_days" | "patient_age" => {
                let units = units(leaf(column));
                match units {
                    Some(..0) => return Err("negative_number"),
                    Some(units) if units % 10_000 != 0 => return Err("bad_number"),
                    Some(units) if column == "patient_age" && units > 1_300_000 => {
                        return Err("range(patient_age)");
                    }
                    _ => units.map(|units| (units / 10_000).to_string()),
                }
            }
            "treatment_cost" | "disease_mortality_rate" => {
                let most = if column == "treatment_cost" {
                    1_000_000_000_000
                } else {
                    10_000_000
                };
                let units = units(leaf(column));
                match units {
                    Some(..0) => return Err("negative_number"),
                    Some(units) if units % 100 != 0 || units >= most => return Err("bad_number"),
                    _ => units.map(|units| hundredths(i128::from(units), 10_000)),
                }
            }
            _ if column.ends_with("_date") || column.ends_with("_at") => {
                moment(text(leaf(column)))?
            }
            _ => text(leaf(column)),
        };
        if let Some(value) = value {
            row.0.insert(column, value);
        }
    }
    let keys = "treatment_type treatment_outcome_status provider_id provider_speciality_id location_id patient_id disease_id";
    if keys.split_whitespace().any(|key| row.text(key).is_empty()) {
        return Err("missing_key");
    }
    if row.text("treatment_start_date").is_empty() || row.text("metadata_modified_at").is_empty() {
        return Err("bad_date");
    }
    let pairs = [
        ("treatment_start_date", "treatment_completion_date"),
        ("treatment_start_date", "treatment_outcome_date"),
        ("metadata_added_at", "metadata_modified_at"),
    ];
    for (earlier, later) in pairs {
        let known = row.0.get(earlier).zip(row.0.get(later));
        if known.is_some_and(|(earlier, later)| later < earlier) {
            return Err("date_order");
        }
    }
    Ok(row)
}
