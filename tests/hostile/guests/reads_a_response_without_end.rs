//! Row 9: reads a response that has no end.

use hostile::http;
use hostile::source::*;

struct Hostile;

impl Source for Hostile {
    fn discover(config: String) -> Result<Vec<StreamInfo>, Error> {
        let granted = http::value(&config, "granted");
        let read = http::get(&granted, "/granted/endless")
            .and_then(http::send)
            .and_then(|response| http::body(&response));
        Err(Error::Data(read.map_or_else(
            |code| code,
            |body| format!("{} bytes", body.len()),
        )))
    }
}

hostile::source!(Hostile);
