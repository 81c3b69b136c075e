//! Row 3: a configuration schema of nine mebibytes.

use hostile::transform::*;

struct Hostile;

impl Transform for Hostile {
    fn describe() -> Info {
        Info {
            config_schema: " ".repeat(9 << 20),
            ..info()
        }
    }
}

hostile::transform!(Hostile);
