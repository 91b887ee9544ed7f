use super::*;
use crate::{
    base::{
        id::{ContentId, ModSeq},
        time::Time,
    },
    mail::{flag::Flags, summary::SummaryBuilder},
};

fn threads(algorithm: ThreadAlgorithm, headers: &[&str]) -> String {
    let mut threading = Threading::new(algorithm, Digest::new([1; 16]));
    for (number, header) in (1..).zip(headers) {
        let row = Message {
            flags: Flags(0),
            keywords: Vec::new(),
            modseq: ModSeq(1),
            size: 1,
            date: Time(i64::from(number)),
            content: ContentId(1),
        };
        let mut builder = SummaryBuilder::new();
        builder.push(header.replace('\n', "\r\n").as_bytes());
        threading.take(number, &row, &builder.finish().head);
    }
    String::from_utf8(threading.answer())
        .unwrap()
        .trim_end()
        .to_owned()
}

#[test]
fn by_references() {
    for (headers, want) in [
        (&[][..], "* THREAD"),
        (&["Message-ID: <a@x>\n\n"], "* THREAD (1)"),
        // RFC 5256 section 3: In-Reply-To only where there are no References, and its first one.
        (
            &[
                "Message-ID: <a@x>\n\n",
                "Message-ID: <b@x>\nIn-Reply-To: <a@x> <c@x>\n\n",
            ],
            "* THREAD (1 2)",
        ),
        (
            &[
                "Message-ID: <a@x>\n\n",
                "Message-ID: <b@x>\n\n",
                "References: <a@x>\nIn-Reply-To: <b@x>\n\n",
            ],
            "* THREAD (1 3)(2)",
        ),
        (
            &[
                "Message-ID: <a@x>\n\n",
                "References: none\nIn-Reply-To: <\"a\"@x>\n\n",
            ],
            "* THREAD (1 2)",
        ),
        (
            &[
                "References: <a@x>\n\n",
                "References: <a@x>\n\n",
                "Subject: x\n\n",
            ],
            "* THREAD ((1)(2))(3)",
        ),
        (
            &[
                "Message-ID: <1>\n\n",
                "References: <1>\nMessage-ID: <2>\n\n",
                "References: <2>\n\n",
                "References: <2>\n\n",
                "References: <1>\n\n",
            ],
            "* THREAD (1 (2 (3)(4))(5))",
        ),
        (
            &[
                "Subject: Gr\u{f6}\u{df}e\n\n",
                "Subject: Re: GR\u{d6}SSE\n\n",
            ],
            "* THREAD (1 2)",
        ),
    ] {
        assert_eq!(
            threads(ThreadAlgorithm::References, headers),
            want,
            "{headers:?}"
        );
    }
}

#[test]
fn by_subject() {
    let headers = [
        "Subject: b\n\n",
        "Subject: a\n\n",
        "Subject: re: B\n\n",
        "Subject: [x] b\n\n",
        "Message-ID: <1>\n\n",
    ];
    assert_eq!(
        threads(ThreadAlgorithm::OrderedSubject, &headers),
        "* THREAD (1 (3)(4))(2)(5)"
    );
}

/// A thread as deep as the folder is long.
#[test]
fn deep() {
    let mut builder = Builder::new();
    for number in 1..=100_000 {
        let message = thread::Message {
            number,
            id: Some(u64::from(number)),
            ..thread::Message::default()
        };
        builder.push(message, &[u64::from(number) - 1]);
    }
    let threading = Threading {
        builder,
        ..Threading::new(ThreadAlgorithm::References, Digest::new([1; 16]))
    };
    let answer = String::from_utf8(threading.answer()).unwrap();
    assert!(answer.starts_with("* THREAD (1 2 3 4 ") && answer.ends_with(" 99999 100000)\r\n"));
}
