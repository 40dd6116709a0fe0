//! System calls of both x86 tables and the names of codes, errors and signals.

use std::fmt::Write as _;
use std::path::Path;

use anyhow::{Context as _, ensure};

use super::events::Ids;
use super::rows::{dense, tsv};

pub fn write(data: &Path, ids: &Ids, out: &mut String) -> anyhow::Result<()> {
    writeln!(
        out,
        "const fn s(name: &'static str, code: u16, enter: EventType, exit: EventType) -> Option<SyscallInfo> {{
            Some(SyscallInfo {{ name, code, enter, exit }})
        }}"
    )?;
    calls(data, ids, "syscalls_x86_64.tsv", "SYSCALLS_X86_64", "the x86_64 table", out)?;
    calls(data, ids, "syscalls_ia32.tsv", "SYSCALLS_IA32", "the i386 table", out)?;
    names(
        data,
        "syscall_codes.tsv",
        "SYSCALL_NAMES",
        "Names of system calls by the schema's own code ([`SyscallInfo::code`]).",
        out,
    )?;
    names(data, "errno.tsv", "ERRNO_NAMES", "Names of errors by `errno`.", out)?;
    names(data, "signals.tsv", "SIGNAL_NAMES", "Names of signals by number.", out)
}

fn calls(
    data: &Path,
    ids: &Ids,
    file: &str,
    constant: &str,
    what: &str,
    out: &mut String,
) -> anyhow::Result<()> {
    let mut rows = Vec::new();
    for [number, name, code, enter, exit] in tsv::<5>(data, file)? {
        for event in [&enter, &exit] {
            ensure!(ids.contains_key(event), "data/{file}: {name}: no event {event}");
        }
        let code: u16 = code.parse().with_context(|| format!("data/{file}: {name}"))?;
        let number: usize = number.parse().with_context(|| format!("data/{file}: {name}"))?;
        rows.push((number, format!("s({name:?}, {code}, EventType::{enter}, EventType::{exit})")));
    }
    writeln!(out, "/// System calls by their number in {what} of the kernel.")?;
    writeln!(out, "pub static {constant}: &[Option<SyscallInfo>] = &[")?;
    for row in dense(rows) {
        writeln!(out, "{},", row.as_deref().unwrap_or("None"))?;
    }
    writeln!(out, "];\n")?;
    Ok(())
}

fn names(data: &Path, file: &str, constant: &str, doc: &str, out: &mut String) -> anyhow::Result<()> {
    let mut rows = Vec::new();
    for [number, name] in tsv::<2>(data, file)? {
        rows.push((number.parse().with_context(|| format!("data/{file}: {name}"))?, name));
    }
    writeln!(out, "/// {doc}\npub static {constant}: &[Option<&str>] = &[")?;
    for row in dense(rows) {
        match row {
            Some(name) => writeln!(out, "Some({name:?}),")?,
            None => writeln!(out, "None,")?,
        }
    }
    writeln!(out, "];\n")?;
    Ok(())
}
