//! A server that answers what a test wants.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// An answer.
pub enum Reply {
    /// A status and a body.
    Json(u16, Value),
    /// A status and a body that is no JSON.
    Text(u16, Vec<u8>),
    /// The connection is closed.
    Cut,
    /// The connection is closed within the body.
    CutWithin(Value),
    /// A status and a body, after a time.
    After(Duration, Value),
}

impl Reply {
    /// An error as DynamoDB gives it. Its message may hold anything.
    pub fn error(status: u16, code: &str) -> Reply {
        let kind = format!("com.amazonaws.dynamodb.v20120810#{code}");
        Reply::Json(
            status,
            serde_json::json!({"__type": kind, "message": "message-canary AKIA-canary"}),
        )
    }
}

/// What a server was asked.
#[derive(Clone, Debug)]
pub struct Request {
    /// The operation, such as `Scan`.
    pub operation: String,
    /// The body.
    pub body: Value,
}

type Answer = dyn Fn(usize, &Value) -> Reply + Send + Sync;

/// A server on a free port of the loopback. It ends with this value.
pub struct Server {
    port: u16,
    asked: Arc<Mutex<Vec<Request>>>,
    hung_up: Arc<AtomicUsize>,
    task: JoinHandle<()>,
}

impl Server {
    /// A server that gives `answer` the number of the request, from 0, and its body.
    pub async fn start(answer: impl Fn(usize, &Value) -> Reply + Send + Sync + 'static) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let hung_up = Arc::new(AtomicUsize::new(0));
        let answer: Arc<Answer> = Arc::new(answer);
        let task = tokio::spawn({
            let (asked, hung_up) = (Arc::clone(&asked), Arc::clone(&hung_up));
            async move {
                let mut connections = tokio::task::JoinSet::new();
                while let Ok((stream, _)) = listener.accept().await {
                    let (asked, hung_up) = (Arc::clone(&asked), Arc::clone(&hung_up));
                    connections.spawn(serve(stream, asked, hung_up, Arc::clone(&answer)));
                }
            }
        });
        Server {
            port,
            asked,
            hung_up,
            task,
        }
    }

    /// Its URL.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// All that it was asked.
    pub fn asked(&self) -> Vec<Request> {
        self.asked.lock().unwrap().clone()
    }

    /// How many clients went away before they had their answer.
    pub fn hung_up(&self) -> usize {
        self.hung_up.load(Ordering::SeqCst)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(
    stream: TcpStream,
    asked: Arc<Mutex<Vec<Request>>>,
    hung_up: Arc<AtomicUsize>,
    answer: Arc<Answer>,
) {
    let mut stream = BufReader::new(stream);
    while let Some(request) = read(&mut stream).await {
        let number = {
            let mut asked = asked.lock().unwrap();
            asked.push(request.clone());
            asked.len() - 1
        };
        match answer(number, &request.body) {
            Reply::Json(status, body) => {
                write(&mut stream, status, body.to_string().as_bytes()).await
            }
            Reply::Text(status, body) => write(&mut stream, status, &body).await,
            Reply::Cut => return,
            Reply::CutWithin(body) => {
                let head = "HTTP/1.1 200 Status\r\nContent-Length: 100000\r\n\r\n";
                let _ = stream.write_all(head.as_bytes()).await;
                let _ = stream.write_all(body.to_string().as_bytes()).await;
                let _ = stream.flush().await;
                return;
            }
            Reply::After(time, body) => {
                let mut byte = [0];
                tokio::select! {
                    // Nobody sends anything before there is an answer.
                    _ = stream.read(&mut byte) => {
                        hung_up.fetch_add(1, Ordering::SeqCst);
                        return;
                    }
                    () = tokio::time::sleep(time) => {}
                }
                write(&mut stream, 200, body.to_string().as_bytes()).await;
            }
        }
    }
}

async fn read(stream: &mut BufReader<TcpStream>) -> Option<Request> {
    let mut operation = String::new();
    let mut length = 0;
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).await.ok()? == 0 {
            return None;
        }
        let line = line.trim();
        if line.is_empty() {
            break;
        }
        let Some((name, value)) = line.split_once(':') else {
            continue;
        };
        match name.to_ascii_lowercase().as_str() {
            "content-length" => length = value.trim().parse().ok()?,
            "x-amz-target" => operation = value.trim().rsplit('.').next()?.to_owned(),
            _ => {}
        }
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await.ok()?;
    Some(Request {
        operation,
        body: serde_json::from_slice(&body).ok()?,
    })
}

async fn write(stream: &mut BufReader<TcpStream>, status: u16, body: &[u8]) {
    let head = format!(
        "HTTP/1.1 {status} Status\r\nContent-Type: application/x-amz-json-1.0\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    // A client that has gone away is no matter of the server.
    let _ = stream.write_all(head.as_bytes()).await;
    let _ = stream.write_all(body).await;
    let _ = stream.flush().await;
}
