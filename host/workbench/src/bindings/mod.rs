//! Rows as Rust structs: for a schema the code with which a plugin reads or makes its rows by
//! `weir_plugin::rows`.
//!
//! Structs within structs are structs of their own, and stand before what has them. A column whose type
//! no field can have is left out, and a comment says so in its place.

mod names;

use std::collections::BTreeSet;
use std::fmt::Write as _;

use arrow::datatypes::{DataType, Field, Fields, Schema, TimeUnit};

use names::Names;

/// The longest line that `rustfmt` leaves as it is.
const WIDTH: usize = 100;

/// What a plugin is given and gives, as far as it is known.
#[derive(Debug, Clone, Copy, Default)]
pub struct RowSchemas<'a> {
    /// The columns that it is given; none for a decoder, which is given bytes.
    pub given: Option<&'a Schema>,
    /// The columns that it gives, where something says which they are.
    pub made: Option<&'a Schema>,
}

/// The code of the structs for `schemas`: `InRow` for what is given, `OutRow` for what is made, and
/// those that stand within them. `about` is a comment above it, a line each.
pub fn rust_rows(schemas: RowSchemas<'_>, about: &[String]) -> String {
    let RowSchemas { given, made } = schemas;
    let mut code = Code::default();
    let (given, made) = (
        given.map(|schema| (code.names.of_type("InRow"), schema)),
        made.map(|schema| (code.names.of_type("OutRow"), schema)),
    );
    for (row, way) in [(given, Way::In), (made, Way::Out)] {
        let Some((name, schema)) = row else {
            continue;
        };
        if code.row(&name, schema.fields(), way).is_none() {
            let comment = format!("// `{name}`: there is no column that a field could have.\n");
            code.structs.push(comment);
        }
    }
    code.text(about)
}

/// Whether rows are read or made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    In,
    Out,
}

impl Way {
    fn derive(self) -> &'static str {
        match self {
            Way::In => "FromRow",
            Way::Out => "IntoRow",
        }
    }

    fn done(self) -> &'static str {
        match self {
            Way::In => "read",
            Way::Out => "made",
        }
    }
}

/// The type of a field.
struct FieldType {
    text: String,
    /// Whether it borrows from the batch.
    borrows: bool,
}

impl FieldType {
    fn owned(text: impl Into<String>) -> FieldType {
        FieldType {
            text: text.into(),
            borrows: false,
        }
    }

    fn borrowed(text: &str) -> FieldType {
        FieldType {
            text: text.to_owned(),
            borrows: true,
        }
    }

    /// The type within another.
    fn within(self, outer: &str) -> FieldType {
        FieldType {
            text: format!("{outer}<{}>", self.text),
            ..self
        }
    }
}

/// Code under way.
#[derive(Default)]
struct Code {
    structs: Vec<String>,
    names: Names,
    /// What is used of `weir_plugin::rows`.
    uses: BTreeSet<&'static str>,
    /// Whether `Cow` is used.
    cow: bool,
}

impl Code {
    /// Writes a struct, after those that stand within it; whether it borrows. None, and nothing is
    /// written, if it would have no field.
    fn row(&mut self, name: &str, fields: &Fields, way: Way) -> Option<bool> {
        let idents = names::of_fields(fields);
        let mut lines = String::new();
        let (mut any, mut borrows) = (false, false);
        for (field, ident) in fields.iter().zip(idents) {
            let column = field.name();
            match self.field(field, way) {
                Ok(found) => {
                    any = true;
                    borrows |= found.borrows;
                    if *column != ident {
                        let _ = writeln!(lines, "    #[row(rename = {column:?})]");
                    }
                    let _ = writeln!(lines, "    {ident}: {},", found.text);
                }
                Err(why) => {
                    let done = way.done();
                    let _ = writeln!(
                        lines,
                        "    // {column:?} is {why}, which is not {done} by rows: work on the batch for it."
                    );
                }
            }
        }
        if !any {
            return None;
        }
        let derive = way.derive();
        self.uses.insert(derive);
        let lifetime = if borrows { "<'a>" } else { "" };
        let derive = format!("#[derive({derive})]\nstruct {name}{lifetime} {{\n{lines}}}\n");
        self.structs.push(derive);
        Some(borrows)
    }

    /// The type of a column's field, or the type that no field has.
    fn field(&mut self, field: &Field, way: Way) -> Result<FieldType, String> {
        if field.name().is_empty() {
            return Err("a column without a name".to_owned());
        }
        let found = self.value(field.data_type(), field.name(), way)?;
        Ok(match field.is_nullable() {
            true => found.within("Option"),
            false => found,
        })
    }

    /// The same, of a value that is not null, in a column of this name or within it.
    fn value(&mut self, data_type: &DataType, column: &str, way: Way) -> Result<FieldType, String> {
        let other = || Err(data_type.to_string());
        Ok(match data_type {
            DataType::Boolean => FieldType::owned("bool"),
            DataType::Int8 => FieldType::owned("i8"),
            DataType::Int16 => FieldType::owned("i16"),
            DataType::Int32 => FieldType::owned("i32"),
            DataType::Int64 => FieldType::owned("i64"),
            DataType::UInt8 => FieldType::owned("u8"),
            DataType::UInt16 => FieldType::owned("u16"),
            DataType::UInt32 => FieldType::owned("u32"),
            DataType::UInt64 => FieldType::owned("u64"),
            DataType::Float32 => FieldType::owned("f32"),
            DataType::Float64 => FieldType::owned("f64"),
            DataType::Utf8 => match way {
                Way::In => FieldType::borrowed("&'a str"),
                // Text that is made may be that of the batch, or not.
                Way::Out => {
                    self.cow = true;
                    FieldType::borrowed("Cow<'a, str>")
                }
            },
            DataType::Binary => match way {
                Way::In => FieldType::borrowed("&'a [u8]"),
                Way::Out => FieldType::owned("Vec<u8>"),
            },
            DataType::Decimal128(precision, scale) => match u8::try_from(*scale) {
                Ok(scale) if scale <= *precision => {
                    self.uses.insert("Decimal");
                    FieldType::owned(format!("Decimal<{precision}, {scale}>"))
                }
                _ => return other(),
            },
            DataType::Date32 => {
                self.uses.insert("Date");
                FieldType::owned("Date")
            }
            DataType::Time32(unit) | DataType::Time64(unit) => self.counted("Time", *unit),
            DataType::Timestamp(unit, None) => self.counted("LocalTimestamp", *unit),
            // What is read may be of any zone; what is made is in UTC.
            DataType::Timestamp(unit, Some(zone)) if way == Way::In || zone.as_ref() == "UTC" => {
                self.counted("Timestamp", *unit)
            }
            DataType::List(item) => self.list(item, column, way)?,
            DataType::Struct(fields) => {
                let name = self.names.of_column(column, way == Way::Out);
                match self.row(&name, fields, way) {
                    Some(true) => FieldType::borrowed(&format!("{name}<'a>")),
                    Some(false) => FieldType::owned(name),
                    None => return other(),
                }
            }
            _ => return other(),
        })
    }

    fn list(&mut self, item: &Field, column: &str, way: Way) -> Result<FieldType, String> {
        // `Vec<u8>` is bytes. What is read as an `Option` may as well never be null.
        let item = match (item.data_type(), item.is_nullable(), way) {
            (DataType::UInt8, false, Way::In) => FieldType::owned("u8").within("Option"),
            (DataType::UInt8, false, Way::Out) => return Err("a list of UInt8".to_owned()),
            (data_type, true, _) => self.value(data_type, column, way)?.within("Option"),
            (data_type, false, _) => self.value(data_type, column, way)?,
        };
        Ok(item.within("Vec"))
    }

    /// A type of a unit; that of microseconds need not be named.
    fn counted(&mut self, of: &'static str, unit: TimeUnit) -> FieldType {
        self.uses.insert(of);
        let unit = match unit {
            TimeUnit::Second => "Second",
            TimeUnit::Millisecond => "Millisecond",
            TimeUnit::Microsecond => return FieldType::owned(of),
            TimeUnit::Nanosecond => "Nanosecond",
        };
        self.uses.insert(unit);
        FieldType::owned(unit).within(of)
    }

    fn text(&self, about: &[String]) -> String {
        let mut text = String::new();
        for line in about {
            let _ = writeln!(text, "// {}", line.replace(char::is_control, " "));
        }
        if self.cow {
            text.push_str("\nuse std::borrow::Cow;\n");
        }
        if !self.uses.is_empty() {
            text.push('\n');
            text.push_str(&import(&self.uses));
        }
        for item in &self.structs {
            text.push('\n');
            text.push_str(item);
        }
        text
    }
}

/// The line that imports `names`, as `rustfmt` breaks it.
fn import(names: &BTreeSet<&str>) -> String {
    const FROM: &str = "use weir_plugin::rows::";
    let all: Vec<&str> = names.iter().copied().collect();
    let line = match all.as_slice() {
        [one] => format!("{FROM}{one};\n"),
        all => format!("{FROM}{{{}}};\n", all.join(", ")),
    };
    if line.len() <= WIDTH {
        return line;
    }
    let mut text = format!("{FROM}{{\n");
    let mut line = String::from("   ");
    for name in all {
        if line.len() + 2 + name.len() > WIDTH {
            text.push_str(&line);
            text.push('\n');
            line = String::from("   ");
        }
        line.push(' ');
        line.push_str(name);
        line.push(',');
    }
    text.push_str(&line);
    text.push_str("\n};\n");
    text
}

#[cfg(test)]
mod tests;
