//! Row 10: one page of batches of no rows, without end.

use hostile::source::*;

struct Hostile;

impl Source for Hostile {
    fn read() -> Result<Page, Error> {
        let nothing = batch(0, &[(0, 0), (0, 0)], &[b"", b"", b"", b"", b""]);
        loop {
            sourcing::emit(&nothing);
        }
    }
}

hostile::source!(Hostile);
