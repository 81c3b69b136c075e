//! A server that answers what a test wants, and keeps what it was asked.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// A part of an answer.
pub enum Part {
    /// These bytes.
    Send(Vec<u8>),
    /// Nothing for a time.
    Wait(Duration),
    /// The end of the connection.
    Close,
}

/// An answer in one piece.
pub fn answer(status: &str, headers: &str, body: &str) -> Vec<Part> {
    let length = body.len();
    let text = format!("HTTP/1.1 {status}\r\ncontent-length: {length}\r\n{headers}\r\n{body}");
    vec![Part::Send(text.into_bytes())]
}

/// Text as a part.
pub fn send(text: &str) -> Part {
    Part::Send(text.as_bytes().to_vec())
}

/// A request as it came over the wire.
#[derive(Clone, Debug)]
pub struct Asked {
    /// Its first line.
    pub line: String,
    /// Its headers, names in lower case, in their order.
    pub headers: Vec<(String, String)>,
    /// Its body.
    pub body: Vec<u8>,
}

impl Asked {
    /// All values of a header.
    pub fn all(&self, name: &str) -> Vec<&str> {
        let of_name = self.headers.iter().filter(|(own, _)| own == name);
        of_name.map(|(_, value)| value.as_str()).collect()
    }

    /// What comes after the method.
    pub fn path_and_query(&self) -> &str {
        self.line.split(' ').nth(1).unwrap()
    }
}

#[derive(Clone)]
pub struct Server {
    address: SocketAddr,
    seen: Arc<Mutex<Seen>>,
}

#[derive(Default)]
struct Seen {
    connections: usize,
    asked: Vec<Asked>,
}

impl Server {
    /// Begins to listen, and answers each request with what `answer` makes of it.
    pub async fn start(answer: impl Fn(&Asked) -> Vec<Part> + Send + Sync + 'static) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let server = Server {
            address: listener.local_addr().unwrap(),
            seen: Arc::default(),
        };
        let answer = Arc::new(answer);
        let seen = Arc::clone(&server.seen);
        tokio::spawn(async move {
            while let Ok((connection, _)) = listener.accept().await {
                seen.lock().unwrap().connections += 1;
                let (seen, answer) = (Arc::clone(&seen), Arc::clone(&answer));
                tokio::spawn(async move { serve(connection, &seen, &*answer).await });
            }
        });
        server
    }

    /// A server that says `ok`.
    pub async fn ok() -> Server {
        Server::start(|_| answer("200 OK", "", "ok")).await
    }

    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// A URL of it, by its address.
    pub fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port())
    }

    pub fn connections(&self) -> usize {
        self.seen.lock().unwrap().connections
    }

    pub fn asked(&self) -> Vec<Asked> {
        self.seen.lock().unwrap().asked.clone()
    }

    /// The one request that it got.
    pub fn only(&self) -> Asked {
        let mut asked = self.asked();
        assert_eq!(asked.len(), 1, "{asked:?}");
        asked.remove(0)
    }
}

async fn serve(
    mut connection: TcpStream,
    seen: &Mutex<Seen>,
    answer: &(dyn Fn(&Asked) -> Vec<Part> + Send + Sync),
) -> Option<()> {
    loop {
        let asked = read(&mut connection).await?;
        seen.lock().unwrap().asked.push(asked.clone());
        for part in answer(&asked) {
            match part {
                Part::Send(bytes) => connection.write_all(&bytes).await.ok()?,
                Part::Wait(time) => tokio::time::sleep(time).await,
                Part::Close => return None,
            }
        }
    }
}

async fn read(connection: &mut TcpStream) -> Option<Asked> {
    let mut bytes = Vec::new();
    let end = loop {
        if let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            break end + 4;
        }
        if connection.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    };
    let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
    let mut lines = head.trim_end().split("\r\n");
    let line = lines.next().unwrap().to_owned();
    let headers: Vec<(String, String)> = lines
        .map(|line| line.split_once(':').unwrap())
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
        .collect();
    let length = headers.iter().find(|(name, _)| name == "content-length");
    let length: usize = length.map_or(0, |(_, length)| length.parse().unwrap());
    while bytes.len() < end + length {
        if connection.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    }
    Some(Asked {
        line,
        headers,
        body: bytes[end..end + length].to_vec(),
    })
}
