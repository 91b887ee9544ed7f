//! An authentication exchange. The first octet chooses the mechanism, whether the channel is bound and
//! whether there is an initial response; CRLF ends each of the client's messages.

use pillarbox::base::secret::Secret;
use pillarbox::proto::sasl::{Answer, Exchange, Failure, Mechanism, Question, Turn};

pub const WORDS: &[&str] = &[
    "\r\n",
    "\0",
    "\0user\0pencil",
    "user",
    "pencil",
    "later",
    "gone",
    "n,,",
    "y,,",
    "p=tls-exporter,,",
    "p=tls-unique,,",
    "n,a=user,",
    "n=user,r=r",
    "n==2C=3D",
    "m=x,",
    ",x=y",
    "c=biws,",
    "c=eSws,",
    "c=cD10bHMtZXhwb3J0ZXIsLAcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcH,",
    "r=rours,",
    "p=AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=",
    "é",
];

pub fn run(data: &[u8]) {
    let Some((&choice, talk)) = data.split_first() else {
        return;
    };
    let mechanism = Mechanism::ALL[usize::from(choice % 4)];
    let exporter = [7; 32];
    let exporter = (choice & 4 == 0).then_some(&exporter);
    let text = talk.split(|octet| *octet == b'\n');
    let mut messages =
        text.map(|line| Secret::new(line.strip_suffix(b"\r").unwrap_or(line).to_vec()));
    let mut exchange = Exchange::new(mechanism, exporter);
    let initial = if choice & 8 == 0 {
        messages.next()
    } else {
        None
    };
    let mut turn = exchange.begin(initial.as_ref());
    let mut asked = vec![];
    let mut right = false;
    loop {
        turn = match turn {
            Turn::Ask(question) => {
                let answer = judge(&question, mechanism, exporter);
                right = matches!(answer, Answer::Right | Answer::Signature(_));
                asked.push(question);
                assert!(asked.len() <= 2, "{asked:?}");
                exchange.answer(answer)
            }
            Turn::Challenge(octets) => {
                assert!(octets.is_ascii() || str::from_utf8(&octets).is_ok());
                match messages.next() {
                    Some(message) => exchange.response(&message),
                    None => return,
                }
            }
            Turn::Done { name } => {
                assert!(right, "nobody said so");
                let last = asked.last().expect("a question");
                assert_eq!(self::name(last), name);
                break;
            }
            Turn::Failed(_) => break,
        };
    }
    // It is used up.
    let more = exchange.response(&Secret::new(b"\0user\0pencil".to_vec()));
    assert_eq!(more, Turn::Failed(Failure::Malformed));
    let more = exchange.answer(Answer::Right);
    assert_eq!(more, Turn::Failed(Failure::TryAgain));
}

fn name(question: &Question) -> &str {
    match question {
        Question::Keys { name }
        | Question::Password { name, .. }
        | Question::Proof { name, .. } => name,
    }
}

/// A name says how it goes.
fn judge(question: &Question, mechanism: Mechanism, exporter: Option<&[u8; 32]>) -> Answer {
    let name = name(question);
    assert!(!name.is_empty() && name.len() <= 320);
    assert!(!name.contains(char::is_control), "{name:?}");
    let scram = !matches!(question, Question::Password { .. });
    let plain = matches!(mechanism, Mechanism::Login | Mechanism::Plain);
    assert_ne!(scram, plain);
    if name.contains("later") {
        return Answer::TryAgain;
    }
    match question {
        Question::Keys { .. } => Answer::Keys {
            salt: vec![1; 16],
            count: 4096,
            nonce: "ours".to_owned(),
        },
        Question::Password { password, .. } => {
            let password = password.reveal();
            assert!(!password.is_empty() && password.len() <= 1024);
            assert!(!password.contains(&0) && str::from_utf8(password).is_ok());
            if name.contains("gone") {
                Answer::Refused
            } else {
                Answer::Right
            }
        }
        Question::Proof { auth_message, .. } => {
            let text = str::from_utf8(auth_message).expect("UTF-8");
            assert!(
                text.starts_with("n=")
                    && text.contains("ours,s=AQEBAQEBAQEBAQEBAQEBAQ==,i=4096,c=")
            );
            let bound = ",c=cD10bHMtZXhwb3J0ZXIs";
            assert_eq!(
                text.contains(bound),
                mechanism == Mechanism::ScramSha256Plus
            );
            assert!(mechanism != Mechanism::ScramSha256Plus || exporter.is_some());
            // A client that wished to bind on a channel that can was lied to.
            assert!(!text.contains(",c=eS") || exporter.is_none());
            if name.contains("gone") {
                Answer::Refused
            } else {
                Answer::Signature([2; 32])
            }
        }
    }
}
