//! One check of the tree → one question: fields looked up, types agreed, constants prepared.

use super::ast::{self, Literal, Operator, Right, Span, Transformer};
use super::compare::{Order, Test, TextSet};
use super::error::FilterError;
use super::eval::{Mode, Question, Rule, ValueCheck};
use super::event_set::EventSet;
use super::literal;
use super::transform::{Argument, Call, Operand};
use crate::fields::{self, Field, FieldFlags, Value};
use crate::schema::ParamType;
use memchr::memmem::Finder;
use regex::bytes::{Regex, RegexBuilder};

/// How values of a type are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Number,
    Port,
    Double,
    Bool,
    Ip,
    Net,
    Text,
    Buffer,
}

impl Kind {
    fn of(ty: ParamType) -> Self {
        match ty {
            ParamType::Charbuf | ParamType::Fspath | ParamType::Fsrelpath => Kind::Text,
            ParamType::CharbufArray | ParamType::CharbufPairArray | ParamType::Fdlist => Kind::Text,
            ParamType::Socktuple | ParamType::Sockaddr | ParamType::None => Kind::Text,
            ParamType::Bytebuf => Kind::Buffer,
            ParamType::Bool => Kind::Bool,
            ParamType::Double => Kind::Double,
            ParamType::Port => Kind::Port,
            ParamType::Ipv4addr | ParamType::Ipv6addr | ParamType::Ipaddr => Kind::Ip,
            ParamType::Ipv4net | ParamType::Ipv6net | ParamType::Ipnet => Kind::Net,
            _ => Kind::Number,
        }
    }

    const fn plural(self) -> &'static str {
        match self {
            Kind::Number => "numbers",
            Kind::Port => "ports",
            Kind::Double => "fractions",
            Kind::Bool => "true or false",
            Kind::Ip => "addresses",
            Kind::Net => "networks",
            Kind::Text => "text",
            Kind::Buffer => "buffers",
        }
    }

    fn takes(self, op: Operator) -> bool {
        use Operator::*;
        match op {
            Exists | Eq | Ne | In | Intersects => true,
            Lt | Le | Gt | Ge => matches!(self, Kind::Number | Kind::Port | Kind::Double | Kind::Text),
            Contains | Startswith | Endswith => matches!(self, Kind::Text | Kind::Buffer),
            Icontains | Glob | Iglob | Regex | Pmatch => self == Kind::Text,
            Bcontains | Bstartswith => self == Kind::Buffer,
        }
    }
}

/// An operand and what is known of its values.
struct Typed {
    operand: Operand,
    ty: ParamType,
    kind: Kind,
    /// A list: compared as a whole.
    list: bool,
}

impl Typed {
    fn name(&self) -> &'static str {
        match &self.operand {
            Operand::Field(field) => field.field.name,
            Operand::Call(call) => call.function.word(),
        }
    }

    fn is_field(&self, name: &str) -> bool {
        matches!(&self.operand, Operand::Field(field) if field.field.name == name)
    }
}

/// What a check comes down to.
pub(super) enum Meaning {
    Question(Question),
    /// A check of `evt.type`: the name of the event decides it, but for events that carry their own
    /// name, which need to be looked at.
    Names(Box<EventSet>, Box<ValueCheck>),
}

pub(super) fn meaning(check: &ast::Check) -> Result<Meaning, FilterError> {
    let left = operand(&check.left, FieldFlags::empty())?;
    let op = check.op;
    if left.is_field("evt.around") {
        return around(check, &left).map(Meaning::Question);
    }
    agree(&left, op, check.op_span)?;
    let mode = match op {
        Operator::Ne => Mode::None,
        Operator::In if left.list => Mode::All,
        _ => Mode::Any,
    };
    // A misspelt event name would silently match nothing.
    let names_events = left.is_field("evt.type") || left.is_field("syscall.type");
    let check_name = |value: &Literal| match op {
        Operator::Eq | Operator::Ne | Operator::In | Operator::Intersects if names_events => {
            literal::event_name(value)
        }
        _ => Ok(()),
    };
    let rule = match &check.right {
        Right::Nothing => Rule::Constant(Test::Exists),
        Right::Literal(value) => {
            check_name(value)?;
            Rule::Constant(test(&left, op, value)?)
        }
        Right::List(values) => {
            values.iter().try_for_each(check_name)?;
            Rule::Constant(list_test(&left, op, values)?)
        }
        Right::Quantified(quantifier, values) => {
            values.iter().try_for_each(check_name)?;
            let tests: Result<_, _> = values.iter().map(|v| test(&left, op, v)).collect();
            Rule::Counted(*quantifier, tests?)
        }
        Right::Operand(other) => Rule::Pair(op, other_side(&left, op, check.op_span, other)?),
    };
    let check = ValueCheck { operand: left.operand, mode, rule, kinds: None, is_named: false }
        .with_kinds()
        .with_name();
    Ok(decided_by_type(check))
}

fn decided_by_type(check: ValueCheck) -> Meaning {
    let field = match &check.operand {
        Operand::Field(field) if check.answer_for(Value::Text(b"")).is_some() => field.field.name,
        _ => "",
    };
    let is = |text: &str| check.answer_for(Value::Text(text.as_bytes())) == Some(true);
    match field {
        "evt.type" => Meaning::Names(Box::new(EventSet::named(is)), Box::new(check)),
        "syscall.type" => {
            let with_type = EventSet::of_types(|ty| ty.info().is_some_and(fields::has_syscall_type));
            let set = EventSet::named(is).intersection(&with_type);
            Meaning::Question(Question::Events(Box::new(set)))
        }
        "evt.dir" => {
            let (enter, exit) = (is(">"), is("<"));
            let set = EventSet::of_types(|ty| if ty.is_enter() { enter } else { exit });
            Meaning::Question(Question::Events(Box::new(set)))
        }
        _ => Meaning::Question(Question::Values(Box::new(check))),
    }
}

/// `evt.around[T] = D`: within D milliseconds of the time T, given in ns since the epoch.
fn around(check: &ast::Check, left: &Typed) -> Result<Question, FilterError> {
    let Operand::Field(field) = &left.operand else {
        return Err(FilterError::new(check.span, "evt.around needs a time"));
    };
    let (Operator::Eq, Right::Literal(distance)) = (check.op, &check.right) else {
        return Err(FilterError::new(
            check.op_span,
            "evt.around is compared with = and a number of milliseconds",
        ));
    };
    let at = field.arg.as_ref().and_then(|arg| arg.text.parse::<u64>().ok());
    let Some(at) = at else {
        let message =
            "expected a time in nanoseconds since the epoch, as in evt.around[1404996934793590564]=100";
        return Err(FilterError::new(check.left.span(), message));
    };
    let ms = u64::try_from(literal::number(distance, Some(ParamType::Uint64))?).unwrap_or(u64::MAX);
    let ns = ms.saturating_mul(1_000_000);
    Ok(Question::Around { first: at.saturating_sub(ns), last: at.saturating_add(ns) })
}

/// The operators that a field can be compared with.
pub(super) fn operators_of(field: &Field) -> impl Iterator<Item = Operator> {
    let (kind, list) = (Kind::of(field.ty), field.flags.contains(FieldFlags::LIST));
    let is_dynamic = field.ty == ParamType::Dyn;
    let takes = move |op: &Operator| {
        if list { is_of_lists(*op) } else { kind.takes(*op) || is_dynamic }
    };
    Operator::ALL.iter().copied().filter(takes)
}

/// Whether an operator takes a list of values on its left.
fn is_of_lists(op: Operator) -> bool {
    matches!(op, Operator::Exists | Operator::In | Operator::Intersects)
}

fn agree(left: &Typed, op: Operator, span: Span) -> Result<(), FilterError> {
    if left.list && !is_of_lists(op) {
        let message = format!("{} is a list: expected one of in intersects exists", left.name());
        return Err(FilterError::new(span, message));
    }
    // What a dynamic parameter holds is known only when the event comes.
    if left.kind.takes(op) || left.ty == ParamType::Dyn {
        return Ok(());
    }
    let fit: Vec<_> = Operator::ALL.iter().filter(|op| left.kind.takes(**op)).map(|op| op.word()).collect();
    let (word, name, kind) = (op.word(), left.name(), left.kind.plural());
    let message = format!("{word} does not compare {kind} ({name}): expected one of {}", fit.join(" "));
    Err(FilterError::new(span, message))
}

fn other_side(left: &Typed, op: Operator, span: Span, other: &ast::Operand) -> Result<Operand, FilterError> {
    let right = operand(other, FieldFlags::NO_RHS)?;
    let fault = |span, message: String| Err(FilterError::new(span, message));
    if matches!(&left.operand, Operand::Field(f) if f.field.flags.contains(FieldFlags::NO_RHS)) {
        return fault(span, format!("{} is compared with constants only", left.name()));
    }
    if matches!(op, Operator::Regex | Operator::Bcontains | Operator::Bstartswith) {
        return fault(other.span(), format!("{} takes a constant", op.word()));
    }
    if right.list && !op.takes_list() {
        return fault(other.span(), format!("{} is a list: compare with in or intersects", right.name()));
    }
    let group = |kind| match kind {
        Kind::Number | Kind::Port | Kind::Double => Kind::Number,
        Kind::Text | Kind::Buffer => Kind::Text,
        other => other,
    };
    let dynamic = left.ty == ParamType::Dyn || right.ty == ParamType::Dyn;
    if (group(left.kind) != group(right.kind) || left.kind == Kind::Net) && !dynamic {
        let (l, r) = (left.kind.plural(), right.kind.plural());
        return fault(
            other.span(),
            format!("{} ({l}) cannot be compared with {} ({r})", left.name(), right.name()),
        );
    }
    Ok(right.operand)
}

/// Looks an operand up; `refused` are the flags that its field must not have here.
fn operand(operand: &ast::Operand, refused: FieldFlags) -> Result<Typed, FilterError> {
    match operand {
        ast::Operand::Field(name) => field(name, refused),
        ast::Operand::Call(call) => function(call),
    }
}

fn field(name: &ast::FieldName, refused: FieldFlags) -> Result<Typed, FilterError> {
    let fault = |message: String| FilterError::new(name.span, message);
    let found = fields::find(&name.text()).map_err(|e| fault(e.to_string()).suggest(e.nearest))?;
    let flags = found.field.flags;
    if flags.contains(FieldFlags::PRINT_ONLY) {
        return Err(fault(format!("{} is for output only", found.field.name)));
    }
    if flags.intersects(refused & FieldFlags::NO_TRANSFORMER) {
        return Err(fault(format!("functions do not take {}", found.field.name)));
    }
    if flags.intersects(refused & FieldFlags::NO_RHS) {
        return Err(fault(format!("{} does not stand to the right of an operator", found.field.name)));
    }
    let (ty, list) = (found.ty, flags.contains(FieldFlags::LIST));
    Ok(Typed { operand: Operand::Field(found), ty, kind: Kind::of(ty), list })
}

fn function(call: &ast::Call) -> Result<Typed, FilterError> {
    let fault = |span: Span, message: String| Err(FilterError::new(span, message));
    let name = call.function.word();
    let (least, most) = match call.function {
        Transformer::Concat => (2, usize::MAX),
        Transformer::Join | Transformer::Getopt => (2, 2),
        _ => (1, 1),
    };
    if !(least..=most).contains(&call.args.len()) {
        let wanted = if most == usize::MAX { format!("at least {least}") } else { least.to_string() };
        return fault(call.span, format!("{name} takes {wanted} argument(s), not {}", call.args.len()));
    }
    let mut args = Vec::with_capacity(call.args.len());
    let mut lists = Vec::with_capacity(call.args.len());
    for arg in &call.args {
        let (compiled, kind, list) = argument(arg)?;
        let fits = match call.function {
            Transformer::B64 | Transformer::Len => list || matches!(kind, Kind::Text | Kind::Buffer),
            _ => kind == Kind::Text,
        };
        if !fits {
            return fault(arg.span(), format!("{name} does not take {}", kind.plural()));
        }
        let list_fits = match call.function {
            Transformer::Concat => false,
            Transformer::Join => lists.len() == 1,
            Transformer::Getopt => lists.is_empty(),
            _ => true,
        };
        if list && !list_fits {
            return fault(arg.span(), format!("{name} does not take a list here"));
        }
        args.push(compiled);
        lists.push(list);
    }
    let option = match &call.index {
        None => None,
        Some(index) => match *index.bytes {
            [letter] => Some(letter),
            _ => return fault(index.span, "an option of getopt is one letter".to_owned()),
        },
    };
    let first_list = lists.first() == Some(&true);
    let (ty, list) = match call.function {
        Transformer::Len => (ParamType::Uint64, false),
        Transformer::Concat | Transformer::Join => (ParamType::Charbuf, false),
        Transformer::Getopt => (ParamType::Charbuf, option.is_none()),
        _ => (ParamType::Charbuf, first_list),
    };
    let call = Call { function: call.function, args, option, counts_values: first_list };
    Ok(Typed { operand: Operand::Call(Box::new(call)), ty, kind: Kind::of(ty), list })
}

/// An argument with its kind and whether it is a list.
fn argument(arg: &ast::Argument) -> Result<(Argument, Kind, bool), FilterError> {
    Ok(match arg {
        ast::Argument::Literal(text) => (Argument::Text(text.bytes.as_slice().into()), Kind::Text, false),
        ast::Argument::Operand(inner) => {
            let typed = operand(inner, FieldFlags::NO_TRANSFORMER)?;
            (Argument::Operand(typed.operand), typed.kind, typed.list)
        }
        ast::Argument::List(items, _) => {
            let mut compiled = Vec::with_capacity(items.len());
            for item in items {
                let (value, kind, _) = argument(item)?;
                if kind != Kind::Text {
                    let message = format!("a list of texts cannot hold {}", kind.plural());
                    return Err(FilterError::new(item.span(), message));
                }
                compiled.push(value);
            }
            (Argument::List(compiled), Kind::Text, true)
        }
    })
}

/// The kind a constant is read as.
fn constant_kind(left: &Typed, values: &[Literal]) -> Kind {
    let numeric = |v: &Literal| literal::number(v, None).is_ok();
    match left.ty {
        ParamType::Dyn if !values.iter().all(numeric) => Kind::Text,
        _ => left.kind,
    }
}

/// A number for this operand. The same name stands for parameters of different widths in different
/// events, therefore those of `evt.rawarg` take any.
fn number(left: &Typed, value: &Literal) -> Result<i128, FilterError> {
    literal::number(value, (!left.is_field("evt.rawarg") && left.ty != ParamType::Dyn).then_some(left.ty))
}

fn test(left: &Typed, op: Operator, value: &Literal) -> Result<Test, FilterError> {
    let bytes = || value.bytes.as_slice().into();
    let Some(order) = Order::of(op) else {
        return Ok(match op {
            Operator::Contains => contains(&value.bytes),
            Operator::Bcontains => contains(&literal::hex(value)?),
            Operator::Icontains => Test::Icontains(value.bytes.to_ascii_lowercase().into()),
            Operator::Startswith => Test::Startswith(bytes()),
            Operator::Bstartswith => Test::Startswith(literal::hex(value)?.into()),
            Operator::Endswith => Test::Endswith(bytes()),
            Operator::Glob => Test::Glob(bytes()),
            Operator::Iglob => Test::Iglob(bytes()),
            Operator::Regex => Test::Regex(Box::new(regex(value)?)),
            _ => list_test(left, op, std::slice::from_ref(value))?,
        });
    };
    Ok(match constant_kind(left, std::slice::from_ref(value)) {
        Kind::Number => Test::Number(order, number(left, value)?),
        Kind::Port => Test::Number(order, literal::port(value)?),
        Kind::Double => Test::Double(order, literal::double(value)?),
        Kind::Text | Kind::Buffer => Test::Text(order, bytes()),
        Kind::Bool | Kind::Ip | Kind::Net => list_test(left, Operator::In, std::slice::from_ref(value))?,
    })
}

fn list_test(left: &Typed, op: Operator, values: &[Literal]) -> Result<Test, FilterError> {
    fn all<T>(
        values: &[Literal],
        f: impl FnMut(&Literal) -> Result<T, FilterError>,
    ) -> Result<Vec<T>, FilterError> {
        values.iter().map(f).collect()
    }
    let numbers = |mut numbers: Vec<i128>| {
        numbers.sort_unstable();
        Test::NumberIn(numbers.into())
    };
    if op == Operator::Pmatch {
        let paths = values.iter().filter(|v| !v.bytes.is_empty());
        return Ok(Test::PathPrefix(
            paths.map(|v| v.bytes.strip_suffix(b"/").unwrap_or(&v.bytes).into()).collect(),
        ));
    }
    Ok(match constant_kind(left, values) {
        Kind::Number => numbers(all(values, |v| number(left, v))?),
        Kind::Port => numbers(all(values, literal::port)?),
        Kind::Double => Test::DoubleIn(all(values, literal::double)?.into()),
        Kind::Bool => {
            let wanted = all(values, literal::boolean)?;
            Test::Bool([wanted.contains(&false), wanted.contains(&true)])
        }
        Kind::Ip => Test::Ip(all(values, literal::address)?.into()),
        Kind::Net => Test::Net(all(values, literal::network)?.into()),
        Kind::Text | Kind::Buffer => {
            Test::TextIn(TextSet::new(values.iter().map(|v| v.bytes.as_slice().into())))
        }
    })
}

fn contains(needle: &[u8]) -> Test {
    Test::Contains(Box::new(Finder::new(needle).into_owned()))
}

/// A pattern that must match the whole value.
fn regex(value: &Literal) -> Result<Regex, FilterError> {
    let pattern = String::from_utf8_lossy(&value.bytes);
    let build = |pattern: &str| RegexBuilder::new(pattern).build();
    // Alone first: an unbalanced bracket must not pair with one of those added.
    let compiled = build(&pattern).and_then(|_| build(&format!(r"\A(?:{pattern})\z")));
    compiled.map_err(|error| {
        let text = error.to_string();
        let reason = text.lines().last().unwrap_or("").trim_start_matches("error: ").to_owned();
        FilterError::new(value.span, format!("bad regular expression: {reason}"))
    })
}
