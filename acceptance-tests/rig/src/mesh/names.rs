//! Hostnames of east-west gateways, and the server that istiods ask for them. istiod reads only `/etc/resolv.conf`, so that each
//! one gets a view of the file system of its own, with another file there: that takes root.

use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use xtask::{Problem, Result};

use crate::mesh::layout::{CLUSTERS, RESOLVER, Role, Spot};

/// The name of a cluster's gateway.
pub fn gateway(spot: Spot) -> String {
    format!("{}.gateways.test", spot.name())
}

/// Whether istiods can be given names: who cannot have a file system of its own has none.
pub fn are_given() -> bool {
    rustix::process::geteuid().is_root() && std::path::Path::new(UNSHARE).exists()
}

const UNSHARE: &str = "/usr/bin/unshare";

/// What stands before the command of a program that is to ask this server; it is run where the file is.
pub fn asking() -> Vec<String> {
    let script = format!("mount --bind {FILE} /etc/resolv.conf && exec \"$@\"");
    [UNSHARE, "--mount", "/bin/sh", "-c", &script, "sh"].map(str::to_owned).into()
}

/// The file that names the server.
pub const FILE: &str = "resolv.conf";

/// What it says.
pub fn file() -> String {
    format!("nameserver {}\n", RESOLVER.0)
}

/// A server that knows the gateways of every cluster.
#[derive(Debug)]
pub struct Names {
    is_over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Names {
    /// Starts it.
    ///
    /// # Errors
    /// When its address is taken, or may not be.
    pub fn start() -> Result<Self> {
        let address = SocketAddr::from(RESOLVER);
        let failed = |error| Problem::new(format!("names of gateways cannot be answered at {address}: {error}"));
        let socket = UdpSocket::bind(address).map_err(failed)?;
        // to see whether it is over
        socket.set_read_timeout(Some(Duration::from_millis(100))).map_err(failed)?;
        let is_over = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&is_over);
        let thread = std::thread::spawn(move || {
            let mut question = [0; 512];
            while !told.load(Ordering::Relaxed) {
                let Ok((length, from)) = socket.recv_from(&mut question) else { continue };
                if let Some(answer) = answer(&question[..length]) {
                    let _ = socket.send_to(&answer, from);
                }
            }
        });
        Ok(Self { is_over, thread: Some(thread) })
    }
}

impl Drop for Names {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// An answer of RFC 1035 to a message with one question; `None` where it is no such message.
fn answer(message: &[u8]) -> Option<Vec<u8>> {
    const HEADER: usize = 12;
    let (header, rest) = message.split_at_checked(HEADER)?;
    let mut labels = Vec::new();
    let mut at = 0;
    loop {
        let length = usize::from(*rest.get(at)?);
        at += 1;
        if length == 0 {
            break;
        }
        labels.push(String::from_utf8_lossy(rest.get(at..at + length)?).to_ascii_lowercase());
        at += length;
    }
    let question = rest.get(..at + 4)?;
    let is_address = question[at..] == [0, 1, 0, 1];
    let name = labels.join(".");
    let known = CLUSTERS.iter().filter_map(|cluster| Spot::of(cluster)).find(|spot| gateway(*spot) == name);
    let found = known.and_then(|spot| match Role::Gateway.ip(spot) {
        IpAddr::V4(address) if is_address => Some(address.octets()),
        _ => None,
    });
    // an answer, with authority; a name that nobody knows does not exist
    let code = if known.is_some() { 0 } else { 3 };
    let mut answer = vec![header[0], header[1], 0x84, code, 0, 1, 0, u8::from(found.is_some()), 0, 0, 0, 0];
    answer.extend_from_slice(question);
    if let Some(address) = found {
        // the name of the question, an address, for one second
        answer.extend_from_slice(&[0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 1, 0, 4]);
        answer.extend_from_slice(&address);
    }
    Some(answer)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn question(name: &str, kind: u8) -> Vec<u8> {
        let mut message = vec![7, 9, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
        for label in name.split('.') {
            message.push(u8::try_from(label.len()).expect("labels are short"));
            message.extend_from_slice(label.as_bytes());
        }
        message.extend_from_slice(&[0, 0, kind, 0, 1]);
        message
    }

    #[test]
    fn gateways_have_addresses_and_others_do_not_exist() {
        let west = answer(&question("West.gateways.test", 1)).expect("an answer");
        assert_eq!((west[..2].to_vec(), west[3], west[7]), (vec![7, 9], 0, 1));
        assert!(west.ends_with(&[127, 2, 15, 1]), "{west:?}");
        let sixth = answer(&question("west.gateways.test", 28)).expect("an answer");
        assert_eq!((sixth[3], sixth[7]), (0, 0), "it has no address of the other family");
        assert_eq!(answer(&question("south.gateways.test", 1)).expect("an answer")[3], 3);
        assert_eq!(answer(&[1, 2, 3]), None);
    }
}
