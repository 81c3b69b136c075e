//! Row 8: a source that recurses until its stack is used up.

use hostile::source::*;

#[inline(never)]
fn recurse(depth: u64) -> u64 {
    match std::hint::black_box(depth) {
        u64::MAX => 0,
        depth => recurse(depth + 1).wrapping_mul(31) ^ std::hint::black_box(depth),
    }
}

struct Hostile;

impl Source for Hostile {
    fn read() -> Result<Page, Error> {
        page(&recurse(0).to_string(), true)
    }
}

hostile::source!(Hostile);
