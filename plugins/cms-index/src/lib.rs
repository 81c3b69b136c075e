//! Reads the CSV files that a web page links to, zipped, gzipped or plain: one row for each record, with its columns
//! as text. Each file is read once; a later run reads those that the page links to since.
//!
//! Files are read as they come, never whole: what a call of `read` gives is a page of rows, and a run that broke off
//! asks for the same file again and skips the rows that it had.

mod columns;
mod links;
mod rows;
#[cfg(test)]
mod tests;
mod unzip;

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;
use std::sync::Arc;

use serde::Serialize;
use weir_plugin::http::{Request, Response};
use weir_plugin::prelude::*;

use columns::Columns;
use rows::Rows;

const BAD_RECORD: Rule = Rule {
    name: "bad_record",
    description: "A record has as many fields as the header, and its text is UTF-8.",
};

/// Rows of a page.
const PAGE: usize = 32_768;
/// The stream's name.
const STREAM: &str = "files";

/// The plugin's configuration.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Config {
    /// The page that links to the files.
    index: String,
    /// Which links are files: the end of their URL's path, with `*` for any characters, such as
    /// `*Beneficiary_Summary*.zip`.
    links: String,
    /// Which files of an archive are read, likewise; `*.csv` if it is left out.
    #[serde(default = "any_csv")]
    members: String,
    /// The columns of the rows: a list of names, which the files' headers have in whatever case, or
    /// a table of them, each with the name that the headers have for it.
    columns: Columns,
    /// A column that takes the name of the file a row came from.
    #[serde(default)]
    file_column: Option<String>,
    /// What is between two fields; a comma if it is left out.
    #[serde(default = "comma")]
    delimiter: char,
}

fn any_csv() -> String {
    "*.csv".to_owned()
}

fn comma() -> char {
    ','
}

/// Which files were read, and how far the one in hand.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct State {
    /// The files that were read whole, each as the [`digest`] of its URL: a state has bounds, and
    /// URLs are long.
    #[serde(default)]
    read: BTreeSet<String>,
    /// How many records were read of the files that were begun: of the one in hand, and of one that the page did not
    /// link to any more when it was to be gone on with.
    #[serde(default)]
    begun: BTreeMap<String, u64>,
}

/// The files of a page.
struct CmsIndex {
    config: Config,
    schema: SchemaRef,
    state: State,
    /// The files that are still to be read; none before the page was asked for.
    left: Option<Vec<String>>,
    /// The file in hand.
    open: Option<Open>,
}

struct Open {
    url: String,
    records: u64,
    rows: Rows,
}

impl Source for CmsIndex {
    type Config = Config;
    type State = State;

    const INFO: Info = Info {
        name: "cms-index",
        version: env!("CARGO_PKG_VERSION"),
        description: "Reads the zipped CSV files that a web page links to.",
        columns: &[],
        rules: &[BAD_RECORD],
    };

    fn discover(config: &Config, _: &Run) -> Result<Vec<Stream>, Error> {
        let columns = config.columns.named()?;
        if !config.delimiter.is_ascii() {
            return Err(Error::config("the delimiter is one ASCII character"));
        }
        let names = columns.iter().map(|(name, _)| name);
        let fields: Vec<Field> = names
            .chain(&config.file_column)
            .map(|name| Field::new(name, DataType::Utf8, true))
            .collect();
        Ok(vec![Stream::new(STREAM, Arc::new(Schema::new(fields)))])
    }

    fn open(
        config: Config,
        _: &Run,
        stream: &Stream,
        _: &str,
        state: Option<State>,
    ) -> Result<Self, Error> {
        Ok(CmsIndex {
            config,
            schema: Arc::clone(&stream.schema),
            state: state.unwrap_or_default(),
            left: None,
            open: None,
        })
    }

    fn read(&mut self, out: &mut Page<'_>) -> Result<Progress<State>, Error> {
        let open = match self.open.take() {
            Some(open) => open,
            None => match self.next()? {
                Some(open) => open,
                None => return Ok(Progress::Done(self.state.clone())),
            },
        };
        let Open {
            url,
            records,
            mut rows,
        } = open;
        let taken = rows.take(PAGE, out)?;
        let records = records + taken as u64;
        if taken == PAGE {
            self.state.begun.insert(digest(&url), records);
            self.open = Some(Open { url, records, rows });
        } else {
            self.state.begun.remove(&digest(&url));
            self.state.read.insert(digest(&url));
        }
        let done = self.open.is_none() && self.left.as_ref().is_some_and(Vec::is_empty);
        Ok(match done {
            true => Progress::Done(self.state.clone()),
            false => Progress::More(self.state.clone()),
        })
    }
}

impl CmsIndex {
    /// The next file, at the place where it is to be read on.
    fn next(&mut self) -> Result<Option<Open>, Error> {
        let mut left = match self.left.take() {
            Some(left) => left,
            None => self.files()?,
        };
        let url = (!left.is_empty()).then(|| left.remove(0));
        self.left = Some(left);
        let Some(url) = url else {
            return Ok(None);
        };
        let skip = self.state.begun.get(&digest(&url)).copied().unwrap_or(0);
        let response = Request::get(&url).send()?.ok()?;
        let name = links::name(&url).to_owned();
        let bytes = unzip::member(Body::of(response), &name, &self.config.members)?;
        let mut rows = Rows::open(bytes, &name, &self.config, &self.schema)?;
        rows.skip(skip)?;
        Ok(Some(Open {
            url,
            records: skip,
            rows,
        }))
    }

    /// The files that the page links to and that were not read yet, in order of their names; those that were begun first.
    fn files(&self) -> Result<Vec<String>, Error> {
        let page = Request::get(&self.config.index).send()?.ok()?.text()?;
        let found = links::of(&page, &self.config.index, &self.config.links);
        if found.is_empty() {
            return Err(Error::data(format!(
                "no link of the page matches '{}'",
                self.config.links
            )));
        }
        let mut files: Vec<String> = found
            .into_iter()
            .filter(|url| !self.state.read.contains(&digest(url)))
            .collect();
        files.sort_by_key(|url| !self.state.begun.contains_key(&digest(url)));
        Ok(files)
    }
}

/// FNV-1a of 64 bits (Fowler, Noll and Vo; the constants are theirs), in hexadecimal digits.
fn digest(url: &str) -> String {
    let hash = url.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    format!("{hash:016x}")
}

/// The body of a response, as bytes that are read.
struct Body {
    response: Response,
    chunk: Vec<u8>,
    taken: usize,
}

impl Body {
    fn of(response: Response) -> Body {
        Body {
            response,
            chunk: Vec::new(),
            taken: 0,
        }
    }
}

impl Read for Body {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        while self.taken == self.chunk.len() {
            match self.response.chunk() {
                Ok(Some(chunk)) => {
                    self.chunk = chunk;
                    self.taken = 0;
                }
                Ok(None) => return Ok(0),
                Err(error) => return Err(std::io::Error::other(error)),
            }
        }
        let rest = self.chunk.get(self.taken..).unwrap_or(&[]);
        let most = rest.len().min(into.len());
        if let (Some(to), Some(from)) = (into.get_mut(..most), rest.get(..most)) {
            to.copy_from_slice(from);
        }
        self.taken += most;
        Ok(most)
    }
}

/// What an error of reading means: what a request came to, or bytes that are not what they should be.
fn told(error: std::io::Error, file: &str) -> Error {
    match error.downcast::<Error>() {
        Ok(error) => error,
        Err(error) => Error::data(format!("'{file}' cannot be read: {error}")),
    }
}

weir_plugin::export_source!(CmsIndex);
