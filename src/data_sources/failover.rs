//! `gloo_failover`: who serves a virtual destination when something dies, as values to check and to show.

use std::collections::{BTreeMap, BTreeSet};

use mesh_foresight::{Client, Ejections, Forecast, Given, Row, Share, Tries};
use mesh_model::names::ClusterName;
use mesh_model::{AttributePath, Code, Finding};
use tf_server::{Applied, BoxFuture, Cx, DataSource};
use tf_value::schema::{Attribute, Kind, Schema};
use tf_value::{Diagnostics, Number, Path, Reader, Tf, Type, Value};

use super::read::applied;
use crate::cook::cook;
use crate::foresight::{Foreseen, Refusal, foresee};

/// The data source.
pub(crate) struct FailoverData;

/// Most pods of a cluster in the calculation.
const MOST_PODS: i64 = 50;

/// What is asked for.
struct Query {
    port: Option<u16>,
    pods: BTreeMap<ClusterName, u32>,
    scenarios: Option<Vec<Given>>,
}

impl FailoverData {
    /// The answer, and warnings.
    fn find(&self, config: &Value) -> Result<(Value, Diagnostics), Diagnostics> {
        let query = query(config)?;
        let root = Reader::root(config);
        let destination = root.attribute("destination");
        let refused = |refusal: Refusal| {
            let mut diagnostics = Diagnostics::new();
            diagnostics.error(&Path::of("destination"), refusal.summary, refusal.details.join("\n\n"));
            diagnostics
        };
        let Some(foreseen) = foresee(destination.value).map_err(refused)? else {
            return Err(refused(Refusal {
                summary: "Destination is not known yet",
                details: vec![
                    "Some argument of the destination is known only after apply.".to_owned(),
                    "Who serves depends on it.".to_owned(),
                    "Let the data source be read during apply: depends_on = [gloo_virtual_destination.reviews]".to_owned(),
                ],
            }));
        };
        let foreseen = foreseen.with_pods(query.pods.clone());
        let port = query.check(&foreseen)?;
        let table = foreseen.table(port, query.scenarios.as_deref());
        let given = |name: &str| root.attribute(name).value.clone();
        let mut diagnostics = Diagnostics::new();
        let ty = self.schema().ty();
        diagnostics.extend(table.clients.iter().filter_map(|client| hindered(client, &query.pods)).map(|it| cook(&it, &ty)));
        let answer = Value::map([
            ("id", Value::string(foreseen.id.as_str())),
            ("destination", given("destination")),
            ("port", Value::int(i64::from(port))),
            ("pods", given("pods")),
            ("scenarios", given("scenarios")),
            ("clients", Value::map(table.clients.iter().map(|client| (client.cluster.to_string(), shown(client))))),
            ("table", Value::string(table.to_string())),
            ("diagram", Value::string(foreseen.diagram())),
        ]);
        Ok((answer, diagnostics))
    }
}

impl Query {
    /// Whether it asks for what there is; the port.
    fn check(&self, foreseen: &Foreseen) -> Result<u16, Diagnostics> {
        let Self { port, pods, scenarios } = self;
        let mut diagnostics = Diagnostics::new();
        let members: BTreeSet<&ClusterName> = foreseen.fleet.clusters().collect();
        let regions = foreseen.fleet.regions();
        let mut unknown = |path: Path, what: &str, name: &str| {
            diagnostics.error(
                &path,
                "Unknown name",
                format!("The destination's mesh has no {what} {name}.\n\nNothing would happen in this scenario, and the result would say so.\n\nWrite a name of the mesh."),
            );
        };
        for cluster in pods.keys().filter(|cluster| !members.contains(cluster)) {
            unknown(Path::of("pods").key(cluster.as_str()), "cluster", cluster.as_str());
        }
        for (index, given) in scenarios.iter().flatten().enumerate() {
            let path = Path::of("scenarios").index(index);
            let Given { name: _, clusters_down, gateways_down, regions_down, dead_pods } = given;
            for cluster in clusters_down.iter().chain(gateways_down).chain(dead_pods.keys()) {
                if !members.contains(cluster) {
                    unknown(path.clone(), "cluster", cluster.as_str());
                }
            }
            for region in regions_down.iter().filter(|region| !regions.contains(region.as_str())) {
                unknown(path.clone(), "region", &kube_apply::printable(region));
            }
        }
        let port = port.or_else(|| foreseen.ports.first().copied()).filter(|port| foreseen.ports.contains(port));
        if port.is_none() {
            let ports: Vec<String> = foreseen.ports.iter().map(ToString::to_string).collect();
            diagnostics.error(
                &Path::of("port"),
                "Unknown port",
                format!("The destination has no such port; it has: {}.\n\nA table is about one port.\n\nWrite one of these, or leave `port` out.", ports.join(", ")),
            );
        }
        match port {
            Some(port) if !diagnostics.has_errors() => Ok(port),
            _ => Err(diagnostics),
        }
    }
}

/// Reads everything but the destination.
fn query(config: &Value) -> Result<Query, Diagnostics> {
    let root = Reader::root(config);
    let mut diagnostics = Diagnostics::new();
    let port = match root.attribute("port").integer() {
        Tf::Known(Ok(port)) => u16::try_from(port).ok().or(Some(0)),
        Tf::Known(Err(_)) => Some(0),
        Tf::Null | Tf::Unknown => None,
    };
    let pods = counts(&root.attribute("pods"), &mut diagnostics);
    let scenarios = root.attribute("scenarios").elements().known().map(|elements| {
        let mut names = BTreeSet::new();
        let scenarios = elements.iter().map(|element| scenario(element, &mut names, &mut diagnostics));
        scenarios.collect::<Vec<Given>>()
    });
    if diagnostics.has_errors() { Err(diagnostics) } else { Ok(Query { port, pods, scenarios }) }
}

fn scenario<'a>(reader: &Reader<'a>, names: &mut BTreeSet<&'a str>, diagnostics: &mut Diagnostics) -> Given {
    let name = reader.attribute("name").string().known();
    if let Some(name) = name.filter(|name| !names.insert(name)) {
        diagnostics.error(
            &reader.attribute("name").path,
            "Name is taken",
            format!("Another scenario is called {:?}.\n\nThe rows of the table could not be told apart.\n\nGive it a name of its own.", name),
        );
    }
    let texts = |attribute: &str| -> Vec<Reader<'a>> { reader.attribute(attribute).elements().known().unwrap_or_default() };
    let mut clusters = |attribute: &str| -> BTreeSet<ClusterName> {
        texts(attribute).iter().filter_map(|element| cluster(element.string().known()?, &element.path, diagnostics)).collect()
    };
    Given {
        name: name.unwrap_or_default().to_owned(),
        clusters_down: clusters("clusters_down"),
        gateways_down: clusters("gateways_down"),
        regions_down: texts("regions_down").iter().filter_map(|element| element.string().known().map(str::to_owned)).collect(),
        dead_pods: counts(&reader.attribute("dead_pods"), diagnostics),
    }
}

fn cluster(text: &str, path: &Path, diagnostics: &mut Diagnostics) -> Option<ClusterName> {
    let parsed: Result<ClusterName, _> = text.parse();
    parsed
        .map_err(|error| {
            diagnostics.error(path, "Invalid name", format!("{error}.\n\nWrite the name of a cluster of the mesh: \"east\""))
        })
        .ok()
}

/// Numbers of pods, by cluster.
fn counts(reader: &Reader<'_>, diagnostics: &mut Diagnostics) -> BTreeMap<ClusterName, u32> {
    let mut counts = BTreeMap::new();
    for (name, count) in reader.entries().known().unwrap_or_default() {
        let Some(cluster) = cluster(name, &count.path, diagnostics) else { continue };
        match count.integer() {
            Tf::Known(Ok(number)) if (0..=MOST_PODS).contains(&number) => {
                counts.insert(cluster, u32::try_from(number).unwrap_or_default());
            }
            Tf::Known(_) => diagnostics.error(
                &count.path,
                "Number out of range",
                format!("It is no whole number from 0 to {MOST_PODS}.\n\nShares hardly change beyond that.\n\nWrite how many pods {cluster} has: pods = {{ {cluster} = 3 }}"),
            ),
            Tf::Null | Tf::Unknown => {}
        }
    }
    counts
}

/// That failover of a client stays partial, where the numbers of its pods are given and not taken.
fn hindered(client: &Client, pods: &BTreeMap<ClusterName, u32>) -> Option<Finding> {
    let Client { cluster, order: _, ejection, rows: _ } = client;
    let Ejections { endpoints, most, before_last } = *ejection;
    let pods = pods.get(cluster).filter(|_| !ejection.is_enough())?;
    let finding = Finding::new(
        Code::EjectionPartial,
        AttributePath::of("pods").key(cluster.as_str()),
        format!(
            "Clients in cluster {cluster} know {endpoints} endpoints, {pods} pods of its own among them, of which {most} may be ejected at a time."
        ),
        format!("{before_last} come before the last rank: it gets the rest of the calls at most while all of these fail."),
        "In the destination: outlier_detection = { max_ejection_percent = 100 }",
    );
    Some(finding.in_cluster(cluster))
}

/// One client cluster.
fn shown(client: &Client) -> Value {
    let Client { cluster: _, order, ejection, rows } = client;
    let names = |clusters: &BTreeSet<ClusterName>| Value::strings(clusters.iter().map(ClusterName::as_str));
    let number = |count: usize| Value::int(i64::try_from(count).unwrap_or(i64::MAX));
    let Ejections { endpoints, most, before_last } = *ejection;
    Value::map([
        ("order", Value::List(order.iter().map(names).collect())),
        (
            "ejection",
            Value::map([
                ("endpoints", number(endpoints)),
                ("most", number(most)),
                ("before_last", number(before_last)),
                ("enough", Value::Bool(ejection.is_enough())),
            ]),
        ),
        ("scenarios", Value::List(rows.iter().map(row).collect())),
    ])
}

fn row(row: &Row) -> Value {
    let Row { situation, forecast, others } = row;
    let (shares, failing, first) = match forecast {
        Forecast::Routed(routed) => {
            let shares = routed.shares.iter().map(|(cluster, share)| (cluster.to_string(), percent(*share)));
            (Value::map(shares), percent(routed.failing), routed.first.to_string())
        }
        Forecast::NoClient | Forecast::NoRoute(_) => (Value::Map(BTreeMap::new()), percent(Share::NONE), forecast.summary()),
    };
    let others = match forecast {
        Forecast::Routed(_) => others.to_string(),
        Forecast::NoClient | Forecast::NoRoute(_) => forecast.summary(),
    };
    let loses = |tries: &Tries| matches!(tries, Tries::Lost(_));
    let lossless = match forecast {
        Forecast::Routed(routed) => !loses(&routed.first) && !loses(&row.others),
        Forecast::NoClient => true,
        Forecast::NoRoute(_) => false,
    };
    Value::map([
        ("name", Value::string(situation.to_string())),
        ("shares", shares),
        ("failing", failing),
        ("lossless", Value::Bool(lossless)),
        ("first_get", Value::string(first)),
        ("first_post", Value::string(others)),
        ("others", Value::strings(forecast.reasons())),
    ])
}

/// In percent, with at most two decimals.
fn percent(share: Share) -> Value {
    let text = share.to_string();
    text.trim_end_matches('%').parse::<Number>().map_or(Value::Null, Value::Number)
}

impl DataSource for FailoverData {
    fn type_name(&self) -> &'static str {
        "gloo_failover"
    }

    fn schema(&self) -> Schema {
        let scenario = vec![
            Attribute::required("name", Type::String, "Its name."),
            Attribute::optional("clusters_down", Type::set(Type::String), "Clusters of which nothing answers."),
            Attribute::optional("gateways_down", Type::set(Type::String), "Clusters whose east-west gateways are down."),
            Attribute::optional("regions_down", Type::set(Type::String), "Regions of which no cluster answers."),
            Attribute::optional(
                "dead_pods",
                Type::map(Type::Number),
                "How many pods answer no connection, by cluster, of each subset if there are some, before Kubernetes knows it.",
            ),
        ];
        Schema {
            version: 0,
            description: "Who serves a virtual destination when something dies: computed from the objects that are planned, without asking a cluster, as istiod and Envoy treat them. For `check` blocks, outputs and documentation.".to_owned(),
            attributes: vec![
                Attribute::required(
                    "destination",
                    Type::Dynamic,
                    "The resource, `gloo_virtual_destination.<name>`, best through a local value: a data source that refers to a resource itself is read only after that has changed. What the resource computes is not looked at.",
                ),
                Attribute::optional_computed("port", Type::Number, "Port of the hostname. Default: the lowest."),
                Attribute::optional(
                    "pods",
                    Type::map(Type::Number),
                    "How many pods clusters have, 0 to 50, of each subset if there are some. Default: 2 in each cluster that serves.",
                ),
                Attribute::optional(
                    "scenarios",
                    Kind::list(scenario),
                    "What happens. Default: for each client all is well, 1 to all of its own pods dead, its own application dead behind living sidecars, each other cluster down, its gateway, its region, and those that serve dead one after the other.",
                ),
                Attribute::computed("id", Type::String, "`<namespace>/<name>` of the destination."),
                Attribute::computed("clients", Kind::map(client()), "What becomes of the requests of each client cluster."),
                Attribute::computed("table", Type::String, "All of it as text of fixed width."),
                Attribute::computed("diagram", Type::String, "Clients, ranks, gateways and pods as Mermaid text."),
            ],
        }
    }

    fn validate(&self, config: &Value) -> Diagnostics {
        query(config).err().unwrap_or_default()
    }

    fn read<'a>(&'a self, _cx: &'a Cx, config: Value) -> BoxFuture<'a, Applied> {
        Box::pin(async move { applied(self.find(&config)) })
    }
}

/// The attributes of one client.
fn client() -> Vec<Attribute> {
    let ejection = vec![
        Attribute::computed("endpoints", Type::Number, "Endpoints that its proxies know: pods, and addresses of gateways."),
        Attribute::computed("most", Type::Number, "How many of them may be ejected at a time."),
        Attribute::computed("before_last", Type::Number, "How many have to be, for the last rank to serve alone."),
        Attribute::computed("enough", Type::Bool, "Whether every rank can be reached."),
    ];
    let row = vec![
        Attribute::computed("name", Type::String, "What happens."),
        Attribute::computed(
            "shares",
            Type::map(Type::Number),
            "Percent of the requests by the cluster whose pods answer, once everything that fails is ejected; rounded to hundredths.",
        ),
        Attribute::computed("failing", Type::Number, "Percent of first tries that meet what fails and cannot be ejected."),
        Attribute::computed(
            "lossless",
            Type::Bool,
            "Whether every request gets an answer, from the first one on. What is on its way to something that dies is not counted.",
        ),
        Attribute::computed("first_get", Type::String, "What the first GET requests meet, before anything is ejected."),
        Attribute::computed("first_post", Type::String, "The same for methods that are not safe to repeat."),
        Attribute::computed("others", Type::list(Type::String), "Why other clusters do not serve."),
    ];
    vec![
        Attribute::computed(
            "order",
            Type::list(Type::list(Type::String)),
            "Clusters that serve together, those that serve when these are dead, and so on.",
        ),
        Attribute::computed("ejection", Kind::single(ejection), "Whether what fails can be ejected, which failover needs."),
        Attribute::computed("scenarios", Kind::list(row), "What becomes of its requests, in the order of the table."),
    ]
}
