//! Compiling in a child that may use only so much.

use std::fmt::Write;

use weir_sandbox::{ChildCompiler, Compiler};

use super::*;

fn child() -> ChildCompiler {
    ChildCompiler::new(env!("CARGO_BIN_EXE_weir-compiler").into())
}

fn compiling_in(child: ChildCompiler) -> Sandbox {
    Sandbox::new(SandboxOptions {
        compiler: Compiler::Child(child),
        max_instances: 4,
        ..SandboxOptions::default()
    })
    .unwrap()
}

/// A component whose module has `functions` functions of `length` instructions that depend on each
/// other. Small as a file, once compressed; long to compile.
fn bomb(functions: usize, length: usize) -> Vec<u8> {
    let mut text = String::from("(component (core module (memory 1)\n");
    for _ in 0..functions {
        text.push_str("(func (param i32) (result i32) (local i32 i32 i32 i32)\n");
        for i in 0..length {
            let (to, from) = (i % 5, (i * 3 + 1) % 5);
            let _ = writeln!(
                text,
                "(if (local.get {from}) (then (local.set {to} (i32.load (i32.add (local.get {from}) (local.get {to}))))))"
            );
        }
        text.push_str("local.get 0)\n");
    }
    text.push_str("))");
    wat::parse_str(&text).expect("valid text")
}

#[tokio::test]
async fn what_a_child_compiles_runs() {
    let plugin = compiling_in(child())
        .load("t", guest("transform"))
        .await
        .unwrap();
    let mut instance = plugin.instantiate("", &Terms::default()).await.unwrap();
    let input = batch(10);
    instance.bind(&request(json!({}), &input)).await.unwrap();
    let given = instance.process(&input).await.unwrap();
    assert_eq!(given.emitted[0].batch, input);
}

#[tokio::test]
async fn a_child_says_why_it_refuses() {
    let mut broken = guest("check");
    broken.truncate(2_000);
    let error = compiling_in(child()).load("x", broken).await.unwrap_err();
    let SandboxError::Compile { source, .. } = &error else {
        panic!("{error}");
    };
    assert!(!source.to_string().is_empty());
    let missing = ChildCompiler::new("/no/such/program".into());
    let error = compiling_in(missing)
        .load("x", guest("check"))
        .await
        .unwrap_err();
    assert!(matches!(error, SandboxError::Compile { .. }), "{error}");
}

#[tokio::test]
async fn a_bomb_ends_the_child_and_nothing_else() {
    let bomb = bomb(40, 3_000);
    for (limits, how) in [
        (
            ChildCompiler {
                cpu: Duration::from_secs(1),
                ..child()
            },
            "processor time ran out",
        ),
        (
            ChildCompiler {
                memory: 48 << 20,
                ..child()
            },
            "memory ran out",
        ),
        (
            ChildCompiler {
                wall_clock: Duration::from_millis(300),
                ..child()
            },
            "took too long",
        ),
    ] {
        let began = Instant::now();
        let error = compiling_in(limits)
            .load("x", bomb.clone())
            .await
            .unwrap_err();
        assert!(
            matches!(&error, SandboxError::CompileLimit { plugin, .. } if plugin == "x"),
            "{how}: {error}"
        );
        assert!(error.to_string().ends_with(how), "{how}: {error}");
        assert!(error.hint().is_some());
        // Generous: the processors are shared.
        assert!(began.elapsed() < Duration::from_secs(60), "{how}");
    }
    honest().await;
}
