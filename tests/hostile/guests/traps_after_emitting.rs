//! Row 11: emits its batch, then traps: what was emitted is withdrawn.

use hostile::transform::*;

struct Hostile;

impl Transform for Hostile {
    fn process(rows: Batch) -> Result<(), Error> {
        emitting::emit(0, &rows, None);
        core::arch::wasm32::unreachable()
    }
}

hostile::transform!(Hostile);
