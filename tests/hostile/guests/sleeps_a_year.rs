//! Row 6: sleeps a year before it does its work.

use hostile::transform::*;

struct Hostile;

impl Transform for Hostile {
    fn process(rows: Batch) -> Result<(), Error> {
        std::thread::sleep(std::time::Duration::from_secs(365 * 86_400));
        emitting::emit(0, &rows, None);
        Ok(())
    }
}

hostile::transform!(Hostile);
