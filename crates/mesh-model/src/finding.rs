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
    /// A hostname ends in the domain of a cluster's own Services.
    ///
    /// `reviews.bookinfo.svc.cluster.local` means the Service of the cluster in which it is called. A virtual destination of
    /// that name would take calls away from it. Use a suffix of the mesh's own, such as `mesh.internal`.
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

    // GM2nnn: translation of one intent

    // GM3nnn: object sets judged across clusters, and against what an inventory shows

    // GM4nnn: preflight

    // GM5nnn: refresh and apply
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
