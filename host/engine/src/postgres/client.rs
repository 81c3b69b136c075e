//! Connections to PostgreSQL, and what its errors mean.

use std::str::FromStr;
use std::sync::Arc;

use rustls::ClientConfig;
use rustls::RootCertStore;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{DigitallySignedStruct, SignatureScheme};
use tokio_postgres::config::{Host, SslMode};
use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, Config, NoTls};
use tokio_postgres_rustls::MakeRustlsConnect;
use weir_pipeline::{Address, Tls};

use crate::connections::Named;
use crate::error::{Error, ErrorKind, Result};
use crate::server::Failure;

/// Classes of errors whose message names objects and settings, and never values of rows: connections,
/// features, logins, names, states, resources, and the server itself. What a trigger raises is not among them.
const SPEAKING: [&str; 14] = [
    "08", "0A", "25", "28", "2B", "3D", "3F", "40", "42", "53", "55", "57", "58", "XX",
];

/// The column and the row at which a binary COPY ended, by what the server says of it: `COPY table, line 3,
/// column name`. Of a COPY in binary form it quotes no value there.
fn copied(context: &str) -> (Option<&str>, Option<u64>) {
    let place = context.lines().find_map(|line| {
        let rest = line.strip_prefix("COPY ")?;
        Some(rest.rsplit_once(", line ")?.1)
    });
    let Some(place) = place else {
        return (None, None);
    };
    let (row, column) = match place.split_once(", column ") {
        Some((row, column)) => (row, Some(column)),
        None => (place, None),
    };
    (column, row.parse().ok())
}

impl From<tokio_postgres::Error> for Failure {
    fn from(error: tokio_postgres::Error) -> Failure {
        let Some(server) = error.as_db_error() else {
            return Failure::Passing(
                Error::storage("the connection to the server broke", error)
                    .with_hint("run the same command again once the server can be reached"),
            );
        };
        let code = server.code();
        // The message of an error in data may quote the data, and so may details and context always.
        let named = [
            ("column", server.column()),
            ("constraint", server.constraint()),
            ("table", server.table()),
        ];
        let mut places: Vec<String> = named
            .iter()
            .filter_map(|(what, name)| name.map(|name| format!("{what} '{name}'")))
            .collect();
        let (column, row) = copied(server.where_().unwrap_or_default());
        if server.column().is_none() {
            places.extend(column.map(|name| format!("column '{name}'")));
        }
        places.extend(row.map(|row| format!("row {row} of those that are loaded")));
        let places = match places.is_empty() {
            true => String::new(),
            false => format!(", {}", places.join(", ")),
        };
        let class = code.code().get(..2).unwrap_or_default().to_owned();
        let what = match class.as_str() {
            "22" => format!(
                "the server does not take a value (SQLSTATE {}{places})",
                code.code()
            ),
            "23" => format!(
                "rows break a rule of the table (SQLSTATE {}{places})",
                code.code()
            ),
            class if SPEAKING.contains(&class) => format!(
                "the server says: {} (SQLSTATE {}{places})",
                server.message(),
                code.code()
            ),
            _ => format!("the server refuses (SQLSTATE {}{places})", code.code()),
        };
        let passing = matches!(class.as_str(), "08" | "40" | "53")
            || [
                &SqlState::ADMIN_SHUTDOWN,
                &SqlState::CRASH_SHUTDOWN,
                &SqlState::CANNOT_CONNECT_NOW,
                &SqlState::LOCK_NOT_AVAILABLE,
            ]
            .contains(&code);
        if passing {
            return Failure::Passing(
                Error::new(ErrorKind::Storage, what)
                    .with_hint("run the same command again once the server is well"),
            );
        }
        let hint = match (class.as_str(), code.code()) {
            ("22", _) => "check the rows before they are written, or change the column's type",
            ("23", _) => {
                "check the rows before they are written (not_null, unique, references), or change the table"
            }
            (_, "42501") => {
                "grant the user of the connection what it needs: select, insert, update and delete on the table, create on the schema"
            }
            (_, "57014") => {
                "raise `statement_timeout` of the connection, or look at what holds the server up"
            }
            (_, "25006") => "connect to a server that can be written",
            ("3F", _) => "make the schema (create schema …), or write a table of another one",
            ("28", _) => "check user and password of the connection",
            ("3D", _) => "check the database of the connection",
            (_, "2BP01") => {
                "something depends on the table, whose columns change: drop it first, or write another table"
            }
            ("P0", _) => {
                "a trigger or function of the server refuses, in words that are not repeated since they may hold values: look at what it checks"
            }
            (class, _) if SPEAKING.contains(&class) => {
                "look at what the server says, and run the same command again"
            }
            _ => {
                "look into the server's log: its words are not repeated since they may hold values"
            }
        };
        // Data, constraints, what a trigger raises, and what depends on a table that is made anew.
        match matches!(class.as_str(), "22" | "23" | "P0" | "2B") {
            true => Failure::Unfit(what, hint),
            false => Failure::Refused(what, hint),
        }
    }
}

/// The port where PostgreSQL listens unless it was told another.
const PORT: u16 = 5432;

/// Opens a connection.
///
/// # Errors
/// Usage, for what the pipeline file says; storage, if the server cannot be reached; input, if it does not
/// let the user in.
pub(super) async fn connect(named: &Named<'_>) -> Result<Client> {
    // What the session's owner has set must not change what values mean.
    let mut settings =
        "set client_min_messages = warning; set standard_conforming_strings = on; set timezone = 'UTC'".to_owned();
    if let Some(timeout) = named.server.statement_timeout {
        settings.push_str(&format!(
            "; set statement_timeout = {}",
            timeout.as_millis()
        ));
    }
    open(named, PORT, &settings).await
}

/// Opens a connection to a server that speaks PostgreSQL's protocol, which listens on `port` where the pipeline
/// file says no other, and runs `settings`.
///
/// # Errors
/// Usage, for what the pipeline file says; storage, if the server cannot be reached; input, if it does not
/// let the user in.
pub(crate) async fn open(named: &Named<'_>, port: u16, settings: &str) -> Result<Client> {
    let name = named.name;
    let mut config = config(named)?;
    if config.get_ports().is_empty() {
        config.port(port);
    }
    let tls = match (named.server.tls, config.get_ssl_mode()) {
        (Some(tls), _) => tls,
        (None, SslMode::Disable) => Tls::Off,
        (None, _) => Tls::Verify,
    };
    let local = config
        .get_hosts()
        .iter()
        .all(|host| matches!(host, Host::Unix(_)));
    let client = if tls == Tls::Off || local {
        config.ssl_mode(SslMode::Disable);
        let (client, connection) = config
            .connect(NoTls)
            .await
            .map_err(|error| unreachable(name, error))?;
        tokio::spawn(connection);
        client
    } else {
        config.ssl_mode(SslMode::Require);
        let connector = MakeRustlsConnect::new(encryption(named, tls)?);
        let (client, connection) = config
            .connect(connector)
            .await
            .map_err(|error| unreachable(name, error))?;
        tokio::spawn(connection);
        client
    };
    client
        .batch_execute(settings)
        .await
        .map_err(|error| Failure::from(error).told(&format!("connection '{name}'")))?;
    Ok(client)
}

fn config(named: &Named<'_>) -> Result<Config> {
    let mut config = match &named.server.address {
        Address::Url(source) => {
            let url = named.secret(source)?;
            // What the parser says may quote the URL, and that a password.
            Config::from_str(&url).map_err(|_| {
                Error::usage(format!(
                    "connection '{}': its URL cannot be read",
                    named.name
                ))
                .with_hint("write postgres://user:password@host:port/database?sslmode=…, with special characters percent-encoded")
            })?
        }
        Address::Parts {
            host,
            port,
            database,
            user,
            password,
        } => {
            let mut config = Config::new();
            config.host(host).dbname(database).user(user);
            if let Some(port) = port {
                config.port(*port);
            }
            if let Some(source) = password {
                config.password(named.secret(source)?);
            }
            config
        }
    };
    config
        .application_name("weir")
        .connect_timeout(named.server.connect_timeout)
        .keepalives(true);
    Ok(config)
}

/// Why no connection came about. Neither the password nor the URL is among the words.
fn unreachable(name: &str, error: tokio_postgres::Error) -> Error {
    if error.as_db_error().is_some() {
        return Failure::from(error).told(&format!("connection '{name}'"));
    }
    Error::storage(format!("connection '{name}': the server cannot be reached"), error).with_hint(
        "check host, port and `tls` of the connection (tls = \"off\" for a server without TLS), and that the server runs",
    )
}

fn encryption(named: &Named<'_>, tls: Tls) -> Result<ClientConfig> {
    let name = named.name;
    let provider = CryptoProvider::get_default()
        .cloned()
        .unwrap_or_else(|| Arc::new(aws_lc_rs::default_provider()));
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|error| Error::internal("no protocol version").with_source(error))?;
    if tls == Tls::Require {
        let anybody = Arc::new(Anybody(provider));
        return Ok(builder
            .dangerous()
            .with_custom_certificate_verifier(anybody)
            .with_no_client_auth());
    }
    let mut roots = RootCertStore::empty();
    match &named.server.ca {
        Some(path) => {
            let path = named.dir.join(path);
            let unusable = |why: String| {
                Error::usage(format!(
                    "connection '{name}': the certificates in '{}' cannot be used: {why}",
                    path.display()
                ))
                .with_hint("`ca` is a file of certificates in PEM")
            };
            let certificates = CertificateDer::pem_file_iter(&path)
                .map_err(|error| unusable(error.to_string()))?;
            for certificate in certificates {
                let certificate = certificate.map_err(|error| unusable(error.to_string()))?;
                roots
                    .add(certificate)
                    .map_err(|error| unusable(error.to_string()))?;
            }
            if roots.is_empty() {
                return Err(unusable("there is none".to_owned()));
            }
        }
        None => {
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        }
    }
    Ok(builder.with_root_certificates(roots).with_no_client_auth())
}

/// Takes any certificate, as `tls = "require"` says: nobody listens, but who answers is not known.
#[derive(Debug)]
struct Anybody(Arc<CryptoProvider>);

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::copied;

    #[test]
    fn the_place_of_a_copy_is_read() {
        for (context, place) in [
            ("COPY visits, line 3", (None, Some(3))),
            (
                "COPY visits, line 12, column note",
                (Some("note"), Some(12)),
            ),
            (
                "JSON data, line 1: {\"secret\nCOPY visits, line 2, column doc",
                (Some("doc"), Some(2)),
            ),
            ("COPY a, line 1 b, line 4", (None, Some(4))),
            ("PL/pgSQL function no() line 3 at RAISE", (None, None)),
            ("", (None, None)),
        ] {
            assert_eq!(copied(context), place, "{context}");
        }
    }
}
