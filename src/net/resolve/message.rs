//! DNS messages (RFC 1035 section 4): one question out, what answers it in. Text and octets only: no
//! IO, no clock. What a server sends is believed in nothing but its shape.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::{Mx, Tlsa};

/// What is asked for.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Kind {
    A,
    Aaaa,
    Mx,
    Ptr,
    Tlsa,
    Txt,
}

impl Kind {
    #[must_use]
    pub fn code(self) -> u16 {
        match self {
            Self::A => 1,
            Self::Aaaa => 28,
            Self::Mx => 15,
            Self::Ptr => 12,
            Self::Tlsa => 52,
            Self::Txt => 16,
        }
    }
}

const CNAME: u16 = 5;
const SOA: u16 = 6;
const OPT: u16 = 41;
const INTERNET: u16 = 1;

/// What we take in one datagram, in octets (RFC 9715, RFC 6891 section 6.2.3).
const DATAGRAM: u16 = 1232;
/// Longest name in text, without a final dot (RFC 1035 section 2.3.4 counts 255 on the wire).
pub const NAME_MAX: usize = 253;
/// Longest label in octets.
const LABEL_MAX: usize = 63;
/// Most labels, or pointers followed, in one name.
const STEPS_MAX: usize = 128;
/// Most records that are looked at in one message.
const RECORDS_MAX: usize = 512;

/// What a record says.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Data {
    A(Ipv4Addr),
    Aaaa(Ipv6Addr),
    /// Another name: of a CNAME or a PTR record.
    Name(String),
    Mx(Mx),
    Tlsa(Tlsa),
    /// The strings joined (RFC 7208 section 3.3).
    Txt(Vec<u8>),
}

impl Data {
    /// In octets, roughly.
    #[must_use]
    pub fn size(&self) -> usize {
        let held = match self {
            Self::A(_) | Self::Aaaa(_) => 0,
            Self::Name(name) => name.len(),
            Self::Mx(mx) => mx.host.len(),
            Self::Tlsa(tlsa) => tlsa.data.len(),
            Self::Txt(text) => text.len(),
        };
        held.saturating_add(size_of::<Self>())
    }
}

/// A question as it goes over the wire.
#[derive(Clone, Debug)]
pub struct Query {
    pub id: u16,
    /// In the mixed case that the answer has to repeat (0x20).
    pub name: String,
    pub kind: Kind,
    /// Whether the authentic-data bit is worth asking for.
    pub authentic: bool,
    /// With EDNS; some old servers refuse it.
    pub edns: bool,
}

impl Query {
    /// The message, without the length that TCP puts in front.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.name.len().saturating_add(29));
        out.extend(self.id.to_be_bytes());
        // RD; AD says that we understand it (RFC 6840 section 5.7).
        out.extend([0x01, if self.authentic { 0x20 } else { 0 }]);
        let additional = u8::from(self.edns);
        out.extend([0, 1, 0, 0, 0, 0, 0, additional]);
        for label in self.name.split('.').filter(|label| !label.is_empty()) {
            out.push(u8::try_from(label.len()).unwrap_or(0));
            out.extend(label.bytes());
        }
        out.push(0);
        out.extend(self.kind.code().to_be_bytes());
        out.extend(INTERNET.to_be_bytes());
        if self.edns {
            out.push(0);
            out.extend(OPT.to_be_bytes());
            out.extend(DATAGRAM.to_be_bytes());
            // DO (RFC 3225).
            let flags = if self.authentic { 0x80 } else { 0 };
            out.extend([0, 0, flags, 0, 0, 0]);
        }
        out
    }
}

/// Whether a text can be asked for: nothing that could be mistaken on the wire or in a log.
#[must_use]
pub fn is_name(text: &str) -> bool {
    let label = |label: &str| {
        (1..=LABEL_MAX).contains(&label.len())
            && label.bytes().all(|c| c.is_ascii_graphic() && c != b'\\')
    };
    text.len() <= NAME_MAX && text.split('.').all(label)
}

/// Why a message is no answer to a query.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Wrong {
    /// The right one but for the name's case: a server that folds it, or somebody who guesses.
    Case,
    /// Not ours, or cut short before that could be seen: passed over.
    Foreign,
    /// Ours, and cannot be read.
    Garbage,
}

/// What a server said.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Response {
    /// RFC 1035 section 4.1.1: 0 = no error, 3 = no such name.
    pub code: u8,
    /// There was more than fits into a datagram.
    pub cut: bool,
    pub authentic: bool,
    /// The server looks for what it does not know (RA).
    pub recursive: bool,
    /// The records that answer: of the kind asked for, at the end of the aliases.
    pub records: Vec<Data>,
    /// Where the aliases of this message lead, if there are any.
    pub target: Option<String>,
    /// How many they are.
    pub aliases: usize,
    /// In seconds: the least of all that was used.
    pub ttl: u32,
    /// An SOA record says that there is no more, and for how long (RFC 2308 section 5), in seconds.
    pub negative: Option<u32>,
}

impl Response {
    /// Nobody has this name, or the one that it is an alias of (RFC 6604 section 3).
    #[must_use]
    pub fn is_no_such_name(&self) -> bool {
        self.code == 3
    }

    /// From a server that looks for nothing on our behalf, and only says whom else to ask: that is no
    /// word on what is there.
    #[must_use]
    pub fn is_lame(&self) -> bool {
        let says = self.code != 0 || self.negative.is_some() || self.target.is_some();
        !says && self.records.is_empty() && !self.recursive
    }
}

/// The name in a message's question, as it is written there.
#[must_use]
pub fn name_said(octets: &[u8]) -> Option<String> {
    Reader { octets, at: 12 }.name()
}

/// Reads what came for `query`.
///
/// # Errors
///
/// [`Wrong`].
pub fn read(query: &Query, octets: &[u8]) -> Result<Response, Wrong> {
    let mut at = Reader { octets, at: 0 };
    let asked = question(query, &mut at).ok_or(Wrong::Foreign)?;
    let Question { header, same_case } = asked?;
    if !same_case {
        return Err(Wrong::Case);
    }
    let mut response = Response {
        code: header.flags & 0x0f,
        cut: header.cut,
        authentic: header.flags & 0x20 != 0,
        recursive: header.flags & 0x80 != 0,
        ..Response::default()
    };
    if response.cut {
        return Ok(response);
    }
    let records = records(&mut at, &header).ok_or(Wrong::Garbage)?;
    follow(query, records, &mut response);
    Ok(response)
}

struct Header {
    cut: bool,
    /// The fourth octet: AD and the response code.
    flags: u8,
    answers: u16,
    authorities: u16,
}

struct Question {
    header: Header,
    same_case: bool,
}

/// Header and question; `None` where they are not there.
fn question(query: &Query, at: &mut Reader<'_>) -> Option<Result<Question, Wrong>> {
    let id = at.two()?;
    let (high, low) = (at.one()?, at.one()?);
    let questions = at.two()?;
    let (answers, authorities, _) = (at.two()?, at.two()?, at.two()?);
    // QR, and the opcode of a query.
    let ours = id == query.id && high & 0xf8 == 0x80;
    let header = Header {
        cut: high & 0x02 != 0,
        flags: low,
        answers,
        authorities,
    };
    if ours && questions == 0 && matches!(low & 0x0f, 1 | 4 | 5) {
        // Servers that refuse leave the question out; the id alone says whose it is.
        return Some(Ok(Question {
            header: Header {
                answers: 0,
                authorities: 0,
                ..header
            },
            same_case: true,
        }));
    }
    let name = at.name()?;
    let same = at.two()? == query.kind.code() && at.two()? == INTERNET && questions == 1;
    if !ours || !same || !name.eq_ignore_ascii_case(&query.name) {
        return Some(Err(Wrong::Foreign));
    }
    let same_case = name == query.name;
    Some(Ok(Question { header, same_case }))
}

/// A record that may matter.
struct Record {
    /// In lower case.
    owner: String,
    ttl: u32,
    what: What,
}

enum What {
    Alias(String),
    Answer(u16, Data),
    /// With the least of its own TTL and its minimum (RFC 2308 section 5), in seconds.
    Negative(u32),
}

/// Those of the answer and the authority section; `None` where they cannot be read.
fn records(at: &mut Reader<'_>, header: &Header) -> Option<Vec<Record>> {
    let (answers, all) = (
        usize::from(header.answers),
        usize::from(header.answers).saturating_add(usize::from(header.authorities)),
    );
    let mut found = Vec::new();
    for number in 0..all.min(RECORDS_MAX) {
        let owner = at.name()?.to_ascii_lowercase();
        let (kind, class) = (at.two()?, at.two()?);
        let ttl = ttl(at.four()?);
        let length = usize::from(at.two()?);
        let end = at.at.checked_add(length)?;
        let inside = Reader {
            octets: at.octets.get(..end)?,
            at: at.at,
        };
        at.at = end;
        if class != INTERNET {
            continue;
        }
        let what = data(kind, inside, ttl);
        let wanted = match what {
            Some(What::Negative(_)) => number >= answers,
            Some(_) => number < answers,
            None => false,
        };
        if let Some(what) = what.filter(|_| wanted) {
            found.push(Record { owner, ttl, what });
        }
    }
    Some(found)
}

/// A TTL with its highest bit set is 0 (RFC 2181 section 8).
fn ttl(seconds: u32) -> u32 {
    if seconds > u32::MAX >> 1 { 0 } else { seconds }
}

/// One that cannot be read is passed over: the others may be fine.
fn data(kind: u16, mut at: Reader<'_>, own_ttl: u32) -> Option<What> {
    let data = match kind {
        1 => Data::A(Ipv4Addr::from(at.four()?)),
        28 => Data::Aaaa(Ipv6Addr::from(*at.rest().first_chunk()?)),
        12 => Data::Name(at.name()?.to_ascii_lowercase()),
        15 => Data::Mx(Mx {
            preference: at.two()?,
            host: at.name()?.to_ascii_lowercase(),
        }),
        16 => Data::Txt(strings(&mut at)?),
        52 => Data::Tlsa(Tlsa {
            usage: at.one()?,
            selector: at.one()?,
            matching: at.one()?,
            data: at.rest().to_vec(),
        }),
        CNAME => return Some(What::Alias(at.name()?.to_ascii_lowercase())),
        SOA => {
            let _ = (at.name()?, at.name()?);
            let _ = (at.four()?, at.four()?, at.four()?, at.four()?);
            return Some(What::Negative(ttl(at.four()?).min(own_ttl)));
        }
        _ => return None,
    };
    Some(What::Answer(kind, data))
}

fn strings(at: &mut Reader<'_>) -> Option<Vec<u8>> {
    let mut text = Vec::new();
    while !at.rest().is_empty() {
        let length = usize::from(at.one()?);
        let (piece, _) = at.rest().split_at_checked(length)?;
        text.extend_from_slice(piece);
        at.at = at.at.checked_add(length)?;
    }
    Some(text)
}

/// From the name asked for along the aliases to the records that answer.
fn follow(query: &Query, records: Vec<Record>, response: &mut Response) {
    let mut name = query.name.to_ascii_lowercase();
    let mut least = u32::MAX;
    while response.aliases <= super::ALIASES_MAX {
        let alias = records.iter().find_map(|record| match &record.what {
            What::Alias(target) if record.owner == name => Some((target, record.ttl)),
            _ => None,
        });
        let Some((target, ttl)) = alias else { break };
        least = least.min(ttl);
        name.clone_from(target);
        response.aliases = response.aliases.saturating_add(1);
        response.target = Some(name.clone());
    }
    for record in records {
        match record.what {
            What::Answer(kind, data) if kind == query.kind.code() && record.owner == name => {
                least = least.min(record.ttl);
                response.records.push(data);
            }
            What::Negative(ttl) => response.negative = Some(ttl),
            What::Alias(_) | What::Answer(..) => {}
        }
    }
    response.ttl = least;
}

/// Octets, and how far they are read.
struct Reader<'a> {
    octets: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    fn rest(&self) -> &'a [u8] {
        self.octets.get(self.at..).unwrap_or_default()
    }

    fn one(&mut self) -> Option<u8> {
        let octet = *self.octets.get(self.at)?;
        self.at = self.at.checked_add(1)?;
        Some(octet)
    }

    fn two(&mut self) -> Option<u16> {
        Some(u16::from_be_bytes([self.one()?, self.one()?]))
    }

    fn four(&mut self) -> Option<u32> {
        let octets = *self.rest().first_chunk()?;
        self.at = self.at.checked_add(4)?;
        Some(u32::from_be_bytes(octets))
    }

    /// A name in text, empty for the root. Octets that no host's name has are escaped as in zone
    /// files (RFC 1035 section 5.1); a pointer only leads back, so that it ends.
    fn name(&mut self) -> Option<String> {
        let mut text = String::new();
        let (mut at, mut after) = (self.at, None);
        let mut wire: usize = 1;
        for _ in 0..STEPS_MAX {
            let length = *self.octets.get(at)?;
            let next = at.checked_add(1)?;
            match length {
                0 => {
                    self.at = after.unwrap_or(next);
                    return Some(text);
                }
                1..=63 => {
                    let end = next.checked_add(usize::from(length))?;
                    wire = wire.checked_add(usize::from(length))?.checked_add(1)?;
                    if wire > 255 {
                        return None;
                    }
                    if !text.is_empty() {
                        text.push('.');
                    }
                    escape(self.octets.get(next..end)?, &mut text);
                    at = end;
                }
                0xc0.. => {
                    let low = *self.octets.get(next)?;
                    let to = (usize::from(length & 0x3f) << 8) | usize::from(low);
                    if to >= at {
                        return None;
                    }
                    after = after.or(next.checked_add(1));
                    at = to;
                }
                _ => return None,
            }
        }
        None
    }
}

fn escape(label: &[u8], text: &mut String) {
    for octet in label {
        match octet {
            b'.' | b'\\' => {
                text.push('\\');
                text.push(char::from(*octet));
            }
            0x21..=0x7e => text.push(char::from(*octet)),
            _ => {
                text.push('\\');
                for place in [100, 10, 1] {
                    text.push(char::from(b'0'.wrapping_add(octet / place % 10)));
                }
            }
        }
    }
}
