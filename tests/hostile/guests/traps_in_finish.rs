//! Row 11: traps after its last batch.

use hostile::transform::*;

struct Hostile;

impl Transform for Hostile {
    fn finish() -> Result<(), Error> {
        core::arch::wasm32::unreachable()
    }
}

hostile::transform!(Hostile);
