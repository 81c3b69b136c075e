//! Row 7: a source that takes a mebibyte at a time until there is none left.

use hostile::source::*;

struct Hostile;

impl Source for Hostile {
    fn read() -> Result<Page, Error> {
        let mut kept: Vec<Vec<u8>> = Vec::new();
        loop {
            kept.push(std::hint::black_box(vec![1; 1 << 20]));
        }
    }
}

hostile::source!(Hostile);
