//! Known answers; where they come from is said with each.

use super::*;

/// (password, hash)
const RIGHT: &[(&str, &str)] = &[
    // OpenSSL 3.0, `openssl passwd -1`, `-5`, `-6`.
    ("hush hush", "$1$abcdefgh$bXQrOhdpVRcPVcxjKOOOk/"),
    (
        "hush hush",
        "$5$0123456789abcdef$uqNqVo8PCL6Kwe02Btnrlbr3ggXxTrV6X2fVfI/xcK7",
    ),
    (
        "pässwörd",
        "$6$Zz./9$zLyZqlkqdPVumLEqHws/rF8fdEGr4TV0e7PTueQfSGVGdpfRb22C0IC4PMI1sfQ8rr.ASBQFWRw9wuk07m3So.",
    ),
    // libxcrypt 4.4, `crypt()`.
    (
        "hush hush",
        "$6$rounds=1000$roundstoolow$dvqZGamgLeytjDpCZMcKaidvRoJ/qYxsdtimK3DQC7q1lp9jp36evwRCBfmbImyo8g7NvzaP6Q1eiObu.yxiO.",
    ),
    (
        "hush hush",
        "$5$rounds=10000$saltstringsaltst$VFfhkTxA8Iprfpt4oXJJ9BUiOw2IpRyMFRfovFp/NN9",
    ),
    (
        LONG,
        "$6$longpass$kmXxx58yNRDen7eor7WRnwC3kENBZRShx7cJuds7X1Md4u6gfuI4RM.RVTT8kihAtYc2xrJAZkV9DoUcfkUKW/",
    ),
    ("", "$1$empty$dcN8YAzH./JGClDgyY17.."),
    (
        "",
        "$6$e$w0atmQHNF8i.6K6R4EGZnL8BtYlQO1Dx5ByCl4DpL6V/pk4m00oTWcFc4jPqz1sbzJzZChJtMgzlJhvMI8Xvw1",
    ),
    ("xxxxxxxxxxxxxxxxx", "$1$s$4w8gylqqNEyQ/HiC.ILJ.."),
    (
        "yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy",
        "$5$toolongsalt$CDbYQBjx.sqB6ZFGhrwEo6JblJ9rcedmwN2QCCHU3E0",
    ),
    ("hush hush", "ablnfadJ4BMR."),
    ("longer than eight", "./yPRzyX/WeSM"),
    ("longer t", "./yPRzyX/WeSM"),
    ("", "zZO7u0HfQST3A"),
    ("päss", "9a4N0bJEujSlA"),
    ("secret", "abNANd1rDfiNc"),
    (
        "hush hush",
        "$2b$04$abcdefghijklmnopqrstuuC7CaggWnCx63v2p/sU..KeUoeejj4j.",
    ),
    (
        "pässwörd",
        "$2y$05$./ABCDEFGHIJKLMNOPQRSeG242KoDwABWpTksJIVYg6eMb0BzcPJ2",
    ),
    (
        "",
        "$2a$04$......................w74bL5gU7LSJClZClCa.Pkz14aTv/XO",
    ),
    (
        LONG,
        "$2b$04$N9qo8uLOickgx2ZMRZoMyedlslr.Jty7xCSm4JGSxc8PDTmSzo582",
    ),
    // Dovecot 2.3, `doveadm pw`.
    (
        "hush hush",
        "$6$N8.4hEqyhx9JMr8W$4.u8oGcEBqR8wlInRVJFnS8HOPpFUmaWPWyWJCzkqbDtrdhRUlEnKJCVCSn3h7e1nsMrAf/Mod6cnDI/b.ToY1",
    ),
    (
        "hush hush",
        "$5$UgUs0Q7LuDWm5GoB$.HcjNL9/Kg1U9fBafMFXnzIqGOBjRsJCOF8P4ppUmwB",
    ),
    ("hush hush", "$1$3yF.zilA$owr0S5YeU64gq5NyKLMUe0"),
    (
        "hush hush",
        "$2y$05$5mej/ovjqf2djwi7Fx.VJe5/5JZktc.smn18UYsAizU5dYMAZpI4e",
    ),
    ("hush hush", "JiXeHszAKe2KA"),
    // The SHA-crypt specification's own (Drepper, 2008).
    (
        "Hello world!",
        "$5$saltstring$5B8vYYiY.CVt1RlTTf8KbXBH3hsxY/GNooZaBBGWEc5",
    ),
    (
        "Hello world!",
        "$6$saltstring$svn8UoSVapNtMuq1ukKS4tPQd8iKwSMHWjl/O817G3uBnIFNjnQJuesI68u4OTLiBFdcbYEdFCoEOfaS35inz1",
    ),
    (
        "Hello world!",
        "$6$rounds=10000$saltstringsaltstring$OW1/O6BYHV6BcXZu8QVeXbDWra3Oeqh0sbHbbMCVNSnCM/UrjmM0Dp8vOuZeHBy/YTBmSK6H9qs/y3RnOaw5v.",
    ),
    (
        "the minimum number is still observed",
        "$6$rounds=10$roundstoolow$kUMsbe306n21p9R.FRkW3IGn.S9NPN0x50YhH1xhLsPuWGsUSklZt58jaTfF4ZEQpyUNGc0dqbpBYYBaHHrsX.",
    ),
    // jBCrypt's tests.
    (
        "a",
        "$2a$06$m0CrhHm10qJ3lXRY.5zDGO3rS2KdeeWLuGmsfGlMfOxih58VYVfxe",
    ),
    (
        "abcdefghijklmnopqrstuvwxyz",
        "$2a$08$aTsUwsyowQuzRrDqFflhgekJ8d9/7Z3GV3UcgvzQW3J5zMyrTvlz.",
    ),
];

const LONG: &str = "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx";

/// ST-6: what other programs made is right, and nothing else is.
#[test]
fn st_6_hashes_of_others() {
    for (password, text) in RIGHT {
        let crypt = parse(text).unwrap_or_else(|why| panic!("{text}: {why:?}"));
        assert!(crypt.is(password.as_bytes()), "{text}");
        assert!(!crypt.is(format!("y{password}").as_bytes()), "{text}");
        let spoilt = if text.ends_with('/') { "1" } else { "/" };
        let spoilt = format!("{}{spoilt}", &text[..text.len() - 1]);
        let right = parse(&spoilt).is_ok_and(|crypt| crypt.is(password.as_bytes()));
        // The last letter of a bcrypt hash has bits that nobody reads.
        assert!(!right || text.starts_with("$2"), "{spoilt}");
    }
}

#[test]
fn what_is_no_hash() {
    for (text, why) in [
        ("", Unfit::Unknown),
        ("$", Unfit::Unknown),
        ("hush", Unfit::Unknown),
        ("thirteen char", Unfit::Unknown),
        ("$y$j9T$salt$hash", Unfit::Unknown),
        (
            "$2x$04$N9qo8uLOickgx2ZMRZoMyedlslr.Jty7xCSm4JGSxc8PDTmSzo582",
            Unfit::Unknown,
        ),
        (
            "$2$04$N9qo8uLOickgx2ZMRZoMyedlslr.Jty7xCSm4JGSxc8PDTmSzo582",
            Unfit::Unknown,
        ),
        ("$1$abcdefgh$short", Unfit::Spoilt),
        ("$1$abcdefgh", Unfit::Spoilt),
        ("$1$abcdefgh$bXQrOhdpVRcPVcxjKOOO!/", Unfit::Spoilt),
        ("$1$\u{e4}bcdefg$bXQrOhdpVRcPVcxjKOOOk/", Unfit::Spoilt),
        (
            "$2b$4$N9qo8uLOickgx2ZMRZoMyedlslr.Jty7xCSm4JGSxc8PDTmSzo582",
            Unfit::Spoilt,
        ),
        (
            "$2b$03$N9qo8uLOickgx2ZMRZoMyedlslr.Jty7xCSm4JGSxc8PDTmSzo582",
            Unfit::Spoilt,
        ),
        (
            "$2b$15$N9qo8uLOickgx2ZMRZoMyedlslr.Jty7xCSm4JGSxc8PDTmSzo582",
            Unfit::Costly,
        ),
        (
            "$2b$99$N9qo8uLOickgx2ZMRZoMyedlslr.Jty7xCSm4JGSxc8PDTmSzo582",
            Unfit::Costly,
        ),
        (
            "$2b$04$N9qo8uLOickgx2ZMRZoMyedlslr.Jty7xCSm4JGSxc8PDTmSzo58",
            Unfit::Spoilt,
        ),
        ("$2b$04$", Unfit::Spoilt),
        (
            "$5$rounds=1000001$salt$VFfhkTxA8Iprfpt4oXJJ9BUiOw2IpRyMFRfovFp/NN9",
            Unfit::Costly,
        ),
        (
            "$5$rounds=99999999999$salt$VFfhkTxA8Iprfpt4oXJJ9BUiOw2IpRyMFRfovFp/NN9",
            Unfit::Costly,
        ),
        (
            "$5$rounds=-1$salt$VFfhkTxA8Iprfpt4oXJJ9BUiOw2IpRyMFRfovFp/NN9",
            Unfit::Spoilt,
        ),
        (
            "$5$rounds=$salt$VFfhkTxA8Iprfpt4oXJJ9BUiOw2IpRyMFRfovFp/NN9",
            Unfit::Spoilt,
        ),
        ("$5$rounds=5000", Unfit::Spoilt),
    ] {
        assert_eq!(parse(text), Err(why), "{text}");
    }
}

#[test]
fn lengths_that_are_never_right() {
    for (_, text) in RIGHT.iter().take(4) {
        let crypt = parse(text).unwrap();
        assert!(!crypt.is(&vec![b'x'; LENGTH_MAX + 1]));
        assert!(!crypt.is(b"hush hush\0"), "{text}");
    }
}
