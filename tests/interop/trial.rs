//! `scripts/run` as a newcomer meets it: what it prints works when it is pasted.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;

use crate::house::{PATIENCE, Program, binary, terminate, until, wait};

struct Trial {
    script: Child,
    said: PathBuf,
}

impl Trial {
    fn start(folder: &Path, name: &str) -> Self {
        let said = folder.join(name);
        let output = File::create(&said).unwrap();
        let script = Command::new(root().join("scripts/run"))
            .arg(folder.join("trial"))
            .current_dir(root())
            .env("PILLARBOX_BINARY", binary())
            .stdin(Stdio::null())
            .stdout(output.try_clone().unwrap())
            .stderr(output)
            .spawn()
            .unwrap();
        let mut trial = Self { script, said };
        until(PATIENCE, "scripts/run says that it runs", || {
            let text = trial.text();
            let ended = trial.script.try_wait().unwrap();
            assert!(ended.is_none(), "scripts/run ended: {text}");
            text.contains("Ctrl-C ends it.").then_some(())
        });
        trial
    }

    fn text(&self) -> String {
        fs::read_to_string(&self.said).unwrap()
    }

    /// The lines to paste: those that are indented by four and begin with a command.
    fn lines(&self) -> Vec<String> {
        let text = self.text();
        let (text, _) = text.split_once("A mail program").unwrap();
        text.lines()
            .filter_map(|line| line.strip_prefix("    "))
            .filter(|line| !line.starts_with(' '))
            .map(str::to_owned)
            .collect()
    }

    /// As Ctrl-C does, but for the script alone.
    fn end(mut self) {
        terminate(&self.script);
        let status = wait(&mut self.script, PATIENCE).expect("scripts/run ends");
        assert!(status.success(), "{status}: {}", self.text());
    }
}

impl Drop for Trial {
    fn drop(&mut self) {
        if self.script.try_wait().unwrap().is_none() {
            terminate(&self.script);
            let _ = wait(&mut self.script, Duration::from_secs(20));
        }
    }
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn paste(line: &str) -> String {
    Program::new("sh")
        .args(["-c", line])
        .in_folder(root())
        .input("")
        .run()
}

#[test]
fn what_it_prints_works_when_pasted() {
    let folder = TempDir::new().unwrap();
    let trial = Trial::start(folder.path(), "first");
    let lines = trial.lines();
    let [
        send,
        submit,
        program,
        list,
        read,
        status,
        add,
        lead,
        log,
        queue,
        talk,
    ] = lines.as_slice()
    else {
        panic!("eleven lines to paste, not: {lines:#?}");
    };
    assert!(paste(send).contains("sent"), "{send}");
    assert!(paste(submit).contains("sent"), "{submit}");
    assert!(paste(program).contains("sent"), "{program}");
    let listed = paste(list);
    for subject in ["\"Hello\"", "\"Hello from Ben\"", "\"Backup done\""] {
        assert!(listed.contains(subject), "{listed}");
    }
    let text = paste(read);
    assert!(
        text.contains("Subject: Hello") && text.contains("It works."),
        "{text}"
    );
    // It warns of that, and its exit code says so.
    let status = paste(&format!("{status} || true"));
    assert!(status.contains("sending is paused"), "{status}");
    assert!(!paste(add).trim().is_empty());
    let steps = paste(lead);
    for person in ["anna@home.test", "ben@home.test"] {
        assert!(steps.contains(person), "{steps}");
    }
    let logged = paste(log);
    assert!(logged.contains("anna@home.test"), "{logged}");
    assert!(talk.starts_with("telnet 127.0.0.1 "), "{talk}");
    // Nothing leaves a trial: what is for others waits.
    let away = submit.replace("anna@home.test", "far@elsewhere.test");
    assert!(paste(&away).contains("sent"), "{away}");
    let waiting = paste(queue);
    assert!(waiting.contains("far@elsewhere.test"), "{waiting}");
    let passwords = folder.path().join("trial/passwords");
    let before = fs::read_to_string(&passwords).unwrap();
    let mode =
        std::os::unix::fs::PermissionsExt::mode(&fs::metadata(&passwords).unwrap().permissions());
    assert_eq!(mode & 0o777, 0o600);

    // A second one does not disturb the first, and says so.
    let (success, said) = Program::new(root().join("scripts/run").to_str().unwrap())
        .args([folder.path().join("trial")])
        .env("PILLARBOX_BINARY", binary())
        .outcome();
    assert!(!success && said.contains("already runs"), "{said}");
    trial.end();

    // The next run has the same people, passwords, ports and mail.
    let trial = Trial::start(folder.path(), "second");
    assert_eq!(trial.lines(), lines);
    assert_eq!(fs::read_to_string(&passwords).unwrap(), before);
    assert!(paste(read).contains("It works."));
    trial.end();
}
