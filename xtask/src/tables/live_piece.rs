//! The pieces of memory a call needs: each once, numbered, with when it is to be copied.

use std::fmt::Write as _;

use anyhow::{Context as _, bail, ensure};
use tracer_common::plan::MAX_PIECES;

use super::live_expr::Expr;

/// For which record a parameter is made.
#[derive(Clone, Copy, PartialEq)]
pub enum When {
    Enter,
    Exit,
    Success,
    Failure,
}

impl When {
    /// Bits of `tracer_common::plan::when`.
    fn bits(self) -> u8 {
        use tracer_common::plan::when;
        match self {
            When::Enter => when::ENTER,
            When::Exit => when::EXIT,
            When::Success => when::SUCCESS,
            When::Failure => when::FAILURE,
        }
    }
}

/// Which program can make a kind of piece at exit.
#[derive(Clone, Copy, PartialEq)]
enum Reach {
    /// Any, and at enter.
    Any,
    /// The plain one, and at enter.
    Plain,
    /// The plain and the vector one, and at enter.
    NotTask,
    /// The plain and the task one, and at enter.
    NotVector,
    Task,
    Vector,
}

#[derive(Clone, PartialEq)]
struct Piece {
    kind: &'static str,
    arg: String,
    len: &'static str,
    len_arg: u8,
    limit: u16,
    when: u8,
    compat: &'static str,
    reach: Reach,
    /// Pieces are copied in this order, so that a long buffer is the one that finds no room.
    order: u8,
}

#[derive(Default)]
pub struct Pieces(Vec<Piece>);

/// Final numbers of pieces, by the order in which they were asked for.
pub struct Numbers(Vec<usize>);

impl Numbers {
    /// Replaces the stand-ins that [`Pieces::need`] gave.
    pub fn resolve(&self, text: &str) -> String {
        let mut out = String::new();
        for (i, part) in text.split('@').enumerate() {
            match part.parse::<usize>() {
                Ok(n) if i % 2 == 1 => out.push_str(&self.0.get(n).copied().unwrap_or(n).to_string()),
                _ => out.push_str(part),
            }
        }
        out
    }
}

/// The number in `arg2`.
pub fn argument(word: &str) -> anyhow::Result<u8> {
    let n = word.strip_prefix("arg").and_then(|n| n.parse().ok()).filter(|n| *n < 6);
    n.with_context(|| format!("{word} is no argument"))
}

impl Pieces {
    /// Asks for a piece; gives a stand-in for its number.
    pub fn need(&mut self, name: &str, operands: &[Expr], when: When) -> anyhow::Result<String> {
        let mut piece = describe(name, operands)?;
        let result_only = piece.arg == "FD_RESULT" || piece.len == "RESULT";
        piece.when = match (when, piece.reach) {
            // Nothing of these can be made when a call begins.
            (When::Enter, Reach::Task | Reach::Vector) => 0,
            (When::Exit, _) if result_only => When::Success.bits(),
            _ => when.bits(),
        };
        let same = |p: &&mut Piece| {
            (p.kind, &p.arg, p.len, p.len_arg, p.compat)
                == (piece.kind, &piece.arg, piece.len, piece.len_arg, piece.compat)
        };
        if let Some((i, known)) = self.0.iter_mut().enumerate().find(|(_, p)| same(p)) {
            known.when |= piece.when;
            known.limit = known.limit.max(piece.limit);
            return Ok(format!("@{i}@"));
        }
        self.0.push(piece);
        Ok(format!("@{}@", self.0.len() - 1))
    }

    fn sorted(&self) -> Vec<usize> {
        let mut order: Vec<usize> = (0..self.0.len()).collect();
        order.sort_by_key(|i| self.0[*i].order);
        order
    }

    /// Numbers the pieces; fails when no single program can make them all.
    pub fn numbers(&self) -> anyhow::Result<Numbers> {
        ensure!(self.0.len() <= MAX_PIECES, "{} pieces of {MAX_PIECES}", self.0.len());
        let any = |reach| self.0.iter().any(|p| p.reach == reach);
        let programs = [
            any(Reach::Task) && (any(Reach::Plain) || any(Reach::NotTask) || any(Reach::Vector)),
            any(Reach::Vector) && (any(Reach::Plain) || any(Reach::NotVector)),
        ];
        ensure!(!programs.contains(&true), "no program makes all of its pieces");
        let mut numbers = vec![0; self.0.len()];
        for (number, i) in self.sorted().into_iter().enumerate() {
            numbers[i] = number;
        }
        Ok(Numbers(numbers))
    }

    pub fn write(&self, out: &mut String) -> anyhow::Result<()> {
        for i in self.sorted() {
            let p = &self.0[i];
            writeln!(
                out,
                "m(piece::{}, {}, len::{}, {}, {}, {}, {}),",
                p.kind, p.arg, p.len, p.len_arg, p.when, p.limit, p.compat
            )?;
        }
        Ok(())
    }
}

/// Most bytes of a string, as in the schema.
const TEXT: u16 = 4096;
/// `struct sockaddr_storage`.
const ADDRESS: u16 = 128;
/// Enough for the most fds a message can carry.
const CONTROL: u16 = 1088;

fn describe(name: &str, operands: &[Expr]) -> anyhow::Result<Piece> {
    let mut piece = Piece {
        kind: "STR",
        arg: "0".into(),
        len: "FIXED",
        len_arg: 0,
        limit: 0,
        when: 0,
        compat: "Same",
        reach: Reach::Any,
        order: 2,
    };
    let mut fixed = |kind, reach| {
        piece.kind = kind;
        piece.reach = reach;
        piece.order = 0;
    };
    match name {
        // The only piece of its record, which no plan governs.
        "exit" => fixed("NONE", Reach::Any),
        "task" => fixed("TASK", Reach::Task),
        "memory" => fixed("MEMORY", Reach::Plain),
        "file" => fixed("FD_FILE", Reach::NotVector),
        "socket" => fixed("FD_SOCKET", Reach::NotTask),
        "msg_iov" => fixed("MSG_IOV", Reach::NotTask),
        "msg_name" => fixed("MSG_NAME", Reach::Vector),
        "msg_control" => fixed("MSG_CONTROL", Reach::Vector),
        "msg_data" => fixed("MSG_DATA", Reach::Vector),
        "iov_data" => fixed("IOVEC_DATA", Reach::Vector),
        "args" => fixed("ARG_AREA", Reach::Task),
        "env" => fixed("ENV_AREA", Reach::Task),
        "exe_path" => fixed("EXE_PATH", Reach::Task),
        "cgroups" => fixed("CGROUP_PATH", Reach::Task),
        "fd_path" => fixed("FD_PATH", Reach::Task),
        "argv" => fixed("STR_ARRAY", Reach::Task),
        "str" => {}
        "exec_name" => piece.kind = "EXEC_NAME",
        "buf" | "longs" | "sockaddr" => piece.kind = "BUF",
        _ => bail!("{name} is no memory"),
    }
    if let Some(operand) = operands.first() {
        let word = operand.atom()?;
        let fd = matches!(name, "file" | "socket" | "fd_path");
        piece.arg = match word.strip_prefix('*') {
            _ if fd && word == "ret" => "FD_RESULT".into(),
            Some(pointer) if fd => match argument(pointer)? {
                0 => "FD_POINTED".into(),
                n => format!("FD_POINTED | {n}"),
            },
            _ => argument(word)?.to_string(),
        };
    }
    match name {
        "str" | "exec_name" => piece.limit = TEXT,
        "args" | "env" => {
            piece.limit = TEXT;
            piece.order = 3;
        }
        "argv" => piece.order = 3,
        "iov_data" | "msg_data" => {
            (piece.len, piece.order) = ("RESULT", 4);
        }
        "msg_control" => (piece.compat, piece.limit, piece.order) = ("Never", CONTROL, 3),
        "longs" => piece.compat = "Longs",
        "sockaddr" => (piece.limit, piece.order) = (ADDRESS, 1),
        _ => {}
    }
    if let [_, length, rest @ ..] = operands {
        let length = length.atom()?;
        if let [limit] = rest {
            piece.limit = limit.atom()?.parse()?;
        }
        length_of(&mut piece, length)?;
        if piece.limit != 0 {
            piece.order = 1;
        } else if name == "buf" {
            piece.order = 4;
        }
    }
    Ok(piece)
}

fn length_of(piece: &mut Piece, length: &str) -> anyhow::Result<()> {
    if let Ok(bytes) = length.parse() {
        (piece.len, piece.limit) = ("FIXED", bytes);
        return Ok(());
    }
    let (len, arg) = match length {
        "ret" => ("RESULT", None),
        _ if length.starts_with("ret|") => ("RESULT_OR_ARG", length.strip_prefix("ret|")),
        _ if length.starts_with('*') => ("ARG_POINTS", length.strip_prefix('*')),
        _ if length.starts_with("6*") => ("ARG_X6", length.strip_prefix("6*")),
        _ if length.starts_with("8*") => ("ARG_X8", length.strip_prefix("8*")),
        _ if length.starts_with("16*") => ("ARG_X16", length.strip_prefix("16*")),
        _ => ("ARG", Some(length)),
    };
    piece.len = len;
    if let Some(arg) = arg {
        piece.len_arg = argument(arg)?;
    }
    Ok(())
}
