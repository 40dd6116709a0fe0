//! The tree of a filter as it was typed. `Display` gives filter text that parses to the same tree.

use bstr::ByteSlice;
use std::fmt;

/// Byte range of the filter's text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Span {
    pub start: usize,
    pub end: usize,
}

impl Span {
    pub const fn new(start: usize, end: usize) -> Self {
        Self { start, end }
    }

    /// From the start of this one to the end of `other`.
    pub const fn to(self, other: Span) -> Self {
        Self { start: self.start, end: other.end }
    }
}

/// A condition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Expr {
    And(Vec<Expr>),
    Or(Vec<Expr>),
    Not(Box<Expr>),
    Check(Check),
}

/// One comparison.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    pub left: Operand,
    pub op: Operator,
    pub op_span: Span,
    pub right: Right,
    pub span: Span,
}

/// What stands right of the operator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Right {
    /// `exists` takes nothing.
    Nothing,
    Literal(Literal),
    /// `val(field)` or a transformer: its value for the same event.
    Operand(Operand),
    List(Vec<Literal>),
    /// `startswith anyof (/etc, /usr)`.
    Quantified(Quantifier, Vec<Literal>),
}

/// Something that has a value for an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Operand {
    Field(FieldName),
    Call(Call),
}

impl Operand {
    pub fn span(&self) -> Span {
        match self {
            Operand::Field(field) => field.span,
            Operand::Call(call) => call.span,
        }
    }
}

/// A field as typed: `proc.aname[2]`, `evt.arg.fd`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldName {
    /// With everything that follows by dots.
    pub name: String,
    /// What stands in brackets.
    pub arg: Option<String>,
    pub span: Span,
}

impl FieldName {
    /// The text that the field table is asked for.
    pub fn text(&self) -> String {
        match &self.arg {
            Some(arg) => format!("{}[{arg}]", self.name),
            None => self.name.clone(),
        }
    }
}

/// `tolower(proc.name)`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    pub function: Transformer,
    pub args: Vec<Argument>,
    /// What stands in brackets after a `getopt`.
    pub index: Option<Literal>,
    pub span: Span,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Argument {
    Operand(Operand),
    Literal(Literal),
    List(Vec<Argument>, Span),
}

impl Argument {
    pub fn span(&self) -> Span {
        match self {
            Argument::Operand(operand) => operand.span(),
            Argument::Literal(literal) => literal.span,
            Argument::List(_, span) => *span,
        }
    }
}

/// A value as bytes, escapes resolved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Literal {
    pub bytes: Vec<u8>,
    pub span: Span,
}

macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$of:meta])* $variant:ident = $text:literal),* $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum $name { $($(#[$of])* $variant),* }

        impl $name {
            pub const ALL: &'static [$name] = &[$($name::$variant),*];

            /// As it is written in a filter.
            pub const fn word(self) -> &'static str {
                match self { $($name::$variant => $text),* }
            }

            pub fn from_word(word: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|w| w.word() == word)
            }
        }
    };
}

words! {
    /// How a check compares. `==` is read as [`Operator::Eq`].
    Operator {
        Exists = "exists",
        Eq = "=",
        Ne = "!=",
        Lt = "<",
        Le = "<=",
        Gt = ">",
        Ge = ">=",
        Contains = "contains",
        Icontains = "icontains",
        Bcontains = "bcontains",
        Startswith = "startswith",
        Bstartswith = "bstartswith",
        Endswith = "endswith",
        Glob = "glob",
        Iglob = "iglob",
        Regex = "regex",
        In = "in",
        Intersects = "intersects",
        Pmatch = "pmatch",
    }
}

impl Operator {
    /// Compares with a list.
    pub const fn takes_list(self) -> bool {
        matches!(self, Operator::In | Operator::Intersects | Operator::Pmatch)
    }

    /// `<`, `<=`, `>`, `>=`.
    pub const fn is_order(self) -> bool {
        matches!(self, Operator::Lt | Operator::Le | Operator::Gt | Operator::Ge)
    }

    /// May be followed by `oneof`, `anyof` or `allof`.
    pub const fn takes_quantifier(self) -> bool {
        !self.takes_list() && !self.is_order() && !matches!(self, Operator::Exists)
    }
}

words! {
    /// For how many values of a list a check must hold.
    Quantifier {
        /// Exactly one.
        One = "oneof",
        /// At least one.
        Any = "anyof",
        All = "allof",
    }
}

words! {
    /// Functions of values.
    Transformer {
        Tolower = "tolower",
        Toupper = "toupper",
        /// Decodes base64.
        B64 = "b64",
        /// What follows the last `/`.
        Basename = "basename",
        /// Values of a list, bytes of a text or buffer; 0 when there is no value.
        Len = "len",
        /// `join(separator, list)`.
        Join = "join",
        Concat = "concat",
        /// `getopt(arguments, "ab:")[b]`, after getopt(3).
        Getopt = "getopt",
    }
}

impl fmt::Display for Expr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = |f: &mut fmt::Formatter<'_>, parts: &[Expr], word: &str, bare_and: bool| {
            for (i, part) in parts.iter().enumerate() {
                if i > 0 {
                    write!(f, " {word} ")?;
                }
                match part {
                    Expr::Or(_) => write!(f, "({part})")?,
                    Expr::And(_) if !bare_and => write!(f, "({part})")?,
                    _ => write!(f, "{part}")?,
                }
            }
            Ok(())
        };
        match self {
            Expr::And(parts) => list(f, parts, "and", false),
            Expr::Or(parts) => list(f, parts, "or", true),
            Expr::Not(inner) => match **inner {
                Expr::Check(_) => write!(f, "not {inner}"),
                _ => write!(f, "not ({inner})"),
            },
            Expr::Check(check) => write!(f, "{check}"),
        }
    }
}

impl fmt::Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.left, self.op.word())?;
        match &self.right {
            Right::Nothing => Ok(()),
            Right::Literal(value) => write!(f, " {value}"),
            Right::Operand(field @ Operand::Field(_)) => write!(f, " val({field})"),
            Right::Operand(call) => write!(f, " {call}"),
            Right::List(values) => write!(f, " {}", InBrackets(values)),
            Right::Quantified(quantifier, values) => {
                write!(f, " {} {}", quantifier.word(), InBrackets(values))
            }
        }
    }
}

impl fmt::Display for Operand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Operand::Field(field) => write!(f, "{field}"),
            Operand::Call(call) => write!(f, "{call}"),
        }
    }
}

impl fmt::Display for FieldName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)?;
        match &self.arg {
            Some(arg) if !arg.is_empty() && arg.chars().all(is_arg_char) => write!(f, "[{arg}]"),
            Some(arg) => write!(f, "[{}]", Quoted(arg.as_bytes())),
            None => Ok(()),
        }
    }
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.function.word(), InBrackets(&self.args))?;
        match &self.index {
            Some(index) => write!(f, "[{}]", Quoted(&index.bytes)),
            None => Ok(()),
        }
    }
}

impl fmt::Display for Argument {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Argument::Operand(operand) => write!(f, "{operand}"),
            Argument::Literal(value) => write!(f, "{}", Quoted(&value.bytes)),
            Argument::List(items, _) => write!(f, "{}", InBrackets(items)),
        }
    }
}

impl fmt::Display for Literal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.bytes.to_str() {
            // A comma or an equals sign would be read in some places only: quoting is right in all.
            Ok(text)
                if !text.is_empty()
                    && text.chars().all(|c| is_bare_char(c) && c != ',' && c != '=' && c != '\\')
                    && !Quantifier::ALL.iter().any(|q| q.word() == text)
                    && !text.chars().any(char::is_control) =>
            {
                f.write_str(text)
            }
            _ => write!(f, "{}", Quoted(&self.bytes)),
        }
    }
}

struct InBrackets<'a, T>(&'a [T]);

impl<T: fmt::Display> fmt::Display for InBrackets<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(")?;
        for (i, item) in self.0.iter().enumerate() {
            write!(f, "{}{item}", if i > 0 { ", " } else { "" })?;
        }
        f.write_str(")")
    }
}

struct Quoted<'a>(&'a [u8]);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("\"")?;
        for chunk in self.0.utf8_chunks() {
            for c in chunk.valid().chars() {
                match c {
                    '"' => f.write_str("\\\"")?,
                    '\\' => f.write_str("\\\\")?,
                    '\n' => f.write_str("\\n")?,
                    '\r' => f.write_str("\\r")?,
                    '\t' => f.write_str("\\t")?,
                    '\u{8}' => f.write_str("\\b")?,
                    '\u{c}' => f.write_str("\\f")?,
                    c if c.is_ascii_control() => write!(f, "\\x{:02x}", u32::from(c))?,
                    c => write!(f, "{c}")?,
                }
            }
            for byte in chunk.invalid() {
                write!(f, "\\x{byte:02x}")?;
            }
        }
        f.write_str("\"")
    }
}

/// Space, tab, backspace, carriage return, line feed.
pub(super) const fn is_blank(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\u{8}' | '\r' | '\n')
}

/// May stand in a value without quotes; `,` ends one inside a list.
pub(super) const fn is_bare_char(c: char) -> bool {
    !is_blank(c) && !matches!(c, '(' | ')' | '"' | '\'')
}

/// May stand in a bracketed field argument without quotes.
pub(super) const fn is_arg_char(c: char) -> bool {
    !is_blank(c) && !matches!(c, '[' | ']' | '"' | '\'')
}
