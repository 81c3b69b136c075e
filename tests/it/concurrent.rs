//! Runs side by side.

use weir_generate::synpuf::{self, Dirt, Options};
use weir_tests::{Contents, Ended, Scene};

use crate::visits::Visits;

/// Whoever loses a race for a decision stops and says that trying again may help; what is there
/// is whole in any case, and one more run settles what both left.
#[test]
fn two_runs_of_one_pipeline_give_the_tables_of_one() {
    let alone = Scene::new();
    let landing = alone.path("landing");
    let options = Options {
        seed: 31,
        dirt: Dirt::everywhere(0.005),
        carrier: 4_000,
        ..Options::for_beneficiaries(1_000)
    };
    synpuf::generate(&landing, &options).unwrap();
    alone.run_synpuf(&landing).expect_code(3);
    let expected = Contents::of(&alone);

    let scene = Scene::new();
    for round in 0..3 {
        let start = || scene.start(scene.synpuf_command(&landing));
        let both = [start(), start()];
        let ended: Vec<Ended> = both
            .into_iter()
            .map(|running| running.end().expect_code_of(&[3, 75]))
            .collect();
        for loser in ended.iter().filter(|ended| ended.code == Some(75)) {
            assert!(loser.stderr.contains("hint: "), "{}", loser.stderr);
        }
        if ended.iter().all(|ended| ended.code == Some(75)) {
            scene.run_synpuf(&landing).expect_code(3);
        }
        let when = format!("round {round}");
        Contents::of(&scene).expect_same(&expected, &when);
    }
}

#[test]
fn two_scopes_of_one_table_both_land() {
    let scene = Scene::new();
    let visits = Visits {
        partition: Some("{ site = \"${param.site}\" }"),
        ..Visits::default()
    };
    let pipeline = visits.write(&scene);
    scene.file("in/v.csv", Visits::rows(0..20_000));
    let command = |site| scene.run_command(&pipeline, &[("landing", "in"), ("site", site)]);
    for _ in 0..3 {
        let both = [scene.start(command("a")), scene.start(command("b"))];
        for running in both {
            running.end().expect_code(0);
        }
        assert_eq!(
            scene.sql_csv("select site, count(*) as n from raw.visits group by 1 order by 1"),
            ["site,n", "a,20000", "b,20000"]
        );
    }
}
