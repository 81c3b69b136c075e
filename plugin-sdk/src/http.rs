//! Requests to what the step grants: `grant = { http = [{ url = "https://api.example.org/" }] }`.
//!
//! The host holds each request against the grant, resolves names, and puts in the secrets of the grant: the plugin
//! never has them. It follows no redirect. In a component a request is `wasi:http`; in tests it is answered by
//! [`Harness::respond`](crate::testing::Harness::respond).
//!
//! ```no_run
//! # fn page() -> Result<(), weir_plugin::Error> {
//! let response = weir_plugin::http::Request::get("https://api.example.org/visits")
//!     .query("page", "2")
//!     .header("accept", "application/json")
//!     .send()?;
//! let visits: serde_json::Value = response.ok()?.json()?;
//! # Ok(())
//! # }
//! ```

use serde::de::DeserializeOwned;

use crate::Error;

#[cfg(not(target_family = "wasm"))]
mod native;
#[cfg(target_family = "wasm")]
mod wasi;

#[cfg(not(target_family = "wasm"))]
use native as transport;
#[cfg(target_family = "wasm")]
use wasi as transport;

/// A request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// Its method, in capitals.
    pub method: String,
    /// Where it goes: scheme, host, perhaps a port, path and query.
    pub url: String,
    /// Its headers, in the order given.
    pub headers: Vec<(String, String)>,
    /// What it sends; at most 8 MiB.
    pub body: Vec<u8>,
}

/// A response of which the body has not been read yet.
pub struct Response {
    /// Its status, such as 200.
    pub status: u16,
    /// Its headers, names in lower case, values as far as they are UTF-8.
    pub headers: Vec<(String, String)>,
    body: transport::Body,
}

impl Request {
    /// A request without a body.
    pub fn new(method: &str, url: &str) -> Request {
        Request {
            method: method.to_owned(),
            url: url.to_owned(),
            headers: Vec::new(),
            body: Vec::new(),
        }
    }

    /// A `GET` request.
    pub fn get(url: &str) -> Request {
        Request::new("GET", url)
    }

    /// A `POST` request with a JSON body.
    ///
    /// # Errors
    /// [`Error::Fatal`] for a value that is no JSON.
    pub fn post_json(url: &str, body: &impl serde::Serialize) -> Result<Request, Error> {
        let mut request = Request::new("POST", url).header("content-type", "application/json");
        request.body = serde_json::to_vec(body).map_err(Error::fatal)?;
        Ok(request)
    }

    /// Adds a header.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Request {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Adds a parameter to the query, encoded.
    #[must_use]
    pub fn query(mut self, name: &str, value: &str) -> Request {
        self.url.push(match self.url.contains('?') {
            true => '&',
            false => '?',
        });
        encode(name, &mut self.url);
        self.url.push('=');
        encode(value, &mut self.url);
        self
    }

    /// Sends it, and waits for the head of the response.
    ///
    /// # Errors
    /// [`Error::Config`] if the step does not grant it (the host says what to add); [`Error::Retry`] if there is
    /// no connection or no answer in time; [`Error::Fatal`] for a URL that is none.
    pub fn send(&self) -> Result<Response, Error> {
        transport::send(self)
    }
}

impl Response {
    /// The first header of this name, in whatever case.
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut headers = self.headers.iter();
        let found = headers.find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }

    /// Itself, if the status is 2xx.
    ///
    /// # Errors
    /// [`Error::Retry`] for 408, 425, 429 and 5xx, [`Error::Config`] for 401 and 403, else [`Error::Data`].
    pub fn ok(self) -> Result<Response, Error> {
        let status = self.status;
        match status {
            200..=299 => Ok(self),
            408 | 425 | 429 | 500..=599 => Err(Error::retry(format!(
                "the server answers with status {status}"
            ))),
            401 | 403 => Err(Error::config(format!(
                "the server answers with status {status}: look at the secrets of the grant"
            ))),
            300..=399 => Err(Error::data(format!(
                "the server answers with status {status}, a redirect; grant and configure where it leads to"
            ))),
            _ => Err(Error::data(format!(
                "the server answers with status {status}"
            ))),
        }
    }

    /// The next bytes of the body; none at its end.
    ///
    /// # Errors
    /// [`Error::Retry`] if it breaks off or takes too long; [`Error::Config`] if it is larger than the grant allows.
    pub fn chunk(&mut self) -> Result<Option<Vec<u8>>, Error> {
        self.body.chunk()
    }

    /// The whole body.
    ///
    /// # Errors
    /// As [`chunk`](Response::chunk).
    pub fn bytes(mut self) -> Result<Vec<u8>, Error> {
        let mut bytes = Vec::new();
        while let Some(chunk) = self.chunk()? {
            bytes.extend_from_slice(&chunk);
        }
        Ok(bytes)
    }

    /// The whole body as text.
    ///
    /// # Errors
    /// As [`chunk`](Response::chunk), and [`Error::Data`] for what is no UTF-8.
    pub fn text(self) -> Result<String, Error> {
        String::from_utf8(self.bytes()?).map_err(|_| Error::data("the response is no UTF-8"))
    }

    /// The whole body as JSON.
    ///
    /// # Errors
    /// As [`chunk`](Response::chunk), and [`Error::Data`] for what is no such JSON.
    pub fn json<T: DeserializeOwned>(self) -> Result<T, Error> {
        let bytes = self.bytes()?;
        serde_json::from_slice(&bytes).map_err(|error| {
            // The error's own words may quote a value.
            Error::data(format!(
                "the response is not the JSON that was expected, at line {} column {}",
                error.line(),
                error.column()
            ))
        })
    }
}

/// Percent-encodes all but what RFC 3986 calls unreserved.
fn encode(text: &str, into: &mut String) {
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                into.push(char::from(byte));
            }
            byte => into.push_str(&format!("%{byte:02X}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_of_the_query_are_encoded() {
        let request = Request::get("https://h/p")
            .query("a b", "1&2")
            .query("ü", "~");
        assert_eq!(request.url, "https://h/p?a%20b=1%262&%C3%BC=~");
    }
}
