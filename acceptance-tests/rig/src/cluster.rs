//! One cluster: etcd and an API server, and what a test may do to them.

use std::io::Read as _;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use xtask::tools::{ETCD, KUBE_APISERVER, KUBE_CONTROLLER_MANAGER};
use xtask::workspace::Workspace;
use xtask::{Problem, Result};

use crate::api::Api;
use crate::content::Content;
use crate::http::{Call, Peer};
use crate::kubeconfig::{self, Context, Credential};
use crate::pki::{Authority, Identity, account_keys};
use crate::proxy::Proxy;
use crate::supervisor::{Launch, Supervisor};
use crate::wait::is_so_by;

/// Servers that are not ready by then never will be.
const READY: Duration = Duration::from_secs(90);

/// A kind that answers last after a start from a golden directory.
const LAST_KIND: &str = "/apis/networking.istio.io/v1/virtualservices?limit=1";

/// The programs of a cluster.
#[derive(Debug, Clone)]
pub(crate) struct Programs {
    pub(crate) etcd: PathBuf,
    pub(crate) apiserver: PathBuf,
    workspace: Workspace,
}

impl Programs {
    /// Found, or built.
    pub(crate) fn find(workspace: &Workspace) -> Result<Self> {
        let (etcd, apiserver) = (ETCD.find_or_build(workspace)?, KUBE_APISERVER.find_or_build(workspace)?);
        Ok(Self { etcd, apiserver, workspace: workspace.clone() })
    }
}

/// What the clusters of a rig share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) programs: Programs,
    pub(crate) authority: Authority,
    // last: everything else is gone by then
    pub(crate) supervisor: Arc<Supervisor>,
}

/// A running cluster. It ends with its [`crate::Rig`].
#[derive(Debug)]
pub struct Cluster {
    name: String,
    folder: PathBuf,
    address: SocketAddr,
    store: SocketAddr,
    peers: SocketAddr,
    service_range: String,
    admin: Peer,
    readonly_token: String,
    stranger_token: String,
    shared: Arc<Shared>,
}

impl Cluster {
    /// Takes addresses, writes keys and tokens; starts nothing.
    pub(crate) fn prepare(shared: &Arc<Shared>, name: &str, content: &Content) -> Result<Self> {
        let folder = shared.supervisor.room().join(name);
        std::fs::create_dir_all(folder.join("pki")).map_err(Problem::file("create", &folder))?;
        let [address, store, peers] = free_addresses()?;
        let [admin, readonly, stranger] = [token()?, token()?, token()?];
        let tokens = format!(
            "{admin},rig-admin,1,\"system:masters\"\n{readonly},rig-readonly,2,\"rig:readonly\"\n{stranger},rig-stranger,3,\n"
        );
        let server = shared.authority.server(&[address.ip(), Ipv4Addr::LOCALHOST.into()])?;
        let (account_key, account_check) = account_keys()?;
        let files = [
            ("tokens.csv", tokens.as_str()),
            ("ca.crt", shared.authority.certificate()),
            ("server.crt", &server.certificate),
            ("server.key", &server.key),
            ("sa.key", &account_key),
            ("sa.pub", &account_check),
        ];
        for (file, text) in files {
            let path = folder.join("pki").join(file);
            std::fs::write(&path, text).map_err(Problem::file("write", &path))?;
        }
        let cluster = Self {
            name: name.to_owned(),
            folder,
            address,
            store,
            peers,
            service_range: content.service_range.clone(),
            admin: Peer::new(address, shared.authority.certificate(), &admin)?,
            readonly_token: readonly,
            stranger_token: stranger,
            shared: Arc::clone(shared),
        };
        let readonly = cluster.context_for(&format!("{name}-readonly"), Credential::Token(cluster.readonly_token.clone()));
        let admin = cluster.context_for(name, Credential::Token(admin));
        kubeconfig::write(&cluster.kubeconfig(), &[admin, readonly])?;
        Ok(cluster)
    }

    /// Where etcd keeps its data.
    pub(crate) fn data(&self) -> PathBuf {
        self.folder.join("etcd")
    }

    /// Where etcd listens.
    pub(crate) fn store(&self) -> SocketAddr {
        self.store
    }

    /// Starts both servers and waits until the API server is ready.
    pub(crate) fn start(&self) -> Result<()> {
        self.launch_store()?;
        self.launch_apiserver()?;
        self.wait_until_ready()
    }

    /// Waits until kinds that come from definitions answer too.
    pub(crate) fn wait_for_definitions(&self) -> Result<()> {
        let api = self.api();
        self.wait(&format!("{LAST_KIND} of {}", self.name), || Ok(api.get(LAST_KIND)?.status == 200))
    }

    /// Ends both in the order that keeps the data: the store may write its last page.
    pub(crate) fn end(&self) -> Result<()> {
        self.kill()?;
        self.shared.supervisor.signal(&self.program("etcd"), "term")
    }

    /// The cluster's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// `https://127.….….…:<port>`.
    pub fn url(&self) -> String {
        format!("https://{}", self.address)
    }

    /// A kubeconfig with the contexts `<name>` (may do everything, current) and `<name>-readonly` (sees everything).
    pub fn kubeconfig(&self) -> PathBuf {
        self.folder.join("kubeconfig")
    }

    /// The authority that signed the server's certificate, as PEM.
    pub fn authority(&self) -> &str {
        self.shared.authority.certificate()
    }

    /// The token that may do everything.
    pub fn admin_token(&self) -> &str {
        &self.admin.token
    }

    /// The token that sees everything and may change nothing.
    pub fn readonly_token(&self) -> &str {
        &self.readonly_token
    }

    /// A token that is known and may do nothing that not everybody may.
    pub fn stranger_token(&self) -> &str {
        &self.stranger_token
    }

    /// A private folder that is removed with the rig.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The API server, asked with all rights.
    pub fn api(&self) -> Api {
        Api::new(self.admin.clone())
    }

    /// The API server, asked with a client certificate of [`Self::client_certificate`].
    ///
    /// # Errors
    /// When the identity is damaged.
    pub fn api_as(&self, identity: &Identity) -> Result<Api> {
        Ok(Api::new(self.admin.with_identity(self.authority(), identity)?))
    }

    /// The process ids of etcd and of the API server, as last started.
    ///
    /// # Errors
    /// When they cannot be told.
    pub fn pids(&self) -> Result<Vec<u32>> {
        let read = |program: &str| {
            let path = self.folder.join(format!("{program}.pid"));
            let text = std::fs::read_to_string(&path).map_err(Problem::file("read", &path))?;
            text.trim().parse().map_err(|_| Problem::new(format!("{} holds no number", path.display())))
        };
        ["etcd", "apiserver"].into_iter().map(read).collect()
    }

    /// A context for this cluster under another name or credential; see [`kubeconfig::write`].
    pub fn context_for(&self, name: &str, credential: Credential) -> Context {
        Context { name: name.to_owned(), server: self.url(), authority: self.authority().to_owned(), credential }
    }

    /// The API server hangs: connections are accepted and nothing is answered.
    ///
    /// # Errors
    /// When it does not run.
    pub fn stop(&self) -> Result<()> {
        self.shared.supervisor.signal(&self.program("apiserver"), "stop")
    }

    /// The API server goes on after [`Self::stop`].
    ///
    /// # Errors
    /// When it does not run.
    pub fn cont(&self) -> Result<()> {
        self.shared.supervisor.signal(&self.program("apiserver"), "cont")
    }

    /// The API server is killed: connections are refused. Its data stays.
    ///
    /// # Errors
    /// When it was never started.
    pub fn kill(&self) -> Result<()> {
        self.shared.supervisor.signal(&self.program("apiserver"), "kill")
    }

    /// The API server is killed if it still runs, started at the same address on the same data, and ready.
    ///
    /// # Errors
    /// When it does not become ready.
    pub fn restart(&self) -> Result<()> {
        self.kill()?;
        self.launch_apiserver()?;
        self.wait_until_ready()?;
        self.wait_for_definitions()
    }

    /// A proxy before this cluster that serves it unchanged until told to break something.
    ///
    /// # Errors
    /// When no port is free.
    pub fn proxy(&self) -> Result<Proxy> {
        let identity = self.shared.authority.server(&[self.address.ip()])?;
        let proxy = Proxy::start(&identity, &self.admin, self.address.ip())?;
        let path = self.folder.join(format!("proxy-{}.kubeconfig", proxy.address().port()));
        let via = |context: Context| Context { server: proxy.url(), ..context };
        let admin = via(self.context_for(&self.name, Credential::Token(self.admin.token.clone())));
        let readonly = Credential::Token(self.readonly_token.clone());
        kubeconfig::write(&path, &[admin, via(self.context_for(&format!("{}-readonly", self.name), readonly))])?;
        Ok(proxy.with_kubeconfig(path))
    }

    /// A token for a service account of this name in namespace `rig`, made when it is new. It may do nothing before
    /// [`Self::allow`]; when the account is deleted the token is refused with 401, though only after the ten seconds for which
    /// an API server remembers whom it believed.
    ///
    /// # Errors
    /// When the server refuses.
    pub fn token_of(&self, account: &str) -> Result<String> {
        let api = self.api();
        api.apply(&json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": "rig" } }))?;
        let metadata = json!({ "name": account, "namespace": "rig" });
        api.apply(&json!({ "apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata }))?;
        let request = json!({
            "apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": { "expirationSeconds": 7200 }
        });
        let answer = api.create(&format!("/api/v1/namespaces/rig/serviceaccounts/{account}/token"), &request)?;
        let token = answer["status"]["token"].as_str().map(str::to_owned);
        token.ok_or_else(|| Problem::new(format!("no token in {answer}")))
    }

    /// Lets a service account of [`Self::token_of`] do what these rules (of a Role) say, in one namespace or everywhere.
    ///
    /// # Errors
    /// When the server refuses.
    pub fn allow(&self, account: &str, namespace: Option<&str>, rules: &Value) -> Result<()> {
        let (role, binding) = if namespace.is_some() { ("Role", "RoleBinding") } else { ("ClusterRole", "ClusterRoleBinding") };
        let version = "rbac.authorization.k8s.io/v1";
        let mut metadata = json!({ "name": format!("rig-{account}") });
        if let Some(namespace) = namespace {
            metadata["namespace"] = namespace.into();
        }
        let api = self.api();
        api.apply(&json!({ "apiVersion": version, "kind": role, "metadata": metadata, "rules": rules }))?;
        api.apply(&json!({
            "apiVersion": version,
            "kind": binding,
            "metadata": metadata,
            "roleRef": { "apiGroup": "rbac.authorization.k8s.io", "kind": role, "name": metadata["name"] },
            "subjects": [{ "kind": "ServiceAccount", "name": account, "namespace": "rig" }],
        }))?;
        Ok(())
    }

    /// A client certificate for this user, in one group at most (`system:masters` may do everything).
    ///
    /// # Errors
    /// When it cannot be signed.
    pub fn client_certificate(&self, user: &str, group: Option<&str>) -> Result<Identity> {
        self.shared.authority.client(user, group)
    }

    /// Starts the controller that deletes what is in a deleted namespace, and then the namespace. Without it a deleted
    /// namespace stays `Terminating`, which tests may want.
    ///
    /// # Errors
    /// When it cannot be built or started.
    pub fn start_namespace_controller(&self) -> Result<()> {
        let program = KUBE_CONTROLLER_MANAGER.find_or_build(&self.shared.programs.workspace)?;
        let port = TcpListener::bind((self.address.ip(), 0)).and_then(|listener| listener.local_addr());
        let port = port.map_err(|error| Problem::new(format!("no free port: {error}")))?.port();
        let command = vec![
            program.display().to_string(),
            format!("--kubeconfig={}", self.kubeconfig().display()),
            format!("--bind-address={}", self.address.ip()),
            format!("--secure-port={port}"),
            format!("--cert-dir={}", self.folder.join("controllers").display()),
            "--leader-elect=false".to_owned(),
            "--controllers=namespace-controller".to_owned(),
        ];
        self.launch("controllers", command, 0)
    }

    fn program(&self, program: &str) -> String {
        format!("{}/{program}", self.name)
    }

    fn launch(&self, program: &str, command: Vec<String>, rank: u64) -> Result<()> {
        let launch = Launch {
            name: self.program(program),
            command,
            folder: self.folder.clone(),
            log: self.folder.join(format!("{program}.log")),
            rank,
        };
        let pid = self.shared.supervisor.launch(&launch)?;
        let path = self.folder.join(format!("{program}.pid"));
        std::fs::write(&path, pid.to_string()).map_err(Problem::file("write", &path))
    }

    fn launch_store(&self) -> Result<()> {
        let (clients, peers) = (format!("http://{}", self.store), format!("http://{}", self.peers));
        let command = vec![
            self.shared.programs.etcd.display().to_string(),
            format!("--data-dir={}", self.data().display()),
            // tests do not survive a power cut
            "--unsafe-no-fsync".to_owned(),
            "--log-level=warn".to_owned(),
            format!("--listen-client-urls={clients}"),
            format!("--advertise-client-urls={clients}"),
            format!("--listen-peer-urls={peers}"),
            format!("--initial-advertise-peer-urls={peers}"),
            format!("--initial-cluster=default={peers}"),
        ];
        self.launch("etcd", command, 9)
    }

    fn launch_apiserver(&self) -> Result<()> {
        let file = |name: &str| self.folder.join("pki").join(name).display().to_string();
        let command = vec![
            self.shared.programs.apiserver.display().to_string(),
            format!("--etcd-servers=http://{}", self.store),
            format!("--bind-address={}", self.address.ip()),
            format!("--advertise-address={}", self.address.ip()),
            format!("--secure-port={}", self.address.port()),
            format!("--tls-cert-file={}", file("server.crt")),
            format!("--tls-private-key-file={}", file("server.key")),
            format!("--client-ca-file={}", file("ca.crt")),
            format!("--cert-dir={}", file("own")),
            format!("--token-auth-file={}", file("tokens.csv")),
            format!("--service-account-signing-key-file={}", file("sa.key")),
            format!("--service-account-key-file={}", file("sa.pub")),
            "--service-account-issuer=https://kubernetes.default.svc".to_owned(),
            format!("--service-cluster-ip-range={}", self.service_range),
            "--endpoint-reconciler-type=none".to_owned(),
            "--authorization-mode=RBAC".to_owned(),
            "--anonymous-auth=false".to_owned(),
            "--enable-priority-and-fairness=false".to_owned(),
            // pods of an inventory come without the accounts that a controller would make
            "--disable-admission-plugins=ServiceAccount".to_owned(),
            "--profiling=false".to_owned(),
        ];
        self.launch("apiserver", command, 1)
    }

    fn wait_until_ready(&self) -> Result<()> {
        let api = self.api();
        self.wait(&format!("the API server of {}", self.name), || {
            for program in ["etcd", "apiserver"] {
                if let Some(ended) = self.shared.supervisor.ended(&self.program(program))? {
                    let log = self.folder.join(format!("{program}.log"));
                    let text = std::fs::read_to_string(&log).unwrap_or_default();
                    let lines: Vec<&str> = text.lines().collect();
                    let tail = lines[lines.len().saturating_sub(12)..].join("\n");
                    return Err(Problem::new(format!("{program} of {} ended ({ended}); its last words:\n{tail}", self.name)));
                }
            }
            let call = Call { method: "GET", path: "/readyz".to_owned(), ..Call::default() };
            Ok(api.call_within(call, Duration::from_secs(5)).is_ok_and(|answer| answer.status == 200))
        })
    }

    fn wait(&self, what: &str, is_there: impl FnMut() -> Result<bool>) -> Result<()> {
        if is_so_by(Instant::now() + READY, is_there)? {
            return Ok(());
        }
        let folder = self.folder.display();
        Err(Problem::new(format!("{what} is not ready within {} s; logs in {folder}", READY.as_secs())))
    }
}

/// Three free ports at a loopback address of its own, where the system has more than one: then nobody takes the port while its
/// server is down.
fn free_addresses() -> Result<[SocketAddr; 3]> {
    let [a, b, c] = random::<3>()?;
    let own = IpAddr::from([127, 64 | (a & 63), b, c.clamp(1, 254)]);
    let ip = if TcpListener::bind((own, 0)).is_ok() { own } else { Ipv4Addr::LOCALHOST.into() };
    let free = || TcpListener::bind((ip, 0)).and_then(|listener| Ok((listener.local_addr()?, listener)));
    // all held until all are known, so that they differ
    let taken = free().and_then(|first| Ok([first, free()?, free()?]));
    taken.map(|three| three.map(|(address, _)| address)).map_err(|error| Problem::new(format!("no free port: {error}")))
}

/// A secret that nobody guesses while the servers run.
fn token() -> Result<String> {
    Ok(random::<16>()?.iter().map(|byte| format!("{byte:02x}")).collect())
}

fn random<const N: usize>() -> Result<[u8; N]> {
    let path = Path::new("/dev/urandom");
    let mut bytes = [0; N];
    std::fs::File::open(path).and_then(|mut file| file.read_exact(&mut bytes)).map_err(Problem::file("read", path))?;
    Ok(bytes)
}
