//! Releases of Istio: which ones the objects are for, and since when it does what they rely on.
//!
//! No field of an object depends on a release of the table: what differs between them is what a cluster needs besides. The guide
//! "Istio releases" has the same table.

use mesh_model::names::{ClusterName, IstioMinor};
use mesh_model::{Code, Finding, Findings};

use super::{Scope, facts_path};

/// Why a release is in the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Proof {
    /// every case of the live mesh ran on it
    Ran,
    /// its source does what the cases rely on
    Read,
}

/// The releases that are supported, oldest first.
const RELEASES: [(IstioMinor, Proof); 6] = [
    (minor(26), Proof::Read),
    (minor(27), Proof::Read),
    (minor(28), Proof::Read),
    (minor(29), Proof::Ran),
    (minor(30), Proof::Ran),
    (minor(31), Proof::Read),
];

/// The API server knows `networking.istio.io/v1`. Before, nothing can be written.
const V1: IstioMinor = minor(22);

/// istiod gives hosts of ServiceEntries addresses by itself. Before, sidecars do where they are told to
/// (`ISTIO_META_DNS_AUTO_ALLOCATE`), and ports that carry connections need it.
pub(super) const ADDRESSES: IstioMinor = minor(25);

const fn minor(minor: u16) -> IstioMinor {
    IstioMinor { major: 1, minor }
}

/// Judges the releases of the clusters that take part.
pub(super) fn check(scope: &Scope<'_>, findings: &mut Findings) {
    findings.extend(scope.participants().into_iter().filter_map(|(cluster, facts)| judge(cluster, facts.istio_version)));
}

fn judge(cluster: &ClusterName, version: IstioMinor) -> Option<Finding> {
    let first = RELEASES[0].0;
    let finding = |code, why: String, fix: String| {
        let path = facts_path(cluster).attribute("istio_version");
        Some(Finding::new(code, path, format!("Cluster {cluster} runs Istio {version}."), why, fix).in_cluster(cluster))
    };
    if version < V1 {
        return finding(
            Code::IstioTooOld,
            format!("Its API server does not know networking.istio.io/v1, which Istio serves since {V1}."),
            format!("Upgrade Istio there to {first} or later."),
        );
    }
    if RELEASES.iter().any(|(supported, _)| *supported == version) {
        return None;
    }
    let ran: Vec<String> =
        RELEASES.iter().filter(|(_, proof)| *proof == Proof::Ran).map(|(minor, _)| minor.to_string()).collect();
    let last = RELEASES[RELEASES.len() - 1].0;
    finding(
        Code::IstioNotTested,
        format!("The objects are for Istio {first} to {last}, and were run on {}.", ran.join(" and ")),
        "Test failover there before you rely on it.".to_owned(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_guide_has_the_table() {
        let guide = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../templates/guides/istio-releases.md"));
        let guide = guide.expect("there is a guide");
        let rows: Vec<&str> = guide.lines().filter(|line| line.contains("| ran |") || line.contains("| read |")).collect();
        let said = |(minor, proof): &(IstioMinor, Proof)| {
            let proof = match proof {
                Proof::Ran => "ran",
                Proof::Read => "read",
            };
            format!("| {minor} | {proof} |")
        };
        assert_eq!(rows.len(), RELEASES.len());
        for (row, release) in rows.iter().zip(&RELEASES) {
            assert!(row.starts_with(&said(release)), "{row} should begin with {}", said(release));
        }
    }
}
