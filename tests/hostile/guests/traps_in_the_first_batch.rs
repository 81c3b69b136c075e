//! Row 11: traps in its first batch.

use hostile::transform::*;

struct Hostile;

impl Transform for Hostile {
    fn process(_: Batch) -> Result<(), Error> {
        core::arch::wasm32::unreachable()
    }
}

hostile::transform!(Hostile);
