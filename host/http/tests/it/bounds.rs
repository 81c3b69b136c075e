//! How large, how slow and how often.

use std::time::{Duration, Instant};

use bytes::Bytes;
use futures::{StreamExt, TryStreamExt};
use http::{Method, Request};
use weir_http::{Awaited, Grant, Refusal};

use crate::server::{Part, Server, answer, send};
use crate::{access, get, grant, whole};

fn at_most(server: &Server, bytes: u64) -> Grant {
    Grant {
        max_response: bytes,
        methods: vec![Method::GET, Method::HEAD],
        ..grant(&server.url("/"))
    }
}

#[tokio::test]
async fn a_body_that_says_it_is_too_large_is_not_read() {
    let server = Server::start(|_| answer("200 OK", "", "0123456789")).await;
    let response = access(at_most(&server, 10))
        .send(get(&server.url("/")))
        .await;
    assert_eq!(
        whole(response.unwrap().into_body()).await.unwrap(),
        b"0123456789"
    );
    let access = access(at_most(&server, 9));
    let refusal = access.send(get(&server.url("/"))).await.unwrap_err();
    assert!(
        matches!(refusal, Refusal::TooLarge { allowed: 9, .. }),
        "{refusal}"
    );
    // What a HEAD says of a length is not of its own body.
    let request = Request::head(server.url("/")).body(Bytes::new()).unwrap();
    let response = access.send(request).await.unwrap();
    assert_eq!(response.headers()["content-length"], "10");
    assert!(whole(response.into_body()).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_body_that_turns_out_too_large_ends() {
    let head = "HTTP/1.1 200 OK\r\n";
    let chunked = format!("{head}transfer-encoding: chunked\r\n\r\n6\r\n012345\r\n");
    let server = Server::start(move |asked| match asked.path_and_query() {
        "/chunked" => vec![
            send(&chunked),
            Part::Wait(Duration::from_millis(50)),
            send("4\r\n6789\r\n0\r\n\r\n"),
        ],
        _ => vec![
            send(&format!("{head}\r\n012345")),
            Part::Wait(Duration::from_millis(50)),
            send("6789"),
            Part::Close,
        ],
    })
    .await;
    for path in ["/chunked", "/until-the-end"] {
        let url = server.url(path);
        let response = access(at_most(&server, 10)).send(get(&url)).await.unwrap();
        assert_eq!(whole(response.into_body()).await.unwrap(), b"0123456789");

        let access = access(at_most(&server, 9));
        let mut body = access.send(get(&url)).await.unwrap().into_body();
        assert_eq!(body.try_next().await.unwrap().unwrap(), "012345");
        let refusal = body.try_next().await.unwrap_err();
        assert!(
            matches!(refusal, Refusal::TooLarge { allowed: 9, .. }),
            "{refusal}"
        );
        assert!(body.next().await.is_none());
        let recorded = &access.record().requests[0];
        assert_eq!(
            (recorded.status, recorded.refusal),
            (Some(200), Some("too large"))
        );
    }
}

fn patient(server: &Server, milliseconds: u64) -> Grant {
    Grant {
        timeout: Duration::from_millis(milliseconds),
        ..grant(&server.url("/"))
    }
}

#[tokio::test]
async fn a_head_that_does_not_come_is_not_waited_for() {
    let server = Server::start(|_| vec![Part::Wait(Duration::from_secs(20))]).await;
    let start = Instant::now();
    let access = access(patient(&server, 200));
    let refusal = access.send(get(&server.url("/"))).await.unwrap_err();
    let Refusal::Timeout { awaited, .. } = refusal else {
        panic!("{refusal}");
    };
    assert_eq!(awaited, Awaited::Head);
    let took = start.elapsed();
    assert!(
        took >= Duration::from_millis(200) && took < Duration::from_secs(5),
        "{took:?}"
    );
}

#[tokio::test]
async fn a_chunk_that_does_not_come_is_not_waited_for() {
    let head = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
    let server = Server::start(move |_| {
        let mut parts = vec![send(head)];
        // Together longer than the timeout, each shorter.
        for _ in 0..4 {
            parts.push(Part::Wait(Duration::from_millis(300)));
            parts.push(send("1\r\nx\r\n"));
        }
        parts.push(Part::Wait(Duration::from_secs(20)));
        parts
    })
    .await;
    let start = Instant::now();
    let access = access(patient(&server, 1_000));
    let mut body = access
        .send(get(&server.url("/")))
        .await
        .unwrap()
        .into_body();
    for _ in 0..4 {
        assert_eq!(body.try_next().await.unwrap().unwrap(), "x");
    }
    let refusal = body.try_next().await.unwrap_err();
    let Refusal::Timeout { awaited, .. } = refusal else {
        panic!("{refusal}");
    };
    assert_eq!(awaited, Awaited::Chunk);
    assert!(body.next().await.is_none());
    let took = start.elapsed();
    assert!(
        took >= Duration::from_millis(2_200) && took < Duration::from_secs(10),
        "{took:?}"
    );
}

#[tokio::test]
async fn a_guest_may_take_its_time() {
    let half = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\na";
    let server = Server::start(move |_| {
        vec![
            send(half),
            Part::Wait(Duration::from_millis(100)),
            send("b"),
        ]
    })
    .await;
    let access = access(patient(&server, 1_000));
    let mut body = access
        .send(get(&server.url("/")))
        .await
        .unwrap()
        .into_body();
    assert_eq!(body.try_next().await.unwrap().unwrap(), "a");
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    assert_eq!(body.try_next().await.unwrap().unwrap(), "b");
    assert!(body.try_next().await.unwrap().is_none());
}

#[tokio::test]
async fn clones_share_the_limit_of_requests() {
    let server = Server::ok().await;
    let access = access(Grant {
        requests_per_second: Some(10.0),
        ..grant(&server.url("/"))
    });
    let start = Instant::now();
    let sent = (0..16).map(|_| {
        let access = access.clone();
        let url = server.url("/");
        async move { access.send(get(&url)).await.map(drop) }
    });
    futures::future::try_join_all(sent).await.unwrap();
    // Ten at once, six at a tenth of a second each.
    let took = start.elapsed();
    assert!(
        took >= Duration::from_millis(590) && took < Duration::from_secs(5),
        "{took:?}"
    );
    assert_eq!(server.asked().len(), 16);
}

#[test]
fn bodies_and_access_cross_threads() {
    fn crosses<T: Send + Sync + 'static>() {}
    crosses::<weir_http::Body>();
    crosses::<weir_http::Access>();
    crosses::<Refusal>();
}
