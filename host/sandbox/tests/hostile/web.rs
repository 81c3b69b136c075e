//! A server that sources of the field may reach, and what lets them.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures::{StreamExt, TryStreamExt};
use weir_http::{Access, Grant, Refusal};
use weir_sandbox::{Outbound, Refused, RefusedKind, ResponseBody};

/// What a server was asked: the heads and bodies of requests as they came over the wire.
#[derive(Default)]
struct Seen {
    asked: Mutex<Vec<String>>,
    connections: AtomicUsize,
    open: AtomicUsize,
    most_open: AtomicUsize,
}

/// A server on this machine, each connection of which has a thread. What is below `/granted/slow` is never answered,
/// what is below `/granted/endless` has no end, and all else is answered with a short text.
#[derive(Clone)]
pub(crate) struct Web {
    address: SocketAddr,
    seen: Arc<Seen>,
}

impl Web {
    pub(crate) fn start() -> Web {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let web = Web {
            address: listener.local_addr().unwrap(),
            seen: Arc::default(),
        };
        let seen = Arc::clone(&web.seen);
        std::thread::spawn(move || {
            for connection in listener.incoming().flatten() {
                seen.connections.fetch_add(1, Ordering::SeqCst);
                let open = seen.open.fetch_add(1, Ordering::SeqCst) + 1;
                seen.most_open.fetch_max(open, Ordering::SeqCst);
                let seen = Arc::clone(&seen);
                let serve = move || {
                    let _ = serve(connection, &seen);
                    seen.open.fetch_sub(1, Ordering::SeqCst);
                };
                let thread = std::thread::Builder::new().stack_size(128 << 10);
                thread.spawn(serve).expect("a thread");
            }
        });
        web
    }

    /// Host and port.
    pub(crate) fn authority(&self) -> String {
        self.address.to_string()
    }

    pub(crate) fn asked(&self) -> Vec<String> {
        self.seen.asked.lock().unwrap().clone()
    }

    pub(crate) fn connections(&self) -> usize {
        self.seen.connections.load(Ordering::SeqCst)
    }

    /// The most connections that were open at once.
    pub(crate) fn most_open(&self) -> usize {
        self.seen.most_open.load(Ordering::SeqCst)
    }

    /// Waits until no connection is open.
    #[track_caller]
    pub(crate) fn is_left_alone(&self) {
        for _ in 0..500 {
            if self.seen.open.load(Ordering::SeqCst) == 0 {
                return;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        panic!(
            "{} connections are still open",
            self.seen.open.load(Ordering::SeqCst)
        );
    }

    /// A grant of what is below `/granted/`, by GET.
    pub(crate) fn grant(&self) -> Grant {
        let mut grant = Grant::of(&format!("http://{}/granted/", self.address)).unwrap();
        grant.private = true;
        grant.max_response = 1 << 20;
        grant
    }
}

fn serve(mut connection: TcpStream, seen: &Seen) -> std::io::Result<()> {
    loop {
        let Some(asked) = request(&mut connection)? else {
            return Ok(());
        };
        seen.asked.lock().unwrap().push(asked.clone());
        let path = asked.split(' ').nth(1).unwrap_or_default();
        if path.starts_with("/granted/slow") {
            // Until the other side has enough.
            let mut more = [0; 64];
            while connection.read(&mut more)? > 0 {}
            return Ok(());
        }
        if path.starts_with("/granted/endless") {
            connection.write_all(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")?;
            let chunk = [b"2000\r\n".as_slice(), &[b'x'; 0x2000], b"\r\n"].concat();
            loop {
                connection.write_all(&chunk)?;
            }
        }
        connection.write_all(
            b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nx-answered: yes\r\nset-cookie: a=b\r\n\r\nok",
        )?;
    }
}

/// A request with its body, as text; none where there is no more.
fn request(connection: &mut TcpStream) -> std::io::Result<Option<String>> {
    let mut bytes = Vec::new();
    let mut block = [0; 16 << 10];
    let end = loop {
        if let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            break end + 4;
        }
        match connection.read(&mut block)? {
            0 => return Ok(None),
            read => bytes.extend_from_slice(&block[..read]),
        }
    };
    let head = String::from_utf8_lossy(&bytes[..end]).to_lowercase();
    let length = head.split("\r\ncontent-length: ").nth(1);
    let length = length.and_then(|rest| rest.split("\r\n").next()?.parse().ok());
    let mut missing = length.unwrap_or(0_usize).saturating_sub(bytes.len() - end);
    while missing > 0 {
        match connection.read(&mut block)? {
            0 => return Ok(None),
            // Large ones are only counted.
            read => {
                missing = missing.saturating_sub(read);
                if bytes.len() < 64 << 10 {
                    bytes.extend_from_slice(&block[..read]);
                }
            }
        }
    }
    Ok(Some(String::from_utf8_lossy(&bytes).into_owned()))
}

/// Requests by `weir-http`, as the engine hands them over.
#[derive(Clone, Debug)]
pub(crate) struct Wire(Access);

impl Wire {
    pub(crate) fn granted(grants: Vec<Grant>) -> Arc<Wire> {
        Arc::new(Wire(Access::new(grants).unwrap()))
    }
}

#[async_trait]
impl Outbound for Wire {
    async fn send(
        &self,
        request: http::Request<Bytes>,
    ) -> Result<http::Response<ResponseBody>, Refused> {
        let response = self.0.send(request).await.map_err(refused)?;
        Ok(response.map(|body| body.map_err(refused).boxed()))
    }
}

fn refused(refusal: Refusal) -> Refused {
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
