//! A real table, as far as moto's are: every item once, whatever its types.

use std::collections::{BTreeMap, BTreeSet};

use futures::{StreamExt, TryStreamExt};
use serde_json::{Map, Value, json};
use weir_dynamodb::{
    Billing, Client, Credentials, Error, ExportLines, KeyAttribute, KeyRole, KeyType, RateLimit,
    ScanSpec, Settings, TableStatus,
};

use crate::dynamodb::{DynamoDb, REGION};

const ITEMS: usize = 2_000;

/// The n-th item, whose attributes vary with n.
fn item(n: usize) -> Value {
    let mut item = Map::new();
    let mut set = |name: &str, value: Value| item.insert(name.to_owned(), value);
    set("id", json!({"S": format!("item-{n}")}));
    set("at", json!({"N": n.to_string()}));
    set("name", json!({"S": format!("å😀 \"{n}\" \\ \n")}));
    // A reserved word, and names that mean something in expressions.
    set("size", json!({"N": format!("-{n}.50")}));
    set("a.b", json!({"BOOL": n.is_multiple_of(2)}));
    set("#c", json!({"NULL": true}));
    match n % 5 {
        0 => set("more", json!({"B": "AP8="})),
        1 => set(
            "more",
            json!({"M": {"b": {"L": [{"S": "x"}, {"M": {}}]}, "a": {"N": "12345678901234567890123456789012345678"}}}),
        ),
        2 => set("more", json!({"SS": ["a", "b"]})),
        3 => set("more", json!({"NS": ["1", "2.5"]})),
        _ => set("more", json!({"BS": ["AA==", "/w=="]})),
    };
    // So that there are several pages of 1 MiB in each segment.
    set("filler", json!({"S": "x".repeat(3_000)}));
    Value::Object(item)
}

fn line(item: &Value) -> String {
    let mut out = Vec::new();
    let line = json!({"Item": item}).to_string();
    ExportLines::new()
        .convert(line.as_bytes(), &mut out)
        .unwrap();
    String::from_utf8(out).unwrap()
}

async fn client(server: &DynamoDb) -> Client {
    let credentials = Credentials::Key {
        id: "weir".to_owned(),
        secret: "weir".to_owned(),
        session_token: None,
    };
    let settings = Settings {
        endpoint: Some(server.url().parse().unwrap()),
        ..Settings::new(REGION, credentials)
    };
    Client::connect(settings).await.unwrap()
}

/// All lines of a segment, and in how many pages they came.
async fn read(client: &Client, spec: ScanSpec, limit: Option<RateLimit>) -> (Vec<String>, usize) {
    let pages: Vec<_> = client
        .scan(spec, limit)
        .unwrap()
        .try_collect()
        .await
        .unwrap();
    let mut lines = Vec::new();
    for page in &pages {
        let text = std::str::from_utf8(&page.lines).unwrap();
        assert!(text.is_empty() || text.ends_with('\n'));
        assert_eq!(text.lines().count() as u64, page.items);
        assert!(page.units.is_some());
        lines.extend(text.lines().map(str::to_owned));
    }
    (lines, pages.len())
}

#[tokio::test]
async fn a_table_is_read_in_segments_each_item_once() {
    let server = DynamoDb::start();
    server.call(
        "CreateTable",
        &json!({
            "TableName": "every.type-1",
            "KeySchema": [
                {"AttributeName": "id", "KeyType": "HASH"},
                {"AttributeName": "at", "KeyType": "RANGE"},
            ],
            "AttributeDefinitions": [
                {"AttributeName": "at", "AttributeType": "N"},
                {"AttributeName": "id", "AttributeType": "S"},
            ],
            "BillingMode": "PAY_PER_REQUEST",
        }),
    );
    let items: Vec<_> = (0..ITEMS).map(item).collect();
    server.put("every.type-1", &items);
    let client = client(&server).await;

    let table = client.describe("every.type-1").await.unwrap();
    assert_eq!(
        (table.name.as_str(), table.items),
        ("every.type-1", ITEMS as u64)
    );
    assert_eq!(
        (table.status, table.billing),
        (TableStatus::Active, Billing::OnDemand)
    );
    let arn = format!("arn:aws:dynamodb:{REGION}:");
    assert!(
        table.arn.starts_with(&arn) && table.arn.ends_with(":table/every.type-1"),
        "{}",
        table.arn
    );
    let key = |name: &str, role, key_type| KeyAttribute {
        name: name.to_owned(),
        role,
        key_type,
    };
    assert_eq!(
        table.key,
        [
            key("id", KeyRole::Partition, KeyType::String),
            key("at", KeyRole::Sort, KeyType::Number)
        ]
    );

    let limit = RateLimit::new(1e6).unwrap();
    let segments: Vec<_> = futures::stream::iter(0..4)
        .map(|segment| {
            let spec = ScanSpec {
                segments: 4,
                segment,
                ..ScanSpec::of("every.type-1")
            };
            read(&client, spec, Some(limit.clone()))
        })
        .buffer_unordered(4)
        .collect()
        .await;
    let mut times = BTreeMap::<String, usize>::new();
    for (lines, pages) in segments {
        assert!(
            !lines.is_empty() && pages > 1,
            "{} items, {pages} pages",
            lines.len()
        );
        for line in lines {
            *times.entry(line).or_default() += 1;
        }
    }
    let expected: BTreeMap<_, _> = items.iter().map(|item| (line(item), 1)).collect();
    assert!(
        times == expected,
        "each item is there once, as it was written"
    );

    let spec = ScanSpec {
        projection: Some(["size", "a.b", "#c"].map(str::to_owned).to_vec()),
        consistent: true,
        page_items: Some(300),
        ..ScanSpec::of("every.type-1")
    };
    let (lines, pages) = read(&client, spec, None).await;
    assert!((7..=8).contains(&pages), "{pages}");
    let lines: BTreeSet<_> = lines.into_iter().collect();
    let expected = (0..ITEMS).map(|n| {
        format!(
            r##"{{"#c":null,"a.b":{},"size":-{n}.50}}"##,
            n.is_multiple_of(2)
        )
    });
    assert_eq!(lines, expected.collect());
}

#[tokio::test]
async fn a_table_that_is_not_there_is_told_so() {
    let server = DynamoDb::start();
    let client = client(&server).await;
    let described = client.describe("nowhere").await;
    assert!(
        matches!(described, Err(Error::NoTable { .. })),
        "{described:?}"
    );
    let mut pages = client.scan(ScanSpec::of("nowhere"), None).unwrap();
    let page = pages.next().await.unwrap();
    assert!(matches!(page, Err(Error::NoTable { .. })), "{page:?}");
    assert!(pages.next().await.is_none());
}
