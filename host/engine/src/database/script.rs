//! SQL of a pipeline file that a database runs: held against what a transaction of ours allows, with its
//! parameters written as literals.

use std::collections::BTreeMap;
use std::ops::Range;

use datafusion::sql::sqlparser::dialect::{
    self, MySqlDialect, PostgreSqlDialect, RedshiftSqlDialect, SQLiteDialect,
};
use datafusion::sql::sqlparser::keywords::Keyword;
use datafusion::sql::sqlparser::tokenizer::{Location, Token, Tokenizer, Word};
use weir_pipeline::ParamValue;

use super::Dialect;
use crate::{mysql, postgres, redshift, sqlite};

/// What is wrong with SQL before a database has seen it, and what to do.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Wrong {
    pub(crate) what: String,
    pub(crate) hint: String,
}

impl Wrong {
    fn new(what: impl Into<String>, hint: impl Into<String>) -> Wrong {
        Wrong {
            what: what.into(),
            hint: hint.into(),
        }
    }

    fn at(self, place: Location) -> Wrong {
        Wrong {
            what: format!(
                "{} (line {}, column {} of the SQL)",
                self.what, place.line, place.column
            ),
            ..self
        }
    }
}

/// The statements of `sql`, as they are written but for parameters: `$name` is the value of one.
///
/// What is refused would end the transaction that they run in, or take rows over the connection.
///
/// # Errors
/// What is wrong, with its line and column where it has one.
pub(crate) fn statements(
    words: Dialect,
    sql: &str,
    params: &BTreeMap<String, ParamValue>,
) -> Result<Vec<String>, Wrong> {
    let tokens = Tokenizer::new(&*parser(words), sql)
        .with_unescape(false)
        .tokenize_with_location()
        .map_err(|error| {
            Wrong::new(
                format!("the SQL cannot be read: {error}"),
                "close what was opened: a quote, or a comment",
            )
        })?;
    let places = Places::of(sql);
    let mut statements = Vec::new();
    let mut statement = Statement::default();
    for token in tokens {
        let start = token.span.start;
        match &token.token {
            Token::Whitespace(_) | Token::EOF => {}
            Token::SemiColon if !statement.is_in_body() => {
                let end = places.offset(start);
                statements.extend(std::mem::take(&mut statement).text(sql, end));
                statement.begin = end + 1;
            }
            // Where a name may begin with `$`, it is none all the same.
            Token::Placeholder(name)
            | Token::Word(Word {
                value: name,
                quote_style: None,
                ..
            }) if name.starts_with('$') => {
                let value = params.get(&name[1..]);
                let value = value.ok_or_else(|| unknown(name, params).at(start))?;
                let from = places.offset(start);
                let written = (from..from + name.len(), literal(words, value));
                statement.values.push(written);
                statement.tokens.push(token.token);
            }
            _ => {
                statement.tokens.push(token.token);
                if let Some(wrong) = statement.refused(words) {
                    return Err(wrong.at(start));
                }
            }
        }
    }
    statements.extend(statement.text(sql, sql.len()));
    Ok(statements)
}

fn parser(words: Dialect) -> Box<dyn dialect::Dialect> {
    match words {
        Dialect::Postgres => Box::new(PostgreSqlDialect {}),
        Dialect::Mysql => Box::new(MySqlDialect {}),
        Dialect::Sqlite => Box::new(SQLiteDialect {}),
        Dialect::Redshift => Box::new(RedshiftSqlDialect {}),
    }
}

/// A value as a literal: it stays one value, whatever is in it.
fn literal(words: Dialect, value: &ParamValue) -> String {
    let text = |text: &str| match words {
        Dialect::Postgres => postgres::literal(text),
        Dialect::Mysql => mysql::literal(text),
        Dialect::Sqlite => sqlite::literal(text),
        Dialect::Redshift => redshift::literal(text),
    };
    match (words, value) {
        (_, ParamValue::String(value) | ParamValue::Path(value)) => text(value),
        (_, ParamValue::Int(number)) if *number >= 0 => number.to_string(),
        (_, ParamValue::Int(number)) => format!("({number})"),
        (_, ParamValue::Bool(value)) => value.to_string(),
        // SQLite keeps days as texts.
        (Dialect::Sqlite, ParamValue::Date(day)) => text(&day.to_string()),
        (Dialect::Postgres | Dialect::Mysql | Dialect::Redshift, ParamValue::Date(day)) => {
            format!("date '{day}'")
        }
    }
}

/// Where lines begin.
struct Places<'a> {
    sql: &'a str,
    lines: Vec<usize>,
}

impl Places<'_> {
    fn of(sql: &str) -> Places<'_> {
        let breaks = sql.match_indices('\n').map(|(at, _)| at + 1);
        Places {
            sql,
            lines: std::iter::once(0).chain(breaks).collect(),
        }
    }

    /// The byte at a line and column, which are counted from 1, columns in characters.
    fn offset(&self, place: Location) -> usize {
        let nth = |count: u64| usize::try_from(count.saturating_sub(1)).unwrap_or(usize::MAX);
        let line = self.lines.get(nth(place.line)).copied();
        let line = line.unwrap_or(self.sql.len());
        let rest = self.sql.get(line..).unwrap_or_default();
        let within = rest.char_indices().nth(nth(place.column));
        line + within.map_or(rest.len(), |(at, _)| at)
    }
}

/// A statement as far as it has been read.
#[derive(Default)]
struct Statement {
    /// Its first byte.
    begin: usize,
    /// Values of parameters, by where their names stand.
    values: Vec<(Range<usize>, String)>,
    /// Its tokens but for comments and space.
    tokens: Vec<Token>,
}

impl Statement {
    /// The statement, which goes up to `end`; none if it says nothing.
    fn text(self, sql: &str, end: usize) -> Option<String> {
        if self.tokens.is_empty() {
            return None;
        }
        let mut text = String::new();
        let mut from = self.begin;
        for (place, value) in self.values {
            text.push_str(sql.get(from..place.start).unwrap_or_default());
            text.push_str(&value);
            from = place.end;
        }
        text.push_str(sql.get(from..end).unwrap_or_default());
        Some(text.trim().to_owned())
    }

    /// Whether a semicolon here belongs to the body of a trigger or function.
    fn is_in_body(&self) -> bool {
        let makes = self.word(0) == Some(Keyword::CREATE);
        let routine = self.tokens.iter().any(|token| {
            let kinds = [Keyword::TRIGGER, Keyword::FUNCTION, Keyword::PROCEDURE];
            word(token).is_some_and(|word| kinds.contains(&word))
        });
        let depth = self
            .tokens
            .iter()
            .fold(0_i32, |depth, token| match word(token) {
                Some(Keyword::BEGIN | Keyword::CASE) => depth + 1,
                Some(Keyword::END) => depth - 1,
                _ => depth,
            });
        makes && routine && depth > 0
    }

    fn word(&self, index: usize) -> Option<Keyword> {
        self.tokens.get(index).and_then(word)
    }

    /// Why the statement cannot run, once its first words say so.
    fn refused(&self, words: Dialect) -> Option<Wrong> {
        let first = self.word(0)?;
        let second = self.word(1);
        let latest = self.tokens.last().and_then(word);
        match (self.tokens.len(), first) {
            (
                1,
                Keyword::BEGIN
                | Keyword::COMMIT
                | Keyword::ROLLBACK
                | Keyword::START
                | Keyword::END
                | Keyword::ABORT
                | Keyword::SAVEPOINT
                | Keyword::RELEASE,
            ) => return Some(ends_transaction(first)),
            (2, Keyword::PREPARE) if second == Some(Keyword::TRANSACTION) => {
                return Some(ends_transaction(first));
            }
            (_, Keyword::COPY) if matches!(latest, Some(Keyword::STDIN | Keyword::STDOUT)) => {
                return Some(Wrong::new(
                    "`copy` from or to the client moves no rows here",
                    "move rows with a step that reads and writes",
                ));
            }
            _ => {}
        }
        match words {
            Dialect::Mysql => self.commits_in_mysql(first, second),
            Dialect::Redshift => self.commits_in_redshift(first, second),
            Dialect::Postgres | Dialect::Sqlite => None,
        }
    }

    fn commits_in_redshift(&self, first: Keyword, second: Option<Keyword>) -> Option<Wrong> {
        let commits = match (self.tokens.len(), first) {
            (1, Keyword::TRUNCATE | Keyword::VACUUM | Keyword::REFRESH | Keyword::CALL) => true,
            (2, Keyword::CREATE | Keyword::ALTER | Keyword::DROP) => {
                matches!(second, Some(Keyword::DATABASE | Keyword::EXTERNAL))
            }
            (_, Keyword::ALTER) => self.tokens.last().is_some_and(|token| match token {
                Token::Word(word) => word.value.eq_ignore_ascii_case("append"),
                _ => false,
            }),
            _ => false,
        };
        commits.then(|| {
            Wrong::new(
                format!(
                    "`{}` does not run within a transaction, or ends it: Redshift commits there",
                    name(first)
                ),
                "write `delete from` for `truncate`; the rest is for the warehouse's owner",
            )
        })
    }

    fn commits_in_mysql(&self, first: Keyword, second: Option<Keyword>) -> Option<Wrong> {
        let commits = match (self.tokens.len(), first) {
            (
                1,
                Keyword::ALTER
                | Keyword::RENAME
                | Keyword::TRUNCATE
                | Keyword::ANALYZE
                | Keyword::OPTIMIZE
                | Keyword::REPAIR
                | Keyword::GRANT
                | Keyword::REVOKE
                | Keyword::FLUSH
                | Keyword::RESET
                | Keyword::LOCK
                | Keyword::UNLOCK,
            ) => true,
            // Temporary tables leave the transaction open.
            (2, Keyword::CREATE | Keyword::DROP) => second != Some(Keyword::TEMPORARY),
            _ => false,
        };
        commits.then(|| {
            Wrong::new(
                format!("`{}` ends the transaction that the SQL runs in: MySQL commits there", name(first)),
                "make tables by a step that writes them, and views with [[view]]; the rest is for the server's owner",
            )
        })
    }
}

fn word(token: &Token) -> Option<Keyword> {
    match token {
        Token::Word(Word {
            keyword,
            quote_style: None,
            ..
        }) => Some(*keyword),
        _ => None,
    }
}

fn name(keyword: Keyword) -> String {
    format!("{keyword:?}").to_lowercase()
}

fn ends_transaction(keyword: Keyword) -> Wrong {
    Wrong::new(
        format!(
            "`{}` is not for the SQL to say: it runs in one transaction, with the ledger that counts it",
            name(keyword)
        ),
        "leave it out; what is to be committed apart belongs into a step of its own",
    )
}

fn unknown(name: &str, params: &BTreeMap<String, ParamValue>) -> Wrong {
    let known: Vec<String> = params.keys().map(|name| format!("${name}")).collect();
    let hint = match known.is_empty() {
        true => "declare it in [params]".to_owned(),
        false => format!("the parameters are {}", known.join(", ")),
    };
    Wrong::new(format!("the SQL names {name}, which is no parameter"), hint)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn params() -> BTreeMap<String, ParamValue> {
        let day = chrono::NaiveDate::from_ymd_opt(2024, 2, 29).unwrap();
        BTreeMap::from([
            ("day".to_owned(), ParamValue::Date(day)),
            ("n".to_owned(), ParamValue::Int(-3)),
            (
                "name".to_owned(),
                ParamValue::String("O'Neil\\'; drop table t --".to_owned()),
            ),
        ])
    }

    fn of(words: Dialect, sql: &str) -> Result<Vec<String>, String> {
        statements(words, sql, &params()).map_err(|wrong| wrong.what)
    }

    #[test]
    fn statements_are_as_written_but_for_parameters() {
        let sql = "-- first; not the end\nselect 'ä; $n', $n ;;\n  insert into t\n values ($day, \"$n\", $name); /* $n */";
        assert_eq!(
            of(Dialect::Postgres, sql).unwrap(),
            [
                "-- first; not the end\nselect 'ä; $n', (-3)",
                "insert into t\n values (date '2024-02-29', \"$n\", e'O''Neil\\\\''; drop table t --')",
            ]
        );
        assert_eq!(
            of(Dialect::Sqlite, "select $name, $day").unwrap(),
            ["select 'O''Neil\\''; drop table t --', '2024-02-29'"]
        );
        let mysql = of(Dialect::Mysql, "update t set a = $name where b = $n").unwrap();
        assert_eq!(
            mysql,
            [
                "update t set a = _utf8mb4 x'4f274e65696c5c273b2064726f70207461626c652074202d2d' where b = (-3)"
            ]
        );
    }

    #[test]
    fn bodies_are_one_statement() {
        let trigger = "create trigger a after insert on t begin update s set n = case when 1 then 2 end; delete from u; end";
        let sql = format!("{trigger}; select 1");
        assert_eq!(of(Dialect::Sqlite, &sql).unwrap(), [trigger, "select 1"]);
        let body = "do $x$ begin perform 1; commit; end $x$";
        let sql = format!("{body}; select 2;");
        assert_eq!(of(Dialect::Postgres, &sql).unwrap(), [body, "select 2"]);
    }

    #[test]
    fn what_ends_the_transaction_is_refused_with_its_place() {
        let everywhere = [
            "begin",
            "commit",
            "ROLLBACK to x",
            "start transaction",
            "end",
            "savepoint a",
            "release a",
            "prepare transaction 'x'",
        ];
        for sql in everywhere {
            for words in [Dialect::Postgres, Dialect::Mysql, Dialect::Sqlite] {
                let wrong = of(words, &format!("select 1;\n {sql}")).unwrap_err();
                assert!(wrong.contains("line 2"), "{sql}: {wrong}");
            }
        }
        for sql in [
            "create table t (a int)",
            "truncate t",
            "alter table t add b int",
            "drop view v",
        ] {
            assert!(of(Dialect::Mysql, sql).is_err(), "{sql}");
            assert!(of(Dialect::Postgres, sql).is_ok(), "{sql}");
        }
        assert!(of(Dialect::Mysql, "create temporary table t (a int)").is_ok());
        for sql in [
            "truncate t",
            "vacuum t",
            "call p()",
            "alter table s.t append from u",
            "create external table t (n int)",
            "drop database d",
        ] {
            assert!(of(Dialect::Redshift, sql).is_err(), "{sql}");
        }
        for sql in [
            "alter table t add column n int",
            "analyze t",
            "drop table t",
        ] {
            assert!(of(Dialect::Redshift, sql).is_ok(), "{sql}");
        }
        assert!(of(Dialect::Postgres, "copy t from stdin").is_err());
        assert!(of(Dialect::Postgres, "copy t to 'x.csv'").is_ok());
    }

    #[test]
    fn unknown_parameters_and_open_quotes_are_told() {
        let wrong = statements(Dialect::Postgres, "select\n  $dya", &params()).unwrap_err();
        assert_eq!(
            wrong.what,
            "the SQL names $dya, which is no parameter (line 2, column 3 of the SQL)"
        );
        assert_eq!(wrong.hint, "the parameters are $day, $n, $name");
        assert!(of(Dialect::Postgres, "select 'a").is_err());
        assert_eq!(
            of(Dialect::Postgres, " ; -- nothing").unwrap(),
            Vec::<String>::new()
        );
    }
}
