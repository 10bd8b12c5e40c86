//! A relay before an API server that counts bytes: TCP as it comes, TLS untouched.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use xtask::{Problem, Result};

/// A running relay. It ends with the process.
#[derive(Debug)]
pub(crate) struct Relay {
    address: SocketAddr,
    count: Arc<Count>,
}

/// Bytes on the wire, TLS too, since the relay began.
#[derive(Debug, Default)]
struct Count {
    to_server: AtomicU64,
    to_client: AtomicU64,
    connections: AtomicU64,
}

/// Bytes and connections.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Wire {
    /// bytes to the server
    pub(crate) sent: u64,
    /// bytes from the server
    pub(crate) received: u64,
    /// connections
    pub(crate) connections: u64,
}

impl Wire {
    /// What came since then.
    pub(crate) fn since(self, before: Self) -> Self {
        Self {
            sent: self.sent - before.sent,
            received: self.received - before.received,
            connections: self.connections - before.connections,
        }
    }

    /// The sum of two.
    pub(crate) fn and(self, other: Self) -> Self {
        Self {
            sent: self.sent + other.sent,
            received: self.received + other.received,
            connections: self.connections + other.connections,
        }
    }
}

impl Relay {
    /// Listens beside the server, at the same address, where its certificate is good too.
    ///
    /// # Errors
    /// When there is no port.
    pub(crate) fn start(server: SocketAddr) -> Result<Self> {
        let listener = TcpListener::bind((server.ip(), 0));
        let bound = listener.and_then(|listener| Ok((listener.local_addr()?, listener)));
        let (address, listener) = bound.map_err(|error| Problem::new(format!("no port for a relay: {error}")))?;
        let count = Arc::new(Count::default());
        let counting = Arc::clone(&count);
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                counting.connections.fetch_add(1, Ordering::Relaxed);
                let Ok(upstream) = TcpStream::connect(server) else { continue };
                let _ = (client.set_nodelay(true), upstream.set_nodelay(true));
                let (Ok(from_client), Ok(to_client)) = (client.try_clone(), upstream.try_clone()) else { continue };
                let (up, down) = (Arc::clone(&counting), Arc::clone(&counting));
                std::thread::spawn(move || pass(from_client, upstream, &up.to_server));
                std::thread::spawn(move || pass(to_client, client, &down.to_client));
            }
        });
        Ok(Self { address, count })
    }

    /// Where it listens.
    pub(crate) fn url(&self) -> String {
        format!("https://{}", self.address)
    }

    /// The sums so far.
    pub(crate) fn wire(&self) -> Wire {
        Wire {
            sent: self.count.to_server.load(Ordering::Relaxed),
            received: self.count.to_client.load(Ordering::Relaxed),
            connections: self.count.connections.load(Ordering::Relaxed),
        }
    }
}

/// Passes bytes until one side ends, which ends the other.
fn pass(mut from: TcpStream, mut to: TcpStream, count: &AtomicU64) {
    let mut buffer = vec![0; 64 << 10];
    while let Ok(read @ 1..) = from.read(&mut buffer) {
        count.fetch_add(read as u64, Ordering::Relaxed);
        if to.write_all(&buffer[..read]).is_err() {
            break;
        }
    }
    let _ = (to.shutdown(Shutdown::Write), from.shutdown(Shutdown::Read));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_pass_and_are_counted() {
        let server = TcpListener::bind("127.0.0.1:0").expect("a port");
        let relay = Relay::start(server.local_addr().expect("bound")).expect("a relay");
        let mut client = TcpStream::connect(relay.address).expect("it listens");
        client.write_all(b"hello").expect("written");
        let (mut answering, _) = server.accept().expect("passed on");
        let mut heard = [0; 5];
        answering.read_exact(&mut heard).expect("the bytes");
        answering.write_all(b"ok").expect("written");
        drop(answering);
        let mut answer = String::new();
        client.read_to_string(&mut answer).expect("the end is passed on too");
        assert_eq!((&heard, answer.as_str()), (b"hello", "ok"));
        assert_eq!(relay.wire(), Wire { sent: 5, received: 2, connections: 1 });
    }
}
