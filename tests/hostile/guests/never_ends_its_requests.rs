//! Row 6: begins more requests than are sent at once, and ends the body of none.

use hostile::http;
use hostile::source::*;

struct Hostile;

impl Source for Hostile {
    fn discover(config: String) -> Result<Vec<StreamInfo>, Error> {
        let granted = http::value(&config, "granted");
        let mut open = Vec::new();
        for _ in 0..20 {
            let request = http::get(&granted, "/granted/x").map_err(Error::Fatal)?;
            let body = request.body();
            open.push((body, http::handle(request, None)));
        }
        let sent = http::get(&granted, "/granted/x").and_then(http::send);
        Err(Error::Data(sent.err().unwrap_or_else(|| "it came".into())))
    }
}

hostile::source!(Hostile);
