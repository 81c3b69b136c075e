//! Connections to databases that are cut: the answer to each message of a run is lost once, COMMIT's among them, and
//! each row is there once.

use std::sync::atomic::{AtomicUsize, Ordering};

use weir_tests::Ended;

/// Loads `visits` while what stands before the server loses answers.
///
/// `left` is how many messages of the server pass before the connection is cut, `seen` counts them. `input` adds a file
/// with a row of `id,state,version`, `run` loads what was added, and `ids` are those in the table, in order.
pub(crate) fn lose_each_answer(
    (left, seen): (&AtomicUsize, &AtomicUsize),
    input: impl Fn(&str, &str),
    run: impl Fn() -> Ended,
    ids: impl Fn() -> Vec<String>,
) {
    input("0", "0,NY,0");
    run().expect_code(0);
    input("1", "1,NY,1");
    let before = seen.load(Ordering::SeqCst);
    run().expect_code(0);
    let messages = seen.load(Ordering::SeqCst) - before;
    assert!(messages > 20, "{messages}");
    // Those at the end are of the commit; of the others some, unless all are asked for.
    let all = std::env::var_os("WEIR_CUTS").is_some();
    let cuts: Vec<usize> = (1..=messages)
        .filter(|cut| all || cut % 12 == 0 || cut + 8 > messages)
        .collect();
    let (mut through, mut stopped) = (0, 0);
    for (done, cut) in cuts.into_iter().enumerate() {
        input(&format!("c{cut:03}"), &format!("{},NY,1", done + 2));
        left.store(cut, Ordering::SeqCst);
        let ended = run();
        match ended.code {
            Some(0) => through += 1,
            _ => {
                ended.expect_code(75).hides(&["canary"]);
                stopped += 1;
            }
        }
        left.store(usize::MAX, Ordering::SeqCst);
        run().expect_code(0);
        let rows: Vec<String> = (0..done + 3).map(|id| id.to_string()).collect();
        assert_eq!(ids(), rows, "message {cut} of {messages} was cut");
    }
    println!("{messages} answers lost: {through} runs went on, {stopped} stopped");
    assert!(through > 0 && stopped > 0);
}
