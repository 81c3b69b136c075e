use super::*;
use minisign::KeyPair;
use std::sync::Arc;
use weir_pipeline::Place;

const COMPONENT: &[u8] = b"\0asm\x0d\0\x01\0 a small component";

/// A key that the C program minisign 0.11 made: `minisign -G -W`.
const FOREIGN_KEY: &str = "RWSccvN9XyCodv2Mt9DiJ+iNqC6jPjZSiCEHkx4YzchLCLNNzFzBKsPo";
const FOREIGN_ID: &str = "76A8205F7DF3729C";

/// Its signature of a file that holds `test`: `minisign -S -t …`.
const FOREIGN_SIGNATURE: &str = "untrusted comment: signature from minisign secret key
RUSccvN9XyCodqWsFMg+t7wsqU4ur6DwNuloUnMTi0CLJcc1kdNweqavqsfOnKnKuYa16BD3QL4dN2+6OfT9IAuho3cba1X8yA4=
trusted comment: made by the C program
t7zBPzYHw6GqBqZ1KOejyRRMif9DQdSBrlJoBO+zj/iUaOdbtCl5ZcvLCfM+Oe01ZMjDapyOulk3zNtJiLZSAQ==
";

/// The same in the old form: `minisign -S -l -t …`.
const OLD_SIGNATURE: &str = "untrusted comment: signature from minisign secret key
RWSccvN9XyCodolJpuZnj1lR4ZKU13ZXLuFSz/V6lXKiDisHAltAD8sN/POgjJ5UaY1q70BTeN6IHPMnXWvyXwzdV6zjGu/wYAQ=
trusted comment: old form
AQaWo1WEylyFx6hElkDz07Emn83enPaDJ+LfvsYd1UDz4yU1grDDbb2QRIGHGXnwkMx6uPTmWOLDu5vW94r5Cg==
";

fn pair() -> (KeyPair, String) {
    let pair = KeyPair::generate_unencrypted_keypair().unwrap();
    let public = pair.pk.to_base64();
    (pair, public)
}

fn sign(pair: &KeyPair, component: &[u8]) -> String {
    minisign::sign(
        None,
        &pair.sk,
        component,
        Some("timestamp:1\tfile:x.wasm"),
        Some("by a test"),
    )
    .unwrap()
    .into_string()
}

fn keys(named: &[(&str, &str)], required: bool) -> Keys {
    let place = Place::new(Arc::from(std::path::Path::new("p.toml")), "", 0..0);
    let keys = named
        .iter()
        .map(|(name, text)| {
            let key = TrustedKey {
                text: (*text).to_owned(),
                place: place.clone(),
            };
            ((*name).to_owned(), key)
        })
        .collect();
    Keys::read(&keys, required).unwrap()
}

fn judge(
    keys: &Keys,
    signed_by: Option<&str>,
    component: &[u8],
    text: Option<&str>,
) -> Result<Option<Signer>> {
    let found = text.map(|text| Found {
        text: text.to_owned(),
        place: "'x.minisig'".to_owned(),
    });
    keys.judge("p", signed_by, component, found.as_ref(), "at 'x.minisig'")
}

#[test]
fn a_good_signature_names_its_key() {
    let (pair, public) = pair();
    let (_, other) = self::pair();
    let text = sign(&pair, COMPONENT);
    let keys = keys(&[("acme", &public), ("other", &other)], true);
    for signed_by in [None, Some("acme")] {
        let signer = judge(&keys, signed_by, COMPONENT, Some(&text)).unwrap();
        let signer = signer.expect("it is signed");
        assert_eq!(signer.name, "acme");
        assert_eq!(signer.key_id, PublicKey::parse(&public).unwrap().id());
    }
    let error = judge(&keys, Some("other"), COMPONENT, Some(&text)).unwrap_err();
    assert!(matches!(error, Error::OtherSigner { .. }), "{error}");
    assert!(error.to_string().contains("'acme'") && error.to_string().contains("'other'"));
}

#[test]
fn two_names_for_one_key_are_both_good() {
    let (pair, public) = pair();
    let text = sign(&pair, COMPONENT);
    let keys = keys(&[("a", &public), ("b", &public)], true);
    for name in ["a", "b"] {
        let signer = judge(&keys, Some(name), COMPONENT, Some(&text)).unwrap();
        assert_eq!(signer.unwrap().name, name);
    }
}

#[test]
fn a_change_of_any_bit_of_the_component_is_found() {
    let (pair, public) = pair();
    let text = sign(&pair, COMPONENT);
    // Not demanded: a signature that is there and wrong is an error all the same.
    let keys = keys(&[("acme", &public)], false);
    for at in 0..COMPONENT.len() {
        for bit in 0..8 {
            let mut changed = COMPONENT.to_vec();
            changed[at] ^= 1 << bit;
            let error = judge(&keys, None, &changed, Some(&text)).unwrap_err();
            assert!(matches!(error, Error::WrongSignature { .. }), "{error}");
        }
    }
    for component in [&COMPONENT[..COMPONENT.len() - 1], b"", b"x"] {
        assert!(judge(&keys, None, component, Some(&text)).is_err());
    }
}

#[test]
fn a_change_of_any_byte_of_the_signature_is_found() {
    let (pair, public) = pair();
    let text = sign(&pair, COMPONENT);
    let keys = keys(&[("acme", &public)], true);
    let covered = text.find('\n').unwrap();
    let mut refused = 0;
    for at in 0..text.len() {
        for bit in 0..7 {
            let mut changed = text.clone().into_bytes();
            changed[at] ^= 1 << bit;
            let changed = String::from_utf8(changed).expect("ASCII stays ASCII");
            let judged = judge(&keys, None, COMPONENT, Some(&changed));
            if at < covered {
                // Minisign's first line vouches for nothing, and nothing depends on it.
                assert!(judged.is_err() || judged.unwrap().unwrap().name == "acme");
            } else if at == text.len() - 1 && judged.is_ok() {
                // The last line may end with a line break or without.
                assert!(
                    changed.trim_end() == text.trim_end(),
                    "byte {at}, bit {bit}"
                );
            } else {
                assert!(judged.is_err(), "byte {at}, bit {bit}: {changed}");
                refused += 1;
            }
        }
    }
    assert!(refused > 1_500, "{refused}");
    for end in 0..text.len() - 1 {
        assert!(
            judge(&keys, None, COMPONENT, text.get(..end)).is_err(),
            "{end}"
        );
    }
    for more in ["x", "\nuntrusted comment: x\n"] {
        let longer = format!("{text}{more}");
        assert!(judge(&keys, None, COMPONENT, Some(&longer)).is_err());
    }
}

#[test]
fn parts_of_two_signatures_do_not_make_one() {
    let (pair, public) = pair();
    let keys = keys(&[("acme", &public)], true);
    let first = sign(&pair, COMPONENT);
    let second = sign(&pair, b"another component");
    let lines = |text: &str| text.lines().map(str::to_owned).collect::<Vec<_>>();
    let (first, second) = (lines(&first), lines(&second));
    for from_second in 1..7 {
        // Lines 2, 3 and 4; the comments are equal, so that a swap of line 3 alone changes nothing.
        let pick = |line: usize| match from_second >> (line - 1) & 1 {
            1 => &second[line],
            _ => &first[line],
        };
        let mixed = format!("{}\n{}\n{}\n{}\n", first[0], pick(1), pick(2), pick(3));
        let sound = mixed
            .lines()
            .skip(1)
            .eq(first.iter().skip(1).map(String::as_str));
        let judged = judge(&keys, None, COMPONENT, Some(&mixed));
        assert_eq!(judged.is_ok(), sound, "{from_second}");
    }
}

#[test]
fn who_is_not_trusted_counts_only_where_nobody_must_sign() {
    let (pair, public) = pair();
    let (stranger, _) = self::pair();
    let text = sign(&stranger, COMPONENT);
    let lax = keys(&[("acme", &public)], false);
    assert_eq!(judge(&lax, None, COMPONENT, Some(&text)).unwrap(), None);
    assert_eq!(judge(&lax, None, COMPONENT, None).unwrap(), None);
    let strict = keys(&[("acme", &public)], true);
    let error = judge(&strict, None, COMPONENT, Some(&text)).unwrap_err();
    assert!(matches!(error, Error::OtherSigner { .. }), "{error}");
    assert!(error.hint().contains("[trust]"));
    for (keys, signed_by) in [(&strict, None), (&lax, Some("acme"))] {
        let error = judge(keys, signed_by, COMPONENT, None).unwrap_err();
        assert!(matches!(error, Error::Unsigned { .. }), "{error}");
        assert!(error.to_string().contains("acme") && error.hint().contains("'x.minisig'"));
    }
    // A key that bears the identifier of a trusted one gains nothing.
    let forged = {
        let sound = sign(&pair, COMPONENT);
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        let mut bytes = STANDARD.decode(&lines[1]).unwrap();
        let own = STANDARD.decode(sound.lines().nth(1).unwrap()).unwrap();
        bytes[2..10].copy_from_slice(&own[2..10]);
        lines[1] = STANDARD.encode(bytes);
        lines.join("\n")
    };
    for keys in [&lax, &strict] {
        let error = judge(keys, None, COMPONENT, Some(&forged)).unwrap_err();
        assert!(matches!(error, Error::WrongSignature { .. }), "{error}");
    }
}

#[test]
fn signatures_of_the_c_program_are_read() {
    let keys = keys(&[("ours", FOREIGN_KEY)], true);
    let signer = judge(&keys, None, b"test", Some(FOREIGN_SIGNATURE)).unwrap();
    assert_eq!(signer.unwrap().key_id, FOREIGN_ID);
    let signature = Signature::parse(FOREIGN_SIGNATURE).unwrap();
    assert_eq!(signature.trusted_comment(), "made by the C program");
    assert!(judge(&keys, None, b"tests", Some(FOREIGN_SIGNATURE)).is_err());
    // The old form signs the file itself, not its hash.
    let error = judge(&keys, None, b"test", Some(OLD_SIGNATURE)).unwrap_err();
    assert!(
        error.hint().contains("sign again"),
        "{error}: {}",
        error.hint()
    );
}

#[test]
fn what_is_no_key_is_refused() {
    for text in [
        "",
        "RWQ",
        "not base64!",
        &"A".repeat(56),
        &FOREIGN_KEY[..55],
    ] {
        assert!(PublicKey::parse(text).is_none(), "{text}");
    }
    assert_eq!(PublicKey::parse(FOREIGN_KEY).unwrap().id(), FOREIGN_ID);
}
