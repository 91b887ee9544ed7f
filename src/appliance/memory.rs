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

/// Gives back the pages of the executable's code that are mapped: most are of the start (arguments,
/// certificates, recovery), or lie around what was used. What is needed again comes back from the page
/// cache by itself.
#[cfg(target_os = "linux")]
#[expect(unsafe_code, reason = "the named exception of design section 4")]
pub fn unmap_code() {
    let (Ok(maps), Ok(own)) = (
        std::fs::read_to_string("/proc/self/maps"),
        std::env::current_exe(),
    ) else {
        return;
    };
    let own = own.to_string_lossy();
    for line in maps.lines().filter(|line| line.ends_with(&*own)) {
        let Some((from, length)) = code(line) else {
            continue;
        };
        // SAFETY: a private mapping of a file that is only read and executed, so that nobody has
        // written to it: its pages read the same when they come back from the file.
        unsafe {
            libc::madvise(from as *mut libc::c_void, length, libc::MADV_DONTNEED);
        }
    }
}

/// Where a line of `/proc/self/maps` says that code is: address and length.
#[cfg(target_os = "linux")]
fn code(line: &str) -> Option<(usize, usize)> {
    let mut words = line.split_ascii_whitespace();
    let (from, to) = words.next()?.split_once('-')?;
    // `r--p` holds tables that the loader wrote before it locked them: those must stay.
    (words.next()? == "r-xp").then_some(())?;
    let number = |text| usize::from_str_radix(text, 16).ok();
    let (from, to) = (number(from)?, number(to)?);
    Some((from, to.checked_sub(from)?))
}

#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
pub fn prepare() {}

#[cfg(not(target_os = "linux"))]
pub fn unmap_code() {}

#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
pub fn trim() {}

/// Raises the soft limit of open files to the hard one. Returns what holds now, if anything does.
pub fn descriptors() -> Option<u64> {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    let _refused = setrlimit(Resource::Nofile, limit);
    getrlimit(Resource::Nofile).current
}

#[cfg(test)]
mod tests {
    #[cfg(target_os = "linux")]
    #[test]
    fn code_comes_back() {
        let line = "55d0-55f0 r-xp 00010000 fe:00 42 /usr/bin/pillarbox";
        assert_eq!(super::code(line), Some((0x55d0, 0x20)));
        assert_eq!(super::code(&line.replace("r-xp", "r--p")), None);
        super::unmap_code();
        assert_eq!("still here".len(), 10);
    }
}
