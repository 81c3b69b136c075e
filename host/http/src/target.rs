//! What a request asks for, once its URL means one thing only.

use http::Uri;
use url::Url;

use crate::grant::Scheme;
use crate::host::Host;
use crate::path::is_trick;
use crate::refusal::Refusal;

/// A checked URL. What is checked is what is sent: nothing parses the guest's text again.
#[derive(Debug)]
pub(crate) struct Target {
    /// Without a user, a fragment, and a dot at the host's end.
    pub(crate) url: Url,
    pub(crate) scheme: Scheme,
    pub(crate) host: Host,
    pub(crate) port: u16,
}

impl Target {
    pub(crate) fn of(uri: &Uri) -> Result<Target, Refusal> {
        let malformed = |what| Refusal::Malformed { what };
        let scheme = uri
            .scheme_str()
            .and_then(Scheme::of)
            .ok_or(malformed("its scheme is not https or http"))?;
        let authority = uri.authority().ok_or(malformed("it names no host"))?;
        if authority.as_str().contains('@') {
            return Err(malformed("it has a user or a password"));
        }
        if is_trick(uri.path()) {
            return Err(malformed(
                "its path has dot segments, backslashes or control characters",
            ));
        }
        let mut url = Url::parse(&uri.to_string()).map_err(|_| malformed("it is no URL"))?;
        let host = Host::of(&url).ok_or(malformed("its host is no name and no address"))?;
        if let Host::Name(name) = &host {
            url.set_host(Some(name))
                .map_err(|_| malformed("its host is no name and no address"))?;
        }
        let port = url.port_or_known_default().unwrap_or(scheme.port());
        Ok(Target {
            url,
            scheme,
            host,
            port,
        })
    }

    /// Host, and port if it is not the scheme's own: what the header `host` says.
    pub(crate) fn authority(&self) -> String {
        match self.url.port() {
            Some(port) => format!("{}:{port}", self.host),
            None => self.host.to_string(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(uri: &str) -> Result<Target, Refusal> {
        Target::of(&uri.parse::<Uri>().unwrap())
    }

    #[test]
    fn a_url_means_one_thing() {
        for (uri, expected) in [
            ("http://EXAMPLE.org.", "http://example.org/ 80"),
            (
                "https://example.org:443/a?b=c",
                "https://example.org/a?b=c 443",
            ),
            ("http://example.org:443/", "http://example.org:443/ 443"),
            ("http://2130706433/", "http://127.0.0.1/ 80"),
            ("http://0x7f.1/", "http://127.0.0.1/ 80"),
            ("http://0177.0.0.1./", "http://127.0.0.1/ 80"),
            (
                "http://[::FFFF:7f00:1]:81/",
                "http://[::ffff:7f00:1]:81/ 81",
            ),
        ] {
            let target = target(uri).unwrap();
            assert_eq!(format!("{} {}", target.url, target.port), expected);
        }
    }

    #[test]
    fn a_url_that_does_not_is_malformed() {
        for uri in [
            "/only/a/path",
            "example.org:80",
            "ftp://example.org/",
            "http://user@example.org/",
            "http://user:x@example.org/",
            "http://example.org/a/../b",
            "http://example.org/a/%2e%2E/b",
            "http://example.org:99999/",
            "http://1.2.3.4.5/",
            "http://a..b/",
            "http://256.256.256.256/",
        ] {
            let refusal = target(uri).unwrap_err();
            assert!(matches!(refusal, Refusal::Malformed { .. }), "{uri}");
        }
    }
}
