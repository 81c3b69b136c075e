//! Row 13: connects, listens, sends and resolves names.

use std::net::{TcpListener, TcpStream, ToSocketAddrs, UdpSocket};

use hostile::transform::*;

/// What it got, in words; nothing where it got nothing.
fn look() -> Vec<String> {
    let mut got = Vec::new();
    for address in [
        "127.0.0.1:80",
        "169.254.169.254:80",
        "[::1]:443",
        "1.1.1.1:53",
        "localhost:22",
    ] {
        if TcpStream::connect(address).is_ok() {
            got.push(format!("connected to {address}"));
        }
    }
    for address in ["127.0.0.1:0", "0.0.0.0:0", "[::]:0"] {
        if TcpListener::bind(address).is_ok() {
            got.push(format!("listens on {address}"));
        }
        if UdpSocket::bind(address).is_ok() {
            got.push(format!("sends from {address}"));
        }
    }
    for name in ["localhost:80", "example.org:80"] {
        if name.to_socket_addrs().is_ok() {
            got.push(format!("resolved {name}"));
        }
    }
    got
}

struct Hostile;

impl Transform for Hostile {
    fn bind(_: String, _: Vec<Field>) -> Result<Vec<Output>, Error> {
        let got = look();
        Err(Error::Data(got.join("; ")))
    }
}

hostile::transform!(Hostile);
