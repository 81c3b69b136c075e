//! A page with files behind it.

use std::io::Write;

use flate2::write::{DeflateEncoder, GzEncoder};
use flate2::{Compression, Crc};
use serde_json::json;
use weir_plugin::serde_json;
use weir_plugin::testing::{Answer, Harness, Read};

use super::*;

/// An archive of these files, deflated; `streamed` ones say their sizes behind them.
fn zip(files: &[(&str, &str)], streamed: bool) -> Vec<u8> {
    let mut archive = Vec::new();
    for (name, text) in files {
        let mut packed = DeflateEncoder::new(Vec::new(), Compression::default());
        packed.write_all(text.as_bytes()).unwrap();
        let packed = packed.finish().unwrap();
        let mut crc = Crc::new();
        crc.update(text.as_bytes());
        let sizes = [crc.sum(), packed.len() as u32, text.len() as u32];
        archive.extend_from_slice(&0x0403_4b50_u32.to_le_bytes());
        archive.extend_from_slice(&20_u16.to_le_bytes());
        archive.extend_from_slice(&(if streamed { 8_u16 } else { 0 }).to_le_bytes());
        archive.extend_from_slice(&8_u16.to_le_bytes());
        archive.extend_from_slice(&[0; 4]);
        for size in sizes {
            archive.extend_from_slice(&(if streamed { 0 } else { size }).to_le_bytes());
        }
        archive.extend_from_slice(&(name.len() as u16).to_le_bytes());
        archive.extend_from_slice(&0_u16.to_le_bytes());
        archive.extend_from_slice(name.as_bytes());
        archive.extend_from_slice(&packed);
        if streamed {
            archive.extend_from_slice(&0x0807_4b50_u32.to_le_bytes());
            for size in sizes {
                archive.extend_from_slice(&size.to_le_bytes());
            }
        }
    }
    // Where the directory would begin.
    archive.extend_from_slice(&0x0201_4b50_u32.to_le_bytes());
    archive
}

fn people(numbers: std::ops::Range<u32>) -> String {
    let mut text = String::from("ID,Name\n");
    for number in numbers {
        text.push_str(&format!("{number},n{number}\n"));
    }
    text
}

/// A server of files, whose page links to all of them.
fn server(files: Vec<(&'static str, Vec<u8>)>) -> Harness {
    let config = json!({
        "index": "https://h/data/",
        "links": "*.*",
        "columns": { "id": "id", "name": "Name" },
        "file_column": "file",
    });
    Harness::new(config).respond(move |request| {
        if request.url == "https://h/data/" {
            let links = files
                .iter()
                .map(|(name, _)| format!("<a href='{name}'>x</a>"));
            return Answer::bytes(links.collect::<String>());
        }
        let wanted = request.url.strip_prefix("https://h/data/").unwrap();
        match files.iter().find(|(name, _)| *name == wanted) {
            Some((_, bytes)) => Answer::bytes(bytes.clone()),
            None => Answer::status(404),
        }
    })
}

fn ids(read: &Read) -> Vec<String> {
    let ids = read.rows.column_by_name("id").unwrap();
    let ids = ids.as_string::<i32>().iter();
    ids.map(|id| id.unwrap_or("-").to_owned()).collect()
}

fn numbers(of: std::ops::Range<u32>) -> Vec<String> {
    of.map(|number| number.to_string()).collect()
}

#[test]
fn archives_and_plain_files_are_read_in_order_each_once() {
    let mut gz = GzEncoder::new(Vec::new(), Compression::default());
    gz.write_all(people(4..6).as_bytes()).unwrap();
    let before = vec![
        (
            "b.zip",
            zip(&[("readme.txt", "x"), ("b.csv", &people(2..4))], false),
        ),
        ("a.zip", zip(&[("a.csv", &people(0..2))], true)),
        ("c.csv.gz", gz.finish().unwrap()),
    ];
    let read = server(before.clone())
        .read::<CmsIndex>("files", "")
        .unwrap();
    assert_eq!(ids(&read), numbers(0..6));
    let files = read.rows.column_by_name("file").unwrap();
    assert_eq!(files.as_string::<i32>().value(5), "c.csv.gz");
    let state = read.states.last().unwrap().clone();
    let mut after = before;
    after.push(("0.csv", people(6..8).into_bytes()));
    let more = server(after).read_behind::<CmsIndex>("files", "", &state);
    let more = more.unwrap();
    assert_eq!(ids(&more), numbers(6..8));
    assert_eq!(more.requests.len(), 2, "the page and the new file");
}

#[test]
fn a_long_file_is_read_in_pages_each_of_which_can_be_gone_on_from() {
    let count = PAGE as u32 * 2 + 10;
    let files = vec![
        ("a.zip", zip(&[("a.csv", &people(0..count))], true)),
        ("b.csv", people(count..count + 3).into_bytes()),
    ];
    // The harness reads from each state too.
    let read = server(files).read::<CmsIndex>("files", "").unwrap();
    assert_eq!(read.states.len(), 4);
    assert_eq!(ids(&read), numbers(0..count + 3));
}

/// A file of which a part was read leaves the page, another is read, and it comes back.
#[test]
fn a_file_that_was_begun_is_gone_on_with_when_it_is_back() {
    let count = PAGE as u32 + 10;
    let long = ("a.csv", people(0..count).into_bytes());
    let other = ("b.csv", people(count..count + 3).into_bytes());
    let begun = server(vec![long.clone()])
        .read::<CmsIndex>("files", "")
        .unwrap();
    let meanwhile = server(vec![other.clone()])
        .read_behind::<CmsIndex>("files", "", &begun.states[0])
        .unwrap();
    assert_eq!(ids(&meanwhile), numbers(count..count + 3));
    let rest = server(vec![long, other])
        .read_behind::<CmsIndex>("files", "", meanwhile.states.last().unwrap())
        .unwrap();
    assert_eq!(ids(&rest), numbers(PAGE as u32..count));
}

/// A state may have 64 KiB.
#[test]
fn many_files_fit_into_a_state() {
    let read = (0..3_000).map(|number| digest(&format!("https://h/data/a-long-name-{number}.zip")));
    let state = State {
        read: read.collect(),
        begun: BTreeMap::new(),
    };
    assert_eq!(state.read.len(), 3_000, "no two have one digest");
    assert!(serde_json::to_string(&state).unwrap().len() < 60 << 10);
    // The test vector of the algorithm's authors.
    assert_eq!(digest("foobar"), "85944171f73967e8");
}

#[test]
fn listed_columns_keep_their_order_and_match_headers_in_any_case() {
    let config = json!({
        "index": "https://h/",
        "links": "*.csv",
        "columns": ["name", "code_{1..2}"],
    });
    let harness = Harness::new(config).respond(|request| match request.url.as_str() {
        "https://h/" => Answer::bytes("<a href=a.csv>x</a>"),
        _ => Answer::bytes("CODE_2,CODE_1,NAME\nz,y,x\n"),
    });
    let read = harness.read::<CmsIndex>("files", "").unwrap();
    let schema = read.rows.schema();
    let names: Vec<&str> = schema
        .fields()
        .iter()
        .map(|field| field.name().as_str())
        .collect();
    assert_eq!(names, ["name", "code_1", "code_2"]);
    let texts = read
        .rows
        .columns()
        .iter()
        .map(|column| column.as_string::<i32>().value(0));
    assert_eq!(texts.collect::<Vec<_>>(), ["x", "y", "z"]);
}

#[test]
fn records_that_do_not_fit_the_header_are_rejected() {
    let text = "ID,Name\n1,a\n2\n3,b,c\n4,\n";
    let mut bytes = text.as_bytes().to_vec();
    bytes.extend_from_slice(b"5,\xff\n");
    let read = server(vec![("a.csv", bytes)]).read::<CmsIndex>("files", "");
    let read = read.unwrap();
    assert_eq!(ids(&read), ["1", "4"]);
    let names = read.rows.column_by_name("name").unwrap();
    assert!(names.is_null(1), "an empty field is null");
    let shown: Vec<&str> = read
        .rejections
        .iter()
        .map(|rejection| rejection.record.as_str())
        .collect();
    assert_eq!(shown, ["2", "3,b,c", "5,\u{fffd}"]);
}

#[test]
fn what_cannot_be_read_is_told() {
    let told = |files: Vec<(&'static str, Vec<u8>)>| {
        let error = server(files).read::<CmsIndex>("files", "").unwrap_err();
        error.message().to_owned()
    };
    assert!(told(Vec::new()).contains("no link of the page matches '*.*'"));
    let other = told(vec![("a.csv", b"x,y\n1,2\n".to_vec())]);
    assert!(
        other.contains("the header of 'a.csv' lacks id, Name; it has x, y"),
        "{other}"
    );
    let none = told(vec![("a.zip", zip(&[("readme.txt", "x")], false))]);
    assert!(
        none.contains("no file of the archive 'a.zip' matches '*.csv'"),
        "{none}"
    );
    let mut cut = zip(&[("a.csv", &people(0..1000))], true);
    cut.truncate(200);
    let cut = told(vec![("a.zip", cut)]);
    assert!(cut.contains("'a.zip' cannot be read"), "{cut}");
    let no_zip = told(vec![("a.zip", b"<html>not found</html>".to_vec())]);
    assert!(no_zip.contains("matches '*.csv'"), "{no_zip}");
}
