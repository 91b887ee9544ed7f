//! ENVELOPE, BODY and BODYSTRUCTURE (RFC 3501 section 7.4.2).

use super::write;
use crate::mail::{
    envelope::{Envelope, Mailbox},
    octets::Octets,
    structure::{Body, Disposition, Node, Part, Structure},
};

/// The ten fields of an envelope.
pub fn envelope(out: &mut Vec<u8>, envelope: &Envelope<'_>) {
    out.push(b'(');
    nstring(out, envelope.date.as_ref());
    out.push(b' ');
    nstring(out, envelope.subject.as_ref());
    let lists = [
        envelope.from.as_slice(),
        envelope.sender_or_from(),
        envelope.reply_to_or_from(),
        &envelope.to,
        &envelope.cc,
        &envelope.bcc,
    ];
    for list in lists {
        out.push(b' ');
        mailboxes(out, list);
    }
    out.push(b' ');
    nstring(out, envelope.in_reply_to.as_ref());
    out.push(b' ');
    nstring(out, envelope.message_id.as_ref());
    out.push(b')');
}

fn mailboxes(out: &mut Vec<u8>, list: &[Mailbox<'_>]) {
    if list.is_empty() {
        return write::text(out, "NIL");
    }
    out.push(b'(');
    for mailbox in list {
        out.push(b'(');
        nstring(out, mailbox.name.as_ref());
        out.push(b' ');
        nstring(out, mailbox.route.as_ref());
        out.push(b' ');
        nstring(out, mailbox.local.as_ref());
        out.push(b' ');
        nstring(out, mailbox.host.as_ref());
        out.push(b')');
    }
    out.push(b')');
}

/// BODY: without extension data.
pub fn body(out: &mut Vec<u8>, structure: &Structure<'_>) {
    node(out, structure.root(), false);
}

/// BODYSTRUCTURE: with extension data.
pub fn body_structure(out: &mut Vec<u8>, structure: &Structure<'_>) {
    node(out, structure.root(), true);
}

/// As deep as structures are: `mail::structure::DEPTH_MAX`.
fn node(out: &mut Vec<u8>, node: Node<'_, '_>, extended: bool) {
    match node.part().body {
        Body::Multipart => multipart(out, node, extended),
        Body::Leaf | Body::Message(_) => single(out, node, extended),
    }
}

fn multipart(out: &mut Vec<u8>, multipart: Node<'_, '_>, extended: bool) {
    let part = multipart.part();
    out.push(b'(');
    let mut any = false;
    for child in multipart.children() {
        node(out, child, extended);
        any = true;
    }
    if !any {
        // The grammar wants at least one part.
        let empty = "(\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" 0 0)";
        write::text(out, empty);
    }
    out.push(b' ');
    write::string(out, &part.subtype);
    if extended {
        out.push(b' ');
        parameters(out, &part.parameters);
        tail(out, part);
    }
    out.push(b')');
}

fn single(out: &mut Vec<u8>, single: Node<'_, '_>, extended: bool) {
    let part = single.part();
    out.push(b'(');
    write::string(out, &part.kind);
    out.push(b' ');
    write::string(out, &part.subtype);
    out.push(b' ');
    parameters(out, &part.parameters);
    out.push(b' ');
    nstring(out, part.id.as_ref());
    out.push(b' ');
    nstring(out, part.description.as_ref());
    out.push(b' ');
    write::string(out, part.encoding.as_deref().unwrap_or(b"7bit"));
    out.push(b' ');
    write::number(out, part.size());
    if let (Body::Message(inner), Some(message)) = (&part.body, single.message()) {
        out.push(b' ');
        envelope(out, inner);
        out.push(b' ');
        node(out, message, extended);
        out.push(b' ');
        write::number(out, part.lines);
    } else if part.kind.is("text") {
        out.push(b' ');
        write::number(out, part.lines);
    }
    if extended {
        out.push(b' ');
        nstring(out, part.md5.as_ref());
        tail(out, part);
    }
    out.push(b')');
}

/// Disposition, language and location.
fn tail(out: &mut Vec<u8>, part: &Part<'_>) {
    out.push(b' ');
    match &part.disposition {
        Some(Disposition {
            kind,
            parameters: list,
        }) => {
            out.push(b'(');
            write::string(out, kind);
            out.push(b' ');
            parameters(out, list);
            out.push(b')');
        }
        None => write::text(out, "NIL"),
    }
    out.push(b' ');
    match part.language.as_slice() {
        [] => write::text(out, "NIL"),
        [one] => write::string(out, one),
        several => write::list(out, several, |out, language| write::string(out, language)),
    }
    out.push(b' ');
    nstring(out, part.location.as_ref());
}

fn parameters(out: &mut Vec<u8>, list: &[(Octets<'_>, Octets<'_>)]) {
    if list.is_empty() {
        return write::text(out, "NIL");
    }
    out.push(b'(');
    for (at, (name, value)) in list.iter().enumerate() {
        if at > 0 {
            out.push(b' ');
        }
        write::string(out, name);
        out.push(b' ');
        write::string(out, value);
    }
    out.push(b')');
}

fn nstring(out: &mut Vec<u8>, octets: Option<&Octets<'_>>) {
    write::nstring(out, octets.map(|octets| &**octets));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mail::summary::SummaryBuilder;

    fn rendered(message: &str) -> [String; 3] {
        let mut builder = SummaryBuilder::new();
        builder.push(message.replace('\n', "\r\n").as_bytes());
        let summary = builder.finish();
        let mut out = [vec![], vec![], vec![]];
        envelope(&mut out[0], &summary.envelope());
        body(&mut out[1], &summary.structure);
        body_structure(&mut out[2], &summary.structure);
        out.map(|octets| String::from_utf8(octets).unwrap())
    }

    #[test]
    fn a_plain_message() {
        let [envelope, body, _] = rendered(
            "Date: Sat, 21 Nov 2026 14:53:35 +0000\nFrom: Ann <ann@away.test>\nTo: ben@home.test\n\
             Subject: say \"hi\"\nMessage-ID: <1@away.test>\n\nhello\n",
        );
        assert_eq!(
            envelope,
            "(\"Sat, 21 Nov 2026 14:53:35 +0000\" \"say \\\"hi\\\"\" \
             ((\"Ann\" NIL \"ann\" \"away.test\")) ((\"Ann\" NIL \"ann\" \"away.test\")) \
             ((\"Ann\" NIL \"ann\" \"away.test\")) ((NIL NIL \"ben\" \"home.test\")) NIL NIL NIL \
             \"<1@away.test>\")"
        );
        assert_eq!(
            body,
            "(\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" 7 1)"
        );
    }

    #[test]
    fn a_message_within_a_multipart() {
        let [_, body, structure] = rendered(
            "Content-Type: multipart/mixed; boundary=x\n\n--x\n\nhi\n--x\n\
             Content-Type: message/rfc822\n\nSubject: in\n\ndeep\n\n--x\n\
             Content-Type: image/png; name=a.png\nContent-Disposition: attachment; filename=a.png\n\
             Content-Transfer-Encoding: base64\n\nAAAA\n--x--\n",
        );
        assert!(body.starts_with("((\"text\" \"plain\""), "{body}");
        assert!(body.ends_with(" \"mixed\")"), "{body}");
        assert!(
            body.contains(
                "(\"message\" \"rfc822\" NIL NIL NIL \"7bit\" 21 (NIL \"in\" NIL NIL NIL"
            ),
            "{body}"
        );
        assert!(
            structure.contains(
                "(\"image\" \"png\" (\"name\" \"a.png\") NIL NIL \"base64\" 4 NIL \
                 (\"attachment\" (\"filename\" \"a.png\")) NIL NIL)"
            ),
            "{structure}"
        );
    }
}
