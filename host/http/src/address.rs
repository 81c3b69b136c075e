//! Which addresses are public, and names that lead to them.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use reqwest::dns::{Addrs, Name, Resolve, Resolving};

/// Who can be reached at an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reach {
    /// Anybody's servers on the internet.
    Public,
    /// This machine, its networks, or nothing that a server has.
    Private,
    /// Services that give a machine its identity and credentials, or what is at its own link.
    Metadata,
}

impl Reach {
    pub(crate) fn of(address: IpAddr) -> Reach {
        match address {
            IpAddr::V4(address) => of_v4(address),
            IpAddr::V6(address) => of_v6(address),
        }
    }

    /// Whether a name may lead to it.
    fn is_allowed(self, private: bool) -> bool {
        match self {
            Reach::Public => true,
            Reach::Private => private,
            Reach::Metadata => false,
        }
    }
}

fn of_v4(address: Ipv4Addr) -> Reach {
    match address.octets() {
        // Link-local: 169.254.169.254 of most clouds, 169.254.170.2 of AWS's containers.
        [169, 254, _, _]
        // Alibaba's, Oracle's, Azure's.
        | [100, 100, 100, 200]
        | [192, 0, 0, 192]
        | [168, 63, 129, 16] => Reach::Metadata,
        // This network, private, carrier's NAT, loopback.
        [0, ..]
        | [10, ..]
        | [100, 64..=127, ..]
        | [127, ..]
        | [172, 16..=31, ..]
        | [192, 168, ..]
        // Protocol assignments, documentation, the relays of 6to4, benchmarks.
        | [192, 0, 0, _]
        | [192, 0, 2, _]
        | [192, 88, 99, _]
        | [198, 18..=19, ..]
        | [198, 51, 100, _]
        | [203, 0, 113, _]
        // Multicast, reserved, broadcast.
        | [224..=255, ..] => Reach::Private,
        _ => Reach::Public,
    }
}

fn of_v6(address: Ipv6Addr) -> Reach {
    let segments = address.segments();
    match segments {
        // IPv4 within IPv6: mapped, NAT64, 6to4. The packets go to the inner address.
        [0, 0, 0, 0, 0, 0xffff, high, low] | [0x64, 0xff9b, 0, 0, 0, 0, high, low] => {
            of_v4(v4(high, low))
        }
        [0x2002, high, low, ..] => of_v4(v4(high, low)),
        // AWS's of instances and of pods, Google's, and the link's own.
        [0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254 | 0x23] | [0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254] => {
            Reach::Metadata
        }
        [0xfe80..=0xfebf, ..] => Reach::Metadata,
        // Protocol assignments, Teredo among them, and documentation.
        [0x2001, 0..=0x1ff, ..] | [0x2001, 0xdb8, ..] | [0x3fff, 0..=0xfff, ..] => Reach::Private,
        // All that is routed on the internet begins with the bits 001: loopback, `::`, unique local,
        // site-local and multicast addresses do not.
        [0x2000..=0x3fff, ..] => Reach::Public,
        _ => Reach::Private,
    }
}

fn v4(high: u16, low: u16) -> Ipv4Addr {
    let [a, b] = high.to_be_bytes();
    let [c, d] = low.to_be_bytes();
    Ipv4Addr::new(a, b, c, d)
}

/// All addresses that a name has are ones it may not lead to.
#[derive(Debug, thiserror::Error)]
#[error("the name leads to {0}, which is not public")]
pub(crate) struct NotPublic(pub(crate) IpAddr);

/// Resolves names, and lets through only addresses that may be connected to. The client connects to
/// what this gives and asks nobody else, so that a name cannot lead elsewhere between check and use.
pub(crate) struct CheckedNames {
    /// Whether addresses that are not public are let through.
    pub(crate) private: bool,
}

impl Resolve for CheckedNames {
    fn resolve(&self, name: Name) -> Resolving {
        let private = self.private;
        Box::pin(async move {
            // The client puts the port of the URL in.
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let addrs: Addrs = Box::new(allowed(found, private)?.into_iter());
            Ok(addrs)
        })
    }
}

fn allowed(
    found: impl Iterator<Item = SocketAddr>,
    private: bool,
) -> Result<Vec<SocketAddr>, crate::BoxError> {
    let (good, bad): (Vec<_>, Vec<_>) =
        found.partition(|address| Reach::of(address.ip()).is_allowed(private));
    match bad.first() {
        _ if !good.is_empty() => Ok(good),
        Some(address) => Err(NotPublic(address.ip()).into()),
        None => Err(io::Error::from(io::ErrorKind::NotFound).into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_special_range_is_known_up_to_its_ends() {
        use Reach::{Metadata, Private, Public};
        for (reach, addresses) in [
            (
                Private,
                [
                    // Loopback, this network, private, carrier's NAT.
                    "127.0.0.0 127.0.0.1 127.255.255.255 0.0.0.0 0.255.255.255",
                    "10.0.0.0 10.255.255.255 172.16.0.0 172.31.255.255 192.168.0.0 192.168.255.255",
                    "100.64.0.0 100.127.255.255",
                    // Assignments, documentation, 6to4 relays, benchmarks.
                    "192.0.0.0 192.0.0.255 192.0.2.0 192.0.2.255 198.51.100.0 198.51.100.255",
                    "203.0.113.0 203.0.113.255 192.88.99.1 198.18.0.0 198.19.255.255",
                    // Multicast, reserved, broadcast.
                    "224.0.0.0 239.255.255.255 240.0.0.0 255.255.255.254 255.255.255.255",
                    // IPv6: unspecified, loopback, compatible, unique and site local, multicast.
                    ":: ::1 ::7f00:1 ::808:808 fc00:: fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff fec0::1 ff00:: ff02::1",
                    // Documentation, Teredo, benchmarks, discard, local NAT64, segment routing.
                    "2001:db8:: 2001:db8:ffff:ffff:ffff:ffff:ffff:ffff 2001:: 2001:0:808:808:: 2001:2::1 3fff::1 100::1 64:ff9b:1::1 5f00::1",
                    // IPv4 within: mapped, NAT64, 6to4.
                    "::ffff:127.0.0.1 ::ffff:10.1.2.3 64:ff9b::192.168.0.1 2002:7f00:1:: 2002:a00:1::1",
                ]
                .join(" "),
            ),
            (
                Metadata,
                [
                    "169.254.0.0 169.254.169.254 169.254.170.2 169.254.255.255",
                    "100.100.100.200 192.0.0.192 168.63.129.16",
                    "fd00:ec2::254 fd00:ec2::23 fd20:ce::254 fe80:: fe80::1 febf:ffff::1",
                    "::ffff:169.254.169.254 64:ff9b::169.254.169.254 2002:a9fe:a9fe::",
                ]
                .join(" "),
            ),
            (
                Public,
                [
                    "1.0.0.0 8.8.8.8 9.255.255.255 11.0.0.0 100.63.255.255 100.128.0.0",
                    "126.255.255.255 128.0.0.0 169.253.255.255 169.255.0.0 172.15.255.255 172.32.0.0",
                    "191.255.255.255 192.0.1.0 192.0.3.0 192.167.255.255 192.169.0.0 198.17.255.255",
                    "198.20.0.0 198.51.99.255 203.0.112.255 203.0.114.0 223.255.255.255",
                    "2000:: 2001:200:: 2001:db7:: 2001:db9:: 2606:4700:4700::1111 2003::1 3ffe:: 3fff:1000::",
                    "::ffff:8.8.8.8 64:ff9b::8.8.8.8 2002:808:808::1",
                ]
                .join(" "),
            ),
        ] {
            for address in addresses.split_whitespace() {
                let parsed = address.parse().unwrap();
                assert_eq!(Reach::of(parsed), reach, "{address}");
            }
        }
    }

    #[test]
    fn of_a_names_addresses_only_the_allowed_are_used() {
        let ask = |addresses: &str, private| {
            let addresses: Vec<SocketAddr> = addresses
                .split_whitespace()
                .map(|address| SocketAddr::new(address.parse().unwrap(), 0))
                .collect();
            allowed(addresses.into_iter(), private)
                .map(|good| {
                    let good: Vec<_> = good.iter().map(|one| one.ip().to_string()).collect();
                    good.join(" ")
                })
                .map_err(|error| error.to_string())
        };
        let mixed = "10.0.0.1 8.8.8.8 ::1 169.254.169.254 2606:4700::1";
        assert_eq!(ask(mixed, false).unwrap(), "8.8.8.8 2606:4700::1");
        assert_eq!(
            ask(mixed, true).unwrap(),
            "10.0.0.1 8.8.8.8 ::1 2606:4700::1"
        );
        let inside = ask("10.0.0.1 ::1", false).unwrap_err();
        assert_eq!(inside, "the name leads to 10.0.0.1, which is not public");
        for private in [false, true] {
            let metadata = ask("169.254.169.254 fd00:ec2::254", private).unwrap_err();
            assert!(metadata.contains("169.254.169.254"), "{metadata}");
            assert!(ask("", private).is_err());
        }
    }
}
