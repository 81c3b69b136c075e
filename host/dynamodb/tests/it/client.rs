//! A client against a server that answers what a test wants.

use std::process::Command;
use std::time::{Duration, Instant};

use futures::{StreamExt, TryStreamExt};
use serde_json::{Value, json};
use weir_dynamodb::{
    Billing, Client, Credentials, DEEPEST, Error, KeyRole, KeyType, Page, RateLimit, Retry,
    ScanSpec, Settings, TableStatus, Wrong,
};

use crate::server::{Reply, Server};

/// Five attempts, with hardly a pause.
const RETRY: Retry = Retry {
    attempts: 5,
    total: Duration::from_secs(60),
    first: Duration::from_millis(2),
    longest: Duration::from_millis(4),
};

fn settings(url: &str) -> Settings {
    let credentials = Credentials::Key {
        id: "AKIA-canary".to_owned(),
        secret: "secret-canary".to_owned(),
        session_token: Some("token-canary".to_owned()),
    };
    Settings {
        endpoint: Some(url.parse().unwrap()),
        retry: RETRY,
        ..Settings::new("eu-north-1", credentials)
    }
}

async fn connect(server: &Server) -> Client {
    Client::connect(settings(&server.url())).await.unwrap()
}

/// A page with these ids, and perhaps a key after which it goes on.
fn page(ids: &[&str], last: Option<&str>) -> Value {
    let items: Vec<_> = ids
        .iter()
        .map(|id| json!({"id": {"S": id}, "a": {"N": "1E+2"}}))
        .collect();
    let mut page = json!({
        "Count": ids.len(),
        "ScannedCount": ids.len(),
        "Items": items,
        "ConsumedCapacity": {"TableName": "t", "CapacityUnits": 1.5},
    });
    if let Some(last) = last {
        page["LastEvaluatedKey"] = json!({"id": {"S": last}});
    }
    page
}

async fn all(client: &Client, spec: ScanSpec) -> Result<Vec<Page>, Error> {
    client.scan(spec, None)?.try_collect().await
}

/// Scans what a server answers; gives what comes of it and how often the server was asked.
async fn scan(
    answer: impl Fn(usize, &Value) -> Reply + Send + Sync + 'static,
) -> (Result<Vec<Page>, Error>, usize) {
    let server = Server::start(answer).await;
    let pages = all(&connect(&server).await, ScanSpec::of("t")).await;
    (pages, server.asked().len())
}

/// Demands that an error's words, causes and hint say something, and hold neither credentials nor what
/// the server said.
#[track_caller]
fn harmless(error: &Error) {
    let mut told = format!("{error}\n{}\n{error:?}", error.hint());
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        told.push_str(&error.to_string());
        cause = error.source();
    }
    assert!(!told.contains("canary"), "{told}");
    assert!(!error.hint().is_empty(), "{told}");
}

#[tokio::test]
async fn a_request_says_what_is_read() {
    let server = Server::start(|number, _| {
        Reply::Json(
            200,
            match number {
                0 => page(&["a", "b"], Some("b")),
                1 => page(&[], Some("c")),
                _ => page(&["d"], None),
            },
        )
    })
    .await;
    let client = connect(&server).await;
    let spec = ScanSpec {
        table: "t".to_owned(),
        segments: 7,
        segment: 3,
        projection: Some(["id", "a.b", "size"].map(str::to_owned).to_vec()),
        consistent: true,
        page_items: Some(10),
    };
    let pages = all(&client, spec).await.unwrap();
    let lines: Vec<_> = pages.iter().map(|page| page.lines.as_ref()).collect();
    assert_eq!(
        lines,
        [
            &b"{\"a\":1E+2,\"id\":\"a\"}\n{\"a\":1E+2,\"id\":\"b\"}\n"[..],
            b"",
            b"{\"a\":1E+2,\"id\":\"d\"}\n",
        ]
    );
    assert_eq!(
        pages.iter().map(|page| page.items).collect::<Vec<_>>(),
        [2, 0, 1]
    );
    assert!(pages.iter().all(|page| page.units == Some(1.5)));

    let asked = server.asked();
    assert!(asked.iter().all(|request| request.operation == "Scan"));
    let mut body = json!({
        "TableName": "t",
        "Segment": 3,
        "TotalSegments": 7,
        "Limit": 10,
        "ConsistentRead": true,
        "ReturnConsumedCapacity": "TOTAL",
        "ProjectionExpression": "#a0,#a1,#a2",
        "ExpressionAttributeNames": {"#a0": "id", "#a1": "a.b", "#a2": "size"},
    });
    assert_eq!(asked[0].body, body);
    body["ExclusiveStartKey"] = json!({"id": {"S": "b"}});
    assert_eq!(asked[1].body, body);
    body["ExclusiveStartKey"] = json!({"id": {"S": "c"}});
    assert_eq!(asked[2].body, body);
    assert_eq!(asked.len(), 3);
}

#[tokio::test]
async fn a_whole_table_is_asked_for_by_default() {
    let server = Server::start(|_, _| Reply::Json(200, page(&[], None))).await;
    let pages = all(&connect(&server).await, ScanSpec::of("t"))
        .await
        .unwrap();
    assert_eq!((pages.len(), pages[0].items), (1, 0));
    let body = json!({
        "TableName": "t",
        "Segment": 0,
        "TotalSegments": 1,
        "ConsistentRead": false,
        "ReturnConsumedCapacity": "TOTAL",
    });
    assert_eq!(server.asked()[0].body, body);
}

#[tokio::test]
async fn what_may_pass_is_tried_again() {
    let failures: [fn() -> Reply; 11] = [
        || Reply::error(400, "ProvisionedThroughputExceededException"),
        || Reply::error(400, "ThrottlingException"),
        || Reply::error(400, "RequestLimitExceeded"),
        || Reply::error(500, "InternalServerError"),
        || Reply::error(503, "ServiceUnavailable"),
        || Reply::Json(500, json!({})),
        || Reply::Text(502, b"<html>Bad Gateway</html>".to_vec()),
        || Reply::Text(503, Vec::new()),
        || Reply::Text(429, b"slow down".to_vec()),
        || Reply::Cut,
        || Reply::CutWithin(page(&["a"], None)),
    ];
    for (index, failure) in failures.into_iter().enumerate() {
        let (pages, asked) = scan(move |number, _| match number {
            0..3 => failure(),
            _ => Reply::Json(200, page(&["a"], None)),
        })
        .await;
        let pages = pages.unwrap_or_else(|error| panic!("failure {index}: {error:?}"));
        assert_eq!((pages.len(), asked), (1, 4), "failure {index}");
    }
}

#[tokio::test]
async fn attempts_are_counted_for_each_page_anew() {
    let (pages, asked) = scan(|number, _| match number % 5 {
        4 => Reply::Json(
            200,
            page(&["a"], (number < 10).then_some(["a", "b", "c"][number / 5])),
        ),
        _ => Reply::error(500, "InternalServerError"),
    })
    .await;
    assert_eq!((pages.unwrap().len(), asked), (3, 15));
}

#[tokio::test]
async fn attempts_have_a_bound() {
    let (result, asked) = scan(|_, _| Reply::error(400, "ThrottlingException")).await;
    let error = result.unwrap_err();
    assert_eq!(asked, 5);
    assert!(
        matches!(&error, Error::Throttled { attempts: 5, code, table, .. } if code == "ThrottlingException" && table == "t"),
        "{error:?}"
    );
    harmless(&error);

    let (result, asked) = scan(|_, _| Reply::Text(503, b"canary".to_vec())).await;
    let error = result.unwrap_err();
    assert_eq!(asked, 5);
    assert!(
        matches!(
            &error,
            Error::Failing {
                attempts: 5,
                status: 503,
                ..
            }
        ),
        "{error:?}"
    );
    harmless(&error);

    for cut in [|| Reply::Cut, || Reply::CutWithin(json!({"canary": 1}))] {
        let (result, asked) = scan(move |_, _| cut()).await;
        let error = result.unwrap_err();
        assert_eq!(asked, 5);
        assert!(
            matches!(&error, Error::Unreachable { attempts: 5, .. }),
            "{error:?}"
        );
        harmless(&error);
    }
}

#[tokio::test]
async fn nobody_listening_is_told_so() {
    let url = {
        let server = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        format!("http://{}", server.local_addr().unwrap())
    };
    let client = Client::connect(settings(&url)).await.unwrap();
    let error = client.describe("t").await.unwrap_err();
    assert!(
        matches!(&error, Error::Unreachable { attempts: 5, place, .. } if *place == url),
        "{error:?}"
    );
    harmless(&error);
}

#[tokio::test]
async fn a_slow_reply_counts_as_none() {
    let server = Server::start(|number, _| match number {
        0 => Reply::After(Duration::from_secs(60), page(&["a"], None)),
        _ => Reply::Json(200, page(&["b"], None)),
    })
    .await;
    let settings = Settings {
        timeout: Duration::from_secs(1),
        ..settings(&server.url())
    };
    let client = Client::connect(settings).await.unwrap();
    assert_eq!(all(&client, ScanSpec::of("t")).await.unwrap().len(), 1);
    assert_eq!(server.asked().len(), 2);
}

#[tokio::test]
async fn what_does_not_pass_is_not_tried_again() {
    type Expected = fn(&Error) -> bool;
    let table: [(u16, &str, Expected); 12] = [
        (
            400,
            "ResourceNotFoundException",
            |error| matches!(error, Error::NoTable { table, .. } if table == "t"),
        ),
        (400, "AccessDeniedException", |error| {
            matches!(
                error,
                Error::Denied {
                    action: "dynamodb:Scan",
                    ..
                }
            )
        }),
        (403, "AccessDeniedException", |error| {
            matches!(error, Error::Denied { .. })
        }),
        (400, "UnrecognizedClientException", |error| {
            matches!(error, Error::BadCredentials { .. })
        }),
        (400, "InvalidSignatureException", |error| {
            matches!(error, Error::BadCredentials { .. })
        }),
        (400, "MissingAuthenticationTokenException", |error| {
            matches!(error, Error::BadCredentials { .. })
        }),
        (403, "SignatureDoesNotMatch", |error| {
            matches!(error, Error::BadCredentials { .. })
        }),
        (400, "ExpiredTokenException", |error| {
            matches!(error, Error::ExpiredCredentials { .. })
        }),
        (
            400,
            "ValidationException",
            |error| matches!(error, Error::Refused { code, .. } if code == "ValidationException"),
        ),
        (400, "SerializationException", |error| {
            matches!(error, Error::Refused { .. })
        }),
        (400, "canary with spaces", |error| {
            matches!(error, Error::Refused { .. })
        }),
        (404, "UnknownOperationException", |error| {
            matches!(error, Error::Refused { .. })
        }),
    ];
    for (status, code, expected) in table {
        let (result, asked) = scan(move |_, _| Reply::error(status, code)).await;
        let error = result.unwrap_err();
        assert!(expected(&error), "{code}: {error:?}");
        assert_eq!(asked, 1, "{code}");
        harmless(&error);
    }
}

#[tokio::test]
async fn what_is_no_reply_is_told_so() {
    let with = |change: fn(&mut Value)| {
        let mut reply = page(&["a"], None);
        change(&mut reply);
        reply.to_string().into_bytes()
    };
    let deep = |levels: usize| {
        let value = [
            &*r#"{"L":["#.repeat(levels),
            r#"{"S":"canary"}"#,
            &*"]}".repeat(levels),
        ]
        .concat();
        format!(r#"{{"Count":1,"Items":[{{"a":{value}}}]}}"#).into_bytes()
    };
    let replies: Vec<(u16, Vec<u8>)> = vec![
        (200, b"<html>canary</html>".to_vec()),
        (200, Vec::new()),
        (200, b"{}".to_vec()),
        (200, b"[]".to_vec()),
        (200, b"\"canary\"".to_vec()),
        (200, b"{\"Items\":".to_vec()),
        (200, b"{\"Items\":[{\"a\":{\"S\":\"canary\"".to_vec()),
        (200, with(|reply| reply["Count"] = json!(2))),
        (200, with(|reply| reply["Count"] = json!(-1))),
        (200, with(|reply| reply["Items"] = json!("canary"))),
        (200, with(|reply| reply["Items"] = json!(null))),
        (
            200,
            with(|reply| reply["ConsumedCapacity"]["CapacityUnits"] = json!("NaN")),
        ),
        (
            200,
            with(|reply| reply["ConsumedCapacity"]["CapacityUnits"] = json!(-1)),
        ),
        (200, deep(200)),
        (200, deep(1_000_000)),
        (301, b"elsewhere".to_vec()),
        (404, b"<html>canary</html>".to_vec()),
        (400, b"{}".to_vec()),
    ];
    for (index, (status, body)) in replies.into_iter().enumerate() {
        let (result, asked) = scan(move |_, _| Reply::Text(status, body.clone())).await;
        let error = result.expect_err(&format!("reply {index}"));
        assert!(
            matches!(&error, Error::Reply { .. }),
            "reply {index}: {error:?}"
        );
        assert_eq!(asked, 1, "reply {index}");
        harmless(&error);
    }
}

#[tokio::test]
async fn a_reply_is_not_read_without_a_bound() {
    let server = Server::start(|_, _| {
        let mut reply = page(&["a"], None).to_string().into_bytes();
        reply.resize(33 << 20, b' ');
        Reply::Text(200, reply)
    })
    .await;
    let client = connect(&server).await;
    let mut pages = client.scan(ScanSpec::of("t"), None).unwrap();
    let error = pages.next().await.unwrap().unwrap_err();
    assert!(
        matches!(&error, Error::Reply { what, .. } if what.contains("longer")),
        "{error:?}"
    );
    assert!(
        pages.next().await.is_none(),
        "after an error there is nothing"
    );
    assert_eq!(server.asked().len(), 1);
}

#[tokio::test]
async fn an_item_that_cannot_be_written_is_told_with_its_place() {
    let nested =
        |levels: usize| (0..levels).fold(json!({"S": "x"}), |value, _| json!({"L": [value]}));
    let (result, _) = scan(move |_, _| {
        let mut reply = page(&["a"], None);
        reply["Items"][0]["deep"] = nested(DEEPEST);
        Reply::Json(200, reply)
    })
    .await;
    assert_eq!(result.unwrap()[0].items, 1);

    let items = [
        (nested(DEEPEST + 1), Wrong::Deep),
        (json!({"N": "canary"}), Wrong::NotNumber),
        (json!({"NEW": "canary"}), Wrong::UnknownType),
        (json!({"NULL": false}), Wrong::OtherType),
    ];
    for (value, expected) in items {
        let (result, asked) = scan(move |number, _| {
            let mut reply = page(&["a", "b"], Some("b"));
            if number == 1 {
                reply["Items"][1]["canary"] = value.clone();
            }
            Reply::Json(200, reply)
        })
        .await;
        let error = result.unwrap_err();
        assert!(
            matches!(&error, Error::Item { wrong, page: 2, item: 2, segment: 0, .. } if *wrong == expected),
            "{error:?}"
        );
        assert_eq!(asked, 2);
        harmless(&error);
    }
}

#[tokio::test]
async fn a_segment_that_goes_round_in_circles_ends() {
    let keys = ["a-canary", "b-canary", "c-canary"];
    for length in 1..=keys.len() {
        let (result, asked) =
            scan(move |number, _| Reply::Json(200, page(&["x"], Some(keys[number % length]))))
                .await;
        let error = result.unwrap_err();
        assert!(
            matches!(&error, Error::Circle { segment: 0, .. }),
            "{error:?}"
        );
        assert!(
            (length + 1..=4 * length).contains(&asked),
            "{length} {asked}"
        );
        harmless(&error);
    }
}

#[tokio::test]
async fn an_empty_key_is_the_end() {
    let (result, asked) = scan(|_, _| {
        let mut reply = page(&["a"], None);
        reply["LastEvaluatedKey"] = json!({});
        Reply::Json(200, reply)
    })
    .await;
    assert_eq!((result.unwrap().len(), asked), (1, 1));
}

#[tokio::test]
async fn segments_keep_to_one_limit() {
    let server = Server::start(|_, body| {
        let after = body["ExclusiveStartKey"]["id"]["S"].as_str().unwrap_or("0");
        let next = after.parse::<u32>().unwrap() + 1;
        let mut reply = page(&["a"], (next < 5).then_some(&next.to_string()));
        reply["ConsumedCapacity"]["CapacityUnits"] = json!(10.0);
        Reply::Json(200, reply)
    })
    .await;
    let client = connect(&server).await;
    let read = |limit: Option<RateLimit>| {
        let client = &client;
        async move {
            let start = Instant::now();
            let segments = (0..4).map(|segment| {
                let spec = ScanSpec {
                    segments: 4,
                    segment,
                    ..ScanSpec::of("t")
                };
                client
                    .scan(spec, limit.clone())
                    .unwrap()
                    .try_collect::<Vec<_>>()
            });
            let pages = futures::future::try_join_all(segments).await.unwrap();
            assert_eq!(pages.iter().map(Vec::len).sum::<usize>(), 20);
            start.elapsed().as_secs_f64()
        }
    };
    read(None).await;
    // 200 units; what the four first pages take may come before anything is known of it, and the last
    // page's need not be paid.
    let limited = read(Some(RateLimit::new(100.0).unwrap())).await;
    assert!(limited >= 1.55, "{limited}");
}

#[tokio::test]
async fn a_limit_needs_to_know_what_a_page_takes() {
    let server = Server::start(|_, _| {
        let mut reply = page(&["a"], None);
        reply.as_object_mut().unwrap().remove("ConsumedCapacity");
        Reply::Json(200, reply)
    })
    .await;
    let client = connect(&server).await;
    assert_eq!(
        all(&client, ScanSpec::of("t")).await.unwrap()[0].units,
        None
    );
    let limit = RateLimit::new(100.0).unwrap();
    let pages: Result<Vec<_>, _> = client
        .scan(ScanSpec::of("t"), Some(limit))
        .unwrap()
        .try_collect()
        .await;
    let error = pages.unwrap_err();
    assert!(matches!(&error, Error::NoCapacity { .. }), "{error:?}");
    harmless(&error);
}

/// Waits until something has happened.
async fn until(happened: impl Fn() -> bool) {
    while !happened() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn dropping_the_stream_stops_the_scan() {
    let server = Server::start(|number, _| match number {
        0 => Reply::Json(200, page(&["a"], Some("a"))),
        _ => Reply::After(Duration::from_secs(60), page(&["b"], None)),
    })
    .await;
    let client = connect(&server).await;
    let mut pages = client.scan(ScanSpec::of("t"), None).unwrap();
    assert_eq!(
        server.asked().len(),
        0,
        "nothing is asked before the stream is"
    );
    assert_eq!(pages.next().await.unwrap().unwrap().items, 1);
    tokio::select! {
        page = pages.next() => panic!("{page:?}"),
        () = until(|| server.asked().len() == 2) => {}
    }
    assert_eq!(server.hung_up(), 0);
    drop(pages);
    until(|| server.hung_up() == 1).await;
    assert_eq!((server.asked().len(), server.hung_up()), (2, 1));
}

#[tokio::test]
async fn what_cannot_be_scanned_is_told_at_once() {
    let server = Server::start(|_, _| Reply::Cut).await;
    let client = connect(&server).await;
    let good = ScanSpec::of("t");
    let projection = |names: &[&str]| Some(names.iter().map(|name| (*name).to_owned()).collect());
    for spec in [
        ScanSpec::of(""),
        ScanSpec {
            segments: 0,
            ..good.clone()
        },
        ScanSpec {
            segment: 1,
            ..good.clone()
        },
        ScanSpec {
            segments: 1_000_001,
            ..good.clone()
        },
        ScanSpec {
            page_items: Some(0),
            ..good.clone()
        },
        ScanSpec {
            page_items: Some(u32::MAX),
            ..good.clone()
        },
        ScanSpec {
            projection: projection(&[]),
            ..good.clone()
        },
        ScanSpec {
            projection: projection(&["canary", "canary"]),
            ..good.clone()
        },
    ] {
        let error = client
            .scan(spec.clone(), None)
            .err()
            .unwrap_or_else(|| panic!("{spec:?}"));
        assert!(matches!(error, Error::Setting { .. }), "{error:?}");
        harmless(&error);
    }
    assert_eq!(server.asked().len(), 0);
}

fn description() -> Value {
    json!({
        "TableName": "t",
        "TableArn": "arn:aws:dynamodb:eu-north-1:1:table/t",
        "TableStatus": "UPDATING",
        "ItemCount": 12,
        "TableSizeBytes": 3456,
        "KeySchema": [{"AttributeName": "b", "KeyType": "HASH"}, {"AttributeName": "a", "KeyType": "RANGE"}],
        "AttributeDefinitions": [
            {"AttributeName": "a", "AttributeType": "B"},
            {"AttributeName": "b", "AttributeType": "N"},
        ],
        "ProvisionedThroughput": {"ReadCapacityUnits": 25, "WriteCapacityUnits": 5, "NumberOfDecreasesToday": 0},
    })
}

#[tokio::test]
async fn a_table_is_described() {
    let server = Server::start(|number, _| match number {
        0 => Reply::error(400, "ThrottlingException"),
        1 => Reply::Json(200, json!({"Table": description()})),
        _ => {
            let mut table = description();
            table["TableStatus"] = json!("SLEEPING");
            table["BillingModeSummary"] = json!({"BillingMode": "PAY_PER_REQUEST"});
            table
                .as_object_mut()
                .unwrap()
                .remove("ProvisionedThroughput");
            Reply::Json(200, json!({"Table": table}))
        }
    })
    .await;
    let client = connect(&server).await;
    let table = client.describe("t").await.unwrap();
    assert_eq!((table.items, table.bytes), (12, 3456));
    assert_eq!(
        (&table.status, table.status.can_be_read()),
        (&TableStatus::Updating, true)
    );
    assert_eq!(table.billing, Billing::Provisioned { read_units: 25 });
    let key: Vec<_> = table
        .key
        .iter()
        .map(|key| (key.name.as_str(), key.role, key.key_type))
        .collect();
    assert_eq!(
        key,
        [
            ("b", KeyRole::Partition, KeyType::Number),
            ("a", KeyRole::Sort, KeyType::Binary)
        ]
    );
    let table = client.describe("t").await.unwrap();
    assert_eq!(table.status, TableStatus::Other("SLEEPING".to_owned()));
    assert_eq!(table.billing, Billing::OnDemand);
    assert_eq!(server.asked()[2].operation, "DescribeTable");
    assert_eq!(server.asked()[2].body, json!({"TableName": "t"}));
}

#[tokio::test]
async fn a_description_has_what_every_table_has() {
    let names: Vec<String> = description().as_object().unwrap().keys().cloned().collect();
    let server = Server::start({
        let names = names.clone();
        move |number, _| {
            let mut table = description();
            table.as_object_mut().unwrap().remove(&names[number]);
            Reply::Json(200, json!({"Table": table}))
        }
    })
    .await;
    let client = connect(&server).await;
    for name in names {
        let error = client.describe("t").await.expect_err(&name);
        assert!(
            matches!(
                &error,
                Error::Reply {
                    action: "dynamodb:DescribeTable",
                    ..
                }
            ),
            "{name}: {error:?}"
        );
    }
    let server = Server::start(|_, _| Reply::error(400, "AccessDeniedException")).await;
    let error = connect(&server).await.describe("t").await.unwrap_err();
    assert!(
        error.hint().contains("dynamodb:DescribeTable"),
        "{}",
        error.hint()
    );
}

/// What the environment says can only be tried in a process of its own.
const ALONE: &str = "WEIR_DYNAMODB_TEST_ALONE";

/// Runs a test of this program in another process, with nothing in its environment but these variables.
fn alone(test: &str, variables: &[(&str, &str)]) {
    let folder = tempfile::TempDir::new().unwrap();
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture"])
        .env_clear()
        .env("HOME", folder.path())
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .env(ALONE, "1")
        .envs(variables.iter().copied())
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&output.stdout).into_owned()
        + &String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success() && told.contains("1 passed"),
        "{told}"
    );
}

#[tokio::test]
async fn without_credentials_nothing_is_connected() {
    if std::env::var_os(ALONE).is_none() {
        return alone("client::without_credentials_nothing_is_connected", &[]);
    }
    let settings = Settings::new("eu-north-1", Credentials::Chain);
    let error = Client::connect(settings).await.unwrap_err();
    assert!(matches!(&error, Error::NoCredentials { .. }), "{error:?}");
    harmless(&error);
}

#[tokio::test]
async fn credentials_of_the_environment_are_found() {
    if std::env::var_os(ALONE).is_none() {
        let variables = [
            ("AWS_ACCESS_KEY_ID", "AKIA-canary"),
            ("AWS_SECRET_ACCESS_KEY", "secret-canary"),
            // The settings say where DynamoDB is, and nothing else does.
            ("AWS_REGION", "us-east-1"),
            ("AWS_ENDPOINT_URL", "http://127.0.0.1:1"),
        ];
        return alone(
            "client::credentials_of_the_environment_are_found",
            &variables,
        );
    }
    let server = Server::start(|_, _| Reply::Json(200, page(&["a"], None))).await;
    let settings = Settings {
        credentials: Credentials::Chain,
        ..settings(&server.url())
    };
    let client = Client::connect(settings).await.unwrap();
    assert!(!format!("{client:?}").contains("canary"));
    assert_eq!(all(&client, ScanSpec::of("t")).await.unwrap().len(), 1);
}
