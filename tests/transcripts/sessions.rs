//! Sessions that nobody would write: commands right and wrong, mutated, pipelined and cut anywhere, two
//! at a time on one small mailbox, against session, service and store. Watched are panics, steps
//! without end, what is held, and whether what is told is whole. `FUZZ_ROUNDS=100 FUZZ_SEED=7` plays
//! more and others.

use std::env;

use pillarbox::net::world::World as _;

use crate::common::house::{House, Protocol};
use crate::common::pump::Connection;

/// Sessions of one house, and houses.
const SESSIONS: u64 = 12;
const HOUSES: u64 = 4;
/// The most octets that one answer may bring at once: a slice, and what its last row adds.
const HELD_MAX: usize = 256 << 10;

/// Commands without tag and line end; `~` in front: whole lines, as they are.
const COMMANDS: &[&str] = &[
    "NOOP",
    "CAPABILITY",
    "SELECT INBOX",
    "EXAMINE inbox (CONDSTORE)",
    "SELECT INBOX (QRESYNC (1 2 1:9 (1,3 1,3)))",
    "ENABLE QRESYNC",
    "ENABLE UTF8=ACCEPT CONDSTORE",
    "FETCH 1:* (FLAGS UID MODSEQ)",
    "FETCH 1:3 FULL",
    "FETCH * (BODY[] BODY.PEEK[HEADER.FIELDS (Subject X-No)] BODY[1.2.MIME]<0.7>)",
    "FETCH 1:* (BINARY.PEEK[1]<2.9> BINARY.SIZE[2] BODYSTRUCTURE)",
    "UID FETCH 1:* (FLAGS) (CHANGEDSINCE 2 VANISHED)",
    "UID FETCH $ ENVELOPE",
    "STORE 1:2 +FLAGS.SILENT (\\Deleted $Work)",
    "UID STORE 1:* (UNCHANGEDSINCE 3) FLAGS (\\Seen)",
    "STORE 2 -FLAGS \\Deleted",
    "EXPUNGE",
    "UID EXPUNGE 1:3",
    "COPY 1:* INBOX",
    "UID MOVE 2 Archive",
    "SEARCH RETURN (SAVE MIN COUNT) OR SUBJECT a NOT BODY hello",
    "UID SEARCH CHARSET iso-8859-1 TEXT x YOUNGER 9 OLDER 3",
    "SEARCH $ MODSEQ 2",
    "SORT (REVERSE DATE SUBJECT) UTF-8 ALL",
    "UID THREAD REFERENCES UTF-8 1:*",
    "THREAD ORDEREDSUBJECT us-ascii UNDELETED",
    "LIST (SUBSCRIBED RECURSIVEMATCH) \"\" (% a*) RETURN (STATUS (MESSAGES SIZE) SPECIAL-USE)",
    "LSUB \"\" *",
    "CREATE a/b&AOQ-/c",
    "RENAME a b",
    "RENAME INBOX old",
    "DELETE b",
    "SUBSCRIBE a/x",
    "STATUS INBOX (MESSAGES RECENT UNSEEN UIDNEXT DELETED DELETED-STORAGE HIGHESTMODSEQ APPENDLIMIT)",
    "GETQUOTAROOT INBOX",
    "SETQUOTA \"\" (STORAGE 9)",
    "ID (\"name\" NIL)",
    "NAMESPACE",
    "COMPRESS DEFLATE",
    "CLOSE",
    "UNSELECT",
    "CHECK",
    "IDLE",
    "~DONE",
    "APPEND INBOX (\\Seen) {26+}\r\nSubject: a\r\n\r\nhello world\r\n",
    "APPEND INBOX {3+}\r\nabc \"17-Jul-1996 02:44:25 -0700\" ~{4+}\r\na\0bc UTF8 (~{2+}\r\nab)",
    "APPEND nowhere {3+}\r\nabc",
    "APPEND INBOX {3}\r\nabc {0}",
    "SELECT {5+}\r\ninbox",
    "SEARCH SUBJECT {3+}\r\na\0b",
    "LOGIN a b",
    "AUTHENTICATE PLAIN",
    "~*",
    "~",
    "LOGOUT",
];

const BITS: &[&str] = &[
    " ",
    "(",
    ")",
    "\"",
    "{3+}\r\n",
    "{9}\r\n",
    "\r\n",
    "\0",
    "*",
    "$",
    ":",
    ",",
    "1",
    "4294967295",
    "[",
    "]",
    "<0.1>",
    "\\",
    "&",
    "\u{fc}",
    "ALL",
    "NOT ",
    "UID ",
    "INBOX",
    "\"a",
    "%",
    "~",
];

const MESSAGES: &[&[u8]] = &[
    b"Subject: a\r\n\r\nhello\r\n",
    b"From: a@b\r\nSubject: =?utf-8?q?=C3=BC?=\r\nContent-Type: multipart/mixed; boundary=x\r\n\r\n\
      --x\r\n\r\none\r\n--x\r\nContent-Transfer-Encoding: base64\r\n\r\nAAAA\r\n--x--\r\n",
    b"",
    b"\xff\xfe: \r\n\r\n\0",
];

/// Numbers that are the same for the same seed.
struct Dice(u64);

impl Dice {
    fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        let n = u64::try_from(n.max(1)).unwrap();
        usize::try_from(self.0 % n).unwrap()
    }

    fn of<'a, T: ?Sized>(&mut self, all: &[&'a T]) -> &'a T {
        all[self.below(all.len())]
    }

    /// One command, a little wrong in one of three.
    fn command(&mut self) -> Vec<u8> {
        let text = self.of(COMMANDS);
        let mut octets = match text.strip_prefix('~') {
            Some(line) => line.as_bytes().to_vec(),
            None => format!("t{} {text}", self.below(100)).into_bytes(),
        };
        if self.below(3) == 0 {
            for _ in 0..=self.below(3) {
                self.mutate(&mut octets);
            }
        }
        octets.extend(b"\r\n");
        octets
    }

    fn mutate(&mut self, octets: &mut Vec<u8>) {
        let at = self.below(octets.len() + 1);
        match self.below(4) {
            0 if at < octets.len() => drop(octets.remove(at)),
            1 => octets.truncate(at),
            2 => {
                let copied = octets[at..].to_vec();
                octets.extend(copied);
            }
            _ => {
                let bit = self.of(BITS).bytes();
                octets.splice(at..at, bit);
            }
        }
    }
}

/// How many octets of what was told are whole lines with their literals.
fn whole(told: &[u8]) -> usize {
    let mut at = 0;
    let mut start = 0;
    while let Some(n) = told[at..].iter().position(|c| *c == b'\n') {
        let line = &told[at..at + n];
        at += n + 1;
        let head = line.strip_suffix(b"}\r").and_then(|line| {
            let open = line.iter().rposition(|c| *c == b'{')?;
            std::str::from_utf8(&line[open + 1..])
                .ok()?
                .parse::<usize>()
                .ok()
        });
        match head {
            Some(size) if at + size > told.len() => return start,
            Some(size) => at += size,
            None => start = at,
        }
    }
    start
}

async fn play(house: &mut House, dice: &mut Dice, context: &str) {
    let now = house.world.now();
    let mut pair: Vec<Box<dyn Connection>> = vec![];
    for _ in 0..2 {
        let mut connection = house.connect(Protocol::Imap, None);
        connection
            .feed(now, b"l LOGIN a@home.test secret\r\n")
            .await;
        if dice.below(4) > 0 {
            connection.feed(now, b"s SELECT INBOX\r\n").await;
        }
        pair.push(connection);
    }
    let mut said = vec![];
    for _ in 0..=dice.below(14) {
        let which = dice.below(2);
        let mut octets = vec![];
        for _ in 0..=dice.below(3) {
            octets.extend(dice.command());
        }
        said.push(format!("{which}: {}", octets.escape_ascii()));
        let cut = [1, 5, 50, 9999][dice.below(4)];
        for piece in octets.chunks(cut) {
            pair[which].feed(now, piece).await;
        }
        if dice.below(8) == 0 {
            house.deliver("a@home.test", dice.of(MESSAGES)).await;
        }
        let other = &mut pair[1 - which];
        other.run(now).await;
    }
    for connection in &mut pair {
        connection.half_close();
        connection.run(now).await;
        let held = connection.held_most();
        assert!(
            held <= HELD_MAX,
            "{context}: {held} octets at once\n{said:#?}"
        );
        assert!(connection.is_closed(), "{context}: never ends\n{said:#?}");
        let told = connection.out();
        let rest = told[whole(told)..].escape_ascii();
        assert_eq!(rest.to_string(), "", "{context}: not whole\n{said:#?}");
    }
}

#[test]
fn sessions_of_any_kind() {
    let number = |key: &str| env::var(key).map_or(1, |text| text.parse().expect(key));
    let (seed, rounds): (u64, u64) = (number("FUZZ_SEED"), number("FUZZ_ROUNDS"));
    for round in 0..HOUSES * rounds {
        let mut dice = Dice((seed << 32 | round) ^ 0x9e37_79b9_7f4a_7c15);
        let executor = smol::LocalExecutor::new();
        smol::block_on(executor.run(async {
            let mut house = House::new();
            if round % 2 == 1 {
                house.option("slice_octets", "100").await;
            }
            let registry = house.registry();
            let _telling = executor.spawn(async move { registry.run().await });
            house.mailbox("a@home.test", "secret").await;
            for message in MESSAGES {
                house.deliver("a@home.test", message).await;
            }
            for session in 0..SESSIONS {
                let context = format!("seed {seed}, round {round}, session {session}");
                play(&mut house, &mut dice, &context).await;
            }
        }));
    }
}
