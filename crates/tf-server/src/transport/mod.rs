//! How a core reaches the provider: the server side of go-plugin.
//!
//! ```text
//! environment ─ handshake ─▶ listen (unix | tcp) ─▶ tls (one client, pinned) ─▶ provider service
//!                   │                                                        └▶ host services
//!                   └─▶ one line on stdout; from then on stdout is silent, stderr carries log lines
//! ```
//!
//! Contract: [`serve`] prints exactly one line on stdout, never reads stdin, admits the
//! one client whose certificate came with the environment, ignores Ctrl-C while a core
//! is in charge (the core cancels by `StopProvider`), and returns soon after the core
//! asked the process to leave, or is no longer there.

mod connection;
mod environment;
mod host;
mod listen;
mod log;
mod panics;
mod presence;
mod reattach;
mod signals;
mod tls;

use std::io::Write as _;
use std::process::ExitCode;
use std::time::Duration;

use tf_proto::tfplugin6::provider_server::{Provider, ProviderServer};
use tokio_util::sync::CancellationToken;
use tonic::transport::Server;

use self::connection::Connections;
use self::environment::{Environment, Refusal};
use self::host::{Broker, Controller, Health, Stdio};
use self::listen::Listener;
use self::presence::Presence;
use self::signals::Signals;

/// Largest message accepted, in bytes. Cores send up to 2 GiB; the Go providers stop at
/// this size too.
const MAX_MESSAGE_BYTES: usize = 256 << 20;

/// Flow control window, in bytes: large values come over a local socket, where waiting
/// for window updates only costs time.
const WINDOW_BYTES: u32 = 4 << 20;

/// Time for answers under way after the core asked to leave. It kills after two seconds.
const GRACE_AFTER_SHUTDOWN: Duration = Duration::from_millis(1500);

/// Time for answers under way after SIGTERM: running calls were told to stop, and their
/// answers carry state that would be lost otherwise.
const GRACE_AFTER_TERMINATION: Duration = Duration::from_secs(10);

/// What [`serve`] needs to know beside the service.
#[derive(Clone, Debug)]
pub struct Options {
    /// Type name of the provider, `gloo`. Part of `TF_LOG_PROVIDER_GLOO`.
    pub name: &'static str,
    /// Source address for `TF_REATTACH_PROVIDERS`. Without a host name each CLI puts its
    /// own default registry in front, so `<namespace>/<name>` fits both.
    pub source: &'static str,
    /// Who is in charge of the process.
    pub mode: Mode,
    /// Cancelled when the process is about to leave; running calls should then answer
    /// with what they have.
    pub leaving: CancellationToken,
}

/// Who is in charge of the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// A core started it: handshake, mutual TLS, Ctrl-C ignored.
    Plugin,
    /// A person started it with `--debug`: prints `TF_REATTACH_PROVIDERS`, speaks plain
    /// text on a private socket, stops on Ctrl-C.
    Debug,
}

/// Serves the provider until the core, a signal or (in debug mode) Ctrl-C ends it.
///
/// Returns 0 after an orderly end, and 1 after a text on stderr when the environment is
/// not one of a core, or no socket can be opened.
#[must_use]
pub fn serve<P: Provider>(provider: P, options: Options) -> ExitCode {
    panics::install();
    log::install(options.name);
    match run(provider, options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(refusal) => {
            // nothing to be done when stderr is gone as well
            let _ = writeln!(std::io::stderr().lock(), "{refusal}");
            ExitCode::FAILURE
        }
    }
}

fn run<P: Provider>(provider: P, options: Options) -> Result<(), Refusal> {
    let environment = match options.mode {
        Mode::Plugin => Environment::of_plugin(|name| std::env::var(name).ok())?,
        Mode::Debug => Environment::of_debug(),
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(Refusal::runtime)?;
    let served = runtime.block_on(serve_until_left(provider, &options, &environment));
    // a call that never yields must not hold the process
    runtime.shutdown_background();
    served
}

async fn serve_until_left<P: Provider>(provider: P, options: &Options, environment: &Environment) -> Result<(), Refusal> {
    let signals = Signals::install().map_err(Refusal::signals)?;
    let (acceptor, certificate) = match &environment.client_certificate {
        Some(client) => {
            let (acceptor, certificate) = tls::one_client(client).map_err(Refusal::tls)?;
            (Some(acceptor), Some(certificate))
        }
        None => (None, None),
    };
    let listener = Listener::open(environment).map_err(Refusal::listen)?;
    announce(options, environment, &listener, certificate.as_deref())?;
    tracing::debug!(address = %listener.address(), "serving");

    let leaving = options.leaving.clone();
    let presence = Presence::new();
    if options.mode == Mode::Plugin {
        presence.leave_with_core(leaving.clone());
    }
    let goodbye = signals::watch(signals, options.mode, leaving.clone());
    let server = Server::builder()
        .initial_stream_window_size(WINDOW_BYTES)
        .initial_connection_window_size(WINDOW_BYTES)
        .add_service(ProviderServer::new(provider).max_decoding_message_size(MAX_MESSAGE_BYTES))
        .add_service(Controller::service(leaving.clone()))
        .add_service(Stdio::service(leaving.clone()))
        .add_service(Broker::service(leaving.clone()))
        .add_service(Health::service())
        .serve_with_incoming_shutdown(Connections::accept(&listener, acceptor, presence), leaving.clone().cancelled_owned());
    tokio::select! {
        ended = server => ended.map_err(Refusal::server),
        () = goodbye.grace_over() => Ok(()),
    }
}

/// The one line on stdout.
fn announce(
    options: &Options,
    environment: &Environment,
    listener: &Listener,
    certificate: Option<&[u8]>,
) -> Result<(), Refusal> {
    let line = match options.mode {
        Mode::Plugin => environment.handshake(listener.address(), certificate),
        Mode::Debug => reattach::instructions(options.source, listener.address()),
    };
    let mut stdout = std::io::stdout().lock();
    writeln!(stdout, "{line}").and_then(|()| stdout.flush()).map_err(Refusal::stdout)
}
