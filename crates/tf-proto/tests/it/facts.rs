//! What is on the wire, pinned: message, field, number, type, and every method. The
//! `*.facts` files were reviewed against OpenTofu 1.12's published contract (and
//! go-plugin's, and the gRPC health convention); a proto file that says anything else
//! speaks another language than the cores do.

use std::collections::BTreeSet;

/// `(package, proto text, reviewed facts)`.
const CONTRACTS: [(&str, &str, &str); 3] = [
    ("tfplugin6", include_str!("../../../../proto/tfplugin6.proto"), include_str!("tfplugin6.facts")),
    ("plugin", include_str!("../../../../proto/go_plugin.proto"), include_str!("go_plugin.facts")),
    ("grpc.health.v1", include_str!("../../../../proto/health.proto"), include_str!("health.facts")),
];

#[test]
fn proto_files_state_exactly_the_reviewed_facts() {
    for (package, proto, facts) in CONTRACTS {
        let stated = stated(proto);
        let reviewed = reviewed(facts);
        let extra: Vec<_> = stated.difference(&reviewed).collect();
        let missing: Vec<_> = reviewed.difference(&stated).collect();
        assert!(
            extra.is_empty() && missing.is_empty(),
            "package {package}\nonly in the proto file: {extra:#?}\nonly among the facts: {missing:#?}"
        );
    }
}

#[test]
fn packages_are_the_ones_that_cores_call() {
    for (package, proto, _) in CONTRACTS {
        assert!(proto.contains(&format!("\npackage {package};\n")));
    }
}

#[test]
fn the_text_reader_notices_a_changed_number_type_and_label() {
    let base = stated("message A { repeated B c = 1; message B { oneof d { string e = 2; } } }");
    assert_eq!(base, BTreeSet::from(["A 1 c: repeated B".to_owned(), "A.B 2 e: oneof d string".to_owned()]));
    for changed in [
        "message A { repeated B c = 3; message B { oneof d { string e = 2; } } }",
        "message A { B c = 1; message B { oneof d { string e = 2; } } }",
        "message A { repeated B c = 1; message B { oneof d { bytes e = 2; } } }",
        "message A { repeated B c = 1; message B { string e = 2; } }",
    ] {
        assert_ne!(stated(changed), base, "{changed}");
    }
}

/// Facts of a `.facts` text: unindented lines name a message, an enum or a service, the
/// indented lines below are its members.
fn reviewed(text: &str) -> BTreeSet<String> {
    let mut scope = "";
    let mut facts = BTreeSet::new();
    for line in text.lines() {
        if let Some(member) = line.strip_prefix("    ") {
            assert!(facts.insert(format!("{scope} {member}")), "stated twice: {line}");
        } else {
            scope = line;
        }
    }
    facts
}

/// The same facts out of a proto text. Knows the part of the language that the files
/// use: messages, enums, oneofs, services, fields, `reserved`.
fn stated(proto: &str) -> BTreeSet<String> {
    let mut facts = BTreeSet::new();
    let mut scopes: Vec<(String, String)> = Vec::new();
    let mut statement: Vec<String> = Vec::new();
    for token in tokens(proto) {
        match token.as_str() {
            "{" => {
                let [kind, name] = statement.as_slice() else {
                    panic!("a block needs a kind and a name: {statement:?}");
                };
                scopes.push((kind.clone(), name.clone()));
                statement.clear();
            }
            "}" => {
                scopes.pop();
            }
            ";" => {
                facts.extend(fact(&scopes, &statement));
                statement.clear();
            }
            _ => statement.push(token),
        }
    }
    facts
}

fn fact(scopes: &[(String, String)], statement: &[String]) -> Option<String> {
    let (kind, name) = scopes.last()?;
    if kind == "service" {
        let [_, method, call @ ..] = statement else {
            panic!("not a method: {statement:?}");
        };
        let call = call.join(" ").replace("returns", "->");
        return Some(format!("service {name} {method}: {call}"));
    }
    if statement.first()? == "reserved" {
        return None;
    }
    let scope: Vec<&str> = scopes.iter().filter(|(kind, _)| kind != "oneof").map(|(_, name)| name.as_str()).collect();
    let [labels @ .., field, equals, number] = statement else {
        panic!("not a field: {statement:?}");
    };
    assert_eq!(equals, "=", "not a field: {statement:?}");
    let choice = if kind == "oneof" { format!("oneof {name} ") } else { String::new() };
    let labels = labels.join(" ");
    let colon = if labels.is_empty() { "" } else { ": " };
    Some(format!("{} {number} {field}{colon}{choice}{labels}", scope.join(".")))
}

fn tokens(proto: &str) -> Vec<String> {
    let code: String =
        proto.lines().map(|line| line.split("//").next().unwrap_or_default()).flat_map(|line| [line, "\n"]).collect();
    let mut spaced = String::new();
    for character in code.replace(", ", ",").chars() {
        match character {
            '{' | '}' | ';' | '=' => spaced.extend([' ', character, ' ']),
            '(' | ')' => spaced.push(' '),
            _ => spaced.push(character),
        }
    }
    spaced.split_whitespace().map(str::to_owned).collect()
}
