//! Row 1: emits a number of three bytes.

use hostile::source::*;

struct Hostile;

impl Source for Hostile {
    fn read() -> Result<Page, Error> {
        let offsets = hostile::batches::offsets(&[0, 1]);
        sourcing::emit(&batch(
            1,
            &[(1, 0), (1, 0)],
            &[b"", b"one", b"", &offsets, b"n"],
        ));
        done()
    }
}

hostile::source!(Hostile);
