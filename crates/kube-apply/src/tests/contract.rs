//! The contract of the port, kept by the kinds of clusters of this room.

use istio_objects::ObjectKey;
use serde_json::Value;

use super::support::cluster;
use crate::port::{Answer, Cluster as _};
use crate::testing::{Breakages, FakeCluster, Others, contract, owner};
use crate::{DirectoryCluster, yaml};

struct InMemory<'a>(&'a FakeCluster);

impl Others for InMemory<'_> {
    fn edit<'a>(&'a self, key: &'a ObjectKey, edit: &'a (dyn Fn(&mut Value) + Sync)) -> Answer<'a, ()> {
        Box::pin(async move {
            let mut object = Value::clone(&self.0.get(key).await?.expect("it is there").json);
            edit(&mut object);
            self.0.put(object);
            Ok(())
        })
    }
}

struct InFolder<'a>(&'a std::path::Path);

impl Others for InFolder<'_> {
    fn edit<'a>(&'a self, key: &'a ObjectKey, edit: &'a (dyn Fn(&mut Value) + Sync)) -> Answer<'a, ()> {
        Box::pin(async move {
            let file = self.0.join(format!("manifests/bookinfo/{}-{}.yaml", key.kind, key.name));
            let mut object = yaml::load(&std::fs::read_to_string(&file).unwrap()).unwrap().remove(0);
            edit(&mut object);
            std::fs::write(&file, yaml::emit(&object)).unwrap();
            Ok(())
        })
    }
}

#[tokio::test]
async fn the_cluster_in_memory_keeps_the_contract() {
    let fake = FakeCluster::new(cluster("east"), Breakages::none());
    contract(&fake, &InMemory(&fake), "x-").await;
}

#[tokio::test]
async fn a_folder_keeps_the_contract() {
    let folder = tempfile::tempdir().unwrap();
    contract(&DirectoryCluster::new(cluster("east"), folder.path(), owner()), &InFolder(folder.path()), "x-").await;
}
