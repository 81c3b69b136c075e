//! The pipeline billing: files that arrive in a folder or a bucket, in any order and more than once, to a star schema in
//! a real PostgreSQL. What every table has to hold is computed by PostgreSQL from the files themselves.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use weir_generate::billing::{Delivery, Dirt, Fault, Options, Table};
use weir_s3::Server;
use weir_tests::{Ended, POSTGRES_PASSWORD, Running, built, csv};

use crate::billing_files::{Billing, clean, dirty};

#[test]
fn every_row_of_every_table_is_foretold_and_a_rerun_changes_nothing() {
    let billing = Billing::new();
    let manifest = billing.generate("first", &dirty(6_000, Delivery::First));
    billing.all_arrive("first", &manifest);
    billing.take_all("first", &manifest);
    billing.run().expect_code(3);
    billing.expect_tables("the first delivery");
    assert_eq!(billing.quarantined(), manifest.quarantined);
    let warned = |table: &str, rule: &str| manifest.warned[&(table.to_owned(), rule.to_owned())];
    assert_eq!(
        billing.warned(),
        BTreeMap::from([
            (
                (
                    "land-patients".to_owned(),
                    "unique(patient_number)".to_owned()
                ),
                warned("raw.dim_patient", "unique(patient_number)"),
            ),
            (
                ("cleanse-physicians".to_owned(), "npi".to_owned()),
                warned("cleansed.dim_physician", "npi"),
            ),
        ])
    );
    for table in Table::ALL {
        let rows = billing.scene.count(&format!("cleansed.{}", table.name()));
        assert_eq!(rows, manifest.loaded(table), "{}", table.name());
    }
    let sums = "select sum(gross_charge), sum(payment), sum(adjustment), sum(ar), count(*) filter (where gross_charge < 0) from fact_table";
    let cents = manifest.cents.map(|cents| {
        let minus = if cents < 0 { "-" } else { "" };
        format!("{minus}{}.{:02}", cents.abs() / 100, cents.abs() % 100)
    });
    assert_eq!(
        billing.server.sql(sums),
        [format!("{}|{}", cents.join("|"), manifest.reversals)]
    );

    let before = billing.everything();
    billing.run().expect_code(3);
    let after = billing.everything();
    after
        .0
        .expect_same(&before.0, "a second run changes nothing");
    assert_eq!(after.1, before.1);
    for step in [
        "land-facts",
        "land-patients",
        "publish-facts",
        "publish-patients",
    ] {
        assert_eq!(billing.step(step)["status"], "up-to-date", "{step}");
    }
}

/// New facts, corrected ones, a new dimension row, and patients for whom facts have waited.
#[test]
fn the_second_delivery_changes_what_it_says_and_nothing_else() {
    let billing = Billing::new();
    let first = billing.generate("first", &dirty(6_000, Delivery::First));
    let second = billing.generate("second", &dirty(6_000, Delivery::Second));
    billing.all_arrive("first", &first);
    billing.take_all("first", &first);
    billing.run().expect_code(3);
    let before = billing.server.sql("select t::text from fact_table t");

    billing.all_arrive("second", &second);
    billing.take_all("second", &second);
    billing.run().expect_code(3);
    billing.expect_tables("the second delivery");
    assert_eq!(billing.quarantined(), second.quarantined);
    // What was published is what had changed, though all facts were sent again.
    let before: BTreeSet<String> = before.into_iter().collect();
    let after = billing.server.sql("select t::text from fact_table t");
    let changed = after.iter().filter(|row| !before.contains(*row)).count() as u64;
    let published = billing.step("publish-facts")["targets"][0]["rows"]
        .as_u64()
        .unwrap();
    assert_eq!(published, changed);
    assert!(changed > 0 && changed < first.loaded(Table::Fact) / 4);
    assert_eq!(billing.step("land-dates")["status"], "up-to-date");

    // The same files once more: to the disk the copies are other files, and their rows are the same. What of them is
    // kept aside takes the place of what was kept before, which stays in quarantine as read again.
    let what_counts = || {
        let (mut lake, warehouse) = billing.everything();
        let kept = |table: &String| table.starts_with("raw.") && table.ends_with("__quarantine");
        lake.0.retain(|table, _| !kept(table));
        (lake, warehouse)
    };
    let before = what_counts();
    billing.all_arrive("second", &second);
    billing.run().expect_code(3);
    let after = what_counts();
    after.0.expect_same(&before.0, "the same files once more");
    assert_eq!(after.1, before.1);
    assert_eq!(billing.quarantined(), second.quarantined);
    assert_eq!(billing.step("land-facts")["files"], 2);
    assert_eq!(billing.step("publish-facts")["status"], "up-to-date");
}

/// The facts come first, and the files of their dimensions by twos: the facts wait, and are there with the last of them.
#[test]
fn files_may_arrive_one_by_one_in_any_order() {
    let billing = Billing::new();
    let manifest = billing.generate("first", &clean(1_000));
    // Nothing has come yet.
    fs::create_dir_all(billing.landing()).unwrap();
    billing.run().expect_code(0);
    billing.expect_tables("no file");
    let (facts, dimensions): (Vec<_>, Vec<_>) = manifest
        .files
        .iter()
        .partition(|file| file.table == Table::Fact);
    assert_eq!((facts.len(), dimensions.len()), (1, 8));
    let mut arrivals = vec![facts.as_slice()];
    arrivals.extend(dimensions.chunks(2));
    let last = arrivals.len() - 1;
    for (nth, files) in arrivals.into_iter().enumerate() {
        for file in files {
            billing.arrives(&billing.scene.path("first"), &file.name);
            billing.take(&billing.scene.path("first").join(&file.name), file.table);
        }
        billing.run().expect_code(if nth < last { 3 } else { 0 });
        if nth != 1 {
            billing.expect_tables(&format!("arrival {nth}"));
        }
        let waiting: u64 = billing.quarantined().values().sum();
        assert_eq!(waiting, if nth < last { 1_000 } else { 0 }, "arrival {nth}");
    }
    assert_eq!(billing.scene.count("cleansed.fact_table"), 1_000);
}

/// Rows that wait can be replayed by hand as well, by the rule for which they wait.
#[test]
fn facts_are_replayed_when_their_dimension_has_come() {
    let billing = Billing::new();
    let options = Options {
        dirt: Dirt::default()
            .with(Fault::LatePatient, 0.05)
            .with(Fault::NoPayer, 0.01),
        ..clean(1_000)
    };
    let first = billing.generate("first", &options);
    let later = billing.generate(
        "second",
        &Options {
            delivery: Delivery::Second,
            ..options
        },
    );
    billing.all_arrive("first", &first);
    billing.take_all("first", &first);
    billing.run().expect_code(3);
    assert_eq!(billing.quarantined(), first.quarantined);
    assert_eq!(first.quarantined.values().sum::<u64>(), 60);

    // The patients come, and only they are loaded.
    let second = billing.scene.path("second");
    let patients = later
        .files
        .iter()
        .find(|file| file.table == Table::Patient)
        .unwrap();
    billing.arrives(&second, &patients.name);
    billing.take(&second.join(&patients.name), Table::Patient);
    let mut command = billing.command();
    command.args(["--step", "land-patients", "--step", "cleanse-patients"]);
    Ended::from(command.output().unwrap()).expect_code(0);
    let replay = || {
        let mut command = billing.scene.weir(["replay"]);
        command
            .arg(built::pipeline("billing"))
            .args([
                "--step",
                "cleanse-facts",
                "--rule",
                "references(dim_patient_pk)",
            ])
            .arg("--lake")
            .arg(billing.scene.lake());
        Ended::from(billing.with_environment(command).output().unwrap())
    };
    replay().expect_code(0);
    assert_eq!(billing.step("cleanse-facts")["counts"]["accepted"], 50);
    replay().expect_code(0);
    assert_eq!(billing.step("cleanse-facts")["status"], "up-to-date");
    assert_eq!(billing.quarantined().values().sum::<u64>(), 10);
    assert_eq!(billing.scene.count("cleansed.fact_table"), 990);
    // The next run publishes them.
    billing.run().expect_code(3);
    billing.expect_tables("after the replay");
}

const LOCATIONS: &str = "dimLocationPK,LocationName\r\n";

/// A row that is corrected takes the place of the one that was loaded. One whose correction is none stays as it was,
/// and its correction waits.
#[test]
fn of_a_row_the_latest_that_is_sound_stays() {
    let billing = Billing::new();
    let manifest = billing.generate("first", &clean(200));
    billing.all_arrive("first", &manifest);
    billing.run().expect_code(0);
    let fact = |set: &[(usize, &str)]| {
        let text = fs::read_to_string(billing.scene.path("first/FactTable.csv")).unwrap();
        let mut lines: Vec<String> = text.split("\r\n").map(str::to_owned).collect();
        let mut fields = csv::fields(&lines[1]);
        for (at, value) in set {
            fields[*at] = (*value).to_owned();
        }
        lines[1] = fields.join(",");
        fs::write(billing.landing().join("FactTable.csv"), lines.join("\r\n")).unwrap();
    };
    let charge = || {
        billing
            .server
            .sql("select gross_charge, payment, ar from fact_table where fact_table_pk = 1")
    };
    let money = [(12, "100.00"), (13, "-60.00"), (14, "0"), (15, "40.00")];
    fact(&money);
    billing.run().expect_code(0);
    assert_eq!(charge(), ["100.00|-60.00|40.00"]);

    // The sum is wrong.
    fact(&[money[0], (13, "-70.00"), money[2], money[3]]);
    billing.run().expect_code(3);
    assert_eq!(charge(), ["100.00|-60.00|40.00"]);
    let rule = ("cleansed.fact_table".to_owned(), "ar_is_the_sum".to_owned());
    assert_eq!(billing.quarantined(), BTreeMap::from([(rule, 1)]));

    fact(&[money[0], (13, "-70.00"), money[2], (15, "30.00")]);
    billing.run().expect_code(0);
    assert_eq!(charge(), ["100.00|-70.00|30.00"]);
    // And back to what it was first.
    fact(&money);
    billing.run().expect_code(0);
    assert_eq!(charge(), ["100.00|-60.00|40.00"]);
    assert!(billing.quarantined().is_empty());
    assert_eq!(
        billing.server.sql("select count(*) from fact_table"),
        ["200"]
    );

    // Two files that arrive together are taken in the order of their names.
    let landing = billing.landing();
    for (name, location) in [
        ("DimLocation_a.csv", "Annex"),
        ("DimLocation_b.csv", "Bank Street"),
    ] {
        fs::write(landing.join(name), format!("{LOCATIONS}1,{location}\r\n")).unwrap();
    }
    billing.run().expect_code(0);
    let name = "select location_name from dim_location where dim_location_pk = 1";
    assert_eq!(billing.server.sql(name), ["Bank Street"]);
}

/// A file that is cut off leaves nothing behind, wherever it was cut: it is refused, or what is left of its last row is
/// kept aside, or is the row itself.
#[test]
fn a_file_that_was_cut_off_is_refused_and_leaves_nothing() {
    let billing = Billing::new();
    let manifest = billing.generate("first", &clean(300));
    billing.all_arrive("first", &manifest);
    billing.take_all("first", &manifest);
    let whole = fs::read_to_string(billing.scene.path("first/FactTable.csv")).unwrap();
    let row = whole.trim_end().rfind('\n').unwrap() + 1;
    let columns: Vec<usize> = whole[row..]
        .match_indices(',')
        .map(|(at, _)| row + at)
        .collect();
    let facts = billing.landing().join("FactTable.csv");
    for cut in [row + 1, columns[14] - 1] {
        fs::write(&facts, &whole[..cut]).unwrap();
        billing
            .run()
            .expect_code(1)
            .says(&["FactTable.csv", "land-facts"]);
        assert!(
            !billing.scene.lake().join("raw/fact_table").exists(),
            "cut at {cut}"
        );
        // The other files are loaded.
        assert_eq!(
            billing.scene.count("cleansed.dim_patient"),
            manifest.loaded(Table::Patient)
        );
    }
    // Within the last amount nothing is missing but digits: the sum tells.
    fs::write(&facts, &whole[..columns[14] + 2]).unwrap();
    billing.run().expect_code(3);
    let rule = ("cleansed.fact_table".to_owned(), "ar_is_the_sum".to_owned());
    assert_eq!(billing.quarantined(), BTreeMap::from([(rule, 1)]));
    assert_eq!(billing.scene.count("cleansed.fact_table"), 299);
    // It arrives whole.
    fs::write(&facts, &whole).unwrap();
    billing.run().expect_code(0);
    billing.expect_tables("the whole file");
}

/// What the files have that nobody declared, or lack, stops their own load, and is told.
#[test]
fn a_file_with_other_columns_is_refused() {
    let billing = Billing::new();
    let manifest = billing.generate("first", &clean(300));
    billing.all_arrive("first", &manifest);
    billing.run().expect_code(0);
    let before = billing.everything();
    let payers = billing.landing().join("DimPayer.csv");
    fs::write(&payers, "dimPayerPK,PayerName,PayerClass\r\n9,Ninth,A\r\n").unwrap();
    billing
        .run()
        .expect_code(1)
        .says(&["DimPayer.csv", "PayerClass"]);
    fs::write(&payers, "dimPayerPK,Name\r\n9,Ninth\r\n").unwrap();
    billing
        .run()
        .expect_code(1)
        .says(&["DimPayer.csv", "PayerName"]);
    let after = billing.everything();
    after.0.expect_same(&before.0, "refused");
    assert_eq!(after.1, before.1);
    // In another order, and in another case, they are the same columns.
    fs::write(&payers, "PAYERNAME,DIMPAYERPK\r\nNinth,9\r\n").unwrap();
    billing.run().expect_code(0);
    let ninth = "select payer_name from dim_payer where dim_payer_pk = 9";
    assert_eq!(billing.server.sql(ninth), ["Ninth"]);
}

#[test]
fn a_warehouse_that_is_away_gets_its_rows_when_it_is_back() {
    let mut billing = Billing::new();
    let first = billing.generate("first", &dirty(1_000, Delivery::First));
    let second = billing.generate("second", &dirty(1_000, Delivery::Second));
    billing.all_arrive("first", &first);
    billing.take_all("first", &first);
    billing.run().expect_code(3);
    billing.take_all("second", &second);
    let (url, before) = (
        billing.server.url(billing.server.port()),
        billing.everything(),
    );
    billing.server.crash();
    billing.all_arrive("second", &second);
    let ended = billing.run().expect_code_of(&[2, 75]);
    ended.hides(&[POSTGRES_PASSWORD]);
    billing.server.up();
    assert_ne!(url, "");
    assert_eq!(billing.everything().1, before.1);
    billing.run().expect_code(3);
    billing.expect_tables("the warehouse is back");
    assert_eq!(billing.quarantined(), second.quarantined);
}

#[test]
fn a_run_that_is_killed_between_two_steps_is_finished_by_the_next() {
    for steps in [
        ["land-facts", "publish-facts"],
        ["cleanse-patients", "report-monthly-billing"],
    ] {
        let billing = Billing::new();
        for (delivery, step) in [Delivery::First, Delivery::Second].into_iter().zip(steps) {
            let manifest = billing.generate("sent", &dirty(1_000, delivery));
            billing.all_arrive("sent", &manifest);
            billing.take_all("sent", &manifest);
            let mut running = billing.scene.start(billing.command());
            assert!(running.until_says(&format!("{step} ")), "{step}");
            running.signal("KILL");
            running.end();
            assert_eq!(billing.scene.latest()["status"], "running", "{step}");
            billing.run().expect_code(3);
            billing.expect_tables(&format!("killed after {step}"));
            assert_eq!(billing.quarantined(), manifest.quarantined, "{step}");
        }
    }
}

/// Two events, two runs: whoever is overtaken says so, and one more run settles it.
#[test]
fn runs_at_once_do_not_disturb_each_other() {
    let billing = Billing::new();
    let first = billing.generate("first", &dirty(1_500, Delivery::First));
    let second = billing.generate("second", &dirty(1_500, Delivery::Second));
    billing.all_arrive("first", &first);
    billing.take_all("first", &first);
    billing.run().expect_code(3);
    billing.all_arrive("second", &second);
    billing.take_all("second", &second);
    let both: Vec<Running> = (0..2)
        .map(|_| billing.scene.start(billing.command()))
        .collect();
    for running in both {
        running.end().expect_code_of(&[3, 75]);
    }
    billing.run().expect_code(3);
    billing.expect_tables("two runs at once");
    assert_eq!(billing.quarantined(), second.quarantined);
}

/// The files in a bucket.
#[test]
fn files_arrive_in_a_bucket() {
    let billing = Billing::new();
    let store = Server::start();
    let options = dirty(1_000, Delivery::First);
    let (first, second) = (
        billing.generate("first", &options),
        billing.generate(
            "second",
            &Options {
                delivery: Delivery::Second,
                ..options
            },
        ),
    );
    let landing = store.bucket().join("landing");
    fs::create_dir_all(&landing).unwrap();
    let run = || {
        let mut command = billing.command();
        command
            .env(
                "BILLING_LANDING",
                format!("s3://{}/landing", weir_s3::BUCKET),
            )
            .envs(store.environment());
        Ended::from(command.output().unwrap())
    };
    for (folder, manifest) in [("first", &first), ("second", &second)] {
        for file in &manifest.files {
            fs::copy(
                billing.scene.path(folder).join(&file.name),
                landing.join(&file.name),
            )
            .unwrap();
        }
        billing.take_all(folder, manifest);
        run().expect_code(3);
        billing.expect_tables(folder);
        assert_eq!(billing.quarantined(), manifest.quarantined);
    }
    run().expect_code(3);
    for step in ["land-facts", "publish-facts"] {
        assert_eq!(billing.step(step)["status"], "up-to-date");
    }
}

/// Without the mask names would reach the raw zone, which is told before anything is read.
#[test]
fn names_go_nowhere_without_the_mask() {
    let billing = Billing::new();
    let folder = built::root().join("pipelines/billing");
    let scene = &billing.scene;
    for part in ["schemas", "sql", "sql/changed", "sql/warehouse"] {
        for entry in fs::read_dir(folder.join(part)).unwrap() {
            let path = entry.unwrap().path();
            if path.is_file() {
                let name = path.file_name().unwrap().to_str().unwrap();
                scene.file(&format!("{part}/{name}"), fs::read(&path).unwrap());
            }
        }
    }
    let text = fs::read_to_string(folder.join("pipeline.toml")).unwrap();
    let plugins = built::root().join("plugins");
    let text = text.replace("../../plugins", plugins.to_str().unwrap());
    let mask = text
        .lines()
        .find(|line| line.starts_with("mask = "))
        .expect("the file masks names");
    let without = text.replace(&format!("[[step.stage]]\n{mask}\n"), "");
    assert_ne!(without, text);
    let file = scene.file("pipeline.toml", without);
    billing.generate("landing", &clean(100));
    let command = scene.run_command(&file, &[]);
    let ended = Ended::from(billing.with_environment(command).output().unwrap());
    ended.expect_code(2).says(&["pii", "first_name"]);
    assert!(!scene.lake().join("raw").exists());
}
