//! What is added to the requests of a grant, and of no other.

use std::fmt;
use std::time::SystemTime;

use http::Method;
use http::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue};
use percent_encoding::percent_decode;
use url::{Url, form_urlencoded};

use crate::headers;
use crate::refusal::Refusal;
use crate::sigv4::{self, SigV4};

/// A text that nobody may see. `Debug` shows that there is one.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretText(String);

impl SecretText {
    /// A secret.
    pub fn new(text: impl Into<String>) -> SecretText {
        SecretText(text.into())
    }

    /// The text, for what has to send it.
    pub(crate) fn reveal(&self) -> &str {
        &self.0
    }
}

impl From<String> for SecretText {
    fn from(text: String) -> SecretText {
        SecretText(text)
    }
}

impl fmt::Debug for SecretText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretText(***)")
    }
}

/// What is added to each request of a grant. Where a guest sets the same header or parameter, its
/// value is replaced.
#[derive(Clone, Debug, Default)]
pub enum Credentials {
    /// Nothing: the guest may send `authorization` and `cookie` of its own.
    #[default]
    None,
    /// Headers, parameters of the query, or both.
    Added {
        /// The headers, each once.
        headers: Vec<(HeaderName, SecretText)>,
        /// The parameters, by their names before encoding.
        query: Vec<(String, SecretText)>,
    },
    /// A signature as AWS's services ask for.
    SigV4(SigV4),
}

/// Credentials of which is known that they can be sent.
pub(crate) enum Ready {
    None,
    Added {
        headers: Vec<(HeaderName, HeaderValue)>,
        /// Names as they are compared, and the encoded pairs.
        query: Vec<(String, String)>,
    },
    SigV4(SigV4),
}

impl Ready {
    /// Looks at each part once, so that no request can fail for it. The error says what is wrong
    /// without the value.
    pub(crate) fn of(credentials: Credentials) -> Result<Ready, String> {
        let (headers, query) = match credentials {
            Credentials::None => return Ok(Ready::None),
            Credentials::SigV4(keys) => {
                keys.check()?;
                return Ok(Ready::SigV4(keys));
            }
            Credentials::Added { headers, query } => (headers, query),
        };
        let mut ready_headers: Vec<(HeaderName, HeaderValue)> = Vec::new();
        for (name, secret) in headers {
            if headers::why_forbidden(&name).is_some() {
                return Err(format!("set the header {name}, which is the client's"));
            }
            if ready_headers.iter().any(|(other, _)| *other == name) {
                return Err(format!("set the header {name} twice"));
            }
            let mut value = HeaderValue::from_str(secret.reveal())
                .map_err(|_| format!("hold characters that the header {name} cannot"))?;
            value.set_sensitive(true);
            ready_headers.push((name, value));
        }
        let mut ready_query: Vec<(String, String)> = Vec::new();
        for (name, secret) in query {
            if name.is_empty() || ready_query.iter().any(|(other, _)| *other == name) {
                return Err("have a parameter without a name, or one twice".to_owned());
            }
            let pair = format!("{}={}", encoded(&name), encoded(secret.reveal()));
            ready_query.push((name, pair));
        }
        Ok(Ready::Added {
            headers: ready_headers,
            query: ready_query,
        })
    }

    pub(crate) fn is_none(&self) -> bool {
        matches!(self, Ready::None)
    }

    /// Whether a guest's header of this name gives way to one of the credentials.
    pub(crate) fn replaces(&self, name: &HeaderName) -> bool {
        match self {
            Ready::None => false,
            // Many servers take `x_api_key` for `x-api-key`.
            Ready::Added { headers, .. } => {
                let folded = |name: &HeaderName| name.as_str().replace('_', "-");
                headers.iter().any(|(own, _)| folded(own) == folded(name))
            }
            Ready::SigV4(_) => *name == AUTHORIZATION || sigv4::is_own(name),
        }
    }

    /// Adds the credentials to a request that is complete but for them.
    pub(crate) fn add(
        &self,
        method: &Method,
        url: &mut Url,
        headers: &mut HeaderMap,
        body: &[u8],
    ) -> Result<(), Refusal> {
        match self {
            Ready::None => Ok(()),
            Ready::Added {
                headers: own,
                query,
            } => {
                for (name, value) in own {
                    headers.insert(name, value.clone());
                }
                add_query(url, query);
                Ok(())
            }
            Ready::SigV4(keys) => sigv4::sign(keys, method, url, headers, body, SystemTime::now()),
        }
    }
}

/// Adds parameters, in place of those of the same name. What else the guest has in its query stays
/// as it is, byte for byte.
fn add_query(url: &mut Url, own: &[(String, String)]) {
    if own.is_empty() {
        return;
    }
    let is_own = |pair: &str| {
        let name = pair.split('=').next().unwrap_or_default();
        own.iter().any(|(own, _)| *own == decoded(name))
    };
    // To some servers a `;` ends a parameter as a `&` does.
    let kept = |pair: &str| match pair.split(';').any(is_own) {
        false => pair.to_owned(),
        true => {
            let others: Vec<&str> = pair.split(';').filter(|part| !is_own(part)).collect();
            others.join(";")
        }
    };
    let guests = url.query().unwrap_or_default().split('&').map(kept);
    // Nothing between two `&` is no parameter.
    let guests = guests.filter(|pair| !pair.is_empty());
    let pairs: Vec<String> = guests
        .chain(own.iter().map(|(_, pair)| pair.clone()))
        .collect();
    let query = pairs.join("&");
    url.set_query(Some(&query));
}

fn encoded(text: &str) -> String {
    let text: String = form_urlencoded::byte_serialize(text.as_bytes()).collect();
    // A `+` is a space to most servers and a plus to some; a plus itself is %2B here.
    text.replace('+', "%20")
}

fn decoded(name: &str) -> String {
    let name = name.replace('+', " ");
    percent_decode(name.as_bytes())
        .decode_utf8_lossy()
        .into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn added(headers: &[(&'static str, &str)], query: &[(&str, &str)]) -> Result<Ready, String> {
        Ready::of(Credentials::Added {
            headers: headers
                .iter()
                .map(|(name, value)| (HeaderName::from_static(name), SecretText::new(*value)))
                .collect(),
            query: query
                .iter()
                .map(|(name, value)| ((*name).to_owned(), SecretText::new(*value)))
                .collect(),
        })
    }

    #[test]
    fn parameters_take_the_place_of_the_guests() {
        let ready = added(&[], &[("api key", "a b+c&d=é"), ("t", "2")]).unwrap();
        let sent = "api%20key=a%20b%2Bc%26d%3D%C3%A9&t=2";
        for (query, kept) in [
            ("", ""),
            ("?", ""),
            ("?a=1&b=%20+x", "a=1&b=%20+x&"),
            ("?api+key=guest&a=1", "a=1&"),
            ("?a=1&api%20key=guest&%61pi%20ke%79&api%20key", "a=1&"),
            ("?t&t=&&t=3&tt=4&T=5", "tt=4&T=5&"),
            ("?a=1;t=3;b=2&c=1;d=2&t=1;t=2", "a=1;b=2&c=1;d=2&"),
        ] {
            let mut url = Url::parse(&format!("https://example.org/{query}")).unwrap();
            let mut headers = HeaderMap::new();
            ready
                .add(&Method::GET, &mut url, &mut headers, b"")
                .unwrap();
            assert_eq!(url.query(), Some(format!("{kept}{sent}").as_str()));
        }
    }

    #[test]
    fn a_guests_header_gives_way_in_both_spellings() {
        let ready = added(&[("x-api-key", "1")], &[]).unwrap();
        for name in ["x-api-key", "x_api_key", "x-api_key"] {
            assert!(ready.replaces(&HeaderName::from_static(name)), "{name}");
            let forbidden = HeaderName::from_static("x_http_method_override");
            assert!(headers::why_forbidden(&forbidden).is_some());
        }
        assert!(!ready.replaces(&HeaderName::from_static("x-api-keys")));
    }

    #[test]
    fn what_cannot_be_sent_is_known_before() {
        for (headers, query) in [
            (&[("x-key", "a\r\nb: c")][..], &[][..]),
            (&[("host", "hunter2")], &[]),
            (&[("content-length", "7")], &[]),
            (&[("x-key", "hunter2"), ("x-key", "hunter2")], &[]),
            (&[], &[("", "hunter2")]),
            (&[], &[("key", "hunter2"), ("key", "hunter2")]),
        ] {
            let Err(what) = added(headers, query) else {
                panic!("{headers:?} {query:?}");
            };
            assert!(!what.contains("hunter2"), "{what}");
        }
    }

    #[test]
    fn no_debug_output_shows_a_secret() {
        let both = Credentials::Added {
            headers: vec![(AUTHORIZATION, SecretText::new("hunter2"))],
            query: vec![("key".to_owned(), "hunter2".to_owned().into())],
        };
        let keys = Credentials::SigV4(SigV4 {
            region: "eu-north-1".to_owned(),
            service: "s3".to_owned(),
            access_key_id: "AKIDEXAMPLE".to_owned(),
            secret_access_key: SecretText::new("hunter2"),
            session_token: Some(SecretText::new("hunter2")),
        });
        for credentials in [both, keys] {
            let shown = format!("{credentials:?} {credentials:#?}");
            assert!(
                shown.contains("***") && !shown.contains("hunter2"),
                "{shown}"
            );
        }
    }

    #[test]
    fn headers_that_are_added_are_sensitive() {
        let ready = added(&[("x-key", "hunter2")], &[]).unwrap();
        let mut url = Url::parse("https://example.org/").unwrap();
        let mut headers = HeaderMap::new();
        headers.append("x-key", HeaderValue::from_static("guest"));
        headers.append("x-key", HeaderValue::from_static("guest too"));
        ready
            .add(&Method::GET, &mut url, &mut headers, b"")
            .unwrap();
        let values: Vec<_> = headers.get_all("x-key").iter().collect();
        assert_eq!(values, ["hunter2"]);
        assert!(values[0].is_sensitive());
        assert_eq!(url.as_str(), "https://example.org/");
    }
}
