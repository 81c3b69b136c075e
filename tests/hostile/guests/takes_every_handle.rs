//! Row 9: keeps a handle for each of a hundred thousand waits.

use hostile::transform::*;

struct Hostile;

impl Transform for Hostile {
    fn process(rows: Batch) -> Result<(), Error> {
        let mut kept = Vec::new();
        for _ in 0..100_000 {
            kept.push(std::io::stdin());
        }
        host::metric("kept", kept.len() as f64);
        emitting::emit(0, &rows, None);
        Ok(())
    }
}

hostile::transform!(Hostile);
