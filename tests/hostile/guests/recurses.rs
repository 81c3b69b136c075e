//! Row 8: recurses with nothing in linear memory, and so exhausts the call stack.

use std::sync::atomic::{AtomicU64, Ordering};

use hostile::transform::*;

static DEPTH: AtomicU64 = AtomicU64::new(0);

#[inline(never)]
fn recurse(depth: u64) -> u64 {
    DEPTH.fetch_add(1, Ordering::Relaxed);
    if depth == u64::MAX {
        return 0;
    }
    recurse(depth + 1).wrapping_mul(31) ^ DEPTH.load(Ordering::Relaxed)
}

struct Hostile;

impl Transform for Hostile {
    fn process(_: Batch) -> Result<(), Error> {
        let reached = recurse(0);
        Err(Error::Fatal(reached.to_string()))
    }
}

hostile::transform!(Hostile);
