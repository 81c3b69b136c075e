//! Row 6: waits for somebody to type.

use hostile::transform::*;

struct Hostile;

impl Transform for Hostile {
    fn process(rows: Batch) -> Result<(), Error> {
        let mut line = String::new();
        let read = std::io::stdin().read_line(&mut line);
        if !matches!(read, Ok(0) | Err(_)) {
            return Err(Error::Fatal(format!("somebody typed {line}")));
        }
        emitting::emit(0, &rows, None);
        Ok(())
    }
}

hostile::transform!(Hostile);
