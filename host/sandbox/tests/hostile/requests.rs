//! Row 20, and rows 6, 9 and 13 by way of requests: sources that ask for what they are not granted, look for what
//! the host put into their requests, and take more than there is. They go through `weir-http`, to servers that keep
//! what they are asked.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::json;
use weir_http::{Credentials, Grant, SecretText};
use weir_roster::Guest;
use weir_sandbox::{Call, LimitKind, Powers, RefusedKind, SandboxError, Terms};

use crate::field::{Attack, Outcome, Stop, alone, batch, limits, reading, request, sandbox};
use crate::web::{Web, Wire};

/// An attack by a source that is granted what is below `/granted/` of `web`.
fn attack(guest: &'static str, web: &Web) -> Attack {
    granted(guest, web, vec![web.grant()])
}

fn granted(guest: &'static str, web: &Web, grants: Vec<Grant>) -> Attack {
    let wire = Wire::granted(grants);
    Attack::by(guest)
        .config(json!({ "granted": web.authority() }))
        .terms(|terms| terms.powers.http = Some(wire))
        // Time is not what is at stake: others may be at work on this machine.
        .limits(|limits| limits.deadline = Duration::from_secs(10))
}

/// What a guest says that it got.
#[track_caller]
fn says(outcome: &Outcome) -> &str {
    match outcome.error.as_ref().expect("it says what it got") {
        SandboxError::PluginError { message, .. } => message,
        other => panic!("{other}"),
    }
}

/// Without a grant a source that asks is not even begun, nor is any that is of another world.
#[test]
fn who_is_granted_nothing_is_refused_at_once() {
    let outcome = Attack::by("asks_elsewhere").run();
    let error = outcome.error.expect("it is refused");
    let SandboxError::ForbiddenImport { import, .. } = &error else {
        panic!("refused otherwise: {error}");
    };
    assert!(import.starts_with("wasi:http/"), "{import}");
    assert!(error.hint().unwrap().contains("http"), "{error}");
}

#[test]
pub(crate) fn asks_elsewhere() {
    let (web, other) = (Web::start(), Web::start());
    let public = Grant::of(&format!(
        "http://inside.test.localhost:{}/granted/",
        web.authority().rsplit(':').next().unwrap()
    ))
    .unwrap();
    let outcome = granted("asks_elsewhere", &web, vec![web.grant(), public])
        .config(json!({ "granted": web.authority(), "other": other.authority() }))
        .run();
    let became: Vec<&str> = says(&outcome).split(' ').collect();
    let said = says(&outcome);
    assert!(
        said.starts_with("got 200 "),
        "the control: what is granted is answered: {said}"
    );
    let rest = &became[2..];
    assert_eq!(rest.len(), 17, "{said}");
    let (inside, rest) = rest.split_last().unwrap();
    for (at, code) in rest.iter().enumerate() {
        assert_eq!(*code, "HttpRequestDenied", "request {at} of {said}");
    }
    // A name that has no address anywhere, or one of this machine.
    assert!(
        ["DestinationIpProhibited", "DnsError"].contains(inside),
        "{said}"
    );
    assert_eq!(web.asked().len(), 1, "{:?}", web.asked());
    assert_eq!((web.connections(), other.connections()), (1, 0));
    // Of the last one it is told what it was.
    let at = outcome.error.as_ref().unwrap().call_site().unwrap();
    let refused = at.refused.as_ref().expect("a request came to nothing");
    assert!(
        matches!(
            refused.kind,
            RefusedKind::Prohibited | RefusedKind::Unresolved
        ),
        "{refused:?}"
    );
}

#[test]
pub(crate) fn smuggles_headers() {
    let web = Web::start();
    let mut grant = web.grant();
    grant.credentials = Credentials::Added {
        headers: vec![("x-key".parse().unwrap(), SecretText::new("hush"))],
        query: Vec::new(),
    };
    let outcome = granted("smuggles_headers", &web, vec![grant]).run();
    let said = says(&outcome);
    let became: Vec<&str> = said.split(' ').collect();
    let expected = [
        "200", // x-fine
        "unset",
        "unset",
        "unset", // line ends and a NUL in a value
        "unset",
        "unset",
        "unset", // names that are none
        "unset",
        "unset",               // host
        "unset",               // transfer-encoding
        "unset",               // connection
        "HttpRequestBodySize", // content-length without a body of it
        "HttpRequestDenied",   // te
        "unset",               // proxy-connection
        "HttpRequestDenied",   // authorization, beside the grant's own
        "HttpRequestDenied",   // cookie
        "HttpRequestDenied",   // x-http-method-override
    ];
    assert_eq!(became, expected, "{said}");
    let asked = web.asked();
    assert_eq!(asked.len(), 1, "{asked:?}");
    assert!(
        asked[0].contains("x-fine: fine") && asked[0].contains("x-key: hush"),
        "{asked:?}"
    );
    assert!(!asked[0].contains("forged"), "{asked:?}");
}

/// What the host puts in goes over the wire, and is nowhere that the guest can look: not in the handles that it has
/// of its own request, not in the response, not in any byte of its memory.
#[test]
pub(crate) fn looks_for_its_secrets() {
    const SECRET: &str = "Kanarienvogel-4711";
    let web = Web::start();
    let mut grant = web.grant();
    grant.credentials = Credentials::Added {
        headers: vec![("authorization".parse().unwrap(), SecretText::new(SECRET))],
        query: vec![("key".to_owned(), SecretText::new(SECRET))],
    };
    let masked = |text: &str| -> String {
        text.bytes()
            .map(|byte| format!("{:02x}", byte ^ 0x5a))
            .collect()
    };
    let look = |needle: &str| {
        let outcome = granted("looks_for_its_secrets", &web, vec![grant.clone()])
            .config(json!({ "granted": web.authority(), "needle": masked(needle) }))
            .run();
        let told = format!("{:?} {:?}", outcome.error, outcome.usage);
        assert!(!told.contains(SECRET), "{told}");
        says(&outcome).to_owned()
    };
    let said = look(SECRET);
    let parts: Vec<&str> = said.split('|').collect();
    let [own, clone, answered, body, found] = parts[..] else {
        panic!("{said}");
    };
    assert_eq!((own, clone, body), ("", "", "2"), "{said}");
    assert!(answered.contains("x-answered"), "{said}");
    assert_eq!(found, "0", "{said}");
    let asked = web.asked();
    assert!(asked[0].contains(&format!("key={SECRET}")), "{asked:?}");
    assert!(
        asked[0].contains(&format!("authorization: {SECRET}")),
        "{asked:?}"
    );
    // The control: what the guest itself has is found.
    let own = look("/granted/x?mine=1");
    let found = own.rsplit('|').next().unwrap();
    assert!(found.parse::<u64>().unwrap() > 0, "{own}");
}

/// Requests that nobody waits for go on while the instance lives, a few at a time, and end with it.
#[test]
pub(crate) fn leaves_requests_open() {
    let web = Web::start();
    let outcome = attack("leaves_requests_open", &web).run().unstopped();
    assert_eq!(outcome.usage.metrics["asked"], 500.0);
    assert!(outcome.pages[0].done);
    assert!(web.most_open() <= 16, "{} at once", web.most_open());
    web.is_left_alone();
}

#[test]
pub(crate) fn asks_for_ever() {
    let web = Web::start();
    let outcome = attack("asks_for_ever", &web).run();
    outcome.stopped_at(Call::Discover, None, Stop::Trap(""));
    assert!(web.most_open() <= 16, "{} at once", web.most_open());
    web.is_left_alone();
}

#[test]
pub(crate) fn holds_responses() {
    let web = Web::start();
    let outcome = attack("holds_responses", &web).run();
    assert_eq!(
        says(&outcome),
        "64 held, then ConnectionLimitReached, then true"
    );
    assert!(web.most_open() <= 64, "{} at once", web.most_open());
    let refused = outcome
        .error
        .as_ref()
        .unwrap()
        .call_site()
        .unwrap()
        .refused
        .clone();
    assert_eq!(
        refused.expect("a request came to nothing").kind,
        RefusedKind::TooMany
    );
    web.is_left_alone();
}

#[test]
pub(crate) fn sends_9_megabytes() {
    let web = Web::start();
    let outcome = attack("sends_9_megabytes", &web).run();
    assert_eq!(says(&outcome), "8 MiB: HttpRequestBodySize");
    assert_eq!(web.connections(), 0);
}

/// Two bodies have room, and no more.
#[test]
pub(crate) fn sends_bodies_at_once() {
    let web = Web::start();
    let outcome = attack("sends_bodies_at_once", &web).run();
    assert_eq!(
        says(&outcome),
        "200 200 HttpRequestBodySize HttpRequestBodySize"
    );
    assert_eq!(web.asked().len(), 2);
}

/// Handles whose contents lie in the host: all that they hold together is bounded (which `run` measures), and the
/// guest ends when it has no handle left.
macro_rules! hoards {
    ($($name:ident => $at_most:expr),* $(,)?) => {$(
        #[test]
        pub(crate) fn $name() {
            let web = Web::start();
            let outcome = attack(stringify!($name), &web).run();
            let outcome = outcome.stopped_at(Call::Discover, None, Stop::Trap(""));
            assert_eq!(web.connections(), 0);
            let at_most: fn(&Outcome) = $at_most;
            at_most(&outcome);
        }
    )*};
}

hoards! {
    fills_bodies_it_never_sends => |outcome| {
        let kept = outcome.usage.metrics["kept"];
        assert!(kept > 500.0, "{kept} requests");
        let each = outcome.usage.metrics["bytes"] / kept;
        assert!(each <= 8192.0, "{each} bytes each");
    },
    names_what_is_too_long => |outcome| {
        for what in ["method", "authority", "path"] {
            assert_eq!(outcome.usage.metrics[what], 0.0, "{what}");
        }
    },
}

/// Headers of twelve kibibytes can be had as often as there are handles; with those of a hundred it ends at once.
#[test]
pub(crate) fn fills_headers() {
    let kept = |each: &str| {
        let outcome = attack("fills_headers", &Web::start())
            .config(json!({ "each": each }))
            .run()
            .stopped_at(Call::Discover, None, Stop::Trap(""));
        let kept = outcome.usage.metrics.get("kept").copied();
        kept.unwrap_or_default()
    };
    assert!(kept("45") > 900.0);
    assert_eq!(kept("300"), 0.0);
}

#[test]
pub(crate) fn reads_a_response_without_end() {
    let web = Web::start();
    let outcome = attack("reads_a_response_without_end", &web).run();
    assert_eq!(says(&outcome), "HttpResponseBodySize");
    web.is_left_alone();
}

/// A response that is dropped has ended: its connection is closed, and there is room for another.
#[test]
pub(crate) fn drops_responses_half_read() {
    let web = Web::start();
    let outcome = attack("drops_responses_half_read", &web).run();
    assert_eq!(says(&outcome), "200 begun");
    assert!(web.most_open() <= 64, "{} at once", web.most_open());
    web.is_left_alone();
}

/// It waits, which costs it no time of its own: the time of the call is up, and the connection is gone with it.
fn waits_in_vain(guest: &'static str, call: Call, page: Option<u64>) {
    let web = Web::start();
    let began = Instant::now();
    let outcome = attack(guest, &web)
        .limits(|limits| limits.wall_clock = Duration::from_millis(500))
        .run();
    let outcome = outcome.stopped_at(call, page, Stop::Limit(LimitKind::WallClock));
    assert!(outcome.pages.is_empty());
    assert!(began.elapsed() < Duration::from_secs(60));
    web.is_left_alone();
}

#[test]
pub(crate) fn waits_for_a_response() {
    waits_in_vain("waits_for_a_response", Call::Read, Some(1));
}

#[test]
pub(crate) fn writes_to_nobody() {
    waits_in_vain("writes_to_nobody", Call::Discover, None);
}

#[test]
pub(crate) fn never_ends_its_requests() {
    waits_in_vain("never_ends_its_requests", Call::Discover, None);
}

/// Trailers stay behind, and what is broken off is not sent at all.
#[test]
pub(crate) fn sends_trailers() {
    let web = Web::start();
    let outcome = attack("sends_trailers", &web).run();
    let said = says(&outcome);
    assert!(said.starts_with("200 Http"), "{said}");
    let asked = web.asked();
    assert_eq!(asked.len(), 1, "{asked:?}");
    assert!(asked[0].ends_with("\r\n\r\nhalf"), "{asked:?}");
    assert!(!asked[0].contains("trailed"), "{asked:?}");
}

/// Whatever its stage grants, `describe` has nothing.
#[test]
pub(crate) fn asks_while_describing() {
    let _alone = alone();
    let guest = Guest::named("asks_while_describing").unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let plugin = sandbox().load(guest.name, guest.component()).await.unwrap();
        let info = plugin.describe(&limits()).await.unwrap();
        assert_eq!(info.description, "HttpRequestDenied");
    });
}

#[test]
pub(crate) fn reaches_past_http() {
    let web = Web::start();
    let outcome = attack("reaches_past_http", &web).run();
    assert_eq!(says(&outcome), "asked");
    assert_eq!(web.connections(), 1);
}

/// What bodies of requests take comes out of the run's memory, and goes back there.
#[test]
fn bodies_are_taken_from_the_memory_of_the_run() {
    use std::sync::atomic::{AtomicU64, Ordering};

    #[derive(Debug)]
    struct Purse {
        left: AtomicU64,
    }
    impl weir_sandbox::MemoryBudget for Purse {
        fn try_take(&self, bytes: u64) -> bool {
            let take = |left: u64| left.checked_sub(bytes);
            self.left
                .fetch_update(Ordering::SeqCst, Ordering::SeqCst, take)
                .is_ok()
        }
        fn give_back(&self, bytes: u64) {
            self.left.fetch_add(bytes, Ordering::SeqCst);
        }
    }
    let _alone = alone();
    let web = Web::start();
    let purse = Arc::new(Purse {
        left: AtomicU64::new(10 << 20),
    });
    let guest = Guest::named("sends_bodies_at_once").unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let plugin = sandbox().load(guest.name, guest.component()).await.unwrap();
        let terms = Terms {
            powers: Powers {
                http: Some(Wire::granted(vec![web.grant()])),
                ..Powers::default()
            },
            budget: Some(Arc::clone(&purse) as Arc<dyn weir_sandbox::MemoryBudget>),
            ..Terms::from(weir_sandbox::Limits {
                deadline: Duration::from_secs(10),
                ..limits()
            })
        };
        let mut instance = plugin.instantiate("", &terms).await.unwrap();
        let request = request(json!({ "granted": web.authority() }), &batch());
        let error = instance.discover(&request).await.unwrap_err();
        let SandboxError::PluginError { message, .. } = &error else {
            panic!("{error}");
        };
        assert_eq!(
            message,
            "200 HttpRequestBodySize HttpRequestBodySize HttpRequestBodySize"
        );
        let gone = instance.open(&request, &reading(None)).await;
        assert!(matches!(gone, Err(SandboxError::Poisoned { .. })));
    });
    drop(runtime);
    assert_eq!(purse.left.load(Ordering::SeqCst), 10 << 20);
}
