//! A web server of a test's own, on a free port of this machine: it answers as the test says, and keeps what it was
//! asked.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

/// What was asked.
#[derive(Debug, Clone)]
pub struct Asked {
    /// The method.
    pub method: String,
    /// Path and query.
    pub target: String,
    /// Headers, names in lower case.
    pub headers: Vec<(String, String)>,
}

/// What is answered.
#[derive(Debug, Clone)]
pub struct Answered {
    /// The status, such as 200.
    pub status: u16,
    /// Headers.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
    /// Whether the connection ends in the middle of the body.
    pub breaks: bool,
}

/// The server. Its threads end with the test's process.
pub struct Web {
    address: SocketAddr,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl Asked {
    /// A parameter of the query, as it was sent.
    pub fn parameter(&self, name: &str) -> Option<&str> {
        let (_, query) = self.target.split_once('?')?;
        query.split('&').find_map(|pair| {
            let (key, value) = pair.split_once('=')?;
            (key == name).then_some(value)
        })
    }

    /// A header.
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut headers = self.headers.iter();
        let found = headers.find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str())
    }
}

impl Answered {
    /// 200 with this body.
    pub fn body(body: impl Into<Vec<u8>>) -> Answered {
        Answered {
            status: 200,
            headers: Vec::new(),
            body: body.into(),
            breaks: false,
        }
    }

    /// This status and no body.
    pub fn status(status: u16) -> Answered {
        Answered {
            status,
            ..Answered::body("")
        }
    }
}

impl Web {
    /// A server that answers each request by `answer`, which is told how many were answered before.
    pub fn start(answer: impl Fn(usize, &Asked) -> Answered + Send + Sync + 'static) -> Web {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let (kept, answer) = (Arc::clone(&asked), Arc::new(answer));
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (kept, answer) = (Arc::clone(&kept), Arc::clone(&answer));
                thread::spawn(move || {
                    // A client that goes away is no fault of the server's.
                    let _ = serve(stream, &kept, answer.as_ref());
                });
            }
        });
        Web { address, asked }
    }

    /// Where it is: `http://127.0.0.1:PORT`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// What it was asked so far.
    pub fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }
}

fn serve(
    stream: TcpStream,
    kept: &Mutex<Vec<Asked>>,
    answer: &dyn Fn(usize, &Asked) -> Answered,
) -> std::io::Result<()> {
    stream.set_read_timeout(Some(Duration::from_secs(60)))?;
    let mut writing = stream.try_clone()?;
    let mut reading = BufReader::new(stream);
    loop {
        let mut line = String::new();
        if reading.read_line(&mut line)? == 0 {
            return Ok(());
        }
        let mut words = line.split_whitespace();
        let mut asked = Asked {
            method: words.next().unwrap_or_default().to_owned(),
            target: words.next().unwrap_or_default().to_owned(),
            headers: Vec::new(),
        };
        loop {
            let mut line = String::new();
            reading.read_line(&mut line)?;
            let Some((name, value)) = line.trim_end().split_once(':') else {
                break;
            };
            asked
                .headers
                .push((name.to_ascii_lowercase(), value.trim().to_owned()));
        }
        let length = asked.header("content-length");
        let length = length.map_or(0, |length| length.parse().unwrap_or(0));
        let mut body = vec![0; length];
        reading.read_exact(&mut body)?;
        let before = {
            let mut kept = kept.lock().unwrap();
            kept.push(asked.clone());
            kept.len() - 1
        };
        let Answered {
            status,
            headers,
            body,
            breaks,
        } = answer(before, &asked);
        let mut head = format!(
            "HTTP/1.1 {status} Answered\r\ncontent-length: {}\r\n",
            body.len()
        );
        for (name, value) in headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        head.push_str("\r\n");
        writing.write_all(head.as_bytes())?;
        if breaks {
            writing.write_all(body.get(..body.len() / 2).unwrap_or(&[]))?;
            return writing.shutdown(std::net::Shutdown::Both);
        }
        if asked.method != "HEAD" {
            writing.write_all(&body)?;
        }
        writing.flush()?;
    }
}
