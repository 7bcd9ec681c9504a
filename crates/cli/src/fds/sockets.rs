//! The addresses of sockets, by their inode numbers, from the tables in `/proc/PID/net`.
//!
//! These are the tables of the network namespace of that process. A socket of another namespace, or of a family without
//! a table, keeps its `socket:[inode]`.

use std::collections::HashMap;
use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;

use super::row::Row;

/// The tables of internet sockets, which have the same columns.
const INTERNET: [&str; 6] = ["tcp", "tcp6", "udp", "udp6", "raw", "raw6"];

/// Replaces `socket:[inode]` by the address, if it is known.
pub(crate) fn name(rows: &mut [Row], tables: &Path) {
    let inode_of = |row: &Row| inode(row.target.as_deref()?);
    if !rows.iter().any(|row| inode_of(row).is_some()) {
        return;
    }
    let addresses = read(tables);
    for row in rows {
        let address = inode_of(row).and_then(|inode| addresses.get(&inode));
        row.target = address.cloned().or(row.target.take());
    }
}

fn inode(target: &str) -> Option<u64> {
    target.strip_prefix("socket:[")?.strip_suffix(']')?.parse().ok()
}

fn read(tables: &Path) -> HashMap<u64, String> {
    let text = |table| fs::read(tables.join(table)).unwrap_or_default();
    let mut addresses = HashMap::new();
    for table in INTERNET {
        let text = text(table);
        addresses.extend(String::from_utf8_lossy(&text).lines().filter_map(|line| internet(table, line)));
    }
    addresses.extend(String::from_utf8_lossy(&text("unix")).lines().filter_map(unix));
    addresses
}

/// Parses a line `sl local remote state queues timer retransmits uid timeout inode …`. Returns `None` for the heading.
fn internet(table: &str, line: &str) -> Option<(u64, String)> {
    let columns: Vec<&str> = line.split_ascii_whitespace().collect();
    let (local, remote) = (address(columns.get(1)?)?, address(columns.get(2)?)?);
    let inode = columns.get(9)?.parse().ok()?;
    let is_connected = remote.port() != 0 || !remote.ip().is_unspecified();
    let peer = if is_connected { format!(" -> {remote}") } else { String::new() };
    Some((inode, format!("{table} {local}{peer}")))
}

/// Parses `address:port` in hexadecimal. The address is in words of 32 bits, in the byte order of the host.
fn address(text: &str) -> Option<SocketAddr> {
    let (digits, port) = text.split_once(':')?;
    let words = digits.as_bytes().chunks(8).map(|word| {
        let word = std::str::from_utf8(word).ok()?;
        u32::from_str_radix(word, 16).ok().map(u32::to_ne_bytes)
    });
    let bytes = words.collect::<Option<Vec<_>>>()?.concat();
    let ip = match bytes.len() {
        4 => IpAddr::from(<[u8; 4]>::try_from(bytes).map(Ipv4Addr::from).ok()?),
        _ => IpAddr::from(<[u8; 16]>::try_from(bytes).map(Ipv6Addr::from).ok()?),
    };
    Some(SocketAddr::new(ip, u16::from_str_radix(port, 16).ok()?))
}

/// Parses a line `number: references protocol flags type state inode path`. The path can have spaces, or be missing.
fn unix(line: &str) -> Option<(u64, String)> {
    let mut rest = line;
    for _before_inode in 0..6 {
        rest = rest.trim_start().split_once(' ')?.1;
    }
    let (inode, path) = rest.trim_start().split_once(' ')?;
    Some((inode.parse().ok()?, format!("unix {path}")))
}

#[cfg(all(test, target_endian = "little"))]
mod tests {
    use super::*;

    #[test]
    fn internet_tables_are_parsed_to_addresses() {
        let end = "00000000:00000000 00:00000000 00000000     0        0 4242 1 0000000000000000";
        let cases = [
            ("tcp", "0100007F:1F90 00000000:0000 0A", "tcp 127.0.0.1:8080"),
            ("tcp", "0100007F:1F90 0200000A:0035 01", "tcp 127.0.0.1:8080 -> 10.0.0.2:53"),
            ("raw", "0100007F:0001 0200000A:0000 01", "raw 127.0.0.1:1 -> 10.0.0.2:0"),
            (
                "udp6",
                "00000000000000000000000001000000:0035 00000000000000000000000000000000:0000 07",
                "udp6 [::1]:53",
            ),
        ];
        for (table, columns, address) in cases {
            assert_eq!(internet(table, &format!("   0: {columns} {end}")), Some((4242, address.into())));
        }
        assert_eq!(
            internet("tcp", "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when"),
            None
        );
        assert_eq!(internet("tcp", "   0: 0100007F:1F90 zz:0000 0A 0 0 0 0 0 4242"), None);
    }

    #[test]
    fn unix_table_is_parsed_to_paths() {
        let cases = [
            (
                "0000000000000000: 00000002 00000000 00010000 0001 01  4242 /run/a b",
                Some((4242, "unix /run/a b".into())),
            ),
            (
                "0000000000000000: 00000002 00000000 00010000 0001 01 42425 @abstract",
                Some((42425, "unix @abstract".into())),
            ),
            ("0000000000000000: 00000003 00000000 00000000 0001 03  4242", None),
            ("Num       RefCount Protocol Flags    Type St Inode Path", None),
        ];
        for (line, address) in cases {
            assert_eq!(unix(line), address, "{line}");
        }
    }
}
