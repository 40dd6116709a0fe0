//! `data/live.tsv` as the table of live sources: for each call the pieces of memory it needs and
//! how its parameters are made of them.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use anyhow::{Context as _, bail, ensure};
use serde::Deserialize;

use super::events::Ids;
use super::live_expr::{Expr, parse};
use super::live_piece::{Pieces, When};
use super::rows::{camel, json};

#[derive(Deserialize)]
struct Event {
    id: String,
    params: Vec<Param>,
}

#[derive(Deserialize)]
struct Param {
    name: String,
    #[serde(rename = "type")]
    ty: String,
}

/// The rows of a pair of events.
#[derive(Default)]
struct Pair {
    pieces: Pieces,
    enter: Option<Vec<String>>,
    exit: Option<Vec<String>>,
    /// Argument words that are looked at.
    args: u8,
}

pub fn write(data: &Path, ids: &Ids, out: &mut String) -> anyhow::Result<()> {
    let events: Vec<Event> = json(data, "events.json")?;
    let by_id: HashMap<&str, &Event> = events.iter().map(|e| (e.id.as_str(), e)).collect();
    let text = fs::read_to_string(data.join("live.tsv")).context("cannot read data/live.tsv")?;
    let mut pairs: BTreeMap<usize, Pair> = BTreeMap::new();
    for (i, line) in text.lines().enumerate().filter(|(_, l)| !l.starts_with('#')) {
        let at = || format!("data/live.tsv:{}", i + 1);
        let mut columns = line.split('\t');
        let id = columns.next().unwrap_or_default();
        let event = *by_id.get(id).with_context(|| format!("{}: no event {id}", at()))?;
        let code = *ids.get(id).with_context(at)?;
        let pair = pairs.entry(code / 2).or_default();
        let enter = code % 2 == 0;
        let row = row(pair, event, columns, enter).with_context(|| format!("{}: {id}", at()))?;
        let place = if enter { &mut pair.enter } else { &mut pair.exit };
        ensure!(place.replace(row).is_none(), "{}: {id} is there twice", at());
    }

    writeln!(out, "//! Where the parameters of live events come from.\n")?;
    writeln!(out, "use super::ops::Int::{{I32, U16, U32, U64}};")?;
    writeln!(out, "use super::ops::WaitPart;")?;
    writeln!(out, "use super::ops::table::*;\n")?;
    writeln!(out, "/// By event code divided by two: both events of a call share an entry.")?;
    writeln!(out, "pub(super) static SOURCES: &[Option<CallSource>] = &[")?;
    for half in 0..ids.len().div_ceil(2) {
        let Some(pair) = pairs.get(&half) else {
            writeln!(out, "None,")?;
            continue;
        };
        let named = || events.get(half * 2).map_or("", |e| e.id.as_str()).to_owned();
        let numbers = pair.pieces.numbers().with_context(named)?;
        writeln!(out, "Some(CallSource {{ args: {}, pieces: &[", pair.args)?;
        pair.pieces.write(out)?;
        for (field, row) in [("enter", &pair.enter), ("exit", &pair.exit)] {
            writeln!(out, "], {field}: &[")?;
            for param in row.iter().flatten() {
                writeln!(out, "{},", numbers.resolve(param))?;
            }
        }
        writeln!(out, "] }}),")?;
    }
    writeln!(out, "];")?;
    Ok(())
}

fn row<'t>(
    pair: &mut Pair,
    event: &Event,
    columns: impl Iterator<Item = &'t str>,
    enter: bool,
) -> anyhow::Result<Vec<String>> {
    let columns: Vec<&str> = columns.collect();
    ensure!(
        columns.len() == event.params.len(),
        "{} parameters where the schema has {}",
        columns.len(),
        event.params.len()
    );
    let mut row = Vec::new();
    for (column, param) in columns.iter().zip(&event.params) {
        let (name, source) = column.split_once('=').context("name=source is wanted")?;
        ensure!(name == param.name, "{name} where the schema has {}", param.name);
        let (source, when) = match source.split_once('@') {
            _ if enter => (source, When::Enter),
            None => (source, When::Exit),
            Some((source, "ok")) => (source, When::Success),
            Some((source, "fail")) => (source, When::Failure),
            Some((_, other)) => bail!("{name}: @{other} is not known"),
        };
        let mut writer = Writer { pair: &mut *pair, when };
        let expr = parse(source).with_context(|| name.to_owned())?;
        let (op, is_number) = writer.op(&expr).with_context(|| name.to_owned())?;
        let width = width(&param.ty);
        ensure!(is_number.is_none_or(|n| n == (width > 0)), "{name}: {source} is no {}", param.ty);
        row.push(format!("p({op}, {width})"));
    }
    Ok(row)
}

/// Bytes of a number of this schema type, 0 of what is no number.
fn width(ty: &str) -> u8 {
    match ty {
        "INT8" | "UINT8" | "FLAGS8" | "ENUMFLAGS8" | "SIGTYPE" => 1,
        "INT16" | "UINT16" | "FLAGS16" | "ENUMFLAGS16" | "SYSCALLID" => 2,
        "INT32" | "UINT32" | "FLAGS32" | "ENUMFLAGS32" | "UID" | "GID" | "MODE" | "SIGSET" => 4,
        "INT64" | "UINT64" | "ERRNO" | "FD" | "PID" | "RELTIME" | "ABSTIME" => 8,
        _ => 0,
    }
}

/// Arguments that each condition looks at.
const CONDITIONS: &[(&str, u8)] = &[
    ("failed", 0),
    ("connected", 0),
    ("fsconfig_text", 2),
    ("fsconfig_bytes", 2),
    ("keyctl_text1", 1),
    ("keyctl_text2", 1),
    ("keyctl_text3", 1),
    ("prctl_name", 1),
    ("prctl_reaper", 1),
    ("ptrace_signal", 1),
    ("ptrace_peek", 1),
    ("quota_on", 1),
    ("quota_block", 1),
    ("quota_info", 1),
    ("quota_format", 1),
    ("quota_id", 1),
    ("sem_setval", 3),
];

/// 64-bit fields of the structures in records; all others have 32 bits.
const WIDE: &[&str] = &[
    "ino",
    "major_faults",
    "minor_faults",
    "fd_limit",
    "cap_inheritable",
    "cap_permitted",
    "cap_effective",
    "exe_ino",
    "exe_ctime",
    "exe_mtime",
    "pidns_start",
];

struct Writer<'p> {
    pair: &'p mut Pair,
    when: When,
}

impl Writer<'_> {
    /// The argument number in `arg2`; the record must then carry it.
    fn arg(&mut self, word: &str) -> anyhow::Result<u8> {
        let n = super::live_piece::argument(word)?;
        self.pair.args = self.pair.args.max(n + 1);
        Ok(n)
    }

    /// The piece for an expression that names memory.
    fn piece(&mut self, name: &str, operands: &[Expr]) -> anyhow::Result<String> {
        self.pair.pieces.need(name, operands, self.when)
    }

    fn piece_of(&mut self, expr: &Expr) -> anyhow::Result<String> {
        let (name, operands) = expr.parts();
        self.piece(name, operands)
    }

    /// The operation, and whether it yields a number (`None`: either).
    fn op(&mut self, expr: &Expr) -> anyhow::Result<(String, Option<bool>)> {
        let (name, operands) = expr.parts();
        let bytes = |text: String| Ok((text, Some(false)));
        let number = |text: String| Ok((text, Some(true)));
        match (name, operands) {
            ("none", []) => Ok(("Op::Empty".into(), None)),
            ("if", [condition, rest @ ..]) if matches!(rest.len(), 1 | 2) => {
                let condition = condition.atom()?;
                let (_, args) = *CONDITIONS
                    .iter()
                    .find(|(n, _)| *n == condition)
                    .with_context(|| format!("no condition {condition}"))?;
                self.pair.args = self.pair.args.max(args);
                // What is taken for failed calls only need not be copied for others.
                let when = self.when;
                let (yes, no) = match (condition, when) {
                    ("failed", When::Exit) => (When::Failure, When::Success),
                    _ => (when, when),
                };
                self.when = yes;
                let (then, kind) = self.op(&rest[0])?;
                self.when = no;
                let other = match rest.get(1) {
                    Some(other) => self.op(other)?.0,
                    None if kind == Some(true) => "Op::Number(Word::Constant(0))".into(),
                    None => "Op::Empty".into(),
                };
                self.when = when;
                Ok((format!("Op::If(If::{}, &{then}, &{other})", camel(condition)), kind))
            }
            ("conv", [conversion, rest @ ..]) if matches!(rest.len(), 1 | 2) => {
                let first = self.word(&rest[0])?;
                let second = match rest.get(1) {
                    Some(e) => self.word(e)?,
                    None => "Word::Constant(0)".into(),
                };
                number(format!("Op::Convert(C::{}, {first}, {second})", camel(conversion.atom()?)))
            }
            ("dev", [n]) => number(format!("Op::Device({})", self.word(n)?)),
            ("open_flags", [flags, fd]) => {
                let (flags, file) = (self.word(flags)?, self.piece("file", std::slice::from_ref(fd))?);
                number(format!("Op::OpenFlags {{ flags: {flags}, file: {file} }}"))
            }
            ("creat_flags", [_]) => {
                number(format!("Op::CreatFlags {{ file: {} }}", self.piece("file", operands)?))
            }
            ("clone_flags", [flags]) => {
                let (flags, task) = (self.word(flags)?, self.piece("task", &[])?);
                number(format!("Op::CloneFlags {{ flags: {flags}, task: {task} }}"))
            }
            ("task.exe_flags", []) => {
                number(format!("Op::ExeFlags {{ task: {} }}", self.piece("task", &[])?))
            }
            ("timespec", [_]) => {
                number(format!("Op::Timespec {{ piece: {} }}", self.longs(&operands[0], 2)?))
            }
            ("iov_size", [piece]) => number(format!("Op::IovSize {{ piece: {} }}", self.piece_of(piece)?)),
            ("queue_percent", [_]) => {
                number(format!("Op::QueuePercent {{ socket: {} }}", self.piece("socket", operands)?))
            }
            ("exit_code", []) => number("Op::Wait(WaitPart::Code)".into()),
            ("exit_signal", []) => number("Op::Wait(WaitPart::Signal)".into()),
            ("exit_core", []) => number("Op::Wait(WaitPart::Core)".into()),
            ("str" | "exec_name", _) => {
                bytes(format!("Op::Text {{ piece: {} }}", self.piece(name, operands)?))
            }
            ("buf" | "iov_data" | "msg_data" | "msg_control" | "env" | "argv", _) => {
                bytes(format!("Op::Bytes {{ piece: {} }}", self.piece(name, operands)?))
            }
            ("sockaddr", _) => bytes(format!("Op::Sockaddr {{ piece: {} }}", self.piece(name, operands)?)),
            ("tuple", [fd, direction, address @ ..]) if address.len() < 2 => {
                let socket = self.piece("socket", std::slice::from_ref(fd))?;
                let inbound = match direction.atom()? {
                    "in" => true,
                    "out" => false,
                    other => bail!("{other} is no direction"),
                };
                let address = match address {
                    [a] => format!("Some({})", self.piece_of(a)?),
                    _ => "None".into(),
                };
                bytes(format!("Op::Tuple {{ socket: {socket}, inbound: {inbound}, address: {address} }}"))
            }
            ("fd_list", [fds, count, which]) => {
                let length = Expr::Atom(format!("8*{}", count.atom()?));
                let piece = self.piece("buf", &[fds.clone(), length, Expr::Atom("1024".into())])?;
                let returned = which.atom()? == "returned";
                bytes(format!("Op::FdList {{ piece: {piece}, returned: {returned} }}"))
            }
            ("sockopt", [piece]) => {
                self.pair.args = self.pair.args.max(3);
                bytes(format!("Op::Sockopt {{ piece: {} }}", self.piece_of(piece)?))
            }
            ("dyn", [index, n]) => {
                let index: u8 = index.atom()?.parse()?;
                // The only alternative with fewer than eight bytes that a number is put in is a signal.
                let width = if index == 1 { 1 } else { 8 };
                bytes(format!("Op::Dyn {{ index: {index}, width: {width}, number: {} }}", self.word(n)?))
            }
            ("dyn_text", [index, piece]) => {
                bytes(format!("Op::DynText {{ index: {}, piece: {} }}", index.atom()?, self.piece_of(piece)?))
            }
            ("exe", strings) | ("args", strings) if strings.len() < 2 => {
                let piece = match strings {
                    [piece] => self.piece_of(piece)?,
                    _ => self.piece("args", &[])?,
                };
                bytes(format!("Op::{} {{ piece: {piece} }}", camel(name)))
            }
            ("task.comm", []) => bytes(format!("Op::Comm {{ task: {} }}", self.piece("task", &[])?)),
            ("exe_path" | "fd_path", _) => {
                bytes(format!("Op::Path {{ piece: {} }}", self.piece(name, operands)?))
            }
            ("cgroups", []) => bytes(format!("Op::Cgroups {{ piece: {} }}", self.piece("cgroups", &[])?)),
            _ => number(format!("Op::Number({})", self.word(expr)?)),
        }
    }

    fn word(&mut self, expr: &Expr) -> anyhow::Result<String> {
        let (name, operands) = expr.parts();
        let default =
            |at: usize| -> anyhow::Result<i8> { operands.get(at).map_or(Ok(0), |e| Ok(e.atom()?.parse()?)) };
        let int = match name {
            "u16at" => Some((2u16, "U16")),
            "u32at" => Some((4, "U32")),
            "i32at" => Some((4, "I32")),
            "u64at" | "i64at" => Some((8, "U64")),
            _ => None,
        };
        match (name, operands) {
            (_, [pointer, offset, ..]) if int.is_some() => {
                let (size, ty) = int.unwrap_or_default();
                let offset: u16 = offset.atom()?.parse()?;
                let length = Expr::Atom((offset + size).to_string());
                let piece = self.piece("buf", &[pointer.clone(), length])?;
                Ok(format!("at({piece}, {offset}, {ty}, {})", default(2)?))
            }
            ("at", [piece, offset, ty]) => {
                let piece = self.piece_of(piece)?;
                Ok(format!("at({piece}, {}, {}, 0)", offset.atom()?, ty.atom()?.to_uppercase()))
            }
            ("long", [pointer, index, ..]) => {
                let index: u16 = index.atom()?.parse()?;
                let piece = self.longs(pointer, index + 1)?;
                Ok(format!("Word::Long {{ piece: {piece}, index: {index}, default: {} }}", default(2)?))
            }
            ("int", [arg]) => Ok(format!("Word::Int({})", self.arg(arg.atom()?)?)),
            ("pair", [high, low]) => {
                Ok(format!("Word::Pair({}, {})", self.arg(high.atom()?)?, self.arg(low.atom()?)?))
            }
            ("positive", [_]) => Ok("Word::Positive".into()),
            ("ret", []) => Ok("Word::Result".into()),
            (word, []) if word.starts_with("arg") => Ok(format!("Word::Arg({})", self.arg(word)?)),
            (word, []) if word.parse::<i64>().is_ok() => Ok(format!("Word::Constant({word})")),
            _ => {
                let (base, field) = name.split_once('.').with_context(|| format!("{name} is not known"))?;
                let structure = match base {
                    "task" => "TaskFacts",
                    "file" => "FileFacts",
                    "socket" => "SocketFacts",
                    "memory" => "MemoryFacts",
                    "exit" => "ExitFacts",
                    _ => bail!("{name} is not known"),
                };
                let piece = self.piece(base, operands)?;
                let ty = if WIDE.contains(&field) { "U64" } else { "U32" };
                Ok(format!("at({piece}, offset_of!({structure}, {field}), {ty}, 0)"))
            }
        }
    }

    fn longs(&mut self, pointer: &Expr, count: u16) -> anyhow::Result<String> {
        self.piece("longs", &[pointer.clone(), Expr::Atom((count * 8).to_string())])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pieces(source: &str, enter: bool) -> anyhow::Result<String> {
        let param = Param { name: "x".into(), ty: "CHARBUF".into() };
        let event = Event { id: "E".into(), params: vec![param] };
        let mut pair = Pair::default();
        let row = row(&mut pair, &event, [format!("x={source}").as_str()].into_iter(), enter)?;
        let mut out = String::new();
        pair.pieces.write(&mut out)?;
        Ok(format!(
            "{}; {}{}",
            pair.pieces.numbers()?.resolve(&row.concat()),
            out.replace('\n', " "),
            pair.args
        ))
    }

    #[test]
    fn pieces_are_due_when_their_parameter_needs_them() {
        let text = "p(Op::Text { piece: 0 }, 0); m(piece::STR, 1, len::FIXED, 0, ";
        assert_eq!(pieces("str(arg1)", true).unwrap(), format!("{text}1, 4096, Same), 0"));
        assert_eq!(pieces("str(arg1)", false).unwrap(), format!("{text}6, 4096, Same), 0"));
        assert_eq!(pieces("str(arg1)@ok", false).unwrap(), format!("{text}2, 4096, Same), 0"));
        assert_eq!(
            pieces("if(failed,exe(argv(arg1)),exe)", false).unwrap(),
            "p(Op::If(If::Failed, &Op::Exe { piece: 0 }, &Op::Exe { piece: 1 }), 0); \
             m(piece::STR_ARRAY, 1, len::FIXED, 0, 4, 0, Same), \
             m(piece::ARG_AREA, 0, len::FIXED, 0, 2, 4096, Same), 0"
        );
    }

    #[test]
    fn rows_that_make_no_sense_are_refused() {
        for (source, why) in [
            ("arg1", "is no CHARBUF"),
            ("str(arg7)", "arg7 is no argument"),
            ("str(arg1)@never", "@never is not known"),
            ("if(raining,str(arg1))", "no condition raining"),
            ("buf(arg1,task)", "task is no argument"),
            ("if(failed,iov_data(arg1),exe)", "no program"),
        ] {
            let error = format!("{:#}", pieces(source, false).unwrap_err());
            assert!(error.contains(why), "{source}: {error}");
        }
    }
}
