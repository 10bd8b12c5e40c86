//! Which proxy leads to a cluster.

use std::net::IpAddr;

use http::Uri;

use crate::connect::Refusal;

/// A proxy as somebody wrote it.
pub(crate) fn parse(url: &str) -> Result<Uri, Refusal> {
    let parsed = url.parse::<Uri>().ok();
    let parsed = parsed.filter(|url| matches!(url.scheme_str(), Some("http" | "https" | "socks5")) && url.authority().is_some());
    // the text may hold a password
    parsed.ok_or_else(|| {
        Refusal::new(
            "the proxy of the cluster is no URL of a proxy",
            "It takes http://, https:// or socks5:// and a host.",
            "Write it as:\n\n  proxy_url = \"http://proxy.example.com:3128\"",
        )
    })
}

/// The proxy that the environment names for a cluster.
pub(crate) fn of_environment(cluster: &Uri) -> Result<Option<Uri>, Refusal> {
    let variable = |names: [&str; 2]| names.iter().find_map(|name| std::env::var(name).ok().filter(|text| !text.is_empty()));
    let proxy = match cluster.scheme_str() {
        Some("https") => variable(["HTTPS_PROXY", "https_proxy"]),
        _ => variable(["HTTP_PROXY", "http_proxy"]),
    };
    let Some(proxy) = proxy else { return Ok(None) };
    let excluded = variable(["NO_PROXY", "no_proxy"]).unwrap_or_default();
    if is_excluded(cluster.host().unwrap_or_default(), &excluded) { Ok(None) } else { parse(&proxy).map(Some) }
}

/// Whether a host is reached without the proxy: loopback, `*`, names and their subdomains, addresses and ranges.
fn is_excluded(host: &str, excluded: &str) -> bool {
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let address: Option<IpAddr> = host.parse().ok();
    if host.eq_ignore_ascii_case("localhost") || address.is_some_and(|address| address.is_loopback()) {
        return true;
    }
    excluded.split(',').map(str::trim).filter(|entry| !entry.is_empty()).any(|entry| {
        if entry == "*" {
            return true;
        }
        if let Some((network, length)) = entry.split_once('/') {
            return matches!((address, network.parse(), length.parse()), (Some(a), Ok(n), Ok(l)) if is_within(a, n, l));
        }
        let name = entry.trim_start_matches('.').to_ascii_lowercase();
        let host = host.to_ascii_lowercase();
        host == name || host.strip_suffix(&name).is_some_and(|rest| rest.ends_with('.'))
    })
}

fn is_within(address: IpAddr, network: IpAddr, length: u32) -> bool {
    let (address, network, bits) = match (address, network) {
        (IpAddr::V4(a), IpAddr::V4(n)) => (u128::from(a.to_bits()), u128::from(n.to_bits()), 32),
        (IpAddr::V6(a), IpAddr::V6(n)) => (a.to_bits(), n.to_bits(), 128),
        _ => return false,
    };
    length <= bits && (address ^ network).checked_shr(bits - length).unwrap_or(0) == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_that_need_no_proxy() {
        for (host, excluded, is) in [
            ("127.1.0.3", "", true),
            ("[::1]", "", true),
            ("10.2.3.4", "10.0.0.0/8", true),
            ("11.2.3.4", "10.0.0.0/8", false),
            ("10.2.3.4", "0.0.0.0/0", true),
            ("api.example.com", "example.com", true),
            ("api.example.com", ".example.com, other", true),
            ("api.badexample.com", "example.com", false),
            ("api.example.com", "*", true),
            ("api.example.com", "", false),
        ] {
            assert_eq!(is_excluded(host, excluded), is, "{host} {excluded}");
        }
    }

    #[test]
    fn a_proxy_is_never_quoted() {
        let refusal = parse("ftp://user:hunter2@proxy").expect_err("no such proxies");
        assert!(!format!("{refusal:?}").contains("hunter2"));
    }
}
