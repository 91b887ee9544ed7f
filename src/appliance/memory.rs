//! The C library's allocator, told to give memory back; and how many descriptors there may be.
//! Holds the crate's only `unsafe` (design section 4).

use rustix::process::{Resource, getrlimit, setrlimit};

/// From so many octets on an allocation is a mapping of its own, given back when it is freed. Setting
/// it also keeps glibc from raising it.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const MAPPED_FROM: libc::c_int = 128 * 1024;
/// The main thread's heap and one for the few others.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const HEAPS: libc::c_int = 2;

/// Before the first thread: how the allocator behaves.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[expect(unsafe_code, reason = "the named exception of design section 4")]
pub fn prepare() {
    // SAFETY: `mallopt` takes two numbers and is called before the first other thread.
    unsafe {
        libc::mallopt(libc::M_MMAP_THRESHOLD, MAPPED_FROM);
        libc::mallopt(libc::M_ARENA_MAX, HEAPS);
    }
}

/// Gives free memory back to the system.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[expect(unsafe_code, reason = "the named exception of design section 4")]
pub fn trim() {
    // SAFETY: `malloc_trim` takes a number and may be called by any thread at any time.
    unsafe {
        libc::malloc_trim(0);
    }
}

#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
pub fn prepare() {}

#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
pub fn trim() {}

/// Raises the soft limit of open files to the hard one. Returns what holds now, if anything does.
pub fn descriptors() -> Option<u64> {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    let _refused = setrlimit(Resource::Nofile, limit);
    getrlimit(Resource::Nofile).current
}
