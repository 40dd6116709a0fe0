//! The language of the columns of `data/live.tsv`: `word` or `name(expression,…)`.

use anyhow::{Context as _, bail, ensure};

#[derive(Debug, Clone, PartialEq)]
pub enum Expr {
    Atom(String),
    Call(String, Vec<Expr>),
}

impl Expr {
    /// Name and operands; of a bare word no operands.
    pub fn parts(&self) -> (&str, &[Expr]) {
        match self {
            Expr::Atom(name) => (name, &[]),
            Expr::Call(name, args) => (name, args),
        }
    }

    /// The word, when there are no operands.
    pub fn atom(&self) -> anyhow::Result<&str> {
        match self {
            Expr::Atom(word) => Ok(word),
            Expr::Call(name, _) => bail!("a word is wanted where {name}(…) stands"),
        }
    }
}

pub fn parse(text: &str) -> anyhow::Result<Expr> {
    let (expr, rest) = expression(text)?;
    ensure!(rest.is_empty(), "{rest:?} is left over");
    Ok(expr)
}

fn expression(text: &str) -> anyhow::Result<(Expr, &str)> {
    let end = text.find(['(', ')', ',']).unwrap_or(text.len());
    let (word, mut rest) = text.split_at(end);
    ensure!(!word.is_empty(), "a name is wanted at {text:?}");
    let Some(inside) = rest.strip_prefix('(') else { return Ok((Expr::Atom(word.to_owned()), rest)) };
    rest = inside;
    let mut args = Vec::new();
    loop {
        let (arg, after) = expression(rest)?;
        args.push(arg);
        let (mark, after) = after.split_at_checked(1).context("a bracket is not closed")?;
        rest = after;
        match mark {
            "," => {}
            _ => return Ok((Expr::Call(word.to_owned(), args), rest)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_words_and_nested_calls() {
        let a = |s: &str| Expr::Atom(s.into());
        assert_eq!(parse("ret|arg2").unwrap(), a("ret|arg2"));
        let inner = Expr::Call("buf".into(), vec![a("arg1"), a("6*arg2"), a("12")]);
        assert_eq!(
            parse("at(buf(arg1,6*arg2,12),0,u16)").unwrap(),
            Expr::Call("at".into(), vec![inner, a("0"), a("u16")])
        );
        for bad in ["", "f(", "f(a", "f(a))", "f(,a)", "a,b"] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }
}
