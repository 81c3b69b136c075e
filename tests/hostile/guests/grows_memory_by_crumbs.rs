//! Row 7: takes thirty-two bytes at a time until there is no memory left.

use hostile::transform::*;

struct Hostile;

impl Transform for Hostile {
    fn process(_: Batch) -> Result<(), Error> {
        let mut kept: Vec<Box<[u8; 32]>> = Vec::new();
        loop {
            kept.push(std::hint::black_box(Box::new([1; 32])));
        }
    }
}

hostile::transform!(Hostile);
