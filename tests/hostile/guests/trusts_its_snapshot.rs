//! Row 1: believes each length and place that stands in a state.

use std::sync::atomic::{AtomicU32, Ordering};

use hostile::fold::*;

static BATCHES: AtomicU32 = AtomicU32::new(0);

struct Hostile;

impl Fold for Hostile {
    fn process(_: Batch) -> Result<(), Error> {
        BATCHES.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    // How many places, and behind them each place and what stands there.
    fn snapshot() -> Result<Vec<u8>, Error> {
        let batches = BATCHES.load(Ordering::Relaxed);
        let words = [1, 3, batches];
        Ok(words
            .iter()
            .flat_map(|word: &u32| word.to_le_bytes())
            .collect())
    }

    fn merge(state: Vec<u8>) -> Result<(), Error> {
        let word = |at: usize| {
            let bytes = &state[at * 4..at * 4 + 4];
            u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]])
        };
        let mut sums = [0_u32; 8];
        for entry in 0..word(0) as usize {
            sums[word(1 + 2 * entry) as usize] += word(2 + 2 * entry);
        }
        host::metric("merged", f64::from(sums[3]));
        Ok(())
    }
}

hostile::fold!(Hostile);
