//! The answers to what a SASL exchange asks, for AUTH of every protocol.

use std::net::IpAddr;

use base64::{Engine as _, engine::general_purpose::STANDARD_NO_PAD};

use super::{Account, Caller, Login, LoginError, Person};
use crate::{
    proto::sasl::{Answer, Question},
    service::password::{APPS_MAX, scram},
    store::directory::ScramKeys,
};

/// Octets of the server's part of the nonce.
const NONCE: usize = 18;

impl Login {
    /// Answers a question; with the answer that ends an exchange well, who it is.
    pub async fn sasl(&self, question: Question, peer: IpAddr) -> (Answer, Option<Person>) {
        match question {
            Question::Keys { name } => (self.keys(&name, peer), None),
            Question::Password { name, password } => {
                match self.login(&name, &password, peer).await {
                    Ok(person) => (Answer::Right, Some(person)),
                    Err(error) => (refusal(error), None),
                }
            }
            Question::Proof {
                name,
                auth_message,
                proof,
            } => match self.prove(&name, &auth_message, &proof, peer).await {
                Ok((person, signature)) => (Answer::Signature(signature), Some(person)),
                Err(error) => (refusal(error), None),
            },
        }
    }

    /// How an account's secrets were hashed. Accounts that are not there have a salt, too, always the
    /// same (RFC 5802 section 9).
    fn keys(&self, name: &str, peer: IpAddr) -> Answer {
        let caller = Caller::new(name, peer, "scram");
        let (salt, count) = match self.look(&caller) {
            Err(error) => return refusal(error),
            Ok(Some(account)) if account.user.scram_count > 0 => {
                (account.user.scram_salt.to_vec(), account.user.scram_count)
            }
            Ok(_) => (
                self.hash(&caller).into_iter().take(16).collect(),
                self.passwords.scram_count(),
            ),
        };
        let mut nonce = [0; NONCE];
        self.world.random().fill(&mut nonce);
        Answer::Keys {
            salt,
            count,
            nonce: STANDARD_NO_PAD.encode(nonce),
        }
    }

    /// Who made this proof, and the ServerSignature for it.
    async fn prove(
        &self,
        name: &str,
        message: &[u8],
        proof: &[u8; 32],
        peer: IpAddr,
    ) -> Result<(Person, [u8; 32]), LoginError> {
        let caller = Caller::new(name, peer, "scram");
        let account = self.look(&caller)?;
        // Whatever is there, as much is computed as for an account with all it can have.
        let mut proved = None;
        for place in 0..APPS_MAX {
            let app = account.as_ref().and_then(|account| account.apps.get(place));
            let keys = app.map_or(&NO_KEYS, |(_, app)| &app.scram);
            if scram::proves(keys, message, proof) {
                proved = app;
            }
        }
        if let (Some(account), Some(app)) = (&account, proved)
            && account.user.enabled
        {
            let person = self.welcome_app(&caller, account, app).await;
            return Ok((person, scram::sign(&app.1.scram, message)));
        }
        let admitted = self.admit(&caller).await?;
        let account = self.look(&caller)?;
        let keys = account.as_ref().and_then(own);
        let right = scram::proves(keys.as_ref().unwrap_or(&NO_KEYS), message, proof);
        let account = self.judge(&caller, admitted, account, right).await?;
        let keys = keys.ok_or(LoginError::Refused)?;
        Ok((account.person(), scram::sign(&keys, message)))
    }
}

/// Of an imported hash there are none: until the person has logged in once with the password itself,
/// SCRAM fails as with a wrong one.
fn own(account: &Account) -> Option<ScramKeys> {
    account.user.scram.clone()
}

/// Nobody knows what has this hash.
const NO_KEYS: ScramKeys = ScramKeys {
    stored: [0; 32],
    server: [0; 32],
};

fn refusal(error: LoginError) -> Answer {
    match error {
        LoginError::Refused => Answer::Refused,
        LoginError::TryAgain => Answer::TryAgain,
    }
}
