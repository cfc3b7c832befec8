//! Diagnostics as people read them: an excerpt, what is meant underlined, and what to do.

use annotate_snippets::{Annotation, AnnotationKind, Group, Level, Origin, Renderer, Snippet};

use super::{Diagnostic, Place, Severity};
use crate::money::thousands;
use crate::terminal_text::printable_char;

/// Longest message that is shown whole, in characters: room for a path and what is wrong with it.
const WORDS_CHARS_MAX: usize = 5_000;

/// Everything that was found, sorted by place, with a line at the end that sums it up. Control characters of the files
/// are shown, not sent to the terminal; excerpts are cut to its `columns`.
#[must_use]
pub fn render(diagnostics: &[Diagnostic], color: bool, columns: Option<u16>) -> String {
    let renderer = if color { Renderer::styled() } else { Renderer::plain() };
    let renderer = columns.map_or(renderer.clone(), |columns| renderer.term_width(columns.into()));
    let mut out = String::new();
    for diagnostic in sorted(diagnostics) {
        out.push_str(&renderer.render(&report(diagnostic)));
        out.push_str("\n\n");
    }
    if !diagnostics.is_empty() {
        out.push_str(&summary(diagnostics));
        out.push('\n');
    }
    out
}

/// By file, in the order in which files first appear; then by place, with what has none at the end.
fn sorted(diagnostics: &[Diagnostic]) -> Vec<&Diagnostic> {
    let mut sorted: Vec<&Diagnostic> = diagnostics.iter().collect();
    let file_at = |wanted: &Diagnostic| diagnostics.iter().position(|d| d.file == wanted.file);
    sorted.sort_by_cached_key(|d| {
        let place = d.place.as_ref().map_or((u64::MAX, u32::MAX), |place| (place.line, place.column));
        (file_at(d), place)
    });
    sorted
}

fn report(diagnostic: &Diagnostic) -> Vec<Group<'_>> {
    let level = match diagnostic.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    };
    let file = words(&diagnostic.file);
    let mut main = level.primary_title(words(&diagnostic.message)).elements(std::iter::empty::<Origin<'_>>());
    main = match &diagnostic.place {
        Some(place) => excerpt(main, &file, place, AnnotationKind::Primary),
        None => main.element(Origin::path(file.clone())),
    };
    if let Some(lines) = diagnostic.place.as_ref().and_then(also_on) {
        main = main.element(Level::NOTE.message(lines));
    }
    if let Some(help) = &diagnostic.help {
        main = main.element(Level::HELP.message(words(help)));
    }
    let related = diagnostic.related.iter().map(|(place, text)| {
        let group = Level::NOTE.secondary_title(words(text)).elements(std::iter::empty::<Origin<'_>>());
        excerpt(group, &file, place, AnnotationKind::Context)
    });
    std::iter::once(main).chain(related).collect()
}

/// Adds the line, with the place underlined. Of a long line only the beginning was kept: of a place behind that, line and column
/// are told alone.
fn excerpt<'a>(group: Group<'a>, file: &str, place: &Place, kind: AnnotationKind) -> Group<'a> {
    if let Some(cell) = place.cell() {
        return group.element(Origin::path(format!("{file}: {}", words(&cell))));
    }
    let line = usize::try_from(place.line).unwrap_or(usize::MAX);
    let column = usize::try_from(place.column).unwrap_or(usize::MAX);
    // One character for each, so that columns stay what they are.
    let text = printable(&place.text);
    let before: usize = text.chars().take(column.saturating_sub(1)).map(char::len_utf8).sum();
    let is_kept = text.chars().count() + 1 >= column && !text.is_empty();
    if !is_kept {
        return group.element(Origin::path(file.to_owned()).line(line).char_column(column));
    }
    let width = usize::try_from(place.width).unwrap_or(usize::MAX);
    let meant: usize = text[before..].chars().take(width).map(char::len_utf8).sum();
    let annotation: Annotation<'a> = kind.span(before..before + meant);
    group.element(Snippet::source(text).line_start(line).path(file.to_owned()).annotation(annotation))
}

/// `also on lines 4-9, 12`.
fn also_on(place: &Place) -> Option<String> {
    let ranges: Vec<String> = place
        .also_lines
        .iter()
        .map(|(first, last)| if first == last { first.to_string() } else { format!("{first}-{last}") })
        .collect();
    let is_one = matches!(place.also_lines.as_slice(), [(first, last)] if first == last);
    let (on, lines) = if place.sheet.is_some() { ("in", "row") } else { ("on", "line") };
    let plural = if is_one { "" } else { "s" };
    (!ranges.is_empty()).then(|| format!("also {on} {lines}{plural} {}", ranges.join(", ")))
}

/// `3 errors in jobs.csv; nothing was asked, nothing was spent`: every wrong cell counts, also where many are told in one.
fn summary(diagnostics: &[Diagnostic]) -> String {
    let count = |severity| {
        let of = diagnostics.iter().filter(|d| d.severity == severity);
        of.fold(0_u64, |all, d| all.saturating_add(d.count))
    };
    let (errors, warnings) = (count(Severity::Error), count(Severity::Warning));
    let mut parts = Vec::new();
    for (number, one) in [(errors, "error"), (warnings, "warning")] {
        match number {
            0 => {}
            1 => parts.push(format!("1 {one}")),
            _ => parts.push(format!("{} {one}s", thousands(number))),
        }
    }
    let mut files: Vec<String> = Vec::new();
    for diagnostic in sorted(diagnostics) {
        let file = words(&diagnostic.file);
        if !files.contains(&file) {
            files.push(file);
        }
    }
    let end = if errors > 0 { "; nothing was asked, nothing was spent" } else { "" };
    format!("{} in {}{end}", parts.join(" and "), files.join(", "))
}

/// What a message says, in the length that a person reads: a name in it may be as long as a file.
fn words(text: &str) -> String {
    let mut shown: String = text.chars().take(WORDS_CHARS_MAX).map(visible).collect();
    if text.chars().nth(WORDS_CHARS_MAX).is_some() {
        shown.push('…');
    }
    shown
}

/// The text with each control or direction character replaced by one that only shows it.
fn printable(text: &str) -> String {
    text.chars().map(visible).collect()
}

fn visible(c: char) -> char {
    match c {
        '\t' => ' ',
        '\0'..='\x1f' => char::from_u32(0x2400 + u32::from(c)).unwrap_or('\u{fffd}'),
        '\x7f' => '\u{2421}',
        c => printable_char(c),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(line: u64, column: u32, width: u32, text: &str) -> Place {
        Place { sheet: None, line, column, width, text: text.to_owned(), also_lines: Vec::new() }
    }

    #[test]
    fn people_see_where_and_what_to_do() {
        let mut duration = Diagnostic::error("jobs.csv", "duration: expected an integer from 3 to 15, got \"8s\"")
            .at(place(17, 7, 2, "a cat,8s,pro"));
        if let Some(place) = &mut duration.place {
            place.also_lines = vec![(18, 22), (30, 30)];
        }
        let mut twice = Diagnostic::error("jobs.csv", "two jobs have the id \"a\"").at(place(9, 1, 1, "a,b"));
        twice.related.push((place(4, 1, 1, "a,c"), "the first one".to_owned()));
        let whole = Diagnostic::warning("jobs.csv", "ids differ only by case").help("rename one");
        let text = render(&[whole, duration, twice], false, None);
        insta::assert_snapshot!(text);
    }

    #[test]
    fn nothing_in_a_file_reaches_the_terminal_as_a_command() {
        let hostile = Diagnostic::error("a\x1b[2J.csv", "got \"\x1b]0;x\x07\u{202e}\"")
            .at(place(1, 3, 400, "a,\x1b[31mé\0\u{2028}\u{200b}\u{e0041}"))
            .help("\u{9b}31m");
        let text = render(&[hostile], false, None);
        assert!(!text.chars().any(|c| c != '\n' && visible(c) != c), "{text:?}");
    }

    proptest::proptest! {
        #[test]
        fn no_place_panics(text: String, column: u32, width: u32, line: u64, message: String, color: bool) {
            let wrong = Diagnostic::error("a.csv", message).at(place(line, column, width, &text));
            let _ = render(&[wrong], color, None);
        }

        #[test]
        fn no_place_within_a_line_panics(text in "\\PC{0,40}", column in 0_u32..45, width in 0_u32..45) {
            let wrong = Diagnostic::error("a.csv", "wrong").at(place(3, column, width, &text));
            let _ = render(&[wrong], false, None);
        }
    }
}
