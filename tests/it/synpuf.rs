//! The synpuf pipeline whole: generated files, whose faults were counted, from a folder and from a web page. What every
//! table should hold is computed by PostgreSQL from the same files, and the model by another method than the plugin's.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex};

use flate2::write::DeflateEncoder;
use flate2::{Compression, Crc};
use weir_generate::synpuf::{self, Dirt, Manifest, Options, Table};
use weir_tests::{Answered, Contents, Ended, Postgres, Scene, Web, built};

const FLAGS: [&str; 11] = [
    "sp_alzhdmta",
    "sp_chf",
    "sp_chrnkidn",
    "sp_cncr",
    "sp_copd",
    "sp_depressn",
    "sp_diabetes",
    "sp_ischmcht",
    "sp_osteoprs",
    "sp_ra_oa",
    "sp_strketia",
];

/// The features of the model, and last what it is of.
fn features() -> Vec<&'static str> {
    let mut features = vec!["gender", "race", "state"];
    features.extend(FLAGS);
    features.extend([
        "age_yrs",
        "dx_claims",
        "px_claims",
        "hcpcs_claims",
        "annual_cost",
    ]);
    features
}

/// What a column of CMS's holds, as PostgreSQL is told.
#[derive(Clone, Copy)]
enum Kind {
    Text,
    Day,
    Count,
    /// A count that is 0 where CMS says nothing.
    Days,
    /// A number with so many decimals.
    Number(u32),
    /// A text that has to match.
    Code(&'static str),
}

const DIAGNOSIS: Kind = Kind::Code("[EV0-9][0-9]{2,4}|OTHER|XX000");
const PROCEDURE: Kind = Kind::Code("[EV0-9][0-9]{1,4}");
const HCPCS: Kind = Kind::Code("[A-Z0-9]{5}");
const NPI: Kind = Kind::Code("[0-9]{10}");

fn kind_of(table: Table, column: &str) -> Kind {
    let begins = |with: &str| column.starts_with(with);
    match column {
        "segment" => Kind::Count,
        "clm_utlztn_day_cnt" => Kind::Days,
        "plan_cvrg_mos_num" | "days_suply_num" => Kind::Count,
        "qty_dspnsd_num" => Kind::Number(3),
        "sp_state_code" => Kind::Code("0[1-9]|[1-4][0-9]|5[0-4]"),
        "bene_county_cd" => Kind::Code("[0-9]{3}"),
        "bene_esrd_ind" => Kind::Code("[0Y]"),
        _ if table == Table::Beneficiary && begins("sp_") => Kind::Code("[12]"),
        _ if column.ends_with("_mons") => Kind::Count,
        _ if column.ends_with("_dt") => Kind::Day,
        _ if begins("icd9_dgns") || begins("admtng") || begins("line_icd9") => DIAGNOSIS,
        _ if begins("icd9_prcdr") => PROCEDURE,
        _ if begins("hcpcs") => HCPCS,
        _ if column.contains("_npi") => NPI,
        _ if begins("tax_num") => Kind::Code("[0-9]{9}"),
        _ if column.contains("_amt") || column.ends_with("_am") => Kind::Number(2),
        _ if begins("medreimb") || begins("benres") || begins("pppymt") => Kind::Number(2),
        _ => Kind::Text,
    }
}

impl Kind {
    /// Whether a text is one.
    fn holds(self, column: &str) -> String {
        let matches = |pattern: &str| format!("coalesce({column} ~ '^({pattern})$', true)");
        match self {
            Self::Text => "true".to_owned(),
            Self::Day => format!("({column} is null or day({column}) is not null)"),
            Self::Count | Self::Days => matches("[0-9]+"),
            Self::Number(_) => matches(r"-?[0-9]+(\.[0-9]+)?"),
            Self::Code(pattern) => matches(pattern),
        }
    }

    fn typed(self, column: &str) -> String {
        match self {
            Self::Text | Self::Code(_) => column.to_owned(),
            Self::Day => format!("day({column})"),
            Self::Count => format!("{column}::int"),
            Self::Days => format!("coalesce({column}::int, 0)"),
            Self::Number(scale) => format!("{column}::numeric(12,{scale})"),
        }
    }
}

/// What is said of a line of a Carrier claim.
const LINE: [&str; 10] = [
    "prf_physn_npi",
    "tax_num",
    "hcpcs_cd",
    "line_nch_pmt_amt",
    "line_bene_ptb_ddctbl_amt",
    "line_bene_prmry_pyr_pd_amt",
    "line_coinsrnc_amt",
    "line_alowd_chrg_amt",
    "line_prcsg_ind_cd",
    "line_icd9_dgns_cd",
];

fn columns(table: Table) -> Vec<String> {
    let columns = table.columns().into_iter();
    columns.map(|column| column.to_lowercase()).collect()
}

/// The rows that pass every check, as PostgreSQL sees them: `good_beneficiary` and its like.
fn good_rows(table: Table) -> String {
    let name = table.name();
    let columns = columns(table);
    let mut holds: Vec<String> = columns
        .iter()
        .map(|column| kind_of(table, column).holds(column))
        .collect();
    holds.push(match table {
        Table::Beneficiary => {
            "not coalesce(day(bene_death_dt) < day(bene_birth_dt), false)".to_owned()
        }
        Table::DrugEvents => "true".to_owned(),
        _ => "not coalesce(day(clm_thru_dt) < day(clm_from_dt), false)".to_owned(),
    });
    let sound = format!("select * from raw_{name} where {}", holds.join(" and "));
    if table == Table::Carrier {
        return good_lines(&sound);
    }
    let mut typed: Vec<String> = columns
        .iter()
        .map(|column| format!("{} as {column}", kind_of(table, column).typed(column)))
        .collect();
    let key = match table {
        Table::Beneficiary => {
            typed.push("year".to_owned());
            "desynpuf_id, year"
        }
        Table::DrugEvents => "pde_id",
        _ => "clm_id, segment",
    };
    format!(
        "create table good_{name} as select {} from (select *, count(*) over (partition by {key}) as of_key from ({sound}) s) k where of_key = 1",
        typed.join(", ")
    )
}

/// A row for each line that says anything; claims that are there twice are not believed.
fn good_lines(sound: &str) -> String {
    let lines: Vec<String> = (1..=13)
        .map(|line| {
            let values: Vec<String> = LINE
                .iter()
                .map(|column| format!("{column}_{line}"))
                .collect();
            format!("({line}, {})", values.join(", "))
        })
        .collect();
    let kind = |column: &str| kind_of(Table::Carrier, column);
    let says: Vec<String> = LINE
        .iter()
        .map(|column| match kind(column) {
            Kind::Number(_) => format!("coalesce({column}::numeric, 0) <> 0"),
            _ => format!("{column} is not null"),
        })
        .collect();
    let mut typed: Vec<String> = columns(Table::Carrier)[..12]
        .iter()
        .map(|column| format!("{} as {column}", kind(column).typed(column)))
        .collect();
    typed.push("line_num".to_owned());
    typed.extend(LINE.map(|column| format!("{} as {column}", kind(column).typed(column))));
    format!(
        "create table good_carrier as select {} from (select *, count(*) over (partition by clm_id) as of_key from ({sound}) s) k, lateral (values {}) l (line_num, {}) where of_key = 1 and ({})",
        typed.join(", "),
        lines.join(", "),
        LINE.join(", "),
        says.join(" or ")
    )
}

/// What PostgreSQL makes of the files.
struct Expected {
    server: Postgres,
}

impl Expected {
    /// Of the files of these folders, with the model's rows split by this seed.
    fn of(landings: &[&Path], seed: i64) -> Expected {
        let server = Postgres::start();
        server.sql(
            "create function day(text) returns date immutable language plpgsql as $$ begin
               return case when $1 ~ '^[0-9]{8}$' then make_date(substr($1, 1, 4)::int, substr($1, 5, 2)::int, substr($1, 7)::int) end;
             exception when others then return null; end $$",
        );
        for table in Table::ALL {
            let names = columns(table);
            let year = if table == Table::Beneficiary {
                ", year int"
            } else {
                ""
            };
            let texts = names.join(" text, ");
            server.sql(&format!(
                "create table raw_{} ({texts} text{year})",
                table.name()
            ));
        }
        for landing in landings {
            for entry in fs::read_dir(landing).unwrap() {
                copy_in(&server, &entry.unwrap().path());
            }
        }
        for table in Table::ALL {
            server.sql(&good_rows(table));
        }
        server.sql(CURATED);
        server.sql(&features_view(seed));
        Expected { server }
    }

    /// The rows of a query, each a line of text, sorted.
    fn lines(&self, columns: &[String], table: &str) -> Vec<String> {
        let texts = texts(columns, "text");
        let mut lines = self
            .server
            .sql(&format!("select concat_ws('|', {texts}) from {table}"));
        lines.sort_unstable();
        lines
    }

    /// The rows that the model is of, as numbers.
    fn matrix(&self, split: &str) -> Vec<Vec<f64>> {
        let columns = features().join(", ");
        let query = format!(
            "select {columns} from features where split = '{split}' order by desynpuf_id, year"
        );
        let rows = self.server.sql(&query);
        rows.iter()
            .map(|row| row.split('|').map(|value| value.parse().unwrap()).collect())
            .collect()
    }
}

fn texts(columns: &[String], text: &str) -> String {
    let texts = columns.iter().map(|column| match column.as_str() {
        // The last digits of a quotient are no concern of the test.
        "age_yrs" => format!("cast(cast(round(age_yrs * 1000000) as bigint) as {text})"),
        column => format!("coalesce(cast({column} as {text}), '∅')"),
    });
    texts.collect::<Vec<_>>().join(", ")
}

fn copy_in(server: &Postgres, file: &Path) {
    let name = file.file_name().unwrap().to_str().unwrap();
    let mark = |table| match table {
        Table::Beneficiary => "_Beneficiary_Summary_",
        Table::Inpatient => "_Inpatient_Claims_",
        Table::Outpatient => "_Outpatient_Claims_",
        Table::DrugEvents => "_Prescription_Drug_",
        Table::Carrier => "_Carrier_Claims_",
    };
    let Some(table) = Table::ALL
        .into_iter()
        .find(|table| name.contains(mark(*table)))
    else {
        return;
    };
    let raw = format!("raw_{}", table.name());
    let copy = format!(
        "copy {raw} ({}) from stdin with (format csv, header)",
        columns(table).join(", ")
    );
    let mut client = server.client();
    client.args(["-c", &copy]);
    if table == Table::Beneficiary {
        let year = &name[6..10];
        client.args([
            "-c",
            &format!("update {raw} set year = {year} where year is null"),
        ]);
    }
    let copied = client.stdin(File::open(file).unwrap()).status().unwrap();
    assert!(copied.success(), "{name}");
}

const CURATED: &str = r"
create view costs_of_claims as
  select desynpuf_id, extract(year from min(clm_from_dt))::int as year, 'i' as kind, sum(clm_pmt_amt) as cost from good_inpatient group by desynpuf_id, clm_id
  union all select desynpuf_id, extract(year from min(clm_from_dt))::int, 'o', sum(clm_pmt_amt) from good_outpatient group by desynpuf_id, clm_id
  union all select desynpuf_id, extract(year from srvc_dt)::int, 'd', tot_rx_cst_amt from good_prescription_drug
  union all select desynpuf_id, extract(year from clm_from_dt)::int, 'c', line_nch_pmt_amt from good_carrier;
create table beneficiary_costs as
  select b.desynpuf_id, b.year,
         count(*) filter (where kind = 'i') as inpatient_claims, coalesce(sum(cost) filter (where kind = 'i'), 0)::numeric(14,2) as inpatient_cost,
         count(*) filter (where kind = 'o') as outpatient_claims, coalesce(sum(cost) filter (where kind = 'o'), 0)::numeric(14,2) as outpatient_cost,
         count(*) filter (where kind = 'd') as drug_events, coalesce(sum(cost) filter (where kind = 'd'), 0)::numeric(14,2) as drug_cost,
         count(*) filter (where kind = 'c') as carrier_lines, coalesce(sum(cost) filter (where kind = 'c'), 0)::numeric(14,2) as carrier_cost,
         coalesce(sum(cost), 0)::numeric(15,2) as total_cost
  from good_beneficiary b left join costs_of_claims c using (desynpuf_id, year)
  group by 1, 2;
";

fn features_view(seed: i64) -> String {
    let flags = FLAGS.map(|flag| format!("(b.{flag} = '2')::int as {flag}"));
    format!(
        r"create view features as
        select b.desynpuf_id, b.year, (b.bene_sex_ident_cd = '2')::int as gender,
               array_position(array['1', '2', '3', '5'], b.bene_race_cd) - 1 as race,
               b.sp_state_code::int - 1 as state, {},
               (p.last - b.bene_birth_dt) / 365.0::float8 as age_yrs, p.dx as dx_claims, p.px as px_claims, p.hcpcs as hcpcs_claims,
               b.benres_ip as annual_cost,
               case when ('x' || substr(md5('{seed}:' || b.desynpuf_id), 1, 8))::bit(32)::bigint < 3006477107 then 'train' else 'held-out' end as split
        from good_beneficiary b
        join (select desynpuf_id, max(clm_from_dt) as last, count(icd9_dgns_cd_1) as dx, count(icd9_prcdr_cd_1) as px, count(hcpcs_cd_1) as hcpcs
              from good_inpatient group by 1) p using (desynpuf_id)",
        flags.join(", ")
    )
}

fn assert_same(found: &[String], expected: &[String], what: &str) {
    let differ = found.iter().zip(expected).find(|(a, b)| a != b);
    assert!(differ.is_none(), "{what}: {differ:?}");
    assert_eq!(found.len(), expected.len(), "{what}");
    assert!(!expected.is_empty(), "{what} has no rows to compare");
}

/// Demands that the lake's tables hold what PostgreSQL says, and the model what another method finds.
fn expect_lake(scene: &Scene, expected: &Expected) {
    let mut tables: Vec<(String, String, Vec<String>)> = Table::ALL
        .into_iter()
        .map(|table| {
            let mut columns = columns(table);
            match table {
                Table::Beneficiary => columns.push("year".to_owned()),
                Table::Carrier => {
                    columns.truncate(12);
                    columns.push("line_num".to_owned());
                    columns.extend(LINE.map(str::to_owned));
                }
                _ => {}
            }
            let name = table.name();
            (format!("cleansed.{name}"), format!("good_{name}"), columns)
        })
        .collect();
    let names = |names: &str| names.split(' ').map(str::to_owned).collect::<Vec<_>>();
    tables.push((
        "curated.beneficiary_costs".to_owned(),
        "beneficiary_costs".to_owned(),
        names("desynpuf_id year inpatient_claims inpatient_cost outpatient_claims outpatient_cost drug_events drug_cost carrier_lines carrier_cost total_cost"),
    ));
    let of_features = features().join(" ");
    tables.push((
        "curated.features".to_owned(),
        "features".to_owned(),
        names(&format!("desynpuf_id year split {of_features}")),
    ));
    for (table, view, columns) in tables {
        let query = format!(
            "select concat_ws('|', {}) as line from {table}",
            texts(&columns, "varchar")
        );
        let mut found: Vec<String> = scene
            .sql(&query)
            .iter()
            .map(|row| row["line"].as_str().unwrap().to_owned())
            .collect();
        found.sort_unstable();
        assert_same(&found, &expected.lines(&columns, &view), &table);
    }
    expect_model(scene, expected);
}

/// The model, and what it predicts.
fn expect_model(scene: &Scene, expected: &Expected) {
    let train = expected.matrix("train");
    let held_out = expected.matrix("held-out");
    assert!(train.len() > 200 && held_out.len() > 50, "there is a model");
    let wanted = least_squares(&train, 1e-6);
    let fitted = scene.sql("select * from curated.model where model_version = (select max(model_version) from curated.fitted)");
    assert_eq!(fitted.len(), wanted.len());
    let coefficient = |name: &str| {
        let row = fitted.iter().find(|row| row["feature"] == name).unwrap();
        row["coefficient"].as_f64().unwrap()
    };
    let mut model = vec![coefficient("(intercept)")];
    let names = features();
    model.extend(
        names[..names.len() - 1]
            .iter()
            .map(|name| coefficient(name)),
    );
    for ((found, wanted), name) in model
        .iter()
        .zip(&wanted)
        .zip(["(intercept)"].iter().chain(&names))
    {
        assert!(
            (found - wanted).abs() < 1e-5 * wanted.abs().max(1.0),
            "{name}: {found} {wanted}"
        );
    }
    assert_eq!(coefficient("hcpcs_claims"), 0.0, "it says nothing");

    for (rows, prefix) in [(&train, "train"), (&held_out, "held_out")] {
        let (rmse, r2) = goodness(rows, &model);
        let found = |what: &str| fitted[0][format!("{prefix}_{what}")].as_f64().unwrap();
        assert_eq!(found("rows"), rows.len() as f64);
        // Predictions are kept to the cent.
        assert!(
            (found("rmse") - rmse).abs() < 1e-2,
            "{prefix}: {} {rmse}",
            found("rmse")
        );
        assert!(
            (found("r2") - r2).abs() < 1e-6,
            "{prefix}: {} {r2}",
            found("r2")
        );
    }

    let query = format!(
        "select split, desynpuf_id, year, {} from features",
        names.join(", ")
    );
    let mut wanted: BTreeMap<String, f64> = BTreeMap::new();
    for row in expected.server.sql(&query) {
        let (key, values) = row
            .match_indices('|')
            .nth(2)
            .map(|(at, _)| row.split_at(at))
            .unwrap();
        let values: Vec<f64> = values[1..]
            .split('|')
            .map(|value| value.parse().unwrap())
            .collect();
        wanted.insert(key.to_owned(), predicted(&values, &model));
    }
    let found = scene.sql("select * from curated.predictions order by rank");
    assert_eq!(found.len(), wanted.len());
    let mut last = f64::INFINITY;
    for (rank, row) in (1..).zip(&found) {
        assert_eq!(row["rank"], rank);
        let text = |name: &str| row[name].as_str().unwrap();
        let key = format!("{}|{}|{}", text("split"), text("desynpuf_id"), row["year"]);
        let cost = row["predicted_cost"]
            .as_f64()
            .or_else(|| row["predicted_cost"].as_str()?.parse().ok())
            .unwrap();
        assert!(
            (cost - wanted[&key]).abs() < 0.006,
            "{key}: {cost} {}",
            wanted[&key]
        );
        assert!(cost <= last, "the highest is first");
        last = cost;
    }
}

/// What a model says of a row, whose last value it does not look at.
fn predicted(row: &[f64], model: &[f64]) -> f64 {
    let features = &row[..row.len() - 1];
    let terms = features.iter().zip(&model[1..]);
    model[0]
        + terms
            .map(|(value, coefficient)| value * coefficient)
            .sum::<f64>()
}

fn goodness(rows: &[Vec<f64>], model: &[f64]) -> (f64, f64) {
    let count = rows.len() as f64;
    let target = |row: &Vec<f64>| *row.last().unwrap();
    let mean = rows.iter().map(target).sum::<f64>() / count;
    let residuals: f64 = rows
        .iter()
        .map(|row| (target(row) - predicted(row, model)).powi(2))
        .sum();
    let total: f64 = rows.iter().map(|row| (target(row) - mean).powi(2)).sum();
    ((residuals / count).sqrt(), 1.0 - residuals / total)
}

/// The constant and the coefficients of the last column on the others, by a QR decomposition (modified Gram-Schmidt) of
/// the centred rows, with the ridge as rows of its own: the plugin solves normal equations.
fn least_squares(rows: &[Vec<f64>], ridge: f64) -> Vec<f64> {
    let width = rows[0].len();
    let count = rows.len() as f64;
    let means: Vec<f64> = (0..width)
        .map(|at| rows.iter().map(|row| row[at]).sum::<f64>() / count)
        .collect();
    let features = width - 1;
    let mut columns: Vec<Vec<f64>> = (0..width)
        .map(|at| {
            let mut column: Vec<f64> = rows.iter().map(|row| row[at] - means[at]).collect();
            column.extend((0..features).map(|other| {
                if other == at {
                    (ridge * count).sqrt()
                } else {
                    0.0
                }
            }));
            column
        })
        .collect();
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    let mut upper = vec![vec![0.0; width]; features];
    for at in 0..features {
        let norm = dot(&columns[at], &columns[at]).sqrt();
        upper[at][at] = norm;
        let unit: Vec<f64> = columns[at].iter().map(|value| value / norm).collect();
        for other in at + 1..width {
            let along = dot(&unit, &columns[other]);
            upper[at][other] = along;
            columns[other]
                .iter_mut()
                .zip(&unit)
                .for_each(|(value, unit)| *value -= along * unit);
        }
    }
    let mut solution = vec![0.0; features];
    for at in (0..features).rev() {
        let known: f64 = (at + 1..features)
            .map(|other| upper[at][other] * solution[other])
            .sum();
        solution[at] = (upper[at][features] - known) / upper[at][at];
    }
    let explained: f64 = solution
        .iter()
        .zip(&means)
        .map(|(coefficient, mean)| coefficient * mean)
        .sum();
    let mut model = vec![means[features] - explained];
    model.extend(solution);
    model
}

/// Every table of the warehouse has the rows of the lake's.
fn expect_warehouse(scene: &Scene) {
    let warehouse = scene.sqlite();
    let count = |table: &str| -> i64 {
        let query = format!("select count(*) from {table}");
        warehouse.query_row(&query, [], |row| row.get(0)).unwrap()
    };
    for (here, there) in [
        ("beneficiary_summary", "cleansed.beneficiary"),
        ("inpatient_claims", "cleansed.inpatient"),
        ("outpatient_claims", "cleansed.outpatient"),
        ("prescription_drug_events", "cleansed.prescription_drug"),
        ("carrier_lines", "cleansed.carrier"),
        ("beneficiary_costs", "curated.beneficiary_costs"),
        ("cost_predictions", "curated.predictions"),
        ("cost_model", "curated.model"),
    ] {
        assert_eq!(count(here) as u64, scene.count(there), "{here}");
    }
    let out_of_order: i64 = warehouse
        .query_row(
            "select count(*) from cost_predictions where rank <> rowid",
            [],
            |row| row.get(0),
        )
        .unwrap();
    assert_eq!(out_of_order, 0, "the highest is first");
    let birth: String = warehouse
        .query_row("select typeof(bene_birth_dt) || ' ' || length(sp_state_code) from beneficiary_summary limit 1", [], |row| row.get(0))
        .unwrap();
    assert_eq!(birth, "text 2");
}

fn dirty(beneficiaries: u64) -> Options {
    Options {
        seed: 17,
        dirt: Dirt::everywhere(0.01),
        carrier: beneficiaries * 4,
        drug_events: beneficiaries * 5,
        ..Options::for_beneficiaries(beneficiaries)
    }
}

fn generate(scene: &Scene, landing: &str, options: &Options) -> (PathBuf, Manifest) {
    let landing = scene.path(landing);
    let manifest = synpuf::generate(&landing, options).unwrap();
    (landing, manifest)
}

#[test]
fn every_row_of_every_table_is_foretold_and_a_rerun_changes_nothing() {
    let scene = Scene::new();
    let (landing, manifest) = generate(&scene, "landing", &dirty(600));
    scene.run_synpuf(&landing).expect_code(3);
    let expected = Expected::of(&[&landing], 2008);
    expect_lake(&scene, &expected);
    expect_warehouse(&scene);
    for table in Table::ALL {
        let name = table.name();
        let aside = scene.count(&format!("cleansed.{name}__quarantine"));
        assert_eq!(aside, manifest.rejected(table), "{name}");
        let rows = scene.count(&format!("cleansed.{name}"));
        assert_eq!(rows, manifest.cleansed(table), "{name}");
    }
    // A rejected claim lies there whole, as CMS sent it.
    let whole = scene.value("select count(line_nch_pmt_amt_13) from cleansed.carrier__quarantine");
    assert_eq!(whole, manifest.rejected(Table::Carrier).to_string());

    let before = Contents::of(&scene);
    scene.run_synpuf(&landing).expect_code(3);
    Contents::of(&scene).expect_same(&before, "a second run changes nothing");

    // Another seed makes another model of the same rows, and the first one stays.
    let path = landing.to_str().unwrap();
    scene
        .run(
            &built::pipeline("synpuf"),
            &[("landing", path), ("seed", "7")],
        )
        .expect_code(3);
    expect_model(&scene, &Expected::of(&[&landing], 7));
    let models = scene.sql_csv(
        "select model_version, seed, count(*) as rows from curated.model group by 1, 2 order by 2",
    );
    assert_eq!(models.len(), 3);
    assert!(
        models[1].ends_with(",7,19") && models[2].ends_with(",2008,19"),
        "{models:?}"
    );
    let kept = scene.sql_csv("select * from curated.model where seed = 2008 order by feature");
    let first: Vec<&String> = before.0["curated.model"].iter().collect();
    assert_eq!(kept.len() - 1, first.len());
    scene.run_synpuf(&landing).expect_code(3);
    let after = Contents::of(&scene);
    assert_eq!(
        after.0["curated.predictions"],
        before.0["curated.predictions"]
    );
    assert!(
        before.0["curated.model"]
            .iter()
            .all(|row| after.0["curated.model"].contains(row))
    );
}

/// Figures of CMS's own sample that were computed by other means.
#[test]
fn the_model_of_sample_b_is_of_its_figures() {
    let Some(sample) = built::real_data("cms_de_synpuf_bfd/test_b") else {
        return;
    };
    let scene = Scene::new();
    scene.run_synpuf(&sample).expect_code(3);
    for (query, figure) in [
        ("count(*) from cleansed.beneficiary", "1477"),
        ("count(*) from cleansed.inpatient", "264"),
        ("count(*) from raw.carrier", "21187"),
        ("count(*) from cleansed.carrier", "42440"),
        ("count(distinct desynpuf_id) from curated.features", "155"),
        ("count(*) from curated.features", "463"),
        ("sum(annual_cost) from curated.features", "316428.00"),
        (
            "count(*) from curated.features where annual_cost <> 0",
            "189",
        ),
        ("round(avg(age_yrs), 4) from curated.features", "72.502"),
        ("count(*) from curated.predictions", "463"),
        ("count(distinct model_version) from curated.model", "1"),
    ] {
        assert_eq!(scene.value(&format!("select {query}")), figure, "{query}");
    }
    let claims = "select sum(dx) as dx, sum(px) as px, sum(hcpcs) as hcpcs from (select distinct desynpuf_id, dx_claims as dx, px_claims as px, hcpcs_claims as hcpcs from curated.features)";
    assert_eq!(scene.sql_csv(claims)[1], "264,155,0");
    expect_model(&scene, &Expected::of(&[&sample], 2008));
    expect_warehouse(&scene);
}

/// A zip archive of one file, as CMS packs each.
fn zip(file: &Path) -> Vec<u8> {
    let text = fs::read(file).unwrap();
    let name = file.file_name().unwrap().to_str().unwrap();
    let mut packed = DeflateEncoder::new(Vec::new(), Compression::fast());
    packed.write_all(&text).unwrap();
    let packed = packed.finish().unwrap();
    let mut crc = Crc::new();
    crc.update(&text);
    let mut common = Vec::new();
    for word in [20_u16, 0, 8, 0, 0] {
        common.extend_from_slice(&word.to_le_bytes());
    }
    for size in [crc.sum(), packed.len() as u32, text.len() as u32] {
        common.extend_from_slice(&size.to_le_bytes());
    }
    common.extend_from_slice(&(name.len() as u16).to_le_bytes());
    common.extend_from_slice(&0_u16.to_le_bytes());
    let mut archive = 0x0403_4b50_u32.to_le_bytes().to_vec();
    archive.extend_from_slice(&common);
    archive.extend_from_slice(name.as_bytes());
    archive.extend_from_slice(&packed);
    let directory = archive.len() as u32;
    archive.extend_from_slice(&0x0201_4b50_u32.to_le_bytes());
    archive.extend_from_slice(&20_u16.to_le_bytes());
    archive.extend_from_slice(&common);
    archive.extend_from_slice(&[0; 14]);
    archive.extend_from_slice(name.as_bytes());
    let size = archive.len() as u32 - directory;
    archive.extend_from_slice(&0x0605_4b50_u32.to_le_bytes());
    archive.extend_from_slice(&[0, 0, 0, 0, 1, 0, 1, 0]);
    archive.extend_from_slice(&size.to_le_bytes());
    archive.extend_from_slice(&directory.to_le_bytes());
    archive.extend_from_slice(&[0, 0]);
    archive
}

/// A page that links to archives, more of them as days go by.
struct Site {
    web: Web,
    files: Arc<Mutex<BTreeMap<String, Vec<u8>>>>,
}

impl Site {
    fn start() -> Site {
        let files: Arc<Mutex<BTreeMap<String, Vec<u8>>>> = Arc::default();
        let there = Arc::clone(&files);
        let web = Web::start(move |_, asked| {
            let files = there.lock().unwrap();
            if asked.target == "/synpuf/index.html" {
                let links = files
                    .keys()
                    .map(|name| format!("<li><a href=\"files/{name}\">{name}</a>"));
                let page: String = links.collect();
                return Answered::body(format!(
                    "<h1>DE-SynPUF</h1><a href=\"about.pdf\">about</a><ul>{page}</ul>"
                ));
            }
            let name = asked
                .target
                .strip_prefix("/synpuf/files/")
                .unwrap_or_default();
            match files.get(name) {
                Some(bytes) => Answered::body(bytes.clone()),
                None => Answered::status(404),
            }
        });
        Site { web, files }
    }

    /// Puts the files of a folder on the page.
    fn publish(&self, landing: &Path) {
        for entry in fs::read_dir(landing).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap();
            if let Some(stem) = name.strip_suffix(".csv") {
                self.files
                    .lock()
                    .unwrap()
                    .insert(format!("{stem}.zip"), zip(&path));
            }
        }
    }

    /// How often each archive was asked for.
    fn asked(&self) -> BTreeMap<String, usize> {
        let mut asked = BTreeMap::new();
        for request in self.web.asked() {
            if let Some(name) = request.target.strip_prefix("/synpuf/files/") {
                *asked.entry(name.to_owned()).or_default() += 1;
            }
        }
        asked
    }

    /// `weir run` of web.toml, into the scene's lake. The site is on this machine, which a grant has to allow.
    fn command(&self, scene: &Scene) -> Command {
        let folder = built::root().join("pipelines/synpuf");
        let plugins = built::root().join("plugins");
        let plugins = format!("\"{}/", plugins.display());
        for file in ["web.toml", "shared.toml"] {
            let text = fs::read_to_string(folder.join(file)).unwrap();
            let text = text.replace("\"../../plugins/", &plugins);
            scene.file(
                &format!("web/{file}"),
                text.replace("max_response =", "private = true, max_response ="),
            );
        }
        fs::create_dir_all(scene.path("web/sql")).unwrap();
        for entry in fs::read_dir(folder.join("sql")).unwrap() {
            let entry = entry.unwrap();
            fs::copy(entry.path(), scene.path("web/sql").join(entry.file_name())).unwrap();
        }
        let url = self.web.url();
        let (index, site) = (format!("{url}/synpuf/index.html"), format!("{url}/synpuf/"));
        scene.run_command(
            &scene.path("web/web.toml"),
            &[("index", &index), ("site", &site)],
        )
    }

    fn run(&self, scene: &Scene) -> Ended {
        Ended::from(self.command(scene).output().unwrap())
    }
}

#[test]
fn files_of_a_page_give_the_tables_of_a_folder_and_each_is_loaded_once() {
    let folder = Scene::new();
    let (first, _) = generate(&folder, "landing/1", &dirty(500));
    folder.run_synpuf(&folder.path("landing")).expect_code(3);

    let scene = Scene::new();
    let site = Site::start();
    site.publish(&first);
    site.run(&scene).expect_code(3);
    let of_first = Contents::of(&scene);
    of_first.expect_same(&Contents::of(&folder), "from the web");
    let once: BTreeMap<String, usize> = site
        .files
        .lock()
        .unwrap()
        .keys()
        .map(|name| (name.clone(), 1))
        .collect();
    assert_eq!(once.len(), 8);
    assert_eq!(site.asked(), once);

    // The next day nothing is new.
    site.run(&scene).expect_code(3);
    Contents::of(&scene).expect_same(&of_first, "nothing is new");
    assert_eq!(site.asked(), once);

    // Then there is another sample.
    let second = Options {
        sample: 2,
        ..dirty(300)
    };
    let (second, manifest) = generate(&folder, "landing/2", &second);
    site.publish(&second);
    site.run(&scene).expect_code(3);
    let asked = site.asked();
    assert!(
        asked.len() == 16 && asked.values().all(|times| *times == 1),
        "{asked:?}"
    );
    let of_both = Contents::of(&scene);
    for (name, rows) in of_first
        .0
        .iter()
        .filter(|(name, _)| name.starts_with("raw."))
    {
        let added = of_both.0[name].len() - rows.len();
        let table = Table::ALL
            .into_iter()
            .find(|table| name.starts_with(&format!("raw.{}", table.name())));
        let new = manifest.files_of(table.unwrap());
        let new = new.filter(|file| {
            file.year
                .is_none_or(|year| name.ends_with(&format!("={year}")))
        });
        assert_eq!(
            added as u64,
            new.map(|file| file.rows).sum::<u64>(),
            "{name}"
        );
        assert!(
            rows.iter()
                .all(|row| of_both.0[name].binary_search(row).is_ok()),
            "{name}"
        );
    }
    expect_lake(&scene, &Expected::of(&[&first, &second], 2008));
    assert!(
        of_first.0["curated.model"]
            .iter()
            .all(|row| of_both.0["curated.model"].contains(row))
    );

    // And so it is where both lie in a folder.
    folder.run_synpuf(&folder.path("landing")).expect_code(3);
    Contents::of(&folder).expect_same(&of_both, "two samples in a folder");
}

#[test]
fn a_page_that_breaks_off_is_gone_on_with() {
    let options = Options {
        dirt: Dirt::default(),
        ..dirty(300)
    };
    let alone = Scene::new();
    let (landing, _) = generate(&alone, "landing", &options);
    alone.run_synpuf(&landing).expect_code(0);

    let scene = Scene::new();
    let site = Site::start();
    site.publish(&landing);
    let name = "DE1_0_2008_to_2010_Carrier_Claims_Sample_1B.zip";
    let archive = site
        .files
        .lock()
        .unwrap()
        .insert(name.to_owned(), b"<html>busy".to_vec())
        .unwrap();
    site.run(&scene)
        .expect_code(1)
        .says(&["Carrier_Claims_Sample_1B.zip"]);
    site.files.lock().unwrap().insert(name.to_owned(), archive);
    site.run(&scene).expect_code(0);
    Contents::of(&scene).expect_same(&Contents::of(&alone), "after a broken archive");
    // What was kept is not asked for again.
    let mut asked = site.asked();
    assert!(asked.remove(name).is_some_and(|times| times > 1));
    assert!(asked.values().all(|times| *times == 1), "{asked:?}");
}

/// Both replace the same tables: whoever is overtaken says so, and one more run settles it.
#[test]
fn two_runs_at_once_in_one_lake_do_not_disturb_each_other() {
    let scene = Scene::new();
    let (landing, _) = generate(&scene, "landing", &dirty(400));
    scene.run_synpuf(&landing).expect_code(3);
    let alone = Contents::of(&scene);
    fs::remove_dir_all(scene.lake()).unwrap();
    let running: Vec<_> = (0..2)
        .map(|_| scene.start(scene.synpuf_command(&landing)))
        .collect();
    for run in running {
        run.end().expect_code_of(&[3, 75]);
    }
    scene.run_synpuf(&landing).expect_code(3);
    Contents::of(&scene).expect_same(&alone, "two at once");
}

#[test]
fn a_run_that_is_killed_between_two_steps_is_finished_by_the_next() {
    let scene = Scene::new();
    let (landing, _) = generate(&scene, "landing", &dirty(400));
    scene.run_synpuf(&landing).expect_code(3);
    let whole = Contents::of(&scene);
    for step in [
        "land-claims[carrier",
        "cleanse-carrier",
        "fit",
        "publish-predictions",
    ] {
        fs::remove_dir_all(scene.lake()).unwrap();
        let mut running = scene.start(scene.synpuf_command(&landing));
        assert!(running.until_says(step), "{step}");
        running.signal("KILL");
        running.end();
        scene.run_synpuf(&landing).expect_code(3);
        Contents::of(&scene).expect_same(&whole, step);
    }
}

/// Fewer rows than a model takes: nothing is predicted, and nothing fails.
#[test]
fn too_few_patients_make_no_model() {
    let scene = Scene::new();
    let options = Options {
        dirt: Dirt::default(),
        ..dirty(60)
    };
    let (landing, _) = generate(&scene, "landing", &options);
    scene.run_synpuf(&landing).expect_code(0);
    assert_ne!(scene.count("curated.features"), 0);
    for table in ["curated.fitted", "curated.predictions", "curated.model"] {
        assert_eq!(scene.count(table), 0, "{table}");
    }
    expect_warehouse(&scene);
}

/// The warehouse is in Redshift where the profile says so.
#[test]
fn both_files_are_valid_in_each_profile() {
    let scene = Scene::new();
    for file in ["pipeline.toml", "web.toml"] {
        let path = built::root().join("pipelines/synpuf").join(file);
        let path = path.to_str().unwrap();
        scene.call(["validate", path]).expect_code(0);
        let mut redshift = scene.weir(["validate", path, "--profile", "redshift"]);
        redshift.env("WAREHOUSE_STAGING", "s3://bucket/weir");
        Ended::from(redshift.output().unwrap()).expect_code(0);
    }
}
