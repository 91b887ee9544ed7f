//! The local side (LM-1 to LM-10): programs as they are on any machine, against the real binary.

use std::{
    fs::{self, Permissions},
    io::Write as _,
    os::unix::fs::{PermissionsExt as _, symlink},
    path::PathBuf,
    process::{Command, Stdio},
};

use crate::house::{ANNA, House, PATIENCE, Program, binary, free_port, terminate, until, wait};
use crate::nets::{LAN, Nets};

/// A system user without rights, and without a name on some machines.
const NOBODY: &str = "65534";

const DELIVERED: &str = "status=sent (delivered to mailbox)";

fn house(settings: &str) -> (House, u16) {
    let port = free_port();
    let house = House::with(&format!(
        "listen.local = [\"127.0.0.1:{port}\"]\n{settings}"
    ));
    for folder in ["", "data"] {
        fs::set_permissions(house.path(folder), Permissions::from_mode(0o711)).unwrap();
    }
    (house, port)
}

/// Runs it as another user would, called by this name; returns exit code and what it complained of.
fn called(house: &House, name: &str, arguments: &[&str], input: &str) -> (Option<i32>, String) {
    let link = house.path(name);
    if !link.exists() {
        symlink(binary(), &link).unwrap();
    }
    let mut child = Command::new("setpriv")
        .args(["--reuid", NOBODY, "--regid", NOBODY, "--clear-groups"])
        .arg(link)
        .args(arguments)
        .env("PILLARBOX_DATA", house.path("data"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(input.as_bytes())
        .unwrap();
    let out = child.wait_with_output().unwrap();
    let said =
        String::from_utf8_lossy(&out.stdout).into_owned() + &String::from_utf8_lossy(&out.stderr);
    (out.status.code(), said)
}

fn delivered(house: &House, count: usize) {
    until(PATIENCE, "it is delivered", || {
        (house.log().matches(DELIVERED).count() >= count).then_some(())
    });
}

fn spooled(house: &House) -> Vec<PathBuf> {
    let entries = fs::read_dir(house.path("data/spool")).unwrap();
    entries.flatten().map(|entry| entry.path()).collect()
}

#[test]
fn lm_5_sendmail_as_cron_calls_it() {
    let (mut house, _) = house("");
    let cron = "From: root (Cron Daemon)\nTo: anna@home.test\nBcc: ben@home.test\nSubject: Cron\n\n.\nit is done\n";
    let sent = called(&house, "sendmail", &["-FCronDaemon", "-i", "-t"], cron);
    assert_eq!(sent, (Some(0), String::new()));
    delivered(&house, 2);
    assert!(house.log().contains("uid=65534"));
    let nobody = called(
        &house,
        "sendmail",
        &["ghost@home.test"],
        "Subject: x\n\ny\n",
    );
    assert_eq!(nobody.0, Some(67), "{}", nobody.1);
    assert_eq!(called(&house, "sendmail", &["-Z"], "").0, Some(64));
    assert_eq!(called(&house, "newaliases", &[], "").0, Some(0));
    let smtp = called(&house, "sendmail", &["-bs"], "EHLO x\r\nQUIT\r\n");
    assert!(
        smtp.0 == Some(0) && smtp.1.starts_with("220 "),
        "{}",
        smtp.1
    );
    // Down: it waits in the folder, and whoever wrote it is who sent it.
    house.stop();
    for number in 0..3 {
        let text = format!("Subject: {number}\n\ny\n");
        let sent = called(&house, "sendmail", &["-f", "root@home.test", ANNA], &text);
        assert_eq!(sent, (Some(0), String::new()));
    }
    let ghost = called(
        &house,
        "sendmail",
        &["ghost@home.test"],
        "Subject: back\n\ny\n",
    );
    assert_eq!(ghost.0, Some(0));
    let typed = format!(
        "EHLO x\r\nMAIL FROM:<root>\r\nRCPT TO:<{ANNA}>\r\nDATA\r\nSubject: bs\r\n\r\ny\r\n.\r\nQUIT\r\n"
    );
    let smtp = called(&house, "sendmail", &["-bs"], &typed);
    assert!(
        smtp.0 == Some(0) && smtp.1.contains("250 2.0.0 Ok: spooled"),
        "{}",
        smtp.1
    );
    assert_eq!(spooled(&house).len(), 5);
    // What is no file of one writer is not read.
    symlink(
        "/etc/passwd",
        house.path("data/spool").join("0a".repeat(16)),
    )
    .unwrap();
    house.start();
    delivered(&house, 6);
    until(PATIENCE, "the folder is empty", || {
        spooled(&house).is_empty().then_some(())
    });
    let log = house.log();
    assert!(log.contains("is no file of one writer"), "{log}");
    assert!(!log.contains("from=<root@home.test>, size"), "{log}");
    assert!(
        log.contains("Recipient address rejected: User unknown"),
        "{log}"
    );
}

/// LM-6: nobody has to log in, and nobody who does is refused.
#[test]
fn lm_6_programs_on_this_machine() {
    let (house, port) = house("");
    let port_text = port.to_string();
    let text = "From: root\nTo: anna@home.test\nSubject: x\n\ny\n";
    Program::new("msmtp")
        .args([
            "--host=127.0.0.1",
            &format!("--port={port}"),
            "--auth=off",
            "--tls=off",
        ])
        .args(["--from=root@home.test", ANNA])
        .input(text)
        .run();
    Program::new("swaks")
        .args(["--server", "127.0.0.1", "--port", &port_text, "--to", ANNA])
        .args(["--from", "camera@home.test", "--auth", "LOGIN"])
        .args(["--auth-user", "any", "--auth-password", "thing"])
        .run();
    let script = format!(
        "import smtplib\n\
         s = smtplib.SMTP('127.0.0.1', {port})\n\
         s.login('app', 'secret')\n\
         s.sendmail('root', ['{ANNA}'], 'Subject: x\\n\\ny')\n\
         assert not s.has_extn('starttls')\n\
         s.quit()\n"
    );
    Program::new("python3").args(["-c", &script]).run();
    Program::new("s-nail")
        .args(["-n", "-S", "v15-compat", "-S", "smtp-auth=none"])
        .args(["-S", &format!("mta=smtp://127.0.0.1:{port}")])
        .args(["-r", "root@home.test", "-s", "x", ANNA])
        .input("y\n")
        .run();
    delivered(&house, 4);
}

/// SR-19, LM-10: only who is listed, and never a router.
#[test]
fn sr_19_devices_in_a_house() {
    let nets = Nets::new(&[LAN]);
    let (mut house, _) = house("listen.devices = [\"0.0.0.0:2525\"]");
    house.kill();
    let inside = |arguments: &[&str]| -> (bool, String) {
        let program = house.pillarbox(arguments);
        let out = Command::new("ip")
            .args(["netns", "exec", &nets.name("box")])
            .arg(program.get_program())
            .args(program.get_args())
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&out.stdout).into_owned();
        (
            out.status.success(),
            said + &String::from_utf8_lossy(&out.stderr),
        )
    };
    let router = inside(&["device", "add", "gate", "192.168.8.254"]);
    assert!(
        !router.0
            && router.1.contains(
                "192.168.8.254 is your router. Listing it could open the box to the internet."
            ),
        "{}",
        router.1
    );
    let router = inside(&["config", "set", "smtp.trusted_networks", "192.168.8.254"]);
    assert!(
        !router.0 && router.1.contains("is your router"),
        "{}",
        router.1
    );
    let range = inside(&["config", "set", "smtp.trusted_networks", "192.168.8.0/24"]);
    assert!(range.0, "{}", range.1);
    let added = inside(&[
        "device",
        "add",
        "printer",
        "192.168.7.20",
        "--from",
        "@home.test",
        "--rate",
        "0",
    ]);
    assert!(added.0, "{}", added.1);
    let mut server = nets.serve(&house, &[]);
    until(PATIENCE, "it listens", || {
        talk(&nets, "lan", "192.168.7.1", "root@home.test", 1).map(|_| ())
    });
    let all = talk(&nets, "lan", "192.168.7.1", "scan@home.test", 300).unwrap();
    assert_eq!(all, "250: 300", "{}", house.log());
    let other = talk(&nets, "lan", "192.168.7.1", "x@away.test", 20).unwrap();
    assert_eq!(other, "553: 20");
    let gate = talk(&nets, "gate", "192.168.8.1", "scan@home.test", 300).unwrap();
    assert_eq!(gate, "554: 300", "{}", house.log());
    assert!(house.log().contains("192.168.8.254 is a router"));
    terminate(&server);
    wait(&mut server, PATIENCE).unwrap();
}

/// UX-140, LM-1: a relay on a fresh system opens nothing outside loopback, and keeps its mail.
#[test]
fn ux_140_a_fresh_relay() {
    let nets = Nets::new(&[LAN]);
    let (mut house, _) = house("");
    house.kill();
    fs::write(
        house.path("pillarbox.toml"),
        "role = \"relay\"\nhostname = \"box.home.test\"\nlocal.aliases = \"off\"\n",
    )
    .unwrap();
    let mut server = nets.serve(&house, &[]);
    let sockets = || {
        let out = Command::new("ip")
            .args(["netns", "exec", &nets.name("box"), "ss", "-Hltun"])
            .output()
            .unwrap();
        String::from_utf8(out.stdout).unwrap()
    };
    let open = until(PATIENCE, "it listens", || {
        Some(sockets()).filter(|text| text.contains(":25"))
    });
    for line in open.lines() {
        assert!(
            line.contains("127.0.0.1:25") || line.contains("[::1]:25"),
            "{open}"
        );
    }
    let told = talk(&nets, "box", "127.0.0.1 25", "root", 5).unwrap();
    assert_eq!(told, "550: 5", "{}", house.log());
    assert!(house.log().contains("Local delivery only!"));
    terminate(&server);
    wait(&mut server, PATIENCE).unwrap();
}

/// So many recipients elsewhere, ten a session; says how often which code was heard.
fn talk(nets: &Nets, from: &str, to: &str, sender: &str, count: u32) -> Option<String> {
    let mut words = to.split(' ');
    let (host, port) = (words.next()?, words.next().unwrap_or("2525"));
    let script = format!(
        "import smtplib\n\
         codes = {{}}\n\
         done = 0\n\
         while done < {count}:\n\
         \x20   s = smtplib.SMTP('{host}', {port}, timeout=30)\n\
         \x20   s.ehlo('x')\n\
         \x20   s.docmd('MAIL FROM:<{sender}>')\n\
         \x20   for i in range(min(10, {count} - done)):\n\
         \x20       code, text = s.docmd('RCPT TO:<u%d@elsewhere.test>' % (done + i))\n\
         \x20       codes[code] = codes.get(code, 0) + 1\n\
         \x20   done += 10\n\
         \x20   s.close()\n\
         print(', '.join('%d: %d' % pair for pair in sorted(codes.items())), end='')\n"
    );
    let out = Command::new("ip")
        .args(["netns", "exec", &nets.name(from), "python3", "-c", &script])
        .output()
        .unwrap();
    out.status
        .success()
        .then(|| String::from_utf8(out.stdout).unwrap())
}
