//! Row 17: rows lost, doubled, forged, and calls at the wrong time.

use std::collections::BTreeMap;

use weir_sandbox::{Call, Contract, RowContract};

use crate::field::{Attack, Stop, stopped};

stopped! {
    origin_too_long => Stop::BadBatch("an origin of 11 for 10 rows"),
    origin_too_short => Stop::BadBatch("an origin of 1 for 10 rows"),
    origin_of_no_row => Stop::BadBatch("origin 10 of 10 rows"),
    origin_absent_for_fewer_rows => Stop::BadBatch("0 rows without an origin"),
    rejects_no_row => Stop::Contract("named row 10 of 10"),
    fails_no_row => Stop::Contract("named row 4294967295 of 10"),
}

/// Guests that call the host when they may not.
macro_rules! untimely {
    ($($name:ident => $call:ident $what:literal),* $(,)?) => {$(
        #[test]
        pub(crate) fn $name() {
            let stop = Stop::Contract($what);
            Attack::by(stringify!($name)).run().stopped_at(Call::$call, None, stop);
        }
    )*};
}

untimely! {
    emits_while_binding => Bind "emitted during bind",
    emits_while_describing => Describe "emitted during describe",
    emits_while_finishing => Finish "emitted during finish",
    decodes_while_binding => Bind "emitted during bind",
    rejects_while_binding => Bind "named rows outside process",
    fails_while_finishing => Finish "named rows outside process",
}

fn held_to(guest: &'static str, rows: RowContract) -> crate::field::Outcome {
    Attack::by(guest)
        .terms(|terms| terms.contract = Contract { rows, rules: None })
        .run()
}

/// What no contract forbids is let through, as often as it was emitted, with where it came from.
#[track_caller]
fn rows_out(guest: &'static str) -> usize {
    let outcome = held_to(guest, RowContract::Any).unstopped();
    outcome.given[0]
        .emitted
        .iter()
        .map(|emitted| emitted.batch.num_rows())
        .sum()
}

#[test]
pub(crate) fn drops_rows() {
    assert_eq!(rows_out("drops_rows"), 1);
    held_to("drops_rows", RowContract::AtMostOne).unstopped();
    held_to("drops_rows", RowContract::OneToOne)
        .stopped(Stop::Contract("neither emitted nor rejected 9 of 10 rows"));
}

#[test]
pub(crate) fn drops_rows_of_one_output() {
    assert_eq!(rows_out("drops_rows_of_one_output"), 10);
    held_to("drops_rows_of_one_output", RowContract::AtMostOne).unstopped();
    held_to("drops_rows_of_one_output", RowContract::OneToOne)
        .stopped(Stop::Contract("neither emitted nor rejected 10 of 10 rows"));
}

#[test]
pub(crate) fn doubles_rows() {
    assert_eq!(rows_out("doubles_rows"), 20);
    for contract in [RowContract::AtMostOne, RowContract::OneToOne] {
        held_to("doubles_rows", contract).stopped(Stop::Contract("row 0 twice or out of order"));
    }
}

#[test]
pub(crate) fn reorders_rows() {
    assert_eq!(rows_out("reorders_rows"), 10);
    for contract in [RowContract::AtMostOne, RowContract::OneToOne] {
        held_to("reorders_rows", contract).stopped(Stop::Contract("row 8 twice or out of order"));
    }
}

/// A rejection withdraws the row, whenever it comes: the host is told both and takes the row away.
#[test]
pub(crate) fn emits_what_it_rejects() {
    for contract in [
        RowContract::Any,
        RowContract::AtMostOne,
        RowContract::OneToOne,
    ] {
        let outcome = held_to("emits_what_it_rejects", contract).unstopped();
        assert_eq!(outcome.given[0].rows_found(), [0]);
    }
}

#[test]
pub(crate) fn raises_an_unlisted_rule() {
    let closed = |rules: &[&str]| {
        let rules: BTreeMap<String, String> = rules
            .iter()
            .map(|rule| ((*rule).to_owned(), "It is so.".to_owned()))
            .collect();
        Attack::by("raises_an_unlisted_rule")
            .terms(|terms| terms.contract.rules = Some(rules))
            .run()
    };
    closed(&[]).stopped(Stop::Contract(
        "raised rule 'made_up', which is not on its list",
    ));
    closed(&["odd"]).stopped(Stop::Contract(
        "raised rule 'made_up', which is not on its list",
    ));
    closed(&["odd", "made_up"]).unstopped();
}
