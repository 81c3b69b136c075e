//! Text written by a guest, made fit for a log line or an error message.

/// Longest guest text that an error or a log line holds, in bytes before the ellipsis.
pub const MAX_TEXT: usize = 1024;

/// Escapes control, bidirectional-override and zero-width characters, and cuts after `max` bytes:
/// a guest can neither forge a second log line nor hide text from the person who reads it.
pub fn escape(text: &str, max: usize) -> String {
    let mut out = String::with_capacity(text.len().min(max));
    for c in text.chars() {
        let before = out.len();
        if is_deceptive(c) {
            out.extend(c.escape_default());
        } else {
            out.push(c);
        }
        if out.len() > max {
            out.truncate(before);
            out.push('…');
            break;
        }
    }
    out
}

/// Whether a reader would not see `c` as itself.
pub fn is_deceptive(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
            | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_and_override_characters_are_escaped() {
        assert_eq!(
            escape("a\nb\u{1b}[2J\u{202e}c", 99),
            "a\\nb\\u{1b}[2J\\u{202e}c"
        );
        assert_eq!(escape("naïve 数", 99), "naïve 数");
    }

    #[test]
    fn long_text_is_cut_at_a_character() {
        assert_eq!(escape("ééé", 4), "éé…");
        assert_eq!(escape("ééé", 5), "éé…");
        assert_eq!(escape("ééé", 6), "ééé");
        assert_eq!(escape("ab\n", 3), "ab…", "an escape is never cut in half");
    }
}
