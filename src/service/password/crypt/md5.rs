//! MD5-crypt, as FreeBSD's libcrypt wrote it in 1994; Cisco's and Apache's differ in the prefix.

use md5::{Digest, Md5};

/// What is hashed, before it is written in letters.
pub fn crypt(password: &[u8], salt: &[u8]) -> [u8; 16] {
    let inner: [u8; 16] = Md5::new()
        .chain_update(password)
        .chain_update(salt)
        .chain_update(password)
        .finalize()
        .into();
    let mut hash = Md5::new()
        .chain_update(password)
        .chain_update(b"$1$")
        .chain_update(salt);
    for piece in password.chunks(16) {
        hash.update(inner.get(..piece.len()).unwrap_or_default());
    }
    let mut length = password.len();
    while length > 0 {
        if length & 1 == 1 {
            hash.update([0]);
        } else {
            hash.update(password.get(..1).unwrap_or_default());
        }
        length >>= 1;
    }
    let mut digest: [u8; 16] = hash.finalize().into();
    for round in 0..1000 {
        let odd = round & 1 == 1;
        let mut hash = Md5::new();
        hash.update(if odd { password } else { &digest });
        if round % 3 != 0 {
            hash.update(salt);
        }
        if round % 7 != 0 {
            hash.update(password);
        }
        hash.update(if odd { &digest } else { password });
        digest = hash.finalize().into();
    }
    digest
}
