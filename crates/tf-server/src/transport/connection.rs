//! From sockets to admitted connections: each peer proves itself before the gRPC server
//! hears of it.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_core::Stream;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tonic::transport::server::Connected;

use super::listen::Listener;
use super::presence::{Presence, Present};

/// Time a peer has for its TLS handshake.
const HANDSHAKE_LIMIT: Duration = Duration::from_secs(10);

/// Pause after a failed `accept`, so that a lack of file descriptors is not a busy loop.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// A byte stream in both directions.
pub(super) trait Bytes: AsyncRead + AsyncWrite + Unpin + Send {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send> Bytes for T {}

/// An admitted peer.
pub(super) struct Connection(Box<dyn Bytes>, #[allow(dead_code)] Present);

impl Connected for Connection {
    type ConnectInfo = ();

    fn connect_info(&self) -> Self::ConnectInfo {}
}

impl AsyncRead for Connection {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buf)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, buf)
    }

    fn poll_write_vectored(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bufs: &[io::IoSlice<'_>]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.0.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}

/// The stream of admitted peers.
pub(super) struct Connections<'a> {
    next: Pin<Box<dyn Future<Output = (Connection, Gate<'a>)> + Send + 'a>>,
}

/// Peers on their way in.
struct Gate<'a> {
    listener: &'a Listener,
    acceptor: Option<TlsAcceptor>,
    presence: Presence,
    handshakes: JoinSet<io::Result<Box<dyn Bytes>>>,
}

impl<'a> Connections<'a> {
    /// Accepts from `listener`, and with `acceptor` lets in only peers that pass its TLS
    /// handshake. Handshakes run side by side: a silent peer holds up nobody. Admitted
    /// peers count as `presence`.
    pub(super) fn accept(listener: &'a Listener, acceptor: Option<TlsAcceptor>, presence: Presence) -> Self {
        let gate = Gate { listener, acceptor, presence, handshakes: JoinSet::new() };
        Self { next: Box::pin(gate.next()) }
    }
}

impl Stream for Connections<'_> {
    type Item = io::Result<Connection>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.next.as_mut().poll(cx).map(|(connection, gate)| {
            self.next = Box::pin(gate.next());
            Some(Ok(connection))
        })
    }
}

impl<'a> Gate<'a> {
    async fn next(mut self) -> (Connection, Self) {
        loop {
            tokio::select! {
                accepted = self.listener.accept() => match (accepted, &self.acceptor) {
                    (Ok(stream), None) => return (Connection(stream, self.presence.enter()), self),
                    (Ok(stream), Some(acceptor)) => {
                        self.handshakes.spawn(admit(acceptor.clone(), stream));
                    }
                    (Err(error), _) => {
                        tracing::warn!(%error, "could not accept a connection");
                        tokio::time::sleep(ACCEPT_PAUSE).await;
                    }
                },
                Some(finished) = self.handshakes.join_next() => match finished {
                    Ok(Ok(stream)) => return (Connection(stream, self.presence.enter()), self),
                    Ok(Err(error)) => tracing::warn!(%error, "refused a connection"),
                    Err(error) => tracing::error!(%error, "a TLS handshake broke off"),
                },
            }
        }
    }
}

async fn admit(acceptor: TlsAcceptor, stream: Box<dyn Bytes>) -> io::Result<Box<dyn Bytes>> {
    let stream = tokio::time::timeout(HANDSHAKE_LIMIT, acceptor.accept(stream)).await??;
    Ok(Box::new(stream))
}
