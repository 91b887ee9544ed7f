use super::*;
use crate::base::time::Time;

const CHEAP: Cost = Cost {
    memory: 64,
    passes: 1,
    scram: 10,
};

fn passwords() -> Passwords {
    Passwords::new(CHEAP, [7; 32])
}

fn user(credentials: Credentials) -> User {
    User {
        address: "alice@home.test".to_owned(),
        password: credentials.password,
        scram: credentials.scram,
        scram_salt: credentials.salt,
        scram_count: credentials.count,
        credentials: 1,
        quota: 0,
        enabled: true,
        created: Time(0),
        removed: None,
        secret_in: 0,
    }
}

fn secret(text: &str) -> Secret {
    Secret::new(text.as_bytes().to_vec())
}

async fn verify(passwords: &Passwords, user: Option<&User>, text: &str, at: u64) -> Verdict {
    let user = user.map(|user| (UserId(1), user));
    let text = secret(text);
    let place = Place::ADMIN;
    passwords.verify(user, &text, place, Instant(at)).await
}

#[test]
fn right_wrong_unknown() {
    let passwords = passwords();
    smol::block_on(async {
        let hash = passwords.hash(&secret("hush"), None).await.unwrap();
        let phc = hash.password.reveal();
        assert!(phc.starts_with(b"$argon2id$v=19$m=64,t=1,p=1$"));
        let other = passwords.hash(&secret("hush"), None).await.unwrap();
        assert_ne!(hash.password, other.password);
        assert_ne!((hash.salt, &hash.scram), (other.salt, &other.scram));
        assert_eq!(hash.count, CHEAP.scram);
        // What Cyrus SASL takes at most.
        let normal = Cost::of(crate::config::schema::Profile::Normal);
        assert_eq!(normal.scram, 0x1_0000);
        let alice = user(hash);
        assert!(!Passwords::outdated(&alice));
        assert_eq!(
            verify(&passwords, Some(&alice), "hus", 0).await,
            Verdict::Wrong
        );
        assert_eq!(
            verify(&passwords, Some(&alice), "hush", 0).await,
            Verdict::Right
        );
        assert_eq!(verify(&passwords, None, "hush", 0).await, Verdict::Wrong);
        let long = "x".repeat(LENGTH_MAX + 1);
        assert_eq!(
            verify(&passwords, Some(&alice), &long, 0).await,
            Verdict::Wrong
        );
    });
}

/// A remembered log-in needs no hash: it is right although the stored one is spoilt.
#[test]
fn remembered_until_a_secret_changes_or_ten_minutes_pass() {
    let passwords = passwords();
    smol::block_on(async {
        let mut alice = user(passwords.hash(&secret("hush"), None).await.unwrap());
        assert_eq!(
            verify(&passwords, Some(&alice), "hush", 0).await,
            Verdict::Right
        );
        alice.password = Secret::default();
        let late = 599_999;
        let verdict = verify(&passwords, Some(&alice), "hush", late).await;
        assert_eq!(verdict, Verdict::Remembered);
        let other = Some((UserId(2), &alice));
        let verdict = passwords
            .verify(other, &secret("hush"), Place::ADMIN, Instant(late))
            .await;
        assert_eq!(verdict, Verdict::Wrong);
        alice.credentials = 2;
        assert_eq!(
            verify(&passwords, Some(&alice), "hush", late).await,
            Verdict::Wrong
        );
        alice.credentials = 1;
        assert_eq!(
            verify(&passwords, Some(&alice), "hush", 600_000).await,
            Verdict::Wrong
        );
    });
}

/// ST-6: an imported hash is verified, and known to be no hash of ours.
#[test]
fn st_6_an_imported_hash_is_right_and_outdated() {
    smol::block_on(async {
        for text in [
            "{CRYPT}$6$e$w0atmQHNF8i.6K6R4EGZnL8BtYlQO1Dx5ByCl4DpL6V/pk4m00oTWcFc4jPqz1sbzJzZChJtMgzlJhvMI8Xvw1",
            "{MD5-CRYPT}$1$empty$dcN8YAzH./JGClDgyY17..",
            "{BLF-CRYPT}$2a$04$......................w74bL5gU7LSJClZClCa.Pkz14aTv/XO",
            "zZO7u0HfQST3A",
        ] {
            let passwords = passwords();
            let imported = Passwords::import(&secret(text)).unwrap();
            let alice = user(passwords.take(imported, None).await.unwrap());
            assert!(Passwords::outdated(&alice));
            assert_eq!(alice.scram_count, CHEAP.scram);
            assert_eq!(
                verify(&passwords, Some(&alice), "x", 0).await,
                Verdict::Wrong
            );
            let verdict = verify(&passwords, Some(&alice), "", 0).await;
            assert_eq!(verdict, Verdict::Right, "{text}");
            // Its own form keeps salt and count, so that app passwords go on.
            let own = passwords.hash(&secret("hush"), Some(&alice)).await.unwrap();
            assert_eq!((own.salt, own.count), (alice.scram_salt, alice.scram_count));
        }
        let passwords = passwords();
        let clear = Passwords::import(&secret("{PLAIN}hush")).unwrap();
        let alice = user(passwords.take(clear, None).await.unwrap());
        assert!(!Passwords::outdated(&alice));
        assert_eq!(
            verify(&passwords, Some(&alice), "hush", 0).await,
            Verdict::Right
        );
    });
}

/// SU-8: what is printed is found again, whatever way it is typed, and its SCRAM keys share the
/// account's salt.
#[test]
fn su_8_app_passwords() {
    let passwords = passwords();
    smol::block_on(async {
        let alice = user(passwords.hash(&secret("hush"), None).await.unwrap());
        let (shown, app) = passwords.app_password(&alice, "phone").await.unwrap();
        let (other, laptop) = passwords.app_password(&alice, "laptop").await.unwrap();
        assert_ne!(shown, other);
        let keys = scram::keys(&shown, &alice.scram_salt, alice.scram_count);
        assert_eq!(keys, Some(app.scram.clone()));
        let row = |app: NewAppPassword| AppPassword {
            name: app.name,
            sha256: app.sha256,
            scram: app.scram,
            created: Time(0),
            used: None,
            secret_in: 0,
        };
        let apps = [(1, row(app)), (2, row(laptop))];
        let typed = str::from_utf8(shown.reveal())
            .unwrap()
            .replace('-', " ")
            .to_uppercase();
        let id = |text: &Secret| Passwords::app_of(&apps, text).map(|(id, _)| *id);
        assert_eq!(id(&secret(&typed)), Some(1));
        assert_eq!(id(&other), Some(2));
        assert_eq!(id(&secret("hush")), None);
        assert_eq!(id(&secret(&"0".repeat(26))), None);
        // HD-2
        let debug = format!(
            "{apps:?} {shown:?} {:?}",
            passwords.hash(&shown, None).await
        );
        assert!(!debug.contains(str::from_utf8(shown.reveal()).unwrap()));
        assert!(!debug.contains("argon2id"), "{debug}");
    });
}
