//! From one page to the next.

use serde::Serialize;
use serde_json::Value;
use weir_plugin::Error;
use weir_plugin::serde::Deserialize;

use crate::config::{Paging, StreamConfig, at};

/// Which page.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Place {
    /// The first.
    #[default]
    First,
    /// The one of this number.
    Page(u64),
    /// The one behind so many records.
    Offset(u64),
    /// The one of this token.
    Token(String),
    /// The one at this URL.
    Link(String),
}

/// What comes behind a page.
pub(crate) enum Next {
    Page(Place),
    None,
}

impl Place {
    /// Its URL, where that is another than the stream's.
    pub(crate) fn url(&self) -> Option<&str> {
        match self {
            Place::Link(url) => Some(url),
            Place::First | Place::Page(_) | Place::Offset(_) | Place::Token(_) => None,
        }
    }
}

/// The parameters that ask for a page.
pub(crate) fn parameters(config: &StreamConfig, place: &Place) -> Vec<(String, String)> {
    let mut parameters = Vec::new();
    match &config.paging {
        Some(Paging::Page {
            parameter,
            first,
            size,
            size_parameter,
        }) => {
            let page = match place {
                Place::Page(page) => page,
                _ => first,
            };
            parameters.push((parameter.clone(), page.to_string()));
            if let Some(name) = size_parameter {
                parameters.push((name.clone(), size.to_string()));
            }
        }
        Some(Paging::Offset {
            parameter,
            size,
            size_parameter,
        }) => {
            let offset = match place {
                Place::Offset(offset) => *offset,
                _ => 0,
            };
            parameters.push((parameter.clone(), offset.to_string()));
            if let Some(name) = size_parameter {
                parameters.push((name.clone(), size.to_string()));
            }
        }
        Some(Paging::Token { parameter, .. }) => {
            if let Place::Token(token) = place {
                parameters.push((parameter.clone(), token.clone()));
            }
        }
        Some(Paging::Link { .. }) | None => {}
    }
    parameters
}

/// What comes behind the page at `place`, of so many records.
pub(crate) fn next(
    config: &StreamConfig,
    place: &Place,
    records: usize,
    body: &Value,
    link: Option<&str>,
) -> Result<Next, Error> {
    let place = match &config.paging {
        None => return Ok(Next::None),
        Some(Paging::Page { first, size, .. }) => {
            if records < *size {
                return Ok(Next::None);
            }
            match place {
                Place::Page(page) => Place::Page(page + 1),
                _ => Place::Page(first + 1),
            }
        }
        Some(Paging::Offset { size, .. }) => {
            if records < *size {
                return Ok(Next::None);
            }
            let offset = match place {
                Place::Offset(offset) => *offset,
                _ => 0,
            };
            Place::Offset(offset + records as u64)
        }
        Some(Paging::Token { path, .. }) => match at(body, path) {
            None | Some(Value::Null) => return Ok(Next::None),
            Some(Value::String(token)) if token.is_empty() => return Ok(Next::None),
            Some(Value::String(token)) => Place::Token(token.clone()),
            Some(Value::Number(token)) => Place::Token(token.to_string()),
            Some(_) => {
                return Err(Error::data(format!(
                    "what is at '{path}' of the response is no token: say with `paging.path` where it is"
                )));
            }
        },
        Some(Paging::Link { path: Some(path) }) => match at(body, path) {
            Some(Value::String(url)) if !url.is_empty() => Place::Link(url.clone()),
            _ => return Ok(Next::None),
        },
        Some(Paging::Link { path: None }) => match link.and_then(next_link) {
            Some(url) => Place::Link(url.to_owned()),
            None => return Ok(Next::None),
        },
    };
    Ok(Next::Page(place))
}

/// The target of the link with the relation `next` (RFC 8288).
fn next_link(header: &str) -> Option<&str> {
    header.split(',').find_map(|link| {
        let mut parts = link.split(';');
        let url = parts.next()?.trim().strip_prefix('<')?.strip_suffix('>')?;
        let is_next = parts.any(|part| {
            let part = part.trim();
            let value = part.strip_prefix("rel=").unwrap_or_default();
            let mut relations = value.trim_matches('"').split(' ');
            relations.any(|relation| relation.eq_ignore_ascii_case("next"))
        });
        is_next.then_some(url)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_several_links_the_next_is_followed() {
        let header = r#"<https://h/1>; rel="prev", <https://h/3>; rel="next last""#;
        assert_eq!(next_link(header), Some("https://h/3"));
        assert_eq!(next_link(r#"<https://h/1>; rel="prev""#), None);
        assert_eq!(next_link("nonsense"), None);
    }
}
