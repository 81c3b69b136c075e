//! Row 20: headers that end a request, begin another, or belong to the host.

use hostile::http;
use hostile::source::*;

/// Which headers could be set, and which of these could be sent.
fn look(config: &str) -> String {
    let granted = http::value(config, "granted");
    let tries: [(&str, &[u8]); 17] = [
        ("x-fine", b"fine"),
        ("x-split", b"a\r\nx-forged: b"),
        ("x-split", b"a\nx-forged: b"),
        ("x-nothing", b"a\0b"),
        ("x-name\r\nx-forged", b"b"),
        ("x name", b"b"),
        ("", b"b"),
        ("host", b"elsewhere.test"),
        ("Host", b"elsewhere.test"),
        ("transfer-encoding", b"chunked"),
        ("connection", b"x-secret"),
        ("content-length", b"5"),
        ("te", b"trailers"),
        ("proxy-connection", b"keep-alive"),
        ("authorization", b"Bearer mine"),
        ("cookie", b"session=mine"),
        ("x-http-method-override", b"DELETE"),
    ];
    let mut became = Vec::new();
    for (name, value) in tries {
        let headers = http::Fields::new();
        if headers.append(name, value).is_err() {
            became.push("unset".to_owned());
            continue;
        }
        let sent = http::request(
            &http::Method::Get,
            http::Scheme::Http,
            &granted,
            "/granted/x",
            headers,
        );
        let sent = sent.and_then(http::send);
        became.push(sent.map_or_else(|code| code, |response| response.status().to_string()));
    }
    became.join(" ")
}

struct Hostile;

impl Source for Hostile {
    fn discover(config: String) -> Result<Vec<StreamInfo>, Error> {
        Err(Error::Data(look(&config)))
    }
}

hostile::source!(Hostile);
