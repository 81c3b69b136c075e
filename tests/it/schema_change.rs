//! Tables whose columns differ from those of the rows: new tables and columns, changed types, columns that
//! are missing.

use std::fs;
use std::process::Command;

use serde_json::{Value, json};
use weir_tests::{Ended, Scene, commit_logs};

use crate::outside_reader::python;

/// A step that loads orders from files.
#[derive(Clone)]
struct Orders<'a> {
    /// The columns of the files.
    schema: &'a str,
    /// `[[step.stage]]` sections.
    stages: &'a str,
    /// What the write says besides its table.
    write: &'a str,
    /// Further targets, or steps.
    more: &'a str,
}

const SCHEMA: &str = r#"id = "int64 not null", amount = "int32""#;
const WITH_TAX: &str = r#"id = "int64 not null", amount = "int32", tax = "decimal(10,2)""#;
const APPEND: &str = "mode = \"append\"";

const ORDERS: Orders<'static> = Orders {
    schema: SCHEMA,
    stages: "",
    write: APPEND,
    more: "",
};

impl Orders<'_> {
    fn write(&self, scene: &Scene) -> std::path::PathBuf {
        let Orders {
            schema,
            stages,
            write,
            more,
        } = self;
        scene.file(
            "orders.toml",
            format!(
                r#"weir = 1
name = "orders"
[params]
site = {{ type = "string", default = "a" }}
[zone.raw]
[connections.db]
kind = "sqlite"
[[step]]
name = "load"
read = {{ files = "in/*.csv", format = "csv", schema = {{ {schema} }} }}
{stages}
[[step.write]]
table = "raw.orders"
{write}
{more}
"#
            ),
        )
    }

    fn run(&self, scene: &Scene) -> Ended {
        scene.run(&self.write(scene), &[])
    }

    fn plan(&self, scene: &Scene) -> Ended {
        self.weir(scene, &["plan", "orders.toml"])
    }

    fn weir(&self, scene: &Scene, arguments: &[&str]) -> Ended {
        self.write(scene);
        let mut command = scene.weir(arguments);
        command.arg("--lake").arg(scene.lake());
        Ended::from(command.output().unwrap())
    }
}

/// A table of two orders without a tax, and two files more, of which the second order has one.
fn with_orders() -> Scene {
    let scene = Scene::new();
    scene.file("in/1.csv", "id,amount\n1,10\n2,20\n");
    ORDERS.run(&scene).expect_code(0);
    scene.file("in/2.csv", "id,amount,tax\n3,30,\n4,40,1.50\n");
    scene
}

fn orders(scene: &Scene, columns: &str) -> Vec<String> {
    scene.sql_csv(&format!("select {columns} from raw.orders order by id"))[1..].to_vec()
}

/// The kinds of the actions of a table's last commit.
fn last_commit(scene: &Scene, table: &str) -> Vec<String> {
    let logs = commit_logs(&scene.lake());
    let log = logs.iter().find(|log| log.table == table).unwrap();
    let (_, text) = log.commits.last().unwrap();
    let actions = text.lines().map(|line| {
        let action: Value = serde_json::from_str(line).unwrap();
        action.as_object().unwrap().keys().next().unwrap().clone()
    });
    let mut actions: Vec<String> = actions.collect();
    actions.sort();
    actions
}

fn schema_changes(scene: &Scene) -> Value {
    scene.latest()["steps"][0]["targets"][0]["schema_changes"].clone()
}

#[test]
fn a_table_gets_a_new_column_with_the_rows_that_have_it() {
    let scene = with_orders();
    let evolving = Orders {
        schema: WITH_TAX,
        write: "mode = \"append\"\nschema_change = { new_column = \"evolve\" }",
        ..ORDERS
    };
    let told = "column tax decimal(10,2) is added";
    let planned = evolving.plan(&scene).expect_code(0).stdout;
    assert!(planned.contains(&format!("schema: {told}\n")), "{planned}");
    assert_eq!(
        last_commit(&scene, "raw.orders").len(),
        5,
        "planning changes nothing"
    );
    evolving.run(&scene).expect_code(0);
    assert_eq!(orders(&scene, "id, tax"), ["1,", "2,", "3,", "4,1.50"]);
    assert_eq!(
        last_commit(&scene, "raw.orders"),
        ["add", "commitInfo", "metaData", "txn"],
        "columns and rows come in one commit"
    );
    let change = json!([{ "kind": "new-column", "column": "tax", "rows": "decimal(10,2)", "outcome": "added" }]);
    assert_eq!(schema_changes(&scene), change);
    assert_eq!(
        scene.value("select schema_changes from weir.targets where schema_changes like '%added'"),
        format!("\"{told}\"")
    );
    let shown = evolving
        .weir(&scene, &["show", "latest"])
        .expect_code(0)
        .stdout;
    assert!(
        shown.contains(&format!("\nschemas\n  raw.orders: {told}\n")),
        "{shown}"
    );

    // Once.
    scene.file("in/3.csv", "id,amount,tax\n5,50,2\n");
    evolving.run(&scene).expect_code(0);
    assert_eq!(
        last_commit(&scene, "raw.orders"),
        ["add", "commitInfo", "txn"]
    );
    assert_eq!(schema_changes(&scene), Value::Null);
    assert_eq!(orders(&scene, "id, tax").len(), 5);
    evolving
        .weir(&scene, &["lake", "check", "--deep"])
        .expect_code(0);
    // Files with and without the column become one.
    evolving.weir(&scene, &["lake", "optimize"]).expect_code(0);
    assert_eq!(orders(&scene, "id, tax")[3..], ["4,1.50", "5,2.00"]);
}

#[test]
fn another_implementation_reads_a_table_that_got_a_column() {
    let scene = with_orders();
    Orders {
        schema: WITH_TAX,
        write: "mode = \"append\"\nschema_change = \"evolve\"",
        ..ORDERS
    }
    .run(&scene)
    .expect_code(0);
    let Some(python) = python() else { return };
    let script = "import os, sys, deltalake\nrows = deltalake.DeltaTable(sys.argv[1]).to_pyarrow_table().to_pylist()\nfor row in sorted(rows, key=lambda row: row['id']): print(row['id'], row['tax'])\nsys.stdout.flush()\n# Threads of its libraries may abort at the end.\nos._exit(0)";
    let output = Command::new(python)
        .args(["-c", script])
        .arg(scene.lake().join("raw/orders"))
        .output()
        .unwrap();
    let ended = Ended::from(output).expect_code(0);
    assert_eq!(ended.stdout, "1 None\n2 None\n3 None\n4 1.50\n");
}

#[test]
fn a_frozen_table_refuses_a_new_column_before_data_moves() {
    let scene = with_orders();
    for write in [APPEND, "mode = \"append\"\nschema_change = \"freeze\""] {
        let frozen = Orders {
            schema: WITH_TAX,
            write,
            ..ORDERS
        };
        for ended in [frozen.plan(&scene), frozen.run(&scene)] {
            ended.expect_code(2).says(&[
                "raw.orders has other columns than the step writes: 'tax' (decimal(10,2), read from in/*.csv) is new",
                "orders.toml:",
                "hint: write another table",
                "`schema_change`",
            ]);
        }
        assert_eq!(orders(&scene, "id"), ["1", "2"]);
    }
}

#[test]
fn a_new_column_is_left_out() {
    let scene = with_orders();
    Orders {
        schema: WITH_TAX,
        write: "mode = \"append\"\nschema_change = { new_column = \"discard\" }",
        ..ORDERS
    }
    .run(&scene)
    .expect_code(0);
    assert_eq!(
        orders(&scene, "* except (_weir_run)"),
        ["1,10", "2,20", "3,30", "4,40"]
    );
    assert_eq!(
        last_commit(&scene, "raw.orders"),
        ["add", "commitInfo", "txn"]
    );
    assert_eq!(schema_changes(&scene)[0]["outcome"], "discarded");
}

#[test]
fn rows_with_a_value_in_a_new_column_wait_in_quarantine() {
    let scene = with_orders();
    let strict = |more: &'static str| Orders {
        schema: WITH_TAX,
        write: more,
        ..ORDERS
    };
    strict("mode = \"append\"\nschema_change = { new_column = \"quarantine\", fail_above = 0 }")
        .run(&scene)
        .expect_code(1)
        .says(&[
            "write raw.orders: 1 of 2 rows break its rules",
            "new_column(tax) 1",
        ]);
    assert_eq!(orders(&scene, "id"), ["1", "2"]);
    let planned = strict("mode = \"append\"\nschema_change = { new_column = \"quarantine\" }");
    planned.run(&scene).expect_code(3);
    assert_eq!(orders(&scene, "id"), ["1", "2", "3"]);
    let why = "select _weir_rule, _weir_message, _weir_stage, _weir_ordinal, id, tax from raw.orders__quarantine";
    assert_eq!(
        scene.sql_csv(why)[1..],
        [
            "new_column(tax),\"tax has a value, and raw.orders has no such column\",write raw.orders,2,4,1.50"
        ]
    );
    let step = &scene.latest()["steps"][0];
    assert_eq!(step["counts"]["quarantined"], 1);
    assert_eq!(step["rejected"][0]["stage"], "write raw.orders");

    // The table is to have it after all.
    strict("mode = \"append\"\nschema_change = { new_column = \"evolve\" }")
        .weir(&scene, &["replay", "orders.toml", "--step", "load"])
        .expect_code(0);
    assert_eq!(orders(&scene, "id, tax"), ["1,", "2,", "3,", "4,1.50"]);
}

#[test]
fn values_of_narrower_types_are_cast_whatever_is_frozen() {
    let scene = Scene::new();
    scene.file("in/1.csv", "id,amount,rate\n1,10,1\n");
    let wide = r#"id = "int64 not null", amount = "decimal(12,2)", rate = "float64""#;
    let narrow = r#"id = "int32 not null", amount = "decimal(8,1)", rate = "float32""#;
    Orders {
        schema: wide,
        ..ORDERS
    }
    .run(&scene)
    .expect_code(0);
    scene.file("in/2.csv", "id,amount,rate\n2,2.5,0.5\n");
    Orders {
        schema: narrow,
        write: "mode = \"append\"\nschema_change = \"freeze\"",
        ..ORDERS
    }
    .run(&scene)
    .expect_code(0);
    assert_eq!(
        orders(&scene, "id, amount, rate"),
        ["1,10.00,1.0", "2,2.50,0.5"]
    );
    let outcomes: Vec<_> = schema_changes(&scene)
        .as_array()
        .unwrap()
        .iter()
        .map(|change| change["outcome"].clone())
        .collect();
    assert_eq!(outcomes, ["cast", "cast", "cast"]);
}

const WIDER: &str = r#"id = "int64 not null", amount = "int64""#;

fn with_wider_amounts() -> Scene {
    let scene = with_orders();
    scene.file("in/2.csv", "id,amount\n3,30\n4,4000000000\n5,\n");
    scene
}

#[test]
fn a_type_that_does_not_hold_the_values_is_refused() {
    let scene = with_wider_amounts();
    let refused = |schema, write, says: &[&str]| {
        let ended = Orders {
            schema,
            write,
            ..ORDERS
        }
        .run(&scene)
        .expect_code(2);
        ended.says(says);
        assert_eq!(orders(&scene, "id"), ["1", "2"]);
    };
    let differs = "'amount' is int32 in the table and int64 in the rows (read from in/*.csv)";
    refused(WIDER, APPEND, &[differs, "hint: "]);
    refused(
        WIDER,
        "mode = \"append\"\nschema_change = { changed_type = \"evolve\" }",
        &[
            differs,
            "cannot change while the table has other rows",
            "--full-refresh",
        ],
    );
    refused(
        r#"id = "int64 not null", amount = "date""#,
        "mode = \"append\"\nschema_change = { changed_type = \"quarantine\" }",
        &[
            "'amount' is int32 in the table and date in the rows",
            "of which no value can be kept",
        ],
    );
}

#[test]
fn a_refreshed_table_takes_the_wider_type() {
    let scene = with_wider_amounts();
    let wider = Orders {
        schema: WIDER,
        write: "mode = \"append\"\nschema_change = { changed_type = \"evolve\" }",
        ..ORDERS
    };
    wider
        .weir(&scene, &["run", "orders.toml", "--full-refresh"])
        .expect_code(0);
    assert_eq!(
        orders(&scene, "id, amount"),
        ["1,10", "2,20", "3,30", "4,4000000000", "5,"]
    );
    assert_eq!(schema_changes(&scene)[0]["outcome"], "retyped");
    wider.run(&scene).expect_code(0);
}

#[test]
fn rows_whose_value_does_not_fit_go_to_quarantine() {
    let scene = with_wider_amounts();
    let write = "mode = \"append\"\nschema_change = { changed_type = \"quarantine\" }";
    Orders {
        schema: WIDER,
        write,
        ..ORDERS
    }
    .run(&scene)
    .expect_code(3);
    assert_eq!(orders(&scene, "id, amount"), ["1,10", "2,20", "3,30", "5,"]);
    assert_eq!(
        scene.sql_csv("select _weir_rule, _weir_message, id, amount from raw.orders__quarantine")
            [1..],
        [
            "changed_type(amount),\"amount has a value that int32, its type in raw.orders, does not hold\",4,4000000000"
        ]
    );
}

#[test]
fn values_that_do_not_fit_become_null() {
    let scene = with_wider_amounts();
    let write = "mode = \"append\"\nschema_change = { changed_type = \"discard\" }";
    Orders {
        schema: WIDER,
        write,
        ..ORDERS
    }
    .run(&scene)
    .expect_code(3);
    assert_eq!(
        orders(&scene, "id, amount"),
        ["1,10", "2,20", "3,30", "4,", "5,"]
    );
    let step = &scene.latest()["steps"][0];
    assert_eq!(step["warned"][0]["rule"], "changed_type(amount)");
    assert_eq!(step["warned"][0]["rows"], 1);
}

#[test]
fn a_column_that_the_rows_lack_is_null_where_that_is_asked_for() {
    let scene = with_orders();
    let without = r#"id = "int64 not null""#;
    let short = |write| Orders {
        schema: without,
        write,
        ..ORDERS
    };
    short(APPEND)
        .run(&scene)
        .expect_code(2)
        .says(&["'amount' (int32 in the table) is missing"]);
    short("mode = \"append\"\nschema_change = { missing_column = \"evolve\" }")
        .run(&scene)
        .expect_code(0);
    assert_eq!(orders(&scene, "id, amount"), ["1,10", "2,20", "3,", "4,"]);
    assert_eq!(schema_changes(&scene)[0]["outcome"], "null");
}

#[test]
fn a_merge_adds_a_column_and_keeps_those_that_it_does_not_know() {
    let scene = Scene::new();
    scene.file("in/1.csv", "id,amount\n1,10\n2,20\n");
    let merge = "mode = \"merge\"\nkey = \"id\"";
    Orders {
        write: merge,
        ..ORDERS
    }
    .run(&scene)
    .expect_code(0);
    scene.file("in/2.csv", "id,tax\n2,1.50\n3,2.50\n");
    let write = "mode = \"merge\"\nkey = \"id\"\nschema_change = { new_column = \"evolve\", missing_column = \"evolve\" }";
    let schema = r#"id = "int64 not null", tax = "decimal(10,2)""#;
    Orders {
        schema,
        write,
        ..ORDERS
    }
    .run(&scene)
    .expect_code(0);
    // The incoming row takes the place of the whole row.
    assert_eq!(
        orders(&scene, "id, amount, tax"),
        ["1,10,", "2,,1.50", "3,,2.50"]
    );
    assert_eq!(
        last_commit(&scene, "raw.orders"),
        ["add", "commitInfo", "metaData", "remove", "txn"]
    );
    // By a new column rows cannot be told apart.
    for change in ["evolve", "discard"] {
        let write = format!(
            "mode = \"merge\"\nkey = [\"id\", \"site\"]\nschema_change = {{ new_column = \"{change}\" }}"
        );
        let schema =
            r#"id = "int64 not null", amount = "int32", tax = "decimal(10,2)", site = "string""#;
        Orders {
            schema,
            write: &write,
            ..ORDERS
        }
        .plan(&scene)
        .expect_code(2)
        .says(&["'site' is part of `key` and not in raw.orders"]);
    }
    // Nor where the table does not keep all values of a key.
    let write = "mode = \"merge\"\nkey = [\"id\", \"amount\"]\nschema_change = { changed_type = \"discard\" }";
    let schema = r#"id = "int64 not null", amount = "int64", tax = "decimal(10,2)""#;
    Orders {
        schema,
        write,
        ..ORDERS
    }
    .plan(&scene)
    .expect_code(2)
    .says(&[
        "'amount' is part of `key` or `order`, and raw.orders does not keep all of its values",
    ]);
}

#[test]
fn a_partition_brings_a_column() {
    let scene = Scene::new();
    scene.file("in/1.csv", "id,amount\n1,10\n");
    let scoped = |more: &str| {
        format!(
            "mode = \"replace-partition\"\npartition = {{ site = \"${{param.site}}\" }}\n{more}"
        )
    };
    Orders {
        write: &scoped(""),
        ..ORDERS
    }
    .run(&scene)
    .expect_code(0);
    scene.file("in/1.csv", "id,amount,tax\n2,20,0.5\n");
    let evolving = scoped("schema_change = { new_column = \"evolve\" }");
    let evolving = Orders {
        schema: WITH_TAX,
        write: &evolving,
        ..ORDERS
    };
    scene
        .run(&evolving.write(&scene), &[("site", "b")])
        .expect_code(0);
    assert_eq!(orders(&scene, "id, site, tax"), ["1,a,", "2,b,0.50"]);
    scene
        .run(&evolving.write(&scene), &[("site", "a")])
        .expect_code(0);
    assert_eq!(orders(&scene, "id, site, tax"), ["2,a,0.50", "2,b,0.50"]);
    let retyped = scoped("").replace("\"${param.site}\"", "1");
    Orders {
        write: &retyped,
        ..ORDERS
    }
    .run(&scene)
    .expect_code(2)
    .says(&["'site' is string in the table and int64 in the write, and is a partition column"]);
}

#[test]
fn a_replaced_table_can_be_frozen_too() {
    let scene = Scene::new();
    scene.file("in/1.csv", "id,amount,tax\n1,10,1\n");
    let replace = |schema, write| Orders {
        schema,
        write,
        ..ORDERS
    };
    replace(SCHEMA, "").run(&scene).expect_code(0);
    for (schema, says) in [
        (WITH_TAX, "'tax' (decimal(10,2), read from in/*.csv) is new"),
        (
            WIDER,
            "'amount' is int32 in the table and int64 in the rows",
        ),
        (
            r#"id = "int64 not null""#,
            "'amount' (int32 in the table) is missing",
        ),
    ] {
        let write = "schema_change = { new_column = \"freeze\", changed_type = \"freeze\", missing_column = \"freeze\" }";
        replace(schema, write)
            .run(&scene)
            .expect_code(2)
            .says(&[says]);
    }
    replace(WITH_TAX, "schema_change = { new_column = \"discard\" }")
        .run(&scene)
        .expect_code(0);
    assert_eq!(orders(&scene, "* except (_weir_run)"), ["1,10"]);
    replace(WITH_TAX, "").run(&scene).expect_code(0);
    assert_eq!(schema_changes(&scene)[0]["outcome"], "added");
    replace(SCHEMA, "").run(&scene).expect_code(0);
    assert_eq!(schema_changes(&scene)[0]["outcome"], "removed");
}

#[test]
fn a_table_that_must_be_there() {
    let scene = Scene::new();
    scene.file("in/1.csv", "id,amount\n1,10\n");
    let into = |write| Orders { write, ..ORDERS };
    let frozen = into("mode = \"append\"\nschema_change = { new_table = \"freeze\" }");
    frozen.plan(&scene).expect_code(2).says(&[
        "raw.orders",
        "there is no such table, and `new_table` is \"freeze\"",
        "hint: check where the table is to be, and its name",
    ]);
    // The lake of a dry run is always empty.
    frozen
        .weir(&scene, &["run", "orders.toml", "--dry-run"])
        .expect_code(0);
    into(APPEND).run(&scene).expect_code(0);
    assert_eq!(schema_changes(&scene)[0]["outcome"], "created");
    frozen.run(&scene).expect_code(0);
}

/// What rejected rows are kept with follows what the step reads.
#[test]
fn a_quarantine_table_takes_whatever_the_step_comes_to_read() {
    let scene = Scene::new();
    let check = "[[step.stage]]\ncheck = { range = { id = { max = 9 } } }\n";
    let orders_of = |schema| Orders {
        schema,
        stages: check,
        write: "mode = \"append\"\nschema_change = { new_column = \"evolve\", changed_type = \"discard\", missing_column = \"evolve\" }",
        ..ORDERS
    };
    scene.file("in/1.csv", "id,amount\n1,10\n10,100\n");
    orders_of(SCHEMA).run(&scene).expect_code(3);
    // A new column, and a type that the column does not hold.
    scene.file("in/2.csv", "id,amount,tax\n2,x,1\n20,y,2\n");
    let text = r#"id = "int64 not null", amount = "string", tax = "timestamp""#;
    scene.file(
        "in/2.csv",
        "id,amount,tax\n2,7,\n20,y,2026-01-05T10:00:00\n",
    );
    orders_of(text)
        .run(&scene)
        .expect_code(2)
        .says(&["made without one and cannot gain one"]);
    let text = r#"id = "int64 not null", amount = "string", tax = "string""#;
    orders_of(text).run(&scene).expect_code(3);
    // Narrower again, and a column less.
    scene.file("in/3.csv", "id\n3\n30\n");
    orders_of("id = \"int16\"").run(&scene).expect_code(3);
    assert_eq!(
        scene.sql_csv(
            "select id, amount, amount__string, tax from raw.orders__quarantine order by id"
        )[1..],
        ["10,100,,", "20,,y,2026-01-05T10:00:00", "30,,,"]
    );
    // Rows of all three go through the mended step.
    let mended = Orders {
        stages: "[[step.stage]]\ncheck = { range = { id = { max = 99 } } }\n",
        ..orders_of(text)
    };
    mended
        .weir(&scene, &["replay", "orders.toml", "--step", "load"])
        .expect_code(0);
    assert_eq!(
        orders(&scene, "id, amount"),
        ["1,10", "2,7", "3,", "10,100", "20,", "30,"]
    );
}

fn sqlite_rows(scene: &Scene) -> Vec<String> {
    let connection = scene.sqlite();
    let mut statement = connection
        .prepare("select * from orders order by id")
        .unwrap();
    let columns = statement.column_count();
    let rows = statement.query_map([], |row| {
        let values = (0..columns).map(|index| {
            let value: rusqlite::types::Value = row.get(index)?;
            Ok(format!("{value:?}"))
        });
        let values: rusqlite::Result<Vec<String>> = values.collect();
        Ok(values?.join(" "))
    });
    rows.unwrap().collect::<Result<_, _>>().unwrap()
}

/// A pipeline whose first target is a table of the warehouse, and whose second one keeps rejected rows.
fn into_sqlite<'a>(schema: &'a str, more: &'a str, write: &'a str) -> Orders<'a> {
    Orders {
        schema,
        stages: more,
        write: "mode = \"append\"\nschema_change = \"evolve\"",
        more: write,
    }
}

fn sqlite_target(schema_change: &str) -> String {
    format!(
        "[[step.write]]\nconnection = \"db\"\ntable = \"orders\"\nmode = \"append\"\n{schema_change}"
    )
}

#[test]
fn a_sqlite_table_gets_a_column_or_not() {
    for (change, code, expected) in [
        (
            "schema_change = { new_column = \"evolve\" }",
            0,
            vec![
                "Integer(1) Integer(10) Null",
                "Integer(3) Integer(30) Null",
                "Integer(4) Integer(40) Real(1.5)",
            ],
        ),
        (
            "schema_change = { new_column = \"discard\" }",
            0,
            vec![
                "Integer(1) Integer(10)",
                "Integer(3) Integer(30)",
                "Integer(4) Integer(40)",
            ],
        ),
        (
            "schema_change = { new_column = \"quarantine\" }",
            3,
            vec!["Integer(1) Integer(10)", "Integer(3) Integer(30)"],
        ),
        ("", 2, vec!["Integer(1) Integer(10)"]),
    ] {
        let scene = Scene::new();
        scene.file("in/1.csv", "id,amount\n1,10\n");
        into_sqlite(SCHEMA, "", &sqlite_target(""))
            .run(&scene)
            .expect_code(0);
        scene.file("in/2.csv", "id,amount,tax\n3,30,\n4,40,1.50\n");
        let ended = into_sqlite(WITH_TAX, "", &sqlite_target(change))
            .run(&scene)
            .expect_code(code);
        if code == 2 {
            ended.says(&[
                "table 'orders' has other columns or types than the step writes",
                "'tax' (decimal(10,2), read from in/*.csv) is new",
            ]);
        }
        assert_eq!(sqlite_rows(&scene), expected, "{change}");
    }
}

#[test]
fn other_differences_of_a_sqlite_table() {
    let scene = Scene::new();
    scene.file("in/1.csv", "id,amount\n1,10\n");
    let plan =
        |schema: &str, change: &str| into_sqlite(schema, "", &sqlite_target(change)).plan(&scene);
    plan(SCHEMA, "schema_change = { new_table = \"freeze\" }")
        .expect_code(2)
        .says(&["there is no such table"]);
    into_sqlite(SCHEMA, "", &sqlite_target(""))
        .run(&scene)
        .expect_code(0);
    plan(SCHEMA, "schema_change = { new_table = \"freeze\" }").expect_code(0);
    // Whole numbers of any width are INTEGER.
    let narrow = r#"id = "int64 not null", amount = "int16""#;
    plan(narrow, "").expect_code(0);
    let text = r#"id = "int64 not null", amount = "string""#;
    let renamed = text.replace("amount", "amounts");
    for (schema, change, says) in [
        (
            text,
            "",
            "'amount' is INTEGER in the table and string in the rows",
        ),
        (
            &renamed,
            "",
            "'amounts' (string, read from in/*.csv) is new; 'amount' (INTEGER in the table) is missing",
        ),
        (
            text,
            "schema_change = { changed_type = \"evolve\" }",
            "cannot change while the table has other rows",
        ),
        (
            text,
            "schema_change = { changed_type = \"discard\" }",
            "values cannot be held against the types of a SQLite file's columns",
        ),
    ] {
        let only = format!(
            r#"weir = 1
name = "orders"
[connections.db]
kind = "sqlite"
[[step]]
name = "load"
read = {{ files = "in/*.csv", format = "csv", schema = {{ {schema} }} }}
{}"#,
            sqlite_target(change)
        );
        scene.file("only.toml", only);
        let mut command = scene.weir(["plan", "only.toml", "--lake"]);
        command.arg(scene.lake());
        Ended::from(command.output().unwrap())
            .expect_code(2)
            .says(&[says]);
    }
}

/// As if the run that has decided had been killed before it changed the table.
fn decided_only(scene: &Scene) {
    let log = scene.lake().join("raw/orders/_delta_log");
    fs::remove_file(log.join("00000000000000000001.json")).unwrap();
    assert_eq!(orders(scene, "id"), ["1", "2"]);
}

/// Another pipeline gives the table a tax, of this type, with a row.
fn other_tax(scene: &Scene, data_type: &str) {
    let value = match data_type {
        "date" => "2026-01-05",
        _ => "7",
    };
    scene.file("other/1.csv", format!("id,amount,tax\n9,90,{value}\n"));
    let text = format!(
        r#"weir = 1
name = "other"
[zone.raw]
[[step]]
name = "load"
read = {{ files = "other/*.csv", format = "csv", schema = {{ id = "int64", amount = "int32", tax = "{data_type}" }} }}
write = {{ table = "raw.orders", mode = "append", schema_change = "evolve" }}
"#
    );
    scene
        .run(&scene.file("other.toml", text), &[])
        .expect_code(0);
}

#[test]
fn a_decision_is_completed_on_a_table_that_has_the_column_by_now() {
    let scene = with_orders();
    let evolving = Orders {
        schema: WITH_TAX,
        write: "mode = \"append\"\nschema_change = \"evolve\"",
        ..ORDERS
    };
    evolving.run(&scene).expect_code(0);
    decided_only(&scene);
    other_tax(&scene, "decimal(10,2)");
    evolving.run(&scene).expect_code(0);
    assert_eq!(
        last_commit(&scene, "raw.orders"),
        ["add", "commitInfo", "txn"]
    );
    assert_eq!(
        orders(&scene, "id, tax"),
        ["1,", "2,", "3,", "4,1.50", "9,7.00"]
    );
}

#[test]
fn a_decision_that_does_not_fit_any_more_is_given_up_and_its_files_are_read_again() {
    let scene = with_orders();
    let evolving = Orders {
        schema: WITH_TAX,
        write: "mode = \"append\"\nschema_change = \"evolve\"",
        ..ORDERS
    };
    evolving.run(&scene).expect_code(0);
    decided_only(&scene);
    other_tax(&scene, "date");
    evolving
        .run(&scene)
        .expect_code(2)
        .says(&["'tax' is date in the table and decimal(10,2) in the rows"]);
    let without = Orders {
        write: "mode = \"append\"\nschema_change = { missing_column = \"evolve\" }",
        ..ORDERS
    };
    without
        .run(&scene)
        .expect_code(0)
        .says(&["the table has got other columns since this was decided"]);
    assert_eq!(
        orders(&scene, "id, tax"),
        ["1,", "2,", "3,", "4,", "9,2026-01-05"]
    );
    // Once.
    without.run(&scene).expect_code(0);
    assert_eq!(orders(&scene, "id").len(), 5);
    // Worth a look, since a decision was given up, and nothing is damaged.
    without.weir(&scene, &["lake", "check"]).expect_code(3);
}

#[test]
fn a_decision_that_another_target_has_is_not_given_up() {
    let scene = Scene::new();
    scene.file("in/1.csv", "id,amount\n1,10\n2,20\n");
    let copies = |change: &str| {
        format!("[[step.write]]\ntable = \"raw.copies\"\nmode = \"append\"\n{change}\n")
    };
    let plain = copies("");
    Orders {
        more: &plain,
        ..ORDERS
    }
    .run(&scene)
    .expect_code(0);
    scene.file("in/2.csv", "id,amount,tax\n3,30,\n4,40,1.50\n");
    let evolving = copies("schema_change = \"evolve\"");
    Orders {
        schema: WITH_TAX,
        write: "mode = \"append\"\nschema_change = \"evolve\"",
        more: &evolving,
        ..ORDERS
    }
    .run(&scene)
    .expect_code(0);
    decided_only(&scene);
    other_tax(&scene, "date");
    let lenient = "schema_change = { missing_column = \"evolve\" }";
    let lenient_copies = copies(lenient);
    let lenient = format!("mode = \"append\"\n{lenient}");
    for _ in 0..2 {
        Orders {
            write: &lenient,
            more: &lenient_copies,
            ..ORDERS
        }
        .run(&scene)
        .expect_code(1)
        .says(&[
            "raw.orders has got other columns since decision 1 was made, of which other targets have the rows already",
            "'tax' is date in the table and decimal(10,2) in the rows",
            "hint: give raw.orders back the columns that it had",
        ]);
    }
    assert_eq!(scene.count("raw.copies"), 4);
    // Once the table is what it was, the decision is completed.
    let log = scene.lake().join("raw/orders/_delta_log");
    fs::remove_file(log.join("00000000000000000001.json")).unwrap();
    Orders {
        write: &lenient,
        more: &lenient_copies,
        ..ORDERS
    }
    .run(&scene)
    .expect_code(0);
    assert_eq!(orders(&scene, "id, tax"), ["1,", "2,", "3,", "4,1.50"]);
    assert_eq!(scene.count("raw.copies"), 4);
}

/// A step that reads files of `format`, of which columns are not declared.
fn reading(scene: &Scene, file: &str, format: &str, more: &str) -> Ended {
    let text = format!(
        r#"weir = 1
name = "reading"
[zone.raw]
[[step]]
name = "load"
read = {{ files = "in/{file}", format = "{format}", schema = {{ id = "int64 not null" }}, {more} }}
write = {{ table = "raw.orders" }}
"#
    );
    scene.run(&scene.file("reading.toml", text), &[])
}

#[test]
fn columns_of_files_that_are_not_declared() {
    let scene = Scene::new();
    scene.file("in/a.csv", "id,tax\n1,\n2,secret-1\n");
    scene.file(
        "in/a.jsonl",
        "{\"id\":1}\n{\"id\":2,\"tax\":\"secret-1\"}\n",
    );
    scene.file(
        "in/a.json",
        "[{\"id\":1},\n{\"id\":2,\"tax\":\"secret-1\"}]",
    );
    for (file, format, line) in [
        ("a.csv", "csv", "line 1"),
        ("a.jsonl", "json-lines", "line 2"),
        ("a.json", "json", "line 2"),
    ] {
        reading(&scene, file, format, "new_column = \"freeze\"")
            .expect_code(1)
            .says(&[
                &format!("in/{file}: {line}: column 'tax' is not declared"),
                "hint: declare the column in the `schema`",
            ])
            .hides(&["secret-1"]);
        let keep = "new_column = \"quarantine\", on_fail = \"quarantine\"";
        reading(&scene, file, format, keep)
            .expect_code(3)
            .hides(&["secret-1"]);
        assert_eq!(orders(&scene, "id"), ["1"]);
        let why = "select _weir_rule, _weir_stage, _weir_ordinal, _weir_message like '%column ''tax'' is not declared', _weir_raw like '%secret-1%' from raw.orders__quarantine";
        assert_eq!(
            scene.sql_csv(why)[1..],
            ["new_column,read,2,true,true"],
            "{file}"
        );
        for more in ["", "new_column = \"discard\""] {
            reading(&scene, file, format, more).expect_code(0);
            assert_eq!(orders(&scene, "id"), ["1", "2"]);
        }
    }
    reading(&scene, "a.csv", "csv", "new_column = \"evolve\"")
        .expect_code(2)
        .says(&[
            "a read cannot take columns that are not declared",
            "`schema_change`",
        ]);

    // Data files of a table are Parquet files, of which weir's own column is none of theirs.
    scene.file("in/b.csv", "id,tax\n1,2\n");
    let schema = r#"id = "int64", tax = "int64""#;
    let table = format!(
        "weir = 1\nname = \"wide\"\n[zone.raw]\n[[step]]\nname = \"load\"\nread = {{ files = \"in/b.csv\", format = \"csv\", schema = {{ {schema} }} }}\nwrite = {{ table = \"raw.wide\" }}\n"
    );
    scene
        .run(&scene.file("wide.toml", table), &[])
        .expect_code(0);
    let files = "../lake/raw/wide/*.parquet";
    reading(&scene, files, "parquet", "new_column = \"freeze\"")
        .expect_code(1)
        .says(&[": schema: column 'tax' is not declared"]);
    reading(&scene, files, "parquet", "new_column = \"discard\"").expect_code(0);
    assert_eq!(orders(&scene, "id"), ["1"]);
}
