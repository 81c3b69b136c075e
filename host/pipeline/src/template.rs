//! `${param.x}`, `${env.X:-default}`, `${each.x}`: references inside of strings.

/// A piece of a template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Part {
    /// Text, with `$${` read as `${`.
    Text(String),
    /// A reference to be replaced by a value.
    Reference(Reference),
    /// What looks like a reference and is none.
    Bad(BadTemplate),
}

/// A reference and how it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Reference {
    /// With `${` and `}`.
    pub(crate) source: String,
    pub(crate) kind: ReferenceKind,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ReferenceKind {
    /// `${param.name}` or `${param.name:%Y%m%d}`
    Param {
        name: String,
        format: Option<String>,
    },
    /// `${env.NAME}` or `${env.NAME:-default}`
    Env {
        name: String,
        default: Option<String>,
    },
    /// `${each.name}`
    Each { name: String },
}

/// Why a part of a text is no reference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct BadTemplate {
    /// The part at fault.
    pub(crate) fragment: String,
    pub(crate) message: String,
    pub(crate) hint: &'static str,
}

const FORMS: &str = "references are ${param.name}, ${param.name:%Y%m%d}, ${env.NAME}, \
                     ${env.NAME:-default} and ${each.name}; write $${ for a plain ${";

/// Splits a text into its parts; neighbouring text is one part, an empty text has none.
pub(crate) fn parse(text: &str) -> Vec<Part> {
    let mut parts = Vec::new();
    let mut plain = String::new();
    let mut rest = text;
    while let Some(dollar) = rest.find("${") {
        let (before, from_dollar) = rest.split_at(dollar);
        if let Some(before) = before.strip_suffix('$') {
            plain.push_str(before);
            plain.push_str("${");
            rest = from_dollar.strip_prefix("${").unwrap_or_default();
            continue;
        }
        plain.push_str(before);
        if !plain.is_empty() {
            parts.push(Part::Text(std::mem::take(&mut plain)));
        }
        let Some(close) = from_dollar.find('}') else {
            parts.push(Part::Bad(BadTemplate {
                fragment: from_dollar.lines().next().unwrap_or_default().to_owned(),
                message: "this reference has no closing brace".to_owned(),
                hint: FORMS,
            }));
            return parts;
        };
        let (source, tail) = from_dollar.split_at(close + 1);
        parts.push(match reference(source) {
            Ok(reference) => Part::Reference(reference),
            Err(bad) => Part::Bad(bad),
        });
        rest = tail;
    }
    plain.push_str(rest);
    if !plain.is_empty() {
        parts.push(Part::Text(plain));
    }
    parts
}

fn reference(source: &str) -> Result<Reference, BadTemplate> {
    let bad = |message: String| BadTemplate {
        fragment: source.to_owned(),
        message,
        hint: FORMS,
    };
    let inner = source
        .strip_prefix("${")
        .and_then(|inner| inner.strip_suffix('}'))
        .unwrap_or_default();
    let Some((space, rest)) = inner.split_once('.') else {
        return Err(bad(format!("`{source}` refers to nothing")));
    };
    let (name, option) = match rest.split_once(':') {
        Some((name, option)) => (name, Some(option)),
        None => (rest, None),
    };
    let is_name = |b: u8| b.is_ascii_alphanumeric() || b == b'_' || b == b'-';
    if name.is_empty() || !name.bytes().all(is_name) {
        return Err(bad(format!("`{source}` has no proper name after the dot")));
    }
    let name = name.to_owned();
    let kind = match (space, option) {
        ("param", option) => ReferenceKind::Param {
            name,
            format: option.map(str::to_owned),
        },
        ("env", None) => ReferenceKind::Env {
            name,
            default: None,
        },
        ("env", Some(option)) => match option.strip_prefix('-') {
            Some(default) => ReferenceKind::Env {
                name,
                default: Some(default.to_owned()),
            },
            None => return Err(bad(format!("the default in `{source}` begins with `:-`"))),
        },
        ("each", None) => ReferenceKind::Each { name },
        ("each", Some(_)) => return Err(bad(format!("`{source}` takes no format"))),
        _ => return Err(bad(format!("`{space}` is nothing to refer to"))),
    };
    Ok(Reference {
        source: source.to_owned(),
        kind,
    })
}

/// A text written so that [`parse`] gives it back as text.
pub(crate) fn escape(text: &str) -> String {
    text.replace("${", "$${")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Part {
        Part::Text(text.to_owned())
    }

    #[test]
    fn parts() {
        let parts = parse("a/${param.d:%Y}/$${x}/${env.A:-b c}${each.t}$");
        let kinds: Vec<_> = parts
            .iter()
            .map(|part| match part {
                Part::Text(text) => text.as_str(),
                Part::Reference(reference) => reference.source.as_str(),
                Part::Bad(bad) => bad.fragment.as_str(),
            })
            .collect();
        assert_eq!(
            kinds,
            [
                "a/",
                "${param.d:%Y}",
                "/${x}/",
                "${env.A:-b c}",
                "${each.t}",
                "$"
            ]
        );
        assert_eq!(parse(""), vec![]);
        assert_eq!(parse("$x {y}"), vec![text("$x {y}")]);
    }

    #[test]
    fn escaped_text_comes_back() {
        for sample in ["${param.x}", "$${", "a${", "$", "${${", "plain"] {
            assert_eq!(parse(&escape(sample)), vec![text(sample)], "{sample}");
        }
    }

    #[test]
    fn not_templates() {
        for wrong in [
            "${",
            "${param.x",
            "${x}",
            "${foo.x}",
            "${param.}",
            "${env.X:y}",
            "${each.x:%Y}",
        ] {
            assert!(matches!(parse(wrong)[..], [Part::Bad(_)]), "{wrong}");
        }
    }
}
