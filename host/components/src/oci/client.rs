//! Requests to one registry for one component. Every answer has a bound in bytes and in time, and
//! is taken only if its digest is the one asked for.

use std::error::Error as _;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;
use std::time::Duration;

use reqwest::header::{
    ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderValue, LOCATION, WWW_AUTHENTICATE,
};
use reqwest::redirect::{Attempt, Policy};
use reqwest::{RequestBuilder, Response, StatusCode};
use url::{Host, Url};
use weir_pipeline::OciReference;

use super::login;
use super::manifest::shown;
use crate::error::RegistryError;
use crate::sha256;

/// The largest manifest that is read, in bytes: as large as a registry has to take.
pub(super) const MOST_MANIFEST: u64 = 4 << 20;

const CONNECT_TIME: Duration = Duration::from_secs(10);
/// How long a registry may say nothing.
const SILENCE: Duration = Duration::from_secs(30);
const MOST_REDIRECTS: usize = 5;

/// Where Docker Hub's registry is, which goes by another name.
const DOCKER_HUB: &str = "registry-1.docker.io";

pub(super) struct Client<'a> {
    reference: &'a OciReference,
    http: reqwest::Client,
    base: Url,
    /// Docker's configuration file, for the user's login.
    docker: Option<&'a Path>,
    /// What a token is asked for: `pull`, or `pull,push`.
    actions: &'static str,
    authorization: Option<HeaderValue>,
}

impl<'a> Client<'a> {
    pub(super) fn new(
        reference: &'a OciReference,
        docker: Option<&'a Path>,
        actions: &'static str,
    ) -> Result<Client<'a>, RegistryError> {
        let base = base(reference)?;
        let plain = base.scheme() == "http";
        let mut http = reqwest::Client::builder()
            .user_agent(concat!("weir/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(CONNECT_TIME)
            .read_timeout(SILENCE)
            .redirect(Policy::custom(move |attempt| follow(attempt, plain)))
            // Whatever the resolver says, `localhost` is this machine: only here is HTTP enough.
            .resolve_to_addrs(
                "localhost",
                &[
                    SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
                    SocketAddr::from((Ipv6Addr::LOCALHOST, 0)),
                ],
            );
        if plain {
            http = http.no_proxy();
        }
        let http = http.build().map_err(unreachable)?;
        Ok(Client {
            reference,
            http,
            base,
            docker,
            actions,
            authorization: None,
        })
    }

    /// The manifest that the reference names.
    pub(super) async fn manifest(&mut self) -> Result<Vec<u8>, RegistryError> {
        const ACCEPTED: &str = "application/vnd.oci.image.manifest.v1+json";
        let digest = self.reference.digest();
        self.get("manifest", "manifests", digest, MOST_MANIFEST, ACCEPTED)
            .await
    }

    /// A blob of `size` bytes.
    pub(super) async fn blob(&mut self, digest: &str, size: u64) -> Result<Vec<u8>, RegistryError> {
        self.get("component", "blobs", digest, size, "*/*").await
    }

    async fn get(
        &mut self,
        what: &'static str,
        kind: &str,
        digest: &str,
        most: u64,
        accept: &str,
    ) -> Result<Vec<u8>, RegistryError> {
        let mut url = self.base.clone();
        url.set_path(&format!(
            "/v2/{}/{kind}/sha256:{digest}",
            self.reference.repository()
        ));
        let request = self.http.get(url).header(ACCEPT, accept);
        let response = self.ask(request).await?;
        let bytes = body(response, what, most).await?;
        let found = sha256(&bytes);
        if found != digest {
            return Err(RegistryError::WrongDigest {
                what,
                expected: digest.to_owned(),
                found,
            });
        }
        Ok(bytes)
    }

    /// Puts a blob where it is not yet.
    pub(super) async fn upload(&mut self, blob: &[u8]) -> Result<(), RegistryError> {
        let digest = sha256(blob);
        let path = format!("/v2/{}/blobs", self.reference.repository());
        let mut url = self.base.clone();
        url.set_path(&format!("{path}/sha256:{digest}"));
        let there = self.ask(self.http.head(url.clone())).await?;
        if there.status() == StatusCode::OK {
            return Ok(());
        }
        url.set_path(&format!("{path}/uploads/"));
        let begun = self.ask(self.http.post(url)).await?;
        done(&begun, StatusCode::ACCEPTED)?;
        let place = begun
            .headers()
            .get(LOCATION)
            .and_then(|place| self.base.join(place.to_str().ok()?).ok());
        let mut place = place.ok_or(RegistryError::Status {
            what: "an upload",
            status: begun.status().as_u16(),
        })?;
        if !is_safe(&place, self.base.scheme() == "http") {
            return Err(RegistryError::Redirected(origin(&place)));
        }
        place
            .query_pairs_mut()
            .append_pair("digest", &format!("sha256:{digest}"));
        // The registry may have another host take it, which the login is not for.
        let is_same = place.origin() == self.base.origin();
        let request = self
            .http
            .put(place)
            .header(CONTENT_TYPE, "application/octet-stream")
            .body(blob.to_vec());
        let put = match is_same {
            true => self.ask(request).await?,
            false => request.send().await.map_err(unreachable)?,
        };
        done(&put, StatusCode::CREATED)
    }

    /// Puts a manifest under a tag.
    pub(super) async fn put_manifest(
        &mut self,
        tag: &str,
        kind: &str,
        manifest: &[u8],
    ) -> Result<(), RegistryError> {
        let mut url = self.base.clone();
        url.set_path(&format!(
            "/v2/{}/manifests/{tag}",
            self.reference.repository()
        ));
        let request = self
            .http
            .put(url)
            .header(CONTENT_TYPE, kind)
            .body(manifest.to_vec());
        done(&self.ask(request).await?, StatusCode::CREATED)
    }

    /// Sends a request, again with a login where the registry asks for one.
    async fn ask(&mut self, request: RequestBuilder) -> Result<Response, RegistryError> {
        let again = request.try_clone();
        let response = self.send(request).await?;
        if response.status() != StatusCode::UNAUTHORIZED || self.authorization.is_some() {
            return Ok(response);
        }
        let challenges = response.headers().get_all(WWW_AUTHENTICATE);
        self.authorization = login::authorize(
            &self.http,
            self.reference,
            &self.base,
            self.docker,
            self.actions,
            challenges.iter(),
        )
        .await?;
        match (again, &self.authorization) {
            (Some(again), Some(_)) => self.send(again).await,
            _ => Ok(response),
        }
    }

    async fn send(&self, mut request: RequestBuilder) -> Result<Response, RegistryError> {
        if let Some(authorization) = &self.authorization {
            request = request.header(AUTHORIZATION, authorization.clone());
        }
        request.send().await.map_err(unreachable)
    }
}

/// Whether what was sent was taken.
fn done(response: &Response, wanted: StatusCode) -> Result<(), RegistryError> {
    match response.status() {
        status if status == wanted => Ok(()),
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Err(RegistryError::Denied),
        StatusCode::NOT_FOUND => Err(RegistryError::NotFound),
        status => Err(RegistryError::Status {
            what: "an upload",
            status: status.as_u16(),
        }),
    }
}

/// What an answer holds, if it is a success and no larger than `most` bytes. What a failed one says
/// is not read: it is the registry's to choose.
pub(super) async fn body(
    mut response: Response,
    what: &'static str,
    most: u64,
) -> Result<Vec<u8>, RegistryError> {
    match response.status() {
        StatusCode::OK => {}
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => return Err(RegistryError::Denied),
        StatusCode::NOT_FOUND => return Err(RegistryError::NotFound),
        status if status.is_redirection() => {
            let location = response.headers().get(LOCATION);
            let location = location.and_then(|value| value.to_str().ok());
            return Err(RegistryError::Redirected(shown(
                location.unwrap_or_default(),
            )));
        }
        status => {
            return Err(RegistryError::Status {
                what,
                status: status.as_u16(),
            });
        }
    }
    let too_large = || RegistryError::TooLarge {
        what,
        allowed: most,
    };
    if response
        .content_length()
        .is_some_and(|length| length > most)
    {
        return Err(too_large());
    }
    let mut bytes = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(unreachable)? {
        let size = bytes.len().saturating_add(chunk.len());
        if u64::try_from(size).unwrap_or(u64::MAX) > most {
            return Err(too_large());
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes)
}

/// Where a registry is. One on this machine may speak HTTP, and is taken to.
fn base(reference: &OciReference) -> Result<Url, RegistryError> {
    let host = match reference.registry() {
        "docker.io" | "index.docker.io" => DOCKER_HUB,
        registry => registry,
    };
    let wrong = |_| RegistryError::NotFound;
    let url = Url::parse(&format!("https://{host}/")).map_err(wrong)?;
    if is_loopback(&url) {
        return Url::parse(&format!("http://{host}/")).map_err(wrong);
    }
    Ok(url)
}

/// Whether an address is on this machine whatever a resolver says.
fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

/// Whether something may be asked of `url` by way of a registry that itself was asked in the
/// clear, or not.
pub(super) fn is_safe(url: &Url, plain: bool) -> bool {
    match url.scheme() {
        "https" => true,
        "http" => plain && is_loopback(url),
        _ => false,
    }
}

/// An address that a registry sends to, and that is not followed.
#[derive(Debug, thiserror::Error)]
#[error("not followed")]
struct NotFollowed(String);

fn follow(attempt: Attempt<'_>, plain: bool) -> reqwest::redirect::Action {
    if attempt.previous().len() <= MOST_REDIRECTS && is_safe(attempt.url(), plain) {
        return attempt.follow();
    }
    let place = origin(attempt.url());
    attempt.error(NotFollowed(place))
}

/// Scheme, host and port of an address: what follows them can be a secret.
pub(super) fn origin(url: &Url) -> String {
    shown(&url.origin().ascii_serialization())
}

/// A failed request. The address is left out: that of a store behind a registry can be a secret.
pub(super) fn unreachable(error: reqwest::Error) -> RegistryError {
    let mut cause = error.source();
    while let Some(current) = cause {
        if let Some(NotFollowed(place)) = current.downcast_ref() {
            return RegistryError::Redirected(place.clone());
        }
        cause = current.source();
    }
    RegistryError::Unreachable(error.without_url())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn base_of(registry: &str) -> String {
        let digest = "0".repeat(64);
        let text = format!("oci://{registry}/x@sha256:{digest}");
        base(&OciReference::parse(&text).unwrap())
            .unwrap()
            .to_string()
    }

    #[test]
    fn only_this_machine_is_asked_in_the_clear() {
        for (registry, expected) in [
            ("registry.example", "https://registry.example/"),
            ("registry.example:5000", "https://registry.example:5000/"),
            ("docker.io", "https://registry-1.docker.io/"),
            ("10.0.0.1:5000", "https://10.0.0.1:5000/"),
            ("169.254.169.254", "https://169.254.169.254/"),
            ("localhost.example", "https://localhost.example/"),
            ("[::ffff:127.0.0.1]", "https://[::ffff:7f00:1]/"),
            ("localhost:5000", "http://localhost:5000/"),
            ("127.0.0.1:5000", "http://127.0.0.1:5000/"),
            ("127.9.9.9", "http://127.9.9.9/"),
            ("[::1]:5000", "http://[::1]:5000/"),
        ] {
            assert_eq!(base_of(registry), expected);
        }
    }

    #[test]
    fn nothing_is_asked_in_the_clear_on_the_way() {
        let safe = |url: &str, plain| is_safe(&Url::parse(url).unwrap(), plain);
        for plain in [true, false] {
            assert!(safe("https://store.example/x", plain));
            assert!(!safe("http://store.example/x", plain));
            assert!(!safe("http://169.254.169.254/latest", plain));
            assert!(!safe("file:///etc/passwd", plain));
            assert!(!safe("ftp://127.0.0.1/", plain));
            assert_eq!(safe("http://127.0.0.1:1/x", plain), plain);
        }
    }
}
