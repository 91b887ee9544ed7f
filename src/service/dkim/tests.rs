use smol::block_on;

use super::*;
use crate::service::lookup::tests::in_folder;

const NOW: Time = Time(1_795_272_815);

/// A store in a folder.
pub struct Place {
    pub store: Store,
    _folder: tempfile::TempDir,
}

impl Place {
    pub fn new() -> Self {
        let (store, folder) = in_folder();
        Self {
            store,
            _folder: folder,
        }
    }

    pub fn ask(&self, request: Request) {
        block_on(self.store.request(request)).unwrap();
    }

    /// With the keys that a domain gets.
    pub fn domain(&self, name: &str) {
        self.ask(Request::AddDomain {
            name: name.to_owned(),
            class: DomainClass::Mailbox,
            listed: false,
        });
        self.ask(Request::Edit(first(name, NOW).unwrap()));
    }

    pub fn remove_domain(&self, name: &str) {
        let name = name.to_owned();
        self.ask(Request::RemoveDomain { name });
    }

    fn keys(&self) -> Vec<(String, DkimKey)> {
        let keys = self.store.read(|reader| reader.dkim_keys("home.test"));
        keys.unwrap()
    }

    fn states(&self) -> Vec<(String, DkimState, bool)> {
        let keys = self.keys().into_iter();
        keys.map(|(selector, row)| (selector, row.state, !row.private.reveal().is_empty()))
            .collect()
    }

    fn tend(&self, days: i64) {
        let now = Time(NOW.0 + days * 86_400);
        block_on(tend(&self.store, None, now)).unwrap();
    }
}

fn state(selector: &str, state: DkimState, secret: bool) -> (String, DkimState, bool) {
    (selector.to_owned(), state, secret)
}

#[test]
fn a_life_of_keys() {
    use DkimState::{Active, Pending, Retired};
    let place = Place::new();
    place.domain("home.test");
    let begun = [
        state("e202611", Active, true),
        state("r202611", Pending, false),
    ];
    assert_eq!(place.states(), begun);
    place.tend(0);
    let made = [
        state("e202611", Active, true),
        state("r202611", Active, true),
    ];
    assert_eq!(place.states(), made);
    place.tend(100);
    assert_eq!(place.states(), made);

    let keys = place.keys();
    let new = selector(DkimAlgorithm::Ed25519, &keys, NOW);
    assert_eq!(new, "e202611b");
    let row = make(DkimAlgorithm::Ed25519, NOW).unwrap();
    place.ask(Request::Edit(vec![swap(
        "home.test",
        &new,
        None,
        Some(row),
    )]));
    place.tend(0);
    assert_eq!(place.states()[1], state("e202611b", Pending, true));
    let keys = place.keys();
    place.ask(Request::Edit(turn("home.test", &keys, &["e202611b"], NOW)));
    let turned = [
        state("e202611", Retired, false),
        state("e202611b", Active, true),
        state("r202611", Active, true),
    ];
    assert_eq!(place.states(), turned);
    place.tend(6);
    assert_eq!(place.states(), turned);
    place.tend(7);
    assert_eq!(place.states(), turned[1..]);
    place.remove_domain("home.test");
    assert_eq!(place.states(), []);
}

#[test]
fn selectors_are_new() {
    let mut rows = Vec::new();
    for _ in 0..40 {
        let name = selector(DkimAlgorithm::Rsa, &rows, NOW);
        assert!(rows.iter().all(|(taken, _)| *taken != name), "{name}");
        rows.push((name, unmade(DkimAlgorithm::Rsa, NOW)));
    }
    assert_eq!(rows[0].0, "r202611");
    assert_eq!(rows[1].0, "r202611b");
    assert_eq!(rows[25].0, "r202611z");
    assert_eq!(rows[26].0, "r202611x27");
}

#[test]
fn records_in_dns() {
    let public = [1, 2, 3, 4];
    for (text, want) in [
        (&b"v=DKIM1; k=rsa; p=AQIDBA=="[..], true),
        (b"v=DKIM1;k=rsa;p= AQID BA== ;", true),
        (b"p=AQIDBA==", true),
        (b"v=DKIM1; p=", false),
        (b"v=DKIM1; p=AQIDBB==", false),
        (b"AQIDBA==", false),
        (b"\xff", false),
        (b"", false),
    ] {
        assert_eq!(is_record(text, &public), want, "{text:?}");
    }
}
