//! Functions that fit a screen.

use proc_macro2::{Delimiter, TokenStream, TokenTree};

use crate::{SOURCES, Source};

/// Signature and body together have at most so many lines.
const LINES_MAX: usize = 60;

#[test]
fn no_function_is_longer_than_a_screen() {
    let mut long = Vec::new();
    for Source { file, text, .. } in SOURCES.iter() {
        let mut found = Vec::new();
        functions(text.parse().unwrap_or_default(), &mut found);
        let long_ones = found.into_iter().filter(|function| function.lines > LINES_MAX);
        long.extend(
            long_ones.map(|Function { name, line, lines }| format!("src/{file}:{line}: {name} has {lines} lines")),
        );
    }
    assert!(long.is_empty(), "\n{}", long.join("\n"));
}

#[test]
fn a_function_is_measured_wherever_it_stands() {
    let text = "trait T { fn none(&self);\nfn of(f: fn(u8) -> u8)\n{\n} }\nmod m {\nfn outer() { fn inner() {\n\n} } }";
    let mut found = Vec::new();
    functions(text.parse().unwrap(), &mut found);
    let found: Vec<_> = found.iter().map(|function| (function.name.as_str(), function.line, function.lines)).collect();
    assert_eq!(found, [("of", 2, 3), ("outer", 6, 3), ("inner", 6, 3)]);
}

struct Function {
    name: String,
    /// Where it begins.
    line: usize,
    /// So many lines it has, to the end of its body.
    lines: usize,
}

fn functions(tokens: TokenStream, found: &mut Vec<Function>) {
    // A function that has begun: its line, and its name where that is read.
    let mut begun: Option<(usize, Option<String>)> = None;
    for token in tokens {
        begun = match (token, begun) {
            (TokenTree::Ident(word), _) if word == "fn" => Some((word.span().start().line, None)),
            (TokenTree::Ident(name), Some((line, None))) => Some((line, Some(name.to_string()))),
            // A type of function has no name, and one that is only declared has no body.
            (TokenTree::Group(group), Some((_, None))) => {
                functions(group.stream(), found);
                None
            }
            (TokenTree::Punct(mark), _) if mark.as_char() == ';' => None,
            (TokenTree::Group(group), Some((line, Some(name)))) if group.delimiter() == Delimiter::Brace => {
                let lines = group.span_close().end().line - line + 1;
                found.push(Function { name, line, lines });
                functions(group.stream(), found);
                None
            }
            (TokenTree::Group(group), begun) => {
                functions(group.stream(), found);
                begun
            }
            (_, begun) => begun,
        };
    }
}
