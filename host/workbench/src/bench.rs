//! What a row costs in the sandbox.

use std::time::{Duration, Instant};

use arrow::array::{RecordBatch, UInt32Array};
use arrow::compute::take_record_batch;
use weir_sandbox::{MAX_BATCH_ROWS, Plugin, decoder_chunk, split};

use crate::fixture::{Fixture, Given, Stopped};

/// What was measured of a plugin with a fixture's input, given again and again.
#[derive(Debug)]
pub struct Measured {
    /// From nothing to an instance that is bound.
    pub start: Duration,
    /// Rows given in all; for a decoder, bytes.
    pub given: u64,
    /// Whether these are bytes.
    pub in_bytes: bool,
    /// The middle time of a round, all of it.
    pub round: Duration,
    /// Rows, or bytes, of a round.
    pub round_size: u64,
    /// Processor time in the plugin, over all rounds.
    pub guest: Duration,
    /// Highest memory, in bytes.
    pub peak_memory: u64,
}

/// Gives a plugin the input of a fixture `rounds` times: rows filled up to a whole batch, files as they are.
///
/// # Errors
/// What stopped the plugin.
pub async fn measure(
    plugin: &Plugin,
    fixture: &Fixture,
    rounds: usize,
) -> Result<Measured, Stopped> {
    let early = |error| Stopped { error, rows: None };
    let terms = fixture.terms();
    let request = fixture.request();
    let began = Instant::now();
    let mut instance = plugin.instantiate("bench", &terms).await.map_err(early)?;
    if !matches!(fixture.given(), Given::Stream(_)) {
        instance.bind(&request).await.map_err(early)?;
    }
    let start = began.elapsed();
    let mut times = Vec::with_capacity(rounds.max(1));
    let (in_bytes, round_size) = match fixture.given() {
        Given::Rows(batch) => {
            let filled = filled(batch);
            let parts = split(&filled, terms.limits.memory);
            for _ in 0..rounds.max(1) {
                let began = Instant::now();
                for part in &parts {
                    instance.process(part).await.map_err(early)?;
                }
                times.push(began.elapsed());
            }
            (false, filled.num_rows())
        }
        Given::Bytes(bytes) => {
            for round in 0..rounds.max(1) {
                let began = Instant::now();
                if round > 0 {
                    instance.bind(&request).await.map_err(early)?;
                }
                for chunk in bytes.chunks(decoder_chunk(terms.limits.memory)) {
                    instance.decode(chunk).await.map_err(early)?;
                }
                instance.finish().await.map_err(early)?;
                times.push(began.elapsed());
            }
            (true, bytes.len())
        }
        // A source is as fast as what it reads.
        Given::Stream(_) => (true, 0),
    };
    times.sort_unstable();
    let usage = instance.usage();
    let round_size = u64::try_from(round_size).unwrap_or(u64::MAX);
    let rounds = u64::try_from(times.len()).unwrap_or(u64::MAX);
    Ok(Measured {
        start,
        given: round_size.saturating_mul(rounds),
        in_bytes,
        round: times.get(times.len() / 2).copied().unwrap_or_default(),
        round_size,
        guest: usage.guest_time,
        peak_memory: usage.peak_memory,
    })
}

/// A whole batch of the rows, again and again.
fn filled(batch: &RecordBatch) -> RecordBatch {
    let rows = u32::try_from(batch.num_rows()).unwrap_or(u32::MAX);
    let most = u32::try_from(MAX_BATCH_ROWS).unwrap_or(u32::MAX);
    if rows == 0 || rows >= most {
        return batch.clone();
    }
    let indices: UInt32Array = (0..most).map(|row| row % rows).collect();
    // Every index is below the rows there are.
    take_record_batch(batch, &indices).unwrap_or_else(|_| batch.clone())
}
