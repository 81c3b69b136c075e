//! What the environment of the process decides. Each test runs itself again in one of its own.

use std::io::{Read, Write};
use std::process::Command;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use weir_http::Refusal;

use crate::server::Server;
use crate::{access, get, grant, shown, whole};

/// Runs a test of this file by itself with variables set, as the process that it then is.
fn again(test: &str, variables: &[(&str, &str)]) {
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", &format!("environment::{test}"), "--nocapture"])
        .envs(variables.iter().copied())
        .env("WEIR_TEST_AGAIN", test)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let and = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success() && said.contains("1 passed"),
        "{said}{and}"
    );
}

fn is_again(test: &str) -> bool {
    std::env::var("WEIR_TEST_AGAIN").is_ok_and(|again| again == test)
}

#[tokio::test]
async fn proxies_of_the_environment_are_not_used() {
    const TEST: &str = "proxies_of_the_environment_are_not_used";
    if !is_again(TEST) {
        let closed = "http://127.0.0.1:9";
        let names = [
            "http_proxy",
            "HTTP_PROXY",
            "https_proxy",
            "all_proxy",
            "ALL_PROXY",
        ];
        return again(TEST, &names.map(|name| (name, closed)));
    }
    let server = Server::ok().await;
    let access = access(grant(&server.url("/")));
    let response = access.send(get(&server.url("/"))).await.unwrap();
    assert_eq!(whole(response.into_body()).await.unwrap(), b"ok");
}

/// Answers `ok` over TLS, for as long as connections come.
fn serve_tls() -> u16 {
    let file = |name: &str| {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/it/tls");
        std::fs::read(format!("{folder}/{name}")).unwrap()
    };
    let certificate = CertificateDer::from_pem_slice(&file("cert.pem")).unwrap();
    let key = PrivateKeyDer::from_pem_slice(&file("key.pem")).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .unwrap();
    let config = Arc::new(config);
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for mut connection in listener.incoming().flatten() {
            let mut tls = rustls::ServerConnection::new(Arc::clone(&config)).unwrap();
            let mut stream = rustls::Stream::new(&mut tls, &mut connection);
            // Handshakes that the client ends are what some tests want.
            if stream.read(&mut [0; 4096]).is_ok() {
                let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
                stream.write_all(answer).unwrap();
            }
        }
    });
    port
}

#[tokio::test]
async fn a_host_is_trusted_by_its_certificate_and_name() {
    const TEST: &str = "a_host_is_trusted_by_its_certificate_and_name";
    let authority = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/it/tls/ca.pem");
    let is_again = is_again(TEST);
    if !is_again {
        again(TEST, &[("SSL_CERT_FILE", authority)]);
    }
    let port = serve_tls();
    // The certificate has the first name, and an authority that only the process run again trusts.
    for (host, is_trusted) in [("[::ffff:127.0.0.1]", is_again), ("127.0.0.1", false)] {
        let url = format!("https://{host}:{port}/");
        match access(grant(&url))
            .send(get(&format!("{url}?key=hunter2")))
            .await
        {
            Ok(response) => {
                assert!(is_trusted, "{url}");
                assert_eq!(whole(response.into_body()).await.unwrap(), b"ok");
            }
            Err(refusal) => {
                assert!(!is_trusted, "{url}: {}", shown(&refusal));
                assert!(
                    matches!(refusal, Refusal::Tls { .. }),
                    "{}",
                    shown(&refusal)
                );
                assert!(!shown(&refusal).contains("hunter2"));
            }
        }
    }
}
