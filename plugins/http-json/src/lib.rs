//! Reads records of paged JSON over HTTP: one row for each record, with columns by path and type.
//!
//! A walk goes from the first page of a stream to its last; each request gives one page, and each page is a place to
//! go on from. With a `cursor` the next walk asks for what is newer than the highest value seen. Without one it goes
//! on where the last one ended: at the last page, behind the records that it took from it. That is right for lists
//! that only grow at their end.

mod cell;
mod config;
mod paging;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use serde::Serialize;
use serde_json::Value;
use weir_plugin::http::Request;
use weir_plugin::prelude::*;

use cell::Columns;
use config::{Config, StreamConfig};
use paging::{Next, Place};

const NOT_AN_OBJECT: Rule = Rule {
    name: "not_an_object",
    description: "A record is a JSON object.",
};
const MISSING_VALUE: Rule = Rule {
    name: "missing_value",
    description: "A column that is required has a value in each record.",
};
const BAD_VALUE: Rule = Rule {
    name: "bad_value",
    description: "Each value is of its column's type.",
};

/// Most characters of a record that quarantine shows.
const SHOWN: usize = 1000;

/// A stream, open at some place.
struct HttpJson {
    config: StreamConfig,
    columns: Columns,
    state: State,
}

/// How far a stream has been read.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct State {
    /// The page to ask for next.
    #[serde(default)]
    at: Place,
    /// How many records of that page were taken before.
    #[serde(default)]
    skip: usize,
    /// What this walk asks to be newer than.
    #[serde(default)]
    since: Option<String>,
    /// The highest value of the cursor so far.
    #[serde(default)]
    highest: Option<String>,
}

impl Source for HttpJson {
    type Config = Config;
    type State = State;

    const INFO: Info = Info {
        name: "http-json",
        version: env!("CARGO_PKG_VERSION"),
        description: "Reads records of paged JSON over HTTP.",
        columns: &[],
        rules: &[NOT_AN_OBJECT, MISSING_VALUE, BAD_VALUE],
    };

    fn discover(config: &Config, _: &Run) -> Result<Vec<Stream>, Error> {
        let streams = config.streams.iter().map(|(name, stream)| {
            let columns = Columns::of(name, stream)?;
            let mut found = Stream::new(name, Arc::clone(columns.schema()));
            found.cursor = stream.cursor.as_ref().map(|cursor| cursor.column.clone());
            found.primary_key.clone_from(&stream.key);
            Ok(found)
        });
        streams.collect()
    }

    fn open(
        mut config: Config,
        _: &Run,
        stream: &Stream,
        _: &str,
        state: Option<State>,
    ) -> Result<Self, Error> {
        let config = config
            .streams
            .remove(&stream.name)
            .ok_or_else(|| Error::fatal("a stream that was not discovered"))?;
        Ok(HttpJson {
            columns: Columns::of(&stream.name, &config)?,
            state: state.unwrap_or_default(),
            config,
        })
    }

    fn read(&mut self, out: &mut Page<'_>) -> Result<Progress<State>, Error> {
        let response = self.request().send()?.ok()?;
        let link = response.header("link").map(str::to_owned);
        let body: Value = response.json()?;
        let records = records(&body, &self.config.records)?;
        for record in records.iter().skip(self.state.skip) {
            self.take(record, out)?;
        }
        self.columns.flush(out)?;
        let next = paging::next(
            &self.config,
            &self.state.at,
            records.len(),
            &body,
            link.as_deref(),
        )?;
        Ok(match next {
            Next::Page(at) => {
                self.state = State {
                    at,
                    skip: 0,
                    ..self.state.clone()
                };
                Progress::More(self.state.clone())
            }
            Next::None => Progress::Done(self.ended(records.len())),
        })
    }
}

impl HttpJson {
    fn request(&self) -> Request {
        let url = self.state.at.url().unwrap_or(&self.config.url);
        let mut request = Request::get(url).header("accept", "application/json");
        // A link is followed as it is given.
        if self.state.at.url().is_some() {
            return request;
        }
        for (name, value) in &self.config.query {
            request = request.query(name, value);
        }
        for (name, value) in paging::parameters(&self.config, &self.state.at) {
            request = request.query(&name, &value);
        }
        if let (Some(cursor), Some(since)) = (&self.config.cursor, &self.state.since) {
            request = request.query(&cursor.parameter, since);
        }
        request
    }

    fn take(&mut self, record: &Value, out: &mut Page<'_>) -> Result<(), Error> {
        let taken = match record.as_object() {
            None => Err((&NOT_AN_OBJECT, "it is something else".to_owned())),
            Some(_) => self.columns.push(record),
        };
        if let Err((rule, message)) = taken {
            let text: String = record.to_string().chars().take(SHOWN).collect();
            out.reject(&text, rule, &message);
            return Ok(());
        }
        if let Some(cursor) = &self.config.cursor {
            let value = self.columns.last_text(&cursor.column);
            self.state.highest =
                cell::higher(self.state.highest.take(), value, &self.columns, cursor);
        }
        Ok(())
    }

    /// The state behind a walk, of whose last page so many records were taken.
    fn ended(&self, records: usize) -> State {
        match &self.config.cursor {
            Some(_) => State {
                since: self.state.highest.clone().or(self.state.since.clone()),
                highest: self.state.highest.clone().or(self.state.since.clone()),
                ..State::default()
            },
            None => State {
                skip: records.max(self.state.skip),
                ..self.state.clone()
            },
        }
    }
}

/// The list of records in a page: at a path, or the page itself.
fn records<'a>(body: &'a Value, path: &str) -> Result<&'a [Value], Error> {
    let found = config::at(body, path);
    match found {
        Some(Value::Array(records)) => Ok(records),
        // An empty page may leave it out.
        None | Some(Value::Null) if !path.is_empty() => Ok(&[]),
        _ => Err(Error::data(format!(
            "there is no list of records at '{path}' of the response: say with `records` where it is"
        ))),
    }
}

weir_plugin::export_source!(HttpJson);
