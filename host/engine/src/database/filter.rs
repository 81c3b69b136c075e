//! Conditions of queries in the words of a database.
//!
//! What is pushed down gives at least the rows that the condition is true of; the query looks at each of
//! them again. So no condition is negated: the opposite of "at least" is "at most".

use arrow::array::{Array, AsArray};
use arrow::datatypes::{DataType, Schema, TimeUnit};
use datafusion::common::ScalarValue;
use datafusion::logical_expr::{Expr, Operator};

/// Whose words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dialect {
    /// PostgreSQL.
    Postgres,
    /// MySQL and MariaDB.
    Mysql,
    /// SQLite.
    Sqlite,
    /// Amazon Redshift.
    Redshift,
}

/// Longer lists are not pushed down: a query has its limits, too.
const LONGEST_LIST: usize = 1_000;

impl Dialect {
    /// A text as a literal.
    fn text(self, text: &str) -> Option<String> {
        if text.contains('\0') {
            return None;
        }
        match self {
            Dialect::Postgres => Some(crate::postgres::literal(text)),
            Dialect::Mysql => Some(crate::mysql::literal(text)),
            Dialect::Sqlite => Some(crate::sqlite::literal(text)),
            Dialect::Redshift => Some(crate::redshift::literal(text)),
        }
    }

    /// A text as it has to be written for its bytes to be compared.
    fn by_bytes(self, operand: &str) -> String {
        match self {
            Dialect::Postgres => format!("{operand} collate \"C\""),
            Dialect::Mysql => format!("cast({operand} as binary)"),
            Dialect::Sqlite => format!("{operand} collate binary"),
            // Texts are compared so unless a column says otherwise.
            Dialect::Redshift => operand.to_owned(),
        }
    }

    /// A day or moment as a literal of the type `kind`.
    fn moment(self, kind: &str, text: &str) -> Option<String> {
        match self {
            Dialect::Postgres | Dialect::Redshift => Some(format!("{kind} '{text}'")),
            // Moments are in UTC there, and say no zone.
            Dialect::Mysql => {
                let kind = if kind == "date" { "date" } else { "timestamp" };
                Some(format!("{kind} '{}'", text.trim_end_matches('Z')))
            }
            // Days are texts, and moments are texts of several forms.
            Dialect::Sqlite => (kind == "date").then(|| format!("'{text}'")),
        }
    }

    fn literal(self, value: &ScalarValue) -> Option<String> {
        let data_type = value.data_type();
        match value {
            _ if value.is_null() => return None,
            ScalarValue::Utf8(Some(text))
            | ScalarValue::LargeUtf8(Some(text))
            | ScalarValue::Utf8View(Some(text)) => return self.text(text),
            ScalarValue::Boolean(Some(truth)) => return Some(truth.to_string()),
            _ => {}
        }
        let (text, kind) = match &data_type {
            data_type if data_type.is_integer() => (written(value)?, None),
            DataType::Decimal128(..) => (written(value)?, None),
            DataType::Date32 => (written(value)?, Some("date")),
            DataType::Timestamp(TimeUnit::Microsecond, None) => {
                (written(value)?, Some("timestamp"))
            }
            DataType::Timestamp(TimeUnit::Microsecond, Some(zone)) if &**zone == "UTC" => {
                (written(value)?, Some("timestamptz"))
            }
            _ => return None,
        };
        match kind {
            None => Some(format!("({text})")),
            // Years of four digits all databases read alike.
            Some(kind) => {
                let year = text.split('-').next()?;
                match year.len() == 4 && year != "0000" {
                    true => self.moment(kind, &text),
                    false => None,
                }
            }
        }
    }
}

/// A value as Arrow writes it.
fn written(value: &ScalarValue) -> Option<String> {
    let text = arrow::compute::cast(&value.to_array().ok()?, &DataType::Utf8).ok()?;
    let text = text.as_string::<i32>();
    (!text.is_null(0)).then(|| text.value(0).to_owned())
}

/// A condition that is true of all rows of which `filter` is; none if there is nothing to say.
pub(super) fn condition(
    filter: &Expr,
    schema: &Schema,
    dialect: Dialect,
    operand: &impl Fn(usize) -> Option<String>,
) -> Option<String> {
    let column = |expr: &Expr| -> Option<(String, DataType)> {
        let Expr::Column(column) = expr else {
            return None;
        };
        let index = schema.index_of(&column.name).ok()?;
        Some((operand(index)?, schema.field(index).data_type().clone()))
    };
    let inner = |filter: &Expr| condition(filter, schema, dialect, operand);
    match filter {
        Expr::BinaryExpr(binary) => match binary.op {
            // Of what is said on both sides one side is enough.
            Operator::And => match (inner(&binary.left), inner(&binary.right)) {
                (Some(left), Some(right)) => Some(format!("({left} and {right})")),
                (one, other) => one.or(other),
            },
            Operator::Or => Some(format!(
                "({} or {})",
                inner(&binary.left)?,
                inner(&binary.right)?
            )),
            op => {
                let (op, column_side, value) = match (&*binary.left, &*binary.right) {
                    (Expr::Literal(value, _), side) => (op.swap()?, side, value),
                    (side, Expr::Literal(value, _)) => (op, side, value),
                    _ => return None,
                };
                let (operand, data_type) = column(column_side)?;
                compared(dialect, op, &operand, &data_type, value)
            }
        },
        Expr::IsNull(of) => Some(format!("{} is null", column(of)?.0)),
        Expr::IsNotNull(of) => Some(format!("{} is not null", column(of)?.0)),
        Expr::Between(between) if !between.negated => {
            let (operand, data_type) = column(&between.expr)?;
            let (Expr::Literal(low, _), Expr::Literal(high, _)) = (&*between.low, &*between.high)
            else {
                return None;
            };
            let low = compared(dialect, Operator::GtEq, &operand, &data_type, low)?;
            let high = compared(dialect, Operator::LtEq, &operand, &data_type, high)?;
            Some(format!("({low} and {high})"))
        }
        Expr::InList(list) if !list.negated && list.list.len() <= LONGEST_LIST => {
            let (operand, data_type) = column(&list.expr)?;
            let values = list
                .list
                .iter()
                .map(|item| match item {
                    Expr::Literal(value, _) if value.data_type() == data_type => {
                        dialect.literal(value)
                    }
                    _ => None,
                })
                .collect::<Option<Vec<String>>>()?;
            (!values.is_empty()).then(|| format!("{operand} in ({})", values.join(", ")))
        }
        Expr::Column(_) => match column(filter)? {
            (operand, DataType::Boolean) => Some(operand),
            _ => None,
        },
        _ => None,
    }
}

/// A comparison of a column with a value of its own type.
fn compared(
    dialect: Dialect,
    op: Operator,
    operand: &str,
    data_type: &DataType,
    value: &ScalarValue,
) -> Option<String> {
    if value.data_type() != *data_type {
        return None;
    }
    let literal = dialect.literal(value)?;
    let is_text = *data_type == DataType::Utf8;
    let sign = match op {
        // Collations know texts as equal that differ: equality gives more rows, inequality fewer.
        Operator::Eq => "=",
        Operator::NotEq if !is_text => "<>",
        Operator::Lt => "<",
        Operator::LtEq => "<=",
        Operator::Gt => ">",
        Operator::GtEq => ">=",
        _ => return None,
    };
    match is_text && sign != "=" {
        true => Some(format!("{} {sign} {literal}", dialect.by_bytes(operand))),
        false => Some(format!("{operand} {sign} {literal}")),
    }
}

#[cfg(test)]
mod tests {
    use arrow::datatypes::Field;
    use datafusion::logical_expr::{col, lit, not};

    use super::*;

    fn said(filter: Expr) -> Option<String> {
        said_in(Dialect::Postgres, filter)
    }

    fn said_in(dialect: Dialect, filter: Expr) -> Option<String> {
        let utc = Some("UTC".into());
        let schema = Schema::new(vec![
            Field::new("n", DataType::Int64, true),
            Field::new("t", DataType::Utf8, true),
            Field::new("d", DataType::Date32, true),
            Field::new("at", DataType::Timestamp(TimeUnit::Microsecond, utc), true),
            Field::new("f", DataType::Float64, true),
            Field::new("b", DataType::Boolean, true),
        ]);
        let names = schema.clone();
        condition(&filter, &schema, dialect, &|index| {
            Some(format!("\"{}\"", names.field(index).name()))
        })
    }

    #[test]
    fn what_can_be_said_is_said() {
        let at = ScalarValue::TimestampMicrosecond(Some(1_709_164_800_000_001), Some("UTC".into()));
        for (filter, sql) in [
            (col("n").gt(lit(-5_i64)), "\"n\" > (-5)"),
            (lit(5_i64).gt(col("n")), "\"n\" < (5)"),
            (col("t").eq(lit("it's \\")), "\"t\" = e'it''s \\\\'"),
            (col("t").gt(lit("a")), "\"t\" collate \"C\" > e'a'"),
            (
                col("d").lt_eq(lit(ScalarValue::Date32(Some(19_782)))),
                "\"d\" <= date '2024-02-29'",
            ),
            (
                col("at").gt(lit(at)),
                "\"at\" > timestamptz '2024-02-29T00:00:00.000001Z'",
            ),
            (
                col("n").is_null().or(col("n").eq(lit(1_i64))),
                "(\"n\" is null or \"n\" = (1))",
            ),
            (
                col("n").in_list(vec![lit(1_i64), lit(2_i64)], false),
                "\"n\" in ((1), (2))",
            ),
            (
                col("n").between(lit(1_i64), lit(2_i64)),
                "(\"n\" >= (1) and \"n\" <= (2))",
            ),
            // Half of it is enough.
            (col("f").gt(lit(0.5)).and(col("b")), "\"b\""),
        ] {
            assert_eq!(said(filter.clone()).as_deref(), Some(sql), "{filter}");
        }
    }

    #[test]
    fn each_database_has_its_own_words() {
        let at = ScalarValue::TimestampMicrosecond(Some(1_709_164_800_000_001), Some("UTC".into()));
        let day = lit(ScalarValue::Date32(Some(19_782)));
        for (filter, mysql, sqlite) in [
            (
                col("t").eq(lit("it's")),
                Some("\"t\" = _utf8mb4 x'69742773'"),
                Some("\"t\" = 'it''s'"),
            ),
            (
                col("t").gt(lit("a")),
                Some("cast(\"t\" as binary) > _utf8mb4 x'61'"),
                Some("\"t\" collate binary > 'a'"),
            ),
            (
                col("d").gt(day),
                Some("\"d\" > date '2024-02-29'"),
                Some("\"d\" > '2024-02-29'"),
            ),
            (
                col("at").gt(lit(at)),
                Some("\"at\" > timestamp '2024-02-29T00:00:00.000001'"),
                None,
            ),
        ] {
            let said = said_in(Dialect::Mysql, filter.clone());
            assert_eq!(said.as_deref(), mysql, "{filter}");
            let said = said_in(Dialect::Sqlite, filter.clone());
            assert_eq!(said.as_deref(), sqlite, "{filter}");
        }
    }

    #[test]
    fn what_would_leave_rows_out_is_not_said() {
        for filter in [
            col("t").not_eq(lit("a")),
            col("t").eq(lit("a\0")),
            not(col("n").eq(lit(1_i64))),
            col("f").gt(lit(0.5)),
            col("f").gt(lit(0.5)).or(col("b")),
            col("n").in_list(vec![lit(1_i64)], true),
            col("n").gt(lit(1_i32)),
            col("n").gt(col("n")),
            col("n").eq(lit(ScalarValue::Int64(None))),
            col("d").gt(lit(ScalarValue::Date32(Some(5_000_000)))),
            col("elsewhere").gt(lit(1_i64)),
        ] {
            assert_eq!(said(filter.clone()), None, "{filter}");
        }
    }
}
