//! `tracer doctor`: what works on this machine, and what to do about the rest.

use crate::container::{Sockets, doctor};
use crate::live::{self, Check};
use std::io::{self, Write};
use std::process::ExitCode;

/// Prints the table; the exit status says whether tracing works.
pub fn main() -> ExitCode {
    let mut report = live::doctor();
    report.checks.extend(containers());
    // Nobody there to read it: the status still tells.
    let _ = write(&report.checks, &mut io::stdout().lock());
    if report.can_trace { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Where names of containers come from.
fn containers() -> Vec<Check> {
    let said = Sockets { cri: None, docker_host: std::env::var("DOCKER_HOST").ok() };
    let places = doctor::places(&said);
    if places.is_empty() {
        let detail = "no engine is here: no sockets, no files".to_owned();
        return vec![Check { name: "containers".into(), ok: true, detail, fix: None }];
    }
    let check = |place: doctor::Place| Check {
        name: "containers".into(),
        ok: place.trouble.is_none(),
        detail: match place.trouble {
            None => format!("{}: {}", place.what, place.path.display()),
            Some(why) => format!("{}: no access to {}: {why}", place.what, place.path.display()),
        },
        fix: None,
    };
    places.into_iter().map(check).collect()
}

fn write(checks: &[Check], out: &mut dyn Write) -> io::Result<()> {
    let name_width = checks.iter().map(|check| check.name.chars().count()).max().unwrap_or(0);
    for check in checks {
        let state = if check.ok { "ok" } else { "missing" };
        let line = format!("{:name_width$}  {state:7}  {}", check.name, check.detail);
        writeln!(out, "{}", line.trim_end())?;
        if let Some(fix) = &check.fix {
            writeln!(out, "{:name_width$}           → {fix}", "")?;
        }
    }
    Ok(())
}
