//! Tables of figures, as Markdown that also reads well in a terminal.

use std::fmt;

/// Rows under headings; printed with columns aligned.
pub(crate) struct Table {
    title: String,
    head: Vec<String>,
    rows: Vec<Vec<String>>,
}

impl Table {
    pub(crate) fn new(title: impl Into<String>, head: &[&str]) -> Self {
        Self {
            title: title.into(),
            head: head.iter().map(|h| (*h).to_owned()).collect(),
            rows: Vec::new(),
        }
    }

    /// Adds a row; it must have a cell for every heading.
    pub(crate) fn row(&mut self, cells: Vec<String>) {
        assert_eq!(
            cells.len(),
            self.head.len(),
            "a row of {:?} has another number of cells",
            self.title
        );
        self.rows.push(cells);
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = |column: usize| {
            self.rows
                .iter()
                .chain([&self.head])
                .map(|row| row[column].chars().count())
                .max()
                .unwrap_or(0)
        };
        let widths: Vec<usize> = (0..self.head.len()).map(width).collect();
        writeln!(f, "\n## {}\n", self.title)?;
        let line = |f: &mut fmt::Formatter<'_>, row: &[String]| {
            for (cell, width) in row.iter().zip(&widths) {
                write!(f, "| {cell:<width$} ")?;
            }
            writeln!(f, "|")
        };
        line(f, &self.head)?;
        for width in &widths {
            write!(f, "|{}", "-".repeat(width + 2))?;
        }
        writeln!(f, "|")?;
        for row in &self.rows {
            line(f, row)?;
        }
        Ok(())
    }
}

/// Whether a figure that should stay below (or at) a bound does, in the words of a table.
pub(crate) fn at_most(measured: f64, bound: f64) -> &'static str {
    if measured <= bound { "ok" } else { "MISS" }
}

/// Whether a figure that should reach a bound does, in the words of a table.
pub(crate) fn at_least(measured: f64, bound: f64) -> &'static str {
    if measured >= bound { "ok" } else { "MISS" }
}

/// The middle of some measurements; of an even number, halfway between the two in the middle.
pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    assert!(!values.is_empty(), "a median of nothing");
    values.sort_by(f64::total_cmp);
    let (low, high) = (values[(values.len() - 1) / 2], values[values.len() / 2]);
    f64::midpoint(low, high)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let mut table = Table::new("t", &["a", "long"]);
        table.row(vec!["1234".into(), "x".into()]);
        let text = table.to_string();
        assert!(
            text.ends_with("| a    | long |\n|------|------|\n| 1234 | x    |\n"),
            "{text}"
        );
    }

    #[test]
    fn a_figure_equal_to_its_bound_meets_it_both_ways() {
        assert_eq!((at_most(1.0, 1.0), at_least(1.0, 1.0)), ("ok", "ok"));
        assert_eq!((at_most(1.1, 1.0), at_least(0.9, 1.0)), ("MISS", "MISS"));
    }

    #[test]
    fn the_median_ignores_order_and_outliers() {
        assert_eq!(median(vec![9.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(vec![100.0, 1.0, 3.0, 2.0]), 2.5);
    }
}
