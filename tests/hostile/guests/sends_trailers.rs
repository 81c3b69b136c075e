//! Row 20: trailers behind a body, and a body that is broken off.

use hostile::http;
use hostile::source::*;

fn send(granted: &str, trailer: Option<&str>) -> Result<String, String> {
    let request = http::get(granted, "/granted/x")?;
    let body = request.body().map_err(|()| "no body")?;
    let coming = http::handle(request, None).map_err(|code| http::word(&code))?;
    let stream = body.write().map_err(|()| "no stream")?;
    stream
        .blocking_write_and_flush(b"half")
        .map_err(|_| "broken")?;
    drop(stream);
    match trailer {
        Some(name) => {
            let trailers = http::Fields::new();
            trailers.append(name, b"secret").map_err(|_| "unset")?;
            http::OutgoingBody::finish(body, Some(trailers)).map_err(|code| http::word(&code))?;
        }
        None => drop(body),
    }
    http::wait(&coming).map(|response| response.status().to_string())
}

struct Hostile;

impl Source for Hostile {
    fn discover(config: String) -> Result<Vec<StreamInfo>, Error> {
        let granted = http::value(&config, "granted");
        let trailed = send(&granted, Some("x-trailed"));
        let broken = send(&granted, None);
        let show = |became: Result<String, String>| became.unwrap_or_else(|code| code);
        Err(Error::Data(format!("{} {}", show(trailed), show(broken))))
    }
}

hostile::source!(Hostile);
