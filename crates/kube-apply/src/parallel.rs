//! Bounded parallel work.

use std::collections::HashMap;
use std::sync::Arc;

use tokio::sync::Semaphore;
use tokio::task::{JoinError, JoinSet};

/// Does the work for every item, as many at once as the semaphore has permits; results in the order of the items. A crash
/// of one work ends no other.
pub(crate) async fn for_each<T, F, R>(
    limit: &Arc<Semaphore>,
    items: impl IntoIterator<Item = T>,
    work: impl Fn(T) -> F,
) -> Vec<Result<R, JoinError>>
where
    F: Future<Output = R> + Send + 'static,
    R: Send + 'static,
{
    let mut tasks = JoinSet::new();
    let mut positions = HashMap::new();
    for (position, item) in items.into_iter().enumerate() {
        let (limit, work) = (Arc::clone(limit), work(item));
        let task = tasks.spawn(async move {
            let _permit = limit.acquire_owned().await.expect("the semaphore is never closed");
            work.await
        });
        positions.insert(task.id(), position);
    }
    let mut results: Vec<Option<Result<R, JoinError>>> = positions.iter().map(|_| None).collect();
    while let Some(finished) = tasks.join_next_with_id().await {
        let (id, result) = match finished {
            Ok((id, result)) => (id, Ok(result)),
            Err(crash) => (crash.id(), Err(crash)),
        };
        results[positions[&id]] = Some(result);
    }
    results.into_iter().map(|result| result.expect("every task was joined")).collect()
}
