//! References to components in an OCI registry.

use std::fmt;

/// Names longer than this are no names of repositories.
const MOST_REPOSITORY: usize = 255;
const MOST_REGISTRY: usize = 255;

/// A component in an OCI registry: `oci://registry/name@sha256:…`.
///
/// The digest is that of the manifest and always there, so that a reference means one content for
/// ever. A text that was parsed holds nothing that could leave its part of an URL or a path.
///
/// ```
/// use weir_pipeline::OciReference;
///
/// let digest = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
/// let text = format!("oci://registry.example:5000/team/claims@sha256:{digest}");
/// let reference = OciReference::parse(&text).unwrap();
/// assert_eq!(reference.registry(), "registry.example:5000");
/// assert_eq!(reference.repository(), "team/claims");
/// assert_eq!(reference.digest(), digest);
/// assert_eq!(reference.to_string(), text);
///
/// let wrong = OciReference::parse("oci://registry.example/claims:1.0").unwrap_err();
/// assert!(wrong.hint.contains("@sha256:"));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OciReference {
    registry: String,
    repository: String,
    digest: String,
}

/// Why a text is no reference, and what to write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WrongReference {
    /// What is wrong, one line without a full stop.
    pub message: String,
    /// What to do.
    pub hint: String,
}

impl OciReference {
    /// What every reference begins with.
    pub const SCHEME: &'static str = "oci://";

    /// Reads `oci://registry[:port]/name@sha256:…`.
    ///
    /// # Errors
    /// What is wrong with it: a tag in place of the digest, another scheme or digest, a registry
    /// or name with characters that none has.
    pub fn parse(text: &str) -> Result<OciReference, WrongReference> {
        let wrong = |message: &str, hint: &str| WrongReference {
            message: message.to_owned(),
            hint: hint.to_owned(),
        };
        let shape = "write \"oci://registry/name@sha256:…\", with the digest of the manifest";
        let rest = text
            .strip_prefix(Self::SCHEME)
            .ok_or_else(|| wrong("this is no reference to a registry", shape))?;
        let Some((named, digest)) = rest.rsplit_once('@') else {
            return Err(wrong(
                "a component from a registry needs its digest",
                "a tag can be moved to other code: write \"oci://registry/name@sha256:…\"; pushing the component prints the digest, and so do `oras resolve` and `crane digest`",
            ));
        };
        let digest = digest
            .strip_prefix("sha256:")
            .filter(|digest| is_sha256(digest))
            .ok_or_else(|| {
                wrong(
                    "the digest of a reference is `sha256:` and 64 lower-case hex digits",
                    shape,
                )
            })?;
        let (registry, repository) = named
            .split_once('/')
            .ok_or_else(|| wrong("a reference names a registry and a component in it", shape))?;
        if !is_registry(registry) {
            return Err(wrong(
                &format!("'{registry}' is no name of a registry"),
                "write a host in lower case, and a port if it has one: \"registry.example:5000\"; user names and passwords belong to `docker login`",
            ));
        }
        if repository.contains(':') {
            return Err(wrong(
                "a reference has a digest or a tag, not both",
                "leave the tag out: the digest says which component it is",
            ));
        }
        if !is_repository(repository) {
            return Err(wrong(
                &format!("'{repository}' is no name of a component in a registry"),
                "use lower-case letters and digits, with . _ or - between them and / between parts",
            ));
        }
        Ok(OciReference {
            registry: registry.to_owned(),
            repository: repository.to_owned(),
            digest: digest.to_owned(),
        })
    }

    /// Host, and port if it has one.
    pub fn registry(&self) -> &str {
        &self.registry
    }

    /// The component's name in the registry.
    pub fn repository(&self) -> &str {
        &self.repository
    }

    /// SHA-256 of the manifest, 64 lower-case hex digits.
    pub fn digest(&self) -> &str {
        &self.digest
    }
}

impl fmt::Display for OciReference {
    /// As it is written in a pipeline file.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let OciReference {
            registry,
            repository,
            digest,
        } = self;
        write!(f, "{}{registry}/{repository}@sha256:{digest}", Self::SCHEME)
    }
}

/// Whether `text` is a SHA-256 digest as Weir writes it: 64 lower-case hex digits.
pub fn is_sha256(text: &str) -> bool {
    text.len() == 64
        && text
            .bytes()
            .all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
}

/// `host`, `host:port`, `[::1]:port`; hosts in lower case.
fn is_registry(text: &str) -> bool {
    if text.len() > MOST_REGISTRY {
        return false;
    }
    let (host, port) = match text.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((address, rest)) => {
            let port = match rest {
                "" => None,
                rest => match rest.strip_prefix(':') {
                    Some(port) => Some(port),
                    None => return false,
                },
            };
            if address.parse::<std::net::Ipv6Addr>().is_err() {
                return false;
            }
            (None, port)
        }
        None => match text.split_once(':') {
            Some((host, port)) => (Some(host), Some(port)),
            None => (Some(text), None),
        },
    };
    host.is_none_or(is_host) && port.is_none_or(is_port)
}

fn is_host(host: &str) -> bool {
    host.split('.').all(|label| {
        let byte = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
        label.len() <= 63
            && label.bytes().all(|b| byte(b) || b == b'-')
            && label.bytes().next().is_some_and(byte)
            && label.bytes().next_back().is_some_and(byte)
    })
}

fn is_port(port: &str) -> bool {
    port.bytes().all(|b| b.is_ascii_digit())
        && !port.starts_with('0')
        && port.parse::<u16>().is_ok_and(|port| port > 0)
}

/// Parts of lower-case letters and digits, joined by `.`, `_`, `__` or dashes; `/` between parts.
fn is_repository(text: &str) -> bool {
    text.len() <= MOST_REPOSITORY && text.split('/').all(is_part)
}

fn is_part(part: &str) -> bool {
    let word = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    let separators = part.split(|c: char| u8::try_from(c).is_ok_and(word));
    part.bytes().next().is_some_and(word)
        && part.bytes().next_back().is_some_and(word)
        && separators
            .filter(|between| !between.is_empty())
            .all(|between| {
                matches!(between, "." | "_" | "__") || between.bytes().all(|b| b == b'-')
            })
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIGEST: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    #[test]
    fn sound_references_are_read_and_written_back() {
        for named in [
            "registry.example/claims",
            "localhost:5000/a/b/c",
            "127.0.0.1:1/x",
            "[::1]:5000/x",
            "[::1]/x",
            "r/a.b_c__d--e",
            "docker.io/team/claims",
        ] {
            let text = format!("oci://{named}@sha256:{DIGEST}");
            let reference = OciReference::parse(&text).unwrap();
            assert_eq!(reference.to_string(), text);
            assert_eq!(
                format!("{}/{}", reference.registry(), reference.repository()),
                named
            );
        }
    }

    #[test]
    fn hostile_references_are_refused() {
        for named in [
            "",
            "claims",
            "/claims",
            "registry.example/",
            "registry.example//claims",
            "registry.example/../v2/claims",
            "registry.example/a/..",
            "registry.example/./a",
            "registry.example/a%2fb",
            "registry.example/a?ns=b",
            "registry.example/a#b",
            "registry.example/a\\b",
            "registry.example/a b",
            "registry.example/a\0",
            "registry.example/a\n",
            "registry.example/A",
            "registry.example/a:1.0",
            "registry.example/.a",
            "registry.example/a-",
            "registry.example/a._b",
            "registry.example/é",
            "Registry.example/a",
            "user:secret@registry.example/a",
            "user@registry.example/a",
            "registry.example:/a",
            "registry.example:0/a",
            "registry.example:080/a",
            "registry.example:65536/a",
            "registry.example:5000:1/a",
            "registry..example/a",
            ".example/a",
            "-x/a",
            "[::1/a",
            "[::1]5000/a",
            "[1.2.3.4]/a",
            "[::1%25eth0]/a",
            "http://registry.example/a",
        ] {
            let text = format!("oci://{named}@sha256:{DIGEST}");
            assert!(OciReference::parse(&text).is_err(), "{text:?}");
        }
        let long = format!("oci://r/{}@sha256:{DIGEST}", "a".repeat(256));
        assert!(OciReference::parse(&long).is_err());
    }

    #[test]
    fn a_digest_is_needed_and_is_sha256() {
        let upper = DIGEST.to_uppercase();
        for digest in [
            String::new(),
            ":latest".to_owned(),
            ":1.0".to_owned(),
            "@".to_owned(),
            format!("@{DIGEST}"),
            format!("@sha512:{DIGEST}"),
            format!("@sha256:{upper}"),
            format!("@sha256:{DIGEST}0"),
            format!("@sha256:{DIGEST} "),
            "@sha256:".to_owned(),
        ] {
            let text = format!("oci://registry.example/claims{digest}");
            let wrong = OciReference::parse(&text).unwrap_err();
            assert!(wrong.hint.contains("sha256:"), "{text}: {wrong:?}");
        }
    }
}
