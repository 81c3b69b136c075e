//! Row 11: traps when it is asked what it is.

use hostile::transform::*;

struct Hostile;

impl Transform for Hostile {
    fn describe() -> Info {
        core::arch::wasm32::unreachable()
    }
}

hostile::transform!(Hostile);
