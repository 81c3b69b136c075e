//! Row 20: looks for what the host puts into its requests: in them, in responses, in all of its memory.

use hostile::http;
use hostile::source::*;

/// The headers that it could see of its own request, those of the response, and how often the needle lies in memory.
fn look(config: &str) -> String {
    let granted = http::value(config, "granted");
    let request = match http::get(&granted, "/granted/x?mine=1") {
        Ok(request) => request,
        Err(code) => return code,
    };
    // A handle to the headers that outlives the request.
    let own = request.headers();
    let clone = own.clone();
    let response = match http::send(request) {
        Ok(response) => response,
        Err(code) => return code,
    };
    let body = http::body(&response).unwrap_or_default();
    let names = |fields: &http::Fields| {
        let entries = fields.entries();
        let names: Vec<String> = entries.into_iter().map(|(name, _)| name).collect();
        names.join(",")
    };
    let found = hostile::needle::count(&hostile::needle::from_config(config));
    format!(
        "{}|{}|{}|{}|{found}",
        names(&own),
        names(&clone),
        names(&response.headers()),
        body.len()
    )
}

struct Hostile;

impl Source for Hostile {
    fn discover(config: String) -> Result<Vec<StreamInfo>, Error> {
        Err(Error::Data(look(&config)))
    }
}

hostile::source!(Hostile);
