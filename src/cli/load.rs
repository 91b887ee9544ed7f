//! The configuration of this machine: file, environment, options, and what defaults depend on.

use std::{
    fs, io,
    io::Read as _,
    path::{Path, PathBuf},
    sync::Arc,
    thread,
};

use crate::{
    appliance::{lock, privilege},
    cli::{Global, Stop, Terminal, options, serve},
    config::{Config, Machine, Mistake, Place, Sources, schema},
    net::{
        certificate::{self, Files},
        neighbours,
        world::RealWorld,
    },
    service::operate::{Kind, Problem, kept},
    store::{self, Store, disk::local::LocalDisk, log::segment},
};

const FILE: &str = "/etc/pillarbox/pillarbox.toml";
/// A configuration file is never that long, in octets.
const FILE_MAX: u64 = 1024 * 1024;

/// All that a configuration is made of, but for the store's settings.
#[derive(Debug)]
pub struct Found {
    /// The file's name as it is shown.
    pub file: String,
    text: Option<String>,
    environment: Vec<(String, String)>,
    options: Vec<(String, String)>,
    machine: Machine,
}

impl Found {
    /// Reads the file; `file` is another one than `--config` says.
    pub fn new(
        terminal: &Terminal<'_>,
        global: &Global,
        file: Option<&Path>,
    ) -> Result<Self, Stop> {
        Self::read(&terminal.environment, global, file)
    }

    /// The same where no terminal is left.
    pub fn read(
        environment: &[(String, String)],
        global: &Global,
        file: Option<&Path>,
    ) -> Result<Self, Stop> {
        let given = file.or(global.config.as_deref());
        let path = given.unwrap_or(Path::new(FILE));
        let name = path.display().to_string();
        let text = match read(path) {
            Ok(octets) => Some(utf8(octets, &name)?),
            Err(error) if error.kind() == io::ErrorKind::NotFound && given.is_none() => None,
            Err(error) => return Err(Stop::Mistakes(vec![format!("{name}: {error}")])),
        };
        let mut options = Vec::new();
        if let Some(data) = &global.data {
            options.push(("data".to_owned(), absolute(data)?));
        }
        Ok(Self {
            file: name,
            text,
            environment: environment.to_vec(),
            options,
            machine: machine(),
        })
    }

    /// With the settings that the store holds.
    pub fn load(&self, store: Vec<(String, String)>) -> Result<Config, Vec<Mistake>> {
        Config::load(&Sources {
            file: self.text.as_deref(),
            file_name: &self.file,
            environment: self.environment.clone(),
            store,
            options: self.options.clone(),
            machine: self.machine.clone(),
        })
    }

    /// All that a start would stumble over, as far as that can be seen (OP-1).
    pub fn check(&self, store: Vec<(String, String)>) -> Vec<Mistake> {
        let config = match self.load(store) {
            Ok(config) => config,
            Err(mistakes) => return mistakes,
        };
        let certificate = config.text(&schema::TLS_CERTIFICATE);
        if certificate.is_empty() {
            return Vec::new();
        }
        let files = Files {
            certificate: PathBuf::from(certificate),
            key: PathBuf::from(config.text(&schema::TLS_KEY)),
        };
        let Some(error) = unreadable(&files) else {
            return Vec::new();
        };
        let key = if error.path() == files.key {
            &schema::TLS_KEY
        } else {
            &schema::TLS_CERTIFICATE
        };
        let place = config.value(key).map(|(_, place)| place.clone());
        vec![Mistake {
            place: place.unwrap_or(Place::Default),
            text: format!("{}: {error}", key.name),
        }]
    }

    /// The same, mistakes as lines.
    pub fn config(&self, store: Vec<(String, String)>) -> Result<Config, Stop> {
        self.load(store).map_err(|mistakes| {
            let lines = mistakes.iter().map(|mistake| mistake.line(&self.file));
            Stop::Mistakes(lines.collect())
        })
    }
}

/// Memory and name of this machine.
pub fn machine() -> Machine {
    let uname = rustix::system::uname();
    Machine {
        hostname: uname.nodename().to_string_lossy().into_owned(),
        memory: memory(),
        networks: neighbours::networks(),
    }
}

/// What is wrong with certificate files for the user that the appliance becomes. In a thread of its
/// own, which stays that user.
fn unreadable(files: &Files) -> Option<certificate::Error> {
    let look = || {
        if privilege::is_root()
            && let Ok(user) = privilege::user(serve::USER)
        {
            let _same = privilege::become_user(user);
        }
        certificate::load(files).err()
    };
    thread::scope(|scope| scope.spawn(look).join().ok().flatten())
}

/// What the store keeps, and what was found when it was opened; `None` if there is no store that can
/// be had, which is then told by who needs it. Acts as the store's owner, in a thread of its own: this
/// one may be root's still, and has sockets to bind. The caller has no other threads yet.
pub fn kept(config: &Config) -> Option<(Vec<(String, String)>, store::Opened)> {
    let data = PathBuf::from(config.text(&schema::DATA));
    if !data.join(segment::FOLDER).exists() {
        return None;
    }
    if let Some(settings) = kept::read(&data) {
        return Some((settings, store::Opened::default()));
    }
    let options = options(config, &RealWorld::new());
    let opening = thread::spawn(move || {
        privilege::become_owner(&data).ok()?;
        let _lock = lock::take(&data).ok()?;
        let disk = LocalDisk::new(&data).ok()?;
        let (store, running, opened) = Store::open(Arc::new(disk), options).ok()?;
        let settings = store.read(store::Reader::settings);
        store.stop();
        running.join().ok()?;
        let settings = settings.ok()?;
        let _next_time = kept::write(&data, &settings);
        Some((settings, opened))
    });
    opening.join().ok()?
}

fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut octets = Vec::new();
    fs::File::open(path)?
        .take(FILE_MAX.saturating_add(1))
        .read_to_end(&mut octets)?;
    if octets.len() as u64 > FILE_MAX {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, "too long"));
    }
    Ok(octets)
}

fn utf8(octets: Vec<u8>, name: &str) -> Result<String, Stop> {
    String::from_utf8(octets).map_err(|error| {
        let good = error.utf8_error().valid_up_to();
        let before = error.as_bytes().get(..good).unwrap_or_default();
        let before = String::from_utf8_lossy(before);
        let line = before.matches('\n').count().saturating_add(1);
        let last = before.rsplit('\n').next().unwrap_or_default();
        let mistake = Mistake {
            place: Place::File {
                line,
                column: last.chars().count().saturating_add(1),
            },
            text: "this is not UTF-8".to_owned(),
        };
        Stop::Mistakes(vec![mistake.line(name)])
    })
}

fn absolute(path: &Path) -> Result<String, Problem> {
    std::path::absolute(path)
        .ok()
        .and_then(|path| path.into_os_string().into_string().ok())
        .ok_or_else(|| {
            let text = format!("--data {}: not a path that can be used", path.display());
            Problem::new(Kind::Usage, text)
        })
}

/// The machine's memory or what its control group may take, whichever is less, in octets; 0 = not
/// known.
fn memory() -> u64 {
    let machine = fs::read_to_string("/proc/meminfo")
        .ok()
        .and_then(|text| total(&text))
        .unwrap_or_default();
    groups()
        .iter()
        .filter_map(|file| fs::read_to_string(file).ok()?.trim().parse().ok())
        .fold(machine, u64::min)
}

/// `MemTotal:        8041816 kB`
fn total(meminfo: &str) -> Option<u64> {
    let line = meminfo
        .lines()
        .find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kibibytes.checked_mul(1024)
}

/// Where limits of this process' control group and of those above it are told.
fn groups() -> Vec<PathBuf> {
    let root = Path::new("/sys/fs/cgroup");
    let mut files = vec![root.join("memory/memory.limit_in_bytes")];
    let listed = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    for line in listed.lines() {
        let mut parts = line.splitn(3, ':').skip(1);
        let (Some(controllers), Some(path)) = (parts.next(), parts.next()) else {
            continue;
        };
        let above = Path::new(path.trim_start_matches('/')).ancestors();
        if controllers.is_empty() {
            files.extend(above.map(|group| root.join(group).join("memory.max")));
        } else if controllers.split(',').any(|name| name == "memory") {
            let root = root.join("memory");
            files.extend(above.map(|group| root.join(group).join("memory.limit_in_bytes")));
        }
    }
    files
}
