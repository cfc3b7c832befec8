//! Tables without lines, folded by column.

use std::io::{self, Write};

use comfy_table::presets::NOTHING;
use comfy_table::{CellAlignment, ColumnConstraint, ContentArrangement, Table, Width};
use textwrap::core::display_width;

/// A table is wider on no terminal.
const COLUMNS_MAX: u16 = 200;

/// Beside each cell.
const PADDING: usize = 2;

/// The last column has at least so many columns, or goes below its row.
const LAST_MIN: usize = 16;

/// How far a cell that goes below its row is moved in.
const INDENT: &str = "    ";

/// Stands in the table for a line of its own. Cells hold no control character.
const OWN_LINE: &str = "\u{1}";

/// Writes a table without lines. On a terminal it is folded by column, between words and never within one: a first cell
/// that is too long for that stands above its row, a last one below. The columns `numbers` stand to the right and are not
/// folded. Cells are harmless already.
///
/// # Errors
/// Where `out` cannot be written.
pub fn table<const N: usize>(
    out: &mut dyn Write,
    header: &[&str; N],
    numbers: &[usize],
    rows: impl Iterator<Item = [String; N]>,
    columns: Option<u16>,
) -> io::Result<()> {
    let rows: Vec<[String; N]> = rows.collect();
    let mut table = Table::new();
    table.load_style(NOTHING).set_header(header.iter());
    let own_lines = match columns.map(|columns| columns.min(COLUMNS_MAX)) {
        None => {
            table.set_content_arrangement(ContentArrangement::Disabled).add_rows(rows);
            Vec::new()
        }
        Some(columns) => folded(&mut table, header, numbers, rows, columns),
    };
    for column in numbers {
        if let Some(column) = table.column_mut(*column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    let mut own_lines = own_lines.iter();
    for line in table.lines() {
        match own_lines.as_slice().first().filter(|_| line.contains(OWN_LINE)) {
            Some(own) => {
                writeln!(out, "{own}")?;
                own_lines.next();
            }
            None => writeln!(out, "{}", line.trim_end())?,
        }
    }
    Ok(())
}

/// Fills a table that is to be folded, and gives the lines that stand above or below a row.
fn folded<const N: usize>(
    table: &mut Table,
    header: &[&str; N],
    numbers: &[usize],
    rows: Vec<[String; N]>,
    columns: u16,
) -> Vec<String> {
    let width = usize::from(columns);
    let natural = |column: usize| {
        let cells = rows.iter().map(|row| row[column].as_str());
        cells.chain([header[column]]).map(display_width).max().unwrap_or(0)
    };
    if (0..N).map(|column| natural(column) + PADDING).sum::<usize>() <= width {
        table.set_content_arrangement(ContentArrangement::Disabled).add_rows(rows);
        return Vec::new();
    }
    let layout = Layout::of(header, numbers, &rows, width);
    let mut own_lines = Vec::new();
    for mut row in rows {
        if layout.stands_above(&row[0]) {
            own_lines.push(format!(" {}", std::mem::take(&mut row[0])));
            table.add_row([OWN_LINE]);
        }
        let below = row.last_mut().filter(|cell| layout.stands_below(cell)).map(std::mem::take);
        table.add_row(row);
        if let Some(below) = below {
            own_lines.push(format!("{INDENT}{below}"));
            table.add_row([OWN_LINE]);
        }
    }
    table.set_content_arrangement(ContentArrangement::Dynamic).set_width(columns);
    table.set_constraints(
        layout.needs.map(|need| {
            ColumnConstraint::LowerBoundary(Width::Fixed(u16::try_from(need + PADDING).unwrap_or(columns)))
        }),
    );
    own_lines
}

/// How much each column needs, so that no word in it is broken.
struct Layout<const N: usize> {
    needs: [usize; N],
    /// A longer word in the first column stands above its row.
    first_max: usize,
    /// A longer word in the last column stands below its row. None where that is a number.
    last_max: Option<usize>,
}

impl<const N: usize> Layout<N> {
    fn of(header: &[&str; N], numbers: &[usize], rows: &[[String; N]], width: usize) -> Self {
        let first_max = width / 3;
        let is_text = |column: usize| !numbers.contains(&column);
        let longest = |column: usize, measure: fn(&str) -> usize, most: usize| {
            let cells = rows.iter().map(|row| measure(&row[column])).filter(|need| *need <= most);
            cells.chain([longest_word(header[column])]).max().unwrap_or(0)
        };
        let most = |column: usize| if column == 0 { first_max } else { usize::MAX };
        let whole =
            |column: usize| longest(column, if is_text(column) { longest_word } else { display_width }, most(column));
        let last = N.saturating_sub(1);
        let besides = |needs: &[usize; N]| (0..N).filter(|n| *n != last).map(|n| needs[n] + PADDING).sum::<usize>();
        let mut needs: [usize; N] = std::array::from_fn(whole);
        let last_needs = if is_text(last) { longest_word(header[last]) } else { needs[last] };
        if besides(&needs) + last_needs + PADDING > width {
            // Numbers go on below their amount with their unit, before a line is longer than the terminal.
            needs = std::array::from_fn(|column| longest(column, longest_word, most(column)));
        }
        let last_max = is_text(last).then(|| {
            let room = width.saturating_sub(besides(&needs) + PADDING);
            if room < LAST_MIN { 0 } else { room }
        });
        if let Some(last_max) = last_max {
            needs[last] = longest(last, longest_word, last_max);
        }
        Self { needs, first_max, last_max }
    }

    fn stands_above(&self, cell: &str) -> bool {
        longest_word(cell) > self.first_max
    }

    fn stands_below(&self, cell: &str) -> bool {
        self.last_max.is_some_and(|most| longest_word(cell) > most)
    }
}

fn longest_word(text: &str) -> usize {
    text.split(' ').map(display_width).max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown<const N: usize>(header: [&str; N], numbers: &[usize], rows: &[[&str; N]], columns: Option<u16>) -> String {
        let mut out = Vec::new();
        let rows = rows.iter().map(|row| row.map(str::to_owned));
        table(&mut out, &header, numbers, rows, columns).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn it_is_folded_by_column_and_no_word_is_broken() {
        let header = ["id", "state", "next", "detail"];
        let url = "https://origin.example/videos/fe1630b6fe79acf773b9b073.mp4";
        let id = "an-id-that-is-longer-than-what-a-first-column-may-be";
        let words = "the plan says 1,350 sats and the origin asks 1,485 sats";
        let rows = [["1", "refused", "person", words], ["2", "delivered", "none", url], [id, "delivered", "none", url]];
        insta::assert_snapshot!(shown(header, &[], &rows, Some(60)));
        let whole = shown(header, &[], &rows, None);
        assert_eq!(whole.lines().count(), 4, "what goes into a pipe is not folded\n{whole}");
        assert_eq!(whole, shown(header, &[], &rows, Some(200)));
    }

    #[test]
    fn numbers_stay_whole_as_long_as_there_is_room() {
        let header = ["endpoint", "rate chosen by", "units", "rate", "price"];
        let row = ["generate-video", "mode=pro, generate_audio=false", "18 seconds", "450 sats a second", "8,100 sats"];
        insta::assert_snapshot!(shown(header, &[2, 3, 4], &[row], Some(86)));
        insta::assert_snapshot!(shown(header, &[2, 3, 4], &[row], Some(74)));
    }

    proptest::proptest! {
        #[test]
        fn no_word_is_ever_broken(cells in proptest::collection::vec("[a-z]{0,50}( [a-z]{1,9}){0,6}", 12), columns in 40_u16..120) {
            let cells: Vec<&str> = cells.iter().map(String::as_str).collect();
            let rows: Vec<[&str; 4]> = cells.chunks(4).map(|row| [row[0], "a state", "none", row[3]]).collect();
            let text = shown(["id", "state", "next", "detail"], &[], &rows, Some(columns));
            let words: Vec<&str> = text.split_whitespace().collect();
            for word in rows.iter().flatten().flat_map(|cell| cell.split_whitespace()) {
                proptest::prop_assert!(words.contains(&word), "{word} in\n{text}");
            }
        }
    }
}
