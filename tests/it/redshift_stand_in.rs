//! What stands in for Redshift in the tests: a PostgreSQL that is told what Redshift is told.
//!
//! It takes the statements that Amazon documents and no others, hands them to PostgreSQL without what only
//! Redshift has, and does by itself what PostgreSQL cannot: `copy` from Parquet files that a manifest on S3 names.
//! It is not Redshift: how that plans, locks and fails is not tested here.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::DataType;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use bytes::Bytes;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::basic::{LogicalType, Type as PhysicalType};
use serde_json::Value;
use sqlparser::dialect::RedshiftSqlDialect;
use sqlparser::keywords::Keyword;
use sqlparser::parser::Parser;
use sqlparser::tokenizer::{Token, Tokenizer, Word};
use weir_tests::Postgres;

/// What PostgreSQL needs to be asked like Redshift.
const PREPARED: &str = "
create view svv_columns as
  select table_schema::text, table_name::text, column_name::text, ordinal_position::int,
         case data_type when 'bytea' then 'binary varying' else data_type::text end as data_type,
         numeric_precision::int, numeric_scale::int, is_nullable::text, column_default::text
  from information_schema.columns;
create function getdate() returns timestamp language sql as 'select localtimestamp(0)';
";

/// Words that PostgreSQL takes, and Redshift does not.
const FOREIGN: [&str; 11] = [
    "ctid",
    "collate",
    "returning",
    "conflict",
    "distinct from",
    "savepoint",
    "advisory",
    "hashtext",
    "to_regclass",
    "create index",
    "no data",
];

/// The beginnings of what Redshift is asked.
const KNOWN: [&str; 16] = [
    "set timezone to ",
    "set statement_timeout to ",
    "select ",
    "create table ",
    "create temp table ",
    "alter table ",
    "create or replace view ",
    "drop view ",
    "grant select on ",
    "begin",
    "commit",
    "lock table ",
    "delete from ",
    "insert into ",
    "update ",
    "copy ",
];

/// Stands in front of a server; it ends with the process.
pub(crate) struct StandIn {
    pub(crate) port: u16,
    /// What has been said to it, in order.
    said: Arc<Mutex<Vec<String>>>,
    /// With which words files are not read; empty: they are.
    denied: Arc<Mutex<String>>,
}

impl StandIn {
    /// In front of `server`, with the folder in which the objects of `bucket` are files.
    pub(crate) fn start(server: &Postgres, bucket: (&str, &Path)) -> StandIn {
        server.sql(PREPARED);
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let said = Arc::new(Mutex::new(Vec::new()));
        let denied = Arc::new(Mutex::new(String::new()));
        let (all, not_read, behind) = (Arc::clone(&said), Arc::clone(&denied), server.port());
        let (name, folder) = (bucket.0.to_owned(), bucket.1.to_owned());
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let Ok(server) = TcpStream::connect(("127.0.0.1", behind)) else {
                    continue;
                };
                let mut session = Session {
                    client,
                    server,
                    said: Arc::clone(&all),
                    denied: Arc::clone(&not_read),
                    prefix: format!("s3://{name}/"),
                    folder: folder.clone(),
                };
                // A connection that ends ends its session.
                std::thread::spawn(move || drop(session.serve()));
            }
        });
        StandIn { port, said, denied }
    }

    /// From now on files are not read, with these words; with none they are.
    pub(crate) fn deny(&self, words: &str) {
        words.clone_into(&mut self.denied.lock().unwrap());
    }

    /// What has been said since it was asked last.
    pub(crate) fn heard(&self) -> Vec<String> {
        std::mem::take(&mut self.said.lock().unwrap())
    }
}

struct Session {
    client: TcpStream,
    server: TcpStream,
    said: Arc<Mutex<Vec<String>>>,
    denied: Arc<Mutex<String>>,
    prefix: String,
    folder: PathBuf,
}

/// A message's type and its body.
type Message = (u8, Vec<u8>);

impl Session {
    fn serve(&mut self) -> std::io::Result<()> {
        let mut length = [0; 4];
        self.client.read_exact(&mut length)?;
        let mut start = vec![0; u32::from_be_bytes(length) as usize - 4];
        self.client.read_exact(&mut start)?;
        self.server.write_all(&length)?;
        self.server.write_all(&start)?;
        self.log_in()?;
        loop {
            let (kind, body) = read(&mut self.client)?;
            match kind {
                b'Q' => {
                    let sql = String::from_utf8(body[..body.len() - 1].to_vec()).unwrap();
                    self.said.lock().unwrap().push(sql.clone());
                    self.answer(&sql)?;
                }
                b'X' => return write(&mut self.server, (kind, body)),
                other => panic!("'{}' is not of the simple protocol", char::from(other)),
            }
        }
    }

    fn log_in(&mut self) -> std::io::Result<()> {
        loop {
            let (kind, body) = read(&mut self.server)?;
            // All but "fine" and the end of a proof ask for an answer.
            let asks = kind == b'R' && !matches!(body[..4], [0, 0, 0, 0 | 12]);
            write(&mut self.client, (kind, body))?;
            if asks {
                let answer = read(&mut self.client)?;
                write(&mut self.server, answer)?;
            }
            if kind == b'Z' {
                return Ok(());
            }
        }
    }

    fn answer(&mut self, sql: &str) -> std::io::Result<()> {
        if let Err(why) = documented(sql) {
            // The transaction fails as it would there.
            return self.pass_on(&format!(
                "do $$ begin raise exception using errcode = '42601', message = $m${why}$m$; end $$"
            ));
        }
        match sql.strip_prefix("copy ") {
            Some(copy) => self.copy(copy),
            None => self.pass_on(&in_postgres(sql)),
        }
    }

    fn pass_on(&mut self, sql: &str) -> std::io::Result<()> {
        self.ask(sql)?;
        self.relay(0)
    }

    fn ask(&mut self, sql: &str) -> std::io::Result<()> {
        let mut body = sql.as_bytes().to_vec();
        body.push(0);
        write(&mut self.server, (b'Q', body))
    }

    /// Passes on what the server answers, but for messages of one kind.
    fn relay(&mut self, without: u8) -> std::io::Result<()> {
        loop {
            let (kind, body) = read(&mut self.server)?;
            if kind != without {
                write(&mut self.client, (kind, body))?;
            }
            if kind == b'Z' {
                return Ok(());
            }
        }
    }

    /// `table from 'manifest' … format as parquet manifest`.
    fn copy(&mut self, sql: &str) -> std::io::Result<()> {
        let rows = match self.rows(sql) {
            Ok(rows) => rows,
            Err(why) => {
                return self.pass_on(&format!("do $$ begin raise exception using errcode = 'XX000', message = $m${why}$m$; end $$"));
            }
        };
        let table = sql.split(' ').next().unwrap();
        self.ask(&format!("copy {table} from stdin"))?;
        let (kind, body) = read(&mut self.server)?;
        if kind != b'G' {
            write(&mut self.client, (kind, body))?;
            return self.relay(0);
        }
        write(&mut self.server, (b'd', rows.into_bytes()))?;
        write(&mut self.server, (b'c', Vec::new()))?;
        self.relay(b'G')
    }

    /// The rows of the files that the manifest names, as PostgreSQL copies text.
    fn rows(&self, sql: &str) -> Result<String, String> {
        let denied = self.denied.lock().unwrap().clone();
        if !denied.is_empty() {
            return Err(denied);
        }
        let url = between(sql, "from '", "'").ok_or("COPY names no file")?;
        let manifest = self.object(url)?;
        let manifest: Value =
            serde_json::from_slice(&manifest).map_err(|error| error.to_string())?;
        let mut text = String::new();
        for entry in manifest["entries"].as_array().ok_or("no entries")? {
            let url = entry["url"].as_str().ok_or("an entry has no url")?;
            if entry["mandatory"] != true {
                return Err(format!("{url} may be missing unseen"));
            }
            let file = self.object(url)?;
            // Needed for Parquet.
            if entry["meta"]["content_length"].as_u64() != Some(file.len() as u64) {
                return Err(format!("{url} has another content_length"));
            }
            add_rows(file, &mut text)?;
        }
        Ok(text)
    }

    fn object(&self, url: &str) -> Result<Vec<u8>, String> {
        let path = url.strip_prefix(&self.prefix);
        let path = path.ok_or("S3ServiceException: the bucket is not there (404)")?;
        std::fs::read(self.folder.join(path))
            .map_err(|_| "S3ServiceException: Access Denied, status 403".to_owned())
    }
}

fn add_rows(file: Vec<u8>, text: &mut String) -> Result<(), String> {
    let builder = ParquetRecordBatchReaderBuilder::try_new(Bytes::from(file))
        .map_err(|error| error.to_string())?;
    for column in builder.parquet_schema().columns() {
        let well_read = match (column.physical_type(), column.logical_type_ref()) {
            (PhysicalType::INT96, _)
            | (_, Some(LogicalType::Timestamp { .. } | LogicalType::Time { .. })) => false,
            (_, Some(LogicalType::Integer(integer))) => integer.is_signed,
            _ => column.max_rep_level() == 0,
        };
        if !well_read {
            return Err(format!(
                "Spectrum Scan Error: incompatible Parquet schema for column '{}'",
                column.name()
            ));
        }
    }
    for batch in builder.build().map_err(|error| error.to_string())? {
        as_text(&batch.map_err(|error| error.to_string())?, text);
    }
    Ok(())
}

fn as_text(batch: &RecordBatch, text: &mut String) {
    let options = FormatOptions::default();
    let columns: Vec<_> = batch
        .columns()
        .iter()
        .map(|column| (column, ArrayFormatter::try_new(column, &options).unwrap()))
        .collect();
    for row in 0..batch.num_rows() {
        for (index, (column, formatter)) in columns.iter().enumerate() {
            if index > 0 {
                text.push('\t');
            }
            if column.is_null(row) {
                text.push_str("\\N");
                continue;
            }
            let value = match column.data_type() {
                DataType::Binary => {
                    let bytes = column.as_binary::<i32>().value(row);
                    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
                    format!("\\x{hex}")
                }
                _ => formatter.value(row).to_string(),
            };
            for c in value.chars() {
                match c {
                    '\\' => text.push_str("\\\\"),
                    '\t' => text.push_str("\\t"),
                    '\n' => text.push_str("\\n"),
                    '\r' => text.push_str("\\r"),
                    other => text.push(other),
                }
            }
        }
        text.push('\n');
    }
}

/// Why a statement is none that Redshift documents.
fn documented(sql: &str) -> Result<(), String> {
    let tokens = Tokenizer::new(&RedshiftSqlDialect {}, sql)
        .with_unescape(false)
        .tokenize()
        .map_err(|error| error.to_string())?;
    for statement in tokens.split(|token| *token == Token::SemiColon) {
        let text: String = statement.iter().map(Token::to_string).collect();
        let text = text.trim();
        if !KNOWN.iter().any(|known| text.starts_with(known)) {
            return Err(format!("syntax error at: {text}"));
        }
        // What stands in quotes may say anything.
        let said: String = statement
            .iter()
            .map(|token| match token {
                Token::Word(Word {
                    quote_style: Some(_),
                    ..
                }) => "name".to_owned(),
                Token::SingleQuotedString(text) if text.contains('\\') => {
                    "a backslash: ctid".to_owned()
                }
                Token::SingleQuotedString(_) => "text".to_owned(),
                Token::EscapedStringLiteral(_) => "an escaped text: ctid".to_owned(),
                other => other.to_string().to_lowercase(),
            })
            .collect();
        if let Some(word) = FOREIGN.iter().find(|word| said.contains(*word)) {
            return Err(format!("syntax error at or near \"{word}\": {text}"));
        }
        let read_by_itself = [
            "lock table ",
            "copy ",
            "set timezone",
            "set statement_timeout",
        ];
        if read_by_itself.iter().any(|known| text.starts_with(known)) {
            continue;
        }
        Parser::new(&RedshiftSqlDialect {})
            .with_tokens(without_storage(statement))
            .parse_statement()
            .map_err(|error| format!("{error}: {text}"))?;
    }
    Ok(())
}

/// Without what says how a table is stored: PostgreSQL has none of it.
fn without_storage(tokens: &[Token]) -> Vec<Token> {
    let mut kept: Vec<Token> = Vec::with_capacity(tokens.len());
    let mut rest = tokens.iter();
    while let Some(token) = rest.next() {
        let word = match token {
            Token::Word(Word {
                value,
                quote_style: None,
                ..
            }) => value.to_lowercase(),
            _ => String::new(),
        };
        match word.as_str() {
            "diststyle" => drop(rest.nth(1)),
            "distkey" | "sortkey" => drop(rest.find(|token| **token == Token::RParen)),
            _ => kept.push(token.clone()),
        }
    }
    kept
}

/// A statement of Redshift as PostgreSQL takes it.
fn in_postgres(sql: &str) -> String {
    let tokens = Tokenizer::new(&RedshiftSqlDialect {}, sql)
        .with_unescape(false)
        .tokenize()
        .unwrap();
    let mut text = String::new();
    let tokens = without_storage(&tokens);
    let mut rest = tokens.iter().peekable();
    while let Some(token) = rest.next() {
        match token {
            Token::Word(Word {
                value,
                quote_style: None,
                ..
            }) if value == "varbyte" => {
                text.push_str("bytea");
                // Its length.
                rest.find(|token| **token == Token::RParen);
            }
            Token::Word(Word {
                keyword: Keyword::ROLE,
                quote_style: None,
                ..
            }) => {}
            other => text.push_str(&other.to_string()),
        }
    }
    text
}

fn between<'a>(text: &'a str, start: &str, end: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(start)?;
    Some(rest.split_once(end)?.0)
}

fn read(from: &mut TcpStream) -> std::io::Result<Message> {
    let mut head = [0; 5];
    from.read_exact(&mut head)?;
    let length = u32::from_be_bytes([head[1], head[2], head[3], head[4]]);
    let mut body = vec![0; length as usize - 4];
    from.read_exact(&mut body)?;
    Ok((head[0], body))
}

fn write(to: &mut TcpStream, (kind, body): Message) -> std::io::Result<()> {
    let length = u32::try_from(body.len() + 4).unwrap();
    let mut message = vec![kind];
    message.extend_from_slice(&length.to_be_bytes());
    message.extend_from_slice(&body);
    to.write_all(&message)
}
