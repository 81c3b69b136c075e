//! Which headers a guest may send.

use http::header::{AUTHORIZATION, CONTENT_LENGTH, COOKIE, HOST, HeaderMap, HeaderName};

use crate::credentials::Ready;
use crate::refusal::Refusal;
use crate::target::Target;

/// Why nobody but the client may set a header. `None`: others may.
pub(crate) fn why_forbidden(name: &HeaderName) -> Option<&'static str> {
    // Many servers take both spellings for one name.
    match name.as_str().replace('_', "-").as_str() {
        "host" | "content-length" => Some("the client sets it"),
        "connection" | "keep-alive" | "te" | "trailer" | "transfer-encoding" | "upgrade"
        | "http2-settings" => Some("it is about the connection, which is the client's"),
        name if name.starts_with("proxy-") => Some("it is for a proxy, and there is none"),
        // Frameworks take method and path from these, and the grant is checked against the real ones.
        "x-http-method-override" | "x-http-method" | "x-method-override" => {
            Some("servers take it for another method than the granted one")
        }
        "x-original-url" | "x-rewrite-url" => {
            Some("servers take it for another path than the granted one")
        }
        _ => None,
    }
}

/// The headers of a guest that are sent. `host` and `content-length` may be there if they say what
/// the client will say by itself: many libraries set them.
pub(crate) fn allowed(
    headers: &HeaderMap,
    target: &Target,
    length: usize,
    credentials: &Ready,
) -> Result<HeaderMap, Refusal> {
    let mut allowed = HeaderMap::with_capacity(headers.len());
    for (name, value) in headers {
        if is_as_sent(name, value.as_bytes(), target, length) || credentials.replaces(name) {
            continue;
        }
        let is_login = *name == AUTHORIZATION || *name == COOKIE;
        let why = match why_forbidden(name) {
            None if is_login && !credentials.is_none() => {
                Some("the grant has credentials of its own")
            }
            why => why,
        };
        if let Some(why) = why {
            return Err(Refusal::ForbiddenHeader {
                name: name.clone(),
                why,
            });
        }
        allowed.append(name, value.clone());
    }
    Ok(allowed)
}

fn is_as_sent(name: &HeaderName, value: &[u8], target: &Target, length: usize) -> bool {
    if *name == HOST {
        let with_port = format!("{}:{}", target.host, target.port);
        return value.eq_ignore_ascii_case(target.authority().as_bytes())
            || value.eq_ignore_ascii_case(with_port.as_bytes());
    }
    *name == CONTENT_LENGTH && value == length.to_string().as_bytes()
}
