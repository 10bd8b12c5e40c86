//! A failover and a recovery with the defaults, second by second, beside what the table of failover foretells: what the guide
//! shows.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

use acceptance_tests::World;
use plotters::prelude::*;
use rig::mesh::traffic::{Calls, Seen};
use serde_json::Value;

use crate::changes::Case;
use crate::check::{errors_at_most, until_by, until_served};
use crate::config::{DESTINATION, HOST, destination};
use crate::live::Stage;

/// Its name, and what plays it.
pub const CASE: Case = ("timeline", timeline);

/// Where its picture is, below the workspace.
pub const PICTURE: &str = "docs/images/failover.svg";

const LENGTH: Duration = Duration::from_secs(120);

/// Second and count.
type Points = Vec<(f64, f64)>;

/// What happens.
struct Event {
    /// when, in seconds
    at: u64,
    what: &'static str,
    act: fn(&Stage),
    /// how things are from then on, as a scenario of the table
    scenario: &'static str,
}

const EVENTS: [Event; 5] = [
    Event { at: 0, what: "all is well", act: |_| (), scenario: "" },
    Event {
        at: 10,
        what: "application of east dies",
        act: |stage| stage.mesh.fleet().backend("east").die(),
        scenario: "dead_pods = { east = 1 }",
    },
    Event {
        at: 25,
        what: "gateway of north dies",
        act: |stage| stage.mesh.fleet().proxy("north/istio-eastwestgateway").kill().expect("it runs"),
        scenario: "dead_pods = { east = 1 }, gateways_down = [\"north\"]",
    },
    Event {
        at: 45,
        what: "gateway of north is back",
        act: |stage| stage.mesh.fleet().proxy("north/istio-eastwestgateway").heal().expect("it starts again"),
        scenario: "dead_pods = { east = 1 }",
    },
    Event {
        at: 65,
        what: "application of east is back",
        act: |stage| stage.mesh.fleet().backend("east").revive().expect("its address is free"),
        scenario: "",
    },
];

/// How long before the next event what was foretold has come true, in seconds: ejections have ended.
const SETTLED: u64 = 5;

/// How far shares may be from those of the table, in points.
const NEAR: f64 = 5.0;

/// Shares of clusters after each event, in percent, as the table has them.
type Foretold = Vec<BTreeMap<String, f64>>;

/// Asks the table for what happens here.
fn asked() -> String {
    let scenario = |event: &Event| format!("    {{ name = \"{} s\", {} }},\n", event.at, event.scenario);
    let scenarios: String = EVENTS.iter().map(scenario).collect();
    format!(
        "locals {{\n  reviews = {DESTINATION}\n}}\n\ndata \"gloo_failover\" \"reviews\" {{\n  destination = local.reviews\n  \
         pods        = {{ east = 1, west = 1, north = 1 }}\n  scenarios = [\n{scenarios}  ]\n}}\n"
    )
}

/// What it answers for clients of east.
fn foretold(world: &World) -> Foretold {
    let state = world.state();
    let scenarios = &state.values("data.gloo_failover.reviews")["clients"]["east"]["scenarios"];
    let shares = |scenario: &Value| {
        let shares = scenario["shares"].as_object().into_iter().flatten();
        shares.map(|(cluster, share)| (cluster.clone(), share.as_f64().expect("shares are numbers"))).collect()
    };
    scenarios.as_array().expect("scenarios are a list").iter().map(shares).collect()
}

/// When what an event begins ends.
fn end_of(index: usize) -> u64 {
    EVENTS.get(index + 1).map_or(LENGTH.as_secs(), |next| next.at)
}

/// In the last seconds before each event those serve who were foretold, with these shares, and nobody else.
fn compare(stage: &Stage, calls: &Calls, foretold: &Foretold) {
    for (index, (event, shares)) in EVENTS.iter().zip(foretold).enumerate() {
        let settled = Duration::from_secs(end_of(index) - SETTLED)..Duration::from_secs(end_of(index));
        let seen: Vec<&Seen> = calls.0.iter().filter(|seen| settled.contains(&seen.at)).collect();
        let mut counts: BTreeMap<&str, f64> = shares.keys().map(|cluster| (cluster.as_str(), 0.0)).collect();
        seen.iter().for_each(|seen| *counts.entry(&seen.by).or_default() += 1.0);
        let told: Vec<String> = counts
            .iter()
            .map(|(by, count)| {
                let [was, share] =
                    [100.0 * count / f64::from(u32::try_from(seen.len()).expect("few calls")), share_of(shares, by)];
                assert!((was - share).abs() <= NEAR, "{}: {by} served {was:.1} %, foretold were {share:.1} %", event.what);
                format!("{by} {was:.1} %, foretold {share:.1} %")
            })
            .collect();
        stage.figures.note(&format!("before {} s", end_of(index)), told.join("; "));
    }
}

fn share_of(shares: &BTreeMap<String, f64>, cluster: &str) -> f64 {
    shares.get(cluster).copied().unwrap_or_default()
}

fn timeline(stage: &Stage) {
    let order = "  failover = { order = [\"north\", \"west\"] }\n";
    let world = stage.applied(&(destination(&["east", "west", "north"], order) + &asked()));
    let foretold = foretold(&world);
    assert_eq!(foretold.len(), EVENTS.len(), "the table answers every scenario: {foretold:?}");
    until_served(stage.mesh.fleet(), "east");
    stage.settle();
    until_by(&stage.mesh.fleet().traffic("east", HOST), "east");
    let (start, traffic) = (Instant::now(), stage.mesh.fleet().traffic("east", HOST));
    for event in &EVENTS {
        // the picture has a clock
        std::thread::sleep(Duration::from_secs(event.at).saturating_sub(start.elapsed()));
        let mark = traffic.mark();
        (event.act)(stage);
        stage.figures.note(&format!("{} s", event.at), format!("{} after {mark} calls", event.what));
    }
    // up to the end of its axis
    std::thread::sleep(LENGTH.saturating_sub(start.elapsed()));
    let calls = traffic.all();
    drop(traffic);
    stage.figures.note("all of it", &calls);
    stage.figures.note("served by", changes(&calls));
    stage.figures.note("slowest", slowest(&calls));
    errors_at_most(&calls, calls.0.len() / 100, "in all of it");
    compare(stage, &calls, &foretold);
    if stage.is_recorded {
        let path = stage.rig.root.join(PICTURE);
        draw(&path, &calls, &foretold).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        stage.figures.note("drawn", path.display());
    }
    world.destroy();
}

/// Who served from when on, without what one second does not show.
fn changes(calls: &Calls) -> String {
    let mut last = "";
    let mut told = Vec::new();
    for seen in calls.0.iter().filter(|seen| seen.is_served()) {
        if seen.by != last {
            told.push(format!("{} from {:.1} s", seen.by, seen.at.as_secs_f64()));
            last = &seen.by;
        }
    }
    told.join(", ")
}

/// The second whose calls took longest: what the end of an ejection costs those who are served.
fn slowest(calls: &Calls) -> String {
    let mut by_second: BTreeMap<u64, Vec<f64>> = BTreeMap::new();
    for seen in &calls.0 {
        by_second.entry(seen.at.as_secs()).or_default().push(seen.took.as_secs_f64() * 1000.0);
    }
    let medians = by_second.iter_mut().map(|(second, took)| {
        took.sort_by(f64::total_cmp);
        (took[took.len() / 2], *second, took.last().copied().unwrap_or_default(), took.len())
    });
    let mut medians: Vec<_> = medians.collect();
    medians.sort_by(|one, other| one.0.total_cmp(&other.0));
    let usual = medians.get(medians.len() / 2).map_or(0.0, |usual| usual.0);
    medians.last().map_or_else(String::new, |(median, second, longest, count)| {
        format!("at {second} s {count} calls took {median:.1} ms in the median, {longest:.1} ms at most; usually {usual:.1} ms")
    })
}

/// Calls per second by who answered, with the events, and below them who was foretold to answer.
fn draw(path: &Path, calls: &Calls, foretold: &Foretold) -> Result<(), Box<dyn std::error::Error>> {
    let seconds = LENGTH.as_secs();
    let counts = |is_so: &dyn Fn(&Seen) -> bool| -> Points {
        let mut counts = vec![0.0; usize::try_from(seconds).unwrap_or_default()];
        for seen in calls.0.iter().filter(|seen| is_so(seen)) {
            if let Some(count) = usize::try_from(seen.at.as_secs()).ok().and_then(|second| counts.get_mut(second)) {
                *count += 1.0;
            }
        }
        (0..).zip(counts).map(|(second, count)| (f64::from(second) + 0.5, count)).collect()
    };
    let lines: [(&str, RGBColor, Points); 4] = [
        ("east, local", RGBColor(0, 114, 178), counts(&|seen| seen.is_served() && seen.by == "east")),
        ("north, first in order", RGBColor(0, 158, 115), counts(&|seen| seen.is_served() && seen.by == "north")),
        ("west, second", RGBColor(230, 159, 0), counts(&|seen| seen.is_served() && seen.by == "west")),
        ("errors", RGBColor(213, 0, 0), counts(&|seen| !seen.is_served())),
    ];
    let most = lines.iter().flat_map(|(_, _, points)| points).map(|(_, count)| *count).fold(1.0, f64::max);
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    let root = SVGBackend::new(path, (960, 520)).into_drawing_area();
    root.fill(&WHITE)?;
    let (above, below) = root.split_vertically(420);
    draw_foretold(&below, foretold, &lines.each_ref().map(|(name, color, _)| (*name, *color)))?;
    let length = LENGTH.as_secs_f64();
    let mut chart = ChartBuilder::on(&above)
        .margin(12)
        .x_label_area_size(40)
        .y_label_area_size(48)
        .build_cartesian_2d(0.0..length, 0.0..most * 1.35)?;
    chart
        .configure_mesh()
        .disable_x_mesh()
        .max_light_lines(1)
        .x_label_formatter(&|second| format!("{second:.0}"))
        .y_label_formatter(&|count| format!("{count:.0}"))
        .x_desc("seconds")
        .y_desc("requests of east's client per second")
        .draw()?;
    for (row, event) in (0_u32..).zip(&EVENTS[1..]) {
        let at = Duration::from_secs(event.at).as_secs_f64();
        let height = most * (1.30 - 0.07 * f64::from(row));
        chart.draw_series(LineSeries::new([(at, 0.0), (at, height)], BLACK.mix(0.4)))?;
        chart.draw_series([Text::new(event.what, (at + 0.6, height), ("sans-serif", 14))])?;
    }
    for (name, color, points) in lines {
        let series = chart.draw_series(LineSeries::new(points, color.stroke_width(2)))?;
        series.label(name).legend(move |(x, y)| PathElement::new([(x, y), (x + 18, y)], color.stroke_width(2)));
    }
    chart
        .configure_series_labels()
        // between the times of the events and of the way back, below the lines
        .position(SeriesLabelPosition::Coordinate(560, 150))
        .background_style(WHITE.mix(0.8))
        .border_style(BLACK.mix(0.3))
        .draw()?;
    root.present()?;
    Ok(())
}

/// A bar for each time between events: who was foretold to answer, with which share.
fn draw_foretold(
    area: &DrawingArea<SVGBackend<'_>, plotters::coord::Shift>,
    foretold: &Foretold,
    lines: &[(&str, RGBColor)],
) -> Result<(), Box<dyn std::error::Error>> {
    let mut chart = ChartBuilder::on(area)
        .margin_left(12)
        .margin_right(12)
        .margin_bottom(12)
        .x_label_area_size(24)
        .y_label_area_size(48)
        .build_cartesian_2d(0.0..LENGTH.as_secs_f64(), 0.0..100.0)?;
    chart.configure_mesh().disable_mesh().disable_axes().draw()?;
    for (index, shares) in foretold.iter().enumerate() {
        let [from, to] = [EVENTS[index].at, end_of(index)].map(|second| Duration::from_secs(second).as_secs_f64());
        let mut height = 0.0;
        for (cluster, share) in shares.iter().filter(|(_, share)| **share > 0.0) {
            let line = lines.iter().find(|(name, _)| name.split(',').next() == Some(cluster.as_str()));
            let color = line.map_or(BLACK, |(_, color)| *color);
            chart.draw_series([Rectangle::new([(from, height), (to, height + share)], color.mix(0.55).filled())])?;
            let text = format!("{cluster} {share:.0} %");
            chart.draw_series([Text::new(text, (from + 0.6, height + share / 2.0 + 8.0), ("sans-serif", 13))])?;
            height += share;
        }
        chart.draw_series([Rectangle::new([(from, 0.0), (to, 100.0)], BLACK.mix(0.4))])?;
    }
    area.draw(&Text::new("foretold by the table, from the plan", (60, 80), ("sans-serif", 14)))?;
    Ok(())
}
