//! Who serves whom in which situation.

use std::collections::BTreeSet;

use mesh_model::names::ClusterName;

use crate::envoy::{Ejections, Loss, Tries};
use crate::fleet::Fleet;
use crate::forecast::{Forecast, Request};
use crate::scenario::{Given, Situation};
use crate::world::World;

/// What becomes of the requests of every client cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Table {
    /// the host
    pub host: String,
    /// its port
    pub port: u16,
    /// by client
    pub clients: Vec<Client>,
}

/// One client cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Client {
    /// its name
    pub cluster: ClusterName,
    /// who serves, and who when those are dead, and so on
    pub order: Vec<BTreeSet<ClusterName>>,
    /// whether what fails can be ejected, which is what failover needs
    pub ejection: Ejections,
    /// what becomes of its requests
    pub rows: Vec<Row>,
}

/// What becomes of requests in a situation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// the situation
    pub situation: Situation,
    /// what becomes of GET
    pub forecast: Forecast,
    /// what becomes of requests of the other methods before anything is ejected
    pub others: Tries,
}

impl Fleet {
    /// The table of a host. `base` says what is so in every situation; `given` stands in the place of the usual situations.
    #[must_use]
    pub fn table(&self, base: &World, host: &str, port: u16, given: Option<&[Given]>) -> Table {
        let clients = self.callers(host).into_iter().map(|(cluster, namespace)| {
            let ask = Ask {
                fleet: self,
                base,
                cluster,
                request: Request { cluster, namespace, account: None, host, port, method: "GET" },
            };
            ask.client(given)
        });
        Table { host: host.to_owned(), port, clients: clients.collect() }
    }
}

struct Ask<'a> {
    fleet: &'a Fleet,
    base: &'a World,
    cluster: &'a ClusterName,
    request: Request<'a>,
}

impl Ask<'_> {
    fn client(&self, given: Option<&[Given]>) -> Client {
        let order = self.order();
        let situations = match given {
            Some(given) => given.iter().cloned().map(Situation::Given).collect(),
            None => Situation::single(self.fleet, self.base, self.cluster),
        };
        let mut rows: Vec<Row> = situations.into_iter().map(|situation| self.row(None, situation)).collect();
        if given.is_none() {
            // the death of a single one was said already
            let several = (1..=order.len()).filter(|dead| order[..*dead].iter().map(BTreeSet::len).sum::<usize>() > 1);
            rows.extend(several.map(|dead| self.row(Some(&order[..dead - 1]), self.in_turn(&order[..dead]))));
        }
        Client { cluster: self.cluster.clone(), ejection: self.ejection(), order, rows }
    }

    /// `before`: what died earlier.
    fn row(&self, before: Option<&[BTreeSet<ClusterName>]>, situation: Situation) -> Row {
        let world = |situation: &Situation| situation.world(self.fleet, self.base, self.cluster);
        let (before, now) = (before.map(|dead| world(&self.in_turn(dead))), world(&situation));
        let ask = |method| self.fleet.forecast_after(before.as_ref(), &now, &Request { method, ..self.request });
        let others = match ask("POST") {
            Forecast::Routed(routed) => routed.first,
            Forecast::NoClient => Tries::Clean,
            Forecast::NoRoute(_) => Tries::Lost(Loss::Nobody),
        };
        Row { forecast: ask("GET"), others, situation }
    }

    /// Those that serve, and those that serve when these are dead, until nobody does.
    fn order(&self) -> Vec<BTreeSet<ClusterName>> {
        let mut order: Vec<BTreeSet<ClusterName>> = Vec::new();
        loop {
            let world = self.in_turn(&order).world(self.fleet, self.base, self.cluster);
            let forecast = self.fleet.forecast(&world, &self.request);
            let servers: BTreeSet<ClusterName> = forecast.servers().into_iter().cloned().collect();
            if servers.is_empty() || order.iter().any(|earlier| !earlier.is_disjoint(&servers)) {
                return order;
            }
            order.push(servers);
        }
    }

    fn in_turn(&self, dead: &[BTreeSet<ClusterName>]) -> Situation {
        let all = || dead.iter().flatten();
        Situation::InTurn {
            own: all().any(|cluster| cluster == self.cluster),
            clusters: all().filter(|cluster| *cluster != self.cluster).cloned().collect(),
        }
    }

    fn ejection(&self) -> Ejections {
        match self.fleet.forecast(self.base, &self.request) {
            Forecast::Routed(routed) => routed.ejections,
            Forecast::NoClient | Forecast::NoRoute(_) => Ejections::default(),
        }
    }
}
