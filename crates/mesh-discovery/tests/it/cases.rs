//! A case is a folder of `testdata/`: `case.yaml` says what is asked, `in.yaml` is the inventory.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use mesh_discovery::{Asked, Discovered, Selected, cluster_facts, service, services, workloads};
use mesh_model::names::{ClusterName, Namespace, OwnerId, Revision, ServiceName};
use mesh_model::{Finding, Severity};
use serde_json::{Map, Value};

use crate::shape;

/// What a case asks, about which objects.
pub(crate) struct Case {
    pub(crate) folder: PathBuf,
    cluster: ClusterName,
    owner: Option<OwnerId>,
    revision: Option<Revision>,
    asks_facts: bool,
    services: Vec<String>,
    /// Services that serve together with each of these
    together_with: BTreeSet<ServiceName>,
    /// whether it asks for lists, and what narrows them
    asks_lists: bool,
    namespaces: Option<BTreeSet<Namespace>>,
    selector: BTreeMap<String, String>,
    pub(crate) objects: Vec<Value>,
}

fn testdata() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata")
}

/// All documents of a YAML file.
pub(crate) fn documents(file: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    serde_saphyr::from_multiple(&text).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}

/// The documents of all YAML files of a folder.
pub(crate) fn folder(folder: &Path) -> Vec<Value> {
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files.iter().flat_map(|file| documents(file)).collect()
}

impl Case {
    fn read(folder_path: &Path) -> Self {
        let case = documents(&folder_path.join("case.yaml")).remove(0);
        let known = [
            "about",
            "cluster",
            "owner",
            "revision",
            "facts",
            "services",
            "together_with",
            "lists",
            "namespaces",
            "selector",
            "with",
            "inventory",
        ];
        for key in case.as_object().unwrap().keys() {
            assert!(known.contains(&key.as_str()), "{}: case.yaml has no key {key}", folder_path.display());
        }
        let texts = |key: &str| -> Vec<String> {
            case.get(key).and_then(Value::as_array).into_iter().flatten().map(|text| text.as_str().unwrap().to_owned()).collect()
        };
        let mut objects: Vec<Value> = Vec::new();
        for shared in texts("with") {
            objects.extend(documents(&testdata().join("shared").join(shared)));
        }
        match case.get("inventory").and_then(Value::as_str) {
            Some(elsewhere) => objects.extend(folder(&folder_path.join(elsewhere))),
            None => objects.extend(documents(&folder_path.join("in.yaml"))),
        }
        Self {
            folder: folder_path.to_owned(),
            cluster: case.get("cluster").and_then(Value::as_str).unwrap_or("east").parse().unwrap(),
            owner: case.get("owner").and_then(Value::as_str).map(|owner| owner.parse().unwrap()),
            revision: case.get("revision").and_then(Value::as_str).map(|revision| revision.parse().unwrap()),
            asks_facts: case.get("facts").and_then(Value::as_bool).unwrap_or(true),
            services: texts("services"),
            together_with: texts("together_with").iter().map(|name| name.parse().unwrap()).collect(),
            asks_lists: case.get("lists").and_then(Value::as_bool).unwrap_or(false),
            namespaces: case.get("namespaces").map(|_| texts("namespaces").iter().map(|name| name.parse().unwrap()).collect()),
            selector: case.get("selector").map(|labels| serde_json::from_value(labels.clone()).unwrap()).unwrap_or_default(),
            objects,
        }
    }

    /// One case.
    pub(crate) fn named(name: &str) -> &'static Self {
        Self::all().iter().find(|case| case.folder.ends_with(name)).unwrap_or_else(|| panic!("no case {name}"))
    }

    /// All cases, by folder name.
    pub(crate) fn all() -> &'static [Self] {
        static ALL: LazyLock<Vec<Case>> = LazyLock::new(Case::read_all);
        &ALL
    }

    fn read_all() -> Vec<Self> {
        let mut folders: Vec<PathBuf> = std::fs::read_dir(testdata())
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .filter(|path| path.join("case.yaml").exists())
            .collect();
        folders.sort();
        folders.iter().map(|folder| Self::read(folder)).collect()
    }

    /// What discovery says about these objects, as `out.json` and `findings.txt` hold it.
    pub(crate) fn judge(&self, objects: &[Value]) -> (Value, String) {
        let mut out = Map::new();
        let mut findings = String::new();
        if self.asks_facts {
            let found = cluster_facts(objects, &self.cluster, self.owner.as_ref(), self.revision.as_ref());
            report(&mut findings, "cluster", &found);
            out.insert("cluster".to_owned(), found.value.as_ref().map_or(Value::Null, shape::cluster));
        }
        for asked in &self.services {
            let (namespace, name) = asked.split_once('/').unwrap();
            let (namespace, name) = (namespace.parse().unwrap(), name.parse().unwrap());
            let asked_for = Asked { namespace: &namespace, name: &name, together_with: &self.together_with };
            let found = service(objects, &self.cluster, asked_for, self.owner.as_ref());
            report(&mut findings, asked, &found);
            let shape = match &found.value {
                None => Value::Null,
                Some(None) => Value::String("the cluster has no such Service".to_owned()),
                Some(Some(facts)) => shape::service(facts),
            };
            out.insert(asked.clone(), shape);
        }
        if self.asks_lists {
            let (lists, told) = self.lists(objects);
            out.extend(lists);
            findings.push_str(&told);
        }
        (Value::Object(out), findings)
    }

    /// All Services and all workloads that the case selects.
    pub(crate) fn lists(&self, objects: &[Value]) -> (Map<String, Value>, String) {
        let mut findings = String::new();
        let selected = Selected { namespaces: self.namespaces.as_ref(), labels: &self.selector };
        let found = services(objects, &self.cluster, selected, self.owner.as_ref());
        report(&mut findings, "services", &found);
        let listed = found.value.map(|listed| {
            let each = listed.into_iter().map(|service| {
                let key = format!("{}/{}", service.namespace, service.name);
                report(&mut findings, &key, &service.found);
                (key, service.found.value.as_ref().map_or(Value::Null, shape::service))
            });
            Value::Object(each.collect())
        });
        let mut out = Map::from_iter([("services".to_owned(), listed.unwrap_or_default())]);
        let found = workloads(objects, &self.cluster, selected, self.owner.as_ref());
        report(&mut findings, "workloads", &found);
        let listed = found.value.map(|listed| listed.iter().map(shape::workload).collect());
        out.insert("workloads".to_owned(), listed.unwrap_or_default());
        (out, findings)
    }

    /// The same without what changes by itself.
    pub(crate) fn facts(&self, objects: &[Value]) -> Value {
        let (mut out, _) = self.judge(objects);
        forget_observed(&mut out);
        out
    }

    /// The lists without what changes by itself.
    pub(crate) fn listed_facts(&self, objects: &[Value]) -> Value {
        let mut lists = Value::Object(self.lists(objects).0);
        forget_observed(&mut lists);
        lists
    }
}

fn forget_observed(out: &mut Value) {
    match out {
        Value::Object(members) => {
            members.remove("observed");
            members.values_mut().for_each(forget_observed);
        }
        Value::Array(elements) => elements.iter_mut().for_each(forget_observed),
        _ => {}
    }
}

fn report<T>(text: &mut String, asked: &str, found: &Discovered<T>) {
    let has_error = found.findings.iter().any(|finding| finding.code.severity() == Severity::Error);
    assert_eq!(found.value.is_none(), has_error, "{asked}: no value exactly after an error: {:?}", found.findings);
    for Finding { code, path, cluster, object, what, why, fix } in &found.findings {
        let severity = format!("{:?}", code.severity()).to_lowercase();
        let object = object.as_ref().map_or(String::new(), |object| format!(" {object}"));
        let cluster = cluster.as_ref().unwrap();
        writeln!(text, "{asked}: {severity} {code} {} [{path}, {cluster}{object}]\n{what}\n{why}\n{fix}\n", code.summary())
            .unwrap();
    }
}
