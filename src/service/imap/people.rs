//! How many sessions each person has (`limit.imap_sessions_per_person`).

use std::{cell::RefCell, collections::HashMap, rc::Rc};

use crate::base::id::UserId;

/// Who is logged in, and how often.
#[derive(Debug, Default)]
pub struct People(RefCell<HashMap<UserId, usize>>);

/// One session of a person; leaves when it is dropped.
#[derive(Debug)]
pub struct Presence {
    people: Rc<People>,
    user: UserId,
}

impl People {
    /// One session more; `None` where that is one too many.
    pub fn enter(self: &Rc<Self>, user: UserId, most: usize) -> Option<Presence> {
        let mut counts = self.0.borrow_mut();
        let count = counts.get(&user).copied().unwrap_or(0);
        if count >= most {
            return None;
        }
        counts.insert(user, count.saturating_add(1));
        Some(Presence {
            people: Rc::clone(self),
            user,
        })
    }
}

impl Presence {
    pub fn user(&self) -> UserId {
        self.user
    }
}

impl Drop for Presence {
    fn drop(&mut self) {
        let mut counts = self.people.0.borrow_mut();
        match counts.get_mut(&self.user) {
            Some(count) if *count > 1 => *count -= 1,
            _ => {
                counts.remove(&self.user);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_leaves_makes_room() {
        let people = Rc::new(People::default());
        let (ann, ben) = (UserId(1), UserId(2));
        let first = people.enter(ann, 2).unwrap();
        let second = people.enter(ann, 2).unwrap();
        assert!(people.enter(ann, 2).is_none());
        assert!(people.enter(ben, 2).is_some());
        drop(first);
        assert!(people.enter(ann, 2).is_some());
        drop(second);
        assert!(people.0.borrow().is_empty());
    }
}
