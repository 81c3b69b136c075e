//! Row 3: names its output by a random number, so that no two instances agree.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};

use hostile::transform::*;

struct Hostile;

impl Transform for Hostile {
    fn bind(_: String, input: Vec<Field>) -> Result<Vec<Output>, Error> {
        let chance = RandomState::new().build_hasher().finish();
        Ok(vec![Output {
            name: format!("out{chance}"),
            schema: input,
        }])
    }
}

hostile::transform!(Hostile);
