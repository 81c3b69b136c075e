//! Row 20: asks while it only says what it is.

use hostile::http;
use hostile::source::*;

struct Hostile;

impl Source for Hostile {
    fn describe() -> Info {
        let sent = http::get(env!("CARGO_PKG_NAME"), "/").and_then(http::send);
        Info {
            description: sent.err().unwrap_or_else(|| "it came".into()),
            ..info()
        }
    }
}

hostile::source!(Hostile);
