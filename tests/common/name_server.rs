//! A name server on loopback with a zone of `dns`, for tests with real sockets. Beside `dns` in the
//! module that uses it.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{JoinHandle, sleep, spawn};
use std::time::Duration;

use super::dns::Zone;

/// A name server on loopback, until it is dropped.
#[derive(Debug)]
pub struct Server {
    pub address: SocketAddr,
    zone: Arc<Mutex<Zone>>,
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

/// How soon the threads see that they are to end.
const GLANCE: Duration = Duration::from_millis(50);

#[allow(dead_code, reason = "each test uses a part")]
impl Server {
    /// On a free port.
    pub fn new(zone: Zone) -> Self {
        let (udp, tcp) = (0..50)
            .find_map(|_| {
                let udp = UdpSocket::bind("127.0.0.1:0").ok()?;
                let tcp = TcpListener::bind(udp.local_addr().ok()?).ok()?;
                Some((udp, tcp))
            })
            .unwrap();
        Self::on(udp, tcp, zone)
    }

    /// On these sockets: port 53 in a network namespace, for example.
    pub fn on(udp: UdpSocket, tcp: TcpListener, zone: Zone) -> Self {
        let address = udp.local_addr().unwrap();
        let (zone, stop) = (Arc::new(Mutex::new(zone)), Arc::new(AtomicBool::new(false)));
        udp.set_read_timeout(Some(GLANCE)).unwrap();
        tcp.set_nonblocking(true).unwrap();
        let threads = vec![
            spawn({
                let (zone, stop) = (zone.clone(), stop.clone());
                move || serve_udp(&udp, &zone, &stop)
            }),
            spawn({
                let (zone, stop) = (zone.clone(), stop.clone());
                move || serve_tcp(&tcp, &zone, &stop)
            }),
        ];
        Self {
            address,
            zone,
            stop,
            threads,
        }
    }

    /// Changes the zone.
    pub fn change(&self, change: impl FnOnce(&mut Zone)) {
        change(&mut self.zone.lock().unwrap());
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        for thread in self.threads.drain(..) {
            let _ended = thread.join();
        }
    }
}

fn serve_udp(udp: &UdpSocket, zone: &Mutex<Zone>, stop: &AtomicBool) {
    let mut octets = [0; 1500];
    while !stop.load(Ordering::SeqCst) {
        let Ok((length, peer)) = udp.recv_from(&mut octets) else {
            continue;
        };
        let sent = zone.lock().unwrap().respond(&octets[..length], false);
        let again = udp.try_clone().unwrap();
        let answer = move || {
            sleep(Duration::from_millis(sent.after));
            for message in sent.messages {
                let _gone = again.send_to(&message, peer);
            }
        };
        if sent.after > 0 {
            spawn(answer);
        } else {
            answer();
        }
    }
}

fn serve_tcp(tcp: &TcpListener, zone: &Mutex<Zone>, stop: &AtomicBool) {
    while !stop.load(Ordering::SeqCst) {
        match tcp.accept() {
            Ok((stream, _)) => drop(talk(stream, zone)),
            Err(_) => sleep(GLANCE / 10),
        }
    }
}

fn talk(mut stream: TcpStream, zone: &Mutex<Zone>) -> std::io::Result<()> {
    stream.set_nonblocking(false)?;
    stream.set_read_timeout(Some(Duration::from_secs(1)))?;
    let mut length = [0; 2];
    stream.read_exact(&mut length)?;
    let mut query = vec![0; usize::from(u16::from_be_bytes(length))];
    stream.read_exact(&mut query)?;
    let sent = zone.lock().unwrap().respond(&query, true);
    for message in sent.messages {
        let length = u16::try_from(message.len()).unwrap();
        stream.write_all(&[&length.to_be_bytes()[..], &message].concat())?;
    }
    Ok(())
}
