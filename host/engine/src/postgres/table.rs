//! Tables of PostgreSQL: their names, columns and types in SQL.

use arrow::datatypes::{DataType, Schema};
use tokio_postgres::Client;
use tokio_postgres::types::{Kind, Type};

use super::copy::Target;
use crate::delta::Mode;
use crate::error::{Error, Result};
use crate::merge::{Merging, not_older};
use crate::server::{Column, Failure, Level, TableOptions, TablePath, is_name};
use crate::types::type_text;

/// A longer name PostgreSQL cuts, with a notice that nobody reads.
pub(super) const LONGEST_NAME: usize = 63;

/// `table` or `schema.table`.
///
/// # Errors
/// Usage, for what PostgreSQL would not keep as it is.
pub(crate) fn path(text: &str) -> Result<TablePath> {
    TablePath::read(text, fits)
}

/// A table as SQL writes it.
pub(super) fn quoted_path(path: &TablePath) -> String {
    path.sql(quoted)
}

/// What is wrong with a name that is one.
fn fits(name: &str) -> Result<(), String> {
    match name.len() > LONGEST_NAME {
        true => Err(format!(
            "'{name}' has more than {LONGEST_NAME} bytes, and PostgreSQL would cut it"
        )),
        false => Ok(()),
    }
}

/// A name as an identifier.
pub(crate) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// A text as a literal, whatever the server makes of backslashes.
pub(crate) fn literal(text: &str) -> String {
    let text = text.replace('\\', "\\\\").replace('\'', "''");
    format!("e'{text}'")
}

/// The columns of a table for rows of `schema`.
///
/// # Errors
/// Usage, for a type or a name that PostgreSQL does not have.
pub(crate) fn made(schema: &Schema) -> Result<Vec<Column>> {
    schema
        .fields()
        .iter()
        .map(|field| {
            is_name(field.name(), fits)?;
            let data_type = made_as(field.data_type()).map_err(|why| {
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

/// A column's definition.
pub(super) fn definition(column: &Column) -> String {
    format!("{} {}", quoted(&column.name), column.data_type)
}

/// A column once it is made.
pub(super) fn target(column: &Column) -> Target {
    let kept = kept_as(column);
    let (item, list) = match kept.strip_prefix('_') {
        Some(item) => (item, true),
        None => (kept.as_str(), false),
    };
    let bounds = item
        .strip_prefix("numeric(")
        .and_then(|bounds| bounds.strip_suffix(')')?.split_once(','));
    let modifier = match bounds {
        Some((precision, scale)) => {
            let part = |text: &str| text.parse::<i32>().unwrap_or_default();
            ((part(precision) << 16) | (part(scale) & 0x7ff)) + 4
        }
        None => -1,
    };
    let data_type = match (item, list) {
        ("bool", false) => Type::BOOL,
        ("bool", true) => Type::BOOL_ARRAY,
        ("int2", false) => Type::INT2,
        ("int2", true) => Type::INT2_ARRAY,
        ("int4", false) => Type::INT4,
        ("int4", true) => Type::INT4_ARRAY,
        ("int8", false) => Type::INT8,
        ("int8", true) => Type::INT8_ARRAY,
        ("float4", false) => Type::FLOAT4,
        ("float4", true) => Type::FLOAT4_ARRAY,
        ("float8", false) => Type::FLOAT8,
        ("float8", true) => Type::FLOAT8_ARRAY,
        ("bytea", false) => Type::BYTEA,
        ("bytea", true) => Type::BYTEA_ARRAY,
        ("date", false) => Type::DATE,
        ("date", true) => Type::DATE_ARRAY,
        ("time", false) => Type::TIME,
        ("time", true) => Type::TIME_ARRAY,
        ("timestamp", false) => Type::TIMESTAMP,
        ("timestamp", true) => Type::TIMESTAMP_ARRAY,
        ("timestamptz", false) => Type::TIMESTAMPTZ,
        ("timestamptz", true) => Type::TIMESTAMPTZ_ARRAY,
        ("text", true) => Type::TEXT_ARRAY,
        (numeric, false) if numeric.starts_with("numeric") => Type::NUMERIC,
        (numeric, true) if numeric.starts_with("numeric") => Type::NUMERIC_ARRAY,
        _ => Type::TEXT,
    };
    Target {
        name: column.name.clone(),
        data_type,
        modifier,
        not_null: false,
        filled: false,
    }
}

/// The statement that adds those of the columns which a table lacks.
pub(super) fn add_columns(table: &str, columns: &[Column]) -> String {
    let parts: Vec<String> = columns
        .iter()
        .map(|column| format!("add column if not exists {}", definition(column)))
        .collect();
    format!("alter table {table} {}", parts.join(", "))
}

/// The statements that make a table.
pub(super) fn create(table: &str, columns: &[Column], options: &TableOptions) -> Vec<String> {
    let list = |columns: &[String]| {
        let names: Vec<String> = columns.iter().map(|name| quoted(name)).collect();
        names.join(", ")
    };
    let mut parts: Vec<String> = columns.iter().map(definition).collect();
    if !options.primary_key.is_empty() {
        parts.push(format!("primary key ({})", list(&options.primary_key)));
    }
    let partitioned = options.partition_by.first().map_or(String::new(), by);
    let mut statements = vec![format!(
        "create table {table} ({}){partitioned}",
        parts.join(", ")
    )];
    for columns in &options.indexes {
        statements.push(format!("create index on {table} ({})", list(columns)));
    }
    if !options.grants.is_empty() {
        statements.push(format!(
            "grant select on {table} to {}",
            list(&options.grants)
        ));
    }
    statements
}

/// How a table is partitioned, as the end of the statement that makes it.
pub(super) fn by(level: &Level) -> String {
    let kind = if level.span.is_some() {
        "range"
    } else {
        "list"
    };
    format!(" partition by {kind} ({})", quoted(&level.column))
}

/// A column's type as [`Target::type_name`] gives it.
pub(super) fn kept_as(column: &Column) -> String {
    let (item, list) = match column.data_type.strip_suffix("[]") {
        Some(item) => (item, "_"),
        None => (column.data_type.as_str(), ""),
    };
    let short = match item {
        "boolean" => "bool",
        "smallint" => "int2",
        "integer" => "int4",
        "bigint" => "int8",
        "real" => "float4",
        "double precision" => "float8",
        other if !list.is_empty() && other.starts_with("numeric") => "numeric",
        other => other,
    };
    format!("{list}{short}")
}

/// The type with which a column is made.
///
/// | rows | PostgreSQL |
/// |---|---|
/// | bool | boolean |
/// | int8, int16, uint8 | smallint |
/// | int32, uint16 | integer |
/// | int64, uint32 | bigint |
/// | uint64 | numeric(20,0) |
/// | float32, float64 | real, double precision |
/// | decimal(p,s) | numeric(p,s) |
/// | string | text |
/// | binary | bytea |
/// | date, time | date, time |
/// | timestamp, timestamptz | timestamp, timestamptz |
/// | a list of one of these | an array of it |
fn made_as(data_type: &DataType) -> Result<String, String> {
    Ok(match data_type {
        DataType::Boolean => "boolean".to_owned(),
        DataType::Int8 | DataType::Int16 | DataType::UInt8 => "smallint".to_owned(),
        DataType::Int32 | DataType::UInt16 => "integer".to_owned(),
        DataType::Int64 | DataType::UInt32 => "bigint".to_owned(),
        DataType::UInt64 => "numeric(20,0)".to_owned(),
        DataType::Float16 | DataType::Float32 => "real".to_owned(),
        DataType::Float64 => "double precision".to_owned(),
        DataType::Decimal128(precision, scale) => format!("numeric({precision},{scale})"),
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => "text".to_owned(),
        DataType::Binary | DataType::LargeBinary | DataType::BinaryView => "bytea".to_owned(),
        DataType::Date32 => "date".to_owned(),
        DataType::Time32(_) | DataType::Time64(arrow::datatypes::TimeUnit::Microsecond) => {
            "time".to_owned()
        }
        DataType::Timestamp(unit, zone) if *unit != arrow::datatypes::TimeUnit::Nanosecond => {
            match zone {
                Some(_) => "timestamptz".to_owned(),
                None => "timestamp".to_owned(),
            }
        }
        DataType::List(item) if !item.data_type().is_nested() => {
            format!("{}[]", made_as(item.data_type())?)
        }
        other => return Err(format!("PostgreSQL tables take no {}", type_text(other))),
    })
}

/// What the user of the connection may not do that a load needs, and who can help. `gains`: columns are added to
/// the table.
pub(super) async fn lacks(
    client: &Client,
    table: &TablePath,
    is_there: bool,
    mode: Mode,
    gains: bool,
) -> Result<Option<(String, String)>, Failure> {
    if gains {
        let row = client
            .query_one(
                "select pg_has_role(relowner, 'usage'), relkind in ('r', 'p', 'f') and not relispartition
                 from pg_class where oid = to_regclass($1)",
                &[&quoted_path(table)],
            )
            .await?;
        if !row.try_get::<_, bool>(1)? {
            return Ok(Some((
                "it is a view or a partition, which cannot get the columns that are new".to_owned(),
                "write the table itself, or leave such columns out with schema_change = { new_column = \"discard\" }"
                    .to_owned(),
            )));
        }
        if !row.try_get::<_, bool>(0)? {
            return Ok(Some((
                "the user of the connection does not own the table, and so may not add the columns that are new".to_owned(),
                format!(
                    "add them yourself, or make the user its owner: alter table {} owner to …",
                    quoted_path(table)
                ),
            )));
        }
    }
    if !is_there {
        let row = client
            .query_one(
                "select n.nspname::text, has_schema_privilege(n.oid, 'create')
                 from (select coalesce($1, current_schema()::text) as wanted) w
                 left join pg_namespace n on n.nspname = w.wanted",
                &[&table.schema],
            )
            .await?;
        let schema: Option<String> = row.try_get(0)?;
        let may: Option<bool> = row.try_get(1)?;
        return Ok(match (schema, may) {
            (None, _) => Some((
                "the schema is not there".to_owned(),
                "make the schema (create schema …), or write a table of another one".to_owned(),
            )),
            (Some(schema), Some(false)) => Some((
                format!("the user of the connection may not make tables in the schema '{schema}'"),
                format!(
                    "grant create on schema {} to the user, or make the table",
                    quoted(&schema)
                ),
            )),
            (Some(_), _) => None,
        });
    }
    let needed: &[&str] = match mode {
        Mode::Append | Mode::ReplaceDynamic | Mode::Rewrite => &["insert"],
        Mode::Replace | Mode::ReplacePartition => &["insert", "delete"],
        Mode::Merge => &["insert", "select", "update"],
    };
    let mut lacking = Vec::new();
    for privilege in needed {
        let row = client
            .query_one(
                "select has_table_privilege(to_regclass($1), $2)",
                &[&quoted_path(table), privilege],
            )
            .await?;
        // Rights on columns are as good; which they are, the load finds out. Rows are deleted whole.
        let column_wise = match *privilege {
            "delete" => "select",
            other => other,
        };
        let columns = client
            .query_one(
                "select has_any_column_privilege(to_regclass($1), $2)",
                &[&quoted_path(table), &column_wise],
            )
            .await?;
        let (whole, some): (bool, bool) = (row.try_get(0)?, columns.try_get(0)?);
        if !whole && (*privilege == "delete" || !some) {
            lacking.push(*privilege);
        }
    }
    Ok((!lacking.is_empty()).then(|| {
        let lacking = lacking.join(", ");
        (
            format!("the user of the connection may not {lacking} in the table"),
            format!("grant {lacking} on {} to the user", quoted_path(table)),
        )
    }))
}

/// The table with its schema: that in which it is, or would be made.
pub(super) async fn placed(client: &Client, table: &TablePath) -> Result<TablePath, Failure> {
    if table.schema.is_some() {
        return Ok(table.clone());
    }
    let row = client
        .query_one(
            "select coalesce(
                 (select n.nspname::text from pg_class c join pg_namespace n on n.oid = c.relnamespace
                  where c.oid = to_regclass($1)),
                 current_schema()::text)",
            &[&quoted_path(table)],
        )
        .await?;
    Ok(TablePath {
        schema: row.try_get(0)?,
        table: table.table.clone(),
    })
}

/// What belongs to a table, besides its columns and what `options` say, in words.
pub(super) async fn belongings(
    client: &Client,
    table: &TablePath,
    options: &TableOptions,
) -> Result<Vec<String>, Failure> {
    let rows = client
        .query(
            "with t as (select * from pg_class where oid = to_regclass($1)),
             names as (
                 select i.indexrelid, array_agg(a.attname::text order by k.place) as columns
                 from t join pg_index i on i.indrelid = t.oid
                 cross join lateral unnest(i.indkey::int2[]) with ordinality as k(attnum, place)
                 join pg_attribute a on a.attrelid = t.oid and a.attnum = k.attnum
                 group by i.indexrelid)
             select 'index', c.relname::text,
                    case when not i.indisunique and i.indpred is null and i.indexprs is null and m.amname = 'btree'
                              and i.indnkeyatts = i.indnatts and 0 = all (i.indoption::int2[])
                         then n.columns end
             from t join pg_index i on i.indrelid = t.oid join pg_class c on c.oid = i.indexrelid
             join pg_am m on m.oid = c.relam
             left join names n on n.indexrelid = i.indexrelid
             where not exists (select 1 from pg_constraint k where k.conindid = i.indexrelid and k.contype in ('p', 'u', 'x'))
             union all
             select case k.contype when 'p' then 'key' else 'constraint' end, k.conname::text, n.columns
             from t join pg_constraint k on k.conrelid = t.oid
             left join names n on n.indexrelid = k.conindid and k.contype = 'p'
             where k.contype in ('p', 'u', 'x', 'c', 'f')
             union all
             select 'trigger', g.tgname::text, null from t join pg_trigger g on g.tgrelid = t.oid where not g.tgisinternal
             union all
             select 'policy', p.polname::text, null from t join pg_policy p on p.polrelid = t.oid
             union all
             select distinct 'grant', case a.grantee when 0 then 'public' else pg_get_userbyid(a.grantee)::text end,
                    array[lower(a.privilege_type)]
             from t cross join lateral aclexplode(t.relacl) a where a.grantee <> t.relowner
             union all
             select 'comment', '', null from t join pg_description d on d.objoid = t.oid and d.classoid = 'pg_class'::regclass
             group by 1
             union all
             select distinct 'columns', pg_get_userbyid(g.grantee)::text, null::text[]
             from t join pg_attribute a on a.attrelid = t.oid cross join lateral aclexplode(a.attacl) g
             union all
             select 'owner', pg_get_userbyid(t.relowner)::text, null from t where t.relowner <> (select oid from pg_roles where rolname = current_user)
             union all
             select 'rows', '', null from t where t.relrowsecurity
             union all
             select 'partitions', '', null from t where t.relkind = 'p'
             union all
             select 'publication', p.pubname::text, null
             from t join pg_publication_rel r on r.prrelid = t.oid join pg_publication p on p.oid = r.prpubid
             union all
             select 'rule', r.rulename::text, null from t join pg_rewrite r on r.ev_class = t.oid where t.relkind in ('r', 'p')
             union all
             select 'default', a.attname::text, null
             from t join pg_attribute a on a.attrelid = t.oid
             where a.attnum > 0 and not a.attisdropped and (a.atthasdef or a.attidentity <> '')
             union all
             select 'not null', a.attname::text, null
             from t join pg_attribute a on a.attrelid = t.oid
             where a.attnum > 0 and not a.attisdropped and a.attnotnull and a.attidentity = ''
               and not exists (select 1 from pg_index i where i.indrelid = t.oid and i.indisprimary and a.attnum = any (i.indkey))
             order by 1, 2",
            &[&quoted_path(table)],
        )
        .await?;
    let mut told = Vec::new();
    for row in rows {
        let (kind, name): (String, String) = (row.try_get(0)?, row.try_get(1)?);
        let columns: Option<Vec<String>> = row.try_get(2)?;
        let columns = columns.unwrap_or_default();
        let is_said = match kind.as_str() {
            "index" => options.indexes.contains(&columns),
            "key" => options.primary_key == columns,
            "grant" => options.grants.contains(&name) && columns == ["select"],
            "partitions" => !options.partition_by.is_empty(),
            _ => false,
        };
        if is_said {
            continue;
        }
        told.push(match kind.as_str() {
            "index" => format!("the index '{name}'"),
            "key" => format!("the primary key '{name}'"),
            "constraint" => format!("the constraint '{name}'"),
            "trigger" => format!("the trigger '{name}'"),
            "policy" => format!("the policy '{name}'"),
            "grant" => format!("what is granted to '{name}'"),
            "default" => format!("what fills '{name}'"),
            "not null" => format!("that '{name}' is never null"),
            "columns" => format!("what is granted of columns to '{name}'"),
            "owner" => format!("its owner '{name}'"),
            "rows" => "its row security".to_owned(),
            "partitions" => "its partitions".to_owned(),
            "publication" => format!("its place in the publication '{name}'"),
            "rule" => format!("the rule '{name}'"),
            _ => "its comments".to_owned(),
        });
    }
    told.dedup();
    Ok(told)
}

/// The columns of a table, in order; none if there is no table.
pub(super) async fn columns(client: &Client, table: &TablePath) -> Result<Vec<Target>, Failure> {
    // Of a domain the type beneath is what its values are read as.
    let rows = client
        .query(
            "select a.attname::text, case when t.typbasetype <> 0 then t.typtypmod else a.atttypmod end, coalesce(nullif(t.typbasetype, 0), t.oid) as base,
                    b.typtype::text, b.typname::text, a.attnotnull, a.atthasdef or a.attidentity <> '' or t.typdefault is not null,
                    e.oid, e.typname::text
             from pg_attribute a
             join pg_type t on t.oid = a.atttypid
             join pg_type b on b.oid = coalesce(nullif(t.typbasetype, 0), t.oid)
             left join pg_type e on e.oid = b.typelem and b.typcategory = 'A' and e.typtype = 'e'
             where a.attrelid = to_regclass($1) and a.attnum > 0 and not a.attisdropped
             order by a.attnum",
            &[&quoted_path(table)],
        )
        .await?;
    let mut columns = Vec::with_capacity(rows.len());
    for row in rows {
        let (oid, kind): (u32, String) = (row.try_get(2)?, row.try_get(3)?);
        let name: String = row.try_get(4)?;
        let data_type = match Type::from_oid(oid) {
            Some(known) => known,
            // What the values of an enum are, the server checks.
            None if kind == "e" => of_enum(name, oid),
            None if let (Some(item), Some(of)) = (row.try_get(7)?, row.try_get(8)?) => {
                Type::new(name, oid, Kind::Array(of_enum(of, item)), String::new())
            }
            None => Type::new(name, oid, Kind::Pseudo, String::new()),
        };
        columns.push(Target {
            name: row.try_get(0)?,
            data_type,
            modifier: row.try_get(1)?,
            not_null: row.try_get(5)?,
            filled: row.try_get(6)?,
        });
    }
    Ok(columns)
}

/// An enum, whose labels nobody asks for.
fn of_enum(name: String, oid: u32) -> Type {
    Type::new(name, oid, Kind::Enum(Vec::new()), String::new())
}

/// The statements that merge the rows of `_weir_stage` into a table.
pub(super) fn merge(table: &str, columns: &[Column], how: &Merging) -> Vec<String> {
    let is_text = |name: &str| {
        let column = columns.iter().find(|column| column.name == name);
        column.is_some_and(|column| column.data_type == "text")
    };
    // Texts are ordered by their bytes, as in the lake, whatever the database's language.
    let ordered = |of: &str, name: &str| match is_text(name) {
        true => format!("{of}.{} collate \"C\"", quoted(name)),
        false => format!("{of}.{}", quoted(name)),
    };
    let key = |a: &str, b: &str| {
        let same = how
            .key
            .iter()
            .map(|name| format!("{a}.{} = {b}.{}", quoted(name), quoted(name)));
        same.collect::<Vec<_>>().join(" and ")
    };
    let mut statements = Vec::new();
    if !how.order.is_empty() {
        // Of incoming rows with one key the greatest stays; nulls are least.
        let keys: Vec<String> = how.key.iter().map(|name| quoted(name)).collect();
        let order: Vec<String> = how
            .order
            .iter()
            .map(|name| format!("{} desc nulls last", ordered("s", name)))
            .collect();
        statements.push(format!(
            "delete from _weir_stage where ctid in (select ctid from (select s.ctid, row_number() over (partition by {} order by {}) as place from _weir_stage s) ranked where place > 1)",
            keys.join(", "),
            order.join(", ")
        ));
    }
    let others: Vec<String> = columns
        .iter()
        .filter(|column| !how.key.contains(&column.name))
        .map(|column| quoted(&column.name))
        .collect();
    if !how.keep && !others.is_empty() {
        let set: Vec<String> = others
            .iter()
            .map(|name| format!("{name} = s.{name}"))
            .collect();
        statements.push(format!(
            "update {table} as t set {} from _weir_stage s where {} and {}",
            set.join(", "),
            key("t", "s"),
            not_older(&how.order, &ordered)
        ));
    }
    let all: Vec<String> = columns.iter().map(|column| quoted(&column.name)).collect();
    let all = all.join(", ");
    statements.push(format!(
        "insert into {table} ({all}) select {all} from _weir_stage s where not exists (select from {table} t where {})",
        key("t", "s")
    ));
    statements
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_quoted_or_refused() {
        let named = path("ca\"re.sel'ect").unwrap();
        assert_eq!(quoted_path(&named), "\"ca\"\"re\".\"sel'ect\"");
        assert_eq!(named.to_string(), "ca\"re.sel'ect");
        for bad in ["", ".t", "s.", "a\0b", &"é".repeat(32)] {
            assert!(path(bad).is_err(), "{bad:?}");
        }
        assert!(path(&"é".repeat(31)).is_ok());
    }

    #[test]
    fn texts_are_literals_whatever_is_in_them() {
        assert_eq!(literal(r"a\'b"), r"e'a\\''b'");
    }
}
