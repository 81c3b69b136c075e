//! Row 9: asks again and again and keeps each handle.

use hostile::http;
use hostile::source::*;

struct Hostile;

impl Source for Hostile {
    fn discover(config: String) -> Result<Vec<StreamInfo>, Error> {
        let granted = http::value(&config, "granted");
        let mut kept = Vec::new();
        loop {
            let request = http::get(&granted, "/granted/slow").map_err(Error::Fatal)?;
            kept.push(http::handle(request, None));
        }
    }
}

hostile::source!(Hostile);
