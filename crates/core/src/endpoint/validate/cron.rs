//! Moments that come again, as Application Auto Scaling writes them: `cron(0 8 ? * MON-FRI *)`, `rate(1 day)`.

/// What is wrong with a schedule, if anything.
pub(super) fn problem(text: &str) -> Option<String> {
    let wrong = |why: String| {
        Some(format!(
            "{text:?} is not a schedule: {why}; write cron(MINUTE HOUR DAY-OF-MONTH MONTH DAY-OF-WEEK YEAR), such as cron(0 8 ? * MON-FRI *), or rate(1 day)"
        ))
    };
    let within = |name: &str| {
        let rest = text.strip_prefix(name)?.strip_prefix('(')?;
        rest.strip_suffix(')')
    };
    if within("at").is_some() {
        return wrong(
            "at(…) comes once, and what an endpoint is asked for holds again and again".to_owned(),
        );
    }
    if let Some(rate) = within("rate") {
        return match is_rate(rate) {
            true => None,
            false => wrong("a rate is a number and minutes, hours or days, and 1 has a minute, an hour or a day".to_owned()),
        };
    }
    let Some(cron) = within("cron") else {
        return wrong("it is neither cron(…) nor rate(…)".to_owned());
    };
    let fields: Vec<&str> = cron.split(' ').collect();
    if fields.len() != FIELDS.len() {
        return wrong(format!("a cron has six fields, not {}", fields.len()));
    }
    for (field, text) in FIELDS.iter().zip(&fields) {
        if !field.takes(text) {
            return wrong(format!("{text:?} is not a {}", field.name));
        }
    }
    match (fields[2], fields[4]) {
        ("?", "?") => wrong("one of the two days has to say something other than ?".to_owned()),
        ("?", _) | (_, "?") => None,
        _ => wrong("one of the two days has to be ?".to_owned()),
    }
}

fn is_rate(text: &str) -> bool {
    let Some((number, unit)) = text.split_once(' ') else {
        return false;
    };
    match number.parse::<u32>() {
        Ok(1) => ["minute", "hour", "day"].contains(&unit),
        Ok(2..) => ["minutes", "hours", "days"].contains(&unit),
        _ => false,
    }
}

/// A field of a cron.
struct Field {
    name: &'static str,
    least: u32,
    most: u32,
    /// Words for its numbers, the first for `least`.
    words: &'static [&'static str],
    /// What may stand there beside numbers, ranges, lists and steps.
    also: &'static [char],
}

const FIELDS: [Field; 6] = [
    Field {
        name: "minute",
        least: 0,
        most: 59,
        words: &[],
        also: &[],
    },
    Field {
        name: "hour",
        least: 0,
        most: 23,
        words: &[],
        also: &[],
    },
    Field {
        name: "day of the month",
        least: 1,
        most: 31,
        words: &[],
        also: &['?', 'L', 'W'],
    },
    Field {
        name: "month",
        least: 1,
        most: 12,
        words: &[
            "JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC",
        ],
        also: &[],
    },
    Field {
        name: "day of the week",
        least: 1,
        most: 7,
        words: &["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"],
        also: &['?', 'L', '#'],
    },
    Field {
        name: "year",
        least: 1970,
        most: 2199,
        words: &[],
        also: &[],
    },
];

impl Field {
    fn takes(&self, text: &str) -> bool {
        if text == "?" {
            return self.also.contains(&'?');
        }
        text.split(',').all(|part| self.takes_part(part))
    }

    /// One part of a list: `*`, `7`, `MON`, `1-5`, `0/15`, and where they may stand `L`, `15W`, `2#1`.
    fn takes_part(&self, part: &str) -> bool {
        let (span, step) = match part.split_once('/') {
            Some((span, step)) => (span, Some(step)),
            None => (part, None),
        };
        if step.is_some_and(|step| !step.parse::<u32>().is_ok_and(|step| step > 0)) {
            return false;
        }
        if span == "*" {
            return true;
        }
        if let Some((from, to)) = span.split_once('-') {
            return matches!((self.number(from), self.number(to)), (Some(from), Some(to)) if from <= to);
        }
        if step.is_some() {
            return self.number(span).is_some();
        }
        if let Some((day, week)) = span.split_once('#') {
            let nth = week
                .parse::<u32>()
                .is_ok_and(|week| (1..=5).contains(&week));
            return self.also.contains(&'#') && self.number(day).is_some() && nth;
        }
        for last in self.also.iter().filter(|c| c.is_ascii_alphabetic()) {
            if let Some(day) = span.strip_suffix(*last)
                && self.number(span).is_none()
            {
                return (day.is_empty() && *last == 'L')
                    || self.number(day).is_some()
                    || (day == "L" && *last == 'W');
            }
        }
        self.number(span).is_some()
    }

    fn number(&self, text: &str) -> Option<u32> {
        let word = self.words.iter().position(|word| *word == text);
        let number = match word {
            Some(at) => self.least + u32::try_from(at).ok()?,
            None if text.bytes().all(|byte| byte.is_ascii_digit()) => text.parse().ok()?,
            None => return None,
        };
        (self.least..=self.most).contains(&number).then_some(number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_service_documents_is_a_schedule() {
        for right in [
            "cron(0 8 ? * MON-FRI *)",
            "cron(0 22 * * ? *)",
            "cron(0/15 6-20 1,15 JAN-MAR ? 2026-2030)",
            "cron(30 9 L * ? *)",
            "cron(30 9 15W * ? *)",
            "cron(30 9 LW * ? *)",
            "cron(30 9 ? * 6L *)",
            "cron(30 9 ? * MON#1 *)",
            "cron(30 9 ? * SUN,SAT *)",
            "cron(*/5 * * * ? *)",
            "rate(1 day)",
            "rate(12 hours)",
        ] {
            assert_eq!(problem(right), None);
        }
    }

    #[test]
    fn what_is_none_is_told_with_the_reason() {
        for (wrong, said) in [
            ("", "neither cron"),
            ("0 8 * * *", "neither cron"),
            ("cron(0 8 * * *)", "six fields, not 5"),
            ("cron(0  8 * * ? *)", "six fields, not 7"),
            ("cron(60 8 * * ? *)", "\"60\" is not a minute"),
            ("cron(0 24 * * ? *)", "\"24\" is not a hour"),
            ("cron(0 8 32 * ? *)", "\"32\" is not a day of the month"),
            ("cron(0 8 * 13 ? *)", "\"13\" is not a month"),
            ("cron(0 8 ? * MOO *)", "\"MOO\" is not a day of the week"),
            ("cron(0 8 ? * 0 *)", "\"0\" is not a day of the week"),
            ("cron(0 8 ? * MON#6 *)", "is not a day of the week"),
            ("cron(0 8 * * ? 1969)", "\"1969\" is not a year"),
            ("cron(5-1 8 * * ? *)", "\"5-1\" is not a minute"),
            ("cron(0/0 8 * * ? *)", "\"0/0\" is not a minute"),
            ("cron(? 8 * * ? *)", "\"?\" is not a minute"),
            ("cron(+5 8 * * ? *)", "\"+5\" is not a minute"),
            ("cron(0 8 * * * *)", "one of the two days has to be ?"),
            ("cron(0 8 ? * ? *)", "other than ?"),
            ("cron(0 8 * * ? *", "neither cron"),
            ("rate(1 days)", "a rate is a number"),
            ("rate(0 days)", "a rate is a number"),
            ("rate(day)", "a rate is a number"),
            ("at(2026-11-22T08:00:00)", "comes once"),
        ] {
            let told = problem(wrong).unwrap_or_default();
            assert!(told.contains(said), "{wrong}: {told}");
        }
    }
}
