//! What comes back from a name server, and a machine's list of servers.

use pillarbox::net::resolve::message::{self, Kind, Query};
use pillarbox::net::resolve::system;

pub const WORDS: &[&str] = &[
    "\u{4}home\u{4}test\0",
    "\u{4}HoMe\u{4}test\0",
    "\0\0",
    "\0\u{1}",
    "\0\u{5}",
    "\0\u{6}",
    "\0\u{c}",
    "\0\u{f}",
    "\0\u{10}",
    "\0\u{1c}",
    "\0\u{29}",
    "\0\u{34}",
    "\0\u{1}\0\u{1}",
    "\u{3f}",
    "\u{7f}",
    "\\",
    "nameserver ",
    "fe80::1%eth0",
    "192.0.2.53",
    "\n",
];

const KINDS: [Kind; 6] = [
    Kind::A,
    Kind::Aaaa,
    Kind::Mx,
    Kind::Ptr,
    Kind::Tlsa,
    Kind::Txt,
];

pub fn run(data: &[u8]) {
    for kind in KINDS {
        let query = Query {
            id: 0x1234,
            name: "HoMe.test".to_owned(),
            kind,
            authentic: true,
            edns: true,
        };
        let Ok(response) = message::read(&query, data) else {
            continue;
        };
        assert!(response.records.len() <= data.len() / 10);
        let held: usize = response.records.iter().map(message::Data::size).sum();
        assert!(held <= 300 * data.len());
        if let Some(target) = &response.target {
            assert!(target.len() <= 4 * message::NAME_MAX && target.is_ascii());
        }
    }
    let _ = message::name_said(data);
    let found = system::servers(&String::from_utf8_lossy(data), &|_| Some(1));
    assert!(found.len() <= 3);
}
