//! Row 9: names row zero two million times in one rejection, in falling and rising order.

use hostile::transform::*;

struct Hostile;

impl Transform for Hostile {
    fn process(rows: Batch) -> Result<(), Error> {
        let named: Vec<u32> = (0..2_000_000_u32)
            .map(|index| index.reverse_bits() % rows.rows)
            .collect();
        emitting::reject(&named, "odd", "");
        emitting::emit(0, &rows, None);
        Ok(())
    }
}

hostile::transform!(Hostile);
