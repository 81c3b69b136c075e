//! Row 3: wants five thousand columns.

use hostile::transform::*;

struct Hostile;

impl Transform for Hostile {
    fn describe() -> Info {
        Info {
            columns: vec!["a".into(); 5000],
            ..info()
        }
    }
}

hostile::transform!(Hostile);
