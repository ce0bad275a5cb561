//! Rows of text, as RFC 4180 has them, with the names of their columns first.

use std::collections::BTreeSet;

use mlops_core::{Error, Result};

/// A table. Its cells lie behind one another: a file of millions of them takes little more room than on disk.
#[derive(Debug)]
pub(super) struct Table {
    names: Vec<String>,
    text: String,
    /// Where each cell of the rows ends in `text`, row by row.
    ends: Vec<usize>,
    /// The line on which each row begins.
    lines: Vec<usize>,
}

impl Table {
    /// Reads the bytes of a file.
    pub(super) fn read(bytes: &[u8]) -> Result<Self> {
        let text = std::str::from_utf8(bytes).map_err(|cause| {
            let line = 1 + count_lines(&bytes[..cause.valid_up_to()]);
            Error::invalid(format!("line {line} is not UTF-8"))
        })?;
        let mut rows = Rows {
            rest: text.strip_prefix('\u{feff}').unwrap_or(text),
            line: 1,
        };
        let mut header = String::new();
        let mut ends = Vec::new();
        if !rows.next(&mut header, &mut ends)? || header.is_empty() {
            return Err(Error::invalid(
                "its first line is empty, and should name the columns",
            ));
        }
        let names: Vec<String> = cells(&header, &ends).map(str::to_owned).collect();
        check_names(&names)?;
        let mut table = Self {
            names,
            text: String::with_capacity(rows.rest.len()),
            ends: Vec::new(),
            lines: Vec::new(),
        };
        table.fill(rows)?;
        if table.rows() == 0 {
            return Err(Error::invalid("it has no rows below the names of columns"));
        }
        Ok(table)
    }

    fn fill(&mut self, mut rows: Rows<'_>) -> Result<()> {
        loop {
            let (line, before) = (rows.line, self.ends.len());
            if !rows.next(&mut self.text, &mut self.ends)? {
                return Ok(());
            }
            let found = self.ends.len() - before;
            let width = self.names.len();
            let start = before.checked_sub(1).map_or(0, |at| self.ends[at]);
            if found == 1 && width > 1 && self.text.len() == start {
                // An empty line, such as editors leave at the end.
                self.ends.truncate(before);
                continue;
            }
            if found != width {
                return Err(Error::invalid(format!(
                    "line {line} has {found} values, and {width} columns are named"
                )));
            }
            self.lines.push(line);
        }
    }

    /// The names of the columns, each another.
    pub(super) fn names(&self) -> &[String] {
        &self.names
    }

    /// How many rows there are, without the names.
    pub(super) fn rows(&self) -> usize {
        self.lines.len()
    }

    /// One value.
    pub(super) fn cell(&self, row: usize, column: usize) -> &str {
        let at = row * self.names.len() + column;
        let start = at.checked_sub(1).map_or(0, |at| self.ends[at]);
        &self.text[start..self.ends[at]]
    }

    /// Where a value stands, for messages.
    pub(super) fn place(&self, row: usize, column: usize) -> String {
        format!("line {}, column {:?}", self.lines[row], self.names[column])
    }
}

fn check_names(names: &[String]) -> Result<()> {
    let mut seen = BTreeSet::new();
    for (at, name) in names.iter().enumerate() {
        if name.trim().is_empty() {
            return Err(Error::invalid(format!("column {} has no name", at + 1)));
        }
        if !seen.insert(name) {
            return Err(Error::invalid(format!("two columns are named {name:?}")));
        }
    }
    Ok(())
}

fn cells<'a>(text: &'a str, ends: &'a [usize]) -> impl Iterator<Item = &'a str> {
    let starts = std::iter::once(0).chain(ends.iter().copied());
    starts.zip(ends).map(|(start, end)| &text[start..*end])
}

fn count_lines(bytes: &[u8]) -> usize {
    bytes.iter().filter(|byte| **byte == b'\n').count()
}

/// What has not been read yet.
struct Rows<'a> {
    rest: &'a str,
    line: usize,
}

impl Rows<'_> {
    /// Appends the values of the next row, and where each ends; `false` if there is none.
    fn next(&mut self, text: &mut String, ends: &mut Vec<usize>) -> Result<bool> {
        if self.rest.is_empty() {
            return Ok(false);
        }
        loop {
            self.value(text)?;
            ends.push(text.len());
            if let Some(rest) = self.rest.strip_prefix(',') {
                self.rest = rest;
                continue;
            }
            let rest = self.rest.strip_prefix('\r').unwrap_or(self.rest);
            self.rest = rest.strip_prefix('\n').unwrap_or(rest);
            self.line += 1;
            return Ok(true);
        }
    }

    /// Appends one value, and leaves what ends it.
    fn value(&mut self, text: &mut String) -> Result<()> {
        let Some(mut quoted) = self.rest.strip_prefix('"') else {
            let end = self.rest.find([',', '\n']).unwrap_or(self.rest.len());
            let (value, rest) = self.rest.split_at(end);
            let (value, rest) = match value.strip_suffix('\r') {
                Some(shorter) if !rest.starts_with(',') => (shorter, &self.rest[end - 1..]),
                _ => (value, rest),
            };
            text.push_str(value);
            self.rest = rest;
            return Ok(());
        };
        let opened = self.line;
        loop {
            let Some((value, rest)) = quoted.split_once('"') else {
                return Err(Error::invalid(format!(
                    "line {opened} opens a quote that nothing closes"
                )));
            };
            text.push_str(value);
            self.line += count_lines(value.as_bytes());
            match rest.strip_prefix('"') {
                // Two quotes are one that is meant.
                Some(more) => {
                    text.push('"');
                    quoted = more;
                }
                None if rest.is_empty() || rest.starts_with([',', '\n', '\r']) => {
                    self.rest = rest;
                    return Ok(());
                }
                None => {
                    return Err(Error::invalid(format!(
                        "line {} has text behind a closing quote",
                        self.line
                    )));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(text: &str) -> Vec<Vec<String>> {
        let table = Table::read(text.as_bytes()).unwrap();
        let row = |row| {
            (0..table.names().len())
                .map(|column| table.cell(row, column).to_owned())
                .collect()
        };
        (0..table.rows()).map(row).collect()
    }

    #[test]
    fn quotes_line_ends_and_empty_values_are_read_as_they_are_meant() {
        for text in [
            "a,b\n1,\"x, \"\"y\"\"\n z\"\n,2\n",
            "\u{feff}a,b\r\n1,\"x, \"\"y\"\"\n z\"\r\n,2\r\n\r\n",
            "a,b\n1,\"x, \"\"y\"\"\n z\"\n,2",
        ] {
            assert_eq!(rows(text), [["1", "x, \"y\"\n z"], ["", "2"]], "{text:?}");
        }
        assert_eq!(rows("a\n1\n\n2\n"), [["1"], [""], ["2"]], "a column alone");
    }

    #[test]
    fn what_is_no_table_is_refused_naming_the_line() {
        for (text, said) in [
            ("", "first line is empty"),
            ("a,b\n", "no rows"),
            ("a,,c\n1,2,3\n", "column 2 has no name"),
            ("a,b,a\n1,2,3\n", "two columns are named \"a\""),
            (
                "a,b\n1,2\n\"x\ny\",2\n1,2,3\n",
                "line 5 has 3 values, and 2 columns are named",
            ),
            ("a,b\n1,2\n3\n", "line 3 has 1 values"),
            ("a,b\n1,\"2\n3,4\n", "line 2 opens a quote"),
            ("a,b\n1,\"2\"x\n", "line 2 has text behind"),
        ] {
            let error = Table::read(text.as_bytes()).unwrap_err().to_string();
            assert!(error.contains(said), "{text:?}: {error}");
        }
        let error = Table::read(b"a,b\n1,2\n3,\xff\n").unwrap_err().to_string();
        assert_eq!(error, "line 3 is not UTF-8");
    }
}
