//! Row 7: asks for two gibibytes in one go.

use hostile::transform::*;

struct Hostile;

impl Transform for Hostile {
    fn process(_: Batch) -> Result<(), Error> {
        let all = std::hint::black_box(vec![1_u8; 2_000_000_000]);
        host::metric("got", all.len() as f64);
        Ok(())
    }
}

hostile::transform!(Hostile);
