//! Where names and addresses may lead.

use weir_http::{Grant, Refusal};

use crate::server::Server;
use crate::{access, get, grant, shown, whole};

#[tokio::test]
async fn a_name_that_leads_inside_is_refused_unless_that_is_granted() {
    for host in ["localhost", "LOCALHOST."] {
        let server = Server::ok().await;
        let url = format!("http://{host}:{}/", server.port());
        let granted = grant(&url);
        let public = access(Grant {
            private: false,
            ..granted.clone()
        });
        let refusal = public.send(get(&url)).await.unwrap_err();
        let Refusal::NotPublic { host, address } = &refusal else {
            panic!("{url}: {}", shown(&refusal));
        };
        assert!(host == "localhost" && address.is_loopback(), "{refusal}");
        assert!(refusal.hint().contains("private = true"));
        assert_eq!(server.connections(), 0);

        let response = access(granted).send(get(&url)).await.unwrap();
        assert_eq!(whole(response.into_body()).await.unwrap(), b"ok");
        // The server sees the name without the dot.
        let name = format!("localhost:{}", server.port());
        assert_eq!(server.only().all("host"), [name]);
    }
}

#[tokio::test]
async fn an_address_inside_is_refused_in_each_form() {
    let server = Server::ok().await;
    let port = server.port();
    for host in [
        "127.0.0.1",
        "127.0.0.1.",
        "2130706433",
        "0x7f.1",
        "0x7F000001",
        "0177.0.0.1",
        "127.1",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[64:ff9b::7f00:1]",
        "[2002:7f00:1::]",
        "[::1]",
        "[::]",
        "0.0.0.0",
        "0",
        "10.0.0.1",
        "169.254.169.254",
        "0xa9fea9fe",
        "[::ffff:169.254.169.254]",
        "[fd00:ec2::254]",
        "[fe80::1]",
        "[2001:0:53aa:64c::]",
    ] {
        let url = format!("http://{host}:{port}/");
        let public = access(Grant::of(&url).unwrap());
        let refusal = public.send(get(&url)).await.unwrap_err();
        assert!(
            matches!(refusal, Refusal::NotPublic { .. }),
            "{url}: {}",
            shown(&refusal)
        );
    }
    assert_eq!(server.connections(), 0);
}

#[tokio::test]
async fn forms_of_an_address_are_the_same_host() {
    let server = Server::ok().await;
    let access = access(grant(&server.url("/")));
    for host in [
        "127.0.0.1",
        "2130706433",
        "0x7f.1",
        "0177.0.0.1",
        "127.0.0.1.",
    ] {
        let url = format!("http://{host}:{}/", server.port());
        access.send(get(&url)).await.unwrap();
    }
    let hosts = server
        .asked()
        .iter()
        .all(|asked| asked.all("host")[0].starts_with("127.0.0.1:"));
    assert!(hosts);
}

#[tokio::test]
async fn a_name_without_addresses_is_said_to_have_none() {
    let url = "http://weir.invalid/?key=hunter2";
    let refusal = access(Grant::of("http://weir.invalid/").unwrap())
        .send(get(url))
        .await
        .unwrap_err();
    assert!(
        matches!(refusal, Refusal::Resolve { .. }),
        "{}",
        shown(&refusal)
    );
    assert_eq!(refusal.to_string(), "the name weir.invalid has no address");
    assert!(!shown(&refusal).contains("hunter2"));
}
