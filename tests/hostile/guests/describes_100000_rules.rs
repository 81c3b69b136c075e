//! Row 3: lists a hundred thousand rules.

use hostile::transform::*;

struct Hostile;

impl Transform for Hostile {
    fn describe() -> Info {
        let rule = Rule {
            name: "r".into(),
            description: String::new(),
        };
        Info {
            rules: vec![rule; 100_000],
            ..info()
        }
    }
}

hostile::transform!(Hostile);
