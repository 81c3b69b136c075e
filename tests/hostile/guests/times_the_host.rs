//! Row 16: times a loop by the clock, to tell a fast machine from a slow one.

use std::time::Instant;

use hostile::transform::*;

struct Hostile;

impl Transform for Hostile {
    fn bind(_: String, _: Vec<Field>) -> Result<Vec<Output>, Error> {
        let began = Instant::now();
        let mut sum = 0_u64;
        for turn in 0..5_000_000_u64 {
            sum = std::hint::black_box(sum.wrapping_add(turn));
        }
        Err(Error::Data(format!("{} ns", began.elapsed().as_nanos())))
    }
}

hostile::transform!(Hostile);
