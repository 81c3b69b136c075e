//! What codes look like. The shape says nothing of whether the code exists.

/// Three to five characters, digits but for a first `E` or `V`; or one of CMS's pseudo-codes.
pub(crate) fn diagnosis(code: &[u8]) -> bool {
    icd9(code, 3) || matches!(code, b"OTHER" | b"XX000")
}

/// Two to four digits. SynPUF's procedure columns hold diagnosis codes too (one in three of its
/// inpatient procedures), so these pass as well.
pub(crate) fn procedure(code: &[u8]) -> bool {
    icd9(code, 2)
}

fn icd9(code: &[u8], least: usize) -> bool {
    match code {
        [b'E' | b'V' | b'0'..=b'9', rest @ ..] => (least..=5).contains(&code.len()) && digits(rest),
        _ => false,
    }
}

/// Five upper-case letters and digits.
pub(crate) fn hcpcs(code: &[u8]) -> bool {
    code.len() == 5
        && code
            .iter()
            .all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit())
}

/// `01` to `54`.
pub(crate) fn state(code: &[u8]) -> bool {
    matches!(
        code,
        [b'0', b'1'..=b'9'] | [b'1'..=b'4', b'0'..=b'9'] | [b'5', b'0'..=b'4']
    )
}

/// Three digits.
pub(crate) fn county(code: &[u8]) -> bool {
    code.len() == 3 && digits(code)
}

/// Ten digits.
pub(crate) fn npi(npi: &[u8]) -> bool {
    npi.len() == 10 && digits(npi)
}

/// Nine digits.
pub(crate) fn tax_number(number: &[u8]) -> bool {
    number.len() == 9 && digits(number)
}

fn digits(text: &[u8]) -> bool {
    text.iter().all(u8::is_ascii_digit)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judge(shape: fn(&[u8]) -> bool, good: &[&str], bad: &[&str]) {
        for code in good {
            assert!(shape(code.as_bytes()), "{code}");
        }
        for code in bad {
            assert!(!shape(code.as_bytes()), "{code}");
        }
    }

    #[test]
    fn shapes_are_those_of_the_code_sets() {
        judge(
            diagnosis,
            &["0416", "250", "V4501", "E8889", "OTHER", "XX000"],
            &["", "V1", "25O", "123456", "OTHE", "A01"],
        );
        judge(
            procedure,
            &["37", "3995", "V5866"],
            &["", "3", "39.95", "X12"],
        );
        judge(hcpcs, &["99213", "G0008"], &["", "0851", "g0008", "992133"]);
        judge(
            state,
            &["01", "10", "39", "54"],
            &["", "00", "5", "55", "1A", "005"],
        );
        judge(county, &["020", "999"], &["", "20", "02O"]);
        judge(
            npi,
            &["0139083564"],
            &["", "426619309", "01390835641", "013908356X"],
        );
        judge(
            tax_number,
            &["017191654"],
            &["", "17191654", "01-7191654", "0171916540"],
        );
    }
}
