//! Tables of servers whose columns differ from those of the rows: `schema_change`, the same for each server.

use weir_tests::{Ended, Scene};

/// A server, and the pipeline of one step that loads `id,state,version` into it.
pub(crate) struct At<'a> {
    pub(crate) scene: &'a Scene,
    /// Writes the pipeline; what is given follows `connection` in its write.
    pub(crate) pipeline: &'a dyn Fn(&str),
    /// Adds a file with rows.
    pub(crate) input: &'a dyn Fn(&str, &str),
    pub(crate) run: &'a dyn Fn() -> Ended,
    /// Asks the server itself.
    pub(crate) sql: &'a dyn Fn(&str) -> Vec<String>,
    /// Lets an integer column of `visits` take no nulls.
    pub(crate) not_null: &'a dyn Fn(&str),
    /// How the server calls a `varchar(9)`.
    pub(crate) varchar: &'a str,
}

impl At<'_> {
    /// Loads into `visits`, and into a table of the lake, beside which quarantine is.
    fn write(&self, more: &str) {
        (self.pipeline)(&format!(
            "table = \"visits\"\nmode = \"append\"\n{more}\n[[step.write]]\ntable = \"raw.visits\"\nmode = \"append\""
        ));
    }

    fn rows(&self) -> Vec<String> {
        (self.sql)(
            "select id, coalesce(state, '-'), coalesce(version, -1), noted, coalesce(extra, '-') from visits order by id",
        )
    }
}

/// What becomes of a column that is new, one that is missing, and one of a narrower type.
pub(crate) fn columns_meet(at: &At<'_>) {
    (at.sql)(
        "create table visits (id bigint, version integer, noted varchar(9) default 'no', extra varchar(9))",
    );
    at.write("schema_change = { changed_type = \"quarantine\" }");
    (at.input)("1", "1,NY,1\n2,CA,5000000000\n3,,");
    let extra = format!("'extra' ({} in the table) is missing", at.varchar);
    // A column with a default is not missing.
    (at.run)()
        .expect_code(2)
        .says(&[
            "warehouse:visits has other columns or types than the step writes",
            "'state' (string, read from in/*.csv) is new",
            &extra,
            "say what becomes of such columns with `schema_change`",
        ])
        .hides(&["noted", "version"]);
    assert_eq!((at.sql)("select count(*) from visits"), ["0"]);

    // Rows without a value in the new column have all that the table keeps.
    let missing = "missing_column = \"evolve\"";
    at.write(&format!(
        "schema_change = {{ new_column = \"quarantine\", changed_type = \"quarantine\", {missing} }}"
    ));
    (at.run)().expect_code(3);
    assert_eq!((at.sql)("select id, noted from visits"), ["3|no"]);
    let why = "select id, _weir_rule, _weir_message from raw.visits__quarantine order by id";
    let rejected = at.scene.sql_csv(why);
    assert_eq!(
        rejected[1..],
        [
            "1,new_column(state),\"state has a value, and warehouse:visits has no such column\"",
            "2,new_column(state),\"state has a value, and warehouse:visits has no such column\"",
        ]
    );

    at.write(&format!(
        "schema_change = {{ new_column = \"evolve\", changed_type = \"quarantine\", {missing} }}"
    ));
    (at.input)("2", "4,NY,4\n5,CA,5000000000");
    (at.run)().expect_code(3);
    assert_eq!(at.rows(), ["3|-|-1|no|-", "4|NY|4|no|-"]);
    let rejected = at.scene.sql_csv(why);
    assert_eq!(
        rejected.last().unwrap(),
        "5,changed_type(version),\"version has a value that int32, its type in warehouse:visits, does not hold\""
    );
    let told: Vec<String> = at.scene.latest()["steps"][0]["targets"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|target| target["target"] == "warehouse:visits")
        .flat_map(|target| target["schema_changes"].as_array().unwrap().clone())
        .map(|change| format!("{} {}", change["column"], change["outcome"]).replace('"', ""))
        .collect();
    assert_eq!(told, ["state added", "version rejected", "extra null"]);

    // Values that do not fit become null, and the column that is there by now is none that is new.
    at.write(&format!(
        "schema_change = {{ changed_type = \"discard\", {missing} }}"
    ));
    (at.input)("3", "6,NY,-5000000000");
    (at.run)().expect_code(3);
    assert_eq!(at.rows().last().unwrap(), "6|NY|-1|no|-");

    // A column that may not be null has no place for what is left out.
    (at.sql)("update visits set version = 1");
    (at.not_null)("version");
    (at.input)("5", "8,NY,8");
    (at.run)()
        .expect_code(2)
        .says(&["may not be null there", "changed_type = \"quarantine\""]);

    // A type that no value fits.
    (at.sql)("alter table visits drop column version");
    (at.sql)("alter table visits add column version date");
    at.write(&format!(
        "schema_change = {{ changed_type = \"quarantine\", {missing} }}"
    ));
    (at.run)().expect_code(2).says(&[
        "'version' is date in the table and int64 in the rows (read from in/*.csv)",
        "of which no value can be kept",
    ]);

    // A table that must be there.
    (at.sql)("drop table visits");
    at.write("schema_change = { new_table = \"freeze\" }");
    (at.run)()
        .expect_code(2)
        .says(&["there is no such table, and `new_table` is \"freeze\""]);
    steps_meet(at);
}

/// A step that writes a table which an earlier one of the same run makes.
fn steps_meet(at: &At<'_>) {
    let steps = |schema: &str, change: &str| {
        (at.pipeline)(&format!(
            r#"table = "visits"
mode = "append"
[[step]]
name = "more"
read = {{ files = "more/*.csv", format = "csv", schema = {schema} }}
[[step.write]]
connection = "warehouse"
table = "visits"
mode = "append"
schema_change = {{ missing_column = "evolve", {change} }}
"#
        ));
    };
    let note = "{ id = \"int64\", note = \"string\" }";
    at.scene.file("more/1.csv", "id,note\n20,n\n");
    steps(note, "new_column = \"freeze\"");
    (at.run)()
        .expect_code(2)
        .says(&["'note' (string, read from more/*.csv) is new"]);
    steps(
        "{ id = \"int64\", version = \"date\" }",
        "new_column = \"freeze\"",
    );
    (at.run)().expect_code(2).says(&[
        "'version' is bigint in the table and date in the rows",
        "an earlier step of this run makes it so, and this one would make it date",
    ]);
    steps(note, "new_column = \"evolve\"");
    (at.run)().expect_code(0);
    assert_eq!(
        (at.sql)(
            "select id, coalesce(note, '-'), coalesce(state, '-') from visits where id in (8, 20) order by id"
        ),
        ["8|-|NY", "20|n|-"]
    );
    let record = at.scene.latest();
    let more = record["steps"]
        .as_array()
        .unwrap()
        .iter()
        .find(|step| step["step"] == "more")
        .unwrap();
    let changes = more["targets"][0]["schema_changes"].as_array().unwrap();
    let told: Vec<String> = changes
        .iter()
        .map(|change| format!("{} {}", change["column"], change["outcome"]).replace('"', ""))
        .collect();
    assert_eq!(told, ["note added", "state null", "version null"]);

    // The same for a column that one of them adds to a table that is there.
    (at.sql)("alter table visits drop column note");
    (at.input)("9", "9,NY,9");
    at.scene.file("more/2.csv", "id,note\n21,n\n");
    at.scene.file("most/1.csv", "id,note\n22,n\n");
    (at.pipeline)(&format!(
        r#"table = "visits"
mode = "append"
schema_change = {{ missing_column = "evolve" }}
[[step]]
name = "more"
read = {{ files = "more/*.csv", format = "csv", schema = {note} }}
[[step.write]]
connection = "warehouse"
table = "visits"
mode = "append"
schema_change = {{ missing_column = "evolve", new_column = "evolve" }}
[[step]]
name = "most"
read = {{ files = "most/*.csv", format = "csv", schema = {note} }}
[[step.write]]
connection = "warehouse"
table = "visits"
mode = "append"
schema_change = {{ missing_column = "evolve", new_column = "freeze" }}
"#
    ));
    (at.run)().expect_code(0);
    assert_eq!(
        (at.sql)("select id, note from visits where id > 20 order by id"),
        ["21|n", "22|n"]
    );
    (at.sql)("drop table visits");
}
