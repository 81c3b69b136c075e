//! Hosts: those that requests name, and those that grants allow.

use std::fmt;
use std::net::IpAddr;

use url::Url;

use crate::error::Error;

/// What a request is sent to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Host {
    /// A name, in lower case and in ASCII, without a dot at its end.
    Name(String),
    /// An address, in whatever form it was written.
    Address(IpAddr),
}

impl Host {
    /// The host of a URL. `None`: it has none, or one whose name holds other characters than names do.
    ///
    /// `url` has turned names into ASCII and all forms of IPv4 addresses (`2130706433`, `0x7f.1`) into
    /// addresses by now.
    pub(crate) fn of(url: &Url) -> Option<Host> {
        match url.host()? {
            url::Host::Ipv4(address) => Some(Host::Address(address.into())),
            url::Host::Ipv6(address) => Some(Host::Address(address.into())),
            url::Host::Domain(name) => {
                let name = name.strip_suffix('.').unwrap_or(name);
                is_name(name).then(|| Host::Name(name.to_owned()))
            }
        }
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Host::Name(name) => f.write_str(name),
            Host::Address(IpAddr::V4(address)) => write!(f, "{address}"),
            Host::Address(IpAddr::V6(address)) => write!(f, "[{address}]"),
        }
    }
}

fn is_name(name: &str) -> bool {
    let is_label = |label: &str| {
        !label.is_empty()
            && label
                .bytes()
                .all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_'))
    };
    name.split('.').all(is_label)
}

/// The hosts of a grant: one name, all names below one, or one address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostPattern(Pattern);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Pattern {
    One(Host),
    /// Names with one or more labels before this name.
    Below(String),
}

impl HostPattern {
    /// A host as it stands in a URL: `api.example.org`, `*.example.org`, `192.0.2.1`, `[2001:db8::1]`.
    ///
    /// # Errors
    /// It is none of these, or a `*` stands for more than names below one of two labels.
    pub fn parse(text: &str) -> Result<HostPattern, Error> {
        let unusable = || {
            Error::url(
                "has a host that is no name and no address",
                "write a name, *.name, or an address ([...] around IPv6)",
            )
        };
        // A port would be lost where it is the scheme's own.
        let has_port = text.contains(':') && !(text.starts_with('[') && text.ends_with(']'));
        if has_port
            || text.contains(['/', '\\', '@', '?', '#'])
            || text.contains(char::is_whitespace)
        {
            return Err(unusable());
        }
        let (name, is_wild) = match text.strip_prefix("*.") {
            Some(name) => (name, true),
            None => (text, false),
        };
        let url = Url::parse(&format!("http://{name}/")).map_err(|_| unusable())?;
        let host = Host::of(&url).ok_or_else(unusable)?;
        match (host, is_wild) {
            (Host::Name(name), true) if name.contains('.') => Ok(HostPattern(Pattern::Below(name))),
            (_, true) => Err(Error::url(
                "has a * before a single label or an address",
                "name the domain whose hosts are meant: *.example.org",
            )),
            (host, false) => Ok(HostPattern(Pattern::One(host))),
        }
    }

    pub(crate) fn holds(&self, host: &Host) -> bool {
        match (&self.0, host) {
            (Pattern::One(one), host) => one == host,
            (Pattern::Below(below), Host::Name(name)) => name
                .strip_suffix(below.as_str())
                .is_some_and(|labels| labels.ends_with('.')),
            (Pattern::Below(_), Host::Address(_)) => false,
        }
    }
}

impl fmt::Display for HostPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Pattern::One(host) => write!(f, "{host}"),
            Pattern::Below(name) => write!(f, "*.{name}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host(text: &str) -> Host {
        Host::of(&Url::parse(&format!("http://{text}/")).unwrap()).unwrap()
    }

    #[test]
    fn a_pattern_holds_what_it_names() {
        for (pattern, asked, held) in [
            ("api.example.org", "api.example.org", true),
            ("API.Example.org.", "api.example.ORG", true),
            ("api.example.org", "api.example.org.", true),
            ("api.example.org", "example.org", false),
            ("api.example.org", "x.api.example.org", false),
            ("api.example.org", "api.example.org.evil.test", false),
            ("*.example.org", "api.example.org", true),
            ("*.example.org", "a.b.example.org", true),
            ("*.example.org", "example.org", false),
            ("*.example.org", "evilexample.org", false),
            ("*.example.org", "example.org.evil.test", false),
            ("bücher.example", "xn--bcher-kva.example", true),
            ("*.bücher.example", "a.BÜCHER.example", true),
            ("127.0.0.1", "2130706433", true),
            ("127.0.0.1", "0x7f.1", true),
            ("127.0.0.1", "0177.0.0.1", true),
            ("127.0.0.1", "127.0.0.2", false),
            ("[::1]", "[0:0:0:0:0:0:0:1]", true),
            ("[::1]", "[::2]", false),
            ("127.0.0.1", "[::ffff:127.0.0.1]", false),
        ] {
            let parsed = HostPattern::parse(pattern).unwrap();
            assert_eq!(parsed.holds(&host(asked)), held, "{pattern} {asked}");
        }
    }

    #[test]
    fn a_pattern_is_one_host_or_the_names_below_one() {
        for text in [
            "",
            "*",
            "*.",
            "*.org",
            "*.127.0.0.1",
            "*.[::1]",
            "a.*.example.org",
            "*.*.example.org",
            "*example.org",
            "a..example.org",
            "example.org:80",
            "user@example.org",
            "example.org/x",
            "exa mple.org",
            "exa\"mple.org",
        ] {
            assert!(HostPattern::parse(text).is_err(), "{text}");
        }
    }
}
