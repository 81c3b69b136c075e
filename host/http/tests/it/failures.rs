//! What a network does.

use std::time::Duration;

use weir_http::{Grant, Refusal};

use crate::server::{Part, Server, answer, send};
use crate::{access, get, grant, shown, whole};

#[tokio::test]
async fn a_closed_port_is_said_to_be_one() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let url = format!("http://127.0.0.1:{port}/");
    let refusal = access(grant(&url))
        .send(get(&format!("{url}?key=hunter2")))
        .await
        .unwrap_err();
    assert!(
        matches!(refusal, Refusal::Connect { .. }),
        "{}",
        shown(&refusal)
    );
    assert_eq!(
        refusal.to_string(),
        format!("cannot connect to 127.0.0.1:{port}")
    );
    assert!(!shown(&refusal).contains("hunter2"), "{}", shown(&refusal));
}

#[tokio::test]
async fn nothing_is_asked_twice() {
    let server = Server::start(|_| vec![Part::Close]).await;
    let access = access(grant(&server.url("/")));
    let refusal = access
        .send(get(&server.url("/?key=hunter2")))
        .await
        .unwrap_err();
    assert!(
        matches!(refusal, Refusal::Broken { .. }),
        "{}",
        shown(&refusal)
    );
    assert!(!shown(&refusal).contains("hunter2"), "{}", shown(&refusal));
    tokio::time::sleep(Duration::from_millis(200)).await;
    server.only();

    let server =
        Server::start(|_| answer("503 Service Unavailable", "retry-after: 0\r\n", "")).await;
    let access = crate::access(grant(&server.url("/")));
    let response = access.send(get(&server.url("/"))).await.unwrap();
    assert_eq!(response.status(), 503);
    server.only();
}

#[tokio::test]
async fn a_body_that_breaks_off_is_not_whole() {
    let server = Server::start(|asked| match asked.path_and_query() {
        "/length" => vec![
            send("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n0123"),
            Part::Close,
        ],
        _ => vec![
            send("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\n0123\r\n"),
            Part::Close,
        ],
    })
    .await;
    let access = access(grant(&server.url("/")));
    for path in ["/length", "/chunked"] {
        let response = access.send(get(&server.url(path))).await.unwrap();
        let refusal = whole(response.into_body()).await.unwrap_err();
        assert!(
            matches!(refusal, Refusal::Broken { .. }),
            "{}",
            shown(&refusal)
        );
    }
    for recorded in access.record().requests {
        assert_eq!((recorded.bytes, recorded.refusal), (4, Some("broken off")));
    }
}

#[tokio::test]
async fn what_is_not_http_is_refused() {
    let server = Server::start(|_| vec![send("SSH-2.0-OpenSSH_9.6\r\n\r\n"), Part::Close]).await;
    let access = access(grant(&server.url("/")));
    let refusal = access.send(get(&server.url("/"))).await.unwrap_err();
    assert!(
        matches!(refusal, Refusal::Broken { .. }),
        "{}",
        shown(&refusal)
    );
}

#[tokio::test]
async fn a_head_without_end_is_not_kept() {
    let server = Server::start(|_| {
        let line = format!("x-{}: {}\r\n", "n".repeat(100), "v".repeat(10_000));
        let mut parts = vec![send("HTTP/1.1 200 OK\r\n")];
        parts.extend((0..1_000).map(|_| send(&line)));
        parts
    })
    .await;
    let access = access(grant(&server.url("/")));
    let refusal = access.send(get(&server.url("/"))).await.unwrap_err();
    assert!(
        matches!(refusal, Refusal::Broken { .. }),
        "{}",
        shown(&refusal)
    );
}

#[tokio::test]
async fn a_port_that_does_not_speak_tls_is_refused() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!(
        "https://127.0.0.1:{}/",
        listener.local_addr().unwrap().port()
    );
    tokio::spawn(async move {
        while let Ok((mut connection, _)) = listener.accept().await {
            let answer = b"HTTP/1.1 400 Bad Request\r\n\r\n";
            tokio::io::AsyncWriteExt::write_all(&mut connection, answer)
                .await
                .unwrap();
            tokio::time::sleep(Duration::from_secs(5)).await;
        }
    });
    let granted = Grant {
        timeout: Duration::from_secs(20),
        ..grant(&url)
    };
    let asked = get(&format!("{url}?key=hunter2"));
    let refusal = access(granted).send(asked).await.unwrap_err();
    assert!(
        matches!(refusal, Refusal::Tls { .. }),
        "{}",
        shown(&refusal)
    );
    assert!(!shown(&refusal).contains("hunter2"), "{}", shown(&refusal));
}
