//! ENVELOPE, BODY and BODYSTRUCTURE as clients read them (RFC 3501 section 7.4.2).

use crate::{
    mail::{
        envelope::{Envelope, Mailbox},
        octets::Octets,
        structure::{Body, Node, Part},
    },
    proto::imap::response::write,
};

/// What a multipart without parts has in their place, and a message without its content.
const EMPTY: &str = "(\"text\" \"plain\" NIL NIL NIL \"7bit\" 0 0)";

/// The value of ENVELOPE.
pub fn envelope(out: &mut Vec<u8>, envelope: &Envelope<'_>) {
    out.push(b'(');
    nstring(out, envelope.date.as_ref());
    out.push(b' ');
    nstring(out, envelope.subject.as_ref());
    for list in [
        &envelope.from,
        envelope.sender_or_from(),
        envelope.reply_to_or_from(),
        &envelope.to,
        &envelope.cc,
        &envelope.bcc,
    ] {
        out.push(b' ');
        mailboxes(out, list);
    }
    out.push(b' ');
    nstring(out, envelope.in_reply_to.as_ref());
    out.push(b' ');
    nstring(out, envelope.message_id.as_ref());
    out.push(b')');
}

/// The value of BODYSTRUCTURE; of BODY, which lacks the extension data, if not `extended`.
pub fn structure(out: &mut Vec<u8>, node: Node<'_, '_>, extended: bool) {
    let part = node.part();
    out.push(b'(');
    match &part.body {
        Body::Multipart => {
            let mut none = true;
            for child in node.children() {
                structure(out, child, extended);
                none = false;
            }
            if none {
                write::text(out, EMPTY);
            }
            out.push(b' ');
            write::string(out, &part.subtype);
            if extended {
                out.push(b' ');
                parameters(out, &part.parameters);
            }
        }
        body @ (Body::Leaf | Body::Message(_)) => {
            basic(out, part);
            if let Body::Message(inside) = body {
                out.push(b' ');
                envelope(out, inside);
                out.push(b' ');
                match node.message() {
                    Some(message) => structure(out, message, extended),
                    None => write::text(out, EMPTY),
                }
            }
            if matches!(body, Body::Message(_)) || part.kind.is("text") {
                out.push(b' ');
                write::number(out, part.lines);
            }
            if extended {
                out.push(b' ');
                nstring(out, part.md5.as_ref());
            }
        }
    }
    if extended {
        extension(out, part);
    }
    out.push(b')');
}

/// Type, subtype, and the fields that every part but a multipart has.
fn basic(out: &mut Vec<u8>, part: &Part<'_>) {
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
}

/// Disposition, language and location.
fn extension(out: &mut Vec<u8>, part: &Part<'_>) {
    out.push(b' ');
    match &part.disposition {
        None => write::text(out, "NIL"),
        Some(disposition) => {
            out.push(b'(');
            write::string(out, &disposition.kind);
            out.push(b' ');
            parameters(out, &disposition.parameters);
            out.push(b')');
        }
    }
    out.push(b' ');
    if part.language.is_empty() {
        write::text(out, "NIL");
    } else {
        write::list(out, &part.language, |out, tag| write::string(out, tag));
    }
    out.push(b' ');
    nstring(out, part.location.as_ref());
}

fn parameters(out: &mut Vec<u8>, parameters: &[(Octets<'_>, Octets<'_>)]) {
    if parameters.is_empty() {
        return write::text(out, "NIL");
    }
    let words = parameters.iter().flat_map(|(name, value)| [name, value]);
    write::list(out, words, |out, word| write::string(out, word));
}

fn mailboxes(out: &mut Vec<u8>, list: &[Mailbox<'_>]) {
    if list.is_empty() {
        return write::text(out, "NIL");
    }
    out.push(b'(');
    for mailbox in list {
        let parts = [&mailbox.name, &mailbox.route, &mailbox.local, &mailbox.host];
        write::list(out, parts, |out, part| nstring(out, part.as_ref()));
    }
    out.push(b')');
}

fn nstring(out: &mut Vec<u8>, octets: Option<&Octets<'_>>) {
    write::nstring(out, octets.map(|octets| octets.as_ref()));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mail::summary::{Summary, SummaryBuilder};

    fn summary(content: &str) -> Summary<'static> {
        let mut builder = SummaryBuilder::new();
        builder.push(content.replace('\n', "\r\n").as_bytes());
        builder.finish()
    }

    fn described(content: &str, extended: bool) -> String {
        let mut out = Vec::new();
        structure(&mut out, summary(content).structure.root(), extended);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn envelopes() {
        let content = "Date: D\nSubject: S\nFrom: A <a@a.test>\nTo: g: b@b.test;\n\n";
        let mut out = Vec::new();
        envelope(&mut out, &summary(content).envelope);
        let a = "((\"A\" NIL \"a\" \"a.test\"))";
        let want = format!(
            "(\"D\" \"S\" {a} {a} {a} ((NIL NIL \"g\" NIL)(NIL NIL \"b\" \"b.test\")\
             (NIL NIL NIL NIL)) NIL NIL NIL NIL)"
        );
        assert_eq!(String::from_utf8(out).unwrap(), want);
    }

    #[test]
    fn structures() {
        assert_eq!(
            described("\none\ntwo\n", false),
            "(\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" 10 2)"
        );
        let two = "Content-Type: multipart/mixed; boundary=x\n\n\
            --x\nContent-Type: image/png; name=a\nContent-Transfer-Encoding: base64\n\
            Content-Disposition: attachment; filename=a\n\nAAAA\n\
            --x\nContent-Type: message/rfc822\n\nSubject: in\n\nt\n\
            --x--\n";
        let inside = "(NIL \"in\" NIL NIL NIL NIL NIL NIL NIL NIL)";
        assert_eq!(
            described(two, true),
            format!(
                "((\"image\" \"png\" (\"name\" \"a\") NIL NIL \"base64\" 4 NIL \
                 (\"attachment\" (\"filename\" \"a\")) NIL NIL)\
                 (\"message\" \"rfc822\" NIL NIL NIL \"7bit\" 16 {inside} \
                 (\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" 1 0 NIL NIL NIL NIL) \
                 2 NIL NIL NIL NIL) \"mixed\" (\"boundary\" \"x\") NIL NIL NIL)"
            )
        );
        assert_eq!(
            described("Content-Type: multipart/mixed; boundary=x\n\n", false),
            format!("({EMPTY} \"mixed\")")
        );
    }
}
