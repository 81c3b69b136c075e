//! Row 6: writes a body, and never sends the request that it is for.

use hostile::http;
use hostile::source::*;

struct Hostile;

impl Source for Hostile {
    fn discover(config: String) -> Result<Vec<StreamInfo>, Error> {
        let granted = http::value(&config, "granted");
        let request = http::get(&granted, "/granted/x").map_err(Error::Fatal)?;
        let body = request
            .body()
            .map_err(|()| Error::Fatal("no body".into()))?;
        let stream = body
            .write()
            .map_err(|()| Error::Fatal("no stream".into()))?;
        loop {
            let written = stream.blocking_write_and_flush(&[b'x'; 4096]);
            written.map_err(|_| Error::Fatal("broken".into()))?;
        }
    }
}

hostile::source!(Hostile);
