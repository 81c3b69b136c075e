//! Row 7: takes a mebibyte at a time until there is none left.

use hostile::transform::*;

struct Hostile;

impl Transform for Hostile {
    fn process(_: Batch) -> Result<(), Error> {
        let mut kept: Vec<Vec<u8>> = Vec::new();
        loop {
            kept.push(std::hint::black_box(vec![1; 1 << 20]));
        }
    }
}

hostile::transform!(Hostile);
