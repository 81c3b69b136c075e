//! What is kept of requests, and what is logged.

use std::io::Write;
use std::sync::{Arc, Mutex};

use http::header::HeaderName;
use tracing_subscriber::fmt::MakeWriter;
use weir_http::{Access, Credentials, Grant, SecretText};

use crate::server::{Part, Server, answer};
use crate::{get, grant, whole};

async fn served() -> (Server, Access) {
    let server = Server::start(|asked| match asked.path_and_query() {
        path if path.starts_with("/broken") => vec![Part::Close],
        path if path.starts_with("/missing") => answer("404 Not Found", "", "?"),
        _ => answer("200 OK", "", "hello"),
    })
    .await;
    let access = crate::access(Grant {
        credentials: Credentials::Added {
            headers: vec![(HeaderName::from_static("x-key"), SecretText::new("hunter2"))],
            query: vec![("api_key".to_owned(), SecretText::new("hunter2"))],
        },
        ..grant(&server.url("/"))
    });
    (server, access)
}

async fn ask(server: &Server, access: &Access) {
    for path in ["/a?q=guests", "/a", "/missing", "/broken?q=guests"] {
        if let Ok(response) = access.send(get(&server.url(path))).await {
            whole(response.into_body()).await.unwrap();
        }
    }
    for url in [
        "http://weir.invalid/x?q=guests",
        "http://u:guests@weir.invalid/y",
    ] {
        access.send(get(url)).await.unwrap_err();
    }
}

#[tokio::test]
async fn the_record_has_each_request_and_no_secret() {
    let (server, access) = served().await;
    let clone = access.clone();
    ask(&server, &access).await;
    let record = clone.record();
    let host = format!("127.0.0.1:{}", server.port());
    let requests: Vec<_> = record
        .requests
        .iter()
        .map(|one| {
            assert_eq!(one.method, "GET");
            (
                one.host.as_str(),
                one.path.as_str(),
                one.status,
                one.refusal,
                one.bytes,
            )
        })
        .collect();
    assert_eq!(
        requests,
        [
            (host.as_str(), "/a", Some(200), None, 5),
            (&host, "/a", Some(200), None, 5),
            (&host, "/missing", Some(404), None, 1),
            (&host, "/broken", None, Some("broken off"), 0),
            ("weir.invalid", "/x", None, Some("not granted"), 0),
            ("-", "/y", None, Some("malformed"), 0),
        ]
    );
    let ok = record
        .totals
        .iter()
        .find(|total| total.status == Some(200))
        .unwrap();
    assert_eq!(
        (ok.host.as_str(), ok.requests, ok.bytes),
        (host.as_str(), 2, 10)
    );
    assert_eq!(
        record
            .totals
            .iter()
            .map(|total| total.requests)
            .sum::<u64>(),
        6
    );
    let shown = format!("{record:?} {access:?}");
    assert!(
        !shown.contains("hunter2") && !shown.contains("guests"),
        "{shown}"
    );
}

#[tokio::test]
async fn a_request_that_nobody_waits_for_is_abandoned() {
    let server = Server::start(|_| vec![Part::Wait(std::time::Duration::from_secs(20))]).await;
    let access = crate::access(grant(&server.url("/")));
    let url = server.url("/");
    let time = std::time::Duration::from_millis(100);
    let given_up = tokio::time::timeout(time, access.send(get(&url))).await;
    assert!(given_up.is_err());
    assert_eq!(access.record().requests[0].refusal, Some("abandoned"));
}

#[derive(Clone, Default)]
struct Kept(Arc<Mutex<Vec<u8>>>);

impl Write for Kept {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Kept {
    type Writer = Kept;

    fn make_writer(&'a self) -> Kept {
        self.clone()
    }
}

#[tokio::test]
async fn the_log_has_one_event_for_each_request_and_no_secret() {
    let kept = Kept::default();
    // All that anything says, the client's libraries included.
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_ansi(false)
        .with_writer(kept.clone())
        .finish();
    let (server, access) = served().await;
    let guard = tracing::subscriber::set_default(subscriber);
    ask(&server, &access).await;
    drop(guard);
    let log = String::from_utf8(kept.0.lock().unwrap().clone()).unwrap();
    let events: Vec<_> = log
        .lines()
        .filter(|line| line.contains("weir::http"))
        .collect();
    assert_eq!(events.len(), 6, "{log}");
    let first = format!(
        "DEBUG weir::http: request finished method=GET host=127.0.0.1:{} path=/a status=200 bytes=5",
        server.port()
    );
    assert!(events[0].ends_with(&first), "{}", events[0]);
    assert!(
        events[4].ends_with("path=/x refusal=\"not granted\" bytes=0"),
        "{}",
        events[4]
    );
    assert!(!log.contains("hunter2"), "{log}");
}
