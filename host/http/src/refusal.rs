//! Why a request was not sent, or its response not given.

use std::error::Error as _;
use std::io;
use std::net::IpAddr;
use std::time::Duration;

use http::Method;
use http::header::HeaderName;

use crate::address::{NotPublic, Reach};
use crate::error::BoxError;
use crate::grant::{Scheme, origin};
use crate::host::Host;
use crate::target::Target;

/// Why a request was not sent, or its response not given whole. `Display` is one line without the
/// cause; [`Refusal::hint`] is what to do. None of it, the causes included, holds a secret or the
/// query of a URL.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// The URL of the request does not mean one thing only.
    #[error("the URL of a request is not taken: {what}")]
    Malformed {
        /// What is wrong with it.
        what: &'static str,
    },
    /// No grant of the step holds the request. Nothing was resolved and nothing connected.
    #[error("{method} {}{path} is not granted", origin(*scheme, host, *port))]
    NotGranted {
        /// The request's method.
        method: Method,
        /// Its scheme.
        scheme: Scheme,
        /// Its host: a name or an address, in brackets if that is IPv6.
        host: String,
        /// Its port.
        port: u16,
        /// Its path, without the query.
        path: String,
    },
    /// The guest sets a header that is not the guest's to set.
    #[error("a plugin may not set the header {name}: {why}")]
    ForbiddenHeader {
        /// The header.
        name: HeaderName,
        /// Why.
        why: &'static str,
    },
    /// The request could not be signed.
    #[error("the request cannot be signed")]
    Unsigned {
        /// What the signer says.
        source: BoxError,
    },
    /// The host is an address that the grant does not allow, or a name all of whose addresses are.
    #[error("{host} is at {address}, which is not public")]
    NotPublic {
        /// The host.
        host: String,
        /// Its address, or the first of them.
        address: IpAddr,
    },
    /// The name has no address.
    #[error("the name {host} has no address")]
    Resolve {
        /// The name.
        host: String,
        /// What the resolver says.
        source: BoxError,
    },
    /// No connection could be made.
    #[error("cannot connect to {host}")]
    Connect {
        /// Host, and port if it is not the scheme's own.
        host: String,
        /// What happened.
        source: BoxError,
    },
    /// The connection could not be made safe.
    #[error("{host} cannot be spoken to safely")]
    Tls {
        /// Host, and port if it is not the scheme's own.
        host: String,
        /// What happened.
        source: BoxError,
    },
    /// The connection broke, or what came over it is not HTTP.
    #[error("the exchange with {host} broke off")]
    Broken {
        /// Host, and port if it is not the scheme's own.
        host: String,
        /// What happened.
        source: BoxError,
    },
    /// The host took too long.
    #[error("{host} sent no {awaited} within {:.1} s", after.as_secs_f64())]
    Timeout {
        /// Host, and port if it is not the scheme's own.
        host: String,
        /// What was waited for.
        awaited: Awaited,
        /// How long.
        after: Duration,
    },
    /// The response's body is larger than the grant allows. What came before is given.
    #[error("the response of {host} is larger than {allowed} bytes")]
    TooLarge {
        /// Host, and port if it is not the scheme's own.
        host: String,
        /// How many bytes are allowed.
        allowed: u64,
    },
}

/// What a host did not send in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Awaited {
    /// Status and headers of the response.
    Head,
    /// The next part of the body.
    Chunk,
}

impl std::fmt::Display for Awaited {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Awaited::Head => "response",
            Awaited::Chunk => "more of the response",
        })
    }
}

impl Refusal {
    /// A word for it, as the record and the log have it.
    pub fn code(&self) -> &'static str {
        match self {
            Refusal::Malformed { .. } => "malformed",
            Refusal::NotGranted { .. } => "not granted",
            Refusal::ForbiddenHeader { .. } => "forbidden header",
            Refusal::Unsigned { .. } => "unsigned",
            Refusal::NotPublic { .. } => "not public",
            Refusal::Resolve { .. } => "not resolved",
            Refusal::Connect { .. } => "not connected",
            Refusal::Tls { .. } => "not safe",
            Refusal::Broken { .. } => "broken off",
            Refusal::Timeout { .. } => "timed out",
            Refusal::TooLarge { .. } => "too large",
        }
    }

    /// What to do. For [`Refusal::NotGranted`] it is the line that the pipeline's step lacks.
    pub fn hint(&self) -> String {
        match self {
            Refusal::Malformed { .. } => {
                "the plugin has to ask for https://host/path, with the path written out and without a user".to_owned()
            }
            Refusal::NotGranted {
                method,
                scheme,
                host,
                port,
                ..
            } => format!(
                "grant.http = [{{ url = \"{}/\", methods = [\"{method}\"] }}]",
                origin(*scheme, host, *port)
            ),
            Refusal::ForbiddenHeader { .. } => {
                "the plugin has to leave it out; credentials belong to the grant".to_owned()
            }
            Refusal::Unsigned { .. } => "check the credentials of the grant".to_owned(),
            Refusal::NotPublic { address, .. } => match Reach::of(*address) {
                Reach::Metadata => format!(
                    "machines get their credentials at such addresses: only a grant whose url has {address} itself as its host, with private = true, reaches it"
                ),
                _ => "if the host is meant to be inside your network, add private = true to its grant".to_owned(),
            },
            Refusal::Resolve { .. } => "check the host's name in the grant, and this machine's resolver".to_owned(),
            Refusal::Connect { .. } => {
                "check that the host runs, its port, and the network: firewall, routes; proxies of the environment are not used".to_owned()
            }
            Refusal::Tls { .. } => {
                "check that the port speaks TLS, the host's certificate, and the authorities that this machine trusts".to_owned()
            }
            Refusal::Broken { .. } => {
                "run it again later; if it stays, look into the host's log".to_owned()
            }
            Refusal::Timeout { .. } => "set a longer timeout in the grant, or let the plugin ask for less at once".to_owned(),
            Refusal::TooLarge { .. } => {
                "set a larger max_response in the grant, or let the plugin ask for less at once".to_owned()
            }
        }
    }

    pub(crate) fn not_granted(method: Method, target: &Target) -> Refusal {
        Refusal::NotGranted {
            method,
            scheme: target.scheme,
            host: target.host.to_string(),
            port: target.port,
            path: target.url.path().to_owned(),
        }
    }

    /// Why the client could not get a response. Its errors carry the URL, which may hold secrets:
    /// it is taken out.
    pub(crate) fn failed(error: reqwest::Error, host: &Host, authority: &str) -> Refusal {
        let error = error.without_url();
        if let Some(NotPublic(address)) = cause(&error) {
            return Refusal::NotPublic {
                host: host.to_string(),
                address: *address,
            };
        }
        let is_tls = is_tls(&error);
        let is_dns = error.is_dns();
        let is_connect = error.is_connect();
        let source: BoxError = error.into();
        let host = match is_dns {
            true => host.to_string(),
            false => authority.to_owned(),
        };
        match (is_dns, is_tls, is_connect) {
            (true, ..) => Refusal::Resolve { host, source },
            (_, true, _) => Refusal::Tls { host, source },
            (_, _, true) => Refusal::Connect { host, source },
            _ => Refusal::Broken { host, source },
        }
    }
}

/// The cause of a type, within an error.
fn cause<E: std::error::Error + 'static>(error: &reqwest::Error) -> Option<&E> {
    let mut source = error.source();
    while let Some(current) = source {
        if let Some(found) = current.downcast_ref() {
            return Some(found);
        }
        source = current.source();
    }
    None
}

/// Whether TLS is what failed. I/O errors hold its errors, within one another, without naming them as
/// their source.
fn is_tls(error: &reqwest::Error) -> bool {
    let mut source = error.source();
    while let Some(current) = source {
        if current.is::<rustls::Error>() {
            return true;
        }
        source = match current.downcast_ref::<io::Error>() {
            Some(error) => error.get_ref().map(|inner| inner as _),
            None => current.source(),
        };
    }
    false
}
