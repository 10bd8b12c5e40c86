//! Hosts as Istio's objects list them: names, and patterns of names.

/// Whether a host without namespace, maybe with a leading `*`, covers a name. `*` stands for one character or more, dots too.
#[must_use]
pub fn covers(pattern: &str, name: &str) -> bool {
    match pattern.strip_prefix('*') {
        Some(end) => name.len() > end.len() && name.ends_with(end),
        None => pattern == name,
    }
}

#[cfg(test)]
mod tests {
    use super::covers;

    #[test]
    fn wildcards_cover_names_below_them() {
        let name = "reviews.bookinfo.svc.cluster.local";
        for pattern in ["*", "*.local", "*.bookinfo.svc.cluster.local", name] {
            assert!(covers(pattern, name), "{pattern}");
        }
        for pattern in ["*.global", "*.reviews.bookinfo.svc.cluster.local", "reviews", ""] {
            assert!(!covers(pattern, name), "{pattern}");
        }
    }
}
