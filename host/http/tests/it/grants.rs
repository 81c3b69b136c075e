//! What no grant holds goes nowhere.

use bytes::Bytes;
use http::{Method, Request, StatusCode};
use weir_http::{Access, Grant, Refusal};

use crate::server::{Server, answer};
use crate::{access, get, grant, whole};

async fn refused(access: &Access, method: &str, url: &str) -> Refusal {
    let request = Request::builder().method(method).uri(url);
    let request = request.body(Bytes::new()).unwrap();
    match access.send(request).await {
        Ok(response) => panic!("{method} {url} was sent: {}", response.status()),
        Err(refusal) => refusal,
    }
}

#[tokio::test]
async fn what_is_granted_is_sent() {
    let server = Server::ok().await;
    let access = access(grant(&server.url("/v1/")));
    for path in ["/v1", "/v1/", "/v1/users/7?page=2&x=%20", "/v1/a%20b"] {
        let response = access.send(get(&server.url(path))).await.unwrap();
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(whole(response.into_body()).await.unwrap(), b"ok");
        let asked = server.asked().pop().unwrap();
        assert_eq!(asked.line, format!("GET {path} HTTP/1.1"));
    }
    // Connections are kept.
    assert_eq!(server.connections(), 1);
}

#[tokio::test]
async fn another_origin_path_or_method_is_not_granted() {
    let (server, other) = (Server::ok().await, Server::ok().await);
    let port = server.port();
    let access = access(grant(&server.url("/v1/")));
    for (method, url) in [
        ("GET", other.url("/v1/")),
        ("GET", format!("https://127.0.0.1:{port}/v1/")),
        ("GET", format!("http://localhost:{port}/v1/")),
        ("GET", format!("http://[::1]:{port}/v1/")),
        ("GET", format!("http://[::ffff:127.0.0.1]:{port}/v1/")),
        ("GET", format!("http://127.0.0.2:{port}/v1/")),
        ("GET", "http://127.0.0.1/v1/".to_owned()),
        ("GET", server.url("/")),
        ("GET", server.url("/v10")),
        ("GET", server.url("/V1/")),
        ("GET", server.url("//v1/")),
        ("POST", server.url("/v1/")),
        ("HEAD", server.url("/v1/")),
        ("get", server.url("/v1/")),
        ("CONNECT", server.url("/v1/")),
    ] {
        let refusal = refused(&access, method, &url).await;
        assert!(
            matches!(refusal, Refusal::NotGranted { .. }),
            "{method} {url}: {refusal}"
        );
    }
    assert_eq!(server.connections() + other.connections(), 0);
}

#[tokio::test]
async fn tricks_with_paths_go_nowhere() {
    let server = Server::ok().await;
    let access = access(grant(&server.url("/v1/")));
    for path in [
        "/v1/../admin",
        "/v1/%2e%2e/admin",
        "/v1/%2E%2E%2Fadmin",
        "/v1/.%2e/admin",
        "/v1/%252e%252e/admin",
        "/v1/..;/admin",
        "/v1/..\\admin",
        "/v1/..%5Cadmin",
        "/v1/./x",
        "/v1/%00",
    ] {
        let Ok(uri) = server.url(path).parse::<http::Uri>() else {
            // The URL type of the interface does not take it: backslashes.
            assert!(path.contains('\\'), "{path}");
            continue;
        };
        let refusal = refused(&access, "GET", &uri.to_string()).await;
        assert!(
            matches!(refusal, Refusal::Malformed { .. }),
            "{path}: {refusal}"
        );
    }
    for url in [
        format!("http://user@127.0.0.1:{}/v1/", server.port()),
        format!("http://127.0.0.1:{}@example.org/v1/", server.port()),
        "/v1/".to_owned(),
        "ftp://127.0.0.1/v1/".to_owned(),
    ] {
        let refusal = refused(&access, "GET", &url).await;
        assert!(
            matches!(refusal, Refusal::Malformed { .. }),
            "{url}: {refusal}"
        );
    }
    assert_eq!(server.connections(), 0);
}

#[tokio::test]
async fn without_grants_nothing_is_sent() {
    let server = Server::ok().await;
    let access = Access::new(Vec::new()).unwrap();
    let refusal = refused(&access, "GET", &server.url("/?key=hunter2")).await;
    assert!(matches!(refusal, Refusal::NotGranted { .. }));
    assert_eq!(server.connections(), 0);
}

#[tokio::test]
async fn the_hint_is_the_line_that_lacks() {
    let access = Access::new(Vec::new()).unwrap();
    for (method, url, hint) in [
        (
            "GET",
            "https://API.example.org./v1/x?key=hunter2",
            "https://api.example.org/",
        ),
        (
            "DELETE",
            "http://example.org:8080/",
            "http://example.org:8080/",
        ),
        (
            "PUT",
            "https://[2001:db8::1]:444/",
            "https://[2001:db8::1]:444/",
        ),
    ] {
        let refusal = refused(&access, method, url).await;
        let line = format!("grant.http = [{{ url = \"{hint}\", methods = [\"{method}\"] }}]");
        assert_eq!(refusal.hint(), line);
        // What it says to grant can be granted.
        Grant::parse_origin(hint).unwrap();
    }
}

#[tokio::test]
async fn the_first_grant_that_holds_a_request_decides() {
    let server = Server::ok().await;
    let inside = grant(&server.url("/"));
    let public = Grant {
        private: false,
        ..grant(&server.url("/v1/"))
    };
    let access = Access::new(vec![public, inside]).unwrap();
    let refusal = refused(&access, "GET", &server.url("/v1/")).await;
    assert!(matches!(refusal, Refusal::NotPublic { .. }));
    access.send(get(&server.url("/v2/"))).await.unwrap();
}

#[tokio::test]
async fn redirects_are_given_and_not_followed() {
    let other = Server::ok().await;
    let elsewhere = [
        other.url("/"),
        "http://169.254.169.254/latest/meta-data/".to_owned(),
        "/admin".to_owned(),
    ];
    let places = elsewhere.clone();
    let server = Server::start(move |asked| {
        let n: usize = asked.path_and_query()[4..].parse().unwrap();
        let status = [
            "302 Found",
            "307 Temporary Redirect",
            "301 Moved Permanently",
        ][n];
        answer(status, &format!("location: {}\r\n", places[n]), "")
    })
    .await;
    let access = access(grant(&server.url("/v1/")));
    for (n, place) in elsewhere.iter().enumerate() {
        let url = server.url(&format!("/v1/{n}"));
        let response = access.send(get(&url)).await.unwrap();
        assert!(response.status().is_redirection());
        assert_eq!(response.headers()["location"], place.as_str());
        let next = match place.starts_with('/') {
            true => server.url(place),
            false => place.clone(),
        };
        let refusal = refused(&access, "GET", &next).await;
        assert!(matches!(refusal, Refusal::NotGranted { .. }), "{refusal}");
    }
    assert_eq!((server.asked().len(), other.connections()), (3, 0));
}

#[tokio::test]
async fn bodies_and_methods_go_out_as_they_are() {
    let server = Server::ok().await;
    let access = access(Grant {
        methods: vec![Method::POST, Method::PATCH],
        ..grant(&server.url("/"))
    });
    let request = Request::post(server.url("/x"))
        .header("content-type", "text/plain")
        .body(Bytes::from_static(b"hello\0"))
        .unwrap();
    access.send(request).await.unwrap();
    let asked = server.only();
    assert_eq!(asked.line, "POST /x HTTP/1.1");
    assert_eq!(asked.body, b"hello\0");
    assert_eq!(asked.all("content-length"), ["6"]);
    assert_eq!(asked.all("content-type"), ["text/plain"]);
}

#[test]
fn grants_that_cannot_be_meant_are_refused() {
    let good = || Grant::of("https://api.example.org/v1/").unwrap();
    let wrong = [
        Grant { port: 0, ..good() },
        Grant {
            path: String::new(),
            ..good()
        },
        Grant {
            path: "v1".to_owned(),
            ..good()
        },
        Grant {
            path: "/v1/../".to_owned(),
            ..good()
        },
        Grant {
            path: "/v1?x".to_owned(),
            ..good()
        },
        Grant {
            methods: Vec::new(),
            ..good()
        },
        Grant {
            methods: vec![Method::GET, Method::CONNECT],
            ..good()
        },
        Grant {
            methods: vec![Method::TRACE],
            ..good()
        },
        Grant {
            timeout: std::time::Duration::ZERO,
            ..good()
        },
        Grant {
            requests_per_second: Some(0.0),
            ..good()
        },
        Grant {
            requests_per_second: Some(f64::NAN),
            ..good()
        },
    ];
    Access::new(vec![good()]).unwrap();
    for grant in wrong {
        let shown = format!("{grant:?}");
        let error = Access::new(vec![good(), grant]).expect_err(&shown);
        assert!(
            error.to_string().contains("https://api.example.org"),
            "{error}"
        );
        assert!(!error.hint().is_empty());
    }
}
