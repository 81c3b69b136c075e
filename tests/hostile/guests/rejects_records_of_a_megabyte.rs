//! Row 9: rejects records of a mebibyte, for reasons of a mebibyte, without end.

use hostile::source::*;

struct Hostile;

impl Source for Hostile {
    fn read() -> Result<Page, Error> {
        let long = "\u{1b}".repeat(1 << 20);
        loop {
            sourcing::reject(&long, "odd", &long);
        }
    }
}

hostile::source!(Hostile);
