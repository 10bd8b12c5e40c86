//! Names that follow from a hostname, so that two resources which aim at one hostname meet on the same objects.
//!
//! Different inputs have different names: what is written out stays below a length that shortened names have exactly, and
//! shortened names differ by 64 bits of SHA-256.

use std::collections::BTreeMap;
use std::fmt::Write;

use sha2::{Digest, Sha256};

use crate::names::{
    ClusterName, Hostname, HostnameSuffix, InvalidName, LabelValue, Namespace, ObjectName, PortNumber, Region, ServiceName,
    SubsetName,
};

/// What every name of a virtual destination's objects begins with.
pub const PREFIX: &str = "vd-";
/// The first label of names by which gateways find what serves a destination whose Services differ.
pub const SERVING_LABEL: &str = "gloo-serving";
/// The kind, in keys of objects, of what says where the network of another cluster is reached.
pub const NETWORK_GATEWAY: &str = "Gateway.gateway.networking.k8s.io";
/// What regions begin with that stand for clusters.
const SHARE_PREFIX: &str = "gloo-spread-";
/// What regions begin with that stand for a rank.
const RANK_PREFIX: &str = "gloo-rank-";
/// Length of a shortened object name; names that are written out are shorter.
pub const NAME_LENGTH: usize = 200;
/// Length of a shortened label value; values that are written out are shorter.
pub const LABEL_LENGTH: usize = 63;
/// Hex digits of a digest.
const DIGEST_LENGTH: usize = 16;

/// A name of this length, with `.<cluster>.<index>` behind it, is still written out; with a subset behind that, the name and
/// the beginning of the cluster are.
const NEVER_SHORTENED: usize = NAME_LENGTH - 1 - ".".len() - LABEL_LENGTH - ".".len() - 5;

// `<Kind>-<name>.yaml` is a file name: 255 bytes at most on every file system in use. The longest kind's name is that of
// Gateway API.
const _: () = assert!(NETWORK_GATEWAY.len() + "-".len() + NAME_LENGTH + ".yaml".len() <= 255);
// a Kubernetes object name
const _: () = assert!(NAME_LENGTH <= 253);
// a shortened text keeps a beginning that can be recognised
const _: () = assert!(LABEL_LENGTH > DIGEST_LENGTH + 1 && NAME_LENGTH > PREFIX.len() + DIGEST_LENGTH + 1);
// SHA-256 has as many hex digits as are taken
const _: () = assert!(DIGEST_LENGTH <= 64 && DIGEST_LENGTH.is_multiple_of(2));

/// The name under which every member of a mesh calls a Service of one cluster: `<service>.<namespace>.svc.<cluster>.<suffix>`,
/// the rule of Gloo Mesh, so that clients keep the names that they use. No part contains a dot, so that each Service of each
/// cluster has a name of its own.
///
/// # Errors
/// When it is too long for a hostname.
pub fn federated_hostname(
    service: &ServiceName,
    namespace: &Namespace,
    cluster: &ClusterName,
    suffix: &HostnameSuffix,
) -> Result<Hostname, InvalidName> {
    format!("{service}.{namespace}.svc.{cluster}.{suffix}").parse()
}

/// The name of a destination's objects: `vd-<hostname>`.
#[must_use]
pub fn destination_name(hostname: &Hostname) -> ObjectName {
    object_name(&format!("{PREFIX}{hostname}"))
}

/// The name by which gateways find what serves a destination whose Services differ, or that has subsets:
/// `gloo-serving.<hostname>`. No destination has such a hostname.
#[must_use]
pub fn serving_host(hostname: &Hostname) -> Hostname {
    let text = format!("{SERVING_LABEL}.{hostname}");
    let text = text.parse().or_else(|_| format!("{SERVING_LABEL}.{}.internal", digest(hostname.as_str())).parse());
    text.expect("a label before a hostname, or labels of letters and digits, are a hostname")
}

/// The server name by which an `AUTO_PASSTHROUGH` gateway finds a port of a host, or of a subset of it (`._.`: of none).
#[must_use]
pub fn server_name(port: PortNumber, subset: Option<&SubsetName>, host: &str) -> String {
    let subset = subset.map_or("", SubsetName::as_str);
    format!("outbound_.{port}_.{subset}_.{host}")
}

/// Whether a name is one by which gateways find what serves.
#[must_use]
pub fn is_serving_host(text: &str) -> bool {
    text.strip_prefix(SERVING_LABEL).is_some_and(|rest| rest.starts_with('.'))
}

/// Whether an object is named for such a host.
#[must_use]
pub fn is_serving_name(name: &ObjectName) -> bool {
    name.as_str().strip_prefix(PREFIX).is_some_and(is_serving_host)
}

/// Whether an object is named for such a host of the destination whose objects are named `destination`.
#[must_use]
pub fn is_serving_name_of(name: &ObjectName, destination: &str) -> bool {
    let [served, hostname] = [name.as_str(), destination].map(|name| name.strip_prefix(PREFIX));
    let served = served.and_then(|name| name.strip_prefix(SERVING_LABEL)?.strip_prefix('.'));
    served.is_some() && served == hostname
}

/// The name of the Gateway that exposes a Service of a destination at one of a cluster's gateways: the beginning of
/// `vd-<hostname>-<service>-<namespace>` with `-` for every dot, and a digest. Istio refuses a Gateway whose name is no DNS
/// label: neither dots nor more than 63 bytes. Service and the labels of the gateway's pods are part of it, so that another
/// Service behind the destination, or another gateway, gets an object of its own before clients stop to use the old one.
/// Without a Service it is the Gateway that exposes the [`serving_host`].
#[must_use]
pub fn exposure_name(
    hostname: &Hostname,
    service: Option<(&ServiceName, &Namespace)>,
    selector: &BTreeMap<String, String>,
) -> ObjectName {
    // no part contains ',', no label '=' besides; without a Service both of its parts are empty, which no name is
    let labels: Vec<String> = selector.iter().map(|(key, value)| format!("{key}={value}")).collect();
    let (service, namespace) = service.map_or_else(Default::default, |(name, space)| (name.to_string(), space.to_string()));
    let digest = digest(&format!("{hostname},{service},{namespace},{}", labels.join(",")));
    let written = format!("{PREFIX}{hostname}.{service}.{namespace}").replace('.', "-");
    let beginning: String = written.chars().take(LABEL_LENGTH - DIGEST_LENGTH - 1).collect();
    let name = format!("{}-{digest}", beginning.trim_end_matches('-'));
    name.parse().expect("letters, digits and dashes that begin and end with letters or digits are an object name")
}

/// The name of a destination's entry for one way to a remote cluster: `vd-<hostname>.<cluster>`, and `.<index>` behind it from
/// the second way on; `vd-<hostname>.<cluster>.<index>-<subset>` for a subset. A cluster begins with a letter, so no cluster looks
/// like an index.
#[must_use]
pub fn workload_entry_name(hostname: &Hostname, cluster: &ClusterName, subset: Option<&SubsetName>, index: usize) -> ObjectName {
    match (subset, index) {
        (Some(subset), _) => object_name(&format!("{PREFIX}{hostname}.{cluster}.{index}-{subset}")),
        (None, 0) => object_name(&format!("{PREFIX}{hostname}.{cluster}")),
        (None, _) => object_name(&format!("{PREFIX}{hostname}.{cluster}.{index}")),
    }
}

/// What the names of a destination's ServiceEntry, DestinationRule, VirtualService, WorkloadEntries, and gateways of the networks
/// for which these stand, have in common, and those of another destination have not: `vd-<hostname>`. `None`: the name is no such one, or so long that some of them are shortened
/// in what they have in common.
#[must_use]
pub fn destination_of<'n>(kind: &str, name: &'n ObjectName) -> Option<&'n str> {
    let mut common = name.as_str();
    if ["WorkloadEntry", NETWORK_GATEWAY].contains(&kind) {
        let (mut front, mut last) = common.rsplit_once('.')?;
        // an index, or one with a subset; a cluster begins with a letter
        if last.starts_with(|c: char| c.is_ascii_digit()) {
            (front, last) = front.rsplit_once('.')?;
        }
        common = if last.starts_with(|c: char| c.is_ascii_lowercase()) { front } else { return None };
    }
    (common.starts_with(PREFIX) && common.len() <= NEVER_SHORTENED).then_some(common)
}

/// The subset of an entry, by its name. `None`: it is one of no subset, or its name is shortened.
#[must_use]
pub fn subset_of(name: &ObjectName) -> Option<&str> {
    let (_, last) = name.as_str().rsplit_once('.').filter(|_| name.as_str().len() < NAME_LENGTH)?;
    let (index, subset) = last.split_once('-')?;
    index.bytes().all(|byte| byte.is_ascii_digit()).then_some(subset)
}

/// The value of the label that ties a destination's entries to its ServiceEntry: the hostname.
#[must_use]
pub fn destination_label(hostname: &Hostname) -> LabelValue {
    let text = shortened(hostname.as_str(), LABEL_LENGTH);
    text.parse().expect("a hostname below 63 bytes, or its beginning and hex digits, is a label value")
}

/// The region of a destination's entries for a cluster that has a share: `gloo-spread-<cluster>`. Shares are told by region, and
/// clusters may be in one.
#[must_use]
pub fn share_region(cluster: &ClusterName) -> Region {
    let text = shortened(&format!("{SHARE_PREFIX}{cluster}"), LABEL_LENGTH);
    text.parse().expect("letters, digits and dashes that begin and end with letters or digits are a region")
}

/// Whether a region stands for a cluster that has a share.
#[must_use]
pub fn is_share_region(region: &str) -> bool {
    region.starts_with(SHARE_PREFIX)
}

/// The region of a destination's entries of a rank, where ranks are told by regions: `gloo-rank-<rank>`.
#[must_use]
pub fn rank_region(rank: u32) -> Region {
    format!("{RANK_PREFIX}{rank}").parse().expect("letters, dashes and digits are a region")
}

/// Whether a region stands for a rank.
#[must_use]
pub fn is_rank_region(region: &str) -> bool {
    region.starts_with(RANK_PREFIX)
}

/// Where two clusters stand to each other among many of one rank: smaller is nearer. It is another one for every client, so that
/// the clients of a fleet spread over its clusters, and stays as it is when other clusters come and go (rendezvous hashing).
#[must_use]
pub fn distance(client: &ClusterName, target: &ClusterName) -> u64 {
    let [client, target] = [client, target].map(|name| fnv(name.as_str()));
    // the finalizer of splitmix64: every bit of both moves every bit of the result
    let mut mixed = client.rotate_left(32) ^ target;
    for (shift, factor) in [(30, 0xbf58_476d_1ce4_e5b9), (27, 0x94d0_49bb_1331_11eb)] {
        mixed = (mixed ^ (mixed >> shift)).wrapping_mul(factor);
    }
    mixed ^ (mixed >> 31)
}

fn fnv(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

fn object_name(text: &str) -> ObjectName {
    shortened(text, NAME_LENGTH).parse().expect("a name that begins with vd- and goes on with a hostname is an object name")
}

/// The text if it is shorter than `length` bytes; else its beginning, `-` and the digest of the whole, `length` bytes in all.
/// The text is ASCII.
fn shortened(text: &str, length: usize) -> String {
    if text.len() < length {
        return text.to_owned();
    }
    let kept = length - DIGEST_LENGTH - 1;
    let mut out: String = text.chars().take(kept).collect();
    // a part must not end here, where '-' follows, with '.' or '-'
    if out.ends_with(['.', '-']) {
        out.pop();
        out.push('x');
    }
    out.push('-');
    out.push_str(&digest(text));
    out
}

/// The first hex digits of the SHA-256 of a text.
fn digest(text: &str) -> String {
    let mut out = String::with_capacity(DIGEST_LENGTH);
    for byte in Sha256::digest(text.as_bytes()).iter().take(DIGEST_LENGTH / 2) {
        write!(out, "{byte:02x}").expect("a String takes every text");
    }
    out
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;
    use proptest::strategy::ValueTree;
    use proptest::test_runner::{RngAlgorithm, TestRng, TestRunner};

    use super::*;

    fn hostname(text: &str) -> Hostname {
        text.parse().expect("a hostname")
    }

    fn selector(labels: &[(&str, &str)]) -> BTreeMap<String, String> {
        labels.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    }

    fn cluster(text: &str) -> ClusterName {
        text.parse().expect("a cluster name")
    }

    #[test]
    fn short_names_are_written_out() {
        let host = hostname("reviews.mesh.internal");
        assert_eq!(destination_name(&host).as_str(), "vd-reviews.mesh.internal");
        assert_eq!(workload_entry_name(&host, &cluster("west"), None, 0).as_str(), "vd-reviews.mesh.internal.west");
        assert_eq!(workload_entry_name(&host, &cluster("west"), None, 12).as_str(), "vd-reviews.mesh.internal.west.12");
        let (service, namespace) = ("reviews".parse().expect("a Service"), "bookinfo".parse().expect("a namespace"));
        let exposure =
            |labels: &[(&str, &str)]| exposure_name(&host, Some((&service, &namespace)), &selector(labels)).to_string();
        assert_eq!(exposure(&[("istio", "eastwestgateway")]), "vd-reviews-mesh-internal-reviews-bookinfo-8c40136719e30fdd");
        assert_eq!(destination_label(&host).as_str(), "reviews.mesh.internal");
    }

    #[test]
    fn a_name_tells_its_destination_unless_some_are_shortened() {
        let entry = |host: &str, target: &str, index| workload_entry_name(&hostname(host), &cluster(target), None, index);
        for host in ["reviews.mesh.internal", "reviews.bookinfo.svc.west.global", "a.west.1a", &long(118, 'c').to_string()] {
            let common = format!("vd-{host}");
            assert_eq!(destination_of("ServiceEntry", &destination_name(&hostname(host))), Some(common.as_str()));
            for (target, index) in [("west", 0), ("west", 12), ("w-1", 3), (&"w".repeat(63), 65535)] {
                let name = entry(host, target, index);
                for kind in ["WorkloadEntry", NETWORK_GATEWAY] {
                    assert_eq!(destination_of(kind, &name), Some(common.as_str()), "{target} {index}");
                }
                assert_eq!(subset_of(&name), None, "{name}");
                for subset in ["v1", "1", "1-2", &"v".repeat(63)] {
                    let name = subset.parse().expect("a subset");
                    let name = workload_entry_name(&hostname(host), &cluster(target), Some(&name), index);
                    assert_eq!(destination_of("WorkloadEntry", &name), Some(common.as_str()), "{name}");
                    let is_written_out = name.as_str().len() < NAME_LENGTH;
                    assert_eq!(subset_of(&name), is_written_out.then_some(subset), "{name}");
                }
            }
        }
        // one of length is told by none of its names, so that all its objects are judged alike
        let host = long(140, 'c');
        assert_eq!(destination_of("DestinationRule", &destination_name(&host)), None);
        assert_eq!(destination_of("WorkloadEntry", &workload_entry_name(&host, &cluster("west"), None, 0)), None);
        assert_eq!(destination_of("WorkloadEntry", &workload_entry_name(&host, &cluster(&"w".repeat(63)), None, 0)), None);
        for foreign in ["reviews", "reviews.west", "x-vd-a.b"] {
            assert_eq!(destination_of("WorkloadEntry", &foreign.parse().expect("an object name")), None, "{foreign}");
        }
    }

    #[test]
    fn exported_services_have_names_of_their_own() {
        let name = |service: &str, namespace: &str, target: &str| {
            let (service, namespace) = (service.parse().expect("a Service"), namespace.parse().expect("a namespace"));
            federated_hostname(&service, &namespace, &cluster(target), &HostnameSuffix::global())
        };
        let written = name("reviews", "bookinfo", "west").expect("it is short");
        assert_eq!(written.as_str(), "reviews.bookinfo.svc.west.global");
        let long = "a".repeat(63);
        assert_eq!(name(&long, &long, &long).expect("195 and what is between").as_str().len(), 202);
    }

    #[test]
    fn every_cluster_has_a_region_of_its_own() {
        assert_eq!(share_region(&cluster("west")).as_str(), "gloo-spread-west");
        let long: BTreeSet<Region> = (50..=63).map(|length| share_region(&cluster(&"w".repeat(length)))).collect();
        assert_eq!(long.len(), 14);
        assert!(long.iter().all(|region| is_share_region(region.as_str())) && !is_share_region("us-east-1"));
    }

    #[test]
    fn clients_spread_over_targets_and_keep_theirs() {
        let clusters: Vec<ClusterName> = (0..100).map(|number| cluster(&format!("cluster-{number}"))).collect();
        let nearest = |client: &ClusterName, among: &[ClusterName]| {
            let mut among: Vec<&ClusterName> = among.iter().filter(|target| *target != client).collect();
            among.sort_by_key(|target| distance(client, target));
            among.into_iter().take(3).cloned().collect::<Vec<_>>()
        };
        let mut counts: BTreeMap<ClusterName, usize> = BTreeMap::new();
        for client in &clusters {
            let kept = nearest(client, &clusters);
            kept.iter().for_each(|target| *counts.entry(target.clone()).or_default() += 1);
            // one that nobody else keeps goes unnoticed, one that is kept is replaced by one other
            let fewer: Vec<ClusterName> = clusters.iter().filter(|other| **other != kept[0]).cloned().collect();
            assert_eq!(nearest(client, &fewer)[..2], kept[1..], "{client}");
        }
        let most = counts.values().max().copied().unwrap_or_default();
        assert!(counts.len() > 80 && most < 12, "{} of 100 are kept, one {most} times", counts.len());
    }

    /// A hostname of exactly `length` bytes.
    fn long(length: usize, last: char) -> Hostname {
        let mut text = "a.".repeat(length / 2 - 1);
        text.push_str(&"b".repeat(length - text.len() - 1));
        text.push(last);
        hostname(&text)
    }

    #[test]
    fn shortened_names_have_one_length() {
        for length in [60, 61, 62, 63, 64, 195, 196, 197, 198, 252, 253] {
            let host = long(length, 'c');
            let label = destination_label(&host);
            let name = destination_name(&host);
            assert_eq!(label.as_str() == host.as_str(), length < 63, "{label}");
            assert_eq!(label.as_str().len(), length.min(63), "{label}");
            assert_eq!(name.as_str() == format!("vd-{host}"), length < 197, "{name}");
            assert_eq!(name.as_str().len(), (length + 3).min(200), "{name}");
        }
    }

    /// Names are what is stored in clusters: these never change.
    #[test]
    fn shortened_names_are_stable() {
        let host = hostname(&format!("{}mesh.internal", "reviews-of-books.".repeat(13)));
        assert_eq!(destination_label(&host).as_str(), "reviews-of-books.reviews-of-books.reviews-of-b-2213400ef56ae9aa");
        let beginning = "reviews-of-books.".repeat(10);
        assert_eq!(destination_name(&host).as_str(), format!("vd-{beginning}reviews-of-9d453521f7c24aa0"));
    }

    fn names_of(host: &Hostname, clusters: &[ClusterName]) -> Vec<ObjectName> {
        let subsets = ["", "a", "1", "west"].map(|name| name.parse().ok());
        let of = |cluster| {
            let ways = (0..3).flat_map(|index| subsets.iter().map(move |subset| (subset.as_ref(), index)));
            ways.map(move |(subset, index)| workload_entry_name(host, cluster, subset, index)).collect::<Vec<_>>()
        };
        clusters.iter().flat_map(of).collect()
    }

    /// How many hundreds of names, and the seed: `cargo xt soak` asks for more, of other ones.
    fn asked() -> (usize, [u8; 32]) {
        let hundreds = std::env::var("GLOO_SOAK_CASES").map_or(1_000, |text| text.parse().expect("a number of cases"));
        let mut seed = [7; 32];
        for (byte, digit) in seed.iter_mut().zip(std::env::var("GLOO_SOAK_SEED").unwrap_or_default().bytes()) {
            *byte = digit;
        }
        (hundreds, seed)
    }

    /// 10^5 names from hostnames that are made to collide: few letters, parts that look like clusters, indices and digests.
    #[test]
    fn different_inputs_have_different_names() {
        let part =
            prop_oneof!["[ab]", Just("west".to_owned()), "[12]", "[ab-]{0,61}".prop_map(|text| format!("a{text}b")), "a{62}b?"];
        let hostnames = proptest::collection::vec(part, 1..6).prop_map(|parts| format!("{}.ab", parts.join(".")));
        let clusters: Vec<ClusterName> = ["a", "ab", "west", "a-1", "b2"].map(cluster).into();
        let (hundreds, seed) = asked();
        let mut runner = TestRunner::new_with_rng(ProptestConfig::default(), TestRng::from_seed(RngAlgorithm::ChaCha, &seed));
        // hostnames by number, of which a million inputs take less memory
        let mut numbers: BTreeMap<String, usize> = BTreeMap::new();
        let mut entries: BTreeMap<ObjectName, (usize, usize)> = BTreeMap::new();
        let mut labels: BTreeMap<LabelValue, usize> = BTreeMap::new();
        let mut exposures: BTreeMap<ObjectName, (usize, usize)> = BTreeMap::new();
        let selectors =
            [&[("istio", "eastwestgateway")][..], &[("istio", "a")], &[("app", "eastwestgateway"), ("istio", "a")]].map(selector);
        let mut judge = |text: &str| {
            let Ok(host) = text.parse::<Hostname>() else { return 0 };
            let next = numbers.len();
            let number = *numbers.entry(text.to_owned()).or_insert(next);
            for (position, name) in names_of(&host, &clusters).into_iter().enumerate() {
                let earlier = entries.insert(name, (number, position));
                assert!(earlier.is_none_or(|earlier| earlier == (number, position)), "{text}");
            }
            let earlier = labels.insert(destination_label(&host), number);
            assert!(earlier.is_none_or(|earlier| earlier == number), "{text}");
            for position in 0..12 {
                let service = ["a", "b"][position % 2].parse().expect("a Service");
                let namespace = ["a", "ab"][position / 2 % 2].parse().expect("a namespace");
                let name = exposure_name(&host, Some((&service, &namespace)), &selectors[position / 4]);
                assert!(name.as_str().len() <= 63 && !name.as_str().contains('.'), "{name} is no DNS label");
                let earlier = exposures.insert(name, (number, position));
                assert!(earlier.is_none_or(|earlier| earlier == (number, position)), "{text}");
            }
            entries.len()
        };
        let mut count = 0;
        while count < hundreds * 100 {
            let tree = hostnames.new_tree(&mut runner).expect("the strategy rejects nothing");
            let text = tree.current();
            count = count.max(judge(&text));
            // and a hostname that spells the shortened name of another one
            if let Ok(host) = text.parse::<Hostname>() {
                judge(destination_label(&host).as_str());
                judge(destination_name(&host).as_str().trim_start_matches(PREFIX));
            }
        }
    }
}
