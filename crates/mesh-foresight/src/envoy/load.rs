//! Which endpoint the next try goes to.
//!
//! A priority with `healthy` of `total` endpoints takes min(100, 140 · healthy / total) percent, a whole number; the next one
//! takes what is left. 140 is the overprovisioning factor that Istio leaves at its default. Panic, which would spread calls
//! over what is ejected, is off: istiod sets the threshold to 0.

use std::collections::{BTreeMap, BTreeSet};

use super::Assignment;
use crate::share::Share;

/// In percent.
const OVERPROVISIONING: u128 = 140;

/// The share of tries of each endpoint. `out`: those that are ejected; `excluded`: priorities that a retry leaves out.
pub(crate) fn loads(assignment: &Assignment, out: &BTreeSet<usize>, excluded: &BTreeSet<usize>) -> Vec<Share> {
    let mut priorities: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for index in 0..assignment.endpoints.len() {
        priorities.entry(assignment.priority(index)).or_default().push(index);
    }
    let available = |(priority, members): (&usize, &Vec<usize>)| {
        if excluded.contains(priority) { 0 } else { availability(members, out) }
    };
    let availabilities: Vec<u128> = priorities.iter().map(available).collect();
    let mut shares = vec![Share::NONE; assignment.endpoints.len()];
    for (members, percent) in priorities.values().zip(distribute(&availabilities)) {
        for (index, share) in within(assignment, members, out) {
            shares[index] = Share::of(percent, 100) * share;
        }
    }
    shares
}

fn availability(members: &[usize], out: &BTreeSet<usize>) -> u128 {
    let healthy = members.iter().filter(|index| !out.contains(index)).count();
    (OVERPROVISIONING * count(healthy) / count(members.len())).min(100)
}

/// Percent of the tries for each priority; what rounding leaves over goes to the first that takes any.
fn distribute(availabilities: &[u128]) -> Vec<u128> {
    let all = availabilities.iter().sum::<u128>().min(100);
    let mut percents = vec![0; availabilities.len()];
    let Some(first) = availabilities.iter().position(|availability| *availability > 0) else { return percents };
    let mut left = 100;
    for (percent, availability) in percents.iter_mut().zip(availabilities) {
        *percent = (availability * 100 / all).min(left);
        left -= *percent;
    }
    percents[first] += left;
    percents
}

/// The shares inside a priority: localities by their weights as far as their endpoints are healthy, then endpoints by theirs.
fn within(assignment: &Assignment, members: &[usize], out: &BTreeSet<usize>) -> Vec<(usize, Share)> {
    let mut groups: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for index in members {
        groups.entry(assignment.endpoints[*index].group).or_default().push(*index);
    }
    let weight = |indices: &[usize]| indices.iter().map(|index| u128::from(assignment.endpoints[*index].weight)).sum::<u128>();
    let effective = |(group, indices): (&usize, &Vec<usize>)| {
        let healthy = indices.iter().filter(|index| !out.contains(index)).count();
        let ratio = Share::of(OVERPROVISIONING * count(healthy), 100 * count(indices.len()));
        let capped = if ratio.part() > ratio.whole() { Share::ALL } else { ratio };
        Share::of(u128::from(assignment.groups[*group].weight), 1) * capped
    };
    let all: Share = groups.iter().map(effective).sum();
    let mut shares = Vec::new();
    for group in &groups {
        let (mine, indices) = (effective(group), group.1);
        let of_group = Share::of(mine.part() * all.whole(), mine.whole() * all.part());
        let healthy: Vec<usize> = indices.iter().filter(|index| !out.contains(index)).copied().collect();
        let weights = weight(&healthy);
        shares.extend(healthy.iter().map(|index| (*index, of_group * Share::of(weight(&[*index]), weights))));
    }
    shares
}

fn count(number: usize) -> u128 {
    u128::try_from(number).unwrap_or(u128::MAX)
}

#[cfg(test)]
mod tests {
    use super::distribute;

    #[test]
    fn what_is_left_over_goes_to_the_first_that_takes_any() {
        assert_eq!(distribute(&[100, 100]), [100, 0]);
        assert_eq!(distribute(&[93, 100]), [93, 7]);
        assert_eq!(distribute(&[46, 100]), [46, 54]);
        assert_eq!(distribute(&[0, 0, 70]), [0, 0, 100]);
        assert_eq!(distribute(&[0, 46, 46]), [0, 50, 50]);
        assert_eq!(distribute(&[46, 28]), [63, 37]);
        assert_eq!(distribute(&[0, 0]), [0, 0]);
    }
}
