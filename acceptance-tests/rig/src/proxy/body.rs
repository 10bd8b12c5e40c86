//! Bodies of answers, whole, cut or passing through; and the count of what goes over a connection.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};

use hyper::body::{Body, Bytes, Frame, Incoming, SizeHint};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// What the proxy answers with.
pub(crate) enum Answered {
    /// The proxy's own words.
    Own(Option<Bytes>),
    /// The server's answer as it comes.
    Passing(Incoming),
    /// The beginning of the server's answer, then an error that ends the connection.
    Torn(Option<Bytes>),
}

impl Body for Answered {
    type Data = Bytes;
    type Error = Box<dyn std::error::Error + Send + Sync>;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        match &mut *self {
            Self::Own(bytes) => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            Self::Passing(body) => Pin::new(body).poll_frame(context).map_err(Into::into),
            Self::Torn(bytes) => {
                Poll::Ready(Some(bytes.take().map(Frame::data).ok_or_else(|| "torn on request of a test".into())))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Own(bytes) => bytes.is_none(),
            Self::Passing(body) => body.is_end_stream(),
            Self::Torn(_) => false,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Own(bytes) => SizeHint::with_exact(bytes.as_ref().map_or(0, |bytes| bytes.len() as u64)),
            Self::Passing(body) => body.size_hint(),
            Self::Torn(_) => SizeHint::default(),
        }
    }
}

/// Bytes of HTTP, headers too, inside of TLS.
#[derive(Debug, Default)]
pub(crate) struct Bytecount {
    /// From clients.
    pub(crate) received: AtomicU64,
    /// To clients.
    pub(crate) sent: AtomicU64,
}

/// A stream whose bytes are counted.
pub(crate) struct Counted<S> {
    pub(crate) stream: S,
    pub(crate) count: Arc<Bytecount>,
}

impl<S: AsyncRead + Unpin> AsyncRead for Counted<S> {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<std::io::Result<()>> {
        let before = buffer.filled().len();
        let answer = Pin::new(&mut self.stream).poll_read(context, buffer);
        self.count.received.fetch_add((buffer.filled().len() - before) as u64, Ordering::Relaxed);
        answer
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Counted<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<std::io::Result<usize>> {
        let answer = Pin::new(&mut self.stream).poll_write(context, bytes);
        if let Poll::Ready(Ok(count)) = &answer {
            self.count.sent.fetch_add(*count as u64, Ordering::Relaxed);
        }
        answer
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
