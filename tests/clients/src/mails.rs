//! What both programs put into folders.

/// Messages in the big folder.
pub const BIG: u32 = 500;

/// Folder names as they are on the wire (RFC 3501 section 5.1.3), parents first.
pub const FOLDERS: [&str; 6] = [
    "Work",
    "Work/2026",
    "Work/2026/a b",
    "Entw&APw-rfe &- mehr",
    // Neither quote nor backslash: imap-proto does not take the backslashes before them away.
    "say (x) {3} [y]",
    "INBOX/below",
];

/// One of many.
pub fn plain(number: u32) -> String {
    let day = number % 28 + 1;
    format!(
        "From: Anna <anna@home.test>\r\nTo: ben@home.test\r\nSubject: Number {number}\r\n\
         Date: {day} Nov 2026 10:{:02}:00 +0000\r\nMessage-ID: <{number}@home.test>\r\n\r\n\
         This is message {number}.\r\n",
        number % 60
    )
}

/// Mail that is not as it should be. Each ends with CRLF, as it comes back.
pub const ODD: [&[u8]; 8] = [
    b"Subject: no body\r\n\r\n",
    b"\r\nno header\r\n",
    b"Subject: =?utf-8?Q?Gr=C3=BC=C3=9Fe?=\r\nFrom: =?iso-8859-1?Q?J=FCrg?= <j@away.test>\r\n\r\nh\r\n",
    b"Subject: raw Gr\xc3\xbc\xc3\x9fe \xff\r\nFrom: \"a \\\"b\\\" c\" <x@away.test>\r\n\r\n\xfe\xff\r\n",
    b"From: undisclosed:;\r\nTo: Team: a@b.test, c@d.test;\r\nCc: (only a comment)\r\nDate: yesterday\r\n\r\n.\r\n..\r\n",
    b"Content-Type: multipart/mixed; boundary=\"b\"\r\n\r\n--b\r\nContent-Type: text/plain; charset=utf-8\r\n\
      Content-Transfer-Encoding: quoted-printable\r\n\r\nGr=C3=BC=C3=9Fe\r\n--b\r\nContent-Type: message/rfc822\r\n\r\n\
      Subject: inside\r\n\r\nx\r\n--b--\r\n",
    b"Content-Type: multipart/alternative; boundary=never\r\nSubject: (((\r\n\r\nno part\r\n",
    b"Content-Type: \"\"/;;; name*0=a; name*1*=b%20c\r\nContent-Disposition: ;\r\nMessage-ID: <>\r\nReferences: <a <b> c\r\n\r\n{5}\r\n* BYE\r\n",
];
