//! Which texts are filters, and where the carets stand under those that are not.

use crate::filter::{Filter, parse::parse};

#[test]
fn accepted() {
    for text in [
        "proc.name=cat",
        "proc.name = cat",
        " \t\r\nproc.name\n=\ncat ",
        "proc.name==cat",
        "proc.name != cat",
        "proc.name exists",
        "proc.name exists and fd.num exists",
        "(proc.name exists)",
        "((((proc.name=cat))))",
        "not proc.name=cat",
        "not not not proc.name=cat",
        "not(proc.name=cat)and(fd.num<3)or fd.num>=5",
        "proc.name=cat and not (fd.num=3 or fd.num=4)",
        "proc.name in (cat, 'd og' ,\"x\")",
        "proc.name in(cat)",
        "proc.name in ()",
        "proc.name intersects (cat,dog)",
        "fd.name pmatch (/etc, /usr/lib)",
        "fd.name startswith anyof (/etc, /usr)",
        "fd.name = oneof(a, b)",
        "fd.name != allof (a,b)",
        "proc.name=oneof",
        "evt.dir=<",
        "evt.dir=>",
        "evt.dir = > and evt.dir != <",
        "fd.num<=3",
        "fd.num>= -1",
        "fd.num = '3'",
        "fd.num=0x1f",
        "fd.name contains 'a\\'b'",
        "fd.name contains\"lib\"",
        "fd.name=a=b",
        "evt.args contains flags=1",
        "evt.args contains a,b",
        "fd.name glob /etc/*[!a]?",
        "fd.name iglob '*.SO'",
        "fd.name regex '/etc/(a|b).*'",
        "evt.arg.name=x",
        "evt.arg[0]=x",
        "evt.rawarg.res<0",
        "evt.rawarg.fd=0xffffffffffffffff",
        "proc.aname[2]=bash",
        "proc.aname[\"2\"]=bash",
        "proc.aname=bash",
        "evt.type.is.open=1",
        "evt.around[1404996934793590564]=100",
        "fd.ip=10.0.0.1 or fd.ip=::1",
        "fd.net=10.0.0.0/8 or fd.net in (fe80::/10)",
        "fd.port=https",
        "fd.sport in (80, http, https)",
        "evt.is_io=true",
        "proc.fdusage>1.5",
        "evt.type in (open , openat)",
        "evt.type=fstatfs",
        "evt.type startswith epoll",
        "evt.buffer bcontains cafe01",
        "evt.buffer bstartswith 7f454c46",
        "tolower(proc.name)=cat",
        "len(proc.name) > 3",
        "toupper( tolower( proc.name ) ) = CAT",
        "concat(proc.name, \"-\", proc.exe) contains a",
        "join(\":\", (proc.name, \"x\")) = cat:x",
        "basename(proc.exe) = val(proc.name)",
        "proc.name = val(proc.pname)",
        "proc.name = tolower(proc.pname)",
        "proc.pid != val( proc.ppid )",
        "getopt(proc.cmdline, \"ab:\")[b] = x",
        "b64(proc.name) = x",
        "fd.types in (file, ipv4)",
        "len(fd.types) > 2",
    ] {
        if let Err(error) = Filter::compile(text) {
            panic!("{}", error.render(text));
        }
    }
}

/// Filter, its text under the carets (`$` at the end), a part of the message, the suggestion.
const REJECTED: &[(&str, &str, &str, Option<&str>)] = &[
    ("", "$0", "empty", None),
    ("  ", "$2", "empty", None),
    ("proc.nme=cat", "0..8", "unknown field proc.nme", Some("proc.name")),
    ("proc.name", "$9", "expected an operator after proc.name", None),
    ("proc.name=", "$10", "expected a value after =", None),
    ("proc.name = and", "$15", "?", None),
    ("proc.name contians cat", "10..18", "unknown operator contians", Some("contains")),
    ("proc.name =~ c.*", "10..12", "unknown operator =~", Some("regex")),
    ("proc.name like c*", "10..14", "unknown operator like", Some("glob")),
    ("proc.name contains/etc", "18..19", "expected a blank after contains", None),
    ("proc.name=cat and", "$17", "expected a check", None),
    ("proc.name=cat && fd.num=1", "14..16", "expected and, or, or the end", Some("and")),
    ("proc.name=cat adn fd.num=1", "14..17", "expected and, or, or the end", Some("and")),
    ("proc.name=big cat", "14..17", "needs quotes", None),
    ("!proc.name=cat", "0..1", "negation", Some("not")),
    ("and proc.name=cat", "0..3", "expected a check before and", None),
    ("(proc.name=cat", "0..1", "not closed", None),
    ("proc.name=cat)", "13..14", "closes nothing", None),
    ("()", "1..2", "expected a check", None),
    ("not", "$3", "expected a check", None),
    ("openat", "0..6", "no field", Some("evt.type = openat")),
    ("proc.name in cat", "13..16", "expected a list after in", Some("in (cat)")),
    ("proc.name in (cat", "13..14", "not closed", None),
    ("proc.name in (cat dog)", "18..21", "expected , or )", None),
    ("proc.name in (cat,)", "18..19", "expected a value in the list", None),
    ("proc.name in (,cat)", "14..15", "expected a value in the list", None),
    ("proc.name=(cat)", "10..11", "takes one value", None),
    ("proc.name='cat", "10..14", "quote is not closed", None),
    ("proc.name='c\\q'", "12..14", "unknown escape", None),
    ("proc.name='\\x00'", "11..15", "zero byte", None),
    ("proc.name=c'at'", "11..12", "quotes inside", None),
    ("evt.type=opean", "9..14", "no event is called opean", Some("open")),
    ("evt.type in (open, clsoe)", "19..24", "no event is called clsoe", Some("close")),
    ("syscall.type != opnat", "16..21", "no event is called opnat", Some("openat")),
    ("fd.num=x", "7..8", "no whole number", None),
    ("fd.num=1.5", "7..10", "no whole number", None),
    ("fd.num<5and fd.num>1", "12..20", "needs quotes", None),
    ("fd.num<5and", "7..11", "no whole number", None),
    ("user.uid=4294967296", "9..19", "too big", None),
    ("fd.num contains 3", "7..15", "contains does not compare numbers", None),
    ("proc.name bcontains 3a", "10..19", "bcontains does not compare text", None),
    ("evt.is_io=1", "10..11", "true or false", Some("true")),
    ("evt.is_io < true", "10..11", "does not compare", None),
    ("fd.ip=1.2.3", "6..11", "no IP address", None),
    ("fd.ip=10.0.0.0/8", "6..16", "fd.net", None),
    ("fd.net=10.0.0.1", "7..15", "no network", Some("10.0.0.1/32")),
    ("fd.net=10.0.0.0/33", "7..18", "from 0 to 32", None),
    ("fd.port=nosuch", "8..14", "no service", None),
    ("fd.types = file", "9..10", "is a list", None),
    ("fd.name regex '(a'", "14..18", "regular expression", None),
    ("fd.name regex 'a)(b'", "14..20", "regular expression", None),
    ("evt.buffer bcontains caf", "21..24", "hex", None),
    ("evt.outputtime=1", "0..14", "output only", None),
    ("evt.arg=1", "0..7", "needs an argument", None),
    ("evt.arg.nosuch=1", "0..14", "no event has an argument nosuch", None),
    ("proc.name[=1", "9..10", "not closed", None),
    ("proc.name[]=1", "9..11", "expected an argument", None),
    ("proc.name[1]=x", "0..12", "takes no argument", None),
    ("evt.around[x]=1", "0..13", "nanoseconds", None),
    ("evt.around[5]<1", "13..14", "evt.around", None),
    ("lower(proc.name)=x", "0..5", "unknown function lower", Some("tolower")),
    ("tolower(proc.pid)=x", "8..16", "tolower does not take numbers", None),
    ("tolower(fd.ip)=x", "8..13", "functions do not take fd.ip", None),
    ("tolower()=x", "0..9", "takes 1 argument", None),
    ("tolower(proc.name=x", "17..18", "expected , or )", None),
    ("tolower(proc.name", "7..8", "not closed", None),
    ("concat(proc.name)=x", "0..17", "at least 2", None),
    ("concat(proc.name, x)=x", "18..19", "text in quotes", Some("\"x\"")),
    ("len(proc.name)=x", "15..16", "no whole number", None),
    ("val(proc.name)=x", "0..3", "right of an operator", None),
    ("proc.name=val(x)", "10..14", "val() takes a field", None),
    ("proc.name=val(fd.ip)", "14..19", "does not stand to the right", None),
    ("proc.name=val(proc.pid)", "14..22", "cannot be compared", None),
    ("proc.name regex val(proc.pname)", "20..30", "takes a constant", None),
    ("getopt(proc.cmdline, 'a')[ab] = x", "25..29", "one letter", None),
];

#[test]
fn rejected() {
    for (text, span, message, suggestion) in REJECTED {
        if *message == "?" {
            // A keyword where a value belongs is a value, as it always was.
            assert!(Filter::compile(text).is_ok(), "{text}");
            continue;
        }
        let error = Filter::compile(text).expect_err(text);
        let at = match error.span {
            s if s.start == s.end => format!("${}", s.start),
            s => format!("{}..{}", s.start, s.end),
        };
        let shown = error.render(text);
        assert_eq!(at, *span, "\n{shown}");
        assert!(error.message.contains(message), "{message:?} expected\n{shown}");
        assert_eq!(error.suggestion.as_deref(), *suggestion, "\n{shown}");
    }
}

#[test]
fn an_error_is_one_line_or_a_picture() {
    let text = "evt.type=open and proc.nme contains cat";
    let error = Filter::compile(text).unwrap_err();
    assert_eq!(
        error.to_string(),
        "filter error at position 19: unknown field proc.nme; did you mean proc.name?"
    );
    assert_eq!(
        error.render(text),
        "filter error: unknown field proc.nme\n  evt.type=open and proc.nme contains cat\n\
         \u{20}                   ^^^^^^^^ did you mean proc.name?"
    );
}

#[test]
fn not_binds_tighter_than_and_and_tighter_than_or() {
    let same = |a: &str, b: &str| assert_eq!(parse(a).unwrap().to_string(), b);
    same("a.b=1 or a.b=2 and not a.b=3 or a.b=4", "a.b = 1 or a.b = 2 and not a.b = 3 or a.b = 4");
    same("(a.b=1 or a.b=2) and a.b=3", "(a.b = 1 or a.b = 2) and a.b = 3");
    same("a.b=1 or (a.b=2 and a.b=3)", "a.b = 1 or a.b = 2 and a.b = 3");
    same("not (a.b=1 and a.b=2)", "not (a.b = 1 and a.b = 2)");
    same("not not a.b=1", "a.b = 1");
    same("a.b in ( 'x y',z)", "a.b in (\"x y\", z)");
    same("a.b == 'a\\x01\\n'", "a.b = \"a\\x01\\n\"");
}

#[test]
fn depth_is_limited_without_exhausting_the_stack() {
    let nested = |n: usize| format!("{}a.b=1{}", "(".repeat(n), ")".repeat(n));
    assert!(parse(&nested(100)).is_ok());
    assert!(parse(&nested(101)).unwrap_err().message.contains("100 levels"));
    assert!(parse(&nested(1_000_000)).is_err());
    assert!(parse(&"(".repeat(1_000_000)).is_err());
    assert!(parse(&"not(".repeat(1_000_000)).is_err());
    assert!(parse(&format!("{}a.b)=1", "tolower(".repeat(1_000_000))).is_err());
    assert!(parse(&format!("a.b={}", "tolower(".repeat(1_000_000))).is_err());
    assert!(parse(&format!("join({}", "(".repeat(1_000_000))).is_err());
    assert!(parse(&format!("{}a.b=1", "not ".repeat(1_000_001))).is_ok());
    assert!(parse(&vec!["a.b=1"; 100_000].join(" or ")).is_ok());
    assert!(Filter::compile(&vec!["fd.num=1"; 20_000].join(" or ")).is_ok());
}
