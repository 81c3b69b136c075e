//! The next version of `transform`, which gives back what it is given: on request it differs from that in
//! one way. `revision` in the configuration, of which `transform` knows nothing, chooses: `value`,
//! `reject`, `adds`, `drops`, `trap`; anything else is no difference. The first two columns are 64-bit integers
//! without nulls; the row meant is the one whose first is 3.

wit_bindgen::generate!({
    path: "../../../wit/0.1",
    world: "transform",
});

use std::cell::RefCell;

use exports::weir::plugin::transformer::Guest;
use weir::plugin::emitting;
use weir::plugin::types::{
    Batch, DataType, Error, Field, Info, Node, Output, Rule, Run, SideInput,
};

struct Revised;

thread_local! {
    static CONFIG: RefCell<String> = const { RefCell::new(String::new()) };
}

/// Whether this is the difference that is asked for.
fn revision(name: &str) -> bool {
    CONFIG.with_borrow(|config| config.contains(&format!("\"{name}\"")))
}

/// The rows whose first column is 3.
fn meant(rows: &Batch) -> Vec<u32> {
    let (values, _) = rows.buffers[1].as_chunks::<8>();
    let numbers = (0..rows.rows).zip(values);
    numbers
        .filter(|(_, value)| i64::from_le_bytes(**value) == 3)
        .map(|(row, _)| row)
        .collect()
}

impl Guest for Revised {
    fn describe() -> Info {
        Info {
            name: "identity".into(),
            version: "1.3.0".into(),
            description: "Gives back what it is given, or nearly so.".into(),
            config_schema: r#"{"type":"object"}"#.into(),
            columns: vec!["id".into()],
            rules: vec![Rule {
                name: "odd".into(),
                description: "Rows are even.".into(),
            }],
        }
    }

    fn bind(
        config: String,
        _: Run,
        mut input: Vec<Field>,
        _: Vec<SideInput>,
    ) -> Result<Vec<Output>, Error> {
        CONFIG.set(config);
        if revision("adds") {
            input.push(Field {
                name: "checked".into(),
                data_type: DataType::Int64,
                nullable: false,
                children: 0,
            });
        }
        Ok(vec![Output {
            name: "out".into(),
            schema: input,
        }])
    }

    fn process(mut rows: Batch) -> Result<(), Error> {
        let meant = meant(&rows);
        if revision("value") {
            for row in &meant {
                let at = *row as usize * 8;
                rows.buffers[3][at..at + 8].copy_from_slice(&7_777_103_i64.to_le_bytes());
            }
        }
        if revision("reject") && !meant.is_empty() {
            emitting::reject(&meant, "odd", "it is three");
        }
        if revision("trap") && !meant.is_empty() {
            std::process::abort();
        }
        if revision("adds") {
            rows.nodes.push(Node {
                length: rows.rows,
                null_count: 0,
            });
            let ones = 1_i64.to_le_bytes().repeat(rows.rows as usize);
            rows.buffers.extend([vec![], ones]);
        }
        if !revision("drops") {
            emitting::emit(0, &rows, None);
        }
        Ok(())
    }

    fn finish() -> Result<(), Error> {
        Ok(())
    }
}

export!(Revised);
