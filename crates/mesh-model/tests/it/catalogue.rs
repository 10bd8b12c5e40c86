//! The catalogue of findings, and the guide that is made of it.

use std::fmt::Write as _;
use std::path::Path;

use mesh_model::{Code, Severity};

#[test]
fn codes_are_in_order_and_documented() {
    let codes: Vec<&str> = Code::ALL.iter().map(|code| code.as_str()).collect();
    assert!(codes.is_sorted_by(|a, b| a < b), "{codes:?}");
    for code in Code::ALL {
        let text = code.as_str();
        assert!(text.len() == 6 && text.starts_with("GM") && text[2..].bytes().all(|b| b.is_ascii_digit()), "{text}");
        assert!(code.doc().trim().len() > 20, "{text}");
        assert!(!code.summary().is_empty() && !code.summary().ends_with('.'), "{text}");
    }
}

#[test]
fn severities_of_the_model() {
    let warnings: Vec<&str> = Code::ALL
        .iter()
        .filter(|code| code.as_str() < "GM2" && code.severity() == Severity::Warning)
        .map(|code| code.as_str())
        .collect();
    assert_eq!(warnings, ["GM1007", "GM1017", "GM1018", "GM1019"]);
}

#[test]
fn every_code_of_the_model_has_a_test() {
    let tests = concat!(include_str!("errors.rs"), include_str!("unknown.rs"));
    for code in Code::ALL.iter().filter(|code| code.as_str() < "GM2") {
        assert!(tests.contains(&format!("Code::{code:?}")), "{code:?}");
    }
}

const HEAD: &str = r#"---
page_title: "Findings: what plans and applies say, by code"
subcategory: ""
description: |-
  Every error and warning of this provider by its code: what it means, and whether it can be ignored.
---

# Findings

A summary ends with a code, `(GM2013)`; the text says what is the matter, where, why it matters, and what to write. A code never
changes its meaning. With an error nothing is planned or written. A warning is shown and work goes on; one that is marked can be
overruled, with the reason, which is written on the ServiceEntry of the destination, or of every export where `federation` of a mesh
says so:

```terraform
  ignore_findings = {
    GM2013 = "CoreDNS answers for the hostname"
  }
```
"#;

const PARTS: [(&str, &str); 6] = [
    ("GM1", "The configuration itself"),
    ("GM2", "What is made of it"),
    ("GM30", "What a cluster shows, beside what is planned"),
    ("GM31", "What a cluster does not show to data sources"),
    ("GM4", "Before the first write"),
    ("GM5", "Reading and writing"),
];

fn page() -> String {
    let mut page = HEAD.to_owned();
    for (prefix, title) in PARTS {
        let _ = write!(page, "\n## {title}\n");
        for code in Code::ALL.iter().filter(|code| code.as_str().starts_with(prefix)) {
            let severity = match (code.severity(), code.may_be_ignored()) {
                (Severity::Error, _) => "error",
                (Severity::Warning, true) => "warning, can be ignored",
                (Severity::Warning, false) => "warning",
            };
            let text: Vec<&str> = code.doc().lines().map(|line| line.strip_prefix(' ').unwrap_or(line)).collect();
            let _ = write!(page, "\n### {code}: {}\n\n*{severity}*\n\n{}\n", code.summary(), text.join("\n").trim());
        }
    }
    page
}

/// `UPDATE_GOLDEN=1` writes it anew.
#[test]
fn the_guide_has_every_code() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../templates/guides/findings.md");
    let page = page();
    assert!(Code::ALL.iter().all(|code| page.contains(&format!("### {code}: "))), "a code belongs to no part of the page");
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, &page).expect("the guide can be written");
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(written == page, "{} is not what the codes say; `cargo xt golden` writes it anew", path.display());
}
