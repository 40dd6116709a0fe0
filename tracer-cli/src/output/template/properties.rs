//! Properties of random templates on random events: printing and parsing are inverse, and what is
//! written is what the shortest writer writes.

use super::{Piece, Template};
use crate::fields::write::write_value;
use crate::fields::{self, Arg, ExtractOptions, Extraction, FieldFlags};
use crate::filter::tests::scene::any_scene;
use bstr::ByteSlice;
use proptest::prelude::*;

/// What a template consists of, to compare.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Text(String),
    Field { name: String, width: Option<usize> },
}

fn parts(template: &Template) -> (bool, Vec<Part>) {
    let part = |piece: &Piece| match piece {
        Piece::Literal(text) => Part::Text(text.to_str().unwrap().to_owned()),
        Piece::Field(column) => Part::Field { name: column.name.clone(), width: column.width },
    };
    (template.shows_all(), template.pieces.iter().map(part).collect())
}

/// Every field that a template may have, with an argument where it needs one.
fn field_names() -> Vec<String> {
    let name = |field: &fields::Field| match (field.name, field.arg) {
        ("evt.arg" | "evt.rawarg", _) => format!("{}.fd", field.name),
        ("evt.type.is", _) => "evt.type.is.openat".to_owned(),
        (name, Arg::Required) => format!("{name}[x]"),
        (name, Arg::Optional | Arg::None) => name.to_owned(),
    };
    fields::all().filter(|field| !field.flags.contains(FieldFlags::FILTER_ONLY)).map(name).collect()
}

fn any_name() -> impl Strategy<Value = String> {
    let common = ["evt.num", "proc.name", "fd.name", "evt.arg[0]", "evt.args", "proc.aname[1]", "fd.types"];
    prop_oneof![prop::sample::select(common.map(str::to_owned).to_vec()), prop::sample::select(field_names()),]
}

/// Texts and fields by turns, so that no text lengthens the one before.
fn any_parts() -> impl Strategy<Value = (bool, Vec<Part>)> {
    let text = prop_oneof!["[ |(\\\\\n\t\u{1b}é日]{1,4}", Just(" *".to_owned())];
    let field = (any_name(), prop::option::of(0..40usize));
    (any::<bool>(), prop::collection::vec((text, field), 1..5)).prop_map(|(shows_all, pairs)| {
        let parts = pairs
            .into_iter()
            .flat_map(|(text, (name, width))| [Part::Text(text), Part::Field { name, width }]);
        (shows_all, parts.collect())
    })
}

/// A template of these parts, typed the way a user would.
fn typed((shows_all, parts): &(bool, Vec<Part>)) -> String {
    let part = |part: &Part| match part {
        Part::Text(text) => text.replace('\\', r"\\").replace('\n', r"\n").replace('\u{1b}', r"\e"),
        Part::Field { name, width: None } => format!("%{name}"),
        Part::Field { name, width: Some(width) } => format!("%{width}{name}"),
    };
    let star = if *shows_all { "*" } else { "" };
    star.to_owned() + &parts.iter().map(part).collect::<String>()
}

/// The same by the shortest way; `None`: the event is not to be shown.
fn naive((shows_all, parts): &(bool, Vec<Part>), from: &Extraction<'_>) -> Option<String> {
    let mut line = String::new();
    for part in parts {
        let (name, width) = match part {
            Part::Text(text) => {
                line += text;
                continue;
            }
            Part::Field { name, width } => (name, width),
        };
        let field = fields::find(name).unwrap();
        let mut values = Vec::new();
        field.extract(from, &mut |value| {
            let mut text = Vec::new();
            write_value(&value, &field, from.options, &mut text);
            values.push(String::from_utf8(text).expect("what is shown is UTF-8"));
        });
        let is_list = field.field.flags.contains(FieldFlags::LIST);
        let text = match (values.is_empty(), is_list) {
            (true, _) if !shows_all => return None,
            (true, _) => "<NA>".to_owned(),
            (false, true) => format!("({})", values.join(",")),
            (false, false) => values.join(" "),
        };
        let shown = text.chars().take(width.unwrap_or(usize::MAX)).collect::<String>();
        line += &format!("{shown:width$}", width = width.unwrap_or(0));
    }
    Some(line)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn what_is_printed_parses_to_the_same(parts_typed in any_parts()) {
        let template = Template::parse(&typed(&parts_typed)).map_err(|e| TestCaseError::fail(e.to_string()))?;
        prop_assert_eq!(&parts(&template), &parts_typed);
        let printed = template.to_string();
        let again = Template::parse(&printed).map_err(|e| TestCaseError::fail(e.render(&printed)))?;
        prop_assert_eq!(parts(&again), parts_typed, "{}", printed);
    }

    #[test]
    fn what_is_written_is_what_the_shortest_way_writes(parts in any_parts(), scene in any_scene()) {
        let text = typed(&parts);
        let template = Template::parse(&text).map_err(|e| TestCaseError::fail(e.render(&text)))?;
        scene.with(|context| {
            // Each has its own options: some fields count how often they are asked for.
            let (options, own) = (ExtractOptions::default(), ExtractOptions::default());
            let expected = naive(&parts, &Extraction::new(context, &own, Vec::new()));
            let mut line = b"before ".to_vec();
            let shown = template.write(&Extraction::new(context, &options, Vec::new()), &mut line);
            let got = shown.then(|| line.strip_prefix(b"before ").unwrap_or(&line).to_str_lossy());
            prop_assert_eq!(got.as_deref(), expected.as_deref(), "{} on {:?}", text, context.event);
            prop_assert!(shown || line == b"before ", "a hidden event leaves nothing");
            Ok(())
        })?;
    }

    #[test]
    fn no_row_of_words_panics(words in prop::collection::vec(prop::sample::select(&[
        "%", "%%", "*", "%evt.num", "%5", "proc.name", "evt.arg", "[", "]", ".", "%proc.aname[", "99999999999", "\\", "n",
        "é", "%evt.arg.", "fd", "-", "%evt.around", "\u{0}", " ",
    ][..]), 0..10)) {
        let text = words.concat();
        match Template::parse(&text) {
            Ok(template) => {
                let printed = template.to_string();
                let again = Template::parse(&printed).map_err(|e| TestCaseError::fail(e.render(&printed)))?;
                prop_assert_eq!(parts(&again), parts(&template), "{} as {}", text, printed);
            }
            Err(error) => drop(error.render(&text)),
        }
    }
}
