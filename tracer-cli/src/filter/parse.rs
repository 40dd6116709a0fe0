//! Filter text → tree.
//!
//! `not` binds tighter than `and`, `and` tighter than `or`. The lexing of fields, operators and
//! values is nom's work; the rules above them are plain functions, one per rule of the grammar,
//! so that each can say what it expected and where.

use super::ast::{
    Argument, Call, Check, Expr, FieldName, Literal, Operand, Operator, Quantifier, Right, Span, Transformer,
    is_arg_char, is_bare_char, is_blank,
};
use super::error::{FilterError, nearest};
use super::literal;
use nom::branch::alt;
use nom::bytes::complete::{tag, take_while, take_while1};
use nom::character::complete::{alpha1, char, one_of};
use nom::combinator::{eof, opt, peek, recognize, value};
use nom::multi::many1_count;
use nom::sequence::{pair, preceded, terminated};
use nom::{IResult, Parser as _};

/// Deepest nesting of brackets and functions.
pub const MAX_DEPTH: usize = 100;

/// Parses a filter.
///
/// # Errors
/// Whatever the grammar does not allow, and nesting deeper than [`MAX_DEPTH`].
pub fn parse(source: &str) -> Result<Expr, FilterError> {
    if let Some(at) = source.find('\0') {
        return Err(FilterError::new(Span::new(at, at + 1), "a filter cannot hold a zero byte"));
    }
    let mut parser = Parser { source, rest: source, depth: 0 };
    parser.skip_blanks();
    if parser.rest.is_empty() {
        return Err(FilterError::new(
            parser.here(),
            "the filter is empty: expected a check such as proc.name = cat",
        ));
    }
    let expr = parser.or()?;
    if parser.rest.starts_with(')') {
        return Err(FilterError::new(parser.next_char(), "this bracket closes nothing"));
    }
    if !parser.rest.is_empty() {
        return Err(parser.expected_connective(&expr));
    }
    Ok(expr)
}

struct Parser<'a> {
    source: &'a str,
    rest: &'a str,
    depth: usize,
}

type Lexed<'a, T> = IResult<&'a str, T, ()>;

fn identifier(input: &str) -> Lexed<'_, &str> {
    recognize(pair(alpha1, take_while(is_word_char))).parse(input)
}

/// Two or more words with dots between: `evt.arg.0` is one, therefore later words may start with a digit.
fn field_name(input: &str) -> Lexed<'_, &str> {
    let more = many1_count(preceded(char('.'), take_while1(|c| is_word_char(c) || c == '-')));
    recognize(pair(identifier, more)).parse(input)
}

fn is_word_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

/// A word that stands alone: what follows is blank, a bracket, a quote or nothing.
fn keyword<'a>(word: &'static str) -> impl FnMut(&'a str) -> Lexed<'a, ()> {
    move |input| value((), terminated(tag(word), peek(word_end))).parse(input)
}

fn word_end(input: &str) -> Lexed<'_, ()> {
    alt((value((), one_of(" \t\u{8}\r\n()\"'")), value((), eof))).parse(input)
}

fn symbol(input: &str) -> Lexed<'_, Operator> {
    alt((
        value(Operator::Le, tag("<=")),
        value(Operator::Lt, tag("<")),
        value(Operator::Ge, tag(">=")),
        value(Operator::Gt, tag(">")),
        value(Operator::Eq, tag("==")),
        value(Operator::Eq, tag("=")),
        value(Operator::Ne, tag("!=")),
    ))
    .parse(input)
}

/// What stands where an operator should: a run of symbols or of letters.
fn operator_like(input: &str) -> Lexed<'_, &str> {
    alt((take_while1(is_word_char), take_while1(|c: char| c.is_ascii_punctuation() && !"()\"'".contains(c))))
        .parse(input)
}

/// A value without quotes. It may hold `=` and, outside lists, `,`, but not begin with them.
fn bare(in_list: bool) -> impl Fn(&str) -> Lexed<'_, &str> {
    move |input| {
        if input.starts_with(['=', ',']) {
            return Err(nom::Err::Error(()));
        }
        take_while1(|c| is_bare_char(c) && !(in_list && c == ',')).parse(input)
    }
}

type Result<T, E = FilterError> = std::result::Result<T, E>;

impl<'a> Parser<'a> {
    fn at(&self) -> usize {
        self.source.len() - self.rest.len()
    }

    fn here(&self) -> Span {
        Span::new(self.at(), self.at())
    }

    fn since(&self, start: usize) -> Span {
        Span::new(start, self.at())
    }

    fn next_char(&self) -> Span {
        Span::new(self.at(), self.at() + self.rest.chars().next().map_or(0, char::len_utf8))
    }

    /// The run of characters up to the next blank or bracket, for messages.
    fn next_word(&self) -> (&'a str, Span) {
        let end = self.rest.find(|c| is_blank(c) || matches!(c, '(' | ')')).unwrap_or(self.rest.len());
        let word = self.rest.get(..end).unwrap_or(self.rest);
        (word, Span::new(self.at(), self.at() + end))
    }

    fn skip_blanks(&mut self) {
        self.rest = self.rest.trim_start_matches(is_blank);
    }

    fn take<T>(&mut self, mut lexer: impl FnMut(&'a str) -> Lexed<'a, T>) -> Option<T> {
        let (rest, token) = lexer(self.rest).ok()?;
        self.rest = rest;
        Some(token)
    }

    fn deeper<T>(&mut self, rule: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        if self.depth >= MAX_DEPTH {
            let message = format!("brackets are nested deeper than {MAX_DEPTH} levels");
            return Err(FilterError::new(self.here(), message));
        }
        self.depth += 1;
        let result = rule(self);
        self.depth -= 1;
        result
    }

    fn or(&mut self) -> Result<Expr> {
        self.chain("or", Expr::Or, Self::and)
    }

    fn and(&mut self) -> Result<Expr> {
        self.chain("and", Expr::And, Self::not)
    }

    fn chain(
        &mut self,
        word: &'static str,
        join: fn(Vec<Expr>) -> Expr,
        part: fn(&mut Self) -> Result<Expr>,
    ) -> Result<Expr> {
        let first = part(self)?;
        self.skip_blanks();
        if keyword(word)(self.rest).is_err() {
            return Ok(first);
        }
        let mut parts = vec![first];
        while self.take(keyword(word)).is_some() {
            parts.push(part(self)?);
            self.skip_blanks();
        }
        Ok(join(parts))
    }

    fn not(&mut self) -> Result<Expr> {
        let mut negated = false;
        self.skip_blanks();
        while self.take(keyword("not")).is_some() {
            negated = !negated;
            self.skip_blanks();
        }
        let inner = self.primary()?;
        Ok(if negated { Expr::Not(Box::new(inner)) } else { inner })
    }

    fn primary(&mut self) -> Result<Expr> {
        let open = self.next_char();
        if self.take(char('(')).is_some() {
            let inner = self.deeper(Self::or)?;
            if self.take(char(')')).is_some() {
                return Ok(inner);
            }
            return Err(if self.rest.is_empty() {
                FilterError::new(open, "this bracket is not closed")
            } else {
                self.expected_connective(&inner)
            });
        }
        Ok(Expr::Check(self.check()?))
    }

    fn check(&mut self) -> Result<Check> {
        let start = self.at();
        let left = match self.operand()? {
            Some(left) => left,
            None => return Err(self.expected_check()),
        };
        self.skip_blanks();
        let op_start = self.at();
        let op = self.operator(&left)?;
        let op_span = self.since(op_start);
        let right = self.right(op)?;
        Ok(Check { left, op, op_span, right, span: self.since(start) })
    }

    /// A field or the call of a transformer; `None` when neither begins here.
    fn operand(&mut self) -> Result<Option<Operand>> {
        let start = self.at();
        if let Some(name) = self.take(field_name) {
            let arg = self.field_argument()?;
            return Ok(Some(Operand::Field(FieldName {
                name: name.to_owned(),
                arg,
                span: self.since(start),
            })));
        }
        match terminated(identifier, char('(')).parse(self.rest) {
            Ok((_, word)) if word != "val" => Ok(Some(Operand::Call(self.call(word)?))),
            Ok(_) => Err(FilterError::new(
                Span::new(start, start + "val".len()),
                "val() stands only to the right of an operator",
            )),
            Err(_) => Ok(None),
        }
    }

    fn field_argument(&mut self) -> Result<Option<String>> {
        let open = self.next_char();
        if self.take(char('[')).is_none() {
            return Ok(None);
        }
        let start = self.at();
        let bytes = match self.quoted()? {
            Some(quoted) => quoted.bytes,
            None => self.take(take_while1(is_arg_char)).unwrap_or("").as_bytes().to_vec(),
        };
        let span = self.since(start);
        if self.take(char(']')).is_none() {
            let message = if self.rest.contains(']') {
                "expected ] after the argument"
            } else {
                "this bracket is not closed"
            };
            let span = if self.rest.contains(']') { self.next_char() } else { open };
            return Err(FilterError::new(span, message));
        }
        if bytes.is_empty() {
            return Err(FilterError::new(
                self.since(open.start),
                "expected an argument between the brackets",
            ));
        }
        match String::from_utf8(bytes) {
            Ok(text) => Ok(Some(text)),
            Err(_) => Err(FilterError::new(span, "the argument of a field must be text")),
        }
    }

    fn operator(&mut self, left: &Operand) -> Result<Operator> {
        let symbols = self.rest;
        if let Some(op) = self.take(symbol) {
            // `=~` and the like are one wrong operator, not `=` and a value.
            if !(op == Operator::Eq && self.rest.starts_with('~')) {
                return Ok(op);
            }
            self.rest = symbols;
        }
        let (word, span) = match operator_like(self.rest) {
            Ok((_, word)) => (word, Span::new(self.at(), self.at() + word.len())),
            Err(_) => {
                let what = match left {
                    Operand::Field(field) => field.to_string(),
                    Operand::Call(call) => format!("{}()", call.function.word()),
                };
                let message = format!("expected an operator after {what}, one of {}", operator_list());
                return Err(FilterError::new(self.next_char(), message));
            }
        };
        let known = Operator::from_word(word).filter(|_| word.starts_with(|c: char| c.is_ascii_alphabetic()));
        if let Some(op) = known.filter(|op| keyword(op.word())(self.rest).is_ok()) {
            self.take(tag::<_, _, ()>(word));
            return Ok(op);
        }
        if let Some(op) = known {
            let after = Span::new(span.end, span.end + 1);
            return Err(FilterError::new(after, format!("expected a blank after {}", op.word())));
        }
        let suggestion = match word {
            "~" | "=~" | "matches" | "~=" => Some("regex"),
            "like" | "ilike" => Some("glob"),
            "is" | "eq" | "equals" | "===" => Some("="),
            "ne" | "<>" | "!==" | "!" => Some("!="),
            "has" | "includes" => Some("contains"),
            _ => nearest(word, Operator::ALL.iter().map(|op| op.word())),
        };
        let message = format!("unknown operator {word}: expected one of {}", operator_list());
        Err(FilterError::new(span, message).suggest(suggestion))
    }

    fn right(&mut self, op: Operator) -> Result<Right> {
        if op == Operator::Exists {
            return Ok(Right::Nothing);
        }
        self.skip_blanks();
        if let Some(operand) = self.reference()? {
            return Ok(Right::Operand(operand));
        }
        if op.takes_list() {
            return self.list(op).map(Right::List);
        }
        if op.takes_quantifier() {
            for quantifier in Quantifier::ALL {
                let follows =
                    pair(keyword(quantifier.word()), pair(take_while(is_blank), char('('))).parse(self.rest);
                if follows.is_ok() {
                    self.take(keyword(quantifier.word()));
                    self.skip_blanks();
                    return Ok(Right::Quantified(*quantifier, self.list(op)?));
                }
            }
        }
        if self.rest.starts_with('(') {
            let message = format!("{} takes one value: write {} anyof (…), or in (…)", op.word(), op.word());
            return Err(FilterError::new(self.next_char(), message));
        }
        match self.literal(false)? {
            Some(value) => Ok(Right::Literal(value)),
            None => Err(FilterError::new(self.next_char(), format!("expected a value after {}", op.word()))),
        }
    }

    /// `val(field)` or a transformer right of an operator.
    fn reference(&mut self) -> Result<Option<Operand>> {
        let start = self.at();
        let Ok((_, word)) = terminated(identifier, char('(')).parse(self.rest) else {
            return Ok(None);
        };
        if Quantifier::from_word(word).is_some() {
            return Ok(None);
        }
        if word != "val" {
            return self.call(word).map(|call| Some(Operand::Call(call)));
        }
        self.take(tag::<_, _, ()>("val("));
        self.skip_blanks();
        let operand = match self.operand()? {
            Some(operand @ Operand::Field(_)) => operand,
            _ => {
                return Err(FilterError::new(
                    self.since(start),
                    "val() takes a field, as in val(proc.pname)",
                ));
            }
        };
        self.skip_blanks();
        match self.take(char(')')) {
            Some(_) => Ok(Some(operand)),
            None => Err(FilterError::new(self.next_char(), "expected ) after the field of val()")),
        }
    }

    fn list(&mut self, op: Operator) -> Result<Vec<Literal>> {
        let open = self.next_char();
        if self.take(char('(')).is_none() {
            let (word, span) = self.next_word();
            let message = format!("expected a list after {}, as in {} (a, b)", op.word(), op.word());
            let suggestion = (!word.is_empty()).then(|| format!("{} ({word})", op.word()));
            return Err(FilterError::new(span, message).suggest(suggestion));
        }
        let mut items = Vec::new();
        self.skip_blanks();
        if self.take(char(')')).is_some() {
            return Ok(items);
        }
        loop {
            self.skip_blanks();
            match self.literal(true)? {
                Some(item) => items.push(item),
                None if self.rest.is_empty() => {
                    return Err(FilterError::new(open, "this list is not closed"));
                }
                None => return Err(FilterError::new(self.next_char(), "expected a value in the list")),
            }
            self.skip_blanks();
            if self.take(char(')')).is_some() {
                return Ok(items);
            }
            if self.rest.is_empty() {
                return Err(FilterError::new(open, "this list is not closed"));
            }
            if self.take(char(',')).is_none() {
                let message = "expected , or ) after a value of the list; a value with blanks needs quotes";
                return Err(FilterError::new(self.next_word().1, message));
            }
        }
    }

    fn literal(&mut self, in_list: bool) -> Result<Option<Literal>> {
        let start = self.at();
        let value = match self.quoted()? {
            Some(value) => value,
            None => match self.take(bare(in_list)) {
                Some(text) => Literal { bytes: text.as_bytes().to_vec(), span: self.since(start) },
                None => return Ok(None),
            },
        };
        if self.rest.starts_with(['"', '\'']) {
            return Err(FilterError::new(
                self.next_char(),
                "a value with quotes inside needs quotes around it",
            ));
        }
        Ok(Some(value))
    }

    fn quoted(&mut self) -> Result<Option<Literal>> {
        let start = self.at();
        let Some(read) = literal::quoted(self.rest) else {
            return Ok(None);
        };
        match read {
            Ok((bytes, length)) => {
                self.rest = self.rest.get(length..).unwrap_or("");
                Ok(Some(Literal { bytes, span: self.since(start) }))
            }
            Err(fault) => {
                let span = Span::new(start + fault.span.start, start + fault.span.end);
                Err(FilterError { span, ..fault })
            }
        }
    }

    fn call(&mut self, word: &str) -> Result<Call> {
        let start = self.at();
        let Some(function) = Transformer::from_word(word) else {
            let span = Span::new(start, start + word.len());
            let names = || Transformer::ALL.iter().map(|t| t.word());
            let known: Vec<_> = names().collect();
            let message = format!("unknown function {word}: expected one of {}", known.join(", "));
            return Err(FilterError::new(span, message).suggest(nearest(word, names())));
        };
        self.take(tag::<_, _, ()>(word));
        let args = self.deeper(Self::arguments)?;
        let mut index = None;
        if function == Transformer::Getopt && self.rest.starts_with('[') {
            let start = self.at();
            let text = self.field_argument()?;
            index = text.map(|t| Literal { bytes: t.into_bytes(), span: self.since(start) });
        }
        Ok(Call { function, args, index, span: self.since(start) })
    }

    /// `( … , … )`
    fn arguments(&mut self) -> Result<Vec<Argument>> {
        let open = self.next_char();
        self.take(char('('));
        let mut args = Vec::new();
        self.skip_blanks();
        if self.take(char(')')).is_some() {
            return Ok(args);
        }
        loop {
            self.skip_blanks();
            args.push(self.argument(open)?);
            self.skip_blanks();
            if self.take(char(')')).is_some() {
                return Ok(args);
            }
            if self.rest.is_empty() {
                return Err(FilterError::new(open, "this bracket is not closed"));
            }
            if self.take(char(',')).is_none() {
                return Err(FilterError::new(self.next_char(), "expected , or ) after an argument"));
            }
        }
    }

    fn argument(&mut self, open: Span) -> Result<Argument> {
        let start = self.at();
        if self.rest.starts_with('(') {
            let items = self.deeper(Self::arguments)?;
            return Ok(Argument::List(items, self.since(start)));
        }
        if let Some(operand) = self.operand()? {
            return Ok(Argument::Operand(operand));
        }
        if let Some(text) = self.quoted()? {
            return Ok(Argument::Literal(text));
        }
        if let Some(number) = self.take(number) {
            return Ok(Argument::Literal(Literal {
                bytes: number.as_bytes().to_vec(),
                span: self.since(start),
            }));
        }
        if self.rest.is_empty() {
            return Err(FilterError::new(open, "this bracket is not closed"));
        }
        let end = self.rest.find([',', ')']).unwrap_or(self.rest.len()).max(1);
        let word = self.rest.get(..end).unwrap_or("").trim_end_matches(is_blank);
        let message = "expected a field, a function, a number, or a text in quotes";
        let span = Span::new(start, start + word.len().max(self.next_char().end - start));
        Err(FilterError::new(span, message).suggest((!word.is_empty()).then(|| format!("\"{word}\""))))
    }

    fn expected_check(&self) -> FilterError {
        let (word, span) = self.next_word();
        if let Ok((_, word)) = identifier(self.rest)
            && !word.is_empty()
        {
            let span = Span::new(span.start, span.start + word.len());
            if matches!(word, "and" | "or") {
                return FilterError::new(span, format!("expected a check before {word}"));
            }
            let message = format!("{word} is no field: field names have a dot, as proc.name");
            return FilterError::new(span, message).suggest(literal::meant_by_bare_word(word));
        }
        if word.starts_with('!') {
            let message = "expected a check; negation is written not";
            return FilterError::new(self.next_char(), message).suggest(Some("not"));
        }
        let message = "expected a check such as proc.name = cat";
        FilterError::new(if word.is_empty() { self.next_char() } else { span }, message)
    }

    /// What follows `before` is no end of the filter or bracket and neither `and` nor `or`.
    fn expected_connective(&self, before: &Expr) -> FilterError {
        let (word, span) = self.next_word();
        let suggestion = match word {
            "&&" | "&" | "AND" => Some("and"),
            "||" | "|" | "OR" => Some("or"),
            _ => nearest(word, ["and", "or"]),
        };
        let after_value = matches!(last_check(before).map(|c| &c.right), Some(Right::Literal(_)));
        let message = if suggestion.is_none() && after_value && !word.is_empty() {
            "expected and, or, or the end; a value with blanks or brackets needs quotes"
        } else {
            "expected and, or, or the end"
        };
        FilterError::new(if word.is_empty() { self.next_char() } else { span }, message).suggest(suggestion)
    }
}

fn last_check(expr: &Expr) -> Option<&Check> {
    match expr {
        Expr::And(parts) | Expr::Or(parts) => last_check(parts.last()?),
        Expr::Not(inner) => last_check(inner),
        Expr::Check(check) => Some(check),
    }
}

fn number(input: &str) -> Lexed<'_, &str> {
    recognize(pair(
        opt(one_of("+-")),
        pair(one_of("0123456789"), take_while(|c| is_word_char(c) || c == '.')),
    ))
    .parse(input)
}

fn operator_list() -> String {
    let words: Vec<_> = Operator::ALL.iter().map(|op| op.word()).collect();
    words.join(" ")
}
