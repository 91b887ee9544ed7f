//! Octets and header fields as scripts write them.

/// `\r \n \t \0 \\ \xNN` stand for octets.
pub fn octets(text: &str) -> Vec<u8> {
    let mut out = vec![];
    let mut rest = text.bytes();
    while let Some(octet) = rest.next() {
        out.push(match octet {
            b'\\' => match rest.next().expect("an escape") {
                b'r' => b'\r',
                b'n' => b'\n',
                b't' => b'\t',
                b'0' => 0,
                b'x' => {
                    let hex: String = rest.by_ref().take(2).map(char::from).collect();
                    u8::from_str_radix(&hex, 16).expect("two hex digits")
                }
                other => other,
            },
            octet => octet,
        });
    }
    out
}

/// What our side has put in front of a message, each field unfolded, and the message as it came.
pub fn without_trace(message: &[u8]) -> (Vec<String>, &[u8]) {
    let (mut trace, mut rest) = (vec![], message);
    for name in ["Return-Path:", "Received:"] {
        if rest.starts_with(name.as_bytes()) {
            let (field, after) = rest.split_at(field_end(rest));
            let text = String::from_utf8_lossy(field).trim_end().to_owned();
            trace.push(text.replace("\r\n\t", " "));
            rest = after;
        }
    }
    (trace, rest)
}

/// Where the field at the start of `octets` ends, its folded lines included.
fn field_end(octets: &[u8]) -> usize {
    (0..octets.len())
        .find(|at| {
            let folded = matches!(octets.get(at + 1), Some(b' ' | b'\t'));
            octets[*at] == b'\n' && !folded
        })
        .map_or(octets.len(), |lf| lf + 1)
}
