//! The part-d pipeline: generated tables in PostgreSQL, whose faults were counted, to reports in
//! MySQL. What every table should hold is computed by PostgreSQL from its own tables.

use std::collections::BTreeMap;
use std::fs::File;

use weir_generate::part_d::{self, Dirt, Fault, Manifest, Options, Table};
use weir_tests::{Contents, Ended, MariaDb, Postgres, Scene, built};

/// The rows of `prescriber_drug` that pass every check, and what is known of places and people, as
/// PostgreSQL sees them.
const VIEWS: &str = r"
create function is_npi(npi text) returns boolean immutable language sql as $$
  select case when npi ~ '^[0-9]{10}$' then (24 + (
    select sum(case when place % 2 = 1 then digit * 2 / 10 + digit * 2 % 10 else digit end)
    from (select place, substr(npi, place, 1)::int as digit from generate_series(1, 10) place) d
  )) % 10 = 0 else false end $$;
create view places as
  select unnest(string_to_array('AL AK AZ AR CA CO CT DE DC FL GA HI ID IL IN IA KS KY LA ME MD MA MI MN MS MO MT NE NV NH NJ NM NY NC ND OH OK OR PA RI SC SD TN TX UT VT VA WA WV WI WY AS GU MP PR VI', ' ')) as code;
create view good_city as
  select state_id, state_name, city, city_ascii, population from state
  where state_id in (select code from places);
create view good_state as
  select state_id, state_name, sum(population) as total_population, count(*) as num_city
  from good_city group by 1, 2;
create view good_drug as
  select brnd_name, gnrc_name,
         case when bool_or(antbtc_drug_flag = 'Y') then 'Antibiotic' else 'Non-antibiotic' end as drug_type
  from drug where brnd_name <> '' group by 1, 2;
create view good_prescriber as
  select * from (select distinct on (prscrbr_npi) * from prescriber order by prscrbr_npi, id desc) p
  where is_npi(prscrbr_npi) and prscrbr_state_abrvtn in (select code from places);
create view good_row as
  select * from (
    select *, count(*) over (partition by prscrbr_npi, brnd_name, gnrc_name) as of_key
    from prescriber_drug
    where is_npi(prscrbr_npi) and prscrbr_state_abrvtn in (select code from places)
      and tot_clms >= 11 and coalesce(tot_30day_fills >= tot_clms, true) and tot_drug_cst >= 0
      and prscrbr_type <> '' and brnd_name <> '' and gnrc_name <> ''
      and (coalesce(ge65_sprsn_flag, '') = ''
           or ge65_sprsn_flag in ('*', '#') and num_nonnulls(ge65_tot_clms, ge65_tot_30day_fills, ge65_tot_drug_cst, ge65_tot_day_suply) = 0)
      and (coalesce(ge65_bene_sprsn_flag, '') = ''
           or ge65_bene_sprsn_flag in ('*', '#') and ge65_tot_benes is null)
  ) r where of_key = 1;
create view rows_by_drug as
  select brnd_name, gnrc_name, drug_type, sum(tot_clms) as claims, sum(tot_drug_cst) as cost
  from good_row join good_drug using (brnd_name, gnrc_name) group by 1, 2, 3;
create view rows_by_prescriber as
  select r.prscrbr_npi,
         concat_ws(' ', nullif(r.prscrbr_first_name, ''), nullif(r.prscrbr_last_org_name, '')) as fullname,
         case p.prscrbr_ent_cd when 'I' then 'Individual' else 'Organization' end as kind,
         r.prscrbr_type, p.prscrbr_city, r.prscrbr_state_abrvtn, s.state_name, s.total_population, s.num_city,
         r.brnd_name, r.gnrc_name, r.tot_clms, r.tot_drug_cst
  from good_row r
  join good_prescriber p using (prscrbr_npi)
  join good_state s on s.state_id = r.prscrbr_state_abrvtn;
";

/// Each table of the lake: its columns, and the query that says what it holds.
const LAKE: [(&str, &str, &str); 7] = [
    (
        "cleansed.city",
        "state_code, state_name, city, city_ascii, population",
        "select state_id, state_name, city, city_ascii, population from good_city",
    ),
    (
        "cleansed.state",
        "state_code, state_name, total_population, num_city",
        "select * from good_state",
    ),
    (
        "cleansed.drug",
        "drug_brand_name, drug, drug_type",
        "select * from good_drug",
    ),
    (
        "cleansed.prescriber",
        "presc_id, city, state_code, presc_type",
        "select prscrbr_npi, prscrbr_city, prscrbr_state_abrvtn, case prscrbr_ent_cd when 'I' then 'Individual' else 'Organization' end from good_prescriber",
    ),
    (
        "cleansed.prescriber_drug",
        "presc_id, presc_fullname, presc_state_code, presc_specialty, drug_brand_name, drug, total_claims, total_drug_cost",
        "select prscrbr_npi, concat_ws(' ', nullif(prscrbr_first_name, ''), nullif(prscrbr_last_org_name, '')), prscrbr_state_abrvtn, prscrbr_type, brnd_name, gnrc_name, tot_clms, tot_drug_cst from good_row",
    ),
    (
        "curated.drug_report",
        "drug_brand_name, drug, drug_type, total_claims, total_drug_cost",
        "select * from rows_by_drug",
    ),
    (
        "curated.prescriber_report",
        "presc_id, presc_fullname, presc_type, presc_specialty, presc_city, presc_state_code, state_name, total_population, num_city, drug_brand_name, drug, total_claims, total_drug_cost",
        "select * from rows_by_prescriber",
    ),
];

/// A source, a mart, and a lake between them.
struct PartD {
    scene: Scene,
    source: Postgres,
    mart: MariaDb,
}

impl PartD {
    fn new() -> Self {
        Self {
            scene: Scene::new(),
            source: Postgres::start(),
            mart: MariaDb::start(),
        }
    }

    /// Adds rows to the source.
    fn fill(&self, options: &Options) -> Manifest {
        let manifest = part_d::fill_postgres(|| self.source.client(), options).unwrap();
        if options.part.0 == 0 {
            self.source.sql(VIEWS);
        }
        manifest
    }

    fn command(&self, date: &str, more: &[(&str, &str)]) -> std::process::Command {
        let mut params = vec![("date", date)];
        params.extend(more);
        let mut command = self.scene.run_command(&built::pipeline("part-d"), &params);
        command
            .env("PARTD_SOURCE_URL", self.source.url(self.source.port()))
            .env("PARTD_MART_URL", self.mart.url(self.mart.port()))
            .env("PARTD_MART_TLS", "off");
        command
    }

    fn run(&self, date: &str, more: &[(&str, &str)]) -> Ended {
        Ended::from(self.command(date, more).output().unwrap()).hides(&["canary"])
    }

    /// Demands that the tables of a date hold what PostgreSQL says.
    fn expect_reports(&self, date: &str) {
        for (table, columns, query) in LAKE {
            let mut expected = self.source.sql(query);
            let texts = columns.replace(", ", " as varchar), cast(");
            let line = format!("concat_ws('|', cast({texts} as varchar))");
            let query = format!("select {line} as line from {table} where load_date = '{date}'");
            let found = self.scene.sql(&query);
            let mut found: Vec<String> = found
                .iter()
                .map(|row| row["line"].as_str().unwrap().to_owned())
                .collect();
            expected.sort();
            found.sort();
            assert_same(&found, &expected, table);
            if let Some(report) = table.strip_prefix("curated.") {
                let query = format!("select {columns} from {report} where load_date = '{date}'");
                let mut found = self.mart.sql(&query);
                found.sort();
                assert_same(&found, &expected, report);
            }
        }
    }

    /// Everything in the mart but the ledger.
    fn mart(&self) -> Vec<String> {
        let mut rows = self.mart.sql("select * from drug_report");
        rows.extend(self.mart.sql("select * from prescriber_report"));
        rows.sort();
        rows
    }

    /// Rows in quarantine by table and rule.
    fn quarantined(&self) -> BTreeMap<(&'static str, String), u64> {
        let mut found = BTreeMap::new();
        for table in [
            "cleansed.city",
            "cleansed.drug",
            "cleansed.prescriber",
            "cleansed.prescriber_drug",
            "curated.drug_report",
        ] {
            for row in self.scene.sql(&format!(
                "select _weir_rule as rule, count(*) as n from {table}__quarantine group by 1"
            )) {
                let rule = row["rule"].as_str().unwrap().to_owned();
                found.insert((table, rule), row["n"].as_u64().unwrap());
            }
        }
        found
    }

    /// Rows that the latest run warned of, by step.
    fn warned(&self) -> BTreeMap<String, u64> {
        let record = self.scene.latest();
        let mut found = BTreeMap::new();
        for step in record["steps"].as_array().unwrap() {
            for rule in step["warned"].as_array().unwrap() {
                assert_eq!(rule["rule"], "city_state");
                let step = step["step"].as_str().unwrap().to_owned();
                found.insert(step, rule["rows"].as_u64().unwrap());
            }
        }
        found
    }
}

/// Demands the same lines, and shows the first that differ.
fn assert_same(found: &[String], expected: &[String], what: &str) {
    let differ = found.iter().zip(expected).find(|(a, b)| a != b);
    assert!(differ.is_none(), "{what}: {differ:?}");
    assert_eq!(found.len(), expected.len(), "{what}");
}

fn expected_quarantine(manifest: &Manifest) -> BTreeMap<(&'static str, String), u64> {
    let mut expected = BTreeMap::new();
    for table in Table::ALL {
        let name = match table {
            Table::State => "cleansed.city",
            Table::Drug => "cleansed.drug",
            Table::Prescriber => "cleansed.prescriber",
            Table::PrescriberDrug => "cleansed.prescriber_drug",
        };
        for fault in Fault::ALL.into_iter().filter(|fault| fault.rejects()) {
            let rows = manifest.table(table).faults(fault);
            if rows > 0 {
                let rule = match (table, fault.rule(table).unwrap()) {
                    (Table::Prescriber, "accepted(prscrbr_state_abrvtn)") => "accepted(state_code)",
                    (_, rule) => rule,
                };
                expected.insert((name, rule.to_owned()), rows);
            }
        }
    }
    let unlisted = manifest
        .table(Table::PrescriberDrug)
        .faults(Fault::UnlistedDrug);
    expected.insert(
        ("curated.drug_report", "not_null(drug_type)".to_owned()),
        unlisted,
    );
    expected
}

fn dirty(rows: u64) -> Options {
    Options {
        seed: 5,
        dirt: Dirt::everywhere(0.005).with(Fault::FlagConflict, 0.5),
        ..Options::for_rows(rows)
    }
}

#[test]
fn every_row_of_every_table_is_foretold_and_a_rerun_changes_nothing() {
    let part_d = PartD::new();
    let manifest = part_d.fill(&dirty(20_000));
    part_d.run("2024-05-01", &[]).expect_code(3);
    part_d.expect_reports("2024-05-01");
    assert_eq!(part_d.quarantined(), expected_quarantine(&manifest));
    let strays = |table| manifest.table(table).faults(Fault::CityState);
    assert_eq!(
        part_d.warned(),
        BTreeMap::from([
            ("cleanse-prescriber".to_owned(), strays(Table::Prescriber)),
            (
                "cleanse-prescriber-drug".to_owned(),
                strays(Table::PrescriberDrug)
            ),
        ])
    );
    for table in Table::ALL {
        let rows = part_d.scene.count(&format!("raw.{}", table.name()));
        assert_eq!(rows, manifest.table(table).rows, "{}", table.name());
    }
    let figures = "select count(*), count(distinct drug_brand_name), sum(drug_type = 'Antibiotic') from drug_report";
    assert_eq!(
        part_d.mart.sql(figures),
        [format!(
            "{}|{}|{}",
            manifest.drugs, manifest.brands, manifest.antibiotics
        )]
    );
    assert_eq!(
        part_d.mart.sql("select count(*) from prescriber_report"),
        [manifest.joined.to_string()]
    );
    let cents = manifest.cents;
    assert_eq!(
        part_d
            .scene
            .value("select sum(total_drug_cost) from cleansed.prescriber_drug"),
        format!("{}.{:02}", cents / 100, cents % 100)
    );

    let (lake, mart) = (Contents::of(&part_d.scene), part_d.mart());
    part_d.run("2024-05-01", &[]).expect_code(3);
    Contents::of(&part_d.scene).expect_same(&lake, "a second run changes nothing");
    assert_eq!(part_d.mart(), mart);
}

/// What arrives later is in the reports of later days only; and what drifts is not published.
#[test]
fn later_rows_change_their_own_day_and_two_days_do_not_disturb_each_other() {
    let part_d = PartD::new();
    let part = |part| Options {
        part: (part, 2),
        ..dirty(12_000)
    };
    let (first, second) = ("2024-05-01", "2024-06-01");
    part_d.fill(&part(0));
    part_d.run(first, &[]).expect_code(3);
    part_d.expect_reports(first);
    let day = part_d.mart();

    part_d.fill(&part(1));
    part_d
        .run(second, &[])
        .expect_code(1)
        .says(&["row_count_drift"]);
    assert_eq!(
        part_d.mart(),
        day,
        "twice as many rows are not published unasked"
    );
    part_d.run(second, &[("max_drift", "1000")]).expect_code(3);
    part_d.expect_reports(second);
    let kept = part_d.mart();
    let of_first: Vec<String> = kept
        .iter()
        .filter(|row| row.ends_with(first))
        .cloned()
        .collect();
    assert_eq!(of_first, day, "the first day is as it was");
    let drift = part_d.scene.value(
        "select count(*) from curated.row_counts where load_date = '2024-06-01' and rows_before is not null",
    );
    assert_eq!(drift, "6");

    // Both days again, at once: whoever is overtaken says so, and one more run settles it.
    let lake = Contents::of(&part_d.scene);
    for round in 0..3 {
        let both = [first, second].map(|date| {
            let command = part_d.command(date, &[("max_drift", "1000")]);
            part_d.scene.start(command)
        });
        for (running, date) in both.into_iter().zip([first, second]) {
            if running.end().expect_code_of(&[3, 75]).code == Some(75) {
                part_d.run(date, &[("max_drift", "1000")]).expect_code(3);
            }
        }
        Contents::of(&part_d.scene).expect_same(&lake, &format!("round {round}"));
        assert_eq!(part_d.mart(), kept, "round {round}");
    }
}

#[test]
fn a_run_that_is_killed_between_any_two_steps_is_finished_by_the_next() {
    let part_d = PartD::new();
    part_d.fill(&dirty(6_000));
    part_d.run("2024-05-01", &[]).expect_code(3);
    let (lake, mart) = (Contents::of(&part_d.scene), part_d.mart());
    for step in [
        "land-state",
        "land-prescriber-drug",
        "cleanse-prescriber ",
        "cleanse-prescriber-drug",
        "prescriber-report",
        "row-counts",
        "publish-drug-report",
    ] {
        std::fs::remove_dir_all(part_d.scene.lake()).unwrap();
        part_d
            .mart
            .sql("drop table drug_report; drop table prescriber_report; drop table _weir_loads");
        let mut running = part_d.scene.start(part_d.command("2024-05-01", &[]));
        assert!(running.until_says(step), "{step}");
        running.signal("KILL");
        running.end();
        part_d.run("2024-05-01", &[]).expect_code(3);
        Contents::of(&part_d.scene).expect_same(&lake, step);
        assert_eq!(part_d.mart(), mart, "{step}");
    }
}

/// CMS's own rows, in the columns of 2014: every rule as often as PostgreSQL counts it.
#[test]
fn real_rows_are_judged_as_they_are() {
    let Some(sample) = built::real_data("cms_partd_puf_sample") else {
        return;
    };
    let part_d = PartD::new();
    part_d.fill(&Options {
        prescriber_drugs: 0,
        ..Options::for_rows(5_000)
    });
    let columns = "npi last first city state type src brand generic benes claims fills days cost over_benes over_bene_flag over_claims over_flag over_fills over_days over_cost";
    let columns = columns.replace(' ', " text, ");
    part_d
        .source
        .sql(&format!("create table sample (n serial, {columns} text)"));
    let names = columns.replace(" text", "");
    let copied = part_d
        .source
        .client()
        .args([
            "-c",
            &format!("copy sample ({names}) from stdin with (format csv, header)"),
        ])
        .stdin(File::open(sample.join("partd_npi_drug_2014style_sample.csv")).unwrap())
        .status()
        .unwrap();
    assert!(copied.success());
    part_d.source.sql(
        "insert into prescriber_drug (prscrbr_npi, prscrbr_last_org_name, prscrbr_first_name, prscrbr_city, prscrbr_state_abrvtn, prscrbr_type, prscrbr_type_src, brnd_name, gnrc_name, tot_benes, tot_clms, tot_30day_fills, tot_day_suply, tot_drug_cst, ge65_tot_benes, ge65_bene_sprsn_flag, ge65_tot_clms, ge65_sprsn_flag, ge65_tot_30day_fills, ge65_tot_day_suply, ge65_tot_drug_cst)
         select npi, last, first, city, state, type, src, brand, generic, nullif(benes, '')::int, nullif(claims, '')::int, nullif(fills, '')::numeric, nullif(days, '')::int, nullif(cost, '')::numeric, nullif(over_benes, '')::int, over_bene_flag, nullif(over_claims, '')::int, over_flag, nullif(over_fills, '')::numeric, nullif(over_days, '')::int, nullif(over_cost, '')::numeric
         from sample order by n",
    );
    part_d.run("2024-05-01", &[]).expect_code(3);
    part_d.expect_reports("2024-05-01");
    assert_eq!(part_d.scene.count("raw.prescriber_drug"), 105);
    let count = |condition: &str| -> u64 {
        let query = format!("select count(*) from prescriber_drug where {condition}");
        part_d.source.sql(&query)[0].parse().unwrap()
    };
    let found = |rule: &str| {
        let found = part_d.quarantined();
        let key = ("cleansed.prescriber_drug", rule.to_owned());
        found.get(&key).copied().unwrap_or(0)
    };
    assert_eq!(found("not_null(tot_clms)"), count("tot_clms is null"));
    assert_eq!(found("range(tot_clms)"), count("tot_clms < 11"));
    assert_eq!(
        found("fills_cover_claims"),
        count("tot_clms >= 11 and tot_30day_fills < tot_clms")
    );
    let all: u64 = part_d
        .quarantined()
        .iter()
        .filter(|((table, _), _)| *table == "cleansed.prescriber_drug")
        .map(|(_, rows)| rows)
        .sum();
    assert_eq!(all + part_d.scene.count("cleansed.prescriber_drug"), 105);
}
