//! Row 11: traps when it is bound.

use hostile::transform::*;

struct Hostile;

impl Transform for Hostile {
    fn bind(_: String, _: Vec<Field>) -> Result<Vec<Output>, Error> {
        core::arch::wasm32::unreachable()
    }
}

hostile::transform!(Hostile);
