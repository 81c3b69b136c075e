//! A check that fails the rows whose first column, 64-bit integers, is negative.

wit_bindgen::generate!({
    path: "../../../wit/0.1",
    world: "check",
});

use exports::weir::plugin::checker::Guest;
use weir::plugin::judging;
use weir::plugin::types::{Batch, Error, Field, Info, Rule, Run, SideInput};

struct Check;

impl Guest for Check {
    fn describe() -> Info {
        Info {
            name: "positive".into(),
            version: "0.1.0".into(),
            description: "No negative numbers.".into(),
            config_schema: "{}".into(),
            columns: vec![],
            rules: vec![Rule {
                name: "negative".into(),
                description: "The number is not negative.".into(),
            }],
        }
    }

    fn bind(_: String, _: Run, input: Vec<Field>, _: Vec<SideInput>) -> Result<(), Error> {
        if input.is_empty() {
            Err(Error::Config("no column".into()))
        } else {
            Ok(())
        }
    }

    fn process(rows: Batch) -> Result<(), Error> {
        let (values, _) = rows.buffers[1].as_chunks::<8>();
        let bad: Vec<u32> = (0..rows.rows)
            .filter(|i| i64::from_le_bytes(values[*i as usize]) < 0)
            .collect();
        if !bad.is_empty() {
            judging::fail(&bad, "negative", "it is negative");
        }
        Ok(())
    }

    fn finish() -> Result<(), Error> {
        Ok(())
    }
}

export!(Check);
