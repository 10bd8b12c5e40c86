//! What the core says through the environment, and the answer line.

use std::fmt;
use std::io;
use std::path::PathBuf;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;

use super::listen::Address;

/// Shared word of Terraform, OpenTofu and their providers. It keeps people from starting
/// a provider by hand; it is no secret.
const COOKIE: &str = "d602bf8f470bc67ca7faa0386276bbdd4330efaf76d1a219cb4d6991ca9872b2";
const COOKIE_VARIABLE: &str = "TF_PLUGIN_MAGIC_COOKIE";

/// Version of the handshake itself.
const CORE_VERSION: u8 = 1;

/// Major version of the provider protocol; the only one spoken here.
pub(super) const PROTOCOL_VERSION: u8 = 6;

/// Range of TCP ports that hosts hand out when they name none.
const DEFAULT_PORTS: (u16, u16) = (10_000, 25_000);

/// The part of the environment that decides how to serve.
#[derive(Debug)]
pub(super) struct Environment {
    /// The only certificate that may connect; none means plain text.
    pub(super) client_certificate: Option<CertificateDer<'static>>,
    /// Folder in which the socket's own folder is made.
    pub(super) socket_folder: PathBuf,
    /// First and last TCP port to try when there is no unix socket.
    pub(super) ports: (u16, u16),
}

impl Environment {
    /// Environment of a process that a core started. `variable` looks one up; empty
    /// counts as absent.
    ///
    /// # Errors
    /// It was not a core, or one that does not speak protocol 6, or one variable makes
    /// no sense. Nothing is guessed: without a readable certificate nothing is served.
    pub(super) fn of_plugin(variable: impl Fn(&'static str) -> Option<String>) -> Result<Self, Refusal> {
        let variable = |name| variable(name).filter(|value| !value.is_empty());
        if variable(COOKIE_VARIABLE).as_deref() != Some(COOKIE) {
            return Err(Refusal::ByHand);
        }
        if let Some(versions) = variable("PLUGIN_PROTOCOL_VERSIONS") {
            let wanted = PROTOCOL_VERSION.to_string();
            if !versions.split(',').any(|version| version.trim() == wanted) {
                return Err(Refusal::Versions(versions));
            }
        }
        let client_certificate = variable("PLUGIN_CLIENT_CERT")
            .map(|pem| CertificateDer::from_pem_slice(pem.as_bytes()))
            .transpose()
            .map_err(|error| Refusal::Variable("PLUGIN_CLIENT_CERT", error.to_string()))?;
        let port = |name, default| match variable(name) {
            Some(text) => text.parse().map_err(|_| Refusal::Variable(name, format!("{text:?} is no port number"))),
            None => Ok(default),
        };
        Ok(Self {
            client_certificate,
            socket_folder: variable("PLUGIN_UNIX_SOCKET_DIR").map_or_else(std::env::temp_dir, PathBuf::from),
            ports: (port("PLUGIN_MIN_PORT", DEFAULT_PORTS.0)?, port("PLUGIN_MAX_PORT", DEFAULT_PORTS.1)?),
        })
    }

    /// Environment of a process that a person started with `--debug`.
    pub(super) fn of_debug() -> Self {
        Self { client_certificate: None, socket_folder: std::env::temp_dir(), ports: DEFAULT_PORTS }
    }

    /// The line a core waits for: `1|6|unix|<path>|grpc|<certificate>`. The certificate
    /// is unpadded base64 of its DER form, and empty without TLS.
    pub(super) fn handshake(&self, address: &Address, certificate: Option<&[u8]>) -> String {
        let certificate = certificate.map_or_else(String::new, |der| STANDARD_NO_PAD.encode(der));
        format!("{CORE_VERSION}|{PROTOCOL_VERSION}|{}|{address}|grpc|{certificate}", address.network())
    }
}

/// Why nothing is served. `Display` is the text for the person at the terminal.
#[derive(Debug)]
pub(super) enum Refusal {
    /// The cookie is missing or wrong.
    ByHand,
    /// The core offers other major versions only.
    Versions(String),
    /// A variable of the core cannot be read: name and reason.
    Variable(&'static str, String),
    /// The operating system or the TLS library refused: what was tried and why not.
    Setup(&'static str, String),
}

impl Refusal {
    pub(super) fn runtime(error: io::Error) -> Self {
        Self::Setup("start worker threads", error.to_string())
    }

    pub(super) fn signals(error: io::Error) -> Self {
        Self::Setup("watch signals", error.to_string())
    }

    pub(super) fn tls(error: super::tls::TlsError) -> Self {
        Self::Setup("prepare mutual TLS", error.to_string())
    }

    pub(super) fn listen(error: io::Error) -> Self {
        Self::Setup("open a local socket", error.to_string())
    }

    pub(super) fn stdout(error: io::Error) -> Self {
        Self::Setup("write the handshake line to stdout", error.to_string())
    }

    pub(super) fn server(error: tonic::transport::Error) -> Self {
        Self::Setup("serve gRPC", error.to_string())
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ByHand => f.write_str(
                "This program is a Terraform and OpenTofu provider. It is not started by hand:\n\
                 `terraform` and `tofu` start it when a configuration names it in a\n\
                 required_providers block.\n\n\
                 To run it under a debugger or from a terminal, start it with --debug and follow\n\
                 the line it prints.",
            ),
            Self::Versions(offered) => write!(
                f,
                "This provider speaks plugin protocol {PROTOCOL_VERSION}, but the program that started it \
                 offers only: {offered}\n\n\
                 Use Terraform 1.0 or newer, or any OpenTofu.",
            ),
            Self::Variable(name, reason) => write!(
                f,
                "The environment variable {name} set by the program that started this provider \
                 cannot be used: {reason}",
            ),
            Self::Setup(tried, reason) => {
                write!(f, "This provider could not {tried}: {reason}")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plugin(pairs: &[(&'static str, &str)]) -> Result<Environment, Refusal> {
        Environment::of_plugin(|name| {
            let value = pairs.iter().find(|(key, _)| *key == name)?.1;
            Some(value.to_owned())
        })
    }

    #[test]
    fn the_cookie_must_be_exact() {
        for cookie in ["", "d602bf8f", "D602BF8F"] {
            let refused = plugin(&[(COOKIE_VARIABLE, cookie)]);
            assert!(matches!(refused, Err(Refusal::ByHand)), "{cookie:?}");
        }
        assert!(plugin(&[(COOKIE_VARIABLE, COOKIE)]).is_ok());
    }

    #[test]
    fn six_must_be_among_the_versions() {
        let with = |versions| plugin(&[(COOKIE_VARIABLE, COOKIE), ("PLUGIN_PROTOCOL_VERSIONS", versions)]);
        for fine in ["6", "5,6", "6,5", "5, 6,7"] {
            assert!(with(fine).is_ok(), "{fine}");
        }
        for wrong in ["5", "16", "6.0", "4,5"] {
            assert!(matches!(with(wrong), Err(Refusal::Versions(_))), "{wrong}");
        }
    }

    #[test]
    fn unreadable_variables_are_refused_by_name() {
        let with = |name, value| plugin(&[(COOKIE_VARIABLE, COOKIE), (name, value)]);
        for (name, value) in [("PLUGIN_CLIENT_CERT", "no certificate"), ("PLUGIN_MIN_PORT", "many"), ("PLUGIN_MAX_PORT", "70000")]
        {
            let refusal = with(name, value).expect_err("must be refused");
            assert!(refusal.to_string().contains(name), "{refusal}");
        }
    }

    #[test]
    fn handshake_lines() {
        let environment = Environment::of_debug();
        let tcp = Address::Tcp(([127, 0, 0, 1], 10_000).into());
        assert_eq!(environment.handshake(&tcp, None), "1|6|tcp|127.0.0.1:10000|grpc|");
        let unix = Address::Unix("/tmp/x/s".into());
        assert_eq!(environment.handshake(&unix, Some(&[0xfb, 0xff])), "1|6|unix|/tmp/x/s|grpc|+/8");
    }
}
