//! Row 9: headers as large as they may be, as many as there are handles.

use hostile::http;
use hostile::source::*;

struct Hostile;

impl Source for Hostile {
    fn discover(config: String) -> Result<Vec<StreamInfo>, Error> {
        let each = http::value(&config, "each").parse().unwrap_or(45);
        let mut kept = Vec::new();
        loop {
            let fields = http::Fields::new();
            for number in 0..each {
                fields
                    .append(&format!("x-{number}"), &[b'x'; 270])
                    .map_err(|_| Error::Fatal("refused".into()))?;
            }
            host::metric("kept", 1.0);
            kept.push(fields);
        }
    }
}

hostile::source!(Hostile);
