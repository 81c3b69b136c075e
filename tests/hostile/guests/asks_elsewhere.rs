//! Row 20: asks for all that it is not granted, in each form that it knows.

use hostile::http;
use hostile::source::*;

/// What became of each request, in order.
fn look(config: &str) -> String {
    let granted = http::value(config, "granted");
    let other = http::value(config, "other");
    let get = |authority: &str, path: &str| {
        let sent = http::get(authority, path).and_then(http::send);
        sent.map_or_else(|code| code, |response| format!("got {}", response.status()))
    };
    let by = |method: http::Method| {
        let fields = http::Fields::new();
        http::request(&method, http::Scheme::Http, &granted, "/granted/x", fields)
            .and_then(http::send)
            .map_or_else(|code| code, |response| format!("got {}", response.status()))
    };
    let (_, port) = granted.split_once(':').unwrap_or_default();
    let became = [
        get(&granted, "/granted/x"),
        // Another path, and ways back to it.
        get(&granted, "/"),
        get(&granted, "/granted/../secret"),
        get(&granted, "/granted/%2e%2e/secret"),
        get(&granted, "//granted/x"),
        // Other methods.
        by(http::Method::Post),
        by(http::Method::Connect),
        by(http::Method::Trace),
        by(http::Method::Other("get".into())),
        // Other hosts and ports.
        get(&other, "/granted/x"),
        get("169.254.169.254", "/latest/meta-data/"),
        get("[::ffff:169.254.169.254]", "/latest/meta-data/"),
        get("2852039166", "/latest/meta-data/"),
        get(&format!("localhost:{port}"), "/granted/x"),
        get(&format!("[::1]:{port}"), "/granted/x"),
        get(&format!("{granted}@{other}"), "/granted/x"),
        get(&format!("user:word@{granted}"), "/granted/x"),
        // A name that leads inside, by a grant for what is public.
        get(&format!("inside.test.localhost:{port}"), "/granted/x"),
    ];
    became.join(" ")
}

struct Hostile;

impl Source for Hostile {
    fn discover(config: String) -> Result<Vec<StreamInfo>, Error> {
        Err(Error::Data(look(&config)))
    }
}

hostile::source!(Hostile);
