//! What a source may reach over HTTP: the grants of its step, with their secrets read, and what came of its requests.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use futures::{StreamExt, TryStreamExt};
use http::header::HeaderName;
use serde::{Deserialize, Serialize};
use weir_http::{Access, Credentials, Refusal, SecretText};
use weir_pipeline::{Fault, HttpGrant, HttpSecret, Place, SecretSource, SigV4};
use weir_sandbox::{Outbound, Refused, RefusedKind, ResponseBody};

use crate::error::{Error, Result};
use crate::secret;

/// What a plugin may reach. Clones share limits and record.
#[derive(Clone)]
pub struct HttpAccess {
    access: Access,
    texts: Arc<[String]>,
}

impl fmt::Debug for HttpAccess {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("HttpAccess").field(&self.texts).finish()
    }
}

/// What came of requests, summed; never their queries, headers or bodies.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HttpTotal {
    /// The host, with its port where that is not the scheme's own.
    pub host: String,
    /// The method.
    pub method: String,
    /// The status of the responses; null where there was none.
    pub status: Option<u16>,
    /// Why there was none, or not all of it.
    pub refusal: Option<String>,
    /// How many requests.
    pub requests: u64,
    /// Bytes of the bodies that were received.
    pub bytes: u64,
}

/// One request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HttpRequest {
    /// The method.
    pub method: String,
    /// The host, with its port where that is not the scheme's own.
    pub host: String,
    /// The path, without the query.
    pub path: String,
    /// The status of the response; null where there was none.
    pub status: Option<u16>,
    /// Why there was none, or not all of it.
    pub refusal: Option<String>,
    /// Bytes of the body that were received.
    pub bytes: u64,
}

/// The requests of a plugin.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HttpRecord {
    /// All of them, by what came of them.
    pub totals: Vec<HttpTotal>,
    /// The first thousand.
    pub requests: Vec<HttpRequest>,
}

impl HttpRecord {
    /// What is left where a plugin's words are kept: hosts that nobody granted, methods and paths are such words.
    pub(crate) fn without_words(self) -> HttpRecord {
        let mut totals: Vec<HttpTotal> = Vec::new();
        for total in self.totals {
            let (host, method) = match total.refusal {
                None => (total.host, total.method),
                Some(_) => ("(others)".to_owned(), String::new()),
            };
            let known = totals.iter_mut().find(|known| {
                (&known.host, &known.method) == (&host, &method)
                    && (known.status, &known.refusal) == (total.status, &total.refusal)
            });
            match known {
                Some(known) => {
                    known.requests = known.requests.saturating_add(total.requests);
                    known.bytes = known.bytes.saturating_add(total.bytes);
                }
                None => totals.push(HttpTotal {
                    host,
                    method,
                    ..total
                }),
            }
        }
        HttpRecord {
            totals,
            requests: Vec::new(),
        }
    }
}

impl HttpAccess {
    /// Reads the secrets of the grants, whose files are relative to `dir`; none where nothing is granted.
    ///
    /// # Errors
    /// Usage, at the grant's place, without anything of a secret.
    pub(crate) fn of(grants: &[HttpGrant], dir: &Path) -> Result<Option<HttpAccess>> {
        if grants.is_empty() {
            return Ok(None);
        }
        let mut read = Vec::with_capacity(grants.len());
        for grant in grants {
            let placed = |error: weir_http::Error| refused(&error, grant);
            let held = self::grant(grant, dir)?;
            // Each by itself, so that what is wrong is told at its place.
            Access::new(vec![held.clone()]).map_err(placed)?;
            read.push(held);
        }
        let access = Access::new(read)
            .map_err(|error| Error::usage(error.to_string()).with_hint(error.hint()))?;
        Ok(Some(HttpAccess {
            access,
            texts: grants.iter().map(text).collect(),
        }))
    }

    /// The same, for the sandbox.
    pub(crate) fn outbound(&self) -> Arc<dyn Outbound> {
        Arc::new(self.clone())
    }

    /// What may be reached, a line for each grant, with the names of the secrets that the host puts in.
    pub fn texts(&self) -> Vec<String> {
        self.texts.to_vec()
    }

    /// What came of the requests since the run was planned.
    pub(crate) fn record(&self) -> HttpRecord {
        let record = self.access.record();
        HttpRecord {
            totals: record
                .totals
                .into_iter()
                .map(|total| HttpTotal {
                    host: total.host,
                    method: total.method,
                    status: total.status,
                    refusal: total.refusal.map(str::to_owned),
                    requests: total.requests,
                    bytes: total.bytes,
                })
                .collect(),
            requests: record
                .requests
                .into_iter()
                .map(|request| HttpRequest {
                    method: request.method,
                    host: request.host,
                    path: request.path,
                    status: request.status,
                    refusal: request.refusal.map(str::to_owned),
                    bytes: request.bytes,
                })
                .collect(),
        }
    }
}

#[async_trait]
impl Outbound for HttpAccess {
    async fn send(
        &self,
        request: http::Request<Bytes>,
    ) -> std::result::Result<http::Response<ResponseBody>, Refused> {
        let response = self.access.send(request).await.map_err(of_sandbox)?;
        Ok(response.map(|body| body.map_err(of_sandbox).boxed()))
    }
}

/// A refusal, as the sandbox knows it.
fn of_sandbox(refusal: Refusal) -> Refused {
    let kind = match &refusal {
        Refusal::NotGranted { .. }
        | Refusal::Malformed { .. }
        | Refusal::ForbiddenHeader { .. }
        | Refusal::Unsigned { .. } => RefusedKind::Denied,
        Refusal::NotPublic { .. } => RefusedKind::Prohibited,
        Refusal::Resolve { .. } => RefusedKind::Unresolved,
        Refusal::Connect { .. } => RefusedKind::Unreachable,
        Refusal::Tls { .. } => RefusedKind::Tls,
        Refusal::Timeout { .. } => RefusedKind::Timeout,
        Refusal::TooLarge { .. } => RefusedKind::TooLarge,
        _ => RefusedKind::Broken,
    };
    Refused {
        kind,
        what: refusal.to_string(),
        hint: Some(refusal.hint()),
    }
}

fn grant(grant: &HttpGrant, dir: &Path) -> Result<weir_http::Grant> {
    // Destructured, so that a new key does not compile before it means something here.
    let HttpGrant {
        url,
        methods,
        private,
        requests_per_second,
        timeout,
        max_response,
        headers,
        query,
        sigv4,
        place,
    } = grant;
    let held = weir_http::Grant::of(url).map_err(|error| refused(&error, grant))?;
    let fault =
        |what: String, hint: &str| Error::from(Fault::new(what).at(place).hint(hint.to_owned()));
    let methods = methods.iter().map(|method| {
        http::Method::from_bytes(method.as_bytes()).map_err(|_| {
            fault(
                format!("'{method}' is no method"),
                "write methods in capitals",
            )
        })
    });
    let read = |name: &str, secret: &HttpSecret| -> Result<SecretText> {
        let HttpSecret { prefix, source } = secret;
        let value = secret::read(name, source, dir, place)?;
        Ok(SecretText::new(format!("{prefix}{value}")))
    };
    let credentials = match (sigv4, headers.is_empty() && query.is_empty()) {
        (None, true) => Credentials::None,
        (None, false) => Credentials::Added {
            headers: headers
                .iter()
                .map(|(name, secret)| {
                    let header = HeaderName::from_bytes(name.as_bytes()).map_err(|_| {
                        fault(
                            format!("'{name}' is no name of a header"),
                            "headers are called by letters, digits and -",
                        )
                    })?;
                    Ok((header, read(name, secret)?))
                })
                .collect::<Result<_>>()?,
            query: query
                .iter()
                .map(|(name, secret)| Ok((name.clone(), read(name, secret)?)))
                .collect::<Result<_>>()?,
        },
        (Some(keys), true) => Credentials::SigV4(signing(keys, dir, place)?),
        (Some(_), false) => {
            return Err(fault(
                "a grant has either `sigv4` or secrets of its own".to_owned(),
                "leave out `headers` and `query`: what is signed must not change",
            ));
        }
    };
    Ok(weir_http::Grant {
        methods: methods.collect::<Result<_>>()?,
        private: *private,
        requests_per_second: *requests_per_second,
        timeout: *timeout,
        max_response: *max_response,
        credentials,
        ..held
    })
}

fn signing(keys: &SigV4, dir: &Path, place: &Place) -> Result<weir_http::SigV4> {
    let SigV4 {
        region,
        service,
        access_key_id,
        secret_access_key,
        session_token,
    } = keys;
    let read = |name: &str, source: &SecretSource| secret::read(name, source, dir, place);
    Ok(weir_http::SigV4 {
        region: region.clone(),
        service: service.clone(),
        access_key_id: read("access_key_id", access_key_id)?,
        secret_access_key: SecretText::new(read("secret_access_key", secret_access_key)?),
        session_token: match session_token {
            None => None,
            Some(source) => Some(SecretText::new(read("session_token", source)?)),
        },
    })
}

fn refused(error: &weir_http::Error, grant: &HttpGrant) -> Error {
    let fault = Fault::new(error.to_string())
        .at(&grant.place)
        .hint(error.hint());
    // Somebody may have written a password into the URL.
    match grant.url.contains('@') {
        true => fault.secret().into(),
        false => fault.into(),
    }
}

/// A grant in one line, for whoever signs for it.
fn text(grant: &HttpGrant) -> String {
    let mut text = format!("{} {}", grant.methods.join(" and "), grant.url);
    if grant.private {
        text.push_str(", also at addresses that are not public");
    }
    if let Some(rate) = grant.requests_per_second {
        text.push_str(&format!(", {rate} requests a second"));
    }
    let names = |secrets: &[(String, HttpSecret)]| -> String {
        let names: Vec<&str> = secrets.iter().map(|(name, _)| name.as_str()).collect();
        names.join(", ")
    };
    if !grant.headers.is_empty() {
        text.push_str(&format!(
            ", with the secret headers {}",
            names(&grant.headers)
        ));
    }
    if !grant.query.is_empty() {
        text.push_str(&format!(
            ", with the secret parameters {}",
            names(&grant.query)
        ));
    }
    if let Some(keys) = &grant.sigv4 {
        text.push_str(&format!(", signed for {} in {}", keys.service, keys.region));
    }
    text
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn granted(url: &str) -> HttpGrant {
        HttpGrant {
            url: url.to_owned(),
            methods: vec!["GET".to_owned()],
            private: false,
            requests_per_second: None,
            timeout: Duration::from_secs(1),
            max_response: 1 << 20,
            headers: Vec::new(),
            query: Vec::new(),
            sigv4: None,
            place: Place::new(Path::new("p.toml"), url, 0..url.len()),
        }
    }

    #[test]
    fn a_grant_that_cannot_be_is_told_at_its_place() {
        let dir = Path::new(".");
        for url in [
            "ftp://h/",
            "https://user:hunter2@h/",
            "https://h/?q",
            "nothing",
        ] {
            let error = HttpAccess::of(&[granted(url)], dir).err().unwrap();
            assert!(!error.to_string().contains("hunter2"), "{error}");
            assert!(error.to_string().contains("hint: "), "{error}");
        }
        assert!(HttpAccess::of(&[], dir).unwrap().is_none());
    }

    #[test]
    fn terms_name_secrets_and_not_their_values() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("key"), "hush\n").unwrap();
        let secret = HttpSecret {
            prefix: "Bearer ".to_owned(),
            source: SecretSource::File("key".into()),
        };
        let grant = HttpGrant {
            headers: vec![("authorization".to_owned(), secret)],
            ..granted("https://api.example.org/v1/")
        };
        let access = HttpAccess::of(&[grant], dir.path()).unwrap().unwrap();
        let texts = access.texts();
        assert_eq!(
            texts,
            ["GET https://api.example.org/v1/, with the secret headers authorization"]
        );
        assert!(!format!("{access:?}").contains("hush"));
    }
}
