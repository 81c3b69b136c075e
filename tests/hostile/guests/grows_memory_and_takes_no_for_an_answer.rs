//! Row 7: asks for more memory than there is, a thousand times, and goes on when it is denied.

use hostile::transform::*;

struct Hostile;

impl Transform for Hostile {
    fn process(rows: Batch) -> Result<(), Error> {
        for _ in 0..1000 {
            let mut all: Vec<u8> = Vec::new();
            if all.try_reserve_exact(1 << 30).is_ok() {
                return Err(Error::Fatal("a gibibyte was granted".into()));
            }
        }
        emitting::emit(0, &rows, None);
        Ok(())
    }
}

hostile::transform!(Hostile);
