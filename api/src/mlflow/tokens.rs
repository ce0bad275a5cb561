//! The words, signs and quoted strings of a filter.

use crate::answer::Refusal;

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Token {
    /// An identifier with its dots, a keyword or a number.
    Word(String),
    /// A quoted string.
    Quoted(String),
    /// `=`, `(`, …
    Sign(String),
}

/// The tokens of a filter.
pub(super) fn tokens(text: &str) -> Result<Vec<Token>, Refusal> {
    Tokens(text).all()
}

struct Tokens<'a>(&'a str);

impl Tokens<'_> {
    fn all(mut self) -> Result<Vec<Token>, Refusal> {
        let mut tokens = Vec::new();
        loop {
            self.0 = self.0.trim_start();
            let Some(first) = self.0.chars().next() else {
                return Ok(tokens);
            };
            tokens.push(match first {
                '\'' | '"' => Token::Quoted(self.quoted(first)?),
                '(' | ')' | ',' => Token::Sign(self.take(1)),
                '=' | '!' | '<' | '>' => {
                    let long = self.0[1..].starts_with('=') || self.0.starts_with("<>");
                    Token::Sign(self.take(if long { 2 } else { 1 }))
                }
                _ => Token::Word(self.word()?),
            });
        }
    }

    fn take(&mut self, bytes: usize) -> String {
        let (taken, rest) = self.0.split_at(bytes);
        self.0 = rest;
        taken.to_owned()
    }

    /// What stands between two of `quote`; two in a row stand for one.
    fn quoted(&mut self, quote: char) -> Result<String, Refusal> {
        let mut text = String::new();
        let mut rest = self.0[1..].char_indices().peekable();
        while let Some((at, c)) = rest.next() {
            if c != quote {
                text.push(c);
            } else if rest.peek().is_some_and(|(_, next)| *next == quote) {
                text.push(c);
                rest.next();
            } else {
                self.0 = &self.0[1 + at + 1..];
                return Ok(text);
            }
        }
        Err(Refusal::invalid(format!(
            "the filter holds a {quote} that is not closed"
        )))
    }

    /// An identifier; parts of it may stand in back quotes or, after a dot, in double quotes.
    fn word(&mut self) -> Result<String, Refusal> {
        let mut word = String::new();
        while let Some(c) = self.0.chars().next() {
            match c {
                '`' => word.push_str(&self.quoted('`')?),
                '"' if word.ends_with('.') => word.push_str(&self.quoted('"')?),
                c if c.is_whitespace() || "'\"()=!<>,".contains(c) => break,
                c => {
                    word.push(c);
                    self.0 = &self.0[c.len_utf8()..];
                }
            }
        }
        Ok(word)
    }
}
