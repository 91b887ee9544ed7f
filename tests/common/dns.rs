//! Answers to DNS questions from a zone text: for simulated worlds, and for `name_server` on loopback.
//! Uses nothing of ours, so that it does not repeat our mistakes.
//!
//! A line is `NAME [TTL] TYPE WORDS`, or `NAME WORD` for what happens to questions about that name;
//! `*` is every name that has no line of its own. `#` begins a comment. A name without any line is
//! NXDOMAIN.
//!
//! | type or word | what |
//! |---|---|
//! | `A`, `AAAA`, `CNAME`, `PTR` | address or name |
//! | `MX` | `10 mx.home.test`; `0 .` is a null MX |
//! | `TXT` | text; `\|` parts its strings |
//! | `TLSA` | `3 1 1 HEX` |
//! | `SOA` | minimum TTL of what is not there in this zone; else 300 |
//! | `EMPTY` | the name is there and has nothing |
//! | `AD` | authenticated |
//! | `NXDOMAIN`, `SERVFAIL`, `REFUSED`, `NOTIMP`, `FORMERR` | that response code |
//! | `DROP`, `DROP-A`, `DROP-AAAA`, `DROP-MX` | no answer, or none to that type |
//! | `DELAY N` | the answer comes N milliseconds later |
//! | `TC` | too much for a datagram |
//! | `WRONG-ID`, `FORGED` | only a wrong id; forged ones before the right one |
//! | `LOWERCASE` | the case of the name is lost |
//! | `NOEDNS` | FORMERR to questions with EDNS |
//! | `GARBAGE` | a message that cannot be read |
//! | `LAME` | says whom else to ask |
//! | `PARTIAL` | an alias is not followed |

use std::collections::BTreeMap;
use std::net::IpAddr;

#[derive(Clone, Debug, Default)]
pub struct Zone {
    names: BTreeMap<String, Vec<Row>>,
    minimum: Option<u32>,
}

#[derive(Clone, Debug)]
struct Row {
    ttl: u32,
    word: String,
    rest: Vec<String>,
}

/// What is sent back, and how much later in milliseconds.
#[derive(Clone, Debug, Default)]
#[allow(dead_code, reason = "each test uses a part")]
pub struct Sent {
    pub after: u64,
    pub messages: Vec<Vec<u8>>,
}

/// A question as it came.
#[derive(Clone, Debug)]
#[allow(dead_code, reason = "each test uses a part")]
pub struct Asked {
    /// In lower case.
    pub name: String,
    pub kind: u16,
    pub edns: bool,
    /// DO.
    pub dnssec: bool,
}

const KINDS: [(&str, u16); 7] = [
    ("A", 1),
    ("CNAME", 5),
    ("PTR", 12),
    ("MX", 15),
    ("TXT", 16),
    ("AAAA", 28),
    ("TLSA", 52),
];
const CODES: [(&str, u8); 5] = [
    ("FORMERR", 1),
    ("SERVFAIL", 2),
    ("NXDOMAIN", 3),
    ("NOTIMP", 4),
    ("REFUSED", 5),
];

#[allow(dead_code, reason = "each test uses a part")]
impl Zone {
    pub fn parse(text: &str) -> Self {
        let mut zone = Self::default();
        for line in text.lines() {
            zone.add(line);
        }
        zone
    }

    /// One more line.
    pub fn add(&mut self, line: &str) {
        let line = line.split('#').next().unwrap_or_default();
        let mut words = line.split_whitespace();
        let Some(name) = words.next() else { return };
        let mut word = words.next().unwrap_or_else(|| panic!("{line}: no type"));
        let mut ttl = 300;
        if let Ok(number) = word.parse() {
            ttl = number;
            word = words.next().unwrap_or_else(|| panic!("{line}: no type"));
        }
        let rest: Vec<_> = words.map(ToOwned::to_owned).collect();
        if word == "SOA" {
            self.minimum = Some(rest[0].parse().unwrap());
        }
        let row = Row {
            ttl,
            word: word.to_owned(),
            rest,
        };
        self.names.entry(name.to_lowercase()).or_default().push(row);
    }

    /// The name has nothing from now on.
    pub fn remove(&mut self, name: &str) {
        self.names.remove(name);
    }

    /// The right answer; empty if there is none.
    pub fn answer(&self, query: &[u8]) -> Vec<u8> {
        let mut sent = self.respond(query, true);
        sent.messages.pop().unwrap_or_default()
    }

    /// What comes of a question.
    pub fn respond(&self, query: &[u8], tcp: bool) -> Sent {
        let Some(asked) = asked(query) else {
            return Sent::default();
        };
        let rows = self.rows(&asked.name);
        let has = |word: &str| rows.iter().any(|row| row.word == word);
        let dropped = KINDS
            .iter()
            .any(|(name, code)| *code == asked.kind && has(&format!("DROP-{name}")));
        if dropped || has("DROP") {
            return Sent::default();
        }
        let delay = rows.iter().find(|row| row.word == "DELAY");
        let after = delay.map_or(0, |row| row.rest[0].parse().unwrap());
        let mut messages = vec![];
        if has("FORGED") {
            let mut forged = self.message(query, &asked, tcp);
            forged[1] ^= 0x55;
            messages.push(forged);
            messages.push(vec![1, 2, 3]);
            let mut other = self.message(query, &asked, tcp);
            other[14] ^= 3;
            messages.push(other);
        }
        let mut right = self.message(query, &asked, tcp);
        if has("WRONG-ID") {
            right[0] ^= 0x10;
        }
        if has("GARBAGE") {
            right[7] = 9;
            right.truncate(question_end(query));
        }
        messages.push(right);
        Sent { after, messages }
    }

    fn rows(&self, name: &str) -> &[Row] {
        let found = self.names.get(name).or_else(|| self.names.get("*"));
        found.map_or(&[], Vec::as_slice)
    }

    fn message(&self, query: &[u8], asked: &Asked, tcp: bool) -> Vec<u8> {
        let rows = self.rows(&asked.name);
        let has = |word: &str| rows.iter().any(|row| row.word == word);
        let code = CODES.iter().find(|(word, _)| has(word));
        let mut code = code.map_or(0, |(_, code)| *code);
        if rows.is_empty() {
            code = 3;
        }
        if has("NOEDNS") && asked.edns {
            code = 1;
        }
        let mut answers = vec![];
        let mut name = asked.name.clone();
        for _ in 0..12 {
            let of = |kind: u16| {
                let rows = self.rows(&name).iter();
                rows.filter(move |row| KINDS.contains(&(row.word.as_str(), kind)))
            };
            for row in of(asked.kind) {
                answers.push((name.clone(), asked.kind, row.ttl, row.data()));
            }
            let Some(alias) = of(5).next().filter(|_| asked.kind != 5) else {
                break;
            };
            answers.push((name.clone(), 5, alias.ttl, alias.data()));
            name = alias.rest[0].to_lowercase();
            if self.rows(&name).is_empty() && code == 0 {
                code = if has("PARTIAL") { 0 } else { 3 };
            }
            if has("PARTIAL") {
                break;
            }
        }
        let cut = has("TC") && !tcp;
        if matches!(code, 1 | 2 | 4 | 5) || cut || has("LAME") {
            answers.clear();
        }
        let ends = answers.iter().any(|(_, kind, ..)| *kind == asked.kind);
        let soa = !ends && matches!(code, 0 | 3) && !cut && !has("LAME") && !has("PARTIAL");
        let mut out = query[..question_end(query)].to_vec();
        out[2] = 0x81 | if cut { 2 } else { 0 };
        out[3] = code | if has("LAME") { 0 } else { 0x80 } | if has("AD") { 0x20 } else { 0 };
        out[4..12].copy_from_slice(&[0; 8]);
        out[5] = 1;
        out[7] = u8::try_from(answers.len()).unwrap();
        out[9] = u8::from(soa);
        if has("LOWERCASE") {
            out[12..].make_ascii_lowercase();
        }
        for (owner, kind, ttl, data) in answers {
            // Half of all servers compress, and so do we.
            if owner == asked.name {
                out.extend([0xc0, 0x0c]);
            } else {
                out.extend(wire(&owner));
            }
            record(&mut out, kind, ttl, &data);
        }
        if soa {
            out.extend(wire("test"));
            let mut data = [wire("ns.test"), wire("root.test")].concat();
            for number in [1, 2, 3, 4, self.minimum.unwrap_or(300)] {
                data.extend(number.to_be_bytes());
            }
            record(&mut out, 6, 86_400, &data);
        }
        out
    }
}

impl Row {
    fn data(&self) -> Vec<u8> {
        let word = |at: usize| self.rest[at].as_str();
        match self.word.as_str() {
            "A" | "AAAA" => match word(0).parse().unwrap() {
                IpAddr::V4(ip) => ip.octets().to_vec(),
                IpAddr::V6(ip) => ip.octets().to_vec(),
            },
            "MX" => {
                let preference: u16 = word(0).parse().unwrap();
                [preference.to_be_bytes().to_vec(), wire(word(1))].concat()
            }
            "TXT" => {
                let text = self.rest.join(" ");
                let string = |text: &str| {
                    let length = u8::try_from(text.len()).unwrap();
                    [&[length], text.as_bytes()].concat()
                };
                text.split('|').flat_map(string).collect()
            }
            "TLSA" => {
                let mut data: Vec<u8> = (0..3).map(|at| word(at).parse().unwrap()).collect();
                let hex = word(3).as_bytes().chunks(2);
                let octet =
                    |pair: &[u8]| u8::from_str_radix(str::from_utf8(pair).unwrap(), 16).unwrap();
                data.extend(hex.map(octet));
                data
            }
            _ => wire(word(0)),
        }
    }
}

fn record(out: &mut Vec<u8>, kind: u16, ttl: u32, data: &[u8]) {
    out.extend(kind.to_be_bytes());
    out.extend([0, 1]);
    out.extend(ttl.to_be_bytes());
    out.extend(u16::try_from(data.len()).unwrap().to_be_bytes());
    out.extend(data);
}

fn wire(name: &str) -> Vec<u8> {
    let mut out = vec![];
    for label in name.split('.').filter(|label| !label.is_empty()) {
        out.push(u8::try_from(label.len()).unwrap());
        out.extend(label.bytes());
    }
    out.push(0);
    out
}

/// Where the question ends.
fn question_end(query: &[u8]) -> usize {
    let mut at = 12;
    while query[at] != 0 {
        at += usize::from(query[at]) + 1;
    }
    at + 5
}

/// What is asked, if it is a question with one name.
pub fn asked(query: &[u8]) -> Option<Asked> {
    if query.len() < 17 || query[2] & 0x80 != 0 || query[5] != 1 {
        return None;
    }
    let (mut at, mut labels) = (12, vec![]);
    while *query.get(at)? != 0 {
        let end = at + 1 + usize::from(query[at]);
        let label = String::from_utf8_lossy(query.get(at + 1..end)?);
        labels.push(label.to_lowercase());
        at = end;
    }
    let kind = u16::from_be_bytes([*query.get(at + 1)?, *query.get(at + 2)?]);
    let edns = query[11] == 1;
    let dnssec = edns && query.get(at + 5 + 7).is_some_and(|flags| flags & 0x80 != 0);
    Some(Asked {
        name: labels.join("."),
        kind,
        edns,
        dnssec,
    })
}
