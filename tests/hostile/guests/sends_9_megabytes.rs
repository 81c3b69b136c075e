//! Row 9: a request of nine mebibytes.

use hostile::http;
use hostile::source::*;

fn send(config: &str) -> Result<String, String> {
    let granted = http::value(config, "granted");
    let request = http::get(&granted, "/granted/x")?;
    let body = request.body().map_err(|()| "no body")?;
    let stream = body.write().map_err(|()| "no stream")?;
    let coming = http::handle(request, None).map_err(|code| http::word(&code))?;
    let mut sent = 0;
    while sent < 9 << 20 && stream.blocking_write_and_flush(&[b'x'; 4096]).is_ok() {
        sent += 4096;
    }
    drop(stream);
    let _ = http::OutgoingBody::finish(body, None);
    let became =
        http::wait(&coming).map_or_else(|code| code, |response| response.status().to_string());
    Ok(format!("{} MiB: {became}", sent >> 20))
}

struct Hostile;

impl Source for Hostile {
    fn discover(config: String) -> Result<Vec<StreamInfo>, Error> {
        Err(Error::Data(send(&config).unwrap_or_else(|code| code)))
    }
}

hostile::source!(Hostile);
