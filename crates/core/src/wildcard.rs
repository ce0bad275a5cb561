//! The patterns of policies and of rules of a load balancer: `*` stands for any characters, `?` for one.

/// Whether a pattern is for the whole of a text. Case counts.
///
/// It remembers the last star only, so it takes the product of both lengths at most.
pub fn matches(pattern: &str, text: &str) -> bool {
    let (pattern, text) = (pattern.as_bytes(), text.as_bytes());
    // Where the last star stands, and how far it reaches.
    let (mut p, mut t, mut star) = (0, 0, None);
    while t < text.len() {
        match pattern.get(p) {
            Some(b'*') => {
                star = Some((p, t));
                p += 1;
            }
            Some(known) if *known == b'?' || *known == text[t] => {
                p += 1;
                t += 1;
            }
            _ => {
                let Some((at, reached)) = star else {
                    return false;
                };
                star = Some((at, reached + 1));
                p = at + 1;
                t = reached + 1;
            }
        }
    }
    pattern[p..].iter().all(|rest| *rest == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_is_for_any_text_in_place_of_its_stars() {
        for (pattern, text, is_for) in [
            ("a*c", "abbc", true),
            ("a*c", "abcb", false),
            ("*", "", true),
            ("a?", "a", false),
            ("a?", "ab", true),
            ("*b*b", "abab", true),
            ("a", "ab", false),
            ("A", "a", false),
        ] {
            assert_eq!(matches(pattern, text), is_for, "{pattern} {text}");
        }
    }
}
