//! A decoder of text files: each line is a row, and a line that is not UTF-8 is rejected.

wit_bindgen::generate!({
    path: "../../../wit/0.1",
    world: "decoder",
});

use std::cell::RefCell;

use exports::weir::plugin::decoder_plugin::Guest;
use weir::plugin::decoding;
use weir::plugin::types::{Batch, DataType, Error, Field, Info, Node, Rule, Run, SideInput};

struct Decoder;

thread_local! {
    /// Bytes of the last line so far, and where it begins in the file.
    static REST: RefCell<(Vec<u8>, u64)> = const { RefCell::new((Vec::new(), 0)) };
}

fn emit(lines: &[&str]) {
    let mut offsets = vec![0u8; 4];
    let mut text = Vec::new();
    for line in lines {
        text.extend_from_slice(line.as_bytes());
        offsets.extend_from_slice(&(text.len() as i32).to_le_bytes());
    }
    let rows = lines.len() as u32;
    decoding::emit(&Batch {
        rows,
        nodes: vec![Node {
            length: rows,
            null_count: 0,
        }],
        buffers: vec![vec![], offsets, text],
    });
}

impl Guest for Decoder {
    fn describe() -> Info {
        Info {
            name: "lines".into(),
            version: "0.1.0".into(),
            description: "One row a line.".into(),
            config_schema: "{}".into(),
            columns: vec![],
            rules: vec![Rule {
                name: "not_utf8".into(),
                description: "A line is UTF-8.".into(),
            }],
        }
    }

    fn bind(_: String, _: Run, _: Vec<SideInput>) -> Result<Vec<Field>, Error> {
        REST.set((Vec::new(), 0));
        Ok(vec![Field {
            name: "line".into(),
            data_type: DataType::Utf8,
            nullable: false,
            children: 0,
        }])
    }

    fn decode(bytes: Vec<u8>) -> Result<(), Error> {
        REST.with_borrow_mut(|(rest, start)| {
            rest.extend_from_slice(&bytes);
            let Some(end) = rest.iter().rposition(|byte| *byte == b'\n') else {
                return;
            };
            let mut lines = Vec::new();
            let mut offset = *start;
            for line in rest[..end].split(|byte| *byte == b'\n') {
                match std::str::from_utf8(line) {
                    Ok(line) => lines.push(line),
                    Err(_) => decoding::reject(
                        offset,
                        line.len() as u64,
                        "not_utf8",
                        "the line is not UTF-8",
                    ),
                }
                offset += line.len() as u64 + 1;
            }
            emit(&lines);
            *start = offset;
            rest.drain(..=end);
        });
        Ok(())
    }

    fn finish() -> Result<(), Error> {
        REST.with_borrow(|(rest, _)| {
            if let Ok(line) = std::str::from_utf8(rest)
                && !line.is_empty()
            {
                emit(&[line]);
            }
        });
        Ok(())
    }
}

export!(Decoder);
