//! Row 9: names its rows two million times in one rejection.

use hostile::transform::*;

struct Hostile;

impl Transform for Hostile {
    fn process(rows: Batch) -> Result<(), Error> {
        let named: Vec<u32> = (0..2_000_000_u32)
            .map(|index| index.wrapping_mul(2_654_435_761) % rows.rows)
            .collect();
        emitting::reject(&named, "odd", "");
        emitting::emit(0, &rows, None);
        Ok(())
    }
}

hostile::transform!(Hostile);
