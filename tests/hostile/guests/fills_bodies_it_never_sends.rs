//! Row 9: bodies for requests and responses that nobody sends, each as full as it goes.

use hostile::http;
use hostile::source::*;

static BLOCK: [u8; 1 << 20] = [b'x'; 1 << 20];

struct Hostile;

impl Source for Hostile {
    fn discover(config: String) -> Result<Vec<StreamInfo>, Error> {
        let granted = http::value(&config, "granted");
        let mut kept = Vec::new();
        let mut bytes = 0;
        loop {
            // What is left in the end is the request alone, with what was written.
            let request = http::get(&granted, "/granted/x").map_err(Error::Fatal)?;
            let Ok(body) = request.body() else { break };
            if let Ok(stream) = body.write() {
                while let Ok(room @ 1..) = stream.check_write() {
                    let room = usize::try_from(room).unwrap_or(usize::MAX).min(BLOCK.len());
                    match stream.write(&BLOCK[..room]) {
                        Ok(()) => bytes += room,
                        Err(_) => break,
                    }
                }
            }
            let _ = http::OutgoingBody::finish(body, None);
            kept.push(request);
            host::metric("kept", 1.0);
            host::metric("bytes", bytes as f64);
            bytes = 0;
        }
        Err(Error::Fatal("unreached".into()))
    }
}

hostile::source!(Hostile);
