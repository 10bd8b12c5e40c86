//! Log lines in hclog's JSON form on stderr, where cores sort them by level.
//!
//! Invariants, each of which would break the host otherwise: `@message` and `@level` are
//! strings, `@timestamp` has exactly hclog's form, a line stays below 64 KiB.
//!
//! Events of the transport libraries are kept at `warn`: below that they print message
//! bytes, which may hold secrets.

use std::error::Error;
use std::fmt;
use std::io::Write as _;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Map, Value};
use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::filter::{Targets, filter_fn};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt as _};
use tracing_subscriber::registry::LookupSpan;

/// Without any variable. Cores drop the output then; a terminal in debug mode shows it.
const DEFAULT_LEVEL: LevelFilter = LevelFilter::WARN;

/// Libraries that print message bytes at finer levels.
const NOISY: [&str; 8] = ["h2", "hyper", "hyper_util", "rustls", "tokio_util", "tonic", "tower", "tower_http"];

/// Longest text of one member, in bytes. JSON may make it six times as long.
const MAX_TEXT_BYTES: usize = 8 << 10;

/// Longest line, in bytes; hosts read up to 64 KiB.
const MAX_LINE_BYTES: usize = 60 << 10;

/// Makes `tracing` write to stderr for the rest of the process. Does nothing when a
/// subscriber is set already (tests).
pub(super) fn install(provider: &str) {
    let level = level(provider, |name| std::env::var(name).ok());
    let quiet = NOISY.map(|target| (target, level.min(LevelFilter::WARN)));
    let filter = Targets::new().with_default(level).with_targets(quiet);
    // spans carry what a warning is about, so they are kept whatever the level of events
    let filter = filter_fn(move |metadata| {
        let (span, level) = (metadata.is_span(), metadata.level());
        (span && *level <= Level::INFO) || filter.would_enable(metadata.target(), level)
    });
    let layer = HclogLayer.with_filter(filter.with_max_level_hint(level.max(LevelFilter::INFO)));
    let _ = tracing::subscriber::set_global_default(tracing_subscriber::registry().with(layer));
}

/// The level that the variables ask for: the provider's own, then that of all providers,
/// then that of everything. An unknown word means everything, as in the cores.
fn level(provider: &str, variable: impl Fn(&str) -> Option<String>) -> LevelFilter {
    let own = format!("TF_LOG_PROVIDER_{}", provider.to_ascii_uppercase());
    let word = [own.as_str(), "TF_LOG_PROVIDER", "TF_LOG"].into_iter().filter_map(variable).find(|word| !word.is_empty());
    let Some(word) = word else {
        return DEFAULT_LEVEL;
    };
    match word.to_ascii_uppercase().as_str() {
        "OFF" => LevelFilter::OFF,
        "ERROR" => LevelFilter::ERROR,
        "WARN" => LevelFilter::WARN,
        "INFO" => LevelFilter::INFO,
        "DEBUG" => LevelFilter::DEBUG,
        // "JSON" asks for everything, in the form that is used here anyway
        _ => LevelFilter::TRACE,
    }
}

struct HclogLayer;

/// Members of a span, kept with it.
struct SpanMembers(Map<String, Value>);

impl<S> Layer<S> for HclogLayer
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        if let Some(span) = context.span(id) {
            let mut members = Members::default();
            attributes.record(&mut members);
            span.extensions_mut().insert(SpanMembers(members.others));
        }
    }

    fn on_record(&self, id: &Id, record: &Record<'_>, context: Context<'_, S>) {
        if let Some(span) = context.span(id) {
            let mut members = Members::default();
            record.record(&mut members);
            if let Some(known) = span.extensions_mut().get_mut::<SpanMembers>() {
                known.0.extend(members.others);
            }
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let mut members = Members::default();
        for span in context.event_scope(event).into_iter().flatten() {
            if let Some(known) = span.extensions().get::<SpanMembers>() {
                // spans come innermost first, and the innermost value counts
                for (name, value) in &known.0 {
                    let slot = members.others.entry(name.clone());
                    slot.or_insert_with(|| value.clone());
                }
            }
        }
        event.record(&mut members);
        let metadata = event.metadata();
        let mut line = line(*metadata.level(), metadata.target(), members, SystemTime::now());
        line.push('\n');
        // nothing to be done when stderr is gone
        let _ = std::io::stderr().lock().write_all(line.as_bytes());
    }
}

/// One line without its end.
fn line(level: Level, module: &str, members: Members, now: SystemTime) -> String {
    let Members { message, others } = members;
    let mut entry = Map::new();
    let mut set = |name: &str, text: String| entry.insert(name.to_owned(), Value::String(text));
    set("@level", level.as_str().to_ascii_lowercase());
    set("@message", cut(message));
    set("@module", cut(module.to_owned()));
    set("@timestamp", timestamp(now));
    let full = {
        let mut entry = entry.clone();
        entry.extend(others);
        Value::Object(entry).to_string()
    };
    if full.len() <= MAX_LINE_BYTES {
        return full;
    }
    entry.insert("truncated".to_owned(), Value::Bool(true));
    Value::Object(entry).to_string()
}

/// The text, or its beginning and how much is missing.
fn cut(mut text: String) -> String {
    if text.len() > MAX_TEXT_BYTES {
        let end = text.floor_char_boundary(MAX_TEXT_BYTES);
        let missing = text.len() - end;
        text.truncate(end);
        text.push_str(&format!("… ({missing} bytes more)"));
    }
    text
}

/// UTC in the form `2006-01-02T15:04:05.000000Z`.
fn timestamp(now: SystemTime) -> String {
    let since = now.duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    let (day, second) = (since.as_secs() / 86_400, since.as_secs() % 86_400);
    // days since 1970 to a civil date, in eras of 400 years that begin on 1 March
    let shifted = day + 719_468;
    let (era, of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * of_year + 2) / 153;
    let day_of_month = of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = (month_from_march + 2) % 12 + 1;
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    format!(
        "{year:04}-{month:02}-{day_of_month:02}T{:02}:{:02}:{:02}.{:06}Z",
        second / 3_600,
        second / 60 % 60,
        second % 60,
        since.subsec_micros()
    )
}

/// Members of one event or span.
#[derive(Default)]
struct Members {
    message: String,
    others: Map<String, Value>,
}

impl Members {
    fn set(&mut self, field: &Field, value: Value) {
        match (field.name(), value) {
            ("message", Value::String(text)) => self.message = text,
            ("message", other) => self.message = other.to_string(),
            (name, Value::String(text)) => {
                self.others.insert(name.to_owned(), cut(text).into());
            }
            (name, other) => {
                self.others.insert(name.to_owned(), other);
            }
        }
    }
}

impl Visit for Members {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.set(field, format!("{value:?}").into());
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.set(field, value.into());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.set(field, value.into());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.set(field, value.into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.set(field, value.into());
    }

    fn record_error(&mut self, field: &Field, value: &(dyn Error + 'static)) {
        let mut text = value.to_string();
        let mut cause = value.source();
        while let Some(error) = cause {
            text.push_str(&format!(": {error}"));
            cause = error.source();
        }
        self.set(field, text.into());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64, micros: u32) -> SystemTime {
        UNIX_EPOCH + Duration::new(seconds, micros * 1_000)
    }

    #[test]
    fn timestamps_have_hclogs_form() {
        for (seconds, micros, text) in [
            (0, 0, "1970-01-01T00:00:00.000000Z"),
            (951_782_399, 7, "2000-02-28T23:59:59.000007Z"),
            (951_782_400, 0, "2000-02-29T00:00:00.000000Z"),
            (1_136_214_245, 999_999, "2006-01-02T15:04:05.999999Z"),
            (1_709_164_800, 0, "2024-02-29T00:00:00.000000Z"),
            (4_107_542_400, 0, "2100-03-01T00:00:00.000000Z"),
        ] {
            assert_eq!(timestamp(at(seconds, micros)), text);
        }
    }

    #[test]
    fn the_nearest_variable_counts() {
        let level_of = |pairs: &[(&str, &str)]| {
            level("gloo", |name| {
                let (_, word) = pairs.iter().find(|(key, _)| *key == name)?;
                Some((*word).to_owned())
            })
        };
        assert_eq!(level_of(&[]), LevelFilter::WARN);
        assert_eq!(level_of(&[("TF_LOG", "debug")]), LevelFilter::DEBUG);
        assert_eq!(level_of(&[("TF_LOG", "JSON")]), LevelFilter::TRACE);
        assert_eq!(level_of(&[("TF_LOG", "loud")]), LevelFilter::TRACE);
        assert_eq!(level_of(&[("TF_LOG", "TRACE"), ("TF_LOG_PROVIDER", "error")]), LevelFilter::ERROR);
        assert_eq!(level_of(&[("TF_LOG_PROVIDER", "TRACE"), ("TF_LOG_PROVIDER_GLOO", "INFO")]), LevelFilter::INFO);
        assert_eq!(level_of(&[("TF_LOG_PROVIDER_GLOO", ""), ("TF_LOG_PROVIDER", "OFF")]), LevelFilter::OFF);
    }

    #[test]
    fn a_line_is_one_json_object_of_hclogs_members() {
        let members =
            Members { message: "two\nlines".to_owned(), others: Map::from_iter([("port".to_owned(), Value::from(15_443))]) };
        assert_eq!(
            line(Level::WARN, "gloo::apply", members, at(0, 1)),
            r#"{"@level":"warn","@message":"two\nlines","@module":"gloo::apply","@timestamp":"1970-01-01T00:00:00.000001Z","port":15443}"#
        );
    }

    #[test]
    fn no_line_reaches_the_hosts_limit() {
        // control characters take six bytes each in JSON
        let long = "\u{1}".repeat(200_000);
        let mut members = Members { message: long.clone(), ..Members::default() };
        for index in 0..20 {
            members.others.insert(index.to_string(), cut(long.clone()).into());
        }
        let line = line(Level::INFO, "m", members, at(0, 0));
        assert!(line.len() < (64 << 10), "{}", line.len());
        let entry: Value = serde_json::from_str(&line).expect("still JSON");
        assert_eq!(entry["truncated"], true);
        assert!(entry["@message"].is_string());
    }

    #[test]
    fn texts_are_cut_between_characters() {
        let text = cut("€".repeat(MAX_TEXT_BYTES));
        assert!(text.ends_with("bytes more)") && text.len() < MAX_TEXT_BYTES + 40);
    }
}
