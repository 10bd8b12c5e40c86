//! Client identities as cores make them: an ECDSA P-521 key and a self-signed
//! certificate marked as an authority. The TLS library's usual tools make neither, so
//! the certificate is put together here byte by byte.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use p521::ecdsa::signature::Signer as _;
use p521::ecdsa::{Signature, SigningKey, VerifyingKey};
use p521::elliptic_curve::rand_core::OsRng;
use rustls::client::ResolvesClientCert;
use rustls::pki_types::CertificateDer;
use rustls::sign::{CertifiedKey, Signer, SigningKey as TlsSigningKey};
use rustls::{SignatureAlgorithm, SignatureScheme};

/// Contents of DER object identifiers.
mod oid {
    pub(super) const ECDSA_WITH_SHA512: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 4];
    pub(super) const EC_PUBLIC_KEY: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1];
    pub(super) const SECP521R1: &[u8] = &[0x2b, 0x81, 4, 0, 0x23];
    pub(super) const COMMON_NAME: &[u8] = &[0x55, 4, 3];
    pub(super) const SUBJECT_ALT_NAME: &[u8] = &[0x55, 0x1d, 0x11];
    pub(super) const BASIC_CONSTRAINTS: &[u8] = &[0x55, 0x1d, 0x13];
}

/// DER tags.
mod tag {
    pub(super) const BOOLEAN: u8 = 1;
    pub(super) const INTEGER: u8 = 2;
    pub(super) const BIT_STRING: u8 = 3;
    pub(super) const OCTET_STRING: u8 = 4;
    pub(super) const OID: u8 = 6;
    pub(super) const UTF8: u8 = 0x0c;
    pub(super) const UTC_TIME: u8 = 0x17;
    pub(super) const SEQUENCE: u8 = 0x30;
    pub(super) const SET: u8 = 0x31;
    pub(super) const VERSION: u8 = 0xa0;
    pub(super) const EXTENSIONS: u8 = 0xa3;
    pub(super) const DNS_NAME: u8 = 0x82;
}

/// A certificate and a key, which belong together unless a test mixes them.
#[derive(Clone)]
pub(crate) struct Identity {
    pub(crate) certificate: CertificateDer<'static>,
    pub(crate) key: SigningKey,
}

impl Identity {
    pub(crate) fn generate() -> Self {
        let key = SigningKey::random(&mut OsRng);
        let certificate = certificate(&key).into();
        Self { certificate, key }
    }

    /// The certificate as cores hand it over.
    pub(crate) fn pem(&self) -> String {
        pem(&self.certificate)
    }
}

pub(crate) fn pem(certificate: &[u8]) -> String {
    let body = STANDARD.encode(certificate);
    let lines: Vec<&str> = body.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).expect("base64")).collect();
    format!("-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n", lines.join("\n"))
}

fn certificate(key: &SigningKey) -> Vec<u8> {
    let point = VerifyingKey::from(key).to_encoded_point(false);
    let signed_with = sequence(&[&der(tag::OID, oid::ECDSA_WITH_SHA512)]);
    let name = sequence(&[&der(tag::SET, &sequence(&[&der(tag::OID, oid::COMMON_NAME), &der(tag::UTF8, b"localhost")]))]);
    let validity = sequence(&[&der(tag::UTC_TIME, b"200101000000Z"), &der(tag::UTC_TIME, b"491231235959Z")]);
    let public_key = sequence(&[
        &sequence(&[&der(tag::OID, oid::EC_PUBLIC_KEY), &der(tag::OID, oid::SECP521R1)]),
        &bit_string(point.as_bytes()),
    ]);
    let authority = sequence(&[&der(tag::BOOLEAN, &[0xff])]);
    let host = sequence(&[&der(tag::DNS_NAME, b"localhost")]);
    let extensions = sequence(&[
        &sequence(&[&der(tag::OID, oid::BASIC_CONSTRAINTS), &der(tag::BOOLEAN, &[0xff]), &der(tag::OCTET_STRING, &authority)]),
        &sequence(&[&der(tag::OID, oid::SUBJECT_ALT_NAME), &der(tag::OCTET_STRING, &host)]),
    ]);
    let body = sequence(&[
        &der(tag::VERSION, &der(tag::INTEGER, &[2])),
        &der(tag::INTEGER, &[1]),
        &signed_with,
        &name,
        &validity,
        &name,
        &public_key,
        &der(tag::EXTENSIONS, &extensions),
    ]);
    let signature: Signature = key.sign(&body);
    sequence(&[&body, &signed_with, &bit_string(signature.to_der().as_bytes())])
}

fn bit_string(bits: &[u8]) -> Vec<u8> {
    der(tag::BIT_STRING, &[&[0], bits].concat())
}

fn sequence(parts: &[&[u8]]) -> Vec<u8> {
    der(tag::SEQUENCE, &parts.concat())
}

fn der(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = u16::try_from(content.len()).expect("small").to_be_bytes();
    let header: &[u8] = match length {
        [0, short @ 0..=127] => &[tag, short],
        [0, medium] => &[tag, 0x81, medium],
        [high, low] => &[tag, 0x82, high, low],
    };
    [header, content].concat()
}

/// Presents the certificate and signs with the key, whatever the server asks for.
#[derive(Debug)]
pub(crate) struct Presents(Arc<CertifiedKey>);

impl Presents {
    pub(crate) fn new(identity: &Identity) -> Self {
        let key = Arc::new(Key(identity.key.clone()));
        Self(Arc::new(CertifiedKey::new(vec![identity.certificate.clone()], key)))
    }
}

impl ResolvesClientCert for Presents {
    fn resolve(&self, _: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0))
    }

    fn has_certs(&self) -> bool {
        true
    }
}

struct Key(SigningKey);

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Key")
    }
}

impl TlsSigningKey for Key {
    fn choose_scheme(&self, offered: &[SignatureScheme]) -> Option<Box<dyn Signer>> {
        let fits = offered.contains(&SignatureScheme::ECDSA_NISTP521_SHA512);
        fits.then(|| Box::new(Self(self.0.clone())) as Box<dyn Signer>)
    }

    fn algorithm(&self) -> SignatureAlgorithm {
        SignatureAlgorithm::ECDSA
    }
}

impl Signer for Key {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, rustls::Error> {
        let signature: Signature = self.0.sign(message);
        Ok(signature.to_der().as_bytes().to_vec())
    }

    fn scheme(&self) -> SignatureScheme {
        SignatureScheme::ECDSA_NISTP521_SHA512
    }
}
