//! Reads people from an API that gives them page by page.

use std::sync::Arc;

use serde::Serialize;
use weir_plugin::arrow::array::{Int64Builder, StringBuilder};
use weir_plugin::http::Request;
use weir_plugin::prelude::*;

/// What a pipeline says after `config =`.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Config {
    /// Where the API is, such as `https://api.example.org`.
    url: String,
}

/// How far the people were read: kept beside the rows, for the next run.
#[derive(Clone, Serialize, Deserialize)]
struct State {
    /// The highest number of a person.
    last: i64,
}

const NO_NUMBER: Rule = Rule {
    name: "no_number",
    description: "A person has a number.",
};

struct {{Type}} {
    url: String,
    state: State,
}

impl Source for {{Type}} {
    type Config = Config;
    type State = State;

    const INFO: Info = Info {
        name: "{{name}}",
        version: env!("CARGO_PKG_VERSION"),
        description: "Reads people from an API that gives them page by page.",
        columns: &[],
        rules: &[NO_NUMBER],
    };

    fn discover(_: &Config, _: &Run) -> Result<Vec<Stream>, Error> {
        let schema = Schema::new(vec![
            Field::new("id", DataType::Int64, false),
            Field::new("name", DataType::Utf8, true),
        ]);
        Ok(vec![Stream {
            primary_key: vec!["id".to_owned()],
            ..Stream::new("people", schema)
        }])
    }

    fn open(
        config: Config,
        _: &Run,
        _: &Stream,
        _: &str,
        state: Option<State>,
    ) -> Result<Self, Error> {
        Ok(Self {
            url: config.url,
            state: state.unwrap_or(State { last: 0 }),
        })
    }

    // A page: its rows are kept together with the state that it ends with, or not at all.
    fn read(&mut self, out: &mut Page<'_>) -> Result<Progress<State>, Error> {
        let before = self.state.last;
        let response = Request::get(&format!("{}/people", self.url))
            .query("after", &self.state.last.to_string())
            .send()?;
        let people: Vec<weir_plugin::serde_json::Value> = response.ok()?.json()?;
        let (mut ids, mut names) = (Int64Builder::new(), StringBuilder::new());
        for person in &people {
            let Some(id) = person["id"].as_i64() else {
                out.reject(&person.to_string(), &NO_NUMBER, NO_NUMBER.description);
                continue;
            };
            ids.append_value(id);
            names.append_option(person["name"].as_str());
            self.state.last = self.state.last.max(id);
        }
        let columns: Vec<ArrayRef> = vec![Arc::new(ids.finish()), Arc::new(names.finish())];
        out.emit(&RecordBatch::try_new(out.schema().clone(), columns)?);
        // A page that leads no further is the last, though it may have people who were rejected.
        Ok(match self.state.last > before {
            true => Progress::More(self.state.clone()),
            false => Progress::Done(self.state.clone()),
        })
    }
}

weir_plugin::export_source!({{Type}});

#[cfg(test)]
mod tests {
    use weir_plugin::serde_json::json;
    use weir_plugin::testing::{Answer, Harness};

    use super::*;

    #[test]
    fn people_are_read_to_the_last() -> Result<(), Box<dyn std::error::Error>> {
        let harness = Harness::new(json!({ "url": "https://api.example.org" }));
        let harness = harness.respond(|request| match request.url.rsplit('=').next() {
            Some("0") => Answer::json(&json!([{ "id": 1, "name": "Ada" }, { "name": "Bo" }])),
            _ => Answer::json(&json!([])),
        });
        // Also from each state on, as a run does that begins where another ended.
        let read = harness.read::<{{Type}}>("people", "")?;
        assert_eq!(read.rows.num_rows(), 1);
        assert_eq!(read.rejections[0].rule, "no_number");
        Ok(())
    }
}
