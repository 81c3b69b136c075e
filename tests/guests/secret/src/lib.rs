//! A transform that asks for the secrets `pii` and `other`, and gives back what it is given only if it
//! got the value that its configuration says for the first, and nothing for the second.

wit_bindgen::generate!({
    path: "../../../wit/0.1",
    world: "transform-with-secrets",
});

use std::cell::Cell;

use exports::weir::plugin::transformer::Guest;
use weir::plugin::types::{Batch, Error, Field, Info, Output, Run, SideInput};
use weir::plugin::{emitting, secrets};

struct Secret;

thread_local! {
    static KNOWN: Cell<bool> = const { Cell::new(false) };
}

impl Guest for Secret {
    fn describe() -> Info {
        Info {
            name: "secret".into(),
            version: "0.1.0".into(),
            description: "Asks for secrets.".into(),
            config_schema: "{}".into(),
            columns: vec![],
            rules: vec![],
        }
    }

    fn bind(
        config: String,
        _: Run,
        input: Vec<Field>,
        _: Vec<SideInput>,
    ) -> Result<Vec<Output>, Error> {
        let pii = secrets::get("pii").unwrap_or_default();
        if secrets::get("other").is_some() {
            return Err(Error::Fatal("a secret that was not granted".into()));
        }
        // A plugin that talks: what it says must not reach whoever may not know.
        eprintln!("the secret is {pii}");
        if config.contains("\"tell\"") {
            return Err(Error::Config(format!("the secret is {pii}")));
        }
        KNOWN.set(config.contains(&format!("\"{pii}\"")));
        Ok(vec![Output {
            name: "out".into(),
            schema: input,
        }])
    }

    fn process(rows: Batch) -> Result<(), Error> {
        if !KNOWN.get() {
            return Err(Error::Fatal("the secret is another".into()));
        }
        emitting::emit(0, &rows, None);
        Ok(())
    }

    fn finish() -> Result<(), Error> {
        Ok(())
    }
}

export!(Secret);
