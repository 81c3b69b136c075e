//! Row 6: waits for a response that does not come.

use std::sync::OnceLock;

use hostile::http;
use hostile::source::*;

static GRANTED: OnceLock<String> = OnceLock::new();

struct Hostile;

impl Source for Hostile {
    fn open(config: String, _: Option<String>) -> Result<Vec<Field>, Error> {
        let _ = GRANTED.set(http::value(&config, "granted"));
        Ok(people().schema)
    }

    fn read() -> Result<Page, Error> {
        let granted = GRANTED.get().map(String::as_str).unwrap_or_default();
        emit("kept by nobody");
        let sent = http::get(granted, "/granted/slow").and_then(http::send);
        Err(Error::Data(sent.err().unwrap_or_else(|| "it came".into())))
    }
}

hostile::source!(Hostile);
