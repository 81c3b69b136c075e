//! How databases differ in naming things.

use std::fmt;

use crate::error::{Doing, Error, What};

/// Whose SQL it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Vendor {
    /// DuckDB, and servers that run it.
    DuckDb,
    /// SQLite.
    Sqlite,
    /// PostgreSQL, and those that speak as it does.
    PostgreSql,
    /// Snowflake.
    Snowflake,
    /// Google BigQuery.
    BigQuery,
    /// MySQL, MariaDB.
    MySql,
    /// Databricks, Spark.
    Databricks,
    /// All others: they are taken to speak standard SQL.
    Ansi,
}

impl Vendor {
    /// The vendor of a name such as drivers give of their database, or people in a file.
    pub fn named(name: &str) -> Vendor {
        let name = name.to_ascii_lowercase();
        let known = [
            ("duckdb", Vendor::DuckDb),
            ("sqlite", Vendor::Sqlite),
            ("postgres", Vendor::PostgreSql),
            ("snowflake", Vendor::Snowflake),
            ("bigquery", Vendor::BigQuery),
            ("mysql", Vendor::MySql),
            ("mariadb", Vendor::MySql),
            ("databricks", Vendor::Databricks),
            ("spark", Vendor::Databricks),
        ];
        let vendor = known.into_iter().find(|(part, _)| name.contains(part));
        vendor.map_or(Vendor::Ansi, |(_, vendor)| vendor)
    }

    /// Rows that a driver loads are part of the connection's transaction, and creating a table does not
    /// end it. Known of these; of others it is not relied upon.
    pub(crate) fn loads_in_transaction(self) -> bool {
        match self {
            Vendor::DuckDb | Vendor::Sqlite | Vendor::PostgreSql => true,
            Vendor::Snowflake
            | Vendor::BigQuery
            | Vendor::MySql
            | Vendor::Databricks
            | Vendor::Ansi => false,
        }
    }
}

impl Vendor {
    /// Whether it has `MERGE`.
    pub fn merges(self) -> bool {
        match self {
            Vendor::Sqlite | Vendor::MySql => false,
            Vendor::DuckDb
            | Vendor::PostgreSql
            | Vendor::Snowflake
            | Vendor::BigQuery
            | Vendor::Databricks
            | Vendor::Ansi => true,
        }
    }
}

impl fmt::Display for Vendor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Vendor::DuckDb => "DuckDB",
            Vendor::Sqlite => "SQLite",
            Vendor::PostgreSql => "PostgreSQL",
            Vendor::Snowflake => "Snowflake",
            Vendor::BigQuery => "BigQuery",
            Vendor::MySql => "MySQL",
            Vendor::Databricks => "Databricks",
            Vendor::Ansi => "standard SQL",
        })
    }
}

/// A table's name, as its parts are, unquoted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Table<'a> {
    /// The catalog: the connection's own, if None.
    pub catalog: Option<&'a str>,
    /// The schema: the connection's own, if None.
    pub schema: Option<&'a str>,
    /// The table.
    pub name: &'a str,
}

impl<'a> From<&'a str> for Table<'a> {
    /// A table of the connection's own schema.
    fn from(name: &'a str) -> Table<'a> {
        Table {
            catalog: None,
            schema: None,
            name,
        }
    }
}

impl Table<'_> {
    /// The table's name as SQL has it.
    ///
    /// # Errors
    ///
    /// As [`quote_identifier`] for each part.
    pub fn quoted(&self, vendor: Vendor) -> Result<String, Error> {
        let mut quoted = String::new();
        for part in [self.catalog, self.schema].into_iter().flatten() {
            quoted.push_str(&quote_identifier(vendor, part)?);
            quoted.push('.');
        }
        quoted.push_str(&quote_identifier(vendor, self.name)?);
        Ok(quoted)
    }
}

impl fmt::Display for Table<'_> {
    /// The table's name for people.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for part in [self.catalog, self.schema].into_iter().flatten() {
            write!(f, "{part}.")?;
        }
        f.write_str(self.name)
    }
}

/// A name as SQL has it: in double quotes, or in backticks where the vendor wants these, with whatever
/// would end it doubled or escaped.
///
/// # Errors
///
/// [`What::NulInText`] if there is a NUL in it, [`What::NameEmpty`] if there is nothing in it.
pub fn quote_identifier(vendor: Vendor, name: &str) -> Result<String, Error> {
    let doing = || Doing::Quote;
    if name.is_empty() {
        return Err(Error::new(doing(), What::NameEmpty));
    }
    refuse_nul(name, "a name")?;
    Ok(match vendor {
        Vendor::DuckDb | Vendor::Sqlite | Vendor::PostgreSql | Vendor::Snowflake | Vendor::Ansi => {
            format!("\"{}\"", name.replace('"', "\"\""))
        }
        Vendor::MySql | Vendor::Databricks => format!("`{}`", name.replace('`', "``")),
        Vendor::BigQuery => {
            format!("`{}`", name.replace('\\', "\\\\").replace('`', "\\`"))
        }
    })
}

/// A text as SQL has it.
///
/// # Errors
///
/// [`What::NulInText`](crate::What::NulInText).
pub fn quote_text(vendor: Vendor, text: &str) -> Result<String, Error> {
    refuse_nul(text, "a text")?;
    Ok(match vendor {
        Vendor::DuckDb | Vendor::Sqlite | Vendor::PostgreSql | Vendor::Ansi => {
            format!("'{}'", text.replace('\'', "''"))
        }
        // A backslash escapes there.
        Vendor::Snowflake | Vendor::BigQuery | Vendor::MySql | Vendor::Databricks => {
            let text = text.replace('\\', "\\\\").replace('\'', "\\'");
            format!("'{}'", text.replace('\n', "\\n").replace('\r', "\\r"))
        }
    })
}

fn refuse_nul(text: &str, of: &'static str) -> Result<(), Error> {
    if text.contains('\0') {
        return Err(Error::new(Doing::Quote, What::NulInText { of }));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_quoted_as_the_vendor_wants_it() {
        let quoted = |vendor, name| quote_identifier(vendor, name).unwrap();
        assert_eq!(quoted(Vendor::DuckDb, "a\"b"), "\"a\"\"b\"");
        assert_eq!(quoted(Vendor::PostgreSql, "Straße`\\"), "\"Straße`\\\"");
        assert_eq!(quoted(Vendor::MySql, "a`b\"c"), "`a``b\"c`");
        assert_eq!(quoted(Vendor::Databricks, "a`b"), "`a``b`");
        assert_eq!(quoted(Vendor::BigQuery, "a`b\\"), "`a\\`b\\\\`");
        let table = Table {
            catalog: Some("c"),
            schema: Some("s.t"),
            name: "n\"",
        };
        assert_eq!(
            table.quoted(Vendor::Ansi).unwrap(),
            "\"c\".\"s.t\".\"n\"\"\""
        );
    }

    #[test]
    fn a_name_without_letters_or_with_a_nul_is_refused() {
        for vendor in [Vendor::DuckDb, Vendor::BigQuery] {
            let error = quote_identifier(vendor, "a\0b").unwrap_err();
            assert_eq!(error.what(), &What::NulInText { of: "a name" });
            assert_eq!(
                error.to_string(),
                "cannot name this in SQL: there is a NUL in a name"
            );
            let error = quote_identifier(vendor, "").unwrap_err();
            assert_eq!(error.what(), &What::NameEmpty);
        }
    }

    #[test]
    fn texts_cannot_end_early() {
        let quoted = |vendor, text| quote_text(vendor, text).unwrap();
        assert_eq!(quoted(Vendor::DuckDb, "a'b\\"), "'a''b\\'");
        assert_eq!(quoted(Vendor::Snowflake, "a'b\\"), "'a\\'b\\\\'");
        assert_eq!(quoted(Vendor::BigQuery, "a\nb"), "'a\\nb'");
    }

    #[test]
    fn vendors_are_known_by_the_names_that_drivers_give() {
        let names = [
            ("duckdb", Vendor::DuckDb),
            ("SQLite", Vendor::Sqlite),
            ("PostgreSQL", Vendor::PostgreSql),
            ("Snowflake", Vendor::Snowflake),
            ("BigQuery", Vendor::BigQuery),
            ("MariaDB", Vendor::MySql),
            ("Apache Spark", Vendor::Databricks),
            ("db_name", Vendor::Ansi),
        ];
        for (name, vendor) in names {
            assert_eq!(Vendor::named(name), vendor, "{name}");
        }
    }
}
