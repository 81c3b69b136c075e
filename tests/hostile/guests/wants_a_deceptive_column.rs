//! Row 3: wants a column whose name holds a line end.

use hostile::transform::*;

struct Hostile;

impl Transform for Hostile {
    fn describe() -> Info {
        Info {
            columns: vec!["a\nb".into()],
            ..info()
        }
    }
}

hostile::transform!(Hostile);
