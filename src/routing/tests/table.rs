//! One directory that holds every kind of row at once, and where addresses lead in it.

use super::rows::{Rows, routed, show};
use crate::routing::Rights;

const DIRECTORY: &str = "
    # AC-2 to AC-6: each class; AC-7: rows that are switched off
    domain home.test mailbox
    domain other.test mailbox
    domain sub.home.test mailbox
    domain xn--bcher-kva.example mailbox
    domain catch.test mailbox
    domain spill.test mailbox
    domain out.test mailbox
    domain empty.test mailbox
    domain list.test alias
    domain machine.test local
    domain relay.test relay
    domain kept.test relay listed
    domain primary.test backup
    domain few.test backup listed
    off domain sleeping.test mailbox

    mailbox alice@home.test 1
    mailbox bob@home.test 2
    mailbox alice+shop@home.test 3
    mailbox carol@other.test 4
    off mailbox dave@home.test 5
    mailbox éva@xn--bcher-kva.example 6
    mailbox info@home.test 7
    mailbox target@catch.test 8
    mailbox own@catch.test 9
    mailbox boss@home.test 10
    mailbox x%y@home.test 11
    mailbox a b@home.test 12
    mailbox root@other.test 13
    mailbox abuse@other.test 14
    mailbox u@out.test 15
    mailbox v@out.test 16
    mailbox w@out.test 17
    mailbox m@sub.home.test 18
    mailbox nobody@list.test 19
    mailbox agent@machine.test 20
    mailbox alice@localhost 21
    mailbox s@sleeping.test 22
    mailbox dead@out.test 23
    mailbox later@out.test 24
    mailbox gone@out.test 25
    mailbox carol@spill.test 26
    postmaster 10

    # FW-1, FW-2, FW-3, FW-5, FW-7
    alias info@home.test -> bob@home.test
    alias team@home.test -> alice@home.test, bob@home.test, carol@other.test, x@away.example
    alias copy@home.test -> copy@home.test, bob@home.test
    alias bob+keep@home.test -> bob+keep@home.test, alice@home.test
    alias self@home.test -> self@home.test
    alias tagged@home.test -> alice+shop@home.test
    alias carol@other.test -> carol@other.test, alice@home.test
    off alias alice@home.test -> bob@home.test
    alias sales+eu@home.test -> carol@other.test
    alias sales@home.test -> bob@home.test
    alias twice@home.test -> team@home.test, ALICE+x@home.test, info@home.test, X@AWAY.example
    alias chain1@home.test -> chain2@home.test
    alias chain2@home.test -> chain3@list.test
    alias chain3@list.test -> chain4@xn--bcher-kva.example
    alias chain4@xn--bcher-kva.example -> alice@home.test
    # FW-8
    alias loop1@home.test -> loop2@home.test
    alias loop2@home.test -> loop3@home.test, alice@home.test
    alias loop3@home.test -> loop1@home.test
    alias intoloop@home.test -> alice@home.test, loop1@home.test
    alias turn+x@home.test -> turn@home.test
    alias turn@home.test -> turn+x@home.test
    alias inbox@home.test -> inbox+in@home.test
    alias kim@home.test -> kim@home.test, lee@home.test
    alias lee@home.test -> lee@home.test, kim@home.test
    mailbox kim@home.test 30
    mailbox lee@home.test 31
    mailbox inbox@home.test 32
    # FW-9
    alias dead@home.test -> ghost@home.test
    alias half@home.test -> ghost@home.test, alice@home.test, dave@home.test
    alias tosleep@home.test -> s@sleeping.test
    alias tonobox@home.test -> nobody@list.test
    # FW-11
    alias ext@home.test -> x@away.example
    alias plain@home.test -> x@away.example srs=off
    alias nested@home.test -> plain@home.test
    alias literal@home.test -> x@[192.0.2.1]
    alias spoke@home.test -> mail@primary.test
    # FW-4, FW-6: catch-alls and redirects
    alias @catch.test -> target@catch.test
    alias exact@catch.test -> alice@home.test
    alias @spill.test -> @other.test
    alias exact@spill.test -> alice@home.test
    domain away1.test mailbox
    alias @away1.test -> @away.example
    domain away2.test mailbox
    alias @away2.test -> all@away.example
    domain ring1.test mailbox
    alias @ring1.test -> @ring2.test
    domain ring2.test alias
    alias @ring2.test -> @ring1.test
    alias out@ring2.test -> alice@home.test
    domain hop1.test alias
    alias @hop1.test -> @hop2.test
    domain hop2.test alias
    alias @hop2.test -> @home.test
    domain self.test mailbox
    alias @self.test -> @self.test
    mailbox me@self.test 33
    domain both.test mailbox
    alias @both.test -> @home.test, @other.test
    domain stay.test mailbox
    alias @stay.test -> t@stay.test, alice@home.test
    alias one@home.test -> @other.test
    off domain dozing.test mailbox
    alias @dozing.test -> alice@home.test
    # aliases where nothing is hosted are never looked at
    alias trap@foreign.example -> alice@home.test
    alias @foreign.example -> alice@home.test
    # aliases and lists of domains that are passed on
    alias moved@relay.test -> alice@home.test
    alias moved@kept.test -> alice@home.test
    recipient known@kept.test
    recipient moved@kept.test
    recipient known@few.test
    recipient x%y@kept.test
    domain rest.test relay listed
    recipient known@rest.test
    alias @rest.test -> alice@home.test
    domain full.test relay
    alias @full.test -> @full.test, alice@home.test
    # AC-12
    alias postmaster@other.test -> alice@home.test
    alias webmaster@home.test -> alice@home.test
    alias hostmaster@home.test -> ghost@home.test
    alias postmaster@hop2.test -> ghost@home.test
    alias root@localhost -> bob@home.test

    # TR-1 to TR-12
    route smart
    route second
    default second
    transport * -> relay:smart
    transport home.test -> :
    transport other.test -> :
    transport sub.home.test -> :
    transport xn--bcher-kva.example -> :
    transport .example -> smtp:wide.net
    transport .deep.example -> smtp:deeper.net:2025
    transport deep.example -> smtp:[192.0.2.9]
    transport joe@deep.example -> smtp:[2001:db8::1]
    transport joe+x@deep.example -> smtp:[mail.d.test]:2525
    transport jane@deep.example -> :
    transport bare.example -> :
    transport gone.example -> relay:lost
    transport bad.example -> nonsense
    transport no.example -> error:5.7.1 we do not write to them
    transport no2.example -> error:not there
    transport tired.example -> error:4.2.1 asleep
    transport drop.example -> discard:
    transport catch.test -> :
    transport list.test -> :
    transport machine.test -> :
    transport localhost -> :
    transport self.test -> :
    transport u@out.test -> lmtp:unix:/run/lmtp
    transport v@out.test -> lmtp:[127.0.0.1]:24
    transport v+x@out.test -> discard:
    transport dead@out.test -> error:moved
    transport later@out.test -> error:4.3.0 later
    transport gone@out.test -> relay:lost
    transport relay.test -> smtp:[10.0.0.2]
    transport .home.test -> error:never
";

/// The address as in RCPT, and where it leads for a stranger.
const STRANGER: &[(&str, &str)] = &[
    // AC-2, AC-10: case and both forms of a domain
    ("alice@home.test", "#1"),
    ("ALICE@HOME.TEST", "#1"),
    ("Alice@Home.Test", "#1"),
    ("bob@home.test", "#2"),
    ("\"alice\"@home.test", "#1"),
    ("\"a b\"@home.test", "#12"),
    ("\"A B\"@home.test", "#12"),
    ("éva@bücher.example", "#6"),
    ("ÉVA@BÜCHER.example", "#6"),
    ("éva@xn--bcher-kva.example", "#6"),
    ("éva@XN--BCHER-KVA.EXAMPLE", "#6"),
    ("eva@bücher.example", "Unknown"),
    ("m@sub.home.test", "#18"),
    ("m@home.test", "Unknown"),
    // AC-11
    ("alice+shop@home.test", "#3"),
    ("alice+SHOP@home.test", "#3"),
    ("alice+other@home.test", "#1"),
    ("alice+shop+x@home.test", "#1"),
    ("alice+@home.test", "#1"),
    ("+shop@home.test", "Unknown"),
    ("+@home.test", "Unknown"),
    ("alice-shop@home.test", "Unknown"),
    ("éva+x@bücher.example", "#6"),
    ("\"alice+a b\"@home.test", "#1"),
    // SR-8
    ("ghost@home.test", "Unknown"),
    ("ghost+alice@home.test", "Unknown"),
    ("x@empty.test", "Unknown"),
    (r#""alice."@home.test"#, "Unknown"),
    ("home.test@home.test", "Unknown"),
    // AC-7
    ("dave@home.test", "Unknown"),
    ("dave+x@home.test", "Unknown"),
    ("s@sleeping.test", "Foreign"),
    ("postmaster@sleeping.test", "Foreign"),
    ("x@dozing.test", "Foreign"),
    // AC-3: no mailboxes in an alias domain
    ("nobody@list.test", "Unknown"),
    ("chain3@list.test", "#1"),
    ("ghost@list.test", "Unknown"),
    ("postmaster@list.test", "#10"),
    // AC-4, AC-9
    ("agent@machine.test", "#20"),
    ("alice@localhost", "#21"),
    ("ALICE@LOCALHOST", "#21"),
    ("bob@localhost", "Unknown"),
    ("root@localhost", "#2"),
    ("root@home.test", "#10"),
    ("root@machine.test", "#10"),
    ("ghost@mx.home.test", "Unknown"),
    ("root@box.lan", "root@box.lan via relay:smart"),
    ("ghost@box.lan", "Unknown"),
    // AC-8: bare local parts get the origin, localhost here
    ("alice", "#21"),
    ("Root", "#2"),
    ("ghost", "Unknown"),
    // AC-5, AC-6
    ("any@relay.test", "any@relay.test via smtp:[10.0.0.2]"),
    ("Any+X@Relay.Test", "Any+X@relay.test via smtp:[10.0.0.2]"),
    (
        "postmaster@relay.test",
        "postmaster@relay.test via smtp:[10.0.0.2]",
    ),
    ("moved@relay.test", "#1"),
    ("moved+x@relay.test", "#1"),
    ("known@kept.test", "known@kept.test via relay:smart"),
    ("KNOWN@kept.test", "KNOWN@kept.test via relay:smart"),
    ("known+x@kept.test", "known+x@kept.test via relay:smart"),
    ("ghost@kept.test", "Unknown"),
    ("postmaster@kept.test", "Unknown"),
    ("moved@kept.test", "#1"),
    ("any@primary.test", "any@primary.test via relay:smart"),
    ("known@few.test", "known@few.test via relay:smart"),
    ("ghost@few.test", "Unknown"),
    ("known@rest.test", "known@rest.test via relay:smart"),
    ("other@rest.test", "#1"),
    ("any@full.test", "any@full.test via relay:smart, #1"),
    // AC-12, SR-26
    // The transport of postmaster@mx.home.test refuses: taken all the same.
    ("postmaster", "#10"),
    ("POSTMASTER", "#10"),
    ("postmaster@mx.home.test", "#10"),
    ("webmaster@mx.home.test", "550 5.1.1 never"),
    ("postmaster@home.test", "#10"),
    ("PostMaster@Home.Test", "#10"),
    ("postmaster+x@home.test", "#10"),
    ("abuse@home.test", "#10"),
    ("ABUSE@home.test", "#10"),
    ("abuse@other.test", "#14"),
    ("root@other.test", "#13"),
    ("postmaster@other.test", "#1"),
    ("MAILER-DAEMON@other.test", "#1"),
    ("MAILER-DAEMON@home.test", "#10"),
    // LM-3
    ("MAILER-DAEMON@localhost", "#2"),
    ("postmaster@localhost", "#2"),
    ("postmaster@machine.test", "#10"),
    ("mailer-daemon+x@localhost", "#2"),
    ("webmaster@home.test", "#1"),
    ("webmaster@other.test", "#10"),
    ("hostmaster@other.test", "#10"),
    // A row that leads nowhere: only these two are taken all the same.
    ("hostmaster@home.test", "Unknown"),
    ("postmaster@hop2.test", "#10"),
    ("abuse@empty.test", "abuse@empty.test via relay:smart"),
    ("abuse@catch.test", "#10"),
    ("security@home.test", "Unknown"),
    // FW-1, FW-2
    ("info@home.test", "#2"),
    ("info+x@home.test", "#2"),
    ("INFO@home.test", "#2"),
    (
        "team@home.test",
        "#1, #2, #4, x@away.example via smtp:wide.net srs",
    ),
    ("sales@home.test", "#2"),
    ("sales+eu@home.test", "#4, #1"),
    ("sales+EU@home.test", "#4, #1"),
    ("sales+us@home.test", "#2"),
    ("tagged@home.test", "#3"),
    // FW-3, FW-5
    ("carol@other.test", "#4, #1"),
    ("carol+x@other.test", "#4, #1"),
    ("copy@home.test", "#2"),
    ("bob+keep@home.test", "#2, #1"),
    ("self@home.test", "Unknown"),
    ("me@self.test", "#33"),
    ("ghost@self.test", "Unknown"),
    ("inbox@home.test", "#32"),
    ("kim@home.test", "#30, #31"),
    ("lee@home.test", "#31, #30"),
    // FW-12
    (
        "twice@home.test",
        "#1, #2, #4, x@away.example via smtp:wide.net srs",
    ),
    ("both@both.test", "Unknown"),
    ("alice@both.test", "#1"),
    ("carol@both.test", "#4, #1"),
    // FW-8
    ("chain1@home.test", "#1"),
    ("chain1+x@home.test", "#1"),
    ("loop1@home.test", "AliasLoop"),
    ("loop2@home.test", "AliasLoop"),
    ("loop3@home.test", "AliasLoop"),
    ("intoloop@home.test", "AliasLoop"),
    ("turn@home.test", "AliasLoop"),
    ("turn+x@home.test", "AliasLoop"),
    ("turn+y@home.test", "AliasLoop"),
    ("x@ring1.test", "AliasLoop"),
    ("x@ring2.test", "AliasLoop"),
    ("out@ring1.test", "#1"),
    // FW-9
    ("dead@home.test", "Unknown"),
    ("half@home.test", "#1"),
    ("tosleep@home.test", "s@sleeping.test via relay:smart srs"),
    ("tonobox@home.test", "Unknown"),
    // FW-11
    ("ext@home.test", "x@away.example via smtp:wide.net srs"),
    ("plain@home.test", "x@away.example via smtp:wide.net"),
    ("nested@home.test", "x@away.example via smtp:wide.net"),
    ("literal@home.test", "x@[192.0.2.1] via relay:smart srs"),
    ("spoke@home.test", "mail@primary.test via relay:smart"),
    // FW-4, FW-5, FW-7
    ("target@catch.test", "#8"),
    ("own@catch.test", "#9"),
    ("own+x@catch.test", "#9"),
    ("exact@catch.test", "#1"),
    ("anything@catch.test", "#8"),
    ("any+thing@catch.test", "#8"),
    ("any@stay.test", "#1"),
    ("t@stay.test", "#1"),
    // FW-6, FW-7
    ("exact@spill.test", "#1"),
    ("carol@spill.test", "carol@spill.test via relay:smart"),
    ("root@spill.test", "root@spill.test via relay:smart"),
    ("ABUSE@spill.test", "ABUSE@spill.test via relay:smart"),
    ("ghost@spill.test", "Unknown"),
    ("sub@spill.test", "Unknown"),
    ("alice@hop1.test", "#1"),
    ("Alice+Shop@hop1.test", "#3"),
    ("info@hop1.test", "#2"),
    ("ghost@hop1.test", "Unknown"),
    ("any@away1.test", "any@away.example via smtp:wide.net srs"),
    (
        "Any+Tag@away1.test",
        "Any+Tag@away.example via smtp:wide.net srs",
    ),
    ("any@away2.test", "all@away.example via smtp:wide.net srs"),
    ("one@home.test", "Unknown"),
    // SR-10: nobody's mail is passed on for a stranger, however it is written
    ("x@away.example", "Foreign"),
    ("joe@deep.example", "Foreign"),
    ("x@drop.example", "Foreign"),
    ("x@no.example", "Foreign"),
    ("trap@foreign.example", "Foreign"),
    ("any@foreign.example", "Foreign"),
    ("alice@[192.0.2.1]", "Foreign"),
    ("postmaster@[127.0.0.1]", "Foreign"),
    ("postmaster@away.example", "Foreign"),
    ("\"alice@home.test\"@away.example", "Foreign"),
    ("x%away.example@home.test", "Unknown"),
    ("away.example!x@home.test", "Unknown"),
    ("\"x@away.example\"@home.test", "Unknown"),
    ("x%y@home.test", "#11"),
    ("alice+x%away.example@home.test", "#1"),
    ("@away.example:alice@home.test", "#1"),
    ("@home.test:x@away.example", "Foreign"),
    ("@home.test,@mx.home.test:x@away.example", "Foreign"),
    ("x%away.example@away1.test", "Foreign"),
    ("away.example!x@away1.test", "Foreign"),
    ("\"x@y\"@away1.test", "Foreign"),
    ("x%y@away2.test", "Foreign"),
    ("\"x@y\"@away2.test", "Foreign"),
    ("x%y@catch.test", "#8"),
    ("x%y@hop1.test", "#11"),
    ("z%y@hop1.test", "Unknown"),
    ("x%y@relay.test", "Foreign"),
    ("x!y@relay.test", "Foreign"),
    ("\"x@y\"@relay.test", "Foreign"),
    ("x%y@primary.test", "Foreign"),
    ("x%y@kept.test", "Foreign"),
    ("x%y@full.test", "#1"),
    ("moved+x%y@relay.test", "#1"),
    ("info+x%y@home.test", "#2"),
    // TR-6, TR-7, TR-10, TR-12: transports of hosted addresses
    ("u@out.test", "u@out.test via lmtp:unix:/run/lmtp"),
    ("u+tag@out.test", "u+tag@out.test via lmtp:unix:/run/lmtp"),
    ("v@out.test", "v@out.test via lmtp:[127.0.0.1]:24"),
    ("v+x@out.test", "drop v+x@out.test"),
    ("v+y@out.test", "v+y@out.test via lmtp:[127.0.0.1]:24"),
    ("V+X@OUT.TEST", "drop V+X@out.test"),
    ("w@out.test", "w@out.test via relay:smart"),
    ("w+x%y@out.test", "Foreign"),
    ("ghost@out.test", "Unknown"),
    ("dead@out.test", "550 5.1.1 moved"),
    ("later@out.test", "450 4.3.0 later"),
    ("gone@out.test", "LookupFailed"),
];

/// What somebody who has logged in is given beyond that: foreign addresses.
const USER: &[(&str, &str)] = &[
    ("alice@home.test", "#1"),
    ("ghost@home.test", "Unknown"),
    (
        "team@home.test",
        "#1, #2, #4, x@away.example via smtp:wide.net srs",
    ),
    ("x%y@relay.test", "Foreign"),
    ("x%y@away1.test", "Foreign"),
    ("x@else.net", "x@else.net via relay:smart"),
    ("x%y@else.net", "x%y@else.net via relay:smart"),
    ("\"a b\"@Else.Net", "\"a b\"@else.net via relay:smart"),
    ("x@[192.0.2.1]", "x@[192.0.2.1] via relay:smart"),
    (
        "x@[IPv6:2001:db8::1]",
        "x@[IPv6:2001:db8::1] via relay:smart",
    ),
    (
        "@else.net:x@away.example",
        "x@away.example via smtp:wide.net",
    ),
    ("s@sleeping.test", "s@sleeping.test via relay:smart"),
    // An alias of a domain that is not ours is never looked at.
    (
        "trap@foreign.example",
        "trap@foreign.example via smtp:wide.net",
    ),
    // TR-5, TR-8
    ("x@example", "x@example via relay:smart"),
    ("x@a.example", "x@a.example via smtp:wide.net"),
    ("x@a.b.example", "x@a.b.example via smtp:wide.net"),
    ("x@deep.example", "x@deep.example via smtp:[192.0.2.9]"),
    (
        "x@a.deep.example",
        "x@a.deep.example via smtp:deeper.net:2025",
    ),
    (
        "x@a.b.deep.example",
        "x@a.b.deep.example via smtp:deeper.net:2025",
    ),
    ("x@notdeep.example", "x@notdeep.example via smtp:wide.net"),
    // TR-7
    (
        "joe@deep.example",
        "joe@deep.example via smtp:[2001:db8::1]",
    ),
    (
        "Joe@Deep.Example",
        "Joe@deep.example via smtp:[2001:db8::1]",
    ),
    (
        "joe+y@deep.example",
        "joe+y@deep.example via smtp:[2001:db8::1]",
    ),
    (
        "joe+x@deep.example",
        "joe+x@deep.example via smtp:[mail.d.test]:2525",
    ),
    (
        "joey@deep.example",
        "joey@deep.example via smtp:[192.0.2.9]",
    ),
    (
        "joe@a.deep.example",
        "joe@a.deep.example via smtp:deeper.net:2025",
    ),
    // TR-1: as if there were no entry; the default route is none
    ("jane@deep.example", "jane@deep.example via relay:second"),
    ("x@bare.example", "x@bare.example via relay:second"),
    // TR-9, TR-12
    ("x@no.example", "550 5.7.1 we do not write to them"),
    ("x@no2.example", "550 5.1.1 not there"),
    ("x@tired.example", "450 4.2.1 asleep"),
    ("x@drop.example", "drop x@drop.example"),
    ("x@gone.example", "LookupFailed"),
    ("x@bad.example", "LookupFailed"),
];

#[test]
fn every_kind_of_row_at_once() {
    let rows = Rows::new(DIRECTORY);
    assert!(STRANGER.len() + USER.len() >= 150);
    let mut wrong = Vec::new();
    for (rights, table) in [(Rights::Stranger, STRANGER), (Rights::User, USER)] {
        for (address, want) in table {
            let got = show(&routed(&rows, rights, address).outcome);
            if got != *want {
                wrong.push(format!("{address}: {got}, not {want}"));
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}\n", wrong.join("\n"));
}

/// FW-10: submission is led as the MX is, where the address is ours.
#[test]
fn rights_change_only_what_is_foreign() {
    let rows = Rows::new(DIRECTORY);
    for (address, _) in STRANGER {
        let stranger = routed(&rows, Rights::Stranger, address);
        let user = routed(&rows, Rights::User, address);
        if stranger
            .steps
            .iter()
            .any(|step| step.to_string().contains("not in a domain of ours"))
        {
            continue;
        }
        assert_eq!(stranger, user, "{address}");
    }
}

/// SR-9: whatever cannot be read is not judged.
#[test]
fn nobody_can_tell() {
    let mut rows = Rows::new(DIRECTORY);
    rows.broken = true;
    for (address, _) in STRANGER {
        let got = show(&routed(&rows, Rights::Stranger, address).outcome);
        let literal = address.contains("@[");
        let want = if literal { "Foreign" } else { "LookupFailed" };
        assert_eq!(got, want, "{address}");
    }
}
