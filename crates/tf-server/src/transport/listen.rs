//! The local socket: unix in a private folder, or TCP on the loopback address.

use std::fmt;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use tokio::net::{TcpListener, TcpStream};

use super::connection::Bytes;
use super::environment::Environment;

/// Where the server listens.
#[derive(Clone, Debug)]
pub(super) enum Address {
    /// A unix socket at this path.
    #[cfg_attr(not(unix), allow(dead_code))]
    Unix(PathBuf),
    /// A TCP port.
    Tcp(SocketAddr),
}

impl Address {
    /// The network's name in Go's vocabulary.
    pub(super) fn network(&self) -> &'static str {
        match self {
            Self::Unix(_) => "unix",
            Self::Tcp(_) => "tcp",
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unix(path) => path.display().fmt(f),
            Self::Tcp(address) => address.fmt(f),
        }
    }
}

/// An open socket. Dropping it removes the unix socket and its folder.
pub(super) struct Listener {
    address: Address,
    socket: Socket,
}

enum Socket {
    #[cfg(unix)]
    Unix(tokio::net::UnixListener, #[allow(dead_code)] unix::Folder),
    Tcp(TcpListener),
}

impl Listener {
    /// Opens a unix socket, and where that is not possible (Windows, a path longer than
    /// a socket address holds, a folder that cannot be written) a TCP port.
    ///
    /// # Errors
    /// Neither was possible; the error is the one of TCP.
    pub(super) fn open(environment: &Environment) -> io::Result<Self> {
        #[cfg(unix)]
        match unix::open(&environment.socket_folder) {
            Ok((path, socket, folder)) => {
                return Ok(Self { address: Address::Unix(path), socket: Socket::Unix(socket, folder) });
            }
            Err(error) => tracing::debug!(%error, "no unix socket, using TCP"),
        }
        let socket = open_tcp(environment.ports)?;
        Ok(Self { address: Address::Tcp(socket.local_addr()?), socket: Socket::Tcp(socket) })
    }

    pub(super) fn address(&self) -> &Address {
        &self.address
    }

    /// Waits for the next peer.
    ///
    /// # Errors
    /// As `accept(2)`; most are worth another try.
    pub(super) async fn accept(&self) -> io::Result<Box<dyn Bytes>> {
        match &self.socket {
            #[cfg(unix)]
            Socket::Unix(socket, _) => Ok(Box::new(socket.accept().await?.0)),
            Socket::Tcp(socket) => Ok(Box::new(accept_tcp(socket).await?)),
        }
    }
}

async fn accept_tcp(socket: &TcpListener) -> io::Result<TcpStream> {
    let (stream, _) = socket.accept().await?;
    // small answers would wait 40 ms for the peer's delayed acknowledgement
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// The first free port of the range, on the loopback address only.
fn open_tcp((first, last): (u16, u16)) -> io::Result<TcpListener> {
    let mut refused = None;
    for port in first..=last {
        match std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, port)) {
            Ok(socket) => {
                socket.set_nonblocking(true)?;
                return TcpListener::from_std(socket);
            }
            Err(error) => refused = Some(error),
        }
    }
    Err(refused
        .unwrap_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, format!("the port range {first} to {last} is empty"))))
}

#[cfg(unix)]
mod unix {
    use std::fs::{self, DirBuilder};
    use std::io;
    use std::os::unix::fs::DirBuilderExt as _;
    use std::path::{Path, PathBuf};

    use tokio::net::UnixListener;

    /// How many left-over folders of dead processes with this process id are stepped over.
    const ATTEMPTS: u32 = 64;

    /// A folder that only this user can enter, removed when dropped.
    pub(super) struct Folder(PathBuf);

    impl Drop for Folder {
        fn drop(&mut self) {
            // a left-over does no harm: the next process takes another name
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    pub(super) fn open(parent: &Path) -> io::Result<(PathBuf, UnixListener, Folder)> {
        let folder = fresh_folder(parent)?;
        let path = folder.0.join("plugin.sock");
        let socket = UnixListener::bind(&path)?;
        Ok((path, socket, folder))
    }

    /// `mkdir` fails on an existing name, so the folder is ours and has our mode whoever
    /// else writes to the parent.
    fn fresh_folder(parent: &Path) -> io::Result<Folder> {
        let process = std::process::id();
        let mut attempt = 0;
        loop {
            let path = parent.join(format!("tf-plugin-{process}-{attempt}"));
            match DirBuilder::new().mode(0o700).create(&path) {
                Ok(()) => return Ok(Folder(path)),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists && attempt < ATTEMPTS => {
                    attempt += 1;
                }
                Err(error) => return Err(error),
            }
        }
    }

    #[cfg(test)]
    mod tests {
        use super::*;
        use std::os::unix::fs::PermissionsExt as _;

        #[tokio::test]
        async fn the_folder_is_private_fresh_and_gone_afterwards() {
            let parent = tempfile::tempdir().expect("a scratch folder");
            let (first, _, first_folder) = open(parent.path()).expect("opens");
            let (second, _, _second_folder) = open(parent.path()).expect("opens");
            assert_ne!(first, second);
            let mode = fs::metadata(&first_folder.0).expect("is there").permissions();
            assert_eq!(mode.mode() & 0o777, 0o700);
            drop(first_folder);
            assert!(!first.exists() && second.exists());
        }

        #[tokio::test]
        async fn a_path_too_long_for_a_socket_leaves_nothing_behind() {
            let parent = tempfile::tempdir().expect("a scratch folder");
            let deep = parent.path().join("d".repeat(120));
            fs::create_dir(&deep).expect("creates");
            assert!(open(&deep).is_err());
            assert_eq!(fs::read_dir(&deep).expect("reads").count(), 0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn taken_ports_are_stepped_over() {
        let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = taken.local_addr().expect("bound").port();
        let opened = open_tcp((port, port.saturating_add(200))).expect("one of 200");
        let address = opened.local_addr().expect("bound");
        assert!(address.ip().is_loopback() && address.port() > port);
    }

    #[tokio::test]
    async fn tcp_connections_do_not_wait_to_fill_packets() {
        let socket = open_tcp((0, 0)).expect("a free port");
        let address = socket.local_addr().expect("bound");
        let (accepted, _peer) = tokio::join!(accept_tcp(&socket), TcpStream::connect(address));
        assert!(accepted.and_then(|stream| stream.nodelay()).expect("accepts"));
    }

    #[tokio::test]
    async fn an_empty_range_is_an_error() {
        assert!(open_tcp((2, 1)).is_err());
    }
}
