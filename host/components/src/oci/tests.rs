//! Pulls from a registry that means harm. A real one is in the whole-system tests.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::*;
use crate::sha256;

const COMPONENT: &[u8] = b"\0asm\x0d\0\x01\0component";

/// What a registry answers to a request for a path.
type Answers = Arc<dyn Fn(&str) -> Vec<u8> + Send + Sync>;

/// A registry on a free port of this machine, and the requests that it got.
struct Hostile {
    port: u16,
    requests: Arc<Mutex<Vec<String>>>,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Hostile {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Hostile {
    async fn start(answers: impl Fn(&str) -> Vec<u8> + Send + Sync + 'static) -> Hostile {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let (answers, seen): (Answers, _) = (Arc::new(answers), Arc::clone(&requests));
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(answer(stream, Arc::clone(&answers), Arc::clone(&seen)));
            }
        });
        Hostile {
            port,
            requests,
            task,
        }
    }

    fn reference(&self, manifest: &[u8]) -> OciReference {
        let text = format!(
            "oci://127.0.0.1:{}/team/x@sha256:{}",
            self.port,
            sha256(manifest)
        );
        OciReference::parse(&text).unwrap()
    }

    async fn pull(&self, manifest: &[u8]) -> Result<Pulled, RegistryError> {
        Registry::new(&Settings::default())
            .pull(&self.reference(manifest))
            .await
    }

    fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }
}

async fn answer(mut stream: TcpStream, answers: Answers, seen: Arc<Mutex<Vec<String>>>) {
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        match stream.read_u8().await {
            Ok(byte) => request.push(byte),
            Err(_) => return,
        }
    }
    let request = String::from_utf8(request).unwrap();
    let answer = answers(&request);
    seen.lock().unwrap().push(request);
    // The client may have heard enough.
    let _ = stream.write_all(&answer).await;
    let _ = stream.shutdown().await;
}

fn ok(body: &[u8]) -> Vec<u8> {
    let mut answer = format!(
        "HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    )
    .into_bytes();
    answer.extend_from_slice(body);
    answer
}

/// An answer that does not say how long it is.
fn endless(bytes: usize) -> Vec<u8> {
    let mut answer = b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n".to_vec();
    answer.resize(answer.len() + bytes, b' ');
    answer
}

fn status(line: &str, headers: &str) -> Vec<u8> {
    format!("HTTP/1.1 {line}\r\n{headers}Content-Length: 0\r\nConnection: close\r\n\r\n")
        .into_bytes()
}

fn manifest_of(digest: &str, size: u64) -> Vec<u8> {
    json!({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": { "mediaType": "application/vnd.wasm.config.v0+json", "digest": "sha256:00", "size": 2 },
        "layers": [{ "mediaType": COMPONENT_LAYER, "digest": format!("sha256:{digest}"), "size": size }],
        "annotations": { SIGNATURE_ANNOTATION: "a signature" },
    })
    .to_string()
    .into_bytes()
}

fn manifest() -> Vec<u8> {
    manifest_of(&sha256(COMPONENT), u64::try_from(COMPONENT.len()).unwrap())
}

/// Answers as an honest registry does, but for what `change` says.
async fn but(change: impl Fn(&str) -> Option<Vec<u8>> + Send + Sync + 'static) -> Hostile {
    Hostile::start(move |request| {
        change(request).unwrap_or_else(|| match request {
            request if request.contains("/manifests/") => ok(&manifest()),
            request if request.contains("/blobs/") => ok(COMPONENT),
            _ => status("404 Not Found", ""),
        })
    })
    .await
}

#[tokio::test]
async fn a_component_is_pulled_once_and_kept() {
    let dir = tempfile::tempdir().unwrap();
    let settings = Settings {
        cache: Some(dir.path().join("components")),
        ..Settings::default()
    };
    let registry = but(|_| None).await;
    let reference = registry.reference(&manifest());
    for _ in 0..2 {
        let pulled = Registry::new(&settings).pull(&reference).await.unwrap();
        assert_eq!(pulled.component, COMPONENT);
        assert_eq!(pulled.signature.as_deref(), Some("a signature"));
    }
    let asked: Vec<String> = registry
        .requests()
        .iter()
        .map(|request| request.lines().next().unwrap().to_owned())
        .collect();
    assert_eq!(
        asked,
        [
            format!(
                "GET /v2/team/x/manifests/sha256:{} HTTP/1.1",
                sha256(&manifest())
            ),
            format!("GET /v2/team/x/blobs/sha256:{} HTTP/1.1", sha256(COMPONENT)),
        ],
        "the second time nothing is asked"
    );
    // Whatever is changed on the disk is fetched anew, not used.
    for file in [sha256(&manifest()), sha256(COMPONENT)] {
        std::fs::write(dir.path().join("components").join(file), "other").unwrap();
    }
    let pulled = Registry::new(&settings).pull(&reference).await.unwrap();
    assert_eq!(pulled.component, COMPONENT);
    assert_eq!(registry.requests().len(), 4);
    drop(registry);
    let pulled = Registry::new(&settings).pull(&reference).await.unwrap();
    assert_eq!(pulled.component, COMPONENT, "no registry is needed");
}

#[tokio::test]
async fn other_content_than_asked_for_is_refused() {
    for path in ["/manifests/", "/blobs/"] {
        let registry = but(move |request| {
            let mut other = if path == "/blobs/" {
                COMPONENT.to_vec()
            } else {
                manifest()
            };
            *other.last_mut().unwrap() ^= 1;
            request.contains(path).then(|| ok(&other))
        })
        .await;
        let error = registry.pull(&manifest()).await.unwrap_err();
        assert!(
            matches!(error, RegistryError::WrongDigest { .. }),
            "{error}"
        );
        assert!(!error.is_retryable());
    }
}

#[tokio::test]
async fn answers_have_a_bound() {
    const MORE: usize = (MOST_MANIFEST as usize) + 1;
    // Said to be long; long without saying so; longer than the manifest said.
    let said = but(|request| {
        request
            .contains("/manifests/")
            .then(|| b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999999\r\n\r\n".to_vec())
    })
    .await;
    let unsaid = but(|request| request.contains("/manifests/").then(|| endless(MORE))).await;
    let longer = but(|request| {
        request
            .contains("/blobs/")
            .then(|| endless(COMPONENT.len() + 1))
    })
    .await;
    for registry in [said, unsaid, longer] {
        let error = registry.pull(&manifest()).await.unwrap_err();
        assert!(matches!(error, RegistryError::TooLarge { .. }), "{error}");
    }
    let huge = manifest_of(&sha256(COMPONENT), crate::MAX_COMPONENT + 1);
    let copy = huge.clone();
    let registry = but(move |request| request.contains("/manifests/").then(|| ok(&copy))).await;
    let error = registry.pull(&huge).await.unwrap_err();
    assert!(matches!(error, RegistryError::TooLarge { .. }), "{error}");
    assert_eq!(registry.requests().len(), 1, "the layer is not asked for");
}

#[tokio::test]
async fn an_answer_that_breaks_off_is_worth_another_try() {
    let registry = but(|request| {
        request
            .contains("/blobs/")
            .then(|| b"HTTP/1.1 200 OK\r\nContent-Length: 17\r\n\r\n\0asm".to_vec())
    })
    .await;
    let error = registry.pull(&manifest()).await.unwrap_err();
    assert!(matches!(error, RegistryError::Unreachable(_)), "{error}");
    assert!(error.is_retryable());
}

#[tokio::test]
async fn failures_are_told_apart() {
    for (line, retryable, says) in [
        ("404 Not Found", false, "does not have it"),
        ("401 Unauthorized", false, "refuses access"),
        ("403 Forbidden", false, "refuses access"),
        ("500 Internal Server Error", true, "status 500"),
        ("429 Too Many Requests", true, "status 429"),
        ("206 Partial Content", false, "status 206"),
        ("204 No Content", false, "status 204"),
    ] {
        let registry = but(move |_| Some(status(line, ""))).await;
        let error = registry.pull(&manifest()).await.unwrap_err();
        assert!(error.to_string().contains(says), "{line}: {error}");
        assert_eq!(error.is_retryable(), retryable, "{line}");
    }
    // Nobody listens there.
    let gone = but(|_| None).await;
    let reference = gone.reference(&manifest());
    drop(gone);
    tokio::task::yield_now().await;
    let error = Registry::new(&Settings::default())
        .pull(&reference)
        .await
        .unwrap_err();
    assert!(error.is_retryable(), "{error}");
}

#[tokio::test]
async fn redirects_stay_where_they_may_go() {
    for (location, refused) in [
        (
            "http://registry.example/x?token=secret",
            "http://registry.example",
        ),
        (
            "http://169.254.169.254/latest/meta-data",
            "http://169.254.169.254",
        ),
        ("http://0.0.0.0:1/", "http://0.0.0.0:1"),
        ("ftp://127.0.0.1/x", "ftp://127.0.0.1"),
    ] {
        let registry = but(move |_| {
            Some(status(
                "307 Temporary Redirect",
                &format!("Location: {location}\r\n"),
            ))
        })
        .await;
        let error = registry.pull(&manifest()).await.unwrap_err();
        // A scheme that no client speaks is not even offered to be followed.
        let place = match &error {
            RegistryError::Redirected(place) => place.clone(),
            other => panic!("{location}: {other:?}"),
        };
        assert!(place.starts_with(refused), "{location}: {place}");
    }
    let rounds = but(|_| Some(status("302 Found", "Location: /again\r\n"))).await;
    let error = rounds.pull(&manifest()).await.unwrap_err();
    assert!(matches!(error, RegistryError::Redirected(_)), "{error}");
    assert!(rounds.requests().len() <= 7, "{}", rounds.requests().len());
    // From this machine to this machine is fine: blobs often lie elsewhere.
    let store = Hostile::start(|_| ok(COMPONENT)).await;
    let place = format!("Location: http://127.0.0.1:{}/x\r\n", store.port);
    let registry = but(move |request| {
        request
            .contains("/blobs/")
            .then(|| status("307 Temporary Redirect", &place))
    })
    .await;
    let pulled = registry.pull(&manifest()).await.unwrap();
    assert_eq!(pulled.component, COMPONENT);
}

/// A registry that wants a token, and the service that gives it.
async fn with_tokens(realm: impl Fn(u16) -> String) -> (Hostile, Hostile) {
    let service = Hostile::start(|_| ok(br#"{"token":"t0ken"}"#)).await;
    let challenge = format!(
        "WWW-Authenticate: Bearer realm=\"{}\",service=\"a b\",scope=\"repository:other:push\"\r\n",
        realm(service.port)
    );
    let registry = but(move |request| {
        (!request.contains("authorization: Bearer t0ken"))
            .then(|| status("401 Unauthorized", &challenge))
    })
    .await;
    (registry, service)
}

#[tokio::test]
async fn a_token_is_got_for_pulling_and_nothing_else() {
    let (registry, service) = with_tokens(|port| format!("http://127.0.0.1:{port}/token")).await;
    let pulled = registry.pull(&manifest()).await.unwrap();
    assert_eq!(pulled.component, COMPONENT);
    let asked = service.requests();
    assert_eq!(asked.len(), 1, "one token serves both requests");
    assert!(
        asked[0].starts_with("GET /token?service=a+b&scope=repository%3Ateam%2Fx%3Apull HTTP"),
        "{}",
        asked[0]
    );
    assert!(!asked[0].contains("authorization"), "nobody is logged in");
}

/// A configuration of docker with a login for `registry`.
fn docker(dir: &std::path::Path, registry: &str) -> Settings {
    let path = dir.join("config.json");
    let auths = BTreeMap::from([(registry, json!({ "auth": "dXNlcjpwYTU1d29yZA==" }))]);
    std::fs::write(&path, json!({ "auths": auths }).to_string()).unwrap();
    Settings {
        docker: Some(path),
        ..Settings::default()
    }
}

const BASIC: &str = "authorization: Basic dXNlcjpwYTU1d29yZA==";

#[tokio::test]
async fn the_login_goes_to_its_own_registry_and_never_in_the_clear() {
    let dir = tempfile::tempdir().unwrap();
    let (registry, service) = with_tokens(|port| format!("http://127.0.0.1:{port}/token")).await;
    let own = docker(dir.path(), &format!("127.0.0.1:{}", registry.port));
    let reference = registry.reference(&manifest());
    Registry::new(&own).pull(&reference).await.unwrap();
    assert!(service.requests()[0].contains(BASIC));
    assert!(
        registry
            .requests()
            .iter()
            .all(|request| !request.contains("Basic")),
        "the registry gets the token alone"
    );

    let others = docker(dir.path(), "registry.example");
    let (registry, service) = with_tokens(|port| format!("http://127.0.0.1:{port}/token")).await;
    let reference = registry.reference(&manifest());
    Registry::new(&others).pull(&reference).await.unwrap();
    assert!(!service.requests()[0].contains("authorization"));

    for realm in [
        "http://tokens.example/",
        "http://169.254.169.254/",
        "file:///etc/passwd",
    ] {
        let (registry, _service) = with_tokens(|_| realm.to_owned()).await;
        let own = docker(dir.path(), &format!("127.0.0.1:{}", registry.port));
        let reference = registry.reference(&manifest());
        let error = Registry::new(&own).pull(&reference).await.unwrap_err();
        assert!(
            matches!(error, RegistryError::Redirected(_)),
            "{realm}: {error}"
        );
    }
}

#[tokio::test]
async fn a_login_follows_no_redirect_to_another_host() {
    let dir = tempfile::tempdir().unwrap();
    let store = Hostile::start(|_| ok(COMPONENT)).await;
    // Another name of this machine is another host.
    let place = format!("Location: http://localhost:{}/x\r\n", store.port);
    let registry = but(move |request| {
        if !request.contains(BASIC) {
            return Some(status(
                "401 Unauthorized",
                "WWW-Authenticate: Basic realm=\"x\"\r\n",
            ));
        }
        request
            .contains("/blobs/")
            .then(|| status("307 Temporary Redirect", &place))
    })
    .await;
    let own = docker(dir.path(), &format!("127.0.0.1:{}", registry.port));
    let reference = registry.reference(&manifest());
    let pulled = Registry::new(&own).pull(&reference).await.unwrap();
    assert_eq!(pulled.component, COMPONENT);
    assert!(!store.requests()[0].contains("authorization"));
}

#[tokio::test]
async fn odd_challenges_are_no_more_than_a_refusal() {
    for challenge in [
        "Bearer",
        "Bearer realm=\"\"",
        "Bearer realm=\"::\"",
        "Negotiate",
        "Basic",
        "\u{7f}",
        "Bearer realm=\"http://127.0.0.1:1/\\",
    ] {
        let registry = but(move |_| {
            Some(status(
                "401 Unauthorized",
                &format!("WWW-Authenticate: {challenge}\r\n"),
            ))
        })
        .await;
        let error = registry.pull(&manifest()).await.unwrap_err();
        assert!(
            matches!(error, RegistryError::Denied | RegistryError::Unreachable(_)),
            "{challenge}: {error:?}"
        );
    }
    // A token service that says too much, or nothing of use.
    for answer in [
        endless(70_000),
        ok(b"{}"),
        ok(b"<html>"),
        ok(br#"{"token":""}"#),
    ] {
        let service = Hostile::start(move |_| answer.clone()).await;
        let challenge = format!(
            "WWW-Authenticate: Bearer realm=\"http://127.0.0.1:{}/\"\r\n",
            service.port
        );
        let registry = but(move |_| Some(status("401 Unauthorized", &challenge))).await;
        let error = registry.pull(&manifest()).await.unwrap_err();
        assert!(
            matches!(
                error,
                RegistryError::Denied | RegistryError::TooLarge { .. }
            ),
            "{error:?}"
        );
    }
}
