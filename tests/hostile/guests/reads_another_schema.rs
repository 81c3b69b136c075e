//! Row 1: emits rows of one column to a schema of two.

use hostile::source::*;

struct Hostile;

impl Source for Hostile {
    fn read() -> Result<Page, Error> {
        emit("n");
        sourcing::emit(&batch(1, &[(1, 0)], &[b"", &[1; 8]]));
        done()
    }
}

hostile::source!(Hostile);
