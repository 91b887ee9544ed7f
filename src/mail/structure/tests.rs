//! Messages as they come, cut anywhere.

use proptest::prelude::*;

use super::*;

fn scan(content: &[u8], cut: usize) -> Structure<'static> {
    let mut scanner = Scanner::new();
    for piece in content.chunks(cut) {
        scanner.push(piece);
    }
    scanner.finish()
}

fn whole(content: &[u8]) -> Structure<'static> {
    scan(content, content.len().max(1))
}

/// One line for each part: type, body, line ends in it; indented by depth.
fn show(content: &[u8], node: Node<'_, '_>, depth: usize, out: &mut Vec<String>) {
    let at = |n: u64| usize::try_from(n).unwrap();
    let body = &content[at(node.body_start)..at(node.end)];
    out.push(format!(
        "{:depth$}{}/{} {:?} {}",
        "",
        node.kind.text(),
        node.subtype.text(),
        String::from_utf8_lossy(body),
        node.lines
    ));
    for child in node.children() {
        show(content, child, depth + 1, out);
    }
}

fn shown(content: &str) -> Vec<String> {
    let content = content.replace('\n', "\r\n");
    let structure = whole(content.as_bytes());
    for cut in [1, 2, 3, 7] {
        assert_eq!(scan(content.as_bytes(), cut), structure, "cut {cut}");
    }
    let mut out = vec![];
    show(content.as_bytes(), structure.root(), 0, &mut out);
    out
}

#[test]
fn no_multipart() {
    for (content, want) in [
        ("", r#"text/plain "" 0"#),
        ("A: b", r#"text/plain "" 0"#),
        ("A: b\n", r#"text/plain "" 0"#),
        ("A: b\n\n", r#"text/plain "" 0"#),
        ("\nbody", r#"text/plain "body" 0"#),
        ("A: b\n\nx\n\ny\n", r#"text/plain "x\r\n\r\ny\r\n" 3"#),
        (
            "Content-Type: text/HTML; charset=utf-8\n\nx",
            r#"text/HTML "x" 0"#,
        ),
        ("Content-Type: junk\n\nx", r#"text/plain "x" 0"#),
        (
            "Content-Type: multipart/mixed\n\nx",
            r#"application/octet-stream "x" 0"#,
        ),
    ] {
        assert_eq!(shown(content), [want], "{content:?}");
    }
}

#[test]
fn parts_in_parts() {
    let content = "Content-Type: multipart/mixed; boundary=\"o\"\n\n\
        preamble\n\
        --o\n\n\
        one\n\
        --o   \n\
        Content-Type: multipart/alternative; boundary=o-i\n\n\
        --o-i\nContent-Type: text/html\n\n<p>\n\n\
        --o-i\n\n\
        --o-i--\n\
        --o-i\n\
        epilogue\n\
        --o\nA: no body\n\
        --o\n\
        --o--\n\
        --o\nepilogue\n";
    assert_eq!(
        shown(content)[1..],
        [
            r#" text/plain "one" 0"#,
            " multipart/alternative \"--o-i\\r\\nContent-Type: text/html\\r\\n\\r\\n<p>\\r\\n\\r\\n\
             --o-i\\r\\n\\r\\n--o-i--\\r\\n--o-i\\r\\nepilogue\" 9",
            r#"  text/html "<p>\r\n" 1"#,
            r#"  text/plain "" 0"#,
            r#" text/plain "" 0"#,
            r#" text/plain "" 0"#,
        ]
    );
}

#[test]
fn a_parent_ends_what_its_child_left_open() {
    let content = "Content-Type: multipart/mixed; boundary=a\n\n\
        --a\nContent-Type: multipart/mixed; boundary=b\n\n\
        --b\n\nx\n\
        --a\n\ny";
    assert_eq!(
        shown(content)[1..],
        [
            r#" multipart/mixed "--b\r\n\r\nx" 2"#,
            r#"  text/plain "x" 0"#,
            r#" text/plain "y" 0"#,
        ]
    );
}

#[test]
fn boundaries_that_look_alike() {
    // The inner one is the outer one's end, or the very same.
    let content = "Content-Type: multipart/mixed; boundary=a\n\n\
        --a\nContent-Type: multipart/mixed; boundary=a--\n\n\
        --a--\n\nx\n--a----\n\
        --a\nContent-Type: multipart/mixed; boundary=a\n\n\
        --a\n\ny\n--a--\n--a\n\nz\n--a--\n--a\n";
    assert_eq!(
        shown(content)[1..],
        [
            r#" multipart/mixed "--a--\r\n\r\nx\r\n--a----" 3"#,
            r#"  text/plain "x" 0"#,
            r#" multipart/mixed "--a\r\n\r\ny\r\n--a--" 3"#,
            r#"  text/plain "y" 0"#,
            r#" text/plain "z" 0"#,
        ]
    );
}

#[test]
fn messages_in_messages() {
    let content = "Content-Type: multipart/digest; boundary=d\n\n\
        --d\n\nSubject: one\nFrom: a@b\n\nfirst\n\
        --d\nContent-Type: message/rfc822\n\n\
        Subject: two\nContent-Type: multipart/mixed; boundary=e\n\n\
        --e\n\nsecond\n--e--\n\
        --d\n\
        --d\nContent-Type: text/plain\n\nthird\n--d--\n";
    let lines = shown(content);
    assert_eq!(
        lines[1],
        " message/rfc822 \"Subject: one\\r\\nFrom: a@b\\r\\n\\r\\nfirst\" 3"
    );
    assert_eq!(lines[2], "  text/plain \"first\" 0");
    assert_eq!(
        lines[4],
        "  multipart/mixed \"--e\\r\\n\\r\\nsecond\\r\\n--e--\" 3"
    );
    assert_eq!(lines[5], "   text/plain \"second\" 0");
    assert_eq!(lines[6], " message/rfc822 \"\" 0");
    assert_eq!(lines[7], "  text/plain \"\" 0");
    assert_eq!(lines[8], " text/plain \"third\" 0");

    let content = content.replace('\n', "\r\n");
    let structure = whole(content.as_bytes());
    let subject = |path: &[u32]| match &structure.section(path)?.body {
        Body::Message(envelope) => Some(envelope.subject.as_ref()?.text().into_owned()),
        _ => None,
    };
    assert_eq!(subject(&[1]).unwrap(), "one");
    assert_eq!(subject(&[2]).unwrap(), "two");
    let kind = |path: &[u32]| Some(structure.section(path)?.kind.text().into_owned());
    for (path, want) in [
        (&[][..], Some("multipart")),
        (&[1, 1], Some("text")),
        (&[1, 2], None),
        (&[2, 1], Some("text")),
        (&[2, 1, 1], None),
        (&[2, 2], None),
        (&[4], Some("text")),
        (&[5], None),
        (&[0], None),
    ] {
        assert_eq!(kind(path).as_deref(), want, "{path:?}");
    }
    assert!(
        structure
            .section(&[2])
            .unwrap()
            .message()
            .unwrap()
            .is("Multipart", "Mixed")
    );
}

#[test]
fn a_message_that_is_one() {
    let content = b"Content-Type: message/rfc822\r\n\r\nSubject: in\r\n\r\nbody";
    let structure = whole(content);
    let outer = structure.section(&[1]).unwrap();
    assert!(matches!(&outer.body, Body::Message(e) if e.subject.as_deref() == Some(b"in")));
    let inner = structure.section(&[1, 1]).unwrap();
    assert!(inner.is("text", "plain"));
    assert_eq!((inner.header(), inner.content()), (32..47, 47..51));
}

#[test]
fn what_a_header_says() {
    let structure = whole(
        b"Content-Type: text/plain;\r\n charset=\"utf-8\"; format=flowed\r\n\
          content-type: text/html\r\n\
          Content-ID: <1@a>\r\n\
          Content-Description: a\r\n\tb\r\n\
          Content-Transfer-Encoding: Base64\r\n\
          Content-MD5: Q2hlY2s=\r\n\
          Content-Disposition: attachment; filename*=utf-8''a\r\n\
          Content-Language: en, de\r\n\
          Content-Location: http://a.test/\r\n\r\n",
    );
    let part = structure.root();
    assert_eq!(part.parameter("CHARSET").unwrap().text(), "utf-8");
    assert_eq!(part.parameters.len(), 2);
    assert_eq!(part.id.as_ref().unwrap().text(), "<1@a>");
    assert_eq!(part.description.as_ref().unwrap().text(), "a\tb");
    assert_eq!(part.encoding.as_ref().unwrap().text(), "Base64");
    assert_eq!(part.md5.as_ref().unwrap().text(), "Q2hlY2s=");
    assert_eq!(part.language.len(), 2);
    assert_eq!(part.location.as_ref().unwrap().text(), "http://a.test/");
    let disposition = part.disposition.as_ref().unwrap();
    assert!(disposition.kind.is("attachment"));
    assert_eq!(disposition.parameters[0].1.text(), "utf-8''a");
}

#[test]
fn bare_line_ends_and_long_boundaries() {
    let boundary = "b".repeat(256);
    let content = format!(
        "Content-Type: multipart/mixed;\n boundary*0={};\n boundary*1={}\n\n--{boundary}\n\nx\n--{boundary}--",
        &boundary[..200],
        &boundary[200..],
    );
    let structure = whole(content.as_bytes());
    let part = structure.section(&[1]).unwrap();
    assert_eq!(part.size(), 1);
    let structure = whole(
        content
            .replace("b*", "b")
            .replace(&boundary, &"b".repeat(257))
            .as_bytes(),
    );
    assert_eq!(structure.parts().count(), 1);
}

#[test]
fn ten_thousand_levels() {
    let level = |n| format!("Content-Type: multipart/mixed; boundary=b{n}\r\n\r\n--b{n}\r\n");
    let content = (0..10_000).map(level).collect::<Vec<_>>().concat();
    let structure = whole(content.as_bytes());
    assert_eq!(structure.parts().count(), DEPTH_MAX);
    assert!(
        structure
            .parts()
            .last()
            .unwrap()
            .is("application", "octet-stream")
    );

    let content = "Content-Type: message/rfc822\r\n\r\n".repeat(10_000);
    let structure = whole(content.as_bytes());
    assert_eq!(structure.parts().count(), DEPTH_MAX);
}

#[test]
fn ten_thousand_parts() {
    let part = "--b\r\nContent-Type: a/b; x=y\r\n\r\nbody\r\n";
    let content = format!(
        "Content-Type: multipart/mixed; boundary=b\r\n\r\n{}--b--\r\n",
        part.repeat(10_000)
    );
    let structure = whole(content.as_bytes());
    assert_eq!(structure.parts().count(), PARTS_MAX);
    assert!(structure.parts().skip(1).all(|part| part.size() == 4));
}

#[test]
fn a_million_header_lines() {
    let content = format!("{}\r\nbody", "Content-Description: x\r\n".repeat(1_000_000));
    for cut in [4096, 7] {
        let structure = scan(content.as_bytes(), cut);
        assert_eq!(structure.root().size(), 4);
    }
    // Ten thousand envelopes of many addresses.
    let part = format!(
        "--b\r\nContent-Type: message/rfc822\r\n\r\nTo: {}\r\n\r\n",
        "a@b,".repeat(500)
    );
    let content = format!(
        "Content-Type: multipart/mixed; boundary=b\r\n\r\n{}",
        part.repeat(10_000)
    );
    let structure = whole(content.as_bytes());
    let kept: usize = structure
        .parts()
        .map(|part| match &part.body {
            Body::Message(envelope) => envelope.cost(),
            _ => 0,
        })
        .sum();
    assert!(kept <= 256 * 1024, "{kept}");
}

/// Mail-like lines, so that parts are really found.
fn mail_like() -> impl Strategy<Value = Vec<u8>> {
    let line = proptest::sample::select(vec![
        "",
        "\n",
        "\r\n",
        "\r\n\r\n",
        "\n\n",
        "\r",
        "-",
        "--",
        "x",
        "Subject: s",
        "To: a@b",
        "Content-Type: multipart/mixed; boundary=a\r\n\r\n",
        "\r\n--a\r\n",
        "\r\n--a--\r\n",
        "Content-Type: multipart/digest; boundary=b\r\n\r\n",
        "\r\n--b\n",
        "\n--b--\r\n",
        "Content-Type: message/rfc822\r\n\r\n",
        "Content-Type: text/html",
        "text body\r\n",
    ]);
    proptest::collection::vec(line, 0..40).prop_map(|lines| lines.concat().into_bytes())
}

/// Offsets lie within the part above and in order.
fn nested(node: Node<'_, '_>) -> bool {
    let mut from = node.body_start;
    node.header_start <= node.body_start
        && node.body_start <= node.end
        && node.children().all(|child| {
            let fits = child.header_start >= from && child.end <= node.end;
            from = child.end;
            fits && nested(child)
        })
}

proptest! {
    #[test]
    fn the_cut_makes_no_difference(content in mail_like(), cut in 1_usize..30) {
        let structure = whole(&content);
        prop_assert_eq!(&scan(&content, cut), &structure);
        prop_assert_eq!(&scan(&content, 1), &structure);
        prop_assert!(nested(structure.root()));
        prop_assert_eq!(structure.root().end, content.len() as u64);
        let lines = |range: Range<u64>| {
            let range = usize::try_from(range.start).unwrap()..usize::try_from(range.end).unwrap();
            content[range].split(|c| *c == b'\n').count() as u64 - 1
        };
        for part in structure.parts() {
            prop_assert_eq!(part.lines, lines(part.content()));
        }
    }

    #[test]
    fn any_octets(content: Vec<u8>) {
        prop_assert!(nested(whole(&content).root()));
    }
}
