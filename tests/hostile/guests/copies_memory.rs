//! Row 5: copies half of its memory to the other half, for ever.

use hostile::transform::*;

struct Hostile;

impl Transform for Hostile {
    fn process(_: Batch) -> Result<(), Error> {
        let mut all = vec![1_u8; hostile::most_of_memory()];
        let half = all.len() / 2;
        loop {
            std::hint::black_box(&mut all).copy_within(..half, half);
        }
    }
}

hostile::transform!(Hostile);
