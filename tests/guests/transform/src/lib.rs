//! A transform that gives back what it was given, and on request misbehaves in every way the sandbox
//! must contain. `mode` in the configuration chooses; `at` says at which batch, counted from 1.

wit_bindgen::generate!({
    path: "../../../wit/0.1",
    world: "transform",
});

use std::cell::{Cell, RefCell};
use std::sync::atomic::{AtomicU64, Ordering};

use exports::weir::plugin::transformer::Guest;
use weir::plugin::types::{
    Batch, DataType, Error, Field, Info, Node, Output, Rule, Run, SideInput,
};
use weir::plugin::{emitting, host, side_inputs};

struct Transform;

thread_local! {
    static CONFIG: RefCell<String> = const { RefCell::new(String::new()) };
    static BATCHES: Cell<u64> = const { Cell::new(0) };
    static KEPT: RefCell<Vec<Vec<u8>>> = const { RefCell::new(Vec::new()) };
}

/// The value of a key in a flat JSON object of strings and numbers.
fn setting(key: &str) -> Option<String> {
    CONFIG.with_borrow(|config| {
        let after = config.split_once(&format!("\"{key}\":"))?.1;
        let value = after.split([',', '}']).next()?;
        Some(value.trim().trim_matches('"').to_owned())
    })
}

fn mode() -> String {
    setting("mode").unwrap_or_default()
}

fn number(key: &str, default: u64) -> u64 {
    setting(key)
        .and_then(|value| value.parse().ok())
        .unwrap_or(default)
}

static DEPTH: AtomicU64 = AtomicU64::new(0);

/// Recurses with nothing in linear memory: exhausts the call stack.
#[inline(never)]
fn recurse(depth: u64) -> u64 {
    DEPTH.fetch_add(1, Ordering::Relaxed);
    if depth == u64::MAX {
        0
    } else {
        recurse(depth + 1).wrapping_mul(31) ^ DEPTH.load(Ordering::Relaxed)
    }
}

/// Recurses with large frames: runs off the stack that the toolchain keeps in linear memory.
#[inline(never)]
fn recurse_frames(depth: u64) -> u64 {
    let frame = std::hint::black_box([depth; 64]);
    if depth == u64::MAX {
        0
    } else {
        recurse_frames(depth + 1) + frame[(depth % 64) as usize]
    }
}

fn spin() -> ! {
    let mut n = 0u64;
    loop {
        n = std::hint::black_box(n.wrapping_add(1));
    }
}

fn field(name: &str, data_type: DataType, children: u32) -> Field {
    Field {
        name: name.to_owned(),
        data_type,
        nullable: true,
        children,
    }
}

impl Guest for Transform {
    fn describe() -> Info {
        host::log(host::Level::Info, "described");
        Info {
            name: "identity".into(),
            version: "1.2.3".into(),
            description: "Gives back what it is given.\n\u{1b}[31m".into(),
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
        run: Run,
        input: Vec<Field>,
        sides: Vec<SideInput>,
    ) -> Result<Vec<Output>, Error> {
        CONFIG.set(config);
        let output = |schema| {
            Ok(vec![Output {
                name: "out".into(),
                schema,
            }])
        };
        match mode().as_str() {
            "bind_loop" => spin(),
            "bind_config_error" => {
                return Err(Error::Config("no\nsuch \u{202e}column".repeat(200)));
            }
            "bind_emit" => emitting::emit(
                0,
                &Batch {
                    rows: 0,
                    nodes: vec![],
                    buffers: vec![],
                },
                None,
            ),
            "bind_many_fields" => {
                return output(
                    (0..5000)
                        .map(|i| field(&i.to_string(), DataType::Int64, 0))
                        .collect(),
                );
            }
            "bind_children" => return output(vec![field("s", DataType::Struct, 7)]),
            "bind_duplicate" => {
                return output(vec![
                    field("a", DataType::Int64, 0),
                    field("a", DataType::Int64, 0),
                ]);
            }
            "bind_long_name" => {
                return output(vec![field(&"x".repeat(1 << 20), DataType::Int64, 0)]);
            }
            "bind_huge" => return output(vec![field(&"x".repeat(9 << 20), DataType::Int64, 0)]),
            "run" => {
                let parameters: Vec<String> = run
                    .parameters
                    .iter()
                    .map(|p| format!("{}={}", p.name, p.value))
                    .collect();
                return Err(Error::Data(format!(
                    "{}/{}/{}",
                    run.pipeline,
                    run.step,
                    parameters.join(",")
                )));
            }
            "clock" => {
                // Sleeps a year and asks for randomness: neither waits, and both are the same each time.
                let start = std::time::Instant::now();
                std::thread::sleep(std::time::Duration::from_secs(365 * 86_400));
                let slept = start.elapsed().as_secs();
                let wall = std::time::SystemTime::now()
                    .duration_since(std::time::UNIX_EPOCH)
                    .map(|d| d.as_secs());
                use std::hash::{BuildHasher, Hasher};
                let random = std::collections::hash_map::RandomState::new()
                    .build_hasher()
                    .finish();
                let env = std::env::vars().count() + std::env::args().count();
                let file = std::fs::read("/etc/passwd").is_ok();
                let socket = std::net::TcpStream::connect("127.0.0.1:80").is_ok()
                    || std::net::UdpSocket::bind("127.0.0.1:0").is_ok();
                return Err(Error::Data(format!(
                    "{slept} {wall:?} {random} {env} {file} {socket}"
                )));
            }
            "constant" | "constant_many" => {
                return output(vec![field("n", DataType::Int64, 0)]);
            }
            "side_bind" => drop(side_inputs::next(0)),
            "side" | "side_unbound" => {
                let names: Vec<&str> = sides.iter().map(|side| side.name.as_str()).collect();
                host::log(host::Level::Info, &names.join(","));
                let side = sides.into_iter().next();
                return output(side.map(|side| side.schema).unwrap_or_default());
            }
            "adds" | "adds_changes" | "adds_more" => {
                let added = |name: &str| Field {
                    nullable: false,
                    ..field(name, DataType::Int64, 0)
                };
                let mut schema = input;
                schema.push(added("raf"));
                if mode() == "adds_more" {
                    schema.push(added("spy"));
                }
                return output(schema);
            }
            _ => {}
        }
        Ok(vec![Output {
            name: "out".into(),
            schema: input,
        }])
    }

    fn process(rows: Batch) -> Result<(), Error> {
        let batch = BATCHES.get() + 1;
        BATCHES.set(batch);
        if batch < number("at", 1) {
            emitting::emit(0, &rows, None);
            return Ok(());
        }
        let constant = |rows: u32, value: i64| Batch {
            rows,
            nodes: vec![Node {
                length: rows,
                null_count: 0,
            }],
            buffers: vec![vec![], value.to_le_bytes().repeat(rows as usize)],
        };
        let mut rows = rows;
        match mode().as_str() {
            "trap" => std::process::abort(),
            "panic" => panic!("secret-canary in a panic"),
            "exit" => std::process::exit(3),
            "loop" => spin(),
            "bomb" => loop {
                KEPT.with_borrow_mut(|kept| kept.push(vec![1; 1 << 20]));
            },
            "grow_kindly" => {
                // A denied allocation that the guest survives is no error.
                let mut big: Vec<u8> = Vec::new();
                if big.try_reserve_exact(1 << 30).is_ok() {
                    return Err(Error::Fatal("a gigabyte was granted".into()));
                }
            }
            "recurse_frames" => return Err(Error::Fatal(recurse_frames(0).to_string())),
            "recurse" => return Err(Error::Fatal(recurse(0).to_string())),
            "error" => {
                let message = "why\u{7}".to_owned();
                return Err(match setting("kind").unwrap_or_default().as_str() {
                    "config" => Error::Config(message),
                    "data" => Error::Data(message),
                    "retry" => Error::Retry(message),
                    _ => Error::Fatal(message),
                });
            }
            "reject" => {
                emitting::reject(&[2, 0, 2], "odd", "it is odd\n");
            }
            "reject_out_of_range" => emitting::reject(&[rows.rows], "odd", ""),
            "metrics" => {
                host::metric("seen", f64::from(rows.rows));
                host::metric("seen", 1.0);
                host::metric("not", f64::NAN);
            }
            "log" => (0..100_000)
                .for_each(|i| host::log(host::Level::Warn, &format!("line {i}\nforged"))),
            "print" => (0..100_000).for_each(|i| println!("line {i}")),
            "adds" | "adds_changes" => {
                if mode() == "adds_changes" {
                    rows.buffers[1].fill(0);
                }
                rows.nodes.push(Node {
                    length: rows.rows,
                    null_count: 0,
                });
                let values = (0..u64::from(rows.rows)).flat_map(u64::to_le_bytes);
                rows.buffers.extend([vec![], values.collect()]);
            }
            "bad_offsets" => {
                // Column 2 is text: its offsets are the sixth buffer from the front (2 + 2 + 1).
                rows.buffers[5][4..8].copy_from_slice(&i32::MAX.to_le_bytes());
            }
            "bad_utf8" => rows.buffers[6][0] = 0xff,
            "bad_null_count" => rows.nodes[0].null_count += 1,
            "bad_length" => rows.nodes[0].length = u32::MAX,
            "bad_rows" => rows.rows = u32::MAX,
            "missing_node" => drop(rows.nodes.pop()),
            "extra_buffer" => rows.buffers.push(vec![]),
            "short_buffer" => rows.buffers[1].truncate(3),
            "bad_output" => {
                emitting::emit(7, &rows, None);
            }
            "origin" => {
                let origin: Vec<u32> = (0..rows.rows).rev().collect();
                emitting::emit(0, &rows, Some(&origin));
                return Ok(());
            }
            "origin_out_of_range" => {
                let origin = vec![rows.rows; rows.rows as usize];
                emitting::emit(0, &rows, Some(&origin));
            }
            "origin_length" => emitting::emit(0, &rows, Some(&[0])),
            "origin_absent" => {
                let fewer = Batch {
                    rows: 0,
                    nodes: vec![
                        Node {
                            length: 0,
                            null_count: 0
                        };
                        rows.nodes.len()
                    ],
                    buffers: vec![vec![]; rows.buffers.len()],
                };
                emitting::emit(0, &fewer, None);
            }
            "amplify" => loop {
                emitting::emit(0, &rows, None);
            },
            "side_unbound" => drop(side_inputs::next(7)),
            "side" => {
                // Emitted as rows of the first row in process, in as many batches as they come in.
                while let Some(batch) = side_inputs::next(0) {
                    emitting::emit(0, &batch, Some(&vec![0; batch.rows as usize]));
                }
                return match side_inputs::next(0) {
                    None => Ok(()),
                    Some(_) => Err(Error::Fatal("rows after their end".into())),
                };
            }
            "constant" => {
                let count = number("rows", 1) as u32;
                emitting::emit(
                    0,
                    &constant(count, batch as i64),
                    Some(&vec![0; count as usize]),
                );
                return Ok(());
            }
            "constant_many" => {
                for _ in 0..number("times", 1) {
                    let count = number("rows", 1) as u32;
                    emitting::emit(
                        0,
                        &constant(count, batch as i64),
                        Some(&vec![0; count as usize]),
                    );
                }
                return Ok(());
            }
            _ => {}
        }
        emitting::emit(0, &rows, None);
        Ok(())
    }

    fn finish() -> Result<(), Error> {
        if mode() == "finish_emit" {
            emitting::emit(
                0,
                &Batch {
                    rows: 0,
                    nodes: vec![],
                    buffers: vec![],
                },
                None,
            );
        }
        Ok(())
    }
}

export!(Transform);
