//! What a step of a pipeline grants.

use std::fmt;
use std::time::Duration;

use http::Method;

use crate::credentials::Credentials;
use crate::error::Error;
use crate::host::HostPattern;
use crate::path::is_trick;

/// How a host is spoken to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// HTTP within TLS.
    Https,
    /// HTTP in the clear.
    Http,
}

impl Scheme {
    /// The port that a URL of this scheme has if it names none.
    pub fn port(self) -> u16 {
        match self {
            Scheme::Https => 443,
            Scheme::Http => 80,
        }
    }

    pub(crate) fn of(name: &str) -> Option<Scheme> {
        match name {
            "https" => Some(Scheme::Https),
            "http" => Some(Scheme::Http),
            _ => None,
        }
    }
}

impl fmt::Display for Scheme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Scheme::Https => "https",
            Scheme::Http => "http",
        })
    }
}

/// What a step grants a plugin to reach: one origin, or the same scheme and port of all hosts below a
/// name. It holds no secret that `Debug` would show.
#[derive(Clone, Debug)]
pub struct Grant {
    /// How the host is spoken to.
    pub scheme: Scheme,
    /// The host, or the hosts.
    pub host: HostPattern,
    /// The port, and no other.
    pub port: u16,
    /// The start of the paths, as whole segments: `/v1` holds `/v1/users` and not `/v10`. `/` is all.
    pub path: String,
    /// The methods. `CONNECT` and `TRACE` cannot be granted: the one opens a tunnel, the other
    /// answers with the credentials.
    pub methods: Vec<Method>,
    /// Whether the host may have addresses that are not public. Addresses of metadata services and
    /// at the link are reached only by a grant that names the very address as its host.
    pub private: bool,
    /// How many requests may begin in a second, if that is limited. At most a second's worth may
    /// begin at once, and always one.
    pub requests_per_second: Option<f64>,
    /// How long it may take from the start of a request to the head of the response, and from one
    /// chunk of the body to the next. The wait for `requests_per_second` is not part of it.
    pub timeout: Duration,
    /// The most bytes of one response's body, as they are sent: nothing is decompressed.
    pub max_response: u64,
    /// What is added to each request.
    pub credentials: Credentials,
}

impl Grant {
    /// A grant for a URL, to be changed where it does not fit: `GET` only, public addresses only, no
    /// limit of requests, 30 seconds, 64 MiB, no credentials.
    ///
    /// # Errors
    /// Those of [`Grant::parse_origin`].
    pub fn of(url: &str) -> Result<Grant, Error> {
        let (scheme, host, port, path) = Grant::parse_origin(url)?;
        Ok(Grant {
            scheme,
            host,
            port,
            path,
            methods: vec![Method::GET],
            private: false,
            requests_per_second: None,
            timeout: Duration::from_secs(30),
            max_response: 64 * 1024 * 1024,
            credentials: Credentials::None,
        })
    }

    /// Scheme, hosts, port and path of a URL such as `https://*.example.org:8443/v1/`.
    ///
    /// # Errors
    /// It is no URL of `http` or `https`, or has a user, a query, a fragment, a host that
    /// [`HostPattern::parse`] does not take, or dot segments in its path.
    pub fn parse_origin(url: &str) -> Result<(Scheme, HostPattern, u16, String), Error> {
        const FORM: &str = "write https://host/ or https://host:port/path/";
        if url.contains(|c: char| c.is_whitespace() || c.is_control() || c == '\\') {
            return Err(Error::url("has spaces or backslashes", FORM));
        }
        let (scheme, rest) = url
            .split_once("://")
            .ok_or_else(|| Error::url("is no URL with a scheme and a host", FORM))?;
        let scheme = Scheme::of(&scheme.to_ascii_lowercase())
            .ok_or_else(|| Error::url("has another scheme than https and http", FORM))?;
        if rest.contains(['?', '#']) {
            return Err(Error::url(
                "has a query or a fragment",
                "leave it out: queries are not part of what is granted; secrets in them belong to the credentials",
            ));
        }
        let (authority, path) = match rest.find('/') {
            Some(slash) => rest.split_at(slash),
            None => (rest, "/"),
        };
        if authority.contains('@') {
            return Err(Error::url(
                "has a user or a password",
                "leave them out, and set them as credentials of the grant",
            ));
        }
        let (host, port) = match authority.rsplit_once(':') {
            // The last colon of an IPv6 address is within its brackets.
            Some((host, port)) if !port.ends_with(']') => {
                let is_number = port.bytes().all(|byte| byte.is_ascii_digit());
                let port = port.parse().ok().filter(|port| is_number && *port != 0);
                let port = port
                    .ok_or_else(|| Error::url("has a port that is none from 1 to 65535", FORM))?;
                (host, port)
            }
            _ => (authority, scheme.port()),
        };
        let host = HostPattern::parse(host)?;
        if is_trick(path) {
            return Err(Error::url(
                "has dot segments, backslashes or control characters in its path",
                "write the path out",
            ));
        }
        Ok((scheme, host, port, path.to_owned()))
    }

    /// Scheme, hosts and port, as texts for users name them.
    pub(crate) fn origin(&self) -> String {
        origin(self.scheme, &self.host, self.port)
    }
}

/// Scheme, host and port, the port only where it is not the scheme's own.
pub(crate) fn origin(scheme: Scheme, host: &impl fmt::Display, port: u16) -> String {
    if port == scheme.port() {
        return format!("{scheme}://{host}");
    }
    format!("{scheme}://{host}:{port}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_of_grants_are_taken_apart() {
        for (url, expected) in [
            ("https://api.example.org", "https api.example.org 443 /"),
            (
                "https://api.example.org/v1/",
                "https api.example.org 443 /v1/",
            ),
            (
                "HTTPS://API.example.org.:8443/V1",
                "https api.example.org 8443 /V1",
            ),
            ("http://api.example.org:443/", "http api.example.org 443 /"),
            ("https://*.example.org/", "https *.example.org 443 /"),
            ("http://10.0.0.1:9000", "http 10.0.0.1 9000 /"),
            ("http://[::1]/x", "http [::1] 80 /x"),
            ("http://[::1]:81/x", "http [::1] 81 /x"),
            (
                "https://bücher.example/",
                "https xn--bcher-kva.example 443 /",
            ),
        ] {
            let (scheme, host, port, path) = Grant::parse_origin(url).unwrap();
            assert_eq!(format!("{scheme} {host} {port} {path}"), expected);
        }
    }

    #[test]
    fn urls_that_grant_something_unclear_are_refused() {
        for url in [
            "",
            "api.example.org",
            "https:api.example.org",
            "https:///api.example.org/",
            "https://",
            "https:///",
            "ftp://api.example.org/",
            "file:///etc/passwd",
            "https://user@api.example.org/",
            "https://user:hunter2@api.example.org/",
            "https://@api.example.org/",
            "https://api.example.org/?",
            "https://api.example.org/?key=hunter2",
            "https://api.example.org/#",
            "https://api.example.org?x",
            "https://api.example.org:/",
            "https://api.example.org:0/",
            "https://api.example.org:+80/",
            "https://api.example.org:65536/",
            "https://api.example.org:80:80/",
            "https://*/",
            "https://*.org/",
            "https://api.example.org/v1/../",
            "https://api.example.org/%2e%2e/",
            "https://api.example.org\\v1",
            "https://api.example.org/a b",
            " https://api.example.org/",
            "https://api.exa\tmple.org/",
        ] {
            let error = Grant::parse_origin(url).unwrap_err();
            assert!(!format!("{error} {error:?} {}", error.hint()).contains("hunter2"));
        }
    }
}
