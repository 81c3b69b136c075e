//! Row 19: a name and a description that clear the screen, hide text and forge lines.

use hostile::transform::*;

struct Hostile;

impl Transform for Hostile {
    fn describe() -> Info {
        Info {
            name: "a\u{1b}[2J".into(),
            version: "\u{202e}1.0".into(),
            description: "x\nerror: forged\u{200b}".repeat(1000),
            ..info()
        }
    }
}

hostile::transform!(Hostile);
