//! Decodes FHIR resources in JSON: one row for each resource, or columns of one kind of resource.
//!
//! A file holds a resource on each line, or one resource after the other, laid out in any way; its
//! first line shows which ([`values`]). The resources in a Bundle's entries are rows too, those of a
//! Bundle within a Bundle as well; the Bundle itself is not.
//!
//! No tree is built of a resource. It stays the text that it is, and is read as often as there
//! are things to find in it, so that a file of many megabytes needs little more than its own size.

mod json;
mod path;
#[cfg(test)]
mod tests;
mod values;
mod walk;

use std::sync::Arc;

use decoder_paths::{Columns, Stray, Table, list_of_text, max_bytes};
use weir_plugin::prelude::*;

use path::{Path, Tree};
use values::{Part, Values};
use walk::Found;

/// The most bytes of a line, or of a resource or Bundle, unless the configuration says otherwise:
/// what a plugin's usual memory has room for, whatever is in it.
const MAX_BYTES: usize = 16 << 20;
/// How deep Bundles may stand in one another. Each level is read once more.
const MAX_DEPTH: usize = 8;

const A_PATH: &str = "the keys that lead to the value, with the number of an item, from 0, or `*` for all of them where there are several: \"birthDate\", \"name[0].family\", \"name[*].given[*]\"";

/// The plugin's configuration.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Config {
    /// The type of the resources that give rows, such as `Patient`. All do if it is left out.
    resource: Option<String>,
    /// Columns in place of `resource_type`, `id` and `resource`: a path for each name, such as
    /// `{ id = "id", family = "name[0].family", given = "name[*].given[*]" }`.
    columns: Option<Columns>,
    /// The most bytes of a line, or of a resource or Bundle; 16 MiB if it is left out.
    max_bytes: Option<u64>,
}

const BAD_JSON: Rule = Rule {
    name: "bad_json",
    description: "Resources are JSON in UTF-8.",
};
const NOT_A_RESOURCE: Rule = Rule {
    name: "not_a_resource",
    description: "A resource is an object with a resourceType, and the entries of a Bundle are a list of objects.",
};
const TOO_DEEP: Rule = Rule {
    name: "too_deep",
    description: "Bundles stand at most 8 deep in one another.",
};
const TOO_LONG: Rule = Rule {
    name: "too_long",
    description: "A line, a resource or a Bundle has at most as many bytes as `max_bytes` allows, and a column at most 1,000,000 values of it.",
};

/// The decoder: the file as values, and what becomes of them.
struct Fhir {
    values: Values,
    reader: Reader,
}

struct Reader {
    resource: Option<String>,
    columns: Option<Tree>,
    table: Table,
}

/// Why a value gives no row.
type Fault = (&'static Rule, &'static str);

impl Decoder for Fhir {
    type Config = Config;

    const INFO: Info = Info {
        name: "fhir",
        version: env!("CARGO_PKG_VERSION"),
        description: "Decodes FHIR resources and Bundles in JSON into rows.",
        columns: &[],
        rules: &[BAD_JSON, NOT_A_RESOURCE, TOO_DEEP, TOO_LONG],
    };

    fn bind(config: Config, _: &Context) -> Result<(Self, SchemaRef), Error> {
        match config.resource.as_deref() {
            Some("Bundle") => {
                return Err(Error::config(
                    "a Bundle gives the resources in it as rows, and none of its own\nhint: name one of these, such as resource = \"Patient\", or leave `resource` out for all",
                ));
            }
            Some(name)
                if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_alphanumeric()) =>
            {
                return Err(Error::config(
                    "`resource` is no type of a resource\nhint: write it as FHIR does, such as resource = \"Patient\"",
                ));
            }
            _ => {}
        }
        let (fields, columns) = match config.columns {
            None => {
                let fields = vec![
                    Field::new("resource_type", DataType::Utf8, false),
                    Field::new("id", DataType::Utf8, true),
                    Field::new("resource", DataType::Utf8, false),
                ];
                (fields, None)
            }
            Some(columns) => {
                let columns = columns.parse(&[], A_PATH, Path::parse)?;
                let fields = columns.iter().map(|(name, path)| {
                    let data_type = match path.is_list() {
                        true => list_of_text(),
                        false => DataType::Utf8,
                    };
                    Field::new(name, data_type, true)
                });
                let fields = fields.collect();
                let paths = columns.into_iter().map(|(_, path)| path);
                (fields, Some(Tree::of(paths)))
            }
        };
        let schema = Arc::new(Schema::new(fields));
        let decoder = Self {
            values: Values::within(max_bytes(config.max_bytes, MAX_BYTES)?),
            reader: Reader {
                resource: config.resource,
                columns,
                table: Table::new(schema.clone())?,
            },
        };
        Ok((decoder, schema))
    }

    fn decode(&mut self, bytes: &[u8], out: &mut Rows<'_>) -> Result<(), Error> {
        self.values.push(bytes);
        self.values.read(&mut |part| self.reader.part(part, out))
    }

    fn finish(&mut self, out: &mut Rows<'_>) -> Result<(), Error> {
        self.values
            .finish(&mut |part| self.reader.part(part, out))?;
        self.reader.table.flush(out)
    }
}

impl Reader {
    /// Takes the next part of the file.
    fn part(&mut self, part: Part<'_>, out: &mut Rows<'_>) -> Result<(), Error> {
        let piece = match part {
            Part::Value(piece) => piece,
            Part::Between(offset, length) => {
                out.reject(
                    offset,
                    length,
                    &BAD_JSON,
                    "it is neither an object nor an array",
                );
                return Ok(());
            }
        };
        let made = if piece.is_too_long() {
            Err((&TOO_LONG, TOO_LONG.description))
        } else {
            match std::str::from_utf8(piece.bytes) {
                Ok(text) => self.resource(text, piece.offset, 0, out)?,
                Err(_) => Err((&BAD_JSON, "it is not UTF-8")),
            }
        };
        if let Err((rule, why)) = made {
            out.reject(piece.offset, piece.length, rule, why);
        }
        Ok(())
    }

    /// Makes a row of a resource, or rows of a Bundle at this depth, which begins `offset` bytes into
    /// the file; or says why not.
    fn resource(
        &mut self,
        text: &str,
        offset: u64,
        depth: usize,
        out: &mut Rows<'_>,
    ) -> Result<Result<(), Fault>, Error> {
        let [kind, id, entry] = match json::pick(text, ["resourceType", "id", "entry"]) {
            Ok(picked) => picked,
            Err(fault) => return Ok(Err(fault)),
        };
        let kind = kind.filter(|kind| kind.starts_with('"')).map(json::text);
        let kind = match kind {
            Some(Ok(Some(kind))) if !kind.is_empty() => kind,
            Some(Err(_)) => return Ok(Err(NOT_JSON)),
            _ => return Ok(Err((&NOT_A_RESOURCE, "it has no resourceType"))),
        };
        if kind == "Bundle" {
            let Some(entry) = entry else {
                return Ok(Ok(()));
            };
            if depth == MAX_DEPTH {
                return Ok(Err((&TOO_DEEP, TOO_DEEP.description)));
            }
            return self.entries(entry, offset + json::place(text, entry), depth, out);
        }
        if self
            .resource
            .as_deref()
            .is_some_and(|wanted| wanted != kind)
        {
            return Ok(Ok(()));
        }
        let Some(columns) = &self.columns else {
            let id = id.map_or(Ok(None), json::text);
            let (Ok(id), Ok(resource)) = (id, json::compact(text)) else {
                return Ok(Err(NOT_JSON));
            };
            let mut row = self.table.row();
            row.text(Some(&kind));
            row.text(id.as_deref());
            row.text(Some(&resource));
            self.table.end_row(out)?;
            return Ok(Ok(()));
        };
        let Ok(found) = walk::find(columns, text) else {
            return Ok(Err(NOT_JSON));
        };
        if found.iter().any(Found::is_too_long) {
            return Ok(Err((&TOO_LONG, "a column has more than 1,000,000 values")));
        }
        let mut row = self.table.row();
        for found in found {
            match found {
                Found::One(value) => row.text(value.as_deref()),
                Found::Many(values) => row.list(Some(values).filter(|values| !values.is_empty())),
            }
        }
        self.table.end_row(out)?;
        Ok(Ok(()))
    }

    /// Makes rows of the entries of a Bundle.
    fn entries(
        &mut self,
        entries: &str,
        offset: u64,
        depth: usize,
        out: &mut Rows<'_>,
    ) -> Result<Result<(), Fault>, Error> {
        // Entries that follow one another and are wrong in the same way are rejected as one, for
        // there may be millions.
        let mut stray: Option<(Stray, Fault)> = None;
        let mut failed = Ok(());
        let read = json::each(entries, |entry| {
            let (part, made) = match json::pick(entry, ["resource"]) {
                Ok([Some(resource)]) if resource != "null" => {
                    let offset = offset + json::place(entries, resource);
                    match self.resource(resource, offset, depth + 1, out) {
                        Ok(made) => (resource, made),
                        Err(error) => {
                            failed = Err(error);
                            return false;
                        }
                    }
                }
                // Entries of some Bundles say what is to be done, or was, with no resource.
                Ok(_) => return true,
                Err(fault) => (entry, Err(fault)),
            };
            if let Some((run, fault)) = &mut stray
                && !matches!(&made, Err(next) if next.0.name == fault.0.name)
            {
                reject(run, *fault, out);
                stray = None;
            }
            if let Err(fault) = made {
                let (run, _) = stray.get_or_insert((Stray::default(), fault));
                run.add_all(offset + json::place(entries, part), part.len() as u64);
            }
            true
        });
        failed?;
        if let Some((mut run, fault)) = stray {
            reject(&mut run, fault, out);
        }
        Ok(read)
    }
}

/// What is no JSON although its brackets are in order.
const NOT_JSON: Fault = (&BAD_JSON, "it is not JSON");

fn reject(run: &mut Stray, (rule, why): Fault, out: &mut Rows<'_>) {
    if let Some((offset, length)) = run.end() {
        out.reject(offset, length, rule, why);
    }
}

weir_plugin::export_decoder!(Fhir);
