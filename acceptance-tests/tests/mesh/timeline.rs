//! A failover and a recovery with the defaults, second by second: what the guide shows.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

use plotters::prelude::*;
use rig::mesh::traffic::{Calls, Seen};

use crate::changes::Case;
use crate::check::{errors_at_most, until_by, until_served};
use crate::config::{HOST, destination};
use crate::live::Stage;

/// Its name, and what plays it.
pub const CASE: Case = ("timeline", timeline);

/// Where its picture is, below the workspace.
pub const PICTURE: &str = "docs/images/failover.svg";

const LENGTH: Duration = Duration::from_secs(120);

type Act = fn(&Stage);

/// Second and count.
type Points = Vec<(f64, f64)>;

/// What happens, and when.
const EVENTS: [(u64, &str, Act); 4] = [
    (10, "application of east dies", |stage| stage.mesh.fleet().backend("east").die()),
    (25, "gateway of north dies", |stage| stage.mesh.fleet().proxy("north/istio-eastwestgateway").kill().expect("it runs")),
    (45, "gateway of north is back", |stage| {
        stage.mesh.fleet().proxy("north/istio-eastwestgateway").heal().expect("it starts again");
    }),
    (65, "application of east is back", |stage| stage.mesh.fleet().backend("east").revive().expect("its address is free")),
];

fn timeline(stage: &Stage) {
    let order = "  failover = { order = [\"north\", \"west\"] }\n";
    let world = stage.applied(&destination(&["east", "west", "north"], order));
    until_served(stage.mesh.fleet(), "east");
    stage.settle();
    until_by(&stage.mesh.fleet().traffic("east", HOST), "east");
    let (start, traffic) = (Instant::now(), stage.mesh.fleet().traffic("east", HOST));
    for (second, what, act) in EVENTS {
        // the picture has a clock
        std::thread::sleep(Duration::from_secs(second).saturating_sub(start.elapsed()));
        let mark = traffic.mark();
        act(stage);
        stage.figures.note(&format!("{second} s"), format!("{what} after {mark} calls"));
    }
    // up to the end of its axis
    std::thread::sleep(LENGTH.saturating_sub(start.elapsed()));
    let calls = traffic.all();
    drop(traffic);
    stage.figures.note("all of it", &calls);
    stage.figures.note("served by", changes(&calls));
    stage.figures.note("slowest", slowest(&calls));
    errors_at_most(&calls, calls.0.len() / 100, "in all of it");
    if stage.is_recorded {
        let path = stage.rig.root.join(PICTURE);
        draw(&path, &calls).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
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

/// Calls per second by who answered, with the events.
fn draw(path: &Path, calls: &Calls) -> Result<(), Box<dyn std::error::Error>> {
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
    let root = SVGBackend::new(path, (960, 420)).into_drawing_area();
    root.fill(&WHITE)?;
    let length = LENGTH.as_secs_f64();
    let mut chart = ChartBuilder::on(&root)
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
    for (row, (second, what, _)) in (0_u32..).zip(EVENTS) {
        let at = Duration::from_secs(second).as_secs_f64();
        let height = most * (1.30 - 0.07 * f64::from(row));
        chart.draw_series(LineSeries::new([(at, 0.0), (at, height)], BLACK.mix(0.4)))?;
        chart.draw_series([Text::new(what, (at + 0.6, height), ("sans-serif", 14))])?;
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
