//! Lists of kinds, page by page.

use std::sync::{Arc, PoisonError};

use kube_apply::{Class, ClusterError};
use serde_json::Value;
use tokio::task::JoinSet;

use crate::cluster::{Inner, escape};
use crate::kinds::Known;
use crate::page::{self, Make};
use crate::status::NotFound;
use crate::transport::Call;

/// Objects of one page of a list.
const PAGE: usize = 500;
/// How often a list begins anew because its continuation got too old.
const RESTARTS: usize = 3;

impl Inner {
    /// Lists kinds beside each other; those that the cluster does not have are not in the result, and are not asked for
    /// again. A kind that may not be listed is left out when `may_miss` says so, unless none may be; nothing of it is written.
    pub(crate) async fn lists<T: Send + 'static>(
        self: &Arc<Self>,
        kinds: impl Iterator<Item = &'static Known>,
        selector: Option<String>,
        may_miss: impl Fn(&Known) -> bool,
        make: Arc<Make<T>>,
    ) -> Result<Vec<(&'static Known, Vec<T>)>, ClusterError> {
        let mut tasks = JoinSet::new();
        for known in kinds.filter(|known| known.is_namespaced || self.namespaces.is_none() || selector.is_none()) {
            let (inner, selector, make) = (Arc::clone(self), selector.clone(), Arc::clone(&make));
            tasks.spawn(async move { (known, inner.list(known, selector.as_deref(), &*make).await) });
        }
        let mut lists = Vec::new();
        let mut forbidden = None;
        // an error ends the others: a silent cluster is waited for once
        while let Some(task) = tasks.join_next().await {
            match task {
                Ok((known, Ok(Some(items)))) => lists.push((known, items)),
                Ok((_, Ok(None))) => {}
                Ok((known, Err(error))) if error.class == Class::Forbidden && may_miss(known) => {
                    let mut unlisted = self.unlisted.lock().unwrap_or_else(PoisonError::into_inner);
                    if unlisted.insert(known.resource()) {
                        tracing::warn!(cluster = %self.cluster(), kind = known.resource(), "may not be listed: nothing is known about its objects, and none is written");
                    }
                    forbidden = Some(error);
                }
                Ok((_, Err(error))) => return Err(error),
                Err(crash) => {
                    return Err(ClusterError::new(
                        Class::Io,
                        self.cluster(),
                        "a request crashed inside the provider",
                        crash.to_string(),
                        "This is a defect of the provider: please report it with the log.",
                    ));
                }
            }
        }
        match forbidden {
            Some(error) if lists.is_empty() => Err(error),
            _ => {
                lists.sort_by_key(|(known, _)| known.key_name());
                Ok(lists)
            }
        }
    }

    /// All objects of a kind, page by page; `None`: the cluster does not have the kind.
    async fn list<T: Send>(
        &self,
        known: &'static Known,
        selector: Option<&str>,
        make: &Make<T>,
    ) -> Result<Option<Vec<T>>, ClusterError> {
        if self.absent.lock().unwrap_or_else(PoisonError::into_inner).contains(&known.resource()) {
            return Ok(None);
        }
        if let Some(namespaces) = self.namespaces.as_ref().filter(|_| !known.is_namespaced) {
            let objects = self.beside(known, namespaces).await?;
            return Ok(objects.map(|objects| objects.into_iter().filter_map(make).collect()));
        }
        for version in self.versions(known) {
            let places: Vec<Option<&str>> = match &self.namespaces {
                Some(namespaces) if known.is_namespaced => namespaces.iter().map(|namespace| Some(namespace.as_str())).collect(),
                _ => vec![None],
            };
            let mut objects = Vec::new();
            let mut is_served = true;
            for place in places {
                match self.pages(known, version, place, selector, make).await? {
                    Some(items) => objects.extend(items),
                    None => {
                        is_served = false;
                        break;
                    }
                }
            }
            if is_served {
                self.note_served(known, version);
                return Ok(Some(objects));
            }
        }
        self.absent.lock().unwrap_or_else(PoisonError::into_inner).insert(known.resource());
        Ok(None)
    }

    async fn pages<T: Send>(
        &self,
        known: &Known,
        version: &str,
        namespace: Option<&str>,
        selector: Option<&str>,
        make: &Make<T>,
    ) -> Result<Option<Vec<T>>, ClusterError> {
        let api_version = known.api_version(version);
        let make = |mut item: Value| {
            // items of built-in kinds do not say what they are
            item["apiVersion"] = Value::String(api_version.clone());
            item["kind"] = Value::String(known.kind.to_owned());
            make(item)
        };
        let mut restarts = 0;
        let mut objects: Vec<T> = Vec::new();
        let mut token: Option<String> = None;
        loop {
            let mut path = format!("{}?limit={PAGE}", known.collection(version, namespace));
            if let Some(selector) = selector {
                path.push_str(&format!("&labelSelector={}", escape(selector)));
            }
            if let Some(token) = &token {
                path.push_str(&format!("&continue={}", escape(token)));
            }
            let reply = self.transport.send(Call::list(path)).await?;
            if reply.not_found(known) == Some(NotFound::Kind) {
                return Ok(None);
            }
            if reply.is_expired() && token.is_some() && restarts < RESTARTS {
                restarts += 1;
                (objects, token) = (Vec::new(), None);
                continue;
            }
            if !reply.is_success() {
                return Err(reply.error(self.cluster(), "list", known, None));
            }
            let Some(page) = page::read(&reply.text, &make) else { return Err(self.unreadable(known)) };
            objects.extend(page.items);
            token = page.next;
            if token.is_none() {
                return Ok(Some(objects));
            }
        }
    }

    pub(crate) fn unreadable(&self, known: &Known) -> ClusterError {
        ClusterError::new(
            Class::Damaged,
            self.cluster(),
            format!("what cluster {} answers about {} is nothing that an API server says", self.cluster(), known.resource()),
            "Something else than an API server answers at this address.",
            "Check `host` and `proxy_url` of the cluster.",
        )
    }
}
