//! Who gets which credentials, and what they see.

use bytes::Bytes;
use hmac::{Hmac, Mac};
use http::header::{AUTHORIZATION, HeaderName};
use http::{Method, Request};
use sha2::{Digest, Sha256};
use weir_http::{Access, Credentials, Grant, Refusal, SecretText, SigV4};

use crate::server::{Asked, Server};
use crate::{get, grant};

const SECRET: &str = "hunter2";

fn key(header: &'static str) -> Credentials {
    Credentials::Added {
        headers: vec![(HeaderName::from_static(header), SecretText::new(SECRET))],
        query: vec![("api_key".to_owned(), SecretText::new(SECRET))],
    }
}

#[tokio::test]
async fn credentials_go_with_their_grant_only() {
    let (server, other) = (Server::ok().await, Server::ok().await);
    let with_key = Grant {
        credentials: key("x-key"),
        ..grant(&server.url("/v1/"))
    };
    let grants = vec![with_key, grant(&server.url("/")), grant(&other.url("/"))];
    let access = Access::new(grants).unwrap();
    for url in [
        server.url("/v2/"),
        other.url("/v1/"),
        server.url("/v1/a?b=c"),
    ] {
        access.send(get(&url)).await.unwrap();
    }
    let [without, with] = &server.asked()[..] else {
        panic!("{:?}", server.asked());
    };
    for asked in [without, &other.only()] {
        assert!(!format!("{asked:?}").contains(SECRET), "{asked:?}");
    }
    assert_eq!(with.all("x-key"), [SECRET]);
    assert_eq!(with.path_and_query(), "/v1/a?b=c&api_key=hunter2");
}

#[tokio::test]
async fn what_the_guest_sets_gives_way() {
    let server = Server::ok().await;
    let access = crate::access(Grant {
        credentials: key("authorization"),
        ..grant(&server.url("/"))
    });
    let request = Request::get(server.url("/?api_key=guest&a=1&api%5Fkey=guest"))
        .header("Authorization", "guest")
        .header("authorization", "guest too")
        .body(Bytes::new())
        .unwrap();
    access.send(request).await.unwrap();
    let asked = server.only();
    assert_eq!(asked.all("authorization"), [SECRET]);
    assert_eq!(asked.path_and_query(), "/?a=1&api_key=hunter2");
}

#[tokio::test]
async fn a_guest_may_not_log_in_beside_the_grant() {
    let server = Server::ok().await;
    let access = crate::access(Grant {
        credentials: key("x-key"),
        ..grant(&server.url("/"))
    });
    for header in ["authorization", "cookie"] {
        let request = Request::get(server.url("/")).header(header, "guest");
        let refusal = access
            .send(request.body(Bytes::new()).unwrap())
            .await
            .unwrap_err();
        assert!(
            matches!(refusal, Refusal::ForbiddenHeader { .. }),
            "{refusal}"
        );
    }
    assert_eq!(server.connections(), 0);
}

#[test]
fn credentials_do_not_cross_the_internet_in_the_clear() {
    let granted = |url: &str, private| {
        Access::new(vec![Grant {
            credentials: key("x-key"),
            private,
            ..Grant::of(url).unwrap()
        }])
    };
    granted("https://api.example.org/", false).unwrap();
    granted("http://api.example.org/", true).unwrap();
    let error = granted("http://api.example.org/", false).unwrap_err();
    assert!(error.hint().contains("https"), "{error}");
}

#[test]
fn credentials_that_cannot_be_sent_are_not_shown() {
    let error = Access::new(vec![Grant {
        credentials: Credentials::Added {
            headers: vec![(AUTHORIZATION, SecretText::new("hunter2\n"))],
            query: Vec::new(),
        },
        ..Grant::of("https://api.example.org/").unwrap()
    }])
    .unwrap_err();
    let shown = format!("{error} {error:?} {}", error.hint());
    assert!(
        shown.contains("authorization") && !shown.contains(SECRET),
        "{shown}"
    );
}

fn keys(service: &str) -> SigV4 {
    SigV4 {
        region: "eu-north-1".to_owned(),
        service: service.to_owned(),
        access_key_id: "AKIDEXAMPLE".to_owned(),
        secret_access_key: SecretText::new(SECRET),
        session_token: Some(SecretText::new("session")),
    }
}

#[tokio::test]
async fn a_signature_is_what_a_service_computes_from_what_it_gets() {
    for (service, signed_headers) in [
        (
            "execute-api",
            "content-type;host;x-amz-date;x-amz-security-token;x-guest",
        ),
        (
            "s3",
            "content-type;host;x-amz-content-sha256;x-amz-date;x-amz-security-token;x-guest",
        ),
    ] {
        let server = Server::ok().await;
        let access = crate::access(Grant {
            methods: vec![Method::PUT],
            credentials: Credentials::SigV4(keys(service)),
            ..grant(&server.url("/"))
        });
        let request = Request::put(server.url("/a%20b/c?z=1&a=2%20"))
            .header("content-type", "text/plain")
            .header("x-guest", "  two   spaces ")
            .header("authorization", "guest")
            .header("x-amz-date", "20000101T000000Z")
            .header("x-amz-security-token", "guest")
            .header("x-amz-content-sha256", "guest")
            .body(Bytes::from_static(b"hello"))
            .unwrap();
        access.send(request).await.unwrap();
        let asked = server.only();
        assert_eq!(asked.all("x-amz-security-token"), ["session"]);
        let [authorization] = asked.all("authorization")[..] else {
            panic!("{asked:?}");
        };
        assert_eq!(authorization, expected(&asked, service, signed_headers));
        assert!(!format!("{asked:?}").contains(SECRET));
    }
}

#[tokio::test]
async fn a_guest_adds_nothing_to_keys_without_a_token() {
    let server = Server::ok().await;
    let access = crate::access(Grant {
        credentials: Credentials::SigV4(SigV4 {
            session_token: None,
            ..keys("execute-api")
        }),
        ..grant(&server.url("/"))
    });
    let request = Request::get(server.url("/?"))
        .header("x-amz-security-token", "guest")
        .header("x-amz-content-sha256", "guest")
        .body(Bytes::new())
        .unwrap();
    access.send(request).await.unwrap();
    let asked = server.only();
    assert!(!format!("{asked:?}").contains("guest"), "{asked:?}");
    let authorization = asked.all("authorization")[0];
    assert_eq!(
        authorization,
        expected(&asked, "execute-api", "host;x-amz-date")
    );
}

/// The header `authorization`, computed from a request as it came over the wire, as AWS describes it.
fn expected(asked: &Asked, service: &str, signed_headers: &str) -> String {
    let hex = |bytes: &[u8]| -> String { bytes.iter().map(|b| format!("{b:02x}")).collect() };
    let hmac = |key: &[u8], text: &str| {
        let mut mac = Hmac::<Sha256>::new_from_slice(key).unwrap();
        mac.update(text.as_bytes());
        mac.finalize().into_bytes().to_vec()
    };
    let (path, query) = asked.path_and_query().split_once('?').unwrap();
    // All services but S3 want the path encoded once more.
    let path = match service {
        "s3" => path.to_owned(),
        _ => path.replace('%', "%25"),
    };
    let mut pairs: Vec<_> = query.split('&').collect();
    pairs.sort_unstable();
    let headers: String = signed_headers
        .split(';')
        .map(|name| {
            let words: Vec<_> = asked.all(name)[0].split_whitespace().collect();
            format!("{name}:{}\n", words.join(" "))
        })
        .collect();
    let method = asked.line.split(' ').next().unwrap();
    let canonical = format!(
        "{method}\n{path}\n{}\n{headers}\n{signed_headers}\n{}",
        pairs.join("&"),
        hex(&Sha256::digest(&asked.body))
    );
    let time = asked.all("x-amz-date")[0];
    let day = &time[..8];
    let scope = format!("{day}/eu-north-1/{service}/aws4_request");
    let text = format!(
        "AWS4-HMAC-SHA256\n{time}\n{scope}\n{}",
        hex(&Sha256::digest(canonical.as_bytes()))
    );
    let mut signing_key = format!("AWS4{SECRET}").into_bytes();
    for part in [day, "eu-north-1", service, "aws4_request"] {
        signing_key = hmac(&signing_key, part);
    }
    let signature = hex(&hmac(&signing_key, &text));
    format!(
        "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/{scope}, SignedHeaders={signed_headers}, Signature={signature}"
    )
}

#[test]
fn keys_that_cannot_sign_are_refused() {
    let good = || keys("s3");
    for wrong in [
        SigV4 {
            region: String::new(),
            ..good()
        },
        SigV4 {
            service: "s 3".to_owned(),
            ..good()
        },
        SigV4 {
            access_key_id: "hunter2\n".to_owned(),
            ..good()
        },
        SigV4 {
            secret_access_key: SecretText::new(""),
            ..good()
        },
        SigV4 {
            session_token: Some(SecretText::new("hunter2\n")),
            ..good()
        },
    ] {
        let error = Access::new(vec![Grant {
            credentials: Credentials::SigV4(wrong),
            ..Grant::of("https://s3.example.org/").unwrap()
        }])
        .unwrap_err();
        assert!(!format!("{error} {error:?}").contains(SECRET), "{error:?}");
    }
}
