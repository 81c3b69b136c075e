//! Components from WebAssembly text.

/// What fragments are put into.
const FRAME: &str = include_str!("../../hostile/text/frame.wat");
/// What they leave out, a function a paragraph.
const DEFAULTS: &str = include_str!("../../hostile/text/defaults.wat");
/// Pages of memory a fragment has at first: 256 KiB.
const PAGES: &str = "4";

/// The bytes of a whole component or module, or of the frame with a fragment in it.
pub(crate) fn assemble(text: &str) -> Vec<u8> {
    let code: Vec<&str> = text
        .lines()
        .filter(|line| !line.starts_with(";;"))
        .collect();
    let code = code.join("\n");
    let whole = code.trim_start();
    let parsed = if whole.starts_with("(component") || whole.starts_with("(module") {
        wat::parse_str(whole)
    } else {
        wat::parse_str(framed(whole))
    };
    parsed.unwrap_or_else(|error| panic!("a hostile guest is no WebAssembly text: {error}"))
}

/// The frame with a fragment in it.
pub(crate) fn framed(fragment: &str) -> String {
    let mut guest = fragment.to_owned();
    for paragraph in DEFAULTS.split("\n\n") {
        let Some(start) = paragraph.find("(func $") else {
            continue;
        };
        let function = &paragraph[start..];
        let name = function.split_whitespace().nth(1).unwrap_or_default();
        let name = name.trim_end_matches(')');
        let defined = fragment
            .split(&format!("(func {name}"))
            .skip(1)
            .any(|after| after.starts_with([' ', '\n', ')']));
        if !defined {
            guest.push('\n');
            guest.push_str(function);
        }
    }
    FRAME.replace("{guest}", &guest).replace("{pages}", PAGES)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fragment_replaces_functions_and_nothing_else() {
        let finish = "(func $finish (result i32) unreachable)";
        let text = framed(finish);
        assert_eq!(text.matches("(func $finish (result i32)").count(), 1);
        assert_eq!(text.matches("(func $describe (result i32)").count(), 1);
        wat::parse_str(&text).unwrap_or_else(|error| panic!("{error}"));
    }
}
