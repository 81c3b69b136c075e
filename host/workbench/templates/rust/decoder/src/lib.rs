//! Reads files of lines such as `key=value`.

use std::sync::Arc;

use weir_plugin::arrow::array::StringBuilder;
use weir_plugin::prelude::*;

/// What a pipeline says after `config =`: nothing yet.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Config {}

const NO_PAIR: Rule = Rule {
    name: "no_pair",
    description: "A line is a key, an equals sign and a value, in UTF-8.",
};

struct {{Type}} {
    schema: SchemaRef,
    /// Bytes of the file before those in `rest`.
    offset: u64,
    /// A line that has not ended yet.
    rest: Vec<u8>,
}

impl Decoder for {{Type}} {
    type Config = Config;

    const INFO: Info = Info {
        name: "{{name}}",
        version: env!("CARGO_PKG_VERSION"),
        description: "Reads files of lines such as key=value.",
        columns: &[],
        rules: &[NO_PAIR],
    };

    fn bind(_: Config, _: &Context) -> Result<(Self, SchemaRef), Error> {
        let column = |name| Field::new(name, DataType::Utf8, false);
        let schema = Arc::new(Schema::new(vec![column("key"), column("value")]));
        let plugin = Self {
            schema: schema.clone(),
            offset: 0,
            rest: Vec::new(),
        };
        Ok((plugin, schema))
    }

    // Chunks end anywhere, also within a line: what has not ended waits for the next one.
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

impl {{Type}} {
    fn emit(&mut self, bytes: &[u8], out: &mut Rows<'_>) -> Result<(), Error> {
        let (mut keys, mut values) = (StringBuilder::new(), StringBuilder::new());
        for line in bytes.split_inclusive(|byte| *byte == b'\n') {
            let text = line.strip_suffix(b"\n").unwrap_or(line);
            let text = text.strip_suffix(b"\r").unwrap_or(text);
            let pair = std::str::from_utf8(text).ok().and_then(|text| text.split_once('='));
            match pair {
                Some((key, value)) => {
                    keys.append_value(key);
                    values.append_value(value);
                }
                None if text.is_empty() => {}
                None => out.reject(self.offset, line.len() as u64, &NO_PAIR, NO_PAIR.description),
            }
            self.offset += line.len() as u64;
        }
        let columns: Vec<_> = vec![Arc::new(keys.finish()) as _, Arc::new(values.finish()) as _];
        out.emit(&RecordBatch::try_new(self.schema.clone(), columns)?);
        Ok(())
    }
}

weir_plugin::export_decoder!({{Type}});

#[cfg(test)]
mod tests {
    use weir_plugin::testing::Harness;

    use super::*;

    #[test]
    fn pairs_become_rows_wherever_chunks_end() -> Result<(), Box<dyn std::error::Error>> {
        let decoded = Harness::new("{}").decode::<{{Type}}>(&[b"a=1\nnothing\nb", b"=2"])?;
        assert_eq!(decoded.rows.num_rows(), 2);
        assert_eq!((decoded.rejections[0].offset, decoded.rejections[0].length), (4, 8));
        Ok(())
    }
}
