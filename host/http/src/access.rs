//! The one way out.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use http::{Method, Request, Response};
use http_body::Body as _;
use reqwest::Client;

use crate::address::{CheckedNames, Reach};
use crate::body::Body;
use crate::credentials::{Credentials, Ready};
use crate::error::Error;
use crate::grant::{Grant, Scheme};
use crate::headers;
use crate::host::{Host, HostPattern};
use crate::path::{Prefix, is_trick};
use crate::rate::RateLimit;
use crate::record::{Journal, Line, Record};
use crate::refusal::{Awaited, Refusal};
use crate::target::Target;

/// What the plugin of a step may reach. Clones share connections, limits and the record.
///
/// A request is held against the grants in their order, and the first that holds its scheme, host,
/// port, path and method decides all else: which addresses, headers and sizes are allowed, how fast
/// it goes, and which credentials it gets. A request that no grant holds goes nowhere.
#[derive(Clone)]
pub struct Access {
    grants: Arc<[Granted]>,
    journal: Journal,
}

/// A grant that has been looked at, with what serves its requests.
struct Granted {
    scheme: Scheme,
    host: HostPattern,
    port: u16,
    path: Prefix,
    methods: Vec<Method>,
    private: bool,
    rate: Option<RateLimit>,
    timeout: std::time::Duration,
    max_response: u64,
    credentials: Ready,
    client: Client,
}

impl Access {
    /// Looks at all grants, so that nothing but the network can fail later.
    ///
    /// # Errors
    /// A grant has a setting that cannot be used, or this machine's certificates cannot be read.
    pub fn new(grants: Vec<Grant>) -> Result<Access, Error> {
        let mut clients = Clients::default();
        let grants: Vec<Granted> = grants
            .into_iter()
            .map(|grant| Granted::new(grant, &mut clients))
            .collect::<Result<_, Error>>()?;
        Ok(Access {
            grants: grants.into(),
            journal: Journal::default(),
        })
    }

    /// Sends a request that a grant holds. Redirects are not followed: the response is given as it
    /// is, and a request for where it leads is one like any other.
    ///
    /// A future that is dropped ends its request.
    ///
    /// # Errors
    /// The request may not be sent, or there is no response, or the response says that it is too large.
    pub async fn send(&self, request: Request<Bytes>) -> Result<Response<Body>, Refusal> {
        let target = Target::of(request.uri());
        let (host, path) = match &target {
            Ok(target) => (target.authority(), target.url.path()),
            Err(_) => ("-".to_owned(), request.uri().path()),
        };
        let mut line = self.journal.begin(request.method().as_str(), &host, path);
        let sent = match target {
            Ok(target) => self.send_to(target, request, &mut line).await,
            Err(refusal) => Err(refusal),
        };
        match sent {
            Ok(answer) => Ok(answer.into_response(line)),
            Err(refusal) => {
                line.refused(refusal.code());
                Err(refusal)
            }
        }
    }

    /// What was asked for until now.
    pub fn record(&self) -> Record {
        self.journal.record()
    }

    async fn send_to(
        &self,
        mut target: Target,
        request: Request<Bytes>,
        line: &mut Line,
    ) -> Result<Answer<'_>, Refusal> {
        let (parts, body) = request.into_parts();
        let grant = self
            .grants
            .iter()
            .find(|grant| grant.holds(&parts.method, &target))
            .ok_or_else(|| Refusal::not_granted(parts.method.clone(), &target))?;
        let headers = headers::allowed(&parts.headers, &target, body.len(), &grant.credentials)?;
        grant.check_address(&target.host)?;
        if let Some(rate) = &grant.rate {
            rate.ready().await;
        }
        let authority = target.authority();
        let mut request = reqwest::Request::new(parts.method, target.url.clone());
        *request.headers_mut() = headers;
        // Last, and after the wait: signatures hold for minutes only.
        let method = request.method().clone();
        grant
            .credentials
            .add(&method, &mut target.url, request.headers_mut(), &body)?;
        *request.url_mut() = target.url;
        if !body.is_empty() {
            *request.body_mut() = Some(body.into());
        }
        let response = tokio::time::timeout(grant.timeout, grant.client.execute(request))
            .await
            .map_err(|_| Refusal::Timeout {
                host: authority.clone(),
                awaited: Awaited::Head,
                after: grant.timeout,
            })?
            .map_err(|error| Refusal::failed(error, &target.host, &authority))?;
        let response = Response::<reqwest::Body>::from(response);
        line.answered(response.status().as_u16());
        if response.body().size_hint().lower() > grant.max_response {
            return Err(Refusal::TooLarge {
                host: authority,
                allowed: grant.max_response,
            });
        }
        Ok(Answer {
            response,
            grant,
            host: target.host,
            authority,
        })
    }
}

impl fmt::Debug for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Access")
            .field("grants", &self.grants.len())
            .finish_non_exhaustive()
    }
}

/// A response whose body nobody counts yet.
struct Answer<'a> {
    response: Response<reqwest::Body>,
    grant: &'a Granted,
    host: Host,
    authority: String,
}

impl Answer<'_> {
    /// The response for the guest. What the client attaches to it besides stays here.
    fn into_response(self, line: Line) -> Response<Body> {
        let (parts, inner) = self.response.into_parts();
        let grant = self.grant;
        let body = Body::new(
            inner,
            grant.timeout,
            grant.max_response,
            self.host,
            self.authority,
            line,
        );
        let mut response = Response::new(body);
        *response.status_mut() = parts.status;
        *response.version_mut() = parts.version;
        *response.headers_mut() = parts.headers;
        response
    }
}

impl Granted {
    fn new(grant: Grant, clients: &mut Clients) -> Result<Granted, Error> {
        let origin = grant.origin();
        let wrong = |setting, what: &str, hint| Error::Setting {
            origin: origin.clone(),
            setting,
            what: what.to_owned(),
            hint,
        };
        let Grant {
            scheme,
            host,
            port,
            path,
            methods,
            private,
            requests_per_second,
            timeout,
            max_response,
            credentials,
        } = grant;
        if port == 0 {
            return Err(wrong("port", "is 0", "give one from 1 to 65535"));
        }
        if !path.starts_with('/') || path.contains(['?', '#']) || is_trick(&path) {
            return Err(wrong(
                "path",
                "is no path that begins with / and is written out",
                "write /, or /v1/ for what is below it",
            ));
        }
        if methods.is_empty() {
            return Err(wrong(
                "methods",
                "are none",
                "name them: methods = [\"GET\"]",
            ));
        }
        if methods.contains(&Method::CONNECT) || methods.contains(&Method::TRACE) {
            return Err(wrong(
                "methods",
                "hold CONNECT or TRACE, which are not granted to anybody",
                "leave it out: it opens tunnels or shows credentials",
            ));
        }
        if timeout.is_zero() {
            return Err(wrong("timeout", "is 0", "give at least some seconds"));
        }
        if scheme == Scheme::Http && !private && !matches!(credentials, Credentials::None) {
            return Err(wrong(
                "credentials",
                "would cross the internet in the clear",
                "use https; within a network of your own set private = true",
            ));
        }
        let rate = match requests_per_second {
            Some(number) => Some(RateLimit::new(number).ok_or_else(|| {
                wrong(
                    "requests_per_second",
                    "is no number from 0.001 to 1,000,000",
                    "give what the host allows, or leave it out",
                )
            })?),
            None => None,
        };
        let credentials = Ready::of(credentials).map_err(|what| {
            wrong(
                "credentials",
                &what,
                "check where they come from: a file's last line break is a usual fault",
            )
        })?;
        Ok(Granted {
            scheme,
            host,
            port,
            path: Prefix::of(&path),
            methods,
            private,
            rate,
            timeout,
            max_response,
            credentials,
            client: clients.of(private)?,
        })
    }

    fn holds(&self, method: &Method, target: &Target) -> bool {
        self.scheme == target.scheme
            && self.port == target.port
            && self.host.holds(&target.host)
            && self.path.holds(target.url.path())
            && self.methods.contains(method)
    }

    /// Looks at hosts that are addresses: the client asks no resolver about them.
    fn check_address(&self, host: &Host) -> Result<(), Refusal> {
        let Host::Address(address) = *host else {
            return Ok(());
        };
        let is_allowed = match Reach::of(address) {
            Reach::Public => true,
            // No pattern stands for more than one address: the grant names this very one.
            Reach::Private | Reach::Metadata => self.private,
        };
        match is_allowed {
            true => Ok(()),
            false => Err(Refusal::NotPublic {
                host: host.to_string(),
                address,
            }),
        }
    }
}

/// One client for each kind of grant, made when it is needed. They share no connections: one that was
/// made to an address inside must not serve a grant that is for public addresses.
#[derive(Default)]
struct Clients {
    public: Option<Client>,
    private: Option<Client>,
}

impl Clients {
    fn of(&mut self, private: bool) -> Result<Client, Error> {
        let place = match private {
            true => &mut self.private,
            false => &mut self.public,
        };
        if let Some(client) = place {
            return Ok(client.clone());
        }
        // All that a client does by itself is off: another crate of the build may have switched the
        // features on that bring it.
        let client = Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .referer(false)
            .no_proxy()
            .no_gzip()
            .no_brotli()
            .no_deflate()
            .no_zstd()
            .dns_resolver(CheckedNames { private })
            .user_agent(concat!("weir/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| Error::Client {
                source: error.without_url().into(),
            })?;
        Ok(place.insert(client).clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether a request for an address would be sent. None is: some machines have these services.
    fn is_allowed(url: &str, private: bool, asked: &str) -> bool {
        let grant = Grant {
            private,
            ..Grant::of(url).unwrap()
        };
        let target = Target::of(&asked.parse().unwrap()).unwrap();
        let grant = Granted::new(grant, &mut Clients::default()).unwrap();
        assert!(grant.holds(&Method::GET, &target), "{url} {asked}");
        grant.check_address(&target.host).is_ok()
    }

    #[test]
    fn metadata_is_reached_only_by_a_grant_that_names_its_address() {
        for url in [
            "http://169.254.169.254/",
            "http://[fd00:ec2::254]/",
            "http://[::ffff:169.254.169.254]/",
            "http://100.100.100.200/",
        ] {
            assert!(is_allowed(url, true, url), "{url}");
            assert!(!is_allowed(url, false, url), "{url}");
        }
        assert!(is_allowed(
            "http://169.254.169.254/",
            true,
            "http://0xa9fea9fe/"
        ));
        assert!(is_allowed("http://10.0.0.1/", true, "http://10.0.0.1/"));
        assert!(!is_allowed("http://10.0.0.1/", false, "http://10.0.0.1/"));
        assert!(is_allowed("http://8.8.8.8/", false, "http://8.8.8.8/"));
    }
}
