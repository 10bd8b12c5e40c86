//! Journeys of one resource, undisturbed and broken at the n-th write.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use kube_apply::breakage::{Act, Break, Breaker, Moment};
use serde_json::{Value as Json, json};
use terraform_provider_gloo::Gloo;
use tf_server::testing::{Action, Core, Failure, Instance, Outcome};

use super::forbidden::{Objects, forbidden};

pub(crate) const CLUSTERS: [&str; 3] = ["east", "west", "north"];

/// Annotations that no two runs write alike.
const NONCES: [&str; 2] = ["state.gloo-terraform/instance:", "state.gloo-terraform/complete:"];

/// Folders of clusters.
pub(crate) struct Room {
    folder: tempfile::TempDir,
}

impl Room {
    pub(crate) fn new() -> Self {
        // in memory where the system has such a folder: the runs are many, and every write waits for the disk
        let memory = Path::new("/dev/shm");
        let folder = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() }.unwrap();
        for cluster in CLUSTERS {
            fs::create_dir_all(folder.path().join(cluster).join("inventory")).unwrap();
        }
        Self { folder }
    }

    /// The same files in folders of their own.
    pub(crate) fn copy(&self) -> Self {
        let room = Self::new();
        for (path, text) in self.texts() {
            let path = room.path(&path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        room
    }

    pub(crate) fn path(&self, relative: &str) -> PathBuf {
        self.folder.path().join(relative)
    }

    fn texts(&self) -> BTreeMap<String, String> {
        let mut files = BTreeMap::new();
        collect(self.folder.path(), self.folder.path(), &mut files);
        files
    }

    /// Every file by its path, without the random nonces of instances.
    pub(crate) fn files(&self) -> BTreeMap<String, String> {
        let mut files = self.texts();
        for text in files.values_mut() {
            let lines = text.lines().filter(|line| !NONCES.iter().any(|name| line.trim_start().starts_with(name)));
            *text = lines.collect::<Vec<_>>().join("\n");
        }
        files
    }

    /// Every object by cluster and path, temporary files aside.
    pub(crate) fn objects(&self) -> Objects {
        let files = self.files().into_iter().filter(|(path, _)| path.ends_with(".yaml"));
        files
            .map(|(path, text)| {
                let (cluster, rest) = path.split_once('/').unwrap();
                let object = kube_apply::yaml::load(&text).unwrap().remove(0);
                ((cluster.to_owned(), rest.to_owned()), object)
            })
            .collect()
    }

    pub(crate) fn block(&self) -> Json {
        let directory = |cluster: &str| json!({ "directory": self.path(cluster).to_str().unwrap() });
        json!({
            "owner": "test/it",
            "clusters": { "east": directory("east"), "west": directory("west"), "north": directory("north") },
            "limits": { "max_in_flight": 1 },
        })
    }

    /// A fresh provider.
    pub(crate) async fn core(&self) -> Core {
        self.core_with(Gloo::new(), |_| {}).await
    }

    /// A provider whose writes break; one at a time, so that every cut of their order is met.
    pub(crate) async fn broken_core(&self, breaker: &Arc<Breaker>) -> Core {
        let breaker = Arc::clone(breaker);
        self.core_with(Gloo::decorated(move |cluster| breaker.decorate(cluster)), |_| {}).await
    }

    pub(crate) async fn core_with(&self, provider: Gloo, change: impl FnOnce(&mut Json)) -> Core {
        let core = Core::new(Arc::new(provider)).await;
        let mut block = self.block();
        change(&mut block);
        core.configure(block).await.unwrap();
        core
    }
}

fn collect(root: &Path, folder: &Path, files: &mut BTreeMap<String, String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(root, &path, files);
        } else {
            let name = path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
            files.insert(name, fs::read_to_string(&path).unwrap());
        }
    }
}

/// From one configuration to another.
pub(crate) struct Journey {
    pub(crate) name: &'static str,
    pub(crate) type_name: &'static str,
    /// what was applied before; `None`: nothing
    pub(crate) before: Option<Json>,
    /// what happened to the folders since
    pub(crate) disturb: fn(&Room),
    /// what is to be applied; `None`: destroy
    pub(crate) goal: Option<Json>,
}

/// A journey with its beginning and its undisturbed end.
pub(crate) struct Prepared {
    pub(crate) journey: Journey,
    start: Room,
    pub(crate) instance: Option<Instance>,
    pub(crate) end: BTreeMap<String, String>,
    end_instance: Option<Instance>,
    end_objects: Objects,
    pub(crate) writes: usize,
}

/// What a broken run left.
pub(crate) struct Broken {
    pub(crate) room: Room,
    /// the state, as core keeps it
    pub(crate) instance: Option<Instance>,
    /// what the provider answered; `None`: it was killed
    pub(crate) outcome: Option<Outcome>,
}

impl Journey {
    pub(crate) async fn prepare(self) -> Prepared {
        let start = Room::new();
        let instance = match &self.before {
            Some(before) => Some(start.core().await.converge(self.type_name, None, before.clone()).await.unwrap()),
            None => None,
        };
        (self.disturb)(&start);
        let breaker = Breaker::simulated(Vec::new());
        let room = start.copy();
        let outcome = apply_once(&room.broken_core(&breaker).await, &self, instance.as_ref()).await.unwrap();
        let end_instance = outcome.unwrap().success().unwrap_or_else(|failure| panic!("{}: {failure}", self.name));
        let (end, end_objects, writes) = (room.files(), room.objects(), breaker.writes());
        assert!(writes > 0, "{}: nothing is written", self.name);
        Prepared { journey: self, start, instance, end, end_instance, end_objects, writes }
    }
}

impl Prepared {
    pub(crate) fn start(&self) -> &Room {
        &self.start
    }

    /// The objects that the goal shows.
    pub(crate) fn end_manifests(&self) -> Option<&Json> {
        self.end_instance.as_ref().map(|instance| &instance.state["manifests"])
    }

    /// One run with one write broken.
    pub(crate) async fn broken(&self, act: Act, moment: Moment, write: usize) -> Broken {
        self.broken_at(vec![Break { act, moment, write }]).await
    }

    /// One run with several broken writes.
    pub(crate) async fn broken_at(&self, breaks: Vec<Break>) -> Broken {
        let label = format!("{}, {breaks:?}", self.journey.name);
        let is_stopped = breaks.iter().any(|planned| planned.act == Act::Hang);
        let is_undone = breaks.len() > 1;
        let breaker = Breaker::simulated(breaks);
        let room = self.start.copy();
        let core = room.broken_core(&breaker).await;
        let stop = async {
            breaker.reached().await;
            if is_stopped {
                core.stop().await;
            }
            std::future::pending::<()>().await;
        };
        let outcome = tokio::select! {
            outcome = apply_once(&core, &self.journey, self.instance.as_ref()) => Some(outcome.unwrap_or_else(|failure| panic!("{label}: {failure}")).unwrap()),
            () = breaker.died() => None,
            () = stop => None,
        };
        assert!(breaker.is_reached(), "{label}: there is no such write");
        if let Some(outcome) = &outcome {
            assert_eq!(outcome.violations, Vec::<String>::new(), "{label}");
        }
        let instance = match &outcome {
            Some(outcome) => outcome.instance.clone(),
            None => self.instance.clone().map(forgotten),
        };
        let broken = Broken { room, instance, outcome };
        let (old, now) = (self.start.objects(), broken.room.objects());
        let allowed = forbidden(&old, &self.end_objects, &old);
        // a run that undoes itself deletes: its cuts lie between the end and the start
        let mut wrong = match is_undone {
            false => forbidden(&old, &self.end_objects, &now),
            true => forbidden(&self.end_objects, &old, &now),
        };
        wrong.retain(|wrong| !allowed.contains(wrong));
        assert_eq!(wrong, BTreeSet::new(), "{label}: a forbidden cut");
        broken
    }

    /// At most two applies by fresh providers reach the goal, and nothing is left over.
    pub(crate) async fn check_recovery(&self, broken: Broken, label: &str) {
        let Broken { room, mut instance, .. } = broken;
        let label = format!("{}, {label}", self.journey.name);
        let mut applies = 0;
        loop {
            let core = room.core().await;
            let done =
                apply_once(&core, &self.journey, instance.as_ref()).await.unwrap_or_else(|failure| panic!("{label}: {failure}"));
            let Some(outcome) = done else { break };
            applies += 1;
            assert!(applies <= 2, "{label}: two applies do not suffice");
            instance = outcome.success().unwrap_or_else(|failure| panic!("{label}, apply {applies}: {failure}"));
        }
        let (found, wanted) = (room.files(), &self.end);
        let left: Vec<_> = found.keys().filter(|path| !wanted.contains_key(*path)).collect();
        assert_eq!(left, Vec::<&String>::new(), "{label}: orphans");
        assert_eq!(&found, wanted, "{label}");
        if self.journey.goal.is_some() {
            assert_eq!(
                instance.map(|instance| instance.state),
                self.end_instance.clone().map(|instance| instance.state),
                "{label}: the state"
            );
        }
    }

    /// The state tells the truth: a refresh finds exactly the drift that a failed apply has recorded.
    pub(crate) async fn check_truth(&self, broken: &Broken, label: &str) {
        let Some(instance) = &broken.instance else { return };
        let label = format!("{}, {label}", self.journey.name);
        let seen = broken.room.core().await.refresh(instance).await.unwrap_or_else(|failure| panic!("{label}: {failure}"));
        // everything is gone, and nothing else is there
        let Some(seen) = seen else {
            assert_eq!(broken.room.objects(), Objects::new(), "{label}: the refresh forgets what is there");
            return;
        };
        assert_eq!(seen.state["drift"], instance.state["drift"], "{label}");
    }
}

/// What core keeps of an instance whose provider died: the state before, without its private bytes.
pub(crate) fn forgotten(instance: Instance) -> Instance {
    Instance { private: Vec::new(), ..instance }
}

/// Refresh, plan and apply; `None` when there is nothing to do.
pub(crate) async fn apply_once(core: &Core, journey: &Journey, instance: Option<&Instance>) -> Result<Option<Outcome>, Failure> {
    let seen = match instance {
        Some(instance) => core.refresh(instance).await?,
        None => None,
    };
    let plan = match (&journey.goal, &seen) {
        (Some(goal), seen) => core.plan(journey.type_name, seen.as_ref(), goal.clone()).await?,
        (None, Some(seen)) => core.plan_destroy(seen).await?,
        (None, None) => return Ok(None),
    };
    if plan.action == Action::NoOp {
        return Ok(None);
    }
    Ok(Some(core.apply(&plan).await))
}
