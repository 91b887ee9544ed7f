//! The keys and records of a domain, on a stopped box.

use super::*;

fn json(out: &str) -> Vec<serde_json::Value> {
    out.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// OQ-10: keys come and go with their domain, and rotate.
#[test]
fn oq_10_the_keys_of_a_domain() {
    let folder = tempfile::tempdir().unwrap();
    let run = |line: &str| on(folder.path(), line, "");
    assert_eq!(run("dkim show home.test").exit, 67);
    assert_eq!(run("domain add home.test").exit, 0);
    let shown = json(&run("dkim show home.test --json").out);
    assert_eq!(shown.len(), 2);
    // The quick one is there; the other one is made by the running box.
    let value = |at: usize| shown[at]["value"].as_str().unwrap().to_owned();
    assert_eq!(value(0), "");
    assert!(value(1).starts_with("v=DKIM1; k=ed25519; p="), "{shown:?}");
    assert_eq!(shown[1]["quoted"][0], format!("\"{}\"", value(1)));
    let name = shown[1]["name"].as_str().unwrap();
    assert!(name.starts_with('e') && name.ends_with("._domainkey"));
    assert_eq!(run("dkim rotate home.test").exit, 0);
    let made = json(&run("dkim show home.test --json").out);
    assert_eq!((made.len(), &made[1]), (2, &shown[1]));
    assert!(
        made[0]["value"]
            .as_str()
            .unwrap()
            .starts_with("v=DKIM1; k=rsa; p=")
    );
    assert_eq!(run("domain remove home.test").exit, 0);
    assert_eq!(run("domain add home.test --class alias").exit, 0);
    let again = json(&run("dkim show home.test --json").out);
    assert_ne!(again[1]["value"], shown[1]["value"]);

    assert_eq!(run("domain add pass.test --class relay").exit, 0);
    assert_eq!(run("dkim show pass.test").exit, 67);
    let made = run("dkim rotate pass.test");
    assert_eq!(made.exit, 0, "{}", made.err);
    assert!(made.out.contains("mail is signed with r"), "{}", made.out);
    let first = json(&run("dkim show pass.test --json").out);
    assert_eq!(first.len(), 2);
    let pieces = first[0]["quoted"].as_array().unwrap();
    assert_eq!(pieces.len(), 2);
    let joined: String = pieces
        .iter()
        .map(|piece| piece.as_str().unwrap().trim_matches('"'))
        .collect();
    assert_eq!(first[0]["value"], joined);

    let dry = run("dkim rotate pass.test -n");
    assert!(
        dry.out.starts_with("would be: pass.test: new keys r"),
        "{}",
        dry.out
    );
    let made = run("dkim rotate pass.test");
    assert!(
        made.out.contains("They sign once they are seen there"),
        "{}",
        made.out
    );
    assert_eq!(run("dkim rotate pass.test").exit, 73);
    assert_eq!(run("dkim show pass.test --json").out.lines().count(), 4);
    assert_eq!(run("dkim rotate pass.test --now").exit, 0);
    let text = run("dkim show pass.test").out;
    assert_eq!(
        text.matches("DKIM: with this key mail is signed").count(),
        2,
        "{text}"
    );
    assert_eq!(
        text.matches("DKIM: an old key; leave the record until")
            .count(),
        2
    );
    assert_eq!(run("dkim rotate pass.test --now").exit, 0);
    assert_eq!(run("dkim show pass.test --json").out.lines().count(), 6);
}

/// IN-1, UX-20, UX-21: every record, in every form; what is optional says so.
#[test]
fn ux_20_the_records_of_a_domain() {
    let folder = tempfile::tempdir().unwrap();
    let run = |line: &str| on(folder.path(), line, "");
    assert_eq!(run("config set hostname mx.home.test").exit, 0);
    assert_eq!(run("domain dns home.test").exit, 67);
    assert_eq!(run("domain add home.test").exit, 0);
    let records = json(&run("domain dns home.test --json").out);
    let kinds: Vec<_> = records
        .iter()
        .map(|record| {
            (
                record["type"].as_str().unwrap(),
                record["name"].as_str().unwrap(),
            )
        })
        .collect();
    let key = |at: usize| kinds[at].1.ends_with("._domainkey");
    assert!(key(4) && key(5), "{kinds:?}");
    assert_eq!(
        kinds[..4],
        [("MX", "@"), ("A", "mx"), ("AAAA", "mx"), ("TXT", "@")]
    );
    assert_eq!(
        kinds[6..],
        [
            ("TXT", "_dmarc"),
            ("TXT", "_smtp._tls"),
            ("SRV", "_imaps._tcp"),
            ("SRV", "_submissions._tcp")
        ]
    );
    for (record, optional) in records.iter().zip([
        false, false, true, false, false, false, false, true, true, true,
    ]) {
        assert_eq!(record["optional"], optional, "{record}");
    }
    assert_eq!(records[0]["priority"], 10);
    assert_eq!(records[0]["value"], "mx.home.test.");
    assert_eq!(records[3]["value"], "v=spf1 mx ~all");
    assert_eq!(
        records[8]["zone"],
        "_imaps._tcp.home.test. 3600 IN SRV 0 1 993 mx.home.test."
    );
    let text = run("domain dns home.test").out;
    for line in [
        "MX: mail for the domain comes to this box\n  name       @\n  value      mx.home.test.\n  \
         priority   10\n  zone file  home.test. 3600 IN MX 10 mx.home.test.\n\n",
        "TXT (optional): TLS-RPT",
        "  quoted     \"v=DMARC1; p=none; rua=mailto:postmaster@home.test\"\n",
    ] {
        assert!(text.contains(line), "{text}");
    }

    let add = "route add out --host smtp.gmail.com --port 587 --tls starttls";
    assert_eq!(run(add).exit, 0);
    assert_eq!(run("route default out").exit, 0);
    let records = json(&run("domain dns home.test --json").out);
    assert_eq!(
        records[3]["value"],
        "v=spf1 mx include:_spf.google.com ~all"
    );
    assert_eq!(run("domain add pass.test --class backup").exit, 0);
    let records = json(&run("domain dns pass.test --json").out);
    assert_eq!(records[0]["priority"], 20);
    assert_eq!(records[1]["name"], "mx.home.test.");
    assert_eq!(records.len(), 3);
    assert_eq!(run("domain add box.test --class local").exit, 0);
    assert_eq!(run("domain dns box.test").exit, 77);
}
