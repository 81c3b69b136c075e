//! A million batches in memory of their own each (row 12).
//! `cargo test -p weir-sandbox --test hostile canary -- --nocapture` prints how fast that goes.

use std::sync::Arc;
use std::thread::available_parallelism;
use std::time::Instant;

use arrow::array::{ArrayRef, Int64Array, RecordBatch};
use serde_json::json;
use weir_roster::Guest;
use weir_sandbox::{Isolation, Plugin, Terms, Usage};

use crate::field::{alone, limits, request, sandbox};

const BATCHES: u64 = 1_000_000;

/// Sends batches of one row through a guest that leaves a canary wherever it can.
async fn run(plugin: Plugin, isolation: Isolation, batches: u64) -> Usage {
    let terms = Terms {
        isolation,
        ..limits().into()
    };
    let mut instance = plugin.instantiate("", &terms).await.expect("instantiates");
    let column: ArrayRef = Arc::new(Int64Array::from(vec![1]));
    let input = RecordBatch::try_from_iter([("id", column)]).expect("a batch");
    instance
        .bind(&request(json!({}), &input))
        .await
        .expect("binds");
    for _ in 0..batches {
        instance.process(&input).await.expect("processes");
    }
    instance.finish().await.expect("finishes");
    instance.usage()
}

#[test]
fn a_canary_is_never_seen_again_in_a_million_batches() {
    let _alone = alone();
    let guest = Guest::named("keeps_a_canary_everywhere").expect("a guest of that name");
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let plugin = sandbox().load(guest.name, guest.component()).await.expect("loads");
        let control = run(plugin.clone(), Isolation::Partition, 100).await;
        assert_eq!(control.metrics["seen"], 99.0, "the control: it would be seen");

        let began = Instant::now();
        let threads = available_parallelism().map_or(1, |threads| threads.get().min(4)) as u64;
        let parts: Vec<_> = (0..threads)
            .map(|part| {
                let batches = BATCHES / threads + u64::from(part < BATCHES % threads);
                tokio::spawn(run(plugin.clone(), Isolation::Batch, batches))
            })
            .collect();
        let mut calls = 0;
        for part in parts {
            let usage = part.await.expect("no panic");
            assert_eq!(usage.metrics["seen"], 0.0, "a canary was seen again");
            calls += usage.calls;
        }
        let took = began.elapsed();
        assert_eq!(calls, 3 * BATCHES, "each was bound, called and finished");
        println!(
            "{BATCHES} batches in fresh memory each, on {threads} threads: {took:.1?}, {:.0} batches a second",
            BATCHES as f64 / took.as_secs_f64()
        );
    });
}
