//! Keys and certificates of one rig: an authority, what it signs for servers and for people, and the keys of service accounts.

use rcgen::{CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose, SanType};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use xtask::{Problem, Result};

/// A certificate and its key, both as PEM.
#[derive(Clone)]
pub struct Identity {
    /// The certificate.
    pub certificate: String,
    /// The private key.
    pub key: String,
}

impl Identity {
    fn parse(&self) -> Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>)> {
        let chain: std::result::Result<Vec<_>, _> = CertificateDer::pem_slice_iter(self.certificate.as_bytes()).collect();
        Ok((chain.map_err(problem)?, PrivateKeyDer::from_pem_slice(self.key.as_bytes()).map_err(problem)?))
    }
}

impl std::fmt::Debug for Identity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Identity").field("key", &"(secret)").finish_non_exhaustive()
    }
}

/// Signs for the servers and the clients of a rig.
#[derive(Debug)]
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    certificate: String,
}

impl Authority {
    /// A new one.
    ///
    /// # Errors
    /// When no key can be made.
    pub fn new() -> Result<Self> {
        let mut params = CertificateParams::new(Vec::new()).map_err(problem)?;
        params.distinguished_name.push(DnType::CommonName, "rig");
        params.is_ca = IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature];
        let key = KeyPair::generate().map_err(problem)?;
        let certificate = params.self_signed(&key).map_err(problem)?.pem();
        Ok(Self { issuer: Issuer::new(params, key), certificate })
    }

    /// Its own certificate, as PEM.
    pub fn certificate(&self) -> &str {
        &self.certificate
    }

    /// For a server at any loopback address given.
    ///
    /// # Errors
    /// When nothing can be signed.
    pub fn server(&self, addresses: &[std::net::IpAddr]) -> Result<Identity> {
        let names = ["localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc"].map(str::to_owned);
        let mut params = CertificateParams::new(names).map_err(problem)?;
        params.subject_alt_names.extend(addresses.iter().copied().map(SanType::IpAddress));
        params.distinguished_name.push(DnType::CommonName, "rig-server");
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        self.sign(params)
    }

    /// For a server of this name.
    ///
    /// # Errors
    /// When nothing can be signed.
    pub fn host(&self, name: &str) -> Result<Identity> {
        let mut params = CertificateParams::new(vec![name.to_owned()]).map_err(problem)?;
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        self.sign(params)
    }

    /// For a person: Kubernetes reads the user from the common name and the groups from the organizations. One group at most,
    /// because a distinguished name here has one organization.
    ///
    /// # Errors
    /// When nothing can be signed.
    pub fn client(&self, user: &str, group: Option<&str>) -> Result<Identity> {
        let mut params = CertificateParams::new(Vec::new()).map_err(problem)?;
        params.distinguished_name.push(DnType::CommonName, user);
        if let Some(group) = group {
            params.distinguished_name.push(DnType::OrganizationName, group);
        }
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        self.sign(params)
    }

    /// An authority below this one, as a control plane of a mesh with a shared root has it.
    ///
    /// # Errors
    /// When nothing can be signed.
    pub fn intermediate(&self, name: &str) -> Result<Self> {
        let mut params = CertificateParams::new(Vec::new()).map_err(problem)?;
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign, KeyUsagePurpose::DigitalSignature];
        let key = KeyPair::generate().map_err(problem)?;
        let certificate = params.signed_by(&key, &self.issuer).map_err(problem)?.pem();
        Ok(Self { issuer: Issuer::new(params, key), certificate })
    }

    /// Its own certificate and key.
    pub fn identity(&self) -> Identity {
        Identity { certificate: self.certificate.clone(), key: self.issuer.key().serialize_pem() }
    }

    /// For a workload of a mesh, with this SPIFFE id as its only name; its own certificate follows the workload's.
    ///
    /// # Errors
    /// When nothing can be signed.
    pub fn workload(&self, spiffe: &str) -> Result<Identity> {
        let mut params = CertificateParams::new(Vec::new()).map_err(problem)?;
        params.distinguished_name = rcgen::DistinguishedName::new();
        params.subject_alt_names.push(SanType::URI(spiffe.try_into().map_err(problem)?));
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature, KeyUsagePurpose::KeyEncipherment];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        let mut identity = self.sign(params)?;
        identity.certificate.push_str(&self.certificate);
        Ok(identity)
    }

    fn sign(&self, params: CertificateParams) -> Result<Identity> {
        let key = KeyPair::generate().map_err(problem)?;
        let certificate = params.signed_by(&key, &self.issuer).map_err(problem)?.pem();
        Ok(Identity { certificate, key: key.serialize_pem() })
    }
}

/// The pair with which an API server signs and checks tokens of service accounts: (private, public), as PEM.
///
/// # Errors
/// When no key can be made.
pub fn account_keys() -> Result<(String, String)> {
    let key = KeyPair::generate().map_err(problem)?;
    Ok((key.serialize_pem(), key.public_key_pem()))
}

/// For clients: only what this authority signed is believed; shows the identity where there is one.
///
/// # Errors
/// When the text holds no certificate, or the identity is damaged.
pub fn trust(certificate: &str, identity: Option<&Identity>) -> Result<rustls::ClientConfig> {
    let mut roots = rustls::RootCertStore::empty();
    for one in CertificateDer::pem_slice_iter(certificate.as_bytes()) {
        roots.add(one.map_err(problem)?).map_err(problem)?;
    }
    let builder =
        rustls::ClientConfig::builder_with_provider(provider()).with_safe_default_protocol_versions().map_err(problem)?;
    let builder = builder.with_root_certificates(roots);
    let Some(identity) = identity else { return Ok(builder.with_no_client_auth()) };
    let (chain, key) = identity.parse()?;
    builder.with_client_auth_cert(chain, key).map_err(problem)
}

/// For a server with this identity that speaks HTTP/1.1.
///
/// # Errors
/// When the identity is damaged.
pub fn serve(identity: &Identity) -> Result<rustls::ServerConfig> {
    let (chain, key) = identity.parse()?;
    let builder =
        rustls::ServerConfig::builder_with_provider(provider()).with_safe_default_protocol_versions().map_err(problem)?;
    let mut config = builder.with_no_client_auth().with_single_cert(chain, key).map_err(problem)?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

fn provider() -> std::sync::Arc<rustls::crypto::CryptoProvider> {
    std::sync::Arc::new(rustls::crypto::ring::default_provider())
}

fn problem(error: impl std::fmt::Display) -> Problem {
    Problem::new(format!("keys and certificates of the rig: {error}"))
}
