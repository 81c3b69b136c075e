//! What was asked for and what came of it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// How many requests are kept one by one.
const MOST_REQUESTS: usize = 1_000;
/// How many totals are kept: a plugin chooses hosts and methods, and could fill the memory with them.
const MOST_TOTALS: usize = 1_000;
/// How many characters of a path, of a host and of a method are kept.
const LONGEST: usize = 300;
/// What the host is called in totals past [`MOST_TOTALS`].
const OTHERS: &str = "(others)";
/// The refusal of a request whose caller did not wait for its end.
const ABANDONED: &str = "abandoned";

/// What a plugin asked for. It holds no query, no header and no body, and so no secret.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Record {
    /// All requests, by host, method and outcome, in this order. Requests without an outcome are
    /// not yet in it.
    pub totals: Vec<Total>,
    /// The first 1,000 requests, in the order in which they began.
    pub requests: Vec<Recorded>,
}

/// How often the same came of the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Total {
    /// The host, and its port if it is not the scheme's own; `-` where a URL had none that can be
    /// used; `(others)` once there are 1,000 totals.
    pub host: String,
    /// The method.
    pub method: String,
    /// The status of the responses, if there were any.
    pub status: Option<u16>,
    /// Why there was no response or not all of it: [`Refusal::code`](crate::Refusal::code), or
    /// `abandoned` if nobody waited for it.
    pub refusal: Option<&'static str>,
    /// How many requests.
    pub requests: u64,
    /// How many bytes of their bodies were received.
    pub bytes: u64,
}

/// One request. With neither status nor refusal it is still under way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recorded {
    /// The method.
    pub method: String,
    /// The host, as in [`Total::host`].
    pub host: String,
    /// The path without the query, at most 300 characters of it.
    pub path: String,
    /// The status of the response.
    pub status: Option<u16>,
    /// Why there was none or not all of it, as in [`Total::refusal`].
    pub refusal: Option<&'static str>,
    /// How many bytes of its body were received.
    pub bytes: u64,
}

/// The record as it is written. Clones write the same.
#[derive(Clone, Debug, Default)]
pub(crate) struct Journal(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    totals: BTreeMap<Key, Sum>,
    requests: Vec<Recorded>,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    host: String,
    method: String,
    status: Option<u16>,
    refusal: Option<&'static str>,
}

#[derive(Debug, Default)]
struct Sum {
    requests: u64,
    bytes: u64,
}

impl Journal {
    /// Notes that a request begins.
    pub(crate) fn begin(&self, method: &str, host: &str, path: &str) -> Line {
        let line = Recorded {
            method: shortened(method),
            host: shortened(host),
            path: shortened(path),
            status: None,
            refusal: None,
            bytes: 0,
        };
        let mut state = self.state();
        let index = state.requests.len();
        let index = (index < MOST_REQUESTS).then_some(index);
        if index.is_some() {
            state.requests.push(line.clone());
        }
        drop(state);
        Line {
            journal: self.clone(),
            index,
            line,
            counted: None,
        }
    }

    pub(crate) fn record(&self) -> Record {
        let state = self.state();
        let totals = state.totals.iter().map(|(key, sum)| Total {
            host: key.host.clone(),
            method: key.method.clone(),
            status: key.status,
            refusal: key.refusal,
            requests: sum.requests,
            bytes: sum.bytes,
        });
        Record {
            totals: totals.collect(),
            requests: state.requests.clone(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Counts a request, or counts it elsewhere than before.
    fn count(&mut self, line: &Recorded, before: Option<Counted>) -> Counted {
        if let Some(Counted { key, bytes }) = before
            && let Some(sum) = self.totals.get_mut(&key)
        {
            sum.requests = sum.requests.saturating_sub(1);
            sum.bytes = sum.bytes.saturating_sub(bytes);
            if sum.requests == 0 {
                self.totals.remove(&key);
            }
        }
        let mut key = Key {
            host: line.host.clone(),
            method: line.method.clone(),
            status: line.status,
            refusal: line.refusal,
        };
        if self.totals.len() >= MOST_TOTALS && !self.totals.contains_key(&key) {
            OTHERS.clone_into(&mut key.host);
            OTHERS.clone_into(&mut key.method);
        }
        let sum = self.totals.entry(key.clone()).or_default();
        sum.requests = sum.requests.saturating_add(1);
        sum.bytes = sum.bytes.saturating_add(line.bytes);
        Counted {
            key,
            bytes: line.bytes,
        }
    }
}

/// A request in the record, from its beginning until nobody can add to it any more. Then it is in
/// the log as well.
#[derive(Debug)]
pub(crate) struct Line {
    journal: Journal,
    /// Where it is among the requests, if it is.
    index: Option<usize>,
    line: Recorded,
    counted: Option<Counted>,
}

/// What a total holds of one request.
#[derive(Debug)]
struct Counted {
    key: Key,
    bytes: u64,
}

impl Line {
    /// Notes the status of the response.
    pub(crate) fn answered(&mut self, status: u16) {
        self.line.status = Some(status);
        self.write();
    }

    /// Notes why there is no response, or no more of it.
    pub(crate) fn refused(&mut self, code: &'static str) {
        self.line.refusal = Some(code);
        self.write();
    }

    /// Notes bytes of the response's body.
    pub(crate) fn received(&mut self, bytes: u64) {
        self.line.bytes = self.line.bytes.saturating_add(bytes);
        self.write();
    }

    /// Writes the line as it is now, in place of what it was.
    fn write(&mut self) {
        let mut state = self.journal.state();
        let entry = self.index.and_then(|index| state.requests.get_mut(index));
        if let Some(entry) = entry {
            entry.status = self.line.status;
            entry.refusal = self.line.refusal;
            entry.bytes = self.line.bytes;
        }
        self.counted = Some(state.count(&self.line, self.counted.take()));
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        if self.line.status.is_none() && self.line.refusal.is_none() {
            self.refused(ABANDONED);
        }
        let Recorded {
            method,
            host,
            path,
            status,
            refusal,
            bytes,
        } = &self.line;
        tracing::debug!(target: "weir::http", %method, %host, %path, status, refusal, bytes, "request finished");
    }
}

fn shortened(text: &str) -> String {
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn totals(journal: &Journal) -> Vec<String> {
        let show = |total: Total| {
            format!(
                "{} {} {:?} {:?} {} {}",
                total.host, total.method, total.status, total.refusal, total.requests, total.bytes
            )
        };
        journal.record().totals.into_iter().map(show).collect()
    }

    #[test]
    fn a_request_is_counted_once_wherever_it_ends() {
        let journal = Journal::default();
        let mut first = journal.begin("GET", "a", "/1");
        assert!(totals(&journal).is_empty());
        first.answered(200);
        first.received(5);
        let mut second = journal.begin("GET", "a", "/2");
        second.answered(200);
        second.received(7);
        assert_eq!(totals(&journal), ["a GET Some(200) None 2 12"]);
        first.received(1);
        first.refused("too large");
        drop(first);
        drop(second);
        drop(journal.begin("PUT", "b", "/3"));
        assert_eq!(
            totals(&journal),
            [
                "a GET Some(200) None 1 7",
                "a GET Some(200) Some(\"too large\") 1 6",
                "b PUT None Some(\"abandoned\") 1 0",
            ]
        );
        let requests = journal.record().requests;
        let shown: Vec<_> = requests
            .iter()
            .map(|one| (one.path.as_str(), one.status, one.refusal, one.bytes))
            .collect();
        assert_eq!(
            shown,
            [
                ("/1", Some(200), Some("too large"), 6),
                ("/2", Some(200), None, 7),
                ("/3", None, Some("abandoned"), 0),
            ]
        );
    }

    #[test]
    fn a_plugin_cannot_fill_the_memory_with_it() {
        let journal = Journal::default();
        for n in 0..3_000 {
            let mut line = journal.begin("GET", &format!("host{n}"), &"é".repeat(10_000));
            line.refused("not granted");
        }
        let record = journal.record();
        assert_eq!(record.requests.len(), MOST_REQUESTS);
        assert_eq!(record.requests[0].path.chars().count(), LONGEST + 1);
        assert_eq!(record.totals.len(), MOST_TOTALS + 1);
        let all: u64 = record.totals.iter().map(|total| total.requests).sum();
        assert_eq!(all, 3_000);
        let others = record.totals.iter().find(|total| total.host == OTHERS);
        assert_eq!(others.unwrap().requests, 2_000);
    }
}
