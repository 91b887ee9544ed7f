//! How requests and answers travel over the control socket: postcard in base64, a line each. Both ends
//! are the same program; JSON is for people's scripts.

use base64::{Engine as _, engine::general_purpose::STANDARD_NO_PAD};
use serde::{Serialize, de::DeserializeOwned};

/// Longest request and longest reply, in octets, the LF included: lists of a hundred thousand rows. The
/// other end is root or our own user.
pub const LINE_MAX: usize = 16 * 1024 * 1024;

/// One line, without its end.
pub fn encode<T: Serialize>(value: &T) -> String {
    // It fails for no type of ours; an empty line is understood by nobody.
    STANDARD_NO_PAD.encode(postcard::to_stdvec(value).unwrap_or_default())
}

/// `None`: the other end is of another version, or something else entirely.
pub fn decode<T: DeserializeOwned>(line: &[u8]) -> Option<T> {
    let octets = STANDARD_NO_PAD.decode(line.trim_ascii()).ok()?;
    postcard::from_bytes(&octets).ok()
}
