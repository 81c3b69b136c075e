//! Finds rows whose city is known in another state and not in theirs, such as Bronx in Arizona.
//!
//! What is known is the side input `cities`. No list has every place to which letters are sent, so
//! a city that no state has passes, and so does a row without a city or a state.

use std::collections::HashMap;

use weir_plugin::prelude::*;

/// The side input that says which state has which city.
const CITIES: &str = "cities";

const CITY_STATE: Rule = Rule {
    name: "city_state",
    description: "A city that is known in some state is known in the row's state.",
};

/// The plugin's configuration.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Config {
    /// The column with the city's name, in any case.
    city: String,
    /// The column with the state's code.
    state: String,
}

struct CityState {
    city: usize,
    state: usize,
    /// The states of each city, whose name is in upper case.
    known: HashMap<String, Vec<String>>,
    /// The upper-case name of the row at hand, kept to use its memory again.
    name: String,
}

impl Check for CityState {
    type Config = Config;

    const INFO: Info = Info {
        name: "city-state",
        version: env!("CARGO_PKG_VERSION"),
        description: "Finds cities that are in another state.",
        columns: &[],
        rules: &[CITY_STATE],
    };

    fn bind(config: Config, context: &Context) -> Result<Self, Error> {
        let cities = &context.side_input(CITIES)?.schema;
        let city = text(&context.input, &config.city)?;
        let state = text(&context.input, &config.state)?;
        text(cities, "city")?;
        text(cities, "state_code")?;
        Ok(Self {
            city,
            state,
            known: HashMap::new(),
            name: String::new(),
        })
    }

    fn load(&mut self, side_inputs: &mut SideInputs) -> Result<(), Error> {
        let cities = side_inputs.read(CITIES)?;
        let names = cities
            .column(text(&cities.schema(), "city")?)
            .as_string::<i32>();
        let states = cities
            .column(text(&cities.schema(), "state_code")?)
            .as_string::<i32>();
        for (name, state) in names.iter().zip(states) {
            if let (Some(name), Some(state)) = (name, state) {
                let states = self.known.entry(name.to_uppercase()).or_default();
                if !states.iter().any(|known| known == state) {
                    states.push(state.to_owned());
                }
            }
        }
        Ok(())
    }

    fn process(&mut self, rows: &RecordBatch, out: &mut Verdict<'_>) -> Result<(), Error> {
        let cities = rows.column(self.city).as_string::<i32>();
        let states = rows.column(self.state).as_string::<i32>();
        let mut strays = Vec::new();
        for (row, (city, state)) in (0..).zip(cities.iter().zip(states)) {
            if let (Some(city), Some(state)) = (city, state)
                && self.is_stray(city, state)
            {
                strays.push(row);
            }
        }
        out.fail_rows(&strays, &CITY_STATE, "the city is in another state");
        Ok(())
    }
}

impl CityState {
    fn is_stray(&mut self, city: &str, state: &str) -> bool {
        self.name.clear();
        if city.is_ascii() {
            self.name.push_str(city);
            self.name.make_ascii_uppercase();
        } else {
            self.name.extend(city.chars().flat_map(char::to_uppercase));
        }
        let states = self.known.get(&self.name);
        states.is_some_and(|states| states.iter().all(|known| known != state))
    }
}

/// Where a column is, once it is known to be text.
fn text(schema: &Schema, name: &str) -> Result<usize, Error> {
    let place = schema.index_of(name).map_err(Error::data)?;
    match schema.field(place).data_type() {
        DataType::Utf8 => Ok(place),
        found => Err(Error::data(format!("column '{name}' is {found}, not text"))),
    }
}

weir_plugin::export_check!(CityState);
