//! The corpus `words-1`: messages like text that people write, the same for the same seed, number,
//! size and kind. Words come from `words-1.txt`, the frequent ones first and by Zipf's law; a
//! 4 KiB message deflates to about half (the header's hashes and host names count).

use std::fmt::Write as _;

use crate::{Failure, Options};

const WORDS: &str = include_str!("../words-1.txt");
/// Lines of text are at most this long, as mail programs wrap them.
const WRAP: usize = 72;
/// How much of an `attachment` message is text before the base64 part begins.
const TEXT_BEFORE: usize = 1024;
/// In `mixed`: every so many messages one has an attachment.
const ATTACHMENT_EVERY: usize = 10;
/// In `mixed`: messages of one conversation, each an answer to the one before.
const CONVERSATION: usize = 6;
/// In `mixed`: a word in the text of ten messages, far apart. It is not among the corpus' words.
const RARE: &str = "lighthouse";
const RARE_MESSAGES: usize = 10;

pub struct Corpus {
    words: Vec<&'static str>,
    /// Running sums of the words' weights.
    weights: Vec<u64>,
    kind: Kind,
    /// In `mixed`: how many messages there are.
    messages: usize,
    seed: u64,
    size: usize,
}

#[derive(Clone, Copy, Eq, PartialEq)]
enum Kind {
    /// A text, then random octets in base64: deflates to about three quarters.
    Attachment,
    /// What a folder of years looks like: conversations, dates over ten years, some attachments.
    Mixed,
    Text,
}

impl Corpus {
    pub fn named(options: &Options) -> Result<Self, Failure> {
        let name = options.text_or("corpus", "words-1");
        if name != "words-1" {
            return Err(format!("no such corpus: {name}").into());
        }
        let kind = match options.text_or("kind", "text") {
            "attachment" => Kind::Attachment,
            "mixed" => Kind::Mixed,
            "text" => Kind::Text,
            other => return Err(format!("no such kind: {other}").into()),
        };
        let words: Vec<&str> = WORDS.lines().collect();
        let mut sum = 0;
        let weights = (1..=words.len() as u64)
            .map(|rank| {
                sum += 1_000_000 / (rank + 1);
                sum
            })
            .collect();
        let (seed, size) = (options.number("seed", 1)?, options.number("size", 4096)?);
        Ok(Self {
            words,
            weights,
            kind,
            messages: options.number("messages", 1)?,
            seed,
            size,
        })
    }

    /// A message of exactly `size` octets (more if its header alone is longer), CRLF at each line's
    /// end and no line that begins with a dot.
    pub fn message(&self, number: usize) -> Vec<u8> {
        let mut random = Random::of(self.seed, number as u64);
        let attached = match self.kind {
            Kind::Attachment => true,
            Kind::Mixed => number % ATTACHMENT_EVERY == 3,
            Kind::Text => false,
        };
        let mut text = self.header(number, attached, &mut random);
        if self.kind == Kind::Mixed {
            let every = (self.messages / RARE_MESSAGES).max(1);
            if number % every == every / 2 {
                text.push_str(RARE);
                text.push_str("\r\n");
            }
        }
        let closing = "\r\n--part-words-1--\r\n";
        if attached && self.size > text.len() + 2 * TEXT_BEFORE {
            self.body(&mut text, TEXT_BEFORE, &mut random);
            text.push_str(
                "\r\n--part-words-1\r\nContent-Type: application/octet-stream; name=\"data.bin\"\r\n\
                 Content-Transfer-Encoding: base64\r\n\
                 Content-Disposition: attachment; filename=\"data.bin\"\r\n\r\n",
            );
            base64_lines(&mut text, self.size - closing.len(), &mut random);
            text.push_str(closing);
        } else {
            let left = self.size.saturating_sub(text.len());
            self.body(&mut text, left, &mut random);
        }
        text.into_bytes()
    }

    /// As much as a message of today has: two hops, a signature, and what its author's program wrote.
    fn header(&self, number: usize, attached: bool, random: &mut Random) -> String {
        let (first, last) = (self.word(random), self.word(random));
        let (host, day) = (self.word(random), 7 * (random.below(4) + 1));
        let time = format!(
            "{:02}:{:02}:{:02}",
            random.below(24),
            random.below(60),
            random.below(60)
        );
        let mut date = format!("Sat, {day} Nov 2026 {time} +0000");
        let mut subject = self.subject(random);
        let (a, b) = (random.next(), random.next());
        let mut id = format!("{b:016x}.{number}@{host}.away.test");
        let mut answers = String::new();
        if self.kind == Kind::Mixed {
            date = some_day(&time, random);
            id = self.id(number);
            let first = number - number % CONVERSATION;
            subject = self.subject(&mut Random::of(!self.seed, first as u64));
            if first < number {
                subject.insert_str(0, " Re:");
                let before: Vec<_> = (first..number)
                    .map(|n| format!("<{}>", self.id(n)))
                    .collect();
                answers = format!(
                    "In-Reply-To: {}\r\nReferences: {}\r\n",
                    before.last().map_or("", String::as_str),
                    before.join("\r\n "),
                );
            }
        }
        let mut text = String::with_capacity(self.size + 1024);
        let _ = write!(
            text,
            "Received: from {host}.away.test ({host}.away.test [192.0.2.{}])\r\n\
             \tby mx.away.test (Postfix) with ESMTPS id {a:012X}\r\n\
             \tfor <anna@home.test>; {date}\r\n\
             DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed; d=away.test; s=mail;\r\n\
             \tt={}; h=From:To:Subject:Date:Message-ID;\r\n\tb=",
            random.below(250) + 1,
            1_795_000_000 + random.below(1_000_000),
        );
        let end = text.len() + 180;
        base64_lines(&mut text, end, random);
        let content_type = if attached {
            "multipart/mixed; boundary=\"part-words-1\""
        } else {
            "text/plain; charset=utf-8; format=flowed"
        };
        let _ = write!(
            text,
            "\r\nMessage-ID: <{id}>\r\n\
             {answers}Date: {date}\r\n\
             MIME-Version: 1.0\r\n\
             User-Agent: Mozilla Thunderbird\r\n\
             To: Anna <anna@home.test>\r\n\
             Content-Language: en-GB\r\n\
             From: {first} {last} <{first}.{last}@away.test>\r\n\
             Subject:{subject}\r\n\
             Content-Type: {content_type}\r\n\
             Content-Transfer-Encoding: 8bit\r\n\r\n",
        );
        if attached {
            text.push_str("--part-words-1\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n");
        }
        text
    }

    fn subject(&self, random: &mut Random) -> String {
        let mut subject = String::new();
        for _ in 0..3 + random.below(6) {
            subject.push(' ');
            subject.push_str(self.word(random));
        }
        subject
    }

    /// The Message-ID of any message of `mixed`, so that others can refer to it.
    fn id(&self, number: usize) -> String {
        let random = Random::of(self.seed ^ 0x4944, number as u64).next();
        format!("{random:016x}.{number}@mail.away.test")
    }

    /// Exactly `length` octets of wrapped sentences, the last two of them CRLF.
    fn body(&self, text: &mut String, length: usize, random: &mut Random) {
        let end = text.len() + length.max(2) - 2;
        let (mut column, mut sentence) = (0, 0);
        while text.len() < end {
            let word = self.word(random);
            if column + word.len() + 2 > WRAP {
                text.push_str("\r\n");
                column = 0;
            } else if column > 0 {
                text.push(' ');
            }
            let start = text.len();
            text.push_str(word);
            if sentence == 0 {
                let capital = text[start..=start].to_ascii_uppercase();
                text.replace_range(start..=start, &capital);
                sentence = 5 + random.below(14);
            }
            sentence -= 1;
            if sentence == 0 {
                text.push(if random.below(6) == 0 { '?' } else { '.' });
                if random.below(5) == 0 {
                    text.push_str("\r\n\r\n");
                    column = 0;
                    continue;
                }
            } else if random.below(12) == 0 {
                text.push(',');
            }
            column += text.len() - start + 1;
        }
        text.truncate(end);
        // A cut through a CRLF would leave a bare CR.
        if text.ends_with('\r') {
            text.pop();
            text.push('x');
        }
        text.push_str("\r\n");
    }

    fn word(&self, random: &mut Random) -> &'static str {
        let total = self.weights.last().copied().unwrap_or(1);
        let pick = random.next() % total;
        let at = self.weights.partition_point(|sum| *sum <= pick);
        self.words.get(at).copied().unwrap_or("word")
    }
}

/// A day of ten years.
fn some_day(time: &str, random: &mut Random) -> String {
    const MONTHS: [&str; 12] = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ];
    let month = MONTHS[usize::try_from(random.below(12)).unwrap_or(0)];
    format!(
        "{} {month} {} {time} +0000",
        random.below(28) + 1,
        2017 + random.below(10)
    )
}

/// Random base64 in lines of 76 until the text is `end` octets long.
fn base64_lines(text: &mut String, end: usize, random: &mut Random) {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut column = 0;
    while text.len() < end {
        let mut bits = random.next();
        for _ in 0..10 {
            if column == 76 && text.len() + 3 <= end {
                text.push_str("\r\n ");
                // A folded line in a header begins with a space; in a body it does no harm.
                column = 0;
            }
            if text.len() == end {
                return;
            }
            text.push(char::from(DIGITS[(bits & 63) as usize]));
            bits >>= 6;
            column += 1;
        }
    }
}

/// SplitMix64: short, fast, the same everywhere.
struct Random(u64);

impl Random {
    /// A sequence of its own for each seed and number.
    fn of(seed: u64, number: u64) -> Self {
        let mut outer = Self(seed);
        let mut inner = Self(outer.next() ^ number);
        Self(inner.next())
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }
}
