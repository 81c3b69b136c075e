//! The databases that a pipeline names: their secrets, and how they are reached.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use weir_pipeline::{
    Adbc, AdbcOption, Address, ConnectionKind, Dynamodb, Pipeline, Place, Redshift, SecretSource,
    Server, ServerKind,
};

use crate::error::{Error, Result};
use crate::lake::Lake;
use crate::secret;

/// The servers of a pipeline by the names of their connections. Clones share them.
///
/// Secrets are read when a connection is opened, and held no longer.
#[derive(Clone, Default)]
pub struct Connections(Arc<Inner>);

#[derive(Default)]
struct Inner {
    servers: BTreeMap<String, (ServerKind, Server, Place)>,
    /// The SQLite files: those without a path of their own lie in the lake, if that is local.
    sqlite: BTreeMap<String, PathBuf>,
    redshift: BTreeMap<String, (Redshift, Place)>,
    dynamodb: BTreeMap<String, (Dynamodb, Place)>,
    adbc: BTreeMap<String, (Adbc, Place)>,
    /// The folder of the pipeline file.
    dir: PathBuf,
}

/// An ADBC driver and the options of its database, secrets among them.
pub(crate) struct Driven {
    pub(crate) driver: PathBuf,
    pub(crate) entry_point: Option<String>,
    pub(crate) options: Vec<(String, String)>,
}

/// Reads a secret of a connection, by the key of the file and where it is kept.
pub(crate) type ReadSecret<'a> = Box<dyn Fn(&str, &SecretSource) -> Result<String> + Send + 'a>;

/// A URL of the file's author may hold a password, and so may the values that secrets have.
impl fmt::Debug for Connections {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Connections")
    }
}

/// A server as the pipeline file names it.
pub(crate) struct Named<'a> {
    pub(crate) name: &'a str,
    pub(crate) server: &'a Server,
    place: &'a Place,
    pub(crate) dir: &'a PathBuf,
}

impl Connections {
    /// Those of `pipeline`, which writes `lake`.
    pub(crate) fn of(pipeline: &Pipeline, lake: &Lake) -> Connections {
        let mut inner = Inner {
            dir: pipeline.dir.clone(),
            ..Inner::default()
        };
        for (name, connection) in &pipeline.connections {
            let (name, place) = (name.clone(), connection.place.clone());
            match &connection.kind {
                ConnectionKind::Sqlite { path } => {
                    let path = path.as_ref().map(PathBuf::from);
                    if let Some(path) = path.or_else(|| lake.warehouse()) {
                        inner.sqlite.insert(name, path);
                    }
                }
                ConnectionKind::Server(kind, server) => {
                    inner.servers.insert(name, (*kind, server.clone(), place));
                }
                ConnectionKind::Redshift(redshift) => {
                    let server = (ServerKind::Redshift, redshift.server.clone(), place.clone());
                    inner.servers.insert(name.clone(), server);
                    inner.redshift.insert(name, (redshift.clone(), place));
                }
                ConnectionKind::Dynamodb(dynamodb) => {
                    inner.dynamodb.insert(name, (dynamodb.clone(), place));
                }
                ConnectionKind::Adbc(adbc) => {
                    inner.adbc.insert(name, (adbc.clone(), place));
                }
            }
        }
        Connections(Arc::new(inner))
    }

    /// The SQLite file of a connection; none if the pipeline does not name it, or not where it is.
    pub(crate) fn sqlite(&self, name: &str) -> Option<&PathBuf> {
        self.0.sqlite.get(name)
    }

    /// Whether the connection is a SQLite file that is not there.
    pub(crate) fn is_to_be_made(&self, name: &str) -> bool {
        self.sqlite(name).is_some_and(|path| !path.exists())
    }

    /// What the server of a connection is; none if it is a file.
    pub(crate) fn kind(&self, name: &str) -> Option<ServerKind> {
        if self.0.adbc.contains_key(name) {
            return Some(ServerKind::Adbc);
        }
        self.0.servers.get(name).map(|(kind, ..)| *kind)
    }

    /// The driver of a connection, with its options as they are given.
    ///
    /// # Errors
    /// Usage, if the pipeline does not name it (any more), or a secret cannot be read.
    pub(crate) fn adbc(&self, name: &str) -> Result<Driven> {
        let (adbc, place) = self.0.adbc.get(name).ok_or_else(|| {
            Error::usage(format!("there is no driver '{name}' in [connections]")).with_hint(
                "name the connection in the pipeline file, as it was when the rows were decided, and run it",
            )
        })?;
        let mut options = Vec::with_capacity(adbc.options.len());
        for (key, option) in &adbc.options {
            let value = match option {
                AdbcOption::Text(text) => text.clone(),
                AdbcOption::Secret(source) => {
                    secret::read(&format!("{name}.{key}"), source, &self.0.dir, place)?
                }
            };
            options.push((key.clone(), value));
        }
        // A name alone is for the system's loader to find.
        let driver = match adbc.driver.contains('/') {
            true => self.0.dir.join(&adbc.driver),
            false => PathBuf::from(&adbc.driver),
        };
        Ok(Driven {
            driver,
            entry_point: adbc.entry_point.clone(),
            options,
        })
    }

    /// The DynamoDB of a connection, and what reads its secrets.
    ///
    /// # Errors
    /// Usage, if the pipeline does not name it (any more).
    pub(crate) fn dynamodb<'a>(&'a self, name: &'a str) -> Result<(&'a Dynamodb, ReadSecret<'a>)> {
        let (dynamodb, place) = self.0.dynamodb.get(name).ok_or_else(|| {
            Error::usage(format!("there is no DynamoDB '{name}' in [connections]"))
                .with_hint("name the connection in the pipeline file")
        })?;
        Ok((dynamodb, self.reader(name, place)))
    }

    /// What reads the secrets of a connection.
    fn reader<'a>(&'a self, name: &'a str, place: &'a Place) -> ReadSecret<'a> {
        Box::new(move |key, source| {
            secret::read(&format!("{name}.{key}"), source, &self.0.dir, place)
        })
    }

    /// What a Redshift warehouse needs besides its server, and what reads its secrets.
    ///
    /// # Errors
    /// Usage, if the pipeline does not name it (any more).
    pub(crate) fn redshift<'a>(&'a self, name: &'a str) -> Result<(&'a Redshift, ReadSecret<'a>)> {
        let (redshift, place) = self.0.redshift.get(name).ok_or_else(|| {
            Error::usage(format!("there is no Redshift '{name}' in [connections]"))
                .with_hint("name the connection in the pipeline file, as it was when the rows were decided, and run it")
        })?;
        Ok((redshift, self.reader(name, place)))
    }

    /// The server of a connection.
    ///
    /// # Errors
    /// Usage, if the pipeline does not name it (any more).
    pub(crate) fn get<'a>(&'a self, name: &'a str) -> Result<Named<'a>> {
        match self.0.servers.get(name) {
            Some((_, server, place)) => Ok(Named {
                name,
                server,
                place,
                dir: &self.0.dir,
            }),
            None => Err(Error::usage(format!(
                "there is no server '{name}' in [connections]"
            ))
            .with_hint("name the connection in the pipeline file, as it was when the rows were decided, and run it")),
        }
    }
}

impl Named<'_> {
    /// The value of the URL or password.
    pub(crate) fn secret(&self, source: &SecretSource) -> Result<String> {
        let key = match &self.server.address {
            Address::Url(_) => "url",
            Address::Parts { .. } => "password",
        };
        secret::read(
            &format!("{}.{key}", self.name),
            source,
            self.dir,
            self.place,
        )
    }
}
