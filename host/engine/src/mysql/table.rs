//! Tables of MySQL: their names, columns and types in SQL.

use std::collections::BTreeSet;

use arrow::datatypes::{DataType, Schema, TimeUnit};
use mysql_async::Conn;
use mysql_async::prelude::Queryable;

use crate::error::{Error, Result};
use crate::merge::{Merging, not_older};
use crate::server::{Column, Failure, TableOptions, TablePath, is_name};
use crate::types::type_text;

/// A longer name MySQL refuses.
const LONGEST_NAME: usize = 64;
/// The characters that a text may have by which rows are told apart.
const KEY_LENGTH: u32 = 255;
/// The characters that all columns of a key may have in an index of 3,072 bytes, with room for numbers.
const KEY_CHARACTERS: u64 = 700;
/// Texts are compared as they are.
const EXACT: &str = "character set utf8mb4 collate utf8mb4_bin";

/// `table`, or `database.table`.
///
/// # Errors
/// Usage, for what MySQL would not keep as it is.
pub(crate) fn path(text: &str) -> Result<TablePath> {
    TablePath::read(text, fits)
}

/// What is wrong with a name that is one.
fn fits(name: &str) -> Result<(), String> {
    Err(match name {
        name if name.ends_with(' ') => format!("'{name}' ends with a space"),
        name if name.chars().count() > LONGEST_NAME => {
            format!("'{name}' has more than {LONGEST_NAME} characters")
        }
        name if name.chars().any(|c| c > '\u{FFFF}') => {
            format!("'{name}' holds a character that MySQL's names cannot")
        }
        _ => return Ok(()),
    })
}

/// A name as an identifier.
pub(super) fn quoted(name: &str) -> String {
    format!("`{}`", name.replace('`', "``"))
}

/// A table as SQL writes it.
pub(super) fn table(path: &TablePath) -> String {
    path.sql(quoted)
}

/// A text as a literal of exactly these bytes, whatever the mode of the session.
pub(crate) fn literal(text: &str) -> String {
    if text.is_empty() {
        return "''".to_owned();
    }
    format!("_utf8mb4 x'{}'", bytes_of(text))
}

fn bytes_of(text: &str) -> String {
    text.bytes().map(|byte| format!("{byte:02x}")).collect()
}

/// That a column has the value of a scope, in exactly these bytes.
pub(super) fn is_value(there: &[Target], name: &str, value: &str) -> String {
    let column = quoted(name);
    let plain = format!("{column} = {}", literal(value));
    match is_text(there, name) && !value.is_empty() {
        // An index finds what a collation takes for equal; of those only equal bytes are.
        true => format!(
            "{plain} and cast(convert({column} using utf8mb4) as binary) = x'{}'",
            bytes_of(value)
        ),
        false => plain,
    }
}

/// A column of a table that is there.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Target {
    pub(super) name: String,
    /// The type without bounds: `varchar`, `int`.
    pub(super) data_type: String,
    /// The type as SQL writes it.
    pub(super) column_type: String,
    /// The most characters, or bytes, of a text.
    pub(super) length: u64,
    pub(super) precision: i64,
    pub(super) scale: i64,
    /// The digits of a second's fraction.
    pub(super) fraction: u64,
    /// The character set of a text.
    pub(super) charset: Option<String>,
    pub(super) nullable: bool,
    /// Whether the server makes its values itself.
    pub(super) generated: bool,
    /// Whether the server has a value of its own where rows have none.
    pub(super) filled: bool,
}

impl Target {
    pub(super) fn is_unsigned(&self) -> bool {
        self.column_type.to_lowercase().contains("unsigned")
    }

    /// The type of rows that has exactly its values; none where no type has.
    pub(super) fn natural(&self) -> Option<DataType> {
        if self.is_unsigned() || self.generated {
            return None;
        }
        Some(match self.data_type.as_str() {
            "tinyint" => DataType::Int8,
            "smallint" => DataType::Int16,
            "int" => DataType::Int32,
            "bigint" => DataType::Int64,
            "float" if !self.column_type.contains('(') => DataType::Float32,
            "double" if !self.column_type.contains('(') => DataType::Float64,
            "decimal" => {
                let precision = u8::try_from(self.precision).ok()?;
                let scale = i8::try_from(self.scale).ok()?;
                (precision <= 38).then_some(DataType::Decimal128(precision, scale))?
            }
            "longtext" => DataType::Utf8,
            "longblob" => DataType::Binary,
            "date" => DataType::Date32,
            "datetime" if self.fraction == 6 => DataType::Timestamp(TimeUnit::Microsecond, None),
            _ => return None,
        })
    }

    /// The values of an enum.
    pub(super) fn members(&self) -> BTreeSet<String> {
        let list = self
            .column_type
            .split_once('(')
            .and_then(|(_, rest)| rest.rsplit_once(')'))
            .map_or("", |(list, _)| list);
        let mut members = BTreeSet::new();
        let mut rest = list;
        while let Some((_, after)) = rest.split_once('\'') {
            let mut member = String::new();
            let mut characters = after.char_indices().peekable();
            let mut end = after.len();
            while let Some((at, character)) = characters.next() {
                match character {
                    // A quote in a value is written twice.
                    '\'' if characters.peek().is_some_and(|(_, next)| *next == '\'') => {
                        characters.next();
                        member.push('\'');
                    }
                    '\'' => {
                        end = at + 1;
                        break;
                    }
                    other => member.push(other),
                }
            }
            members.insert(member);
            rest = after.get(end..).unwrap_or_default();
        }
        members
    }

    /// Whether the server has to turn UTF-8 into what the column holds.
    pub(super) fn is_converted(&self) -> bool {
        let other = |charset: &String| !matches!(charset.as_str(), "utf8mb4" | "utf8mb3" | "utf8");
        matches!(self.data_type.as_str(), "json" | "uuid" | "inet4" | "inet6")
            || self.charset.as_ref().is_some_and(other)
    }
}

/// A column as it is once its table has been made.
pub(super) fn made_target(column: &Column) -> Target {
    let text = column.data_type.trim().to_lowercase();
    let end = text.find(|c: char| !c.is_ascii_alphanumeric());
    let (word, rest) = text.split_at(end.unwrap_or(text.len()));
    let arguments: Vec<i64> = rest
        .trim_start()
        .strip_prefix('(')
        .and_then(|rest| rest.split_once(')'))
        .map_or("", |(arguments, _)| arguments)
        .split(',')
        .filter_map(|argument| argument.trim().parse().ok())
        .collect();
    let (data_type, column_type) = match word {
        "bool" | "boolean" => ("tinyint", "tinyint(1)".to_owned()),
        "integer" => ("int", text.clone()),
        "numeric" | "dec" | "fixed" => ("decimal", text.clone()),
        "real" => ("double", text.clone()),
        other => (other, text.clone()),
    };
    let is_text = data_type.ends_with("text") || data_type.ends_with("char");
    Target {
        name: column.name.clone(),
        data_type: data_type.to_owned(),
        column_type,
        length: u64::MAX,
        precision: arguments.first().copied().unwrap_or(10),
        scale: arguments.get(1).copied().unwrap_or_default(),
        fraction: 6,
        charset: is_text.then(|| "utf8mb4".to_owned()),
        nullable: true,
        generated: false,
        filled: false,
    }
}

/// The columns of a table, in order; none if there is no table.
pub(super) async fn columns(conn: &mut Conn, path: &TablePath) -> Result<Vec<Target>, Failure> {
    type Row = (
        String,
        String,
        String,
        Option<u64>,
        Option<i64>,
        Option<i64>,
        Option<u64>,
        Option<String>,
        String,
        String,
        bool,
    );
    let rows: Vec<Row> = conn
        .exec(
            "select column_name, lower(data_type), column_type, character_maximum_length,
                    cast(numeric_precision as signed), cast(numeric_scale as signed), datetime_precision, character_set_name, is_nullable, upper(extra),
                    coalesce(column_default, 'NULL') <> 'NULL' or extra like '%auto_increment%'
             from information_schema.columns
             where table_schema = coalesce(?, database()) and table_name = ?
             order by ordinal_position",
            (&path.schema, &path.table),
        )
        .await?;
    let is_generated = |extra: &str| {
        let words = ["VIRTUAL", "STORED", "PERSISTENT"];
        words.iter().any(|word| extra.contains(word))
    };
    let target = |row: Row| Target {
        name: row.0,
        data_type: row.1,
        column_type: row.2,
        length: row.3.unwrap_or(u64::MAX),
        precision: row.4.unwrap_or_default(),
        scale: row.5.unwrap_or_default(),
        fraction: row.6.unwrap_or_default(),
        charset: row.7,
        nullable: row.8 == "YES",
        // A default that is an expression is called generated as well.
        generated: is_generated(&row.9),
        filled: row.10 || is_generated(&row.9),
    };
    Ok(rows.into_iter().map(target).collect())
}

/// Whether what is written to a table can be taken back; true where there is no table. Of a view it cannot be
/// said.
pub(super) async fn is_transactional(conn: &mut Conn, path: &TablePath) -> Result<bool, Failure> {
    let found: Option<(String, Option<String>)> = conn
        .exec_first(
            "select t.table_type, e.transactions from information_schema.tables t
             left join information_schema.engines e on e.engine = t.engine
             where t.table_schema = coalesce(?, database()) and t.table_name = ?",
            (&path.schema, &path.table),
        )
        .await?;
    Ok(found.is_none_or(|(kind, transactions)| {
        kind == "BASE TABLE" && transactions.as_deref() == Some("YES")
    }))
}

/// The columns of a table for rows of `schema`; `keys` are those by which rows are told apart.
///
/// # Errors
/// Usage, for a type or a name that MySQL does not have.
pub(crate) fn made(schema: &Schema, keys: &[String]) -> Result<Vec<Column>> {
    schema
        .fields()
        .iter()
        .map(|field| {
            is_name(field.name(), fits)?;
            if [IS_THERE, ID].contains(&field.name().to_lowercase().as_str()) {
                return Err(
                    Error::usage(format!("a column cannot be called '{}'", field.name()))
                        .with_hint(
                            "merging has a column of this name: give it another one in a query",
                        ),
                );
            }
            let is_key = keys.contains(field.name());
            let data_type = made_as(field.data_type(), is_key).map_err(|why| {
                Error::usage(format!("column '{}' cannot be kept: {why}", field.name()))
                    .with_hint("cast it in a query, or leave it out")
            })?;
            Ok(Column {
                name: field.name().clone(),
                data_type,
            })
        })
        .collect()
}

/// The type with which a column is made.
///
/// | rows | MySQL |
/// |---|---|
/// | bool | tinyint(1) |
/// | int8 to int64 | tinyint, smallint, int, bigint |
/// | uint8 to uint64 | the same, unsigned |
/// | float32, float64 | float, double: finite numbers only |
/// | decimal(p,s) of at most 30 digits after the point | decimal(p,s) |
/// | string | longtext, compared by its bytes; varchar(255) where it is a key or a partition |
/// | binary | longblob |
/// | date, time, timestamp | date, time(6), datetime(6) |
/// | timestamptz | datetime(6), the moment in UTC |
fn made_as(data_type: &DataType, is_key: bool) -> Result<String, String> {
    Ok(match data_type {
        DataType::Boolean => "tinyint(1)".to_owned(),
        DataType::Int8 => "tinyint".to_owned(),
        DataType::Int16 => "smallint".to_owned(),
        DataType::Int32 => "int".to_owned(),
        DataType::Int64 => "bigint".to_owned(),
        DataType::UInt8 => "tinyint unsigned".to_owned(),
        DataType::UInt16 => "smallint unsigned".to_owned(),
        DataType::UInt32 => "int unsigned".to_owned(),
        DataType::UInt64 => "bigint unsigned".to_owned(),
        DataType::Float16 | DataType::Float32 => "float".to_owned(),
        DataType::Float64 => "double".to_owned(),
        DataType::Decimal128(precision, scale) if (0..=30).contains(scale) => {
            format!("decimal({precision},{scale})")
        }
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => match is_key {
            true => format!("varchar({KEY_LENGTH}) {EXACT}"),
            false => format!("longtext {EXACT}"),
        },
        DataType::Binary | DataType::LargeBinary | DataType::BinaryView => match is_key {
            true => format!("varbinary({KEY_LENGTH})"),
            false => "longblob".to_owned(),
        },
        DataType::Date32 => "date".to_owned(),
        DataType::Time32(_) | DataType::Time64(TimeUnit::Microsecond) => "time(6)".to_owned(),
        DataType::Timestamp(unit, _) if *unit != TimeUnit::Nanosecond => "datetime(6)".to_owned(),
        other => return Err(format!("MySQL tables take no {}", type_text(other))),
    })
}

/// The statement that makes a table. Columns may be null, whatever the server thinks of timestamps, but for
/// those of the primary key.
pub(super) fn create(table: &str, columns: &[Column], options: &TableOptions) -> String {
    let list = |columns: &[String]| {
        let names: Vec<String> = columns.iter().map(|name| quoted(name)).collect();
        names.join(", ")
    };
    let definition = |column: &Column| {
        let is_key = options.primary_key.contains(&column.name);
        definition(column, is_key)
    };
    let mut parts: Vec<String> = columns.iter().map(definition).collect();
    if !options.primary_key.is_empty() {
        parts.push(format!("primary key ({})", list(&options.primary_key)));
    }
    for columns in &options.indexes {
        parts.push(format!("index ({})", list(columns)));
    }
    format!(
        // Also for columns whose type the file says: a database may have another character set.
        "create table if not exists {table} ({}) engine = InnoDB default {EXACT}",
        parts.join(", ")
    )
}

/// A column's definition.
fn definition(column: &Column, is_key: bool) -> String {
    let null = if is_key { "not null" } else { "null" };
    format!("{} {} {null}", quoted(&column.name), column.data_type)
}

/// The statement that adds those of the columns which a table lacks; none if it has them all.
pub(super) fn add_columns(table: &str, there: &[Target], columns: &[Column]) -> Option<String> {
    let parts: Vec<String> = columns
        .iter()
        .filter(|column| find(there, &column.name).is_none())
        .map(|column| format!("add column {}", definition(column, false)))
        .collect();
    (!parts.is_empty()).then(|| format!("alter table {table} {}", parts.join(", ")))
}

/// What the stage has besides the rows' columns: a number for each row, and whether its key is in the table.
const ID: &str = "_weir_id";
const IS_THERE: &str = "_weir_is_there";
/// Rows that are to be merged, before they are.
pub(super) const STAGE: &str = "`_weir_stage`";
/// Which of the staged rows are the greatest of their keys.
const LAST: &str = "`_weir_last`";

/// The statement that makes the stage: the columns of the table, and what merging needs.
pub(super) fn make_stage(path: &TablePath, columns: &[Column]) -> String {
    let names: Vec<String> = columns.iter().map(|column| quoted(&column.name)).collect();
    format!(
        "create temporary table {STAGE} (
             `_weir_id` bigint unsigned not null auto_increment primary key,
             `_weir_is_there` tinyint not null default 0
         ) engine = InnoDB select {} from {} limit 0",
        names.join(", "),
        table(path)
    )
}

/// What is done to the stage once it is full, before the transaction: an index by the key, and which rows
/// are the last of their key.
pub(super) fn settle_stage(there: &[Target], how: &Merging) -> Vec<String> {
    let keys: Vec<String> = how
        .key
        .iter()
        .map(|name| match prefix(there, name, how.key.len()) {
            Some(most) => format!("{}({most})", quoted(name)),
            None => quoted(name),
        })
        .collect();
    let mut statements = vec![format!(
        "alter table {STAGE} add index `_weir_key` ({})",
        keys.join(", ")
    )];
    if !how.order.is_empty() {
        let exact = |name: &String| exact(there, "s", name);
        let keys: Vec<String> = how.key.iter().map(exact).collect();
        // Nulls are least.
        let order: Vec<String> = how
            .order
            .iter()
            .map(|name| format!("{} desc", exact(name)))
            .collect();
        statements.push(format!(
            "create temporary table {LAST} (`_weir_id` bigint unsigned not null primary key) engine = InnoDB
             select `_weir_id` from (
                 select s.`_weir_id`, row_number() over (partition by {} order by {}, s.`_weir_id` desc) as place from {STAGE} s
             ) ranked where place = 1",
            keys.join(", "),
            order.join(", ")
        ));
        statements.push(format!(
            "delete s from {STAGE} s left join {LAST} l on l.`_weir_id` = s.`_weir_id` where l.`_weir_id` is null"
        ));
    }
    statements
}

/// The statements that merge the rows of the stage into a table, in the transaction.
pub(super) fn merge(
    path: &TablePath,
    columns: &[Column],
    there: &[Target],
    how: &Merging,
) -> Vec<String> {
    let table = table(path);
    let same: Vec<String> = how
        .key
        .iter()
        .flat_map(|name| {
            // An index finds what a collation takes for equal; of those only equal bytes are.
            let (t, s) = (exact(there, "t", name), exact(there, "s", name));
            let plain = format!("t.{0} = s.{0}", quoted(name));
            match t.starts_with("t.") {
                true => vec![plain],
                false => vec![plain, format!("{t} = {s}")],
            }
        })
        .collect();
    let same = same.join(" and ");
    let others: Vec<String> = columns
        .iter()
        .filter(|column| !how.key.contains(&column.name))
        .map(|column| quoted(&column.name))
        .collect();
    let mut statements = vec![format!(
        "update {STAGE} s join {table} t on {same} set s.`_weir_is_there` = 1"
    )];
    if !how.keep && !others.is_empty() {
        let set: Vec<String> = others
            .iter()
            .map(|name| format!("t.{name} = s.{name}"))
            .collect();
        statements.push(format!(
            "update {table} t join {STAGE} s on {same} set {} where {}",
            set.join(", "),
            not_older(&how.order, &|of, name| exact(there, of, name))
        ));
    }
    let all: Vec<String> = columns.iter().map(|column| quoted(&column.name)).collect();
    let all = all.join(", ");
    statements.push(format!(
        "insert into {table} ({all}) select {all} from {STAGE} where `_weir_is_there` = 0"
    ));
    statements
}

/// A column by its name, which MySQL does not tell apart by case.
pub(super) fn find<'a>(there: &'a [Target], name: &str) -> Option<&'a Target> {
    let lower = name.to_lowercase();
    there
        .iter()
        .find(|target| target.name == name || target.name.to_lowercase() == lower)
}

fn is_text(there: &[Target], name: &str) -> bool {
    find(there, name).is_some_and(|target| target.charset.is_some())
}

/// How many characters of a text or bytes an index of `of` columns keeps; none where it keeps all.
fn prefix(there: &[Target], name: &str, of: usize) -> Option<u64> {
    let target = find(there, name)?;
    let bytes = [
        "binary",
        "varbinary",
        "tinyblob",
        "blob",
        "mediumblob",
        "longblob",
    ];
    let is_long = target.charset.is_some() || bytes.contains(&target.data_type.as_str());
    let is_long = is_long && !matches!(target.data_type.as_str(), "enum" | "set");
    let most = KEY_CHARACTERS / of.max(1) as u64;
    (is_long && target.length > most).then_some(most)
}

/// A column to be compared: texts by their bytes.
fn exact(there: &[Target], of: &str, name: &str) -> String {
    match is_text(there, name) {
        true => format!("cast({of}.{} as binary)", quoted(name)),
        false => format!("{of}.{}", quoted(name)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_quoted_or_refused() {
        let path_of = path("ca`re.sel'ect").unwrap();
        assert_eq!(table(&path_of), "`ca``re`.`sel'ect`");
        for bad in ["", ".t", "s.", "a\0b", "a ", "\u{1F600}", &"é".repeat(65)] {
            assert!(path(bad).is_err(), "{bad:?}");
        }
        assert!(path(&"é".repeat(64)).is_ok());
    }

    #[test]
    fn an_enum_says_its_values() {
        let target = Target {
            name: "mood".to_owned(),
            data_type: "enum".to_owned(),
            column_type: "enum('so so','it''s','a,b','')".to_owned(),
            length: 5,
            precision: 0,
            scale: 0,
            fraction: 0,
            charset: None,
            nullable: true,
            generated: false,
            filled: false,
        };
        let members: Vec<String> = target.members().into_iter().collect();
        assert_eq!(members, ["", "a,b", "it's", "so so"]);
    }

    #[test]
    fn texts_are_literals_whatever_is_in_them() {
        assert_eq!(literal("a'\\"), "_utf8mb4 x'61275c'");
    }
}
