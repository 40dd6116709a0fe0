//! `tracer doctor`: what works on this machine, and what to do about the rest.

use crate::live::{self, Check};
use std::io::{self, Write};
use std::process::ExitCode;

/// Prints the table; the exit status says whether tracing works.
pub fn main() -> ExitCode {
    let report = live::doctor();
    // Nobody there to read it: the status still tells.
    let _ = write(&report.checks, &mut io::stdout().lock());
    if report.can_trace { ExitCode::SUCCESS } else { ExitCode::FAILURE }
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
