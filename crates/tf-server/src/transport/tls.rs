//! Mutual TLS as go-plugin does it: both sides have a one-time, self-signed certificate,
//! each is handed the other's beforehand, and nothing else is trusted.
//!
//! The client's certificate is an ECDSA P-521 one that is marked as an authority, so the
//! usual chain check rejects it, and *ring* cannot check its signatures. Hence a verifier
//! of our own: the certificate must be byte for byte the announced one, and its key must
//! have signed the handshake. Expiry is not looked at: the certificate is minutes old and
//! lives as long as the process.

use std::sync::{Arc, LazyLock};

use p521::ecdsa::signature::Verifier as _;
use p521::ecdsa::{DerSignature, Signature, VerifyingKey};
use rcgen::{CertificateParams, DnType, ExtendedKeyUsagePurpose, KeyPair};
use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::{CryptoProvider, WebPkiSupportedAlgorithms, ring};
use rustls::pki_types::{
    AlgorithmIdentifier, CertificateDer, InvalidSignature, PrivateKeyDer, SignatureVerificationAlgorithm, UnixTime, alg_id,
};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::server::{NoServerSessionStorage, ServerConfig};
use rustls::{CertificateError, DigitallySignedStruct, DistinguishedName, SignatureScheme};
use tokio_rustls::TlsAcceptor;

/// The name under which a core checks the server's certificate.
const SERVER_NAME: &str = "localhost";

/// Why mutual TLS could not be set up.
#[derive(Debug, thiserror::Error)]
pub(super) enum TlsError {
    /// The one-time certificate could not be made.
    #[error("could not make a one-time certificate: {0}")]
    Certificate(#[from] rcgen::Error),
    /// The TLS library refused the settings.
    #[error("could not set up TLS: {0}")]
    Settings(#[from] rustls::Error),
}

/// An acceptor that admits exactly the holder of `client`, and the DER form of the
/// server certificate that this client must be told.
///
/// # Errors
/// Key generation or the TLS library failed.
pub(super) fn one_client(client: &CertificateDer<'static>) -> Result<(TlsAcceptor, Vec<u8>), TlsError> {
    let key = KeyPair::generate()?;
    let mut params = CertificateParams::new([SERVER_NAME.to_owned()])?;
    params.distinguished_name.push(DnType::CommonName, SERVER_NAME);
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    let certificate = params.self_signed(&key)?.der().clone();
    let announced = certificate.to_vec();

    let private_key = PrivateKeyDer::try_from(key.serialize_der()).map_err(|reason| rustls::Error::General(reason.to_owned()))?;
    let provider: Arc<CryptoProvider> = Arc::new(ring::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_client_cert_verifier(Arc::new(PinnedClient(client.clone())))
        .with_single_cert(vec![certificate], private_key)?;
    config.alpn_protocols = vec![b"h2".to_vec()];
    // every connection proves itself anew; there is only one anyway
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    Ok((TlsAcceptor::from(Arc::new(config)), announced))
}

/// Admits the holder of one certificate.
#[derive(Debug)]
struct PinnedClient(CertificateDer<'static>);

impl ClientCertVerifier for PinnedClient {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _now: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        if *end_entity == self.0 {
            Ok(ClientCertVerified::assertion())
        } else {
            Err(CertificateError::ApplicationVerificationFailure.into())
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls12_signature(message, cert, dss, &ALGORITHMS)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls13_signature(message, cert, dss, &ALGORITHMS)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        ALGORITHMS.supported_schemes()
    }
}

/// What *ring* can check, and P-521. The rest stays in the list so that a core with
/// another curve is not locked out.
static ALGORITHMS: LazyLock<WebPkiSupportedAlgorithms> = LazyLock::new(|| {
    let ring = ring::default_provider().signature_verification_algorithms;
    let mut mapping = vec![(SignatureScheme::ECDSA_NISTP521_SHA512, P521)];
    mapping.extend_from_slice(ring.mapping);
    // `static` slices are what the TLS library takes; one leak per process
    WebPkiSupportedAlgorithms { all: [P521, ring.all].concat().leak(), mapping: mapping.leak() }
});

const P521: &[&dyn SignatureVerificationAlgorithm] = &[&P521Sha512];

/// ECDSA on P-521 over SHA-512.
#[derive(Debug)]
struct P521Sha512;

impl SignatureVerificationAlgorithm for P521Sha512 {
    fn public_key_alg_id(&self) -> AlgorithmIdentifier {
        alg_id::ECDSA_P521
    }

    fn signature_alg_id(&self) -> AlgorithmIdentifier {
        alg_id::ECDSA_SHA512
    }

    fn verify_signature(&self, public_key: &[u8], message: &[u8], signature: &[u8]) -> Result<(), InvalidSignature> {
        let key = VerifyingKey::from_sec1_bytes(public_key).map_err(|_| InvalidSignature)?;
        let signature = DerSignature::from_bytes(signature).and_then(Signature::try_from).map_err(|_| InvalidSignature)?;
        key.verify(message, &signature).map_err(|_| InvalidSignature)
    }
}
