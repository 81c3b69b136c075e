//! Row 13: has requests, and looks for sockets, names and files besides.

use std::net::{TcpStream, ToSocketAddrs, UdpSocket};

use hostile::http;
use hostile::source::*;

struct Hostile;

impl Source for Hostile {
    fn discover(config: String) -> Result<Vec<StreamInfo>, Error> {
        let granted = http::value(&config, "granted");
        let asked = http::get(&granted, "/granted/x").and_then(http::send);
        let mut got = vec![asked.map_or_else(|code| code, |_| "asked".into())];
        if TcpStream::connect(&granted).is_ok() {
            got.push("connected".into());
        }
        if UdpSocket::bind("127.0.0.1:0").is_ok() {
            got.push("sends".into());
        }
        if "localhost:80".to_socket_addrs().is_ok() {
            got.push("resolved".into());
        }
        if std::fs::read_dir("/").is_ok() || std::fs::write("weir-was-here", "x").is_ok() {
            got.push("files".into());
        }
        Err(Error::Data(got.join(" ")))
    }
}

hostile::source!(Hostile);
