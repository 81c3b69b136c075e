//! The links of an HTML page.

/// The URLs that a page links to and whose names match a pattern, each once, in order of their names.
pub(crate) fn of(page: &str, base: &str, pattern: &str) -> Vec<String> {
    let mut found: Vec<String> = hrefs(page)
        .filter_map(|href| absolute(base, &decoded(href)))
        .filter(|url| matches(pattern, name(url)))
        .collect();
    found.sort_by(|one, other| name(one).cmp(name(other)).then_with(|| one.cmp(other)));
    found.dedup();
    found
}

/// The values of all `href` attributes, quoted or not.
fn hrefs(page: &str) -> impl Iterator<Item = &str> {
    let bytes = page.as_bytes();
    let mut at = 0;
    std::iter::from_fn(move || {
        loop {
            let rest = page.get(at..)?;
            let found = find_word(rest, "href")?;
            at += found + 4;
            // `href` as a word of its own, then `=`.
            let alone = found_alone(bytes, at - 4);
            let after = page.get(at..)?.trim_start();
            let Some(value) = after.strip_prefix('=').filter(|_| alone) else {
                continue;
            };
            let value = value.trim_start();
            at = page.len() - value.len();
            let (value, end) = match value.chars().next()? {
                quote @ ('"' | '\'') => {
                    let inner = value.get(1..)?;
                    let end = inner.find(quote)?;
                    (inner.get(..end)?, end + 2)
                }
                _ => {
                    let end = value.find(|c: char| c.is_whitespace() || c == '>');
                    let end = end.unwrap_or(value.len());
                    (value.get(..end)?, end)
                }
            };
            at += end;
            return Some(value);
        }
    })
}

fn found_alone(bytes: &[u8], at: usize) -> bool {
    let before = at.checked_sub(1).and_then(|at| bytes.get(at));
    before.is_none_or(u8::is_ascii_whitespace)
}

/// Where an ASCII word begins, in whatever case.
fn find_word(text: &str, word: &str) -> Option<usize> {
    let mut windows = text.as_bytes().windows(word.len());
    windows.position(|window| window.eq_ignore_ascii_case(word.as_bytes()))
}

/// What stands in an attribute, without the character references that URLs have.
fn decoded(href: &str) -> String {
    href.trim().replace("&amp;", "&").replace("&#38;", "&")
}

/// An absolute URL of a link on the page at `base`; none for those that lead to no page.
fn absolute(base: &str, href: &str) -> Option<String> {
    let href = href.split('#').next().unwrap_or_default();
    if href.is_empty() {
        return None;
    }
    let (scheme, rest) = base.split_once("://")?;
    if href.starts_with("http://") || href.starts_with("https://") {
        return Some(href.to_owned());
    }
    if let Some(rest) = href.strip_prefix("//") {
        return Some(format!("{scheme}://{rest}"));
    }
    let is_other = href
        .split(['/', '?'])
        .next()
        .is_some_and(|first| first.contains(':'));
    if is_other {
        return None;
    }
    let rest = rest.split(['?', '#']).next().unwrap_or(rest);
    let (host, path) = match rest.find('/') {
        Some(at) => rest.split_at(at),
        None => (rest, "/"),
    };
    if href.starts_with('/') {
        return Some(format!("{scheme}://{host}{href}"));
    }
    let (folder, _) = path.rsplit_once('/')?;
    let mut parts: Vec<&str> = folder.split('/').skip(1).collect();
    let mut href = href;
    loop {
        if let Some(rest) = href.strip_prefix("../") {
            parts.pop();
            href = rest;
        } else if let Some(rest) = href.strip_prefix("./") {
            href = rest;
        } else {
            break;
        }
    }
    let mut url = format!("{scheme}://{host}/");
    for part in parts.iter().filter(|part| !part.is_empty()) {
        url.push_str(part);
        url.push('/');
    }
    url.push_str(href);
    Some(url)
}

/// The last part of a URL's path.
pub(crate) fn name(url: &str) -> &str {
    let path = url.split(['?', '#']).next().unwrap_or(url);
    path.rsplit('/').next().unwrap_or(path)
}

/// Whether a name is of a pattern, in which `*` stands for any characters; in whatever case, as sites that move their
/// files change it.
pub(crate) fn matches(pattern: &str, name: &str) -> bool {
    let (pattern, name) = (pattern.to_ascii_lowercase(), name.to_ascii_lowercase());
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = name.strip_prefix(first) else {
        return false;
    };
    let Some(last) = pattern
        .contains('*')
        .then(|| parts.next_back().unwrap_or_default())
    else {
        return rest.is_empty();
    };
    for part in parts {
        let Some((_, after)) = rest.split_once(part) else {
            return false;
        };
        rest = after;
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_are_found_in_whatever_way_they_are_written() {
        let page = r#"<a href="a.zip">A</a> <A HREF='/x/b.zip'>B</A> <a class=l href=c.zip>C</a>
            <a href = "../d.zip?v=1&amp;w=2">D</a> <a href="https://other/e.zip#top">E</a>
            <a href="mailto:a.zip">no</a> <a data-href="n.zip">no</a> <a href="readme.txt">no</a> <a href="a.zip">again</a>"#;
        assert_eq!(
            of(page, "https://h/data/all/index.html?x", "*.zip"),
            [
                "https://h/data/all/a.zip",
                "https://h/x/b.zip",
                "https://h/data/all/c.zip",
                "https://h/data/d.zip?v=1&w=2",
                "https://other/e.zip",
            ]
        );
    }

    #[test]
    fn a_star_is_any_characters() {
        for (pattern, name, is) in [
            ("*.zip", "a.zip", true),
            ("*.zip", ".zip", true),
            ("a*b*c", "aXbYc", true),
            ("a*b*c", "abc", true),
            ("a*b*c", "acb", false),
            ("a", "a", true),
            ("a", "ab", false),
            ("A*.zip", "ab.ZIP", true),
            ("*", "", true),
            ("ab*ba", "aba", false),
        ] {
            assert_eq!(matches(pattern, name), is, "{pattern} {name}");
        }
    }
}
