//! Row 9: asks hundreds of times, and waits for none.

use std::sync::OnceLock;

use hostile::http;
use hostile::source::*;

static GRANTED: OnceLock<String> = OnceLock::new();

struct Hostile;

impl Source for Hostile {
    fn read() -> Result<Page, Error> {
        let granted = GRANTED.get().map(String::as_str).unwrap_or_default();
        let mut kept = Vec::new();
        for _ in 0..500 {
            let request = http::get(granted, "/granted/slow").map_err(Error::Fatal)?;
            kept.extend(http::handle(request, None).ok());
        }
        // Neither is waited for, nor are the handles given back.
        host::metric("asked", kept.len() as f64);
        std::mem::forget(kept);
        page("1", true)
    }

    fn open(config: String, _: Option<String>) -> Result<Vec<Field>, Error> {
        let _ = GRANTED.set(http::value(&config, "granted"));
        Ok(people().schema)
    }
}

hostile::source!(Hostile);
