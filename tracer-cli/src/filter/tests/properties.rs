//! Properties of random filters on random events: printing and parsing are inverse, the program
//! agrees with a plain walk over the tree, no match falls outside the announced events.

use super::scene::any_scene;
use crate::fields::{self, Arg, ExtractOptions, Extraction, FieldFlags, Value};
use crate::filter::Filter;
use crate::filter::ast::{
    Argument, Call, Check, Expr, FieldName, Literal, Operand, Operator, Quantifier, Right, Span, Transformer,
};
use crate::filter::compare::glob;
use crate::filter::parse::parse;
use crate::schema::tables;
use proptest::prelude::*;
use std::net::IpAddr;

fn literal(bytes: impl Into<Vec<u8>>) -> Literal {
    Literal { bytes: bytes.into(), span: Span::default() }
}

fn check(left: Operand, op: Operator, right: Right) -> Expr {
    Expr::Check(Check { left, op, op_span: Span::default(), right, span: Span::default() })
}

fn field_named(name: &str) -> Operand {
    Operand::Field(FieldName { name: name.to_owned(), arg: None, span: Span::default() })
}

/// Trees over any words, for the grammar alone.
mod syntax {
    use super::*;

    fn any_literal() -> impl Strategy<Value = Literal> {
        let bytes = prop_oneof![
            "[a-z/=,]{0,6}".prop_map(String::into_bytes),
            "\\PC{0,4}".prop_map(String::into_bytes),
            prop::collection::vec(1u8.., 0..6),
            Just(b"oneof".to_vec()),
            Just(b"and".to_vec()),
        ];
        bytes.prop_map(literal)
    }

    fn any_field() -> impl Strategy<Value = Operand> {
        let arg = prop::option::of(prop_oneof!["[a-z0-9.]{1,4}", "[ \"'\\]a\\\\]{1,4}"]);
        ("[a-z]{1,3}(\\.[a-z0-9_]{1,3}){1,2}", arg)
            .prop_map(|(name, arg)| Operand::Field(FieldName { name, arg, span: Span::default() }))
    }

    fn any_operand() -> impl Strategy<Value = Operand> {
        any_field().prop_recursive(3, 8, 3, |inner| {
            let argument = prop_oneof![
                inner.prop_map(Argument::Operand),
                any_literal().prop_map(Argument::Literal),
                prop::collection::vec(any_literal().prop_map(Argument::Literal), 0..3)
                    .prop_map(|items| Argument::List(items, Span::default())),
            ];
            (prop::sample::select(Transformer::ALL), prop::collection::vec(argument, 0..3), "[ab]").prop_map(
                |(function, args, index)| {
                    let index = (function == Transformer::Getopt).then(|| literal(index));
                    Operand::Call(Call { function, args, index, span: Span::default() })
                },
            )
        })
    }

    fn any_check() -> impl Strategy<Value = Expr> {
        let list = || prop::collection::vec(any_literal(), 0..4);
        let right = (any_literal(), list(), any_operand(), prop::sample::select(Quantifier::ALL), 0..3);
        (any_operand(), prop::sample::select(Operator::ALL), right).prop_map(
            |(left, op, (value, values, operand, quantifier, choice))| {
                let right = match choice {
                    _ if op == Operator::Exists => Right::Nothing,
                    0 => Right::Operand(operand),
                    _ if op.takes_list() => Right::List(values),
                    1 if op.takes_quantifier() => Right::Quantified(quantifier, values),
                    _ => Right::Literal(value),
                };
                check(left, op, right)
            },
        )
    }

    pub fn any_tree() -> impl Strategy<Value = Expr> {
        any_check().prop_recursive(5, 24, 4, super::junctions)
    }
}

fn junctions(inner: BoxedStrategy<Expr>) -> impl Strategy<Value = Expr> {
    let list = || prop::collection::vec(inner.clone(), 2..4);
    prop_oneof![
        list().prop_map(Expr::And),
        list().prop_map(Expr::Or),
        inner.clone().prop_map(|e| Expr::Not(Box::new(e)))
    ]
}

/// The tree with all spans zero and the forms that parsing never yields replaced.
fn plain(expr: Expr) -> Expr {
    fn operand(operand: Operand) -> Operand {
        match operand {
            Operand::Field(f) => Operand::Field(FieldName { span: Span::default(), ..f }),
            Operand::Call(c) => Operand::Call(Call {
                args: c.args.into_iter().map(argument).collect(),
                index: c.index.map(|i| literal(i.bytes)),
                span: Span::default(),
                ..c
            }),
        }
    }
    fn argument(arg: Argument) -> Argument {
        match arg {
            Argument::Operand(o) => Argument::Operand(operand(o)),
            Argument::Literal(l) => Argument::Literal(literal(l.bytes)),
            Argument::List(items, _) => {
                Argument::List(items.into_iter().map(argument).collect(), Span::default())
            }
        }
    }
    let list = |values: Vec<Literal>| values.into_iter().map(|v| literal(v.bytes)).collect();
    match expr {
        Expr::And(parts) => Expr::And(parts.into_iter().map(plain).collect()),
        Expr::Or(parts) => Expr::Or(parts.into_iter().map(plain).collect()),
        Expr::Not(inner) => Expr::Not(Box::new(plain(*inner))),
        Expr::Check(c) => {
            let right = match c.right {
                Right::Nothing => Right::Nothing,
                Right::Literal(l) => Right::Literal(literal(l.bytes)),
                Right::Operand(o) => Right::Operand(operand(o)),
                Right::List(values) => Right::List(list(values)),
                Right::Quantified(q, values) => Right::Quantified(q, list(values)),
            };
            check(operand(c.left), c.op, right)
        }
    }
}

/// Filters that compile, over fields of all kinds.
mod meaningful {
    use super::*;

    const TEXTS: &[&str] =
        &["proc.name", "proc.pname", "fd.name", "proc.aname", "fd.types", "proc.exe", "evt.type"];
    const NUMBERS: &[&str] =
        &["fd.num", "proc.pid", "evt.cpu", "evt.num", "evt.rawarg.fd", "evt.rawarg.res", "fd.port"];
    const WORDS: &[&str] =
        &["cat", "bash", "init", "/etc/passwd", "a", "", "/etc", "file", "ipv4", "openat", "C*t", "?at"];
    const EVENTS: &[&str] = &["open", "openat", "close", "write", "fstatfs", "container", "switch"];

    fn words() -> impl Strategy<Value = Vec<Literal>> {
        prop::collection::vec(prop::sample::select(WORDS).prop_map(literal), 0..4)
    }

    fn text_check() -> impl Strategy<Value = Expr> {
        use Operator::*;
        let ops = &[
            Exists, Eq, Ne, Lt, Ge, Contains, Icontains, Startswith, Endswith, Glob, Iglob, In, Intersects,
            Pmatch,
        ];
        let parts =
            (prop::sample::select(TEXTS), prop::sample::select(ops), prop::sample::select(WORDS), words());
        (parts, prop::sample::select(EVENTS), prop::option::of(prop::sample::select(Quantifier::ALL)), 0..4)
            .prop_map(|((name, op, word, words), event, quantifier, choice)| {
                let list = name == "fd.types";
                let op = match op {
                    Exists | In | Intersects => op,
                    _ if list => Intersects,
                    _ => op,
                };
                let names = name == "evt.type" && matches!(op, Eq | Ne | In | Intersects);
                let value = || literal(if names { event } else { word });
                let values = if names { vec![value(), literal("read")] } else { words };
                let refers = choice == 0 && !matches!(name, "proc.aname" | "fd.types");
                let right = match quantifier {
                    _ if op == Exists => Right::Nothing,
                    _ if refers => Right::Operand(field_named("proc.name")),
                    _ if op.takes_list() => Right::List(values),
                    Some(quantifier) if op.takes_quantifier() => Right::Quantified(quantifier, values),
                    _ => Right::Literal(value()),
                };
                check(field_named(name), op, right)
            })
    }

    fn number_check() -> impl Strategy<Value = Expr> {
        use Operator::*;
        let ops = &[Exists, Eq, Ne, Lt, Le, Gt, Ge, In];
        (prop::sample::select(NUMBERS), prop::sample::select(ops), 0..12i64, any::<bool>()).prop_map(
            |(name, op, number, https)| {
                let port = name == "fd.port" && https;
                let text = if port { "443".to_owned() } else { number.to_string() };
                let right = match op {
                    Exists => Right::Nothing,
                    In => Right::List(vec![literal(text), literal("3")]),
                    _ => Right::Literal(literal(text)),
                };
                check(field_named(name), op, right)
            },
        )
    }

    fn other_check() -> impl Strategy<Value = Expr> {
        prop::sample::select(&[
            "evt.dir = >",
            "evt.dir != >",
            "evt.dir in (<)",
            "evt.is_io = true",
            "evt.is_io_read != true",
            "evt.is_wait = false",
            "evt.res = SUCCESS",
            "evt.res != SUCCESS",
            "evt.arg.name contains etc",
            "evt.arg[0] exists",
            "syscall.type = openat",
            "syscall.type != openat",
            "fd.ip = 10.0.0.1",
            "fd.ip != 10.0.0.1",
            "fd.net != 10.0.0.0/8",
            "evt.buffer contains data",
            "evt.failed = true",
            "evt.failed != true",
            "evt.count.error exists",
            "evt.buflen > 0",
            "evt.is_open_read = true",
            "evt.is_open_write != true",
            "fs.path.name exists",
            "fdlist.names exists",
            "fd.typechar != f",
        ])
        .prop_map(|text| plain(parse(text).unwrap()))
    }

    pub fn any_filter() -> impl Strategy<Value = Expr> {
        prop_oneof![4 => text_check(), 3 => number_check(), 3 => other_check()].prop_recursive(
            4,
            16,
            4,
            super::junctions,
        )
    }
}

#[derive(Debug, Clone, PartialEq)]
enum Owned {
    Text(Vec<u8>),
    Number(i128),
    Bool(bool),
    Ip(IpAddr),
    Other,
}

fn values(operand: &Operand, from: &Extraction<'_>) -> (Vec<Owned>, FieldFlags) {
    let Operand::Field(name) = operand else { unreachable!("no functions among meaningful filters") };
    let field = fields::find(&name.text()).unwrap();
    let mut values = Vec::new();
    field.extract(from, &mut |value| {
        values.push(match value {
            Value::Text(t) | Value::Buffer(t) => Owned::Text(t.to_vec()),
            Value::Int(n) => Owned::Number(n.into()),
            Value::Uint(n) | Value::Reltime(n) | Value::Abstime(n) => Owned::Number(n.into()),
            Value::Port(n) => Owned::Number(n.into()),
            Value::Bool(b) => Owned::Bool(b),
            Value::Ip(ip) => Owned::Ip(ip),
            Value::Double(_) => Owned::Other,
        });
    });
    (values, field.field.flags)
}

/// One value against one constant or other value.
fn holds(op: Operator, value: &Owned, constant: &Owned) -> bool {
    let (a, b) = match (value, constant) {
        (Owned::Text(a), Owned::Text(b)) => (a, b),
        (Owned::Number(a), Owned::Number(b)) => {
            return match op {
                Operator::Lt => a < b,
                Operator::Le => a <= b,
                Operator::Gt => a > b,
                Operator::Ge => a >= b,
                _ => a == b,
            };
        }
        _ => return value == constant,
    };
    let lossy = |bytes: &[u8]| bytes.to_ascii_lowercase();
    let within = |a: &[u8], b: &[u8]| b.is_empty() || a.windows(b.len()).any(|w| w == b);
    match op {
        Operator::Lt => a < b,
        Operator::Le => a <= b,
        Operator::Gt => a > b,
        Operator::Ge => a >= b,
        Operator::Contains => within(a, b),
        Operator::Icontains => within(&lossy(a), &lossy(b)),
        Operator::Startswith => a.starts_with(b),
        Operator::Endswith => a.ends_with(b),
        Operator::Glob => glob(b, a, false),
        Operator::Iglob => glob(b, a, true),
        Operator::Pmatch => {
            !b.is_empty()
                && [a.as_slice(), b"/"]
                    .concat()
                    .starts_with(&[b.strip_suffix(b"/").unwrap_or(b), b"/"].concat())
        }
        _ => a == b,
    }
}

/// The same language by the shortest way: a walk over the tree that allocates as it likes.
fn naive(expr: &Expr, from: &Extraction<'_>) -> bool {
    let check = match expr {
        Expr::And(parts) => return parts.iter().all(|p| naive(p, from)),
        Expr::Or(parts) => return parts.iter().any(|p| naive(p, from)),
        Expr::Not(inner) => return !naive(inner, from),
        Expr::Check(check) => check,
    };
    let (left, flags) = values(&check.left, from);
    if left.is_empty() {
        return false;
    }
    let constant = |text: &Literal| {
        let text = String::from_utf8(text.bytes.clone()).unwrap();
        match &left[0] {
            Owned::Number(_) => Owned::Number(text.parse().unwrap()),
            Owned::Bool(_) => Owned::Bool(text == "true"),
            Owned::Ip(_) => Owned::Ip(text.split('/').next().unwrap().parse().unwrap()),
            _ => Owned::Text(text.into_bytes()),
        }
    };
    // 10.0.0.0/8 is the only network of the generator.
    let in_network = |v: &Owned| matches!(v, Owned::Ip(IpAddr::V4(ip)) if ip.octets()[0] == 10);
    let one = |constant: &Owned| {
        let hit = |v: &Owned| match check.left.to_string().as_str() {
            "fd.net" => in_network(v),
            _ => holds(check.op, v, constant),
        };
        match check.op {
            Operator::Ne => !left.iter().any(hit),
            _ => left.iter().any(hit),
        }
    };
    match &check.right {
        Right::Nothing => true,
        Right::Literal(value) => one(&constant(value)),
        Right::List(list) => {
            let found = |v: &Owned| list.iter().any(|c| holds(check.op, v, &constant(c)));
            match check.op {
                Operator::In if flags.contains(FieldFlags::LIST) => left.iter().all(found),
                _ => left.iter().any(found),
            }
        }
        Right::Quantified(quantifier, list) => {
            let count = list.iter().filter(|c| one(&constant(c))).count();
            match quantifier {
                Quantifier::One => count == 1,
                Quantifier::Any => count > 0,
                Quantifier::All => count == list.len(),
            }
        }
        Right::Operand(other) => match values(other, from).0.as_slice() {
            [] => false,
            [value] => one(value),
            _ => unreachable!("proc.name has one value"),
        },
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn what_is_printed_parses_to_the_same(tree in syntax::any_tree()) {
        let text = tree.to_string();
        let parsed = match parse(&text) {
            Ok(parsed) => plain(parsed),
            Err(error) => return Err(TestCaseError::fail(error.render(&text))),
        };
        prop_assert_eq!(&parsed, &tree, "{}", text);
    }

    #[test]
    fn programs_agree_with_a_walk_over_the_tree(tree in meaningful::any_filter(), scene in any_scene()) {
        let text = tree.to_string();
        let mut filter = match Filter::compile(&text) {
            Ok(filter) => filter,
            Err(error) => return Err(TestCaseError::fail(error.render(&text))),
        };
        let options = ExtractOptions::default();
        scene.with(|context| {
            let expected = naive(&tree, &Extraction::new(context, &options, Vec::new()));
            let found = filter.matches(context, &options);
            prop_assert_eq!(found, expected, "{} on {:?}", text, context.event);
            let decided = filter.decided_by_kind(context.event);
            prop_assert!(decided.is_none_or(|yes| yes == expected), "{} on {:?}", text, context.event);
            if found {
                prop_assert!(filter.event_types().contains(context.event), "{} on {:?}", text, context.event);
                let info = context.event.info();
                if context.event.ty.is_enter() && info.class == crate::schema::Class::Syscall {
                    prop_assert!(filter.needs_enter(), "{}", text);
                }
            }
            Ok(())
        })?;
    }

    #[test]
    fn no_text_panics(text in "\\PC{0,60}") {
        if let Err(error) = Filter::compile(&text) {
            error.render(&text);
        }
    }

    #[test]
    fn no_row_of_words_panics(words in prop::collection::vec(prop::sample::select(&[
        "proc.name", "fd.num", "evt.type", "evt.arg", "=", "!=", "<", ">=", "in", "glob", "regex", "(", ")", ",", "\"", "'",
        "\\", "\\x4", "and", "or", "not", "exists", "val(", "tolower(", "len(", "[", "]", "oneof", "cat", "é", "3", " ", "\n",
    ][..]), 0..14)) {
        let text = words.join(" ");
        let glued = words.concat();
        for text in [text, glued] {
            match Filter::compile(&text) {
                Ok(filter) => drop(filter.hints()),
                Err(error) => drop(error.render(&text)),
            }
        }
    }
}

#[test]
fn every_field_can_be_asked_for() {
    for field in fields::all() {
        let argument = match field.name {
            "evt.arg" | "evt.rawarg" => "[0]",
            "evt.type.is" => ".open",
            "evt.around" => continue,
            _ if field.arg == Arg::Required => "[x]",
            _ => "",
        };
        let text = format!("{}{argument} exists", field.name);
        match Filter::compile(&text) {
            Ok(_) => {}
            Err(_) if field.flags.contains(FieldFlags::PRINT_ONLY) => {}
            Err(error) => panic!("{}", error.render(&text)),
        }
    }
}

#[test]
fn every_event_name_can_be_asked_for() {
    let names = tables::EVENTS.iter().map(|e| e.name).chain(tables::SYSCALL_NAMES.iter().flatten().copied());
    for name in names {
        assert!(Filter::compile(&format!("evt.type = {name}")).is_ok(), "{name}");
    }
}
