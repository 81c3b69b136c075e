//! Connections to MySQL and MariaDB, and what their errors mean.

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, DriverError, Opts, OptsBuilder, SslOpts};
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use weir_pipeline::{Address, Tls};

use crate::connections::Named;
use crate::error::{Error, ErrorKind, Result};
use crate::server::Failure;

/// Errors whose message names objects and settings, and never values of rows: logins, rights, names, limits,
/// modes of the server. What a trigger raises is not among them.
const SPEAKING: [u16; 28] = [
    1005, 1030, 1040, 1041, 1044, 1045, 1046, 1049, 1050, 1054, 1071, 1101, 1114, 1118, 1130, 1142,
    1143, 1146, 1148, 1205, 1213, 1227, 1290, 1347, 1836, 3948, 4166, 1235,
];
/// Rows that break a rule: unique, not null, a default, references, checks.
const BREAKING: [u16; 8] = [1062, 1169, 1048, 1364, 1451, 1452, 3819, 4025];
/// Values that a column does not take.
const UNTAKEN: [u16; 6] = [1264, 1265, 1292, 1366, 1406, 3140];
/// What may pass: too many connections, no memory, no space, a shutdown, a lock, a deadlock, a network.
const PASSING: [u16; 15] = [
    1020, 1021, 1037, 1040, 1041, 1053, 1114, 1158, 1159, 1160, 1161, 1203, 1205, 1213, 1927,
];
/// The modes in which a value that does not fit is an error, zero is zero, and a backslash escapes.
const MODE: &str = "STRICT_ALL_TABLES,NO_ZERO_IN_DATE,NO_ZERO_DATE,ERROR_FOR_DIVISION_BY_ZERO,NO_AUTO_VALUE_ON_ZERO,NO_ENGINE_SUBSTITUTION";

impl From<mysql_async::Error> for Failure {
    fn from(error: mysql_async::Error) -> Failure {
        match error {
            mysql_async::Error::Server(server) => refused(&server),
            // Rows that do not have the types that were asked for are our fault.
            mysql_async::Error::Driver(
                ref driver @ (DriverError::FromRow { .. } | DriverError::FromValue { .. }),
            ) => {
                let what = match driver {
                    DriverError::FromRow { .. } => "a row of the server's catalog",
                    _ => "a value of the server's catalog",
                };
                Failure::Other(Error::internal(format!("{what} has other types")))
            }
            other => Failure::Passing(
                Error::storage("the connection to the server broke", other)
                    .with_hint("run the same command again once the server can be reached"),
            ),
        }
    }
}

fn refused(server: &mysql_async::ServerError) -> Failure {
    let code = server.code;
    let what = match code {
        // Their messages quote values.
        code if BREAKING.contains(&code) => format!(
            "rows break a rule of the table (error {code}, SQLSTATE {})",
            server.state
        ),
        code if UNTAKEN.contains(&code) => format!(
            "the server does not take a value (error {code}, SQLSTATE {})",
            server.state
        ),
        code if SPEAKING.contains(&code) => format!(
            "the server says: {} (error {code}, SQLSTATE {})",
            server.message, server.state
        ),
        code => format!(
            "the server refuses (error {code}, SQLSTATE {})",
            server.state
        ),
    };
    if PASSING.contains(&code) {
        return Failure::Passing(
            Error::new(ErrorKind::Storage, what)
                .with_hint("run the same command again once the server is well"),
        );
    }
    let hint = match code {
        code if BREAKING.contains(&code) => {
            "check the rows before they are written (not_null, unique, references), or change the table"
        }
        code if UNTAKEN.contains(&code) => {
            "check the rows before they are written, or change the column's type"
        }
        1044 | 1142 | 1143 | 1227 => {
            "grant the user of the connection what it needs: select, insert, update and delete on the table, create, alter where it is to get columns, and create temporary tables to merge"
        }
        1045 | 1130 => {
            "check user and password of the connection, and from which hosts the user may come"
        }
        1046 | 1049 => "check the database of the connection",
        1148 | 3948 | 4166 => {
            "let the server take files of clients: local_infile = ON, in its configuration or by set global"
        }
        1290 | 1836 => "connect to a server that can be written",
        1969 | 3024 => {
            "raise `statement_timeout` of the connection, or look at what holds the server up"
        }
        1071 => "give the key's columns shorter types in a table of your own",
        1644 => {
            "a trigger of the server refuses, in words that are not repeated since they may hold values: look at what it checks"
        }
        code if SPEAKING.contains(&code) => {
            "look at what the server says, and run the same command again"
        }
        _ => {
            "look the number up, or look into the server's log: its words are not repeated since they may hold values"
        }
    };
    match BREAKING.contains(&code) || UNTAKEN.contains(&code) || code == 1644 {
        true => Failure::Unfit(what, hint),
        false => Failure::Refused(what, hint),
    }
}

/// Opens a connection.
///
/// # Errors
/// Usage, for what the pipeline file says; storage, if the server cannot be reached; input, if it does not
/// let the user in.
pub(super) async fn connect(named: &Named<'_>) -> Result<Conn> {
    let told = |failure: Failure| failure.told(&format!("connection '{}'", named.name));
    let options = options(named)?;
    let connecting = Conn::new(options);
    let mut conn = tokio::time::timeout(named.server.connect_timeout, connecting)
        .await
        .map_err(|_| unreachable(named.name, None))?
        .map_err(|error| match error {
            mysql_async::Error::Server(server) => told(refused(&server)),
            other => unreachable(named.name, Some(other)),
        })?;
    settle(&mut conn, named).await.map_err(told)?;
    Ok(conn)
}

/// What the server's or the user's settings say must not change what values mean.
async fn settle(conn: &mut Conn, named: &Named<'_>) -> Result<(), Failure> {
    conn.query_drop(format!(
        "set names utf8mb4, time_zone = '+00:00', sql_mode = '{MODE}', autocommit = 1"
    ))
    .await?;
    if let Some(timeout) = named.server.statement_timeout {
        let version: Option<String> = conn.query_first("select version()").await?;
        let set = match version.is_some_and(|version| version.contains("MariaDB")) {
            true => format!("set max_statement_time = {}", timeout.as_secs_f64()),
            false => format!("set max_execution_time = {}", timeout.as_millis()),
        };
        conn.query_drop(set).await?;
    }
    Ok(())
}

fn options(named: &Named<'_>) -> Result<OptsBuilder> {
    let options = match &named.server.address {
        Address::Url(source) => {
            let url = named.secret(source)?;
            // What the parser says may quote the URL, and that a password.
            let options = Opts::from_url(&url).map_err(|_| {
                Error::usage(format!(
                    "connection '{}': its URL cannot be read",
                    named.name
                ))
                .with_hint("write mysql://user:password@host:port/database, with special characters percent-encoded")
            })?;
            OptsBuilder::from_opts(options)
        }
        Address::Parts {
            host,
            port,
            database,
            user,
            password,
        } => {
            let mut options = OptsBuilder::default()
                .user(Some(user))
                .db_name(Some(database));
            if let Some(source) = password {
                options = options.pass(Some(named.secret(source)?));
            }
            match host.starts_with('/') {
                true => options.socket(Some(host)),
                false => options.ip_or_hostname(host).tcp_port(port.unwrap_or(3306)),
            }
        }
    };
    let tls = named.server.tls.unwrap_or(Tls::Verify);
    let is_local = Opts::from(options.clone()).socket().is_some();
    let tls = match is_local || tls == Tls::Off {
        true => None,
        false => Some(encryption(named, tls)?),
    };
    Ok(options
        .prefer_socket(is_local)
        .ssl_opts(tls)
        .stmt_cache_size(0))
}

fn encryption(named: &Named<'_>, tls: Tls) -> Result<SslOpts> {
    if CryptoProvider::get_default().is_none() {
        // The library asks for the process's; somebody else may set it first, and that is as well.
        let _ = aws_lc_rs::default_provider().install_default();
    }
    if tls == Tls::Require {
        return Ok(SslOpts::default()
            .with_danger_accept_invalid_certs(true)
            .with_danger_skip_domain_validation(true));
    }
    let options = SslOpts::default().with_disable_built_in_roots(true);
    Ok(match &named.server.ca {
        Some(path) => options.with_root_certs(vec![named.dir.join(path).into()]),
        None => {
            let known = rustls_native_certs::load_native_certs().certs.into_iter();
            let roots = known.map(|certificate| certificate.to_vec().into());
            options.with_root_certs(roots.collect())
        }
    })
}

/// Why no connection came about. Neither the password nor the URL is among the words.
fn unreachable(name: &str, cause: Option<mysql_async::Error>) -> Error {
    let what = format!("connection '{name}': the server cannot be reached");
    let error = match cause {
        Some(cause) => Error::storage(what, cause),
        None => Error::new(ErrorKind::Storage, what),
    };
    error.with_hint(
        "check host, port and `tls` of the connection (tls = \"off\" for a server without TLS), and that the server runs",
    )
}
