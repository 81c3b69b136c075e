//! Row 7: a state for which there is no memory.

use hostile::fold::*;

struct Hostile;

impl Fold for Hostile {
    fn snapshot() -> Result<Vec<u8>, Error> {
        let mut state = Vec::new();
        loop {
            state.extend_from_slice(std::hint::black_box(&[1; 1 << 16]));
        }
    }
}

hostile::fold!(Hostile);
