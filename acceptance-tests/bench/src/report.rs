//! The figures as Markdown: `docs/dev/benchmarks.md` is a copy of what one run gave.

use std::fmt::Write as _;
use std::time::Duration;

use crate::destinations::Destinations;
use crate::fixture::Contestant;
use crate::race::{Cost, Figures, Phase};

/// What is said beside the figures.
pub(crate) struct Facts {
    /// the CLI of the tables
    pub(crate) cli: String,
    /// another CLI: what to call it, and its figures
    pub(crate) other: Option<(String, Figures)>,
    /// size of the provider's binary
    pub(crate) binary: u64,
    /// size of the other provider's binary
    pub(crate) rival_binary: u64,
    /// time of `providers schema`, and bytes of what it prints
    pub(crate) schema: (Duration, u64),
    /// rows about a start of the provider
    pub(crate) start: String,
    /// virtual destinations in folders
    pub(crate) destinations: Destinations,
    /// cores of the machine
    pub(crate) cores: usize,
}

/// The whole text.
pub(crate) fn report(figures: &Figures, facts: &Facts) -> String {
    let mut text = format!(
        "# Benchmarks\n\n\
         Written by `cargo xt bench`; repeat it with that. One run, {} cores, {}, two real API servers with etcd on the same \
         machine, reached over loopback and TLS, `-parallelism` as it is by default. N VirtualServices of 2 KB on each of the \
         two servers, as N `gloo_istio_object`, as 2 × N `kubectl_manifest` with server-side apply (gavinbunney/kubectl 1.19.0), \
         and as N `terraform_data` with the same content, which is what the core needs alone. Time of the provider is CPU \
         time, that of the servers is in the wall time only. Memory is the peak of the largest process. Requests are counted by \
         the servers, bytes on the wire in both directions. A plan without change is the median of three runs, of five of the shortest, \
         and of one of more than 100 objects, whose destroy is left out.\n",
        facts.cores, facts.cli
    );
    let sizes: std::collections::BTreeSet<usize> = figures.keys().map(|(size, ..)| *size).collect();
    for size in sizes {
        let _ = write!(text, "\n## {size} objects on each of two servers\n");
        table(&mut text, figures, size);
    }
    if let Some((name, figures)) = &facts.other {
        let _ = write!(text, "\n## {name}\n");
        if let Some((size, ..)) = figures.keys().next() {
            table(&mut text, figures, *size);
        }
    }
    let (time, bytes) = facts.schema;
    let _ = write!(
        text,
        "\n## Size\n\n| what | gloo | kubectl 1.19.0 |\n|---|---|---|\n| binary | {} | {} |\n| `providers schema -json` | {} in {:.2} s | |\n",
        megabytes(facts.binary),
        megabytes(facts.rival_binary),
        kilobytes(bytes),
        time.as_secs_f64()
    );
    text.push_str(&facts.destinations.text());
    let _ = write!(
        text,
        "\n## A start of the provider\n\nBy a core, of the released binary; medians.\n\n| what | |\n|---|---|\n{}",
        facts.start
    );
    text
}

fn table(text: &mut String, figures: &Figures, size: usize) {
    text.push_str("\n| | who | wall | CPU provider | CPU core | memory provider | memory core | requests | bytes |\n|---|---|---|---|---|---|---|---|---|\n");
    for phase in Phase::ALL {
        let of = |contestant| figures.get(&(size, contestant, phase));
        for contestant in Contestant::ALL {
            let Some(cost) = of(contestant) else { continue };
            row(text, phase, contestant, cost);
        }
        let Some(ours) = of(Contestant::Gloo) else { continue };
        let mut ratios = Vec::new();
        if let Some(core) = of(Contestant::Core) {
            ratios.push(format!("{} × the core alone", ratio(ours.usage.wall, core.usage.wall)));
        }
        if let Some(rival) = of(Contestant::Kubectl) {
            ratios.push(format!("{} × kubectl", ratio(ours.usage.wall, rival.usage.wall)));
        }
        let _ = writeln!(text, "| | **gloo is** | {} | | | | | | |", ratios.join(", "));
    }
}

fn row(text: &mut String, phase: Phase, contestant: Contestant, cost: &Cost) {
    let usage = &cost.usage;
    let is_remote = contestant != Contestant::Core;
    let there = |text: String| if is_remote { text } else { String::new() };
    let _ = writeln!(
        text,
        "| {} | {} | {:.2} s | {} | {:.2} s | {} | {} | {} | {} |",
        if contestant == Contestant::Core { phase.name() } else { "" },
        contestant.name(),
        usage.wall.as_secs_f64(),
        there(format!("{:.2} s", usage.provider.as_secs_f64())),
        usage.core.as_secs_f64(),
        there(megabytes(usage.provider_memory << 10)),
        megabytes(usage.core_memory << 10),
        there(format!("{}: {}", cost.requests.total(), cost.requests)),
        there(kilobytes(cost.wire.sent + cost.wire.received)),
    );
}

/// How often the other one fits into one.
pub(crate) fn ratio(one: Duration, other: Duration) -> String {
    format!("{:.2}", one.as_secs_f64() / other.as_secs_f64().max(f64::EPSILON))
}

pub(crate) fn megabytes(bytes: u64) -> String {
    format!("{:.1} MB", bytes as f64 / 1_048_576.0)
}

pub(crate) fn kilobytes(bytes: u64) -> String {
    format!("{} KB", bytes.div_ceil(1024))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::watch::Usage;

    #[test]
    fn ratios_are_those_of_the_wall_time() {
        let cost = |wall| Cost { usage: Usage { wall: Duration::from_millis(wall), ..Usage::default() }, ..Cost::default() };
        let figures = Figures::from([
            ((10, Contestant::Core, Phase::Plan), cost(500)),
            ((10, Contestant::Gloo, Phase::Plan), cost(750)),
            ((10, Contestant::Kubectl, Phase::Plan), cost(3000)),
        ]);
        let mut text = String::new();
        table(&mut text, &figures, 10);
        assert!(text.contains("1.50 × the core alone, 0.25 × kubectl"), "{text}");
        assert!(text.contains("| plan without change | core alone | 0.50 s |  | 0.00 s |"), "{text}");
    }
}
