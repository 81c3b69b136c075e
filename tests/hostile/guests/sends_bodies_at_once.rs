//! Row 9: four requests of seven mebibytes, all open at once.

use hostile::http;
use hostile::source::*;

fn send(config: &str) -> Result<String, String> {
    let granted = http::value(config, "granted");
    let mut open = Vec::new();
    for _ in 0..4 {
        let request = http::get(&granted, "/granted/x")?;
        let body = request.body().map_err(|()| "no body")?;
        let stream = body.write().map_err(|()| "no stream")?;
        let coming = http::handle(request, None).map_err(|code| http::word(&code))?;
        let mut sent = 0;
        while sent < 7 << 20 && stream.blocking_write_and_flush(&[b'x'; 4096]).is_ok() {
            sent += 4096;
        }
        open.push((body, stream, coming));
    }
    let mut became = Vec::new();
    for (body, stream, coming) in open {
        drop(stream);
        let _ = http::OutgoingBody::finish(body, None);
        let response = http::wait(&coming);
        became.push(response.map_or_else(|code| code, |response| response.status().to_string()));
    }
    Ok(became.join(" "))
}

struct Hostile;

impl Source for Hostile {
    fn discover(config: String) -> Result<Vec<StreamInfo>, Error> {
        Err(Error::Data(send(&config).unwrap_or_else(|code| code)))
    }
}

hostile::source!(Hostile);
