//! Against our own server, and word by word where a server is not to be believed.

use ring::{digest, hmac, pbkdf2};

use super::*;
use crate::proto::sasl::{self, Failure, tests::Example};

/// SCRAM's arithmetic by the words of RFC 5802 section 3.
///
/// # Panics
///
/// No iterations are asked for.
pub fn prove(asked: &ToProve) -> Proved {
    let mut salted = [0; 32];
    pbkdf2::derive(
        pbkdf2::PBKDF2_HMAC_SHA256,
        asked.count.try_into().unwrap(),
        &asked.salt,
        asked.password.reveal(),
        &mut salted,
    );
    let sign = |key: &[u8], text: &[u8]| -> [u8; 32] {
        let key = hmac::Key::new(hmac::HMAC_SHA256, key);
        hmac::sign(&key, text).as_ref().try_into().unwrap()
    };
    let client = sign(&salted, b"Client Key");
    let stored = digest::digest(&digest::SHA256, &client);
    let mut proof = sign(stored.as_ref(), &asked.auth_message);
    for (octet, key) in proof.iter_mut().zip(client) {
        *octet ^= key;
    }
    let signature = sign(&sign(&salted, b"Server Key"), &asked.auth_message);
    Proved { proof, signature }
}

const NONCE: &str = "rOprNGfwEbeRWgbNEkqO";

fn client(
    mechanism: Mechanism,
    (user, password): (&str, &str),
    exporter: Option<&[u8; 32]>,
) -> (Exchange, Option<Secret>) {
    let password = Secret::new(password.as_bytes().to_vec());
    Exchange::new(mechanism, (user, &password), NONCE, exporter)
}

fn text(secret: &Secret) -> String {
    String::from_utf8(secret.reveal().to_vec()).unwrap()
}

/// Both sides; what the client said, and how it ended for each.
fn talk(
    mechanism: Mechanism,
    credentials: (&str, &str),
    exporter: Option<&[u8; 32]>,
) -> (Vec<String>, bool, sasl::Turn) {
    let (mut client, first) = client(mechanism, credentials, exporter);
    let (mut server, service) = (sasl::Exchange::new(mechanism, exporter), Example::default());
    let mut said: Vec<_> = first.iter().map(text).collect();
    let mut turn = server.begin(first.as_ref());
    loop {
        turn = match turn {
            sasl::Turn::Ask(question) => server.answer(service.answer(&question)),
            sasl::Turn::Challenge(octets) => {
                let mut next = client.challenge(&octets);
                if let Turn::Prove(asked) = next {
                    next = client.proved(&prove(&asked));
                }
                let Turn::Send(message) = next else {
                    return (said, client.believes(), sasl::Turn::Challenge(octets));
                };
                said.push(text(&message));
                server.response(&message)
            }
            over => return (said, client.believes(), over),
        };
    }
}

fn done() -> sasl::Turn {
    let name = "user".to_owned();
    sasl::Turn::Done { name }
}

/// OQ-2, RFC 7677 section 3.
#[test]
fn oq_2_the_example_of_the_standard() {
    let (said, believes, end) = talk(Mechanism::ScramSha256, ("user", "pencil"), None);
    let expected = [
        "n,,n=user,r=rOprNGfwEbeRWgbNEkqO",
        "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,\
            p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
        "",
    ];
    assert_eq!(said, expected);
    assert!(believes);
    assert_eq!(end, done());
}

#[test]
fn all_mechanisms_log_in_and_no_other_password_does() {
    for mechanism in Mechanism::ALL {
        for exporter in [None, Some(&[7; 32])] {
            // With a binding, SCRAM without it says that it would: a downgrade.
            let downgraded = mechanism == Mechanism::ScramSha256 && exporter.is_some();
            if !mechanism.fits(exporter.is_some()) || downgraded {
                continue;
            }
            let (_, believes, end) = talk(mechanism, ("user", "pencil"), exporter);
            assert!(believes, "{mechanism:?}");
            assert_eq!(end, done(), "{mechanism:?}");
            let (_, _, end) = talk(mechanism, ("user", "pen"), exporter);
            assert_eq!(end, sasl::Turn::Failed(Failure::Refused), "{mechanism:?}");
        }
    }
}

/// RFC 5802 section 6: somebody hid that the server binds channels.
#[test]
fn a_downgrade_is_found_out() {
    let (said, believes, end) = talk(Mechanism::ScramSha256, ("user", "pencil"), Some(&[7; 32]));
    assert!(said[0].starts_with("y,,"));
    assert!(!believes);
    assert_eq!(end, sasl::Turn::Failed(Failure::Refused));
}

#[test]
fn the_best_is_chosen() {
    let all = |_| true;
    assert_eq!(choose(all, true), Some(Mechanism::ScramSha256Plus));
    assert_eq!(choose(all, false), Some(Mechanism::ScramSha256));
    let old = |m| matches!(m, Mechanism::Plain | Mechanism::Login);
    assert_eq!(choose(old, true), Some(Mechanism::Plain));
    assert_eq!(
        choose(|m| m == Mechanism::Login, true),
        Some(Mechanism::Login)
    );
    assert_eq!(choose(|m| m == Mechanism::ScramSha256Plus, false), None);
    assert_eq!(choose(|_| false, true), None);
}

#[test]
fn names_are_escaped() {
    let (_, first) = client(Mechanism::ScramSha256, ("a=b,c", "x"), None);
    assert_eq!(
        text(&first.unwrap()),
        "n,,n=a=3Db=2Cc,r=rOprNGfwEbeRWgbNEkqO"
    );
    let (_, first) = client(Mechanism::Plain, ("user", "pen\u{e9}"), None);
    assert_eq!(text(&first.unwrap()), "\0user\0pen\u{e9}");
}

#[test]
fn a_server_that_is_none() {
    for challenge in [
        "",
        "r=other,s=QUFB,i=4096",
        "r=rOprNGfwEbeRWgbNEkqO,s=QUFB,i=4096",
        "r=rOprNGfwEbeRWgbNEkqOx,s=,i=4096",
        "r=rOprNGfwEbeRWgbNEkqOx,s=?,i=4096",
        "r=rOprNGfwEbeRWgbNEkqOx,s=QUFB,i=4095",
        "r=rOprNGfwEbeRWgbNEkqOx,s=QUFB,i=1000001",
        "r=rOprNGfwEbeRWgbNEkqOx,s=QUFB,i=-1",
        "r=rOprNGfwEbeRWgbNEkqOx,s=QUFB",
        "m=x,r=rOprNGfwEbeRWgbNEkqOx,s=QUFB,i=4096",
        "e=other-error",
    ] {
        let (mut client, _) = client(Mechanism::ScramSha256, ("user", "x"), None);
        assert!(!client.believes());
        assert_eq!(client.challenge(challenge.as_bytes()), Turn::Failed);
    }
}

/// Success is believed from who knows the password alone.
#[test]
fn a_server_that_knows_no_password() {
    let challenge = b"r=rOprNGfwEbeRWgbNEkqOx,s=QUFB,i=4096";
    for last in ["v=", "v=AAAA", "e=invalid-proof", ""] {
        let (mut client, _) = client(Mechanism::ScramSha256, ("user", "x"), None);
        let Turn::Prove(asked) = client.challenge(challenge) else {
            panic!("no proof");
        };
        assert!(!client.believes());
        let proved = prove(&asked);
        assert!(matches!(client.proved(&proved), Turn::Send(_)));
        assert!(!client.believes());
        assert_eq!(client.challenge(last.as_bytes()), Turn::Failed);
        assert!(!client.believes());
    }
}
