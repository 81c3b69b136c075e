//! How a client connects.

use std::fmt;
use std::time::Duration;

use url::Url;

use crate::error::{Error, Result};

/// Where DynamoDB is, as whom it is asked, and how patiently.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The region, such as `eu-north-1`.
    pub region: String,
    /// An endpoint other than the region's own: `http` or `https`, without user, query and fragment.
    pub endpoint: Option<Url>,
    /// As whom requests are signed.
    pub credentials: Credentials,
    /// How often a request is tried.
    pub retry: Retry,
    /// How long one try of a request may take, its whole reply included.
    pub timeout: Duration,
}

impl Settings {
    /// Settings for a region's own endpoint, with the default patience: tries as
    /// [`Retry::default`], 30 seconds each.
    pub fn new(region: impl Into<String>, credentials: Credentials) -> Settings {
        Settings {
            region: region.into(),
            endpoint: None,
            credentials,
            retry: Retry::default(),
            timeout: Duration::from_secs(30),
        }
    }

    pub(crate) fn check(&self) -> Result<()> {
        let Settings {
            region,
            endpoint,
            credentials,
            retry,
            timeout,
        } = self;
        let named = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        if region.is_empty() || region.len() > 64 || !region.bytes().all(named) {
            return Err(Error::setting(
                "region",
                "is no name of a region",
                "write it as AWS does, such as eu-north-1",
            ));
        }
        if let Some(endpoint) = endpoint {
            let whole = matches!(endpoint.scheme(), "http" | "https") && endpoint.has_host();
            let bare = endpoint.username().is_empty()
                && endpoint.password().is_none()
                && endpoint.query().is_none()
                && endpoint.fragment().is_none();
            if !whole || !bare {
                return Err(Error::setting(
                    "endpoint",
                    "is no address of a server",
                    "write http:// or https://, a host and perhaps a port; credentials do not belong into it",
                ));
            }
        }
        if let Credentials::Key { id, secret, .. } = credentials
            && (id.is_empty() || secret.is_empty())
        {
            return Err(Error::setting(
                "credentials",
                "have an empty key id or secret",
                "give both, or neither to use the standard chain",
            ));
        }
        if retry.attempts == 0 || timeout.is_zero() {
            return Err(Error::setting(
                "retry",
                "leaves no try",
                "allow at least one attempt, and more than no time for it",
            ));
        }
        Ok(())
    }
}

/// As whom requests are signed. `Debug` shows neither ids nor secrets.
#[derive(Clone)]
pub enum Credentials {
    /// Whatever is found first: the environment's variables, the profile of AWS's configuration files
    /// (keys, `role_arn`, `credential_process`), a web identity token, the container's or the machine's
    /// role. Profiles that log in by SSO or `aws login` are not supported.
    Chain,
    /// This key.
    Key {
        /// The access key's id.
        id: String,
        /// The access key's secret.
        secret: String,
        /// The session token, where the key is a temporary one.
        session_token: Option<String>,
    },
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Credentials::Chain => f.write_str("Chain"),
            Credentials::Key { .. } => f.write_str("Key(hidden)"),
        }
    }
}

/// How often a request is tried: after throttling, after a fault of the server (status 500 and above),
/// and after a connection that could not be made or broke. Other failures are final.
///
/// The n-th pause is a random part of `first` · 2ⁿ⁻¹, or of `longest` where that is less.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retry {
    /// How many tries there are in all, at least 1.
    pub attempts: u32,
    /// How much time tries and pauses may take in all. No try begins later, but one that has begun
    /// may end later.
    pub total: Duration,
    /// The longest that the first pause may be.
    pub first: Duration,
    /// The longest that any pause may be.
    pub longest: Duration,
}

impl Default for Retry {
    /// 10 tries within 3 minutes, with pauses of up to 100 ms at first and 20 s at last.
    fn default() -> Retry {
        Retry {
            attempts: 10,
            total: Duration::from_secs(180),
            first: Duration::from_millis(100),
            longest: Duration::from_secs(20),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(id: &str, secret: &str) -> Credentials {
        Credentials::Key {
            id: id.to_owned(),
            secret: secret.to_owned(),
            session_token: Some("token-canary".to_owned()),
        }
    }

    #[test]
    fn debug_shows_no_secret() {
        let settings = Settings::new("eu-north-1", key("id-canary", "secret-canary"));
        let shown = format!("{settings:?} {settings:#?}");
        assert!(
            shown.contains("eu-north-1") && !shown.contains("canary"),
            "{shown}"
        );
    }

    #[test]
    fn settings_are_checked() {
        let good = Settings::new("eu-north-1", key("a", "b"));
        assert!(good.check().is_ok());
        let at = |endpoint: &str| Settings {
            endpoint: Some(Url::parse(endpoint).unwrap()),
            ..good.clone()
        };
        assert!(at("http://127.0.0.1:8000").check().is_ok());
        assert!(at("https://example.com/prefix").check().is_ok());
        let bad = [
            at("ftp://example.com"),
            at("mailto:nobody"),
            at("https://user@example.com"),
            at("https://:canary@example.com"),
            at("https://example.com/?canary"),
            at("https://example.com/#canary"),
            Settings {
                region: String::new(),
                ..good.clone()
            },
            Settings {
                region: "eu north".to_owned(),
                ..good.clone()
            },
            Settings {
                credentials: key("", "b"),
                ..good.clone()
            },
            Settings {
                credentials: key("a", ""),
                ..good.clone()
            },
            Settings {
                retry: Retry {
                    attempts: 0,
                    ..Retry::default()
                },
                ..good.clone()
            },
            Settings {
                timeout: Duration::ZERO,
                ..good.clone()
            },
        ];
        for settings in bad {
            let error = settings.check().unwrap_err();
            let told = format!("{error} {}", error.hint());
            assert!(
                matches!(error, Error::Setting { .. }) && !told.contains("canary"),
                "{told}"
            );
        }
    }
}
