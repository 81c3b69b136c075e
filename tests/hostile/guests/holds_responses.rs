//! Row 9: takes the heads of a hundred responses and reads none.

use hostile::http;
use hostile::source::*;

struct Hostile;

impl Source for Hostile {
    fn discover(config: String) -> Result<Vec<StreamInfo>, Error> {
        let granted = http::value(&config, "granted");
        let mut kept = Vec::new();
        let mut refused = Vec::new();
        for _ in 0..100 {
            match http::get(&granted, "/granted/x").and_then(http::send) {
                Ok(response) => kept.push(response),
                Err(code) => refused.push(code),
            }
        }
        let held = kept.len();
        // With one given back there is room for one.
        kept.pop();
        let again = http::get(&granted, "/granted/x")
            .and_then(http::send)
            .is_ok();
        let why = refused.pop().unwrap_or_default();
        Err(Error::Data(format!(
            "{held} held, then {why}, then {again}"
        )))
    }
}

hostile::source!(Hostile);
