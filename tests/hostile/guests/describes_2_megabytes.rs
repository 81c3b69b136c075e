//! Row 3: a configuration schema that crosses, and is too long to be kept.

use hostile::transform::*;

struct Hostile;

impl Transform for Hostile {
    fn describe() -> Info {
        Info {
            config_schema: " ".repeat(2 << 20),
            ..info()
        }
    }
}

hostile::transform!(Hostile);
