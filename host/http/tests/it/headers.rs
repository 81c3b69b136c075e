//! Which headers go out.

use bytes::Bytes;
use http::Request;
use weir_http::Refusal;

use crate::server::{Server, answer};
use crate::{access, get, grant, whole};

#[tokio::test]
async fn headers_of_the_connection_are_not_the_guests() {
    let server = Server::ok().await;
    let access = access(grant(&server.url("/")));
    for (name, value) in [
        ("host", "evil.test"),
        ("connection", "close"),
        ("keep-alive", "timeout=5"),
        ("proxy-authorization", "Basic x"),
        ("proxy-connection", "close"),
        ("te", "trailers"),
        ("trailer", "x"),
        ("transfer-encoding", "chunked"),
        ("upgrade", "websocket"),
        ("http2-settings", "x"),
        ("content-length", "7"),
        ("X-HTTP-Method-Override", "DELETE"),
        ("x-http-method", "DELETE"),
        ("x-method-override", "DELETE"),
        ("x-original-url", "/admin"),
        ("x-rewrite-url", "/admin"),
    ] {
        let request = Request::get(server.url("/"))
            .header(name, value)
            .body(Bytes::new())
            .unwrap();
        let refusal = access.send(request).await.unwrap_err();
        let Refusal::ForbiddenHeader { name: refused, .. } = &refusal else {
            panic!("{name}: {refusal}");
        };
        assert_eq!(refused.as_str(), name.to_ascii_lowercase());
    }
    assert_eq!(server.connections(), 0);
}

#[tokio::test]
async fn what_the_client_would_say_may_be_said() {
    let server = Server::ok().await;
    let access = access(grant(&server.url("/")));
    let request = Request::get(server.url("/"))
        .header("host", format!("127.0.0.1:{}", server.port()))
        .header("content-length", "0")
        .body(Bytes::new())
        .unwrap();
    access.send(request).await.unwrap();
    assert_eq!(server.only().all("host").len(), 1);
}

#[tokio::test]
async fn a_guest_may_log_in_itself_where_the_grant_does_not() {
    let server = Server::ok().await;
    let access = access(grant(&server.url("/")));
    let request = Request::get(server.url("/"))
        .header("authorization", "Bearer guest")
        .header("cookie", "a=1")
        .header("x-many", "1")
        .header("x-many", "2")
        .body(Bytes::new())
        .unwrap();
    access.send(request).await.unwrap();
    let asked = server.only();
    assert_eq!(asked.all("authorization"), ["Bearer guest"]);
    assert_eq!(asked.all("cookie"), ["a=1"]);
    assert_eq!(asked.all("x-many"), ["1", "2"]);
}

#[tokio::test]
async fn the_client_adds_nothing_of_its_own_accord() {
    let server = Server::start(|_| {
        answer(
            "200 OK",
            "set-cookie: a=1; path=/\r\ncontent-encoding: gzip\r\n",
            "not gzip",
        )
    })
    .await;
    let access = access(grant(&server.url("/")));
    for _ in 0..2 {
        let response = access.send(get(&server.url("/"))).await.unwrap();
        assert_eq!(response.headers()["content-encoding"], "gzip");
        assert_eq!(response.headers()["set-cookie"], "a=1; path=/");
        // As it was sent: nothing is decompressed.
        assert_eq!(whole(response.into_body()).await.unwrap(), b"not gzip");
    }
    for asked in server.asked() {
        let mut names: Vec<_> = asked
            .headers
            .iter()
            .map(|(name, _)| name.as_str())
            .collect();
        names.sort_unstable();
        // No cookie, referer or accept-encoding.
        assert_eq!(names, ["accept", "host", "user-agent"]);
    }
}

#[tokio::test]
async fn a_response_carries_nothing_but_what_the_host_sent() {
    let server = Server::ok().await;
    let access = access(grant(&server.url("/")));
    let response = access
        .send(get(&server.url("/?key=hunter2")))
        .await
        .unwrap();
    assert!(response.extensions().is_empty());
    assert!(!format!("{response:?}").contains("hunter2"));
}
