//! The user's login, and what a registry wants for it.
//!
//! A registry that wants one answers 401 and says how: Basic, or Bearer with the address of a
//! token service, which gives tokens to who is logged in, and to others for what is public. The
//! login is the one that `docker login` left.

use std::io::BufReader;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use docker_credential::{CredentialRetrievalError, DockerCredential};
use http_auth::{ChallengeRef, parse_challenges};
use reqwest::header::{AUTHORIZATION, HeaderValue};
use serde::Deserialize;
use url::Url;
use weir_pipeline::OciReference;

use super::client::{body, is_safe, origin, unreachable};
use crate::error::RegistryError;

/// The largest answer of a token service that is read, in bytes.
const MOST_TOKEN: u64 = 64 << 10;

#[derive(Deserialize)]
struct Token {
    token: Option<String>,
    access_token: Option<String>,
}

/// What to send with requests from now on; none if the registry accepts nothing that there is.
pub(super) async fn authorize<'h>(
    http: &reqwest::Client,
    reference: &OciReference,
    base: &Url,
    docker: Option<&Path>,
    actions: &str,
    challenges: impl Iterator<Item = &'h HeaderValue>,
) -> Result<Option<HeaderValue>, RegistryError> {
    let login = {
        let (docker, registry) = (docker.map(Path::to_owned), reference.registry().to_owned());
        // It may start a program that keeps the login, and waits for it.
        tokio::task::spawn_blocking(move || login(docker.as_deref(), &registry))
            .await
            .unwrap_or_default()
    };
    let texts: Vec<&str> = challenges.filter_map(|value| value.to_str().ok()).collect();
    let all: Vec<ChallengeRef<'_>> = texts
        .iter()
        .filter_map(|text| parse_challenges(text).ok())
        .flatten()
        .collect();
    let of = |scheme: &str| {
        all.iter()
            .find(|challenge| challenge.scheme.eq_ignore_ascii_case(scheme))
    };
    if let Some(challenge) = of("Bearer") {
        let plain = base.scheme() == "http";
        let token = token(http, reference, challenge, login.as_ref(), (actions, plain)).await?;
        return Ok(secret(&format!("Bearer {token}")));
    }
    Ok(match (of("Basic"), login) {
        (Some(_), Some(login)) => secret(&login.basic()),
        _ => None,
    })
}

/// A token for `actions` on the component and nothing else, whatever scope the registry names.
async fn token(
    http: &reqwest::Client,
    reference: &OciReference,
    challenge: &ChallengeRef<'_>,
    login: Option<&Login>,
    (actions, plain): (&str, bool),
) -> Result<String, RegistryError> {
    let param = |name: &str| {
        challenge
            .params
            .iter()
            .find(|(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.to_unescaped())
    };
    let mut realm = param("realm")
        .and_then(|realm| Url::parse(&realm).ok())
        .ok_or(RegistryError::Denied)?;
    if !is_safe(&realm, plain) {
        return Err(RegistryError::Redirected(origin(&realm)));
    }
    {
        let mut query = realm.query_pairs_mut();
        if let Some(service) = param("service") {
            query.append_pair("service", &service);
        }
        query.append_pair(
            "scope",
            &format!("repository:{}:{actions}", reference.repository()),
        );
    }
    let mut request = http.get(realm);
    if let Some(basic) = login.and_then(|login| secret(&login.basic())) {
        request = request.header(AUTHORIZATION, basic);
    }
    let response = request.send().await.map_err(unreachable)?;
    let bytes = body(response, "token", MOST_TOKEN).await?;
    let token: Token = serde_json::from_slice(&bytes).map_err(|_| RegistryError::Denied)?;
    token
        .token
        .or(token.access_token)
        .filter(|token| !token.is_empty())
        .ok_or(RegistryError::Denied)
}

/// A header that is never printed.
fn secret(text: &str) -> Option<HeaderValue> {
    let mut value = HeaderValue::from_str(text).ok()?;
    value.set_sensitive(true);
    Some(value)
}

/// A user's name and password. It has no `Debug`, so that nothing prints it.
struct Login {
    user: String,
    password: String,
}

impl Login {
    fn basic(&self) -> String {
        let text = format!("{}:{}", self.user, self.password);
        format!("Basic {}", STANDARD.encode(text))
    }
}

/// The login that docker's configuration has for a registry. What goes wrong is logged without
/// what a helper printed, which can be a secret; the registry then says whether it goes without.
fn login(docker: Option<&Path>, registry: &str) -> Option<Login> {
    let file = std::fs::File::open(docker?).ok()?;
    let server = match registry {
        "docker.io" | "index.docker.io" => "https://index.docker.io/v1/",
        registry => registry,
    };
    let why = match docker_credential::get_credential_from_reader(BufReader::new(file), server) {
        Ok(DockerCredential::UsernamePassword(user, password)) => {
            return Some(Login { user, password });
        }
        Err(CredentialRetrievalError::NoCredentialConfigured) => return None,
        Ok(DockerCredential::IdentityToken(_)) => {
            "it is an identity token; log in with a user name and an access token"
        }
        Err(CredentialRetrievalError::HelperFailure { .. }) => "the credential helper failed",
        Err(CredentialRetrievalError::HelperCommunicationError) => {
            "the credential helper cannot be started"
        }
        Err(_) => "docker's configuration cannot be read",
    };
    tracing::warn!(
        registry,
        why,
        "the login cannot be used; asking without one"
    );
    None
}
