//! Who may depend on whom: `cargo metadata` against two tables of ARCHITECTURE.md.
//!
//! Table `arrows`: crate of the workspace → the crates of the workspace that it may use.
//! Table `foreign`: foreign crate → the only crates of the workspace that may use it.
//! Development and build dependencies count like ordinary ones; a cell may say `name (dev)`.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::{Clone, Complaints, quoted};
use crate::{Problem, Result};

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Dependency {
    user: String,
    used: String,
    is_dev: bool,
}

type Rules = BTreeMap<String, Vec<String>>;

/// Arrows between our own crates.
///
/// # Errors
/// When the table or the metadata is unreadable.
pub fn internal(clone: &Clone) -> Result<Complaints> {
    let metadata = &clone.workspace.metadata;
    Ok(judge_internal(&dependencies(metadata)?, &packages(metadata)?, &rules(&clone.table("arrows")?)))
}

/// Foreign crates that only some of ours may use.
///
/// # Errors
/// When the table or the metadata is unreadable.
pub fn external(clone: &Clone) -> Result<Complaints> {
    Ok(judge_external(&dependencies(&clone.workspace.metadata)?, &rules(&clone.table("foreign")?)))
}

/// Row key → names that its cell allows.
fn rules(rows: &[Vec<String>]) -> Rules {
    let mut rules = Rules::new();
    for row in rows {
        let [keys, allowed, ..] = row.as_slice() else { continue };
        for key in quoted(keys) {
            rules.insert(key.to_owned(), quoted(allowed).into_iter().map(str::to_owned).collect());
        }
    }
    rules
}

fn allows(allowed: &[String], name: &str, is_dev: bool) -> bool {
    allowed.iter().any(|entry| match entry.strip_suffix(" (dev)") {
        Some(for_dev) => is_dev && for_dev == name,
        None => entry == name,
    })
}

fn judge_internal(dependencies: &BTreeSet<Dependency>, packages: &BTreeSet<String>, rules: &Rules) -> Complaints {
    let mut complaints = Complaints::new();
    for package in packages.iter().filter(|package| !rules.contains_key(*package)) {
        complaints.push(format!("ARCHITECTURE.md: the table of arrows has no row for `{package}`"));
    }
    for gone in rules.keys().filter(|key| !packages.contains(*key)) {
        complaints.push(format!("ARCHITECTURE.md: the table of arrows has a row for `{gone}`, which does not exist"));
    }
    for Dependency { user, used, is_dev } in dependencies.iter().filter(|one| packages.contains(&one.used)) {
        if !rules.get(user).is_some_and(|allowed| allows(allowed, used, *is_dev)) {
            complaints.push(format!(
                "{user} depends on {used}: no such arrow in ARCHITECTURE.md; a new one needs a decision in docs/adr"
            ));
        }
    }
    for (user, allowed) in rules.iter().filter(|(user, _)| packages.contains(*user)) {
        for entry in allowed {
            let name = entry.strip_suffix(" (dev)").unwrap_or(entry);
            if !dependencies.iter().any(|one| &one.user == user && one.used == name) {
                complaints.push(format!("ARCHITECTURE.md: nothing uses the arrow {user} → {entry}: remove it"));
            }
        }
    }
    complaints
}

fn judge_external(dependencies: &BTreeSet<Dependency>, rules: &Rules) -> Complaints {
    dependencies
        .iter()
        .filter(|one| rules.get(&one.used).is_some_and(|allowed| !allows(allowed, &one.user, one.is_dev)))
        .map(|one| format!("{} depends on {}, which ARCHITECTURE.md reserves for other crates", one.user, one.used))
        .collect()
}

fn listed(metadata: &Value) -> Result<&Vec<Value>> {
    metadata["packages"].as_array().ok_or_else(|| Problem::new("`cargo metadata` lists no packages"))
}

fn packages(metadata: &Value) -> Result<BTreeSet<String>> {
    Ok(listed(metadata)?.iter().filter_map(|package| package["name"].as_str()).map(str::to_owned).collect())
}

fn dependencies(metadata: &Value) -> Result<BTreeSet<Dependency>> {
    let mut found = BTreeSet::new();
    for package in listed(metadata)? {
        for dependency in package["dependencies"].as_array().into_iter().flatten() {
            if let (Some(user), Some(used)) = (package["name"].as_str(), dependency["name"].as_str()) {
                let is_dev = dependency["kind"].as_str() == Some("dev");
                found.insert(Dependency { user: user.to_owned(), used: used.to_owned(), is_dev });
            }
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(user: &str, used: &str, is_dev: bool) -> Dependency {
        Dependency { user: user.to_owned(), used: used.to_owned(), is_dev }
    }

    fn table(rows: &[(&str, &str)]) -> Rules {
        rules(&rows.iter().map(|(key, cell)| vec![(*key).to_owned(), (*cell).to_owned()]).collect::<Vec<_>>())
    }

    fn names(names: &[&str]) -> BTreeSet<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn an_arrow_outside_the_table_is_a_complaint() {
        let rules = table(&[("`a`", "`b`"), ("`b`", "–")]);
        let fine = BTreeSet::from([one("a", "b", false), one("b", "serde", false)]);
        assert_eq!(judge_internal(&fine, &names(&["a", "b"]), &rules), Complaints::new());
        let broken = BTreeSet::from([one("a", "b", false), one("b", "a", false)]);
        assert_eq!(judge_internal(&broken, &names(&["a", "b"]), &rules).len(), 1);
    }

    #[test]
    fn a_row_too_few_or_too_many_is_a_complaint() {
        let none = BTreeSet::new();
        assert_eq!(judge_internal(&none, &names(&["a"]), &table(&[])).len(), 1);
        assert_eq!(judge_internal(&none, &names(&[]), &table(&[("`a`", "–")])).len(), 1);
        assert_eq!(judge_internal(&none, &names(&["a", "b"]), &table(&[("`a`", "`b`"), ("`b`", "–")])).len(), 1);
    }

    #[test]
    fn a_dev_arrow_does_not_allow_an_ordinary_one() {
        let rules = table(&[("`a`", "`b (dev)`"), ("`b`", "–")]);
        let packages = names(&["a", "b"]);
        assert_eq!(judge_internal(&BTreeSet::from([one("a", "b", true)]), &packages, &rules), Complaints::new());
        assert_eq!(judge_internal(&BTreeSet::from([one("a", "b", false)]), &packages, &rules).len(), 1);
    }

    #[test]
    fn a_reserved_foreign_crate_is_refused_to_others() {
        let rules = table(&[("`tonic`, `prost`", "`wire`")]);
        let fine = BTreeSet::from([one("wire", "tonic", false), one("core", "serde", false)]);
        assert_eq!(judge_external(&fine, &rules), Complaints::new());
        assert_eq!(judge_external(&BTreeSet::from([one("core", "prost", true)]), &rules).len(), 1);
    }
}
