//! Row 9: two hundred responses that have no end, each of which it drops in the middle.

use hostile::http;
use hostile::source::*;

struct Hostile;

impl Source for Hostile {
    fn discover(config: String) -> Result<Vec<StreamInfo>, Error> {
        let granted = http::value(&config, "granted");
        let mut begun = 0;
        for _ in 0..200 {
            let Ok(response) = http::get(&granted, "/granted/endless").and_then(http::send) else {
                continue;
            };
            let Ok(body) = response.consume() else {
                continue;
            };
            if let Ok(stream) = body.stream() {
                begun += u32::from(stream.blocking_read(16).is_ok());
            }
            // What is left of it would be read to its end for these, if somebody waited.
            drop(http::IncomingBody::finish(body));
        }
        Err(Error::Data(format!("{begun} begun")))
    }
}

hostile::source!(Hostile);
