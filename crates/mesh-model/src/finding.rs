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
    /// An argument that the resource needs is not set.
    MissingArgument = "GM1001", Error, "Missing argument";
    /// A text breaks the rule of its argument: a name, a hostname, a duration.
    InvalidValue = "GM1002", Error, "Invalid value";
    /// Every member of an object is null: the members written there are none that it has.
    EmptyObject = "GM1003", Error, "Object without a known member";
    /// Two arguments exclude each other.
    ConflictingArguments = "GM1004", Error, "Conflicting arguments";
    /// One name is used twice.
    Duplicate = "GM1005", Error, "Duplicate entry";
    /// A cluster is named that is not a member of the virtual mesh.
    UnknownCluster = "GM1006", Error, "Cluster outside the virtual mesh";
    /// A value on which the set of objects depends is not known before apply; all of `manifests` is shown after apply.
    UnknownShape = "GM1007", Warning, "Objects known after apply";
    /// The value is understood and not supported yet.
    Unsupported = "GM1008", Error, "Not supported";
    /// A value is larger than what can be handled.
    TooLarge = "GM1009", Error, "Value too large";

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
