//! Row 16: says what time it is, how long it has slept and what random numbers it gets.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use hostile::transform::*;

struct Hostile;

impl Transform for Hostile {
    fn bind(_: String, _: Vec<Field>) -> Result<Vec<Output>, Error> {
        let began = Instant::now();
        std::thread::sleep(Duration::from_secs(86_400));
        let slept = began.elapsed().as_secs();
        let wall = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |time| time.as_secs());
        let random = RandomState::new().build_hasher().finish();
        Err(Error::Data(format!("{slept} {wall} {random}")))
    }
}

hostile::transform!(Hostile);
