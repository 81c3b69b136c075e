//! Whole streams, against a server of the test's own.

use serde_json::{Value, json};
use weir_plugin::http::Request;
use weir_plugin::testing::{Answer, Harness};

use super::*;

/// The value of a parameter of a request.
fn parameter(request: &Request, name: &str) -> Option<String> {
    let (_, query) = request.url.split_once('?')?;
    query.split('&').find_map(|pair| {
        let (key, value) = pair.split_once('=')?;
        (key == name).then(|| value.to_owned())
    })
}

/// Visits of these numbers.
fn visits(numbers: impl IntoIterator<Item = i64>) -> Vec<Value> {
    let day = |number: i64| format!("2024-01-{:02}T00:00:00Z", number + 1);
    numbers
        .into_iter()
        .map(|number| json!({ "id": number, "who": { "name": format!("p{number}") }, "seen": day(number) }))
        .collect()
}

fn harness(paging: Value, more: Value) -> Harness {
    let mut stream = json!({
        "url": "https://api.example.org/visits",
        "records": "items",
        "columns": {
            "id": { "path": "id", "type": "int64", "required": true },
            "name": "who.name",
            "seen": { "path": "seen", "type": "timestamp" },
        },
        "key": ["id"],
        "paging": paging,
    });
    for (key, value) in more.as_object().into_iter().flatten() {
        stream[key] = value.clone();
    }
    Harness::new(json!({ "streams": { "visits": stream } }))
}

fn ids(read: &weir_plugin::testing::Read) -> Vec<i64> {
    let ids = read.rows.column_by_name("id").unwrap();
    ids.as_primitive::<weir_plugin::arrow::datatypes::Int64Type>()
        .values()
        .to_vec()
}

fn by_page() -> Value {
    json!({ "by": "page", "parameter": "page", "size": 2, "size_parameter": "size" })
}

#[test]
fn a_list_is_read_page_by_page_and_from_each_page_on() {
    let all = visits(0..5);
    let server = harness(by_page(), json!({})).respond(move |request| {
        let page: usize = parameter(request, "page").unwrap().parse().unwrap();
        assert_eq!(parameter(request, "size").unwrap(), "2");
        let items: Vec<&Value> = all.iter().skip((page - 1) * 2).take(2).collect();
        Answer::json(&json!({ "items": items }))
    });
    let read = server.read::<HttpJson>("visits", "").unwrap();
    assert_eq!(ids(&read), [0, 1, 2, 3, 4]);
    assert_eq!(read.requests.len(), 3);
    let streams = server.discover::<HttpJson>().unwrap();
    assert_eq!(streams[0].primary_key, ["id"]);
}

#[test]
fn a_later_run_takes_what_was_added_at_the_end() {
    let of = |count: i64| {
        let all = visits(0..count);
        harness(by_page(), json!({})).respond(move |request| {
            let page: usize = parameter(request, "page").unwrap().parse().unwrap();
            let items: Vec<&Value> = all.iter().skip((page - 1) * 2).take(2).collect();
            Answer::json(&json!({ "items": items }))
        })
    };
    for before in 0..6 {
        let first = of(before).read::<HttpJson>("visits", "").unwrap();
        let state = first.states.last().unwrap();
        let second = of(6).read_behind::<HttpJson>("visits", "", state).unwrap();
        let expected: Vec<i64> = (before..6).collect();
        assert_eq!(ids(&second), expected, "after {before}");
        let state = second.states.last().unwrap();
        let third = of(6).read_behind::<HttpJson>("visits", "", state).unwrap();
        assert_eq!(ids(&third), [0_i64; 0]);
    }
}

#[test]
fn offsets_tokens_and_links_lead_to_the_next_page() {
    let all = visits(0..5);
    let offset = json!({ "by": "offset", "parameter": "from", "size": 2 });
    let server = harness(offset, json!({})).respond(move |request| {
        let from: usize = parameter(request, "from").unwrap().parse().unwrap();
        let items: Vec<&Value> = all.iter().skip(from).take(2).collect();
        Answer::json(&json!({ "items": items }))
    });
    let read = server.read::<HttpJson>("visits", "").unwrap();
    assert_eq!(ids(&read), [0, 1, 2, 3, 4]);

    let token = json!({ "by": "token", "parameter": "after", "path": "meta.next" });
    let server =
        harness(token, json!({})).respond(|request| match parameter(request, "after").as_deref() {
            None => Answer::json(&json!({ "items": visits(0..2), "meta": { "next": "a b" } })),
            Some("a%20b") => {
                Answer::json(&json!({ "items": visits(2..3), "meta": { "next": null } }))
            }
            other => panic!("{other:?}"),
        });
    let read = server.read::<HttpJson>("visits", "").unwrap();
    assert_eq!(ids(&read), [0, 1, 2]);

    let link = json!({ "by": "link" });
    let server = harness(link, json!({ "query": { "state": "open" } })).respond(|request| {
        match request.url.as_str() {
            "https://api.example.org/visits?state=open" => {
                Answer::json(&json!({ "items": visits(0..2) }))
                    .header("link", r#"<https://api.example.org/more>; rel="next""#)
            }
            "https://api.example.org/more" => Answer::json(&json!({ "items": visits(2..4) })),
            other => panic!("{other}"),
        }
    });
    let read = server.read::<HttpJson>("visits", "").unwrap();
    assert_eq!(ids(&read), [0, 1, 2, 3]);
}

#[test]
fn a_cursor_asks_for_what_is_newer() {
    let cursor = json!({ "cursor": { "column": "seen", "parameter": "since" } });
    let server = harness(by_page(), cursor).respond(|request| {
        let since = parameter(request, "since");
        let newer = visits(0..5).into_iter().filter(|visit| {
            // The server compares moments, whose texts differ.
            let seen = visit["seen"].as_str().unwrap();
            since
                .as_ref()
                .is_none_or(|since| seen[..19] > since.replace("%3A", ":")[..19])
        });
        let page: usize = parameter(request, "page").unwrap().parse().unwrap();
        let items: Vec<Value> = newer.skip((page - 1) * 2).take(2).collect();
        Answer::json(&json!({ "items": items }))
    });
    let first = server.read::<HttpJson>("visits", "").unwrap();
    assert_eq!(ids(&first), [0, 1, 2, 3, 4]);
    let state = first.states.last().unwrap();
    assert!(state.contains("2024-01-05T00:00:00.000000Z"), "{state}");
    let second = server.read_behind::<HttpJson>("visits", "", state).unwrap();
    assert_eq!(ids(&second), [0_i64; 0]);
    assert_eq!(
        second.states.last(),
        Some(state),
        "nothing new changes nothing"
    );
}

#[test]
fn records_that_form_no_row_are_rejected_with_their_text() {
    let bad = json!({ "items": [
        { "id": "7", "who": { "name": 5 } },
        { "id": 1.5 },
        { "who": { "name": "x" } },
        { "id": 2, "seen": "yesterday" },
        "nothing",
        { "id": 3, "seen": null },
    ] });
    let server = harness(Value::Null, json!({})).respond(move |_| Answer::json(&bad));
    let read = server.read::<HttpJson>("visits", "").unwrap();
    assert_eq!(ids(&read), [7, 3]);
    let told: Vec<(&str, &str)> = read
        .rejections
        .iter()
        .map(|rejection| (rejection.rule.as_str(), rejection.message.as_str()))
        .collect();
    assert_eq!(
        told,
        [
            ("bad_value", "'id' is no int64"),
            ("missing_value", "'id' has no value"),
            ("bad_value", "'seen' is no timestamp"),
            ("not_an_object", "it is something else"),
        ]
    );
    assert_eq!(read.rejections[0].record, r#"{"id":1.5}"#);
}

#[test]
fn what_the_server_says_is_told_apart() {
    let error = |status| {
        let server = harness(Value::Null, json!({})).respond(move |_| Answer::status(status));
        server.read::<HttpJson>("visits", "").unwrap_err()
    };
    assert!(matches!(error(503), Error::Retry(_)));
    assert!(matches!(error(429), Error::Retry(_)));
    assert!(matches!(error(403), Error::Config(_)));
    assert!(matches!(error(404), Error::Data(_)));
    let server = harness(Value::Null, json!({})).respond(|_| Answer::bytes("<html>"));
    assert!(matches!(
        server.read::<HttpJson>("visits", "").unwrap_err(),
        Error::Data(_)
    ));
    let ungranted = harness(Value::Null, json!({})).read::<HttpJson>("visits", "");
    assert!(matches!(ungranted.unwrap_err(), Error::Config(_)));
}

#[test]
fn a_configuration_that_cannot_be_is_refused() {
    let error = harness(by_page(), json!({ "key": ["nothing"] })).discover::<HttpJson>();
    assert!(error.unwrap_err().message().contains("'nothing'"));
    let error = harness(by_page(), json!({ "columns": {} })).discover::<HttpJson>();
    assert!(error.unwrap_err().message().contains("no columns"));
}
