//! Findings: structured verdicts with a stable code.

use std::fmt;

use crate::AttributePath;
use crate::names::ClusterName;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// nothing is planned or written
    Error,
    /// shown; work goes on
    Warning,
}

/// One verdict about an intent, its translation, or what it meets in a cluster.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Finding {
    /// what kind of verdict
    pub code: Code,
    /// where in the configuration
    pub path: AttributePath,
    /// which cluster, if it is about one
    pub cluster: Option<ClusterName>,
    /// which object, as `<Kind>/<namespace>/<name>`, if it is about one
    pub object: Option<String>,
    /// what is the matter, with the user's own names
    pub what: String,
    /// why it matters
    pub why: String,
    /// what to do, with the HCL to write
    pub fix: String,
}

/// All findings of one judgement.
pub type Findings = Vec<Finding>;

macro_rules! codes {
    ($($(#[doc = $doc:literal])+ $variant:ident = $code:literal, $severity:ident, $summary:literal;)+) => {
        /// The catalogue of findings. A code never changes its meaning and is never used again.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Code {
            $($(#[doc = $doc])+ $variant,)+
        }

        impl Code {
            /// Every code, in order.
            pub const ALL: &[Self] = &[$(Self::$variant,)+];

            /// The stable code: `GM1nnn` model, `GM2nnn` translation, `GM3nnn` fleet, `GM4nnn` preflight, `GM5nnn` apply.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $code,)+ }
            }

            /// How bad it is.
            #[must_use]
            pub fn severity(self) -> Severity {
                match self { $(Self::$variant => Severity::$severity,)+ }
            }

            /// The fixed words of the summary.
            #[must_use]
            pub fn summary(self) -> &'static str {
                match self { $(Self::$variant => $summary,)+ }
            }

            /// Whether a user may overrule it: a warning of something that has not been written yet, at a resource that can.
            #[must_use]
            pub fn may_be_ignored(self) -> bool {
                self.severity() == Severity::Warning
                    && !self.as_str().starts_with("GM5")
                    && !matches!(self, Self::UnknownShape | Self::MembersDistrust)
            }

            /// The code of this text.
            #[must_use]
            pub fn of(text: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|code| code.as_str() == text)
            }

            /// The text of the catalogue page.
            #[must_use]
            pub fn doc(self) -> &'static str {
                match self { $(Self::$variant => concat!($($doc, "\n"),+),)+ }
            }
        }
    };
}

codes! {
    /// An argument that is needed is not set, or an element of a list is null.
    ///
    /// Nothing is guessed for it. Write the argument; the finding shows how it looks.
    MissingArgument = "GM1001", Error, "Missing argument";
    /// A text breaks the rule of its argument: a name, a hostname, a label, a duration.
    ///
    /// The rule is quoted in the finding. What breaks it would be refused by the API server or by Istio, after other objects
    /// were written.
    InvalidValue = "GM1002", Error, "Invalid value";
    /// Every attribute of an object is null.
    ///
    /// Terraform and OpenTofu drop members that an object does not have before the provider sees them. So an object that
    /// holds only misspelled members arrives empty, and is refused. Set at least one attribute, or leave the object out.
    EmptyObject = "GM1003", Error, "Object without a known member";
    /// Two arguments exclude each other, or one contradicts another.
    ///
    /// Examples: `addresses` and `hostname` of one gateway, `order` and `locality` of one failover. Remove one of them.
    ConflictingArguments = "GM1004", Error, "Conflicting arguments";
    /// One name, number or address is used twice where each must be used once.
    ///
    /// Examples: two backends that are the same Service, two ports with one number, a cluster that is ranked twice.
    Duplicate = "GM1005", Error, "Duplicate entry";
    /// A cluster is named that is not a member of the virtual mesh.
    ///
    /// Nothing is known about it, so nothing can be written there. Add it to `clusters` of the virtual mesh, or remove the
    /// name. The finding lists the members.
    UnknownCluster = "GM1006", Error, "Cluster outside the virtual mesh";
    /// A value on which the set of objects depends is not known before apply; all of `manifests` is shown after apply.
    ///
    /// Names, hostnames, clusters, selectors, and lists and maps as a whole decide which objects exist. Single addresses,
    /// ports of gateways, service accounts, durations and the like do not: where they are unknown, only the objects that hold
    /// them are shown after apply.
    UnknownShape = "GM1007", Warning, "Objects known after apply";
    /// The value is understood and not supported yet.
    ///
    /// It is refused instead of being treated as something similar.
    Unsupported = "GM1008", Error, "Not supported";
    /// A collection is larger than what is supported, or more was found wrong than can be shown.
    TooLarge = "GM1009", Error, "Value too large";
    /// An object has a member that is none of its attributes.
    ///
    /// Terraform and OpenTofu drop such members of a configuration; in a stored intent or a test case they are refused.
    UnknownArgument = "GM1010", Error, "Unknown argument";
    /// A value has another type than its argument: a string where a number is needed.
    WrongType = "GM1011", Error, "Wrong type";
    /// A number is outside the range of its argument.
    OutOfRange = "GM1012", Error, "Number out of range";
    /// A list, set or map is empty where at least one element is needed.
    ///
    /// Without clients nobody could call a destination, without backends nobody would answer, without service accounts no
    /// server's identity could be verified, and an empty selector would select every workload.
    EmptyCollection = "GM1013", Error, "Empty collection";
    /// A hostname ends in the domain of a cluster's own Services, or is the short name of one.
    ///
    /// `reviews.bookinfo.svc.cluster.local` means the Service of the cluster in which it is called, and so does `reviews.bookinfo`.
    /// A virtual destination of that name would take calls away from it. Use a suffix of the mesh's own, such as `mesh.internal`.
    ClusterHostname = "GM1014", Error, "Hostname of a cluster's own Service";
    /// No other cluster can reach a gateway at this address.
    ///
    /// `0.0.0.0` and `::` mean "any", multicast and broadcast addresses have no single receiver, and an IPv4 address in IPv6
    /// form (`::ffff:203.0.113.10`) must be written as IPv4.
    UnusableAddress = "GM1015", Error, "Unusable gateway address";
    /// A locality rule leads from a region to itself.
    ///
    /// Clusters of the client's own region come before every rule already, so the rule would say nothing.
    SameRegion = "GM1016", Error, "Failover to the same region";
    /// A locality rule names a region in which no member of the virtual mesh is.
    ///
    /// The rule ranks nothing. Regions are compared letter by letter with `region` in the facts of the clusters.
    RegionWithoutCluster = "GM1017", Warning, "Region without a cluster";
    /// One retry never leaves the cluster that failed.
    ///
    /// Envoy turns to the next priority, the next cluster, only from the second retry on. With `attempts = 1` every request
    /// fails until outlier detection has ejected the endpoint. Use 2 or more, or 0 for none at all.
    SingleRetry = "GM1018", Warning, "Retries stay in the failing cluster";
    /// A value changes nothing because of another one.
    ///
    /// Example: the rank of a cluster that has no backend.
    NoEffect = "GM1019", Warning, "Setting without effect";
    /// The shares of a client cluster do not make 100 percent.
    ///
    /// Istio refuses such a distribution. A cluster that is to serve nobody is left out.
    SharesNotWhole = "GM1020", Error, "Shares do not make 100 percent";

    // GM2nnn: translation of one intent
    /// A Service behind the destination does not have the port.
    ///
    /// East-west gateways find a Service by its port, which `service_port` or `service_port_name` names where the destination
    /// has another one.
    PortNotInService = "GM2001", Error, "Port missing in a Service";
    /// A Service's port speaks another protocol than the destination's.
    ProtocolContradicts = "GM2002", Error, "Protocol contradicts the Service";
    /// Several Services of one cluster serve the destination, and nothing selects the pods of all of them and no others.
    ///
    /// They have to be in one namespace, with one target port for each port of the destination, and a label in common.
    SeveralServices = "GM2004", Error, "Several Services in one cluster";
    /// A serving cluster does not accept the trust domain of clients.
    ///
    /// A server refuses clients of a trust domain that its mesh does not accept. The finding prints the full SPIFFE ids.
    /// `caCertificates[].trustDomains` of the mesh configuration accepts a domain, and discovery finds it. An alias
    /// (`trustDomainAliases`) lets clients in too, but merges identities: an account of one domain is the same account of the
    /// other one to every policy. So an alias counts only where `accepted_trust_domains` says so by hand.
    TrustDomainsDiffer = "GM2005", Error, "Trust domains differ";
    /// `client_namespace` names a cluster whose own pods serve.
    ///
    /// A ServiceEntry selects pods of its own namespace only, so that the objects of a serving cluster are in the namespace of
    /// its pods.
    NamespaceNotOfService = "GM2006", Error, "Namespace is not the Service's";
    /// The pods of a cluster behind the destination have different canonical names.
    ///
    /// The hostname selects its pods, and the entries that stand for other clusters, by `service.istio.io/canonical-name`.
    CanonicalNamesDiffer = "GM2007", Error, "Canonical names differ";
    /// A cluster serves others, and no address of an east-west gateway is known there.
    NoGateway = "GM2008", Error, "No east-west gateway";
    /// A gateway that other clusters call is reached by a hostname, and something that this takes is missing.
    ///
    /// An endpoint with a hostname is dropped silently beside endpoints with addresses. So a Gateway of class `istio-remote`
    /// stands for the network of the cluster, and istiod resolves its hostname. That takes a network, another one than that of the
    /// clients and of other clusters with such gateways, and a region of the clients, by which such endpoints are ranked.
    GatewayHostname = "GM2009", Error, "Gateway with a hostname";
    /// A Gateway of somebody else passes every host (`*`) through an east-west gateway.
    ///
    /// What istiod there knows of other clusters can then be reached through it too, which makes calls between gateways
    /// possible that never end.
    GatewayPassesEverything = "GM2010", Warning, "Gateway passes every host";
    /// A cluster's Istio does not serve `networking.istio.io/v1`.
    IstioTooOld = "GM2011", Error, "Istio is too old";
    /// A cluster's Istio is outside the range on which the objects are proven.
    IstioNotTested = "GM2012", Warning, "Istio release not tested";
    /// Workloads of a client cluster cannot resolve the hostname.
    DnsCaptureOff = "GM2013", Warning, "DNS capture is off";
    /// No endpoint may ever be ejected, so nothing ever fails over.
    EjectionOff = "GM2014", Error, "Ejection is off";
    /// The ejection limit is below one endpoint for the few endpoints that there are.
    ///
    /// Envoy keeps to `max_ejection_percent` exactly: 10 % of two endpoints is none.
    EjectionUnlikely = "GM2015", Warning, "Ejection cannot happen";
    /// A client cluster has no backend of its own, and `failover` lets no other cluster serve it.
    ClientWithoutBackend = "GM2016", Error, "Client without a backend";
    /// `failover.locality` compares regions, and a cluster has none.
    RegionNotKnown = "GM2017", Warning, "Region not known";
    /// An overlay is for a kind, or a cluster, of which the resource writes no object.
    OverlayWithoutObject = "GM2018", Error, "Overlay matches no object";
    /// An overlay changes what identifies an object, or what the provider keeps there for itself.
    OverlayForbidden = "GM2019", Error, "Overlay touches a protected member";
    /// Istio gives the hostname no address.
    ///
    /// Sidecars that answer DNS answer for hostnames with an address alone, and they tell connections apart by it. istiod gives
    /// addresses by itself since 1.25. Before, sidecars do where they are told to.
    AddressNotGiven = "GM2020", Warning, "Hostname without an address";
    /// In a client cluster whose objects are in another namespace, `export_to` shows the hostname to no namespace of clients.
    ///
    /// `.` is the namespace of the objects, which `client_namespace` moves: in Istio's root namespace nothing calls. And the
    /// destination's own namespace is where they were moved away from.
    HostnameUnseen = "GM2021", Warning, "Hostname may be seen by no client";
    /// A port carries connections, and an endpoint that fails comes back soon.
    ///
    /// Nothing repeats a connection. When an ejection ends the endpoint gets connections again, and for up to a second each of
    /// them breaks before it is ejected anew: 30 of 30 in a run. The longer `base_ejection_time`, the rarer that is.
    ShortEjection = "GM2022", Warning, "Connections break often while a cluster fails";
    /// The time of a request is over before it is tried in another cluster.
    ///
    /// A gateway that hangs costs `connect_timeout`, or `per_try_timeout` where that is shorter, and only the second retry leaves
    /// the cluster. A `timeout` below twice of it ends the request first.
    TimeoutBeforeFailover = "GM2023", Warning, "Timeout before failover";
    /// A client cluster knows one serving cluster, which answers of the application itself may take out.
    ///
    /// Another cluster is one endpoint for each address of its gateways. After `consecutive_gateway_errors` answers 502, 503 or
    /// 504 in a row it is ejected, and where nobody else serves every request fails until it comes back.
    OnlyTarget = "GM2024", Warning, "The only serving cluster can be ejected";
    /// An overlay takes something away that failover depends on.
    ///
    /// Outlier detection, the order of failover, the server name, retries and the like are the destination's; no admission
    /// webhook refuses an object without them, and calls would be spread over all clusters, or lost.
    OverlayUndoes = "GM2025", Warning, "Overlay undoes failover";
    /// Clusters of several ranks share what they serve, because one of them is reached by a hostname.
    ///
    /// Endpoints behind a hostname are ranked by localities, which tell the first rank from all others.
    RanksShared = "GM2026", Warning, "Ranks are shared behind a hostname";
    /// No backend that a client reaches has a subset of the destination.
    ///
    /// The part of the calls that the weight of the subset says would be answered 503. A subset with weight 0 gets no calls yet,
    /// and needs one backend somewhere.
    SubsetWithoutBackend = "GM2027", Error, "Subset without a backend";
    /// `failover.spread` gives a share to the client's own cluster, and no region of it is known that tells its pods from others.
    ///
    /// Istio gives shares to regions. Entries of other clusters have regions that stand for these; pods have that of their node.
    ShareWithoutRegion = "GM2028", Error, "Share of a cluster without a region";
    /// `failover.spread` sends everything to one cluster, and others that serve have no share.
    ///
    /// What has no share serves never, also when everything else is dead. Every other share takes over all. Retries find one of
    /// 10 percent at once, and may miss a smaller one. With subsets the calls of each are judged.
    OnlyShare = "GM2029", Warning, "No other cluster takes over";

    /// Members of a mesh have different trust domains.
    ///
    /// Nothing is wrong with the mesh itself. Destinations and exports that lead from one of these clusters to another are
    /// refused (GM2005).
    MembersDistrust = "GM2030", Warning, "Members have different trust domains";

    /// `failover.spread` gives a share to a cluster that has no backend.
    ShareOfNobody = "GM2031", Error, "Share of a cluster without a backend";
    /// `failover.spread` gives a share to a cluster that has no pods of a subset that gets calls.
    ///
    /// For the calls of that subset it is as if the cluster was dead: the others that have a share get them, in proportion.
    ShareWithoutSubset = "GM2032", Warning, "Share of a cluster without a subset";
    /// A port of HTTP has a number that every sidecar keeps for itself: 15001, 15006, 15021 or 15090.
    ///
    /// istiod gives clients no listener there and says so in its log alone, so that nobody could call the port. A port of TCP or TLS
    /// has an address of its own and may have any number.
    PortOfSidecars = "GM2033", Error, "Port of the sidecars";

    // GM3nnn: object sets judged across clusters, and against what an inventory shows
    /// A Service selects the labels of an entry that stands for another cluster.
    ///
    /// Calls to the Service itself would then be spread over all clusters. Services normally do not select
    /// `service.istio.io/canonical-name`.
    ServiceCapturesEntry = "GM3001", Error, "Service captures remote endpoints";
    /// Another ServiceEntry has the hostname.
    ///
    /// istiod merges the endpoints of both, and may lose some when one of them goes. The other one is in the cluster, or another
    /// resource of the configuration is to write it there.
    HostTaken = "GM3002", Error, "Hostname is taken";
    /// Another ServiceEntry selects the labels of an entry that stands for another cluster.
    ///
    /// Its hosts would get endpoints in other clusters, with ranks that are not theirs.
    EntrySelectedTwice = "GM3003", Error, "Remote endpoint selected twice";
    /// An object that is to be written exists and belongs to somebody else.
    ObjectTaken = "GM3004", Error, "Object of another owner";
    /// A DestinationRule or VirtualService of somebody else is about the hostname.
    ForeignPolicy = "GM3005", Warning, "Foreign policy on the hostname";
    /// A Gateway of somebody else passes every host (`*`) through an east-west gateway.
    LiveGatewayPassesEverything = "GM3006", Warning, "Gateway passes every host";
    /// A namespace to which objects are to be written does not exist.
    NamespaceMissing = "GM3007", Warning, "Namespace missing";
    /// A PeerAuthentication turns mutual TLS off for pods that other clusters call.
    ///
    /// East-west gateways drop endpoints without mutual TLS.
    MutualTlsOff = "GM3008", Error, "Mutual TLS is off";
    /// An AuthorizationPolicy seems to deny calls from other clusters.
    AuthorizationDenies = "GM3009", Warning, "Calls may be denied";
    /// A Sidecar hides the hostname from workloads.
    SidecarHidesHost = "GM3010", Warning, "Hostname hidden by a Sidecar";
    /// An object that exists and that nobody claims becomes this resource's, as `adopt` says; the finding shows what of it
    /// is overwritten.
    AdoptsObject = "GM3011", Warning, "Existing object is adopted";
    /// Objects of another resource become this one's in place, as `takeover_from` says.
    TakesOver = "GM3012", Warning, "Objects are taken over";
    /// Objects with the claim of a new resource exist, written by another instance.
    ///
    /// If that instance is destroyed in the same run, its objects are handed over; otherwise the apply refuses.
    MetInstance = "GM3013", Warning, "Objects of another instance";
    /// A Gateway of somebody else covers a Service that a planned Gateway exposes through the same gateway, with another
    /// pattern.
    ///
    /// istiod knows two servers for the same host only when their hosts are equal. Otherwise it makes a filter chain for each of
    /// them, and Envoy refuses the whole listener: seen with Istio 1.30.
    GatewayRepeats = "GM3014", Error, "Service exposed twice";
    /// No pod has the labels by which a planned Gateway selects the east-west gateway.
    ///
    /// Such a Gateway exposes nothing, and calls from other clusters end at the gateway. Judged where pods of the gateway's
    /// namespace are listed.
    GatewaySelectsNothing = "GM3015", Warning, "Gateway selects no pod";
    /// The clusters that take part trust no common root certificate.
    ///
    /// Every call from one to the other fails when certificates are compared. The roots are those that Istio hands out, in the
    /// ConfigMaps `istio-ca-root-cert`; which ones running proxies have is not seen.
    RootsDiffer = "GM3016", Warning, "No common root certificate";
    /// Pods behind the destination run as a service account that clients do not accept.
    ///
    /// Clients accept a server by the accounts in the facts, and end the connection to every other one.
    AccountRefused = "GM3017", Warning, "Service account is not accepted";
    /// Pods behind the destination have no sidecar.
    ///
    /// The destination calls all its endpoints with mutual TLS, local ones too, and a pod without a sidecar refuses it: 20 of 20
    /// calls in a run.
    PodsWithoutSidecar = "GM3018", Warning, "Pods without a sidecar";
    /// An address of a gateway is of a family (IPv4, IPv6) that no pod of a client cluster has.
    AddressFamilyDiffers = "GM3019", Warning, "Address of a family that clients lack";
    /// The annotation `networking.istio.io/exportTo` hides the Service from the east-west gateway in front of it.
    ///
    /// A gateway passes calls to Services that its namespace sees, and ends all others.
    ServiceHidden = "GM3020", Warning, "Service hidden from its gateway";
    /// With the pods that are there, `max_ejection_percent` keeps some of them in when all of them fail.
    ///
    /// Envoy counts all endpoints of a host together, pods and gateways, and rounds down. What stays in keeps its share of the
    /// calls, and other clusters get the rest at most. `gloo_failover` says who gets what.
    EjectionPartial = "GM3021", Warning, "Not all pods can be ejected";
    /// No pod of a serving cluster has the labels of a subset that gets calls.
    ///
    /// Other clusters send their part of the calls there when theirs fails, and nobody answers. Judged where pods behind the
    /// destination are listed.
    SubsetWithoutPods = "GM3022", Warning, "Subset without pods";
    /// The hostname is the short name of a Service in a client cluster.
    ///
    /// `reviews.books` is what clients call Service `reviews` in namespace `books` by. istiod gives the name to the destination, so that
    /// calls to the Service would go there.
    ShortNameTaken = "GM3023", Error, "Hostname is the short name of a Service";

    // GM31nn: what discovery cannot tell, or refuses
    /// Nothing in the cluster shows Istio's version and settings, as with a control plane that somebody else runs.
    IstioNotFound = "GM3101", Error, "Istio not found";
    /// Several control planes run in the cluster and none is its default.
    SeveralControlPlanes = "GM3102", Error, "Several Istio control planes";
    /// Istio is there, but one of its settings cannot be read.
    UnreadableSetting = "GM3103", Error, "Istio setting cannot be read";
    /// The inventory has no object of a kind without which the question has no answer. Absent is unknown, never none.
    KindMissing = "GM3104", Error, "Kind missing in the inventory";
    /// A Service that cannot be a backend: headless, ExternalName, without selector or without TCP port.
    UnusableService = "GM3105", Error, "Service cannot be a backend";
    /// The workloads behind a Service are in ambient mode.
    AmbientWorkload = "GM3106", Error, "Ambient workloads are not supported";
    /// Some workloads behind a Service have no sidecar: mutual TLS would break the calls to them.
    SidecarMissing = "GM3107", Error, "Workloads without sidecar";
    /// The canonical name does not select exactly the pods of the Service.
    ///
    /// In a cluster that serves, the hostname selects its own pods by their canonical name. Pods of the Service that have another
    /// one would not be called, and pods of others that have it would be. Where several Services serve the same destinations,
    /// `together_with` of `gloo_service` names the others, whose pods may have it.
    CanonicalNameUnclear = "GM3108", Error, "Canonical name does not select the Service's pods";
    /// A named target port has no number, or several.
    TargetPortUnclear = "GM3109", Warning, "Target port cannot be resolved";
    /// Nothing shows under which service accounts the pods of a Service run.
    ServiceAccountsUnknown = "GM3110", Error, "Service accounts unknown";
    /// The region of a cluster cannot be told from its nodes; localities cannot rank it.
    RegionUnknown = "GM3111", Warning, "Region unknown";
    /// No east-west gateway that other clusters can reach.
    GatewayUnreachable = "GM3112", Warning, "No reachable east-west gateway";
    /// Something could not be checked, because the inventory has no object of a kind.
    NotChecked = "GM3113", Warning, "Not checked, kind missing in the inventory";
    /// Parts of the inventory are no Kubernetes objects, or contradict each other.
    DamagedInventory = "GM3114", Warning, "Damaged inventory";
    /// A Gateway of others passes every host through to other networks.
    OpenPassthrough = "GM3115", Warning, "Gateway passes every host through";
    /// Without a control plane to ask, proxies of several minor releases leave its release open; the oldest counts.
    ProxiesDiffer = "GM3116", Warning, "Proxies of several Istio releases";
    /// Several control planes run in the cluster, as while one release follows another, and their settings differ.
    ///
    /// Objects are of no revision: every control plane reads them. Facts are those of the default one, or of the one that
    /// `revision` of the data source names.
    RevisionsDiffer = "GM3117", Warning, "Control planes differ";
    /// The environment of istiod turns something off that the objects rely on.
    ///
    /// `PILOT_ENABLE_SERVICEENTRY_SELECT_PODS`: without it a hostname finds no pods of its own cluster.
    /// `PILOT_ENABLE_IP_AUTOALLOCATE`, where sidecars answer DNS: without it a hostname has no address, and nobody resolves it.
    FeatureOff = "GM3118", Warning, "Feature of istiod is off";

    // GM4nnn: preflight
    /// A cluster gave no answer. Nothing is written anywhere while one of the clusters concerned is silent.
    ClusterUnreachable = "GM4001", Error, "Cluster cannot be reached";
    /// A cluster answered that the request is not allowed.
    ClusterForbidden = "GM4002", Error, "Not allowed by the cluster";
    /// An object that is to be written belongs to another resource or to another owner.
    ClaimedByAnother = "GM4003", Error, "Object belongs to another resource";
    /// An object that is to be written exists already and nobody claims it.
    UnclaimedObject = "GM4004", Error, "Object exists already";
    /// An object is not as the plan showed it; nothing was written.
    ChangedSincePlan = "GM4005", Error, "Changed since the plan";
    /// What is stored at the place of one of our objects cannot be read.
    DamagedObject = "GM4006", Error, "Damaged object";
    /// Something that the provider did not write is at the place of one of our objects.
    ForeignFile = "GM4007", Error, "Place of an object is taken";
    /// A file of an inventory cannot be read, or contradicts another one.
    InvalidInventory = "GM4008", Error, "Inventory cannot be read";
    /// A cluster that holds objects is not in the provider block.
    UnconfiguredCluster = "GM4009", Error, "Cluster is not configured";
    /// The connection of a cluster is still unknown where it is needed.
    UnknownConnection = "GM4010", Error, "Connection of the cluster is not known";
    /// The cluster would not accept the object.
    RefusedByCluster = "GM4011", Error, "Refused by the cluster";
    /// The cluster accepts the object and warns about it.
    WarnedByCluster = "GM4012", Warning, "Warning of the cluster";
    /// One plan names an object twice; a defect of the provider.
    RepeatedObject = "GM4013", Error, "Object occurs twice in one plan";
    /// Objects with this resource's claim were written by another instance: two states share one `owner`, a root or a
    /// workspace was copied, or a state was lost.
    OtherInstance = "GM4014", Error, "Managed by another instance with this owner";
    /// A resource with `deletion_protection = true` would be destroyed or replaced, or would lose the backends that a client
    /// has.
    Protected = "GM4015", Error, "Deletion protection is on";
    /// A changed identity replaces the resource, and its objects are gone for a while.
    ///
    /// With `create_before_destroy` the new instance comes first; where both would write the same objects, `takeover_from`
    /// lets it take them over in place.
    ReplaceInterrupts = "GM4016", Warning, "Replacement interrupts traffic";
    /// A field that is to be changed is applied by somebody else too, who would set it back.
    ///
    /// What others merely edited is drift: the plan shows it and the apply repairs it. Somebody who applies the field (Argo
    /// CD, Flux, `kubectl apply --server-side`) will do so again.
    HeldByAnother = "GM4017", Error, "Field is applied by somebody else";
    /// The cluster does not let this identity try the planned changes.
    ///
    /// A plan asks the API server by a dry-run what it would say to each object that changes: schema, rules, webhooks. That
    /// needs the right to write. Without it the same is found by the apply, before its first write.
    NotTried = "GM4018", Warning, "Changes are not tried at plan";
    /// A namespace or a kind that an object needs is not in the cluster yet.
    ///
    /// The plan shows the object all the same: its translation asks no cluster. The write of the object waits for what is
    /// missing, for a bounded time, so that one apply creates both.
    AwaitedByWrite = "GM4019", Warning, "Waited for by the apply";
    /// A rule of a definition in an inventory uses something that is not known without a server.
    RuleUnchecked = "GM4020", Warning, "Rule not checked without a server";
    /// An object is in a namespace that the cluster's `namespaces` do not have, or in none.
    OutsideNamespaces = "GM4021", Error, "Outside the namespaces of the cluster";
    /// Two resources of one configuration want to write the same object.
    ///
    /// An object has one owner: the apply would write it for one of them and refuse the other. Names of objects follow from
    /// hostnames, so two destinations of one namespace with the same hostname meet here. The second one that is planned is
    /// refused, and the finding names both by their claims. With `takeover_from` one may take what the other has.
    WantedTwice = "GM4022", Error, "Two resources want one object";
    /// One update takes calls away from a subset that goes, and turns them to one that comes.
    ///
    /// No order of writes keeps every call served then. A subset comes with weight 0, to each cluster that a client reaches, and goes
    /// with weight 0: two applies.
    SubsetsSwapped = "GM4023", Error, "Subsets come and go at once";
    /// One update puts other pods behind a destination that has subsets, before it or after it.
    ///
    /// Another Service, another canonical name or other labels: no order of writes can tell whether the pods that come have the
    /// labels of every subset that is called.
    PodsOfSubsetsChanged = "GM4024", Error, "Pods of subsets change";
    /// A mesh goes, or a cluster leaves it, and destinations of other states still belong to it.
    ///
    /// They took the mesh from the state that declares it: with it goes what their next plan is made from, and what they have in
    /// that cluster would serve and call nobody's mesh. Known by the intents that are stored on their objects.
    MeshInUse = "GM4025", Error, "Mesh is in use";
    /// An update whose objects no order of writes carries without a loss: requests are answered before it and after it, and some
    /// not in between.
    ///
    /// The plan goes through the steps of the apply and asks at each of them what becomes of the requests of every client
    /// (`gloo_failover` tells how). Which pods a hostname means, and which servers clients accept, stand in objects of their own: one
    /// update that changes both, as to a Service with other accounts, has a moment in which they do not agree. Two updates have none.
    LostInBetween = "GM4026", Warning, "Requests are lost during the change";

    // GM5nnn: refresh and apply
    /// Reading or writing failed in the operating system.
    ClusterIo = "GM5001", Error, "Reading or writing failed";
    /// Another writer held the cluster for too long.
    ClusterLocked = "GM5002", Error, "Cluster is locked";
    /// An object changed between the checks before the first write and its own write.
    ChangedDuringApply = "GM5003", Error, "Changed during the apply";
    /// The run was interrupted; what was written until then is in the state.
    Interrupted = "GM5004", Error, "Interrupted";
    /// Whether a write happened cannot be told; the next refresh will show it.
    OutcomeUnknown = "GM5005", Error, "Outcome of a write is not known";
    /// An object of a failed create could not be removed again; the next apply adopts it.
    LeftBehind = "GM5006", Error, "Object left behind";
    /// An object belongs to somebody else by now; it was not touched.
    ClaimMoved = "GM5007", Warning, "Object belongs to somebody else now";
    /// A cluster was left out because it is not known or not reachable.
    ClusterSkipped = "GM5008", Warning, "Cluster left out";
    /// Objects of a decommissioned cluster were forgotten, not deleted.
    ObjectsForgotten = "GM5009", Warning, "Objects forgotten";
    /// A write stopped in the middle of the provider; a defect of the provider.
    WriteCrashed = "GM5010", Error, "Write crashed";
    /// A new instance was to take over the objects of one that goes, and did not.
    HandOverFailed = "GM5011", Error, "Objects were not handed over";
    /// The identity may not list a kind of which a resource has objects, so leftovers of that kind are not seen.
    ///
    /// What an interrupted run leaves behind is found by its label, in a list. The objects of the state are read one by one.
    LeftoversUnseen = "GM5012", Warning, "Leftovers are not seen";
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Finding {
    /// A finding about an attribute.
    #[must_use]
    pub fn new(code: Code, path: AttributePath, what: impl Into<String>, why: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { code, path, cluster: None, object: None, what: what.into(), why: why.into(), fix: fix.into() }
    }

    /// The same, about one cluster.
    #[must_use]
    pub fn in_cluster(mut self, cluster: &ClusterName) -> Self {
        self.cluster = Some(cluster.clone());
        self
    }

    /// The same, about one object.
    #[must_use]
    pub fn on_object(mut self, object: impl fmt::Display) -> Self {
        self.object = Some(object.to_string());
        self
    }
}
