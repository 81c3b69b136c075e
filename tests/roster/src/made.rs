//! Guests of many bytes. Each function makes one; the line above it says what it does.

use std::fmt::Write;

use crate::text;

/// Instructions, functions and the like in a bomb: enough to take a compiler seconds.
const MANY: usize = 20_000;

fn component(fragment: &str) -> Vec<u8> {
    text::assemble(fragment)
}

/// Row 14: a component of sixty-five mebibytes, one more than is accepted.
pub(crate) fn weighs_65_mebibytes() -> Vec<u8> {
    let mut bytes = component("");
    bytes.resize(65 << 20, 0);
    bytes
}

/// Row 14: a component that ends in the middle.
pub(crate) fn is_cut_short() -> Vec<u8> {
    let mut bytes = component("");
    bytes.truncate(bytes.len() / 2);
    bytes
}

/// Row 14: the header of a component, and a mebibyte of noise.
pub(crate) fn is_noise() -> Vec<u8> {
    let mut bytes = b"\0asm\x0d\0\x01\0".to_vec();
    let mut state = 1_u32;
    bytes.extend((0..1 << 20).map(|_| {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        state.to_le_bytes()[0]
    }));
    bytes
}

/// Row 15: a program for this machine in the place of a component.
pub(crate) fn is_native_code() -> Vec<u8> {
    let mut bytes = b"\x7fELF\x02\x01\x01\0".to_vec();
    bytes.resize(4096, 0x90);
    bytes
}

/// Row 14: an empty file.
pub(crate) fn is_empty() -> Vec<u8> {
    Vec::new()
}

/// Row 14: twenty thousand functions.
pub(crate) fn has_20000_functions() -> Vec<u8> {
    let function = "(func (param i32) (result i32) (i32.mul (local.get 0) (local.get 0)))\n";
    component(&function.repeat(MANY))
}

/// Row 14: one function of three hundred thousand instructions.
pub(crate) fn has_a_huge_function() -> Vec<u8> {
    let turn = "(local.set 0 (i32.mul (i32.add (local.get 0) (i32.const 7)) (local.get 0)))\n";
    component(&format!("(func (param i32) {})", turn.repeat(50_000)))
}

/// Row 14: blocks nested twenty thousand deep.
pub(crate) fn nests_20000_blocks() -> Vec<u8> {
    // Written without parentheses, since the parser of the text would recurse.
    component(&format!(
        "(func\n{}{}\n)",
        "block\n".repeat(MANY),
        "end\n".repeat(MANY)
    ))
}

/// Row 14: a function with fifty thousand variables, all alive at once.
pub(crate) fn has_50000_locals() -> Vec<u8> {
    let mut code = String::from("(func (param i32) (result i32) (local");
    code.push_str(&" i32".repeat(49_990));
    code.push(')');
    for local in 1..2000 {
        writeln!(
            code,
            "(local.set {local} (i32.add (local.get 0) (local.get {})))",
            local - 1
        )
        .expect("text");
    }
    code.push_str("(i32.const 0)");
    for local in 1..2000 {
        writeln!(code, "(i32.xor (local.get {local}))").expect("text");
    }
    code.push(')');
    component(&code)
}

/// Row 14: a jump table of a hundred thousand targets.
pub(crate) fn jumps_100000_ways() -> Vec<u8> {
    component(&format!(
        "(func (param i32) (block (block (br_table {} (local.get 0)))))",
        "0 1 ".repeat(50_000)
    ))
}

/// Row 14: twenty thousand types.
pub(crate) fn has_20000_types() -> Vec<u8> {
    let mut code = String::new();
    for index in 0..MANY {
        let parameters: String = (0..15)
            .map(|bit| {
                if index >> bit & 1 == 0 {
                    " i32"
                } else {
                    " i64"
                }
            })
            .collect();
        writeln!(code, "(type (func (param{parameters})))").expect("text");
    }
    component(&code)
}

/// Row 14: sixteen mebibytes of data for a memory that has none.
pub(crate) fn has_16_mebibytes_of_data() -> Vec<u8> {
    component(&format!(
        "(memory $more 256) (data (memory $more) (i32.const 0) \"{}\")",
        "x".repeat(16 << 20)
    ))
}

/// Row 14: a table of four billion elements.
pub(crate) fn has_a_table_of_4_billion() -> Vec<u8> {
    component("(table 4294967295 funcref)")
}
