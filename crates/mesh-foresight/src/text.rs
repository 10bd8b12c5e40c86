//! A table as text of fixed width.

use std::fmt;

use crate::envoy::Tries;
use crate::forecast::Forecast;
use crate::table::{Client, Row, Table};
use crate::words::printable;

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host, port, clients } = self;
        let mut lines = vec![["calls from", "when", "who serves", "the first requests"].map(str::to_owned)];
        for client in clients {
            let Client { cluster, order: _, ejection: _, rows } = client;
            for (position, row) in rows.iter().enumerate() {
                let name = if position == 0 { cluster.to_string() } else { String::new() };
                lines.push([name, row.situation.to_string(), row.forecast.summary(), first(row)]);
            }
        }
        writeln!(f, "{}:{port}", printable(host))?;
        let width = |column: usize| lines.iter().map(|line| line[column].chars().count()).max().unwrap_or(0);
        let widths = [width(0), width(1), width(2)];
        for (position, line) in lines.iter().enumerate() {
            // clients are set apart
            if position == 1 || (position > 1 && !line[0].is_empty()) {
                writeln!(f)?;
            }
            let [client, when, who, first] = line;
            let [one, two, three] = widths;
            let text = format!("{client:one$}  {when:two$}  {who:three$}  {first}");
            writeln!(f, "{}", text.trim_end())?;
        }
        for client in clients {
            let Client { cluster, ejection, .. } = client;
            if !ejection.is_enough() {
                let (most, all, before) = (ejection.most, ejection.endpoints, ejection.before_last);
                write!(
                    f,
                    "\n{cluster}: at most {most} of {all} endpoints are ejected at a time, and {before} come before the last rank.\n"
                )?;
            }
        }
        Ok(())
    }
}

/// What becomes of requests before anything is ejected.
fn first(row: &Row) -> String {
    let Forecast::Routed(routed) = &row.forecast else { return String::new() };
    match (&routed.first, &row.others) {
        (safe, others) if safe == others => safe.to_string(),
        (safe @ (Tries::Clean | Tries::Repeated), others) => format!("GET {safe}; POST {others}"),
        (safe, _) => safe.to_string(),
    }
}
