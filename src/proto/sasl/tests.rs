//! Exchanges word by word, against a service that knows one password.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use proptest::prelude::*;
use ring::{digest, hmac, pbkdf2};

use super::*;

/// A service that knows the example of RFC 7677 section 3: `user`, `pencil`. To who is called
/// `later…` it cannot tell.
#[derive(Debug, Default)]
pub struct Example {
    /// Another name for the same account.
    pub name: String,
}

impl Example {
    pub fn answer(&self, question: &Question) -> Answer {
        let (Question::Keys { name }
        | Question::Password { name, .. }
        | Question::Proof { name, .. }) = question;
        let known = name == "user" || *name == self.name;
        match question {
            _ if name.starts_with("later") => Answer::TryAgain,
            Question::Keys { .. } => Answer::Keys {
                salt: salt(),
                count: 4096,
                nonce: "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0".to_owned(),
            },
            Question::Password { password, .. } if known && password.reveal() == b"pencil" => {
                Answer::Right
            }
            Question::Proof {
                auth_message,
                proof,
                ..
            } if known => judge(auth_message, proof),
            Question::Password { .. } | Question::Proof { .. } => Answer::Refused,
        }
    }
}

fn salt() -> Vec<u8> {
    STANDARD.decode("W22ZaJ0SNY7soEsUEjb6gQ==").unwrap()
}

/// RFC 5802 section 3.
fn judge(message: &[u8], proof: &[u8; 32]) -> Answer {
    let mut salted = [0; 32];
    let count = 4096.try_into().unwrap();
    pbkdf2::derive(
        pbkdf2::PBKDF2_HMAC_SHA256,
        count,
        &salt(),
        b"pencil",
        &mut salted,
    );
    let sign = |key: &[u8], text: &[u8]| hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), text);
    let sha = |octets: &[u8]| digest::digest(&digest::SHA256, octets);
    let stored = sha(sign(&salted, b"Client Key").as_ref());
    let signature = sign(stored.as_ref(), message);
    let key: Vec<u8> = proof
        .iter()
        .zip(signature.as_ref())
        .map(|(a, b)| a ^ b)
        .collect();
    if sha(&key).as_ref() != stored.as_ref() {
        return Answer::Refused;
    }
    let server = sign(&salted, b"Server Key");
    Answer::Signature(sign(server.as_ref(), message).as_ref().try_into().unwrap())
}

/// Plays what a client says; gives our challenges and the end.
fn play(mut exchange: Exchange, initial: Option<&str>, says: &[&str]) -> (Vec<String>, Turn) {
    let secret = |text: &str| Secret::new(text.as_bytes().to_vec());
    let (mut says, mut told, service) = (says.iter(), vec![], Example::default());
    let mut turn = exchange.begin(initial.map(secret).as_ref());
    loop {
        turn = match turn {
            Turn::Ask(question) => exchange.answer(service.answer(&question)),
            Turn::Challenge(octets) => {
                told.push(String::from_utf8(octets).unwrap());
                match says.next() {
                    Some(text) => exchange.response(&secret(text)),
                    None => return (told, Turn::Challenge(vec![])),
                }
            }
            Turn::Done { .. } | Turn::Failed(_) => {
                let after = exchange.response(&secret("x"));
                assert_eq!(after, Turn::Failed(Failure::Malformed));
                return (told, turn);
            }
        };
    }
}

fn start(mechanism: Mechanism, initial: &str) -> Turn {
    play(Exchange::new(mechanism, None), Some(initial), &[]).1
}

fn done(name: &str) -> Turn {
    let name = name.to_owned();
    Turn::Done { name }
}

#[test]
fn names() {
    for mechanism in Mechanism::ALL {
        assert_eq!(Mechanism::parse(mechanism.name()), Some(mechanism));
    }
    assert_eq!(Mechanism::parse("plain"), Some(Mechanism::Plain));
    for name in ["CRAM-MD5", "DIGEST-MD5", "SCRAM-SHA-1", "EXTERNAL", ""] {
        assert_eq!(Mechanism::parse(name), None);
    }
}

/// SU-4, RFC 4616 section 2.
#[test]
fn plain_messages() {
    let long = format!("\0{}\0pencil", "u".repeat(321));
    let secret = format!("\0user\0{}", "p".repeat(1025));
    for (message, end) in [
        ("\0user\0pencil", done("user")),
        ("user\0user\0pencil", done("user")),
        ("\0user\0wrong", Turn::Failed(Failure::Refused)),
        ("\0later\0pencil", Turn::Failed(Failure::TryAgain)),
        ("other\0user\0pencil", Turn::Failed(Failure::Authorization)),
        ("", Turn::Failed(Failure::Malformed)),
        ("user\0pencil", Turn::Failed(Failure::Malformed)),
        ("\0user\0", Turn::Failed(Failure::Malformed)),
        ("\0\0pencil", Turn::Failed(Failure::Malformed)),
        ("\0user\0pencil\0", Turn::Failed(Failure::Malformed)),
        ("\0us\ner\0pencil", Turn::Failed(Failure::Malformed)),
        (long.as_str(), Turn::Failed(Failure::Malformed)),
        (secret.as_str(), Turn::Failed(Failure::Malformed)),
    ] {
        assert_eq!(start(Mechanism::Plain, message), end, "{message:?}");
        let later = play(Exchange::new(Mechanism::Plain, None), None, &[message]);
        assert_eq!(later, (vec![String::new()], end), "{message:?}");
    }
    let mut exchange = Exchange::new(Mechanism::Plain, None);
    let turn = exchange.begin(Some(&Secret::new(b"\0user\0\xff".to_vec())));
    assert_eq!(turn, Turn::Failed(Failure::Malformed));
}

/// SU-5.
#[test]
fn login_asks_twice() {
    let login = || Exchange::new(Mechanism::Login, None);
    let (told, end) = play(login(), None, &["user", "pencil"]);
    assert_eq!(told, ["Username:", "Password:"]);
    assert_eq!(end, done("user"));
    let (told, end) = play(login(), Some("user"), &["pencil"]);
    assert_eq!(told, ["Password:"]);
    assert_eq!(end, done("user"));
    let (_, end) = play(login(), Some("user"), &["wrong"]);
    assert_eq!(end, Turn::Failed(Failure::Refused));
    let (_, end) = play(login(), Some(""), &[]);
    assert_eq!(end, Turn::Failed(Failure::Malformed));
    let (_, end) = play(login(), Some("user"), &["pen\0cil"]);
    assert_eq!(end, Turn::Failed(Failure::Malformed));
}

const FIRST: &str = "n,,n=user,r=rOprNGfwEbeRWgbNEkqO";
const CHALLENGE: &str = "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,\
                         s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096";
const NONCE: &str = "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0";
const LAST: &str = "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,\
                    p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=";
const SIGNATURE: &str = "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=";

fn scram() -> Exchange {
    Exchange::new(Mechanism::ScramSha256, None)
}

/// SU-6: the example of RFC 7677 section 3.
#[test]
fn the_example_of_scram() {
    let (told, end) = play(scram(), Some(FIRST), &[LAST, ""]);
    assert_eq!(told, [CHALLENGE, SIGNATURE]);
    assert_eq!(end, done("user"));
    let (told, end) = play(scram(), None, &[FIRST, LAST, ""]);
    assert_eq!(told, ["", CHALLENGE, SIGNATURE]);
    assert_eq!(end, done("user"));
}

/// The client is in only when it has read our signature.
#[test]
fn scram_ends_with_the_clients_consent() {
    let (told, turn) = play(scram(), Some(FIRST), &[LAST]);
    assert_eq!(told.len(), 2);
    assert_eq!(turn, Turn::Challenge(vec![]));
    let (_, end) = play(scram(), Some(FIRST), &[LAST, "more"]);
    assert_eq!(end, Turn::Failed(Failure::Malformed));
}

#[test]
fn first_messages_of_scram() {
    let long = format!("n,,n=user,r={}", "r".repeat(257));
    let name = format!("n,,n={},r=r", "u".repeat(321));
    for message in [
        "",
        "n",
        "n,",
        "n,,",
        "n,,n=user",
        "n,,n=user,",
        "n,,n=user,r=",
        "n,,n=,r=r",
        "n,,r=r,n=user",
        "N,,n=user,r=r",
        "x,,n=user,r=r",
        "p,,n=user,r=r",
        "n,user,n=user,r=r",
        "n,a=,n=user,r=r",
        "n,,a=user,n=user,r=r",
        "n,,m=x,n=user,r=r",
        "n,,n=user,m=x,r=r",
        "n,,n=user,r=r,m=x",
        "n,,n=user,r=r,r=r",
        "n,,n=user,r=r,x",
        "n,,n=user,r=r,x=",
        "n,,n=user,r=r,xy=z",
        "n,,n=user,r=r r",
        "n,,n=user,r=é",
        "n,,n=us=er,r=r",
        "n,,n=us=2cer,r=r",
        "n,,n=us=3,r=r",
        "n,,n=user=,r=r",
        "n,,n=us\0er,r=r",
        &long,
        &name,
    ] {
        let end = start(Mechanism::ScramSha256, message);
        assert_eq!(end, Turn::Failed(Failure::Malformed), "{message:?}");
    }
    for (message, end) in [
        ("n,a=other,n=user,r=r", Failure::Authorization),
        ("n,,n=later,r=r", Failure::TryAgain),
        ("p=tls-exporter,,n=user,r=r", Failure::Refused),
        ("p=tls-unique,,n=user,r=r", Failure::Refused),
    ] {
        let turn = start(Mechanism::ScramSha256, message);
        assert_eq!(turn, Turn::Failed(end), "{message:?}");
    }
    for (message, name) in [
        ("n,a=user,n=user,r=r", "user"),
        ("y,,n=user,r=r", "user"),
        ("n,,n=user,r=r,x=y,z=a=b", "user"),
        ("n,,n=a=2Cb=3D=3D2C,r=r", "a,b==2C"),
        ("n,a=a=2Cb,n=a=2Cb,r=r", "a,b"),
        ("n,,n=jürgen@home.test,r=r", "jürgen@home.test"),
    ] {
        let turn = scram().begin(Some(&Secret::new(message.as_bytes().to_vec())));
        let name = name.to_owned();
        assert_eq!(turn, Turn::Ask(Question::Keys { name }), "{message:?}");
    }
}

#[test]
fn last_messages_of_scram() {
    let proof = "p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=";
    for (message, end) in [
        ("", Failure::Malformed),
        (proof, Failure::Malformed),
        (&format!("c=biws,{NONCE}"), Failure::Malformed),
        (&format!("{NONCE},c=biws,{proof}"), Failure::Malformed),
        (&format!("c=biws,{NONCE},m=x,{proof}"), Failure::Malformed),
        (&format!("c=biws,{NONCE},{proof},x=y"), Failure::Malformed),
        (&format!("c=biws,{NONCE},p="), Failure::Malformed),
        (&format!("c=biws,{NONCE},p=AAAA"), Failure::Malformed),
        (&format!("c=biws,{NONCE},{proof}="), Failure::Malformed),
        // Another header than in the first message; another nonce; another proof.
        (&format!("c=eSws,{NONCE},{proof}"), Failure::Refused),
        (&format!("c=biws,{NONCE}x,{proof}"), Failure::Refused),
        (
            &format!("c=biws,r=rOprNGfwEbeRWgbNEkqO,{proof}"),
            Failure::Refused,
        ),
        // What is signed is not what was said.
        (&format!("c=biws,{NONCE},x=y,{proof}"), Failure::Refused),
    ] {
        let (_, turn) = play(scram(), Some(FIRST), &[message]);
        assert_eq!(turn, Turn::Failed(end), "{message:?}");
    }
    let (_, turn) = play(scram(), Some("n,,n=nobody,r=rOprNGfwEbeRWgbNEkqO"), &[LAST]);
    assert_eq!(turn, Turn::Failed(Failure::Refused));
}

const BOUND: &str = "p=tls-exporter,,n=user,r=rOprNGfwEbeRWgbNEkqO";
const BOUND_LAST: &str = "c=cD10bHMtZXhwb3J0ZXIsLAcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcH,\
                          r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,\
                          p=R2bHiXqaT4RLSd/UZxfg2gBdXS2SdQOUTTLyTSXHnZA=";

/// SU-6, RFC 9266: the exporter of this channel, and of no other.
#[test]
fn a_channel_is_bound() {
    let plus = |octet: u8| Exchange::new(Mechanism::ScramSha256Plus, Some(&[octet; 32]));
    let (told, end) = play(plus(7), Some(BOUND), &[BOUND_LAST, ""]);
    assert_eq!(told[1], "v=KxSI8XUdIxGURZaCAWDeABIWU/CJ/li73fGLRvz4Lw0=");
    assert_eq!(end, done("user"));
    let (_, end) = play(plus(8), Some(BOUND), &[BOUND_LAST]);
    assert_eq!(end, Turn::Failed(Failure::Refused));
    for first in [
        FIRST,
        "y,,n=user,r=r",
        "p=tls-unique,,n=user,r=r",
        "p=tls-server-end-point,,n=user,r=r",
        "p=,,n=user,r=r",
        "p=TLS-EXPORTER,,n=user,r=r",
    ] {
        let (_, end) = play(plus(7), Some(first), &[]);
        assert_eq!(end, Turn::Failed(Failure::Refused), "{first}");
    }
    let none = Exchange::new(Mechanism::ScramSha256Plus, None);
    let (_, end) = play(none, Some(BOUND), &[]);
    assert_eq!(end, Turn::Failed(Failure::Refused));
}

/// RFC 5802 section 6: a client that would bind, on a channel where we can, was lied to.
#[test]
fn a_downgrade_is_refused() {
    let unbound = Exchange::new(Mechanism::ScramSha256, Some(&[7; 32]));
    let (_, end) = play(unbound, Some("y,,n=user,r=r"), &[]);
    assert_eq!(end, Turn::Failed(Failure::Refused));
    let unbound = Exchange::new(Mechanism::ScramSha256, Some(&[7; 32]));
    let (_, end) = play(unbound, Some(FIRST), &[LAST, ""]);
    assert_eq!(end, done("user"));
}

#[test]
fn an_answer_to_another_question_is_no_success() {
    let mut exchange = scram();
    let first = Secret::new(FIRST.as_bytes().to_vec());
    assert!(matches!(exchange.begin(Some(&first)), Turn::Ask(_)));
    let turn = exchange.answer(Answer::Right);
    assert_eq!(turn, Turn::Failed(Failure::TryAgain));
    let mut exchange = Exchange::new(Mechanism::Plain, None);
    let message = Secret::new(b"\0user\0pencil".to_vec());
    assert!(matches!(exchange.begin(Some(&message)), Turn::Ask(_)));
    let turn = exchange.answer(Answer::Signature([0; 32]));
    assert_eq!(turn, Turn::Failed(Failure::TryAgain));
}

#[test]
fn an_exchange_is_small() {
    assert!(size_of::<Exchange>() <= 64, "{}", size_of::<Exchange>());
}

proptest! {
    /// One octet of the example is another: nobody gets in, or by the same words.
    #[test]
    fn no_other_words_get_in(at in 0..CHALLENGE.len(), octet: u8, last: bool) {
        let change = |text: &str| {
            let mut octets = text.as_bytes().to_vec();
            let at = at % octets.len();
            octets[at] = octet;
            String::from_utf8(octets).ok().filter(|changed| changed != text)
        };
        let said = if last {
            change(LAST).map(|text| play(scram(), Some(FIRST), &[&text]))
        } else {
            change(FIRST).map(|text| play(scram(), Some(&text), &[LAST]))
        };
        if let Some((_, end)) = said {
            prop_assert!(matches!(end, Turn::Failed(_)), "{end:?}");
        }
    }
}
