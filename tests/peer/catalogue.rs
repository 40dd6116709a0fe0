//! The fields that both programs have.

use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};

use crate::records::{Extent, Program};

/// Fields with arguments that are looked at besides those without.
const WITH_ARGUMENTS: [&str; 30] = [
    "proc.aname[0]",
    "proc.aname[1]",
    "proc.aname[2]",
    "proc.aname[3]",
    "proc.apid[0]",
    "proc.apid[1]",
    "proc.apid[2]",
    "evt.arg[0]",
    "evt.arg[1]",
    "evt.arg[2]",
    "evt.arg.res",
    "evt.arg.fd",
    "evt.arg.name",
    "evt.arg.path",
    "evt.arg.flags",
    "evt.arg.mode",
    "evt.arg.data",
    "evt.arg.addr",
    "evt.arg.tuple",
    "evt.arg.uid",
    "evt.arg.next",
    "evt.rawarg.res",
    "evt.abspath.src",
    "evt.abspath.dst",
    "thread.cgroup.cpu",
    "thread.cgroup.cpuset",
    "thread.cgroup.memory",
    "container.mount[0]",
    "container.mount.source[0]",
    "container.mount.dest[0]",
];

/// The fields that `sysdig -l` lists.
pub fn listed() -> Result<Vec<String>> {
    let output = Command::new("sysdig").arg("-l").stdin(Stdio::null()).output().context("sysdig -l")?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let name = |line: &str| {
        let name = line.split_whitespace().next()?;
        let is_name =
            name.contains('.') && name.chars().all(|c| c.is_ascii_lowercase() || "._0123456789".contains(c));
        (line.starts_with(name) && is_name).then(|| name.to_string())
    };
    let mut names: Vec<String> = text.lines().filter_map(name).collect();
    names.dedup();
    ensure!(names.len() > 200, "sysdig lists {} fields only", names.len());
    Ok(names)
}

/// The fields that sysdig prints, without an argument where it can be left out. Tracer must print them, too.
pub fn printed(capture: &Path) -> Result<Vec<String>> {
    let mut names = listed()?;
    names.extend(WITH_ARGUMENTS.map(str::to_string));
    let mut printed = Vec::new();
    for name in names {
        let accepts = |program: Program| {
            let format = format!("*%{name}|");
            let output =
                program.reading(capture)?.args(Extent::Beginning.options()).args(["-p", &format]).output()?;
            // A field that needs an argument is printed with its own name behind it when a text follows.
            let is_whole = !String::from_utf8_lossy(&output.stdout).contains(&name);
            anyhow::Ok(output.status.success() && is_whole)
        };
        if accepts(Program::Sysdig)? {
            ensure!(accepts(Program::Tracer)?, "tracer does not print %{name}");
            printed.push(name);
        }
    }
    Ok(printed)
}

/// A field that filters can name.
pub struct Filtered {
    /// With its argument, if it needs one.
    pub name: String,
    /// The name of its type, such as `UINT64`.
    pub ty: String,
    pub operators: Vec<String>,
    /// The printed field that has values to compare with.
    pub values_of: String,
    /// The printed fields that decide.
    pub basis: Vec<String>,
}

/// Fields that are not printed, or not without an argument: name, one of the same type, where values come from, what
/// decides.
const NOT_PRINTED: [(&str, &str, &str, &str); 17] = [
    ("fd.ip", "fd.ip", "fd.cip", "fd.cip fd.sip"),
    ("fd.port", "fd.port", "fd.sport", "fd.cport fd.sport"),
    ("fd.proto", "fd.proto", "fd.cport", "fd.cport fd.sport"),
    ("fd.net", "fd.net", "fd.sip", "fd.cip fd.sip"),
    ("fd.cnet", "fd.cnet", "fd.cip", "fd.cip"),
    ("fd.snet", "fd.snet", "fd.sip", "fd.sip"),
    ("fd.lnet", "fd.lnet", "fd.lip", "fd.lip"),
    ("fd.rnet", "fd.rnet", "fd.rip", "fd.rip"),
    ("proc.aname", "proc.name", "proc.aname[1]", "proc.aname[1] proc.aname[2] proc.aname[3]"),
    ("proc.apid", "proc.pid", "proc.apid[1]", "proc.apid[1] proc.apid[2]"),
    ("proc.aname[2]", "proc.name", "proc.aname[2]", "proc.aname[2]"),
    ("evt.arg.name", "proc.name", "evt.arg.name", "evt.arg.name"),
    ("evt.arg.flags", "proc.name", "evt.arg.flags", "evt.arg.flags"),
    ("evt.arg.path", "proc.name", "evt.arg.path", "evt.arg.path"),
    ("evt.rawarg.res", "proc.pid", "evt.rawarg.res", "evt.rawarg.res"),
    ("evt.rawarg.fd", "proc.pid", "fd.num", "evt.args"),
    ("evt.type.is.open", "evt.type.is", "evt.cpu", "evt.type"),
];

/// The fields that both programs list and filter by.
pub fn filtered() -> Result<Vec<Filtered>> {
    let output =
        Command::new(tracer_tests::tracer::binary()?).args(["-l", "-j"]).output().context("tracer -l")?;
    let rows: Vec<serde_json::Value> = String::from_utf8_lossy(&output.stdout)
        .lines()
        .map(serde_json::from_str)
        .collect::<Result<_, _>>()
        .context("tracer -l -j")?;
    let row = |name: &str| rows.iter().find(|row| row["name"] == name);
    let field = |name: &str, like: &serde_json::Value, values_of: &str, basis: &str| {
        let operators = like["operators"].as_array().into_iter().flatten();
        Some(Filtered {
            name: name.to_string(),
            ty: like["type"].as_str()?.to_string(),
            operators: operators.filter_map(|op| op.as_str().map(str::to_string)).collect(),
            values_of: values_of.to_string(),
            basis: basis.split(' ').map(str::to_string).collect(),
        })
    };
    let plain = listed()?.into_iter().filter_map(|name| {
        let row = row(&name)?;
        let is_plain = row["argument"] != "required" && row["filter_only"] == false;
        let is_special = NOT_PRINTED.iter().any(|(special, ..)| *special == name);
        if is_plain && !is_special { field(&name, row, &name, &name) } else { None }
    });
    let special = NOT_PRINTED
        .iter()
        .filter_map(|(name, like, values_of, basis)| field(name, row(like)?, values_of, basis));
    Ok(plain.chain(special).collect())
}
