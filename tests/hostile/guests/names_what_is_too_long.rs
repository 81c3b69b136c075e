//! Row 9: requests with a method, a host and a path of mebibytes, as many as there are handles.

use hostile::http;
use hostile::source::*;

struct Hostile;

impl Source for Hostile {
    fn discover(_: String) -> Result<Vec<StreamInfo>, Error> {
        let long = "x".repeat(4 << 20);
        let path = format!("/{}", "x".repeat(60_000));
        let mut kept = Vec::new();
        loop {
            let request = http::OutgoingRequest::new(http::Fields::new());
            let method = request.set_method(&http::Method::Other(long.clone()));
            let authority = request.set_authority(Some(&long));
            let path = request.set_path_with_query(Some(&path));
            for (what, set) in [("method", method), ("authority", authority), ("path", path)] {
                host::metric(what, f64::from(u8::from(set.is_ok())));
            }
            kept.push(request);
        }
    }
}

hostile::source!(Hostile);
