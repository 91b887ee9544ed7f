//! Space is checked before it is needed: the index must never meet a full disk.

use std::{io, sync::atomic::Ordering};

use crate::{
    mail::flag::Flags,
    store::{
        Options, Shared,
        disk::{Disk, Space},
        request::Request,
    },
};

const MIB: u64 = 1024 * 1024;
const RESERVE: &str = "reserve";

/// How much room there is.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Room {
    /// Only deleting, dumps and emptying may write.
    Critical,
    #[default]
    Plenty,
    /// Nothing new is taken in.
    Short,
}

impl Room {
    /// Whether a request may be carried out now.
    #[must_use]
    pub fn allows(self, request: &Request) -> bool {
        let least = match request {
            // New mail and what makes room for it.
            Request::AddAppPassword { .. }
            | Request::AddDomain { .. }
            | Request::AddUser { .. }
            | Request::Append(_)
            | Request::Copy { .. }
            | Request::CreateFolder { .. }
            | Request::Deliver(_)
            | Request::Filters(_)
            | Request::Summarize { .. } => Self::Plenty,
            // MOVE to the trash is how people delete.
            Request::Edit(_)
            | Request::Move { .. }
            | Request::Raise { .. }
            | Request::Recent { .. }
            | Request::RenameFolder { .. }
            | Request::RenameLevel { .. }
            | Request::RenameUser { .. }
            | Request::Set { .. }
            | Request::SetDomainEnabled { .. }
            | Request::SetDomainListed { .. }
            | Request::SetPassword { .. }
            | Request::SetQuota { .. }
            | Request::SetUserEnabled { .. }
            | Request::Subscribe { .. }
            | Request::UsedAppPassword { .. } => Self::Short,
            // Only what is \Deleted can be expunged.
            Request::Flag(flag) if !flag.flags.has(Flags::DELETED) => Self::Short,
            Request::DeleteFolder { .. }
            | Request::Expunge { .. }
            | Request::Flag(_)
            | Request::RemoveAppPassword { .. }
            | Request::RemoveDomain { .. }
            | Request::RemoveMessages { .. }
            | Request::HoldQueued { .. }
            | Request::RemoveQueued { .. }
            | Request::RetryQueued { .. }
            | Request::Settle { .. }
            | Request::Uptime(_)
            | Request::WakeLanes { .. }
            | Request::RemoveUser { .. } => Self::Critical,
        };
        self.rank() >= least.rank()
    }

    fn rank(self) -> u8 {
        match self {
            Self::Critical => 0,
            Self::Short => 1,
            Self::Plenty => 2,
        }
    }
}

/// Free octets that are kept at least.
#[must_use]
pub fn least(options: &Options) -> u64 {
    if options.tiny { 24 * MIB } else { 64 * MIB }
}

impl Space {
    /// Free octets below which nothing new is taken in: a twentieth of all, or `least`.
    #[must_use]
    pub fn keep(&self, least: u64) -> u64 {
        (self.total / 20).max(least)
    }
}

/// Watches the room on the disk.
#[derive(Debug)]
pub struct Rooms {
    room: Room,
    /// Free octets above what is kept.
    above: u64,
    least: u64,
    /// Size of a segment in octets.
    segment: u64,
    /// The reserve file is there.
    reserved: Option<bool>,
    /// Its size in octets.
    reserve: u64,
    /// Live octets of all segments, as housekeeping last counted them.
    pub live: u64,
}

impl Rooms {
    #[must_use]
    pub fn new(options: &Options) -> Self {
        Self {
            room: Room::Plenty,
            above: u64::MAX,
            least: least(options),
            segment: u64::from(options.segment),
            reserved: None,
            reserve: 0,
            live: 0,
        }
    }

    #[must_use]
    pub fn room(&self) -> Room {
        self.room
    }

    /// Octets by which the index may grow.
    #[must_use]
    pub fn index_room(&self) -> u64 {
        self.above
    }

    /// Looks at the disk; removes the reserve when it is needed.
    pub fn look(&mut self, disk: &dyn Disk, dump: u64, shared: &Shared) {
        let Ok(space) = disk.space() else {
            return;
        };
        let keep = space.keep(self.least);
        let segments = (shared.segments.count() as u64).saturating_mul(self.segment);
        let all = segments.saturating_add(space.free);
        let crowded = self.live > all.saturating_sub(all / 100 * 15);
        self.above = space.free.saturating_sub(keep);
        self.room = if space.free < keep / 2 {
            Room::Critical
        } else if space.free < keep || crowded {
            Room::Short
        } else {
            Room::Plenty
        };
        if self.room == Room::Critical && self.reserved != Some(false) {
            // What cannot be removed now is tried again at the next look.
            let gone = disk.remove(RESERVE);
            let gone = gone.is_ok() || gone.is_err_and(|e| e.kind() == io::ErrorKind::NotFound);
            self.reserved = gone.then_some(false);
        }
        // It is written again first when space returns: before new mail is taken in.
        let size = self.reserve_size(dump);
        if self.reserved == Some(true) && size > self.reserve.saturating_add(self.reserve / 2) {
            // What a dump would take has grown.
            self.reserved = None;
        }
        if self.reserved != Some(true) {
            if self.above > size {
                self.reserved = Some(reserve(disk, size).is_ok());
                self.reserve = size;
            } else if self.reserved == Some(false) && self.room == Room::Plenty {
                self.room = Room::Short;
            }
        }
        shared
            .room
            .store(self.room == Room::Plenty, Ordering::Relaxed);
    }

    fn reserve_size(&self, dump: u64) -> u64 {
        self.segment
            .saturating_mul(2)
            .saturating_add(dump.saturating_mul(2))
            .saturating_add(8 * MIB)
    }
}

fn reserve(disk: &dyn Disk, size: u64) -> io::Result<()> {
    let there = disk.open(RESERVE).and_then(|file| file.len());
    if there.is_ok_and(|length| length >= size) {
        return Ok(());
    }
    let file = disk.create(RESERVE)?;
    if let Err(error) = file.allocate(size) {
        // Half a reserve is none.
        let _ = disk.remove(RESERVE);
        return Err(error);
    }
    Ok(())
}
