//! What a guest says: one bounded stream of lines, to `tracing` (target `weir::guest`) or, where its
//! words are kept, to a sink of the host's.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};
use wasmtime_wasi::p2::{OutputStream, Pollable, StreamResult};

use crate::guest_text::{MAX_TEXT, escape};
use crate::terms::Speech;

/// Longest part of a line that stdout or stderr buffers before it becomes a line of its own.
const MAX_LINE: usize = 4096;
/// Most bytes of one write.
const MAX_WRITE: usize = 64 << 10;
/// What a line costs besides its text.
const LINE_COST: u64 = 16;

/// How much a line matters, in the guest's opinion.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GuestLevel {
    /// Of use to the plugin's author.
    Debug,
    /// A normal event.
    Info,
    /// Something that a person should know.
    Warn,
}

/// Where a line comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GuestStream {
    /// `log` of the contract.
    Log,
    /// stdout.
    Stdout,
    /// stderr, panics among it.
    Stderr,
    /// The message of a rejection.
    Message,
    /// A typed error, a bad batch, a trap: what would be told of it if words were not kept.
    Error,
    /// A metric's name and sum.
    Metric,
}

impl GuestStream {
    /// Its name in logs.
    pub fn name(self) -> &'static str {
        match self {
            GuestStream::Log => "log",
            GuestStream::Stdout => "stdout",
            GuestStream::Stderr => "stderr",
            GuestStream::Message => "message",
            GuestStream::Error => "error",
            GuestStream::Metric => "metric",
        }
    }
}

/// One line of a guest's.
#[derive(Clone, Copy, Debug)]
pub struct GuestLine<'a> {
    /// The plugin's name in the pipeline file.
    pub plugin: &'a str,
    /// The stage's label.
    pub stage: &'a str,
    /// Where it comes from.
    pub stream: GuestStream,
    /// How much it matters.
    pub level: GuestLevel,
    /// The text: escaped, cut at 1 KiB. It may hold data.
    pub text: &'a str,
}

/// Where the words of guests are kept. Called during guest calls, from any thread: it should neither
/// block for long nor panic.
pub trait GuestSink: Send + Sync + fmt::Debug {
    /// Keeps a line. What cannot be kept is lost; the guest learns nothing of it.
    fn line(&self, line: GuestLine<'_>);
}

/// Where an instance's lines go. Clones share one budget.
#[derive(Clone, Debug)]
pub(crate) struct GuestLog {
    inner: Arc<Mutex<Budget>>,
}

#[derive(Debug)]
struct Budget {
    plugin: String,
    stage: String,
    speech: Speech,
    left: u64,
    dropped: u64,
}

impl GuestLog {
    pub(crate) fn new(plugin: &str, stage: &str, speech: &Speech, bytes: u64) -> GuestLog {
        let budget = Budget {
            plugin: plugin.to_owned(),
            stage: stage.to_owned(),
            speech: speech.clone(),
            left: bytes,
            dropped: 0,
        };
        GuestLog {
            inner: Arc::new(Mutex::new(budget)),
        }
    }

    /// Logs one line, or counts it where the budget is spent.
    pub(crate) fn line(&self, level: GuestLevel, stream: GuestStream, text: &str) {
        let mut budget = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        let text = escape(text, MAX_TEXT);
        let cost = match stream {
            // An instance ends with one of these, and a guest that talked much must not silence it.
            GuestStream::Error => 0,
            _ => u64::try_from(text.len())
                .unwrap_or(u64::MAX)
                .saturating_add(LINE_COST),
        };
        if cost > budget.left {
            budget.left = 0;
            budget.dropped = budget.dropped.saturating_add(1);
            return;
        }
        budget.left -= cost;
        let (plugin, stage) = (budget.plugin.as_str(), budget.stage.as_str());
        match &budget.speech {
            Speech::Open => {}
            Speech::Heard(sink) | Speech::Kept(sink) => {
                return sink.line(GuestLine {
                    plugin,
                    stage,
                    stream,
                    level,
                    text: &text,
                });
            }
            Speech::Untold => return,
        }
        let stream = stream.name();
        match level {
            GuestLevel::Debug => {
                tracing::debug!(target: "weir::guest", plugin, stage, stream, text, "guest line")
            }
            GuestLevel::Info => {
                tracing::info!(target: "weir::guest", plugin, stage, stream, text, "guest line")
            }
            GuestLevel::Warn => {
                tracing::warn!(target: "weir::guest", plugin, stage, stream, text, "guest line")
            }
        }
    }

    /// Lines dropped so far.
    pub(crate) fn dropped(&self) -> u64 {
        self.inner
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .dropped
    }

    /// This log as the guest's stdout or stderr.
    pub(crate) fn stream(&self, stream: GuestStream) -> LogStream {
        LogStream {
            log: self.clone(),
            stream,
            line: Arc::default(),
        }
    }
}

/// Cuts what a guest writes into lines. Clones share the line in the making.
#[derive(Clone, Debug)]
pub(crate) struct LogStream {
    log: GuestLog,
    stream: GuestStream,
    line: Arc<Mutex<Vec<u8>>>,
}

impl LogStream {
    fn push(&self, bytes: &[u8]) {
        let mut line = self.line.lock().unwrap_or_else(PoisonError::into_inner);
        for &byte in bytes {
            if byte != b'\n' {
                line.push(byte);
            }
            if (byte == b'\n' && !line.is_empty()) || line.len() >= MAX_LINE {
                self.log.line(
                    GuestLevel::Info,
                    self.stream,
                    &String::from_utf8_lossy(&line),
                );
                line.clear();
            }
        }
    }
}

impl Drop for LogStream {
    fn drop(&mut self) {
        // Last words without a line end are not lost.
        if Arc::strong_count(&self.line) == 1 {
            self.push(b"\n");
        }
    }
}

impl IsTerminal for LogStream {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for LogStream {
    fn async_stream(&self) -> Box<dyn tokio::io::AsyncWrite + Send + Sync> {
        Box::new(tokio::io::sink())
    }

    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(self.clone())
    }
}

#[wasmtime_wasi::async_trait]
impl Pollable for LogStream {
    async fn ready(&mut self) {}
}

impl OutputStream for LogStream {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        self.push(&bytes);
        Ok(())
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        Ok(MAX_WRITE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_budget_is_shared_and_what_exceeds_it_is_counted() {
        let log = GuestLog::new("p", "s", &Speech::Open, 100);
        let stream = log.stream(GuestStream::Stderr);
        stream.push(b"one\ntwo");
        stream.push(b" parts\n\n");
        assert_eq!(log.dropped(), 0);
        for _ in 0..10 {
            log.line(GuestLevel::Info, GuestStream::Log, "a line of some length");
        }
        assert_eq!(log.dropped(), 9);
    }

    #[test]
    fn a_line_without_end_is_cut() {
        let log = GuestLog::new("p", "s", &Speech::Open, 1 << 20);
        let stream = log.stream(GuestStream::Stdout);
        stream.push(&vec![b'x'; MAX_LINE * 2 + 5]);
        assert_eq!(stream.line.lock().unwrap().len(), 5);
    }
}
