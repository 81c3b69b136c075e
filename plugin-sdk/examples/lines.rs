//! The smallest decoder: one row for each line of a text file.
//!
//! `cargo build --release --target wasm32-wasip2 -p weir-plugin --example lines` makes the
//! component.

use std::sync::Arc;

use weir_plugin::arrow::array::StringBuilder;
use weir_plugin::prelude::*;

struct Lines {
    schema: SchemaRef,
    /// Bytes of the file before those in `rest`.
    offset: u64,
    /// A line that has not ended yet.
    rest: Vec<u8>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Config {
    /// The name of the one column.
    #[serde(default = "line")]
    column: String,
}

fn line() -> String {
    "line".into()
}

const NOT_UTF8: Rule = Rule {
    name: "not_utf8",
    description: "A line is UTF-8 text.",
};

impl Decoder for Lines {
    type Config = Config;

    const INFO: Info = Info {
        name: "lines",
        version: env!("CARGO_PKG_VERSION"),
        description: "Makes a row of each line of a text file.",
        columns: &[],
        rules: &[NOT_UTF8],
    };

    fn bind(config: Config, _: &Context) -> Result<(Self, SchemaRef), Error> {
        let schema = Arc::new(Schema::new(vec![Field::new(
            config.column,
            DataType::Utf8,
            false,
        )]));
        Ok((
            Self {
                schema: schema.clone(),
                offset: 0,
                rest: Vec::new(),
            },
            schema,
        ))
    }

    fn decode(&mut self, bytes: &[u8], out: &mut Rows<'_>) -> Result<(), Error> {
        self.rest.extend_from_slice(bytes);
        let Some(end) = self.rest.iter().rposition(|byte| *byte == b'\n') else {
            return Ok(());
        };
        let rest = self.rest.split_off(end + 1);
        let whole = std::mem::replace(&mut self.rest, rest);
        self.emit(&whole, out)
    }

    fn finish(&mut self, out: &mut Rows<'_>) -> Result<(), Error> {
        let last = std::mem::take(&mut self.rest);
        self.emit(&last, out)
    }
}

impl Lines {
    fn emit(&mut self, bytes: &[u8], out: &mut Rows<'_>) -> Result<(), Error> {
        let mut lines = StringBuilder::new();
        for line in bytes.split_inclusive(|byte| *byte == b'\n') {
            let length = line.len() as u64;
            match std::str::from_utf8(line.strip_suffix(b"\n").unwrap_or(line)) {
                Ok(line) => lines.append_value(line),
                Err(_) => out.reject(self.offset, length, &NOT_UTF8, "the line is not UTF-8"),
            }
            self.offset += length;
        }
        out.emit(&RecordBatch::try_new(
            self.schema.clone(),
            vec![Arc::new(lines.finish())],
        )?);
        Ok(())
    }
}

weir_plugin::export_decoder!(Lines);

#[cfg(test)]
mod tests {
    use weir_plugin::testing::Harness;

    use super::*;

    #[test]
    fn lines_become_rows_and_other_bytes_are_rejected() {
        let decoded = Harness::new("{}")
            .decode::<Lines>(&[b"a\n\xc3", b"\xa9\n\xff\n", b"z"])
            .unwrap();
        let lines: Vec<_> = decoded
            .rows
            .column(0)
            .as_string::<i32>()
            .iter()
            .flatten()
            .collect();
        assert_eq!(lines, ["a", "é", "z"]);
        assert_eq!(
            (decoded.rejections[0].offset, decoded.rejections[0].length),
            (5, 2)
        );
    }
}
