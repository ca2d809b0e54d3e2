//! Card numbers in texts: by length, brand and check digit (ISO/IEC 7812-1), written in one piece or in groups.

use std::ops::{Range, RangeInclusive};

/// Digits that numbers of a brand begin with, from and to, and how long they are.
const BRANDS: &[(u64, u64, &[usize])] = &[
    (4, 4, &[13, 16, 19]),         // Visa
    (51, 55, &[16]),               // Mastercard
    (2_221, 2_720, &[16]),         // Mastercard
    (34, 34, &[15]),               // American Express
    (37, 37, &[15]),               // American Express
    (6_011, 6_011, &[16, 19]),     // Discover
    (644, 649, &[16, 19]),         // Discover
    (65, 65, &[16, 19]),           // Discover
    (3_528, 3_589, &[16, 19]),     // JCB
    (300, 305, &[14, 16]),         // Diners Club
    (36, 36, &[14]),               // Diners Club
    (38, 39, &[14, 16]),           // Diners Club
    (62, 62, &[16, 17, 18, 19]),   // UnionPay
    (5_018, 5_018, &[16, 18, 19]), // Maestro
    (5_020, 5_020, &[16, 18, 19]), // Maestro
    (5_038, 5_038, &[16, 18, 19]), // Maestro
    (6_304, 6_304, &[16, 18, 19]), // Maestro
    (6_759, 6_763, &[16, 18, 19]), // Maestro
];
const LENGTHS: RangeInclusive<usize> = 13..=19;

/// Whether a text holds a card number in the clear.
pub fn has_card_number(text: &str) -> bool {
    card_numbers(text.as_bytes()).next().is_some()
}

/// Where card numbers in the clear stand in a text, from left to right; none overlaps another.
pub fn card_numbers(text: &[u8]) -> impl Iterator<Item = Range<usize>> {
    let mut at = 0;
    let runs = std::iter::from_fn(move || {
        let from = at + text[at..].iter().position(u8::is_ascii_digit)?;
        at = digit_run(text, from).end;
        Some(from..at)
    });
    runs.flat_map(|run| cards_of(text, run))
}

/// The digits that begin at `from`, with single spaces or hyphens between them.
pub fn digit_run(bytes: &[u8], from: usize) -> Range<usize> {
    let mut end = from;
    while end < bytes.len() {
        let goes_on = bytes[end].is_ascii_digit() || (matches!(bytes[end], b' ' | b'-') && bytes.get(end + 1).is_some_and(u8::is_ascii_digit));
        if !goes_on {
            break;
        }
        end += 1;
    }
    from..end
}

/// Which groups of a run of digits, one after the other, are card numbers: others may stand beside them.
fn cards_of(bytes: &[u8], run: Range<usize>) -> Vec<Range<usize>> {
    let Range { start: from, end } = run;
    if end - from < *LENGTHS.start() {
        return Vec::new();
    }
    let open = from == 0 || !joins(bytes, from - 1, false);
    let closed = end == bytes.len() || !joins(bytes, end, true);
    let separators = (from..end).filter(|at| !bytes[*at].is_ascii_digit());
    let starts: Vec<usize> = std::iter::once(from).chain(separators.clone().map(|at| at + 1)).collect();
    let ends: Vec<usize> = separators.chain([end]).collect();
    let is_one = |first: usize, last: usize| {
        let fits = (first > 0 || open) && (last + 1 < ends.len() || closed);
        fits && is_card(&bytes[starts[first]..ends[last]])
    };
    let (mut found, mut first) = (Vec::new(), 0);
    while first < starts.len() {
        // A number has five groups at most; the longest counts.
        let last = (first..ends.len().min(first + 5)).rev().find(|last| is_one(first, *last));
        found.extend(last.map(|last| starts[first]..ends[last]));
        first = last.unwrap_or(first) + 1;
    }
    found
}

/// Whether what stands beside a number makes it part of something else: a word, an id, a fraction.
fn joins(bytes: &[u8], at: usize, after: bool) -> bool {
    match bytes[at] {
        b'_' | b'#' | b'%' => true,
        // A fraction; after a comma begins the next field.
        b'.' if after => bytes.get(at + 1).is_some_and(u8::is_ascii_digit),
        b'.' => at == 0 || bytes[at - 1].is_ascii_digit(),
        b'-' | b' ' => false,
        // A line break as JSON writes it, and what track 1 begins with.
        b'n' | b'r' | b't' if !after && at > 0 && bytes[at - 1] == b'\\' => false,
        b'B' if !after && at > 0 && bytes[at - 1] == b'%' => false,
        byte => byte.is_ascii_alphanumeric() || !byte.is_ascii(),
    }
}

fn is_card(run: &[u8]) -> bool {
    let digits: Vec<u8> = run.iter().filter(|byte| byte.is_ascii_digit()).map(|byte| byte - b'0').collect();
    LENGTHS.contains(&digits.len()) && grouped(run) && of_a_brand(&digits) && checks(&digits) && digits.iter().any(|digit| *digit != digits[0])
}

/// In one piece; or in groups of four; or, with fourteen or fifteen digits, of four, six and the rest.
fn grouped(run: &[u8]) -> bool {
    let separators: Vec<u8> = run.iter().copied().filter(|byte| !byte.is_ascii_digit()).collect();
    let Some(first) = separators.first() else { return true };
    let groups: Vec<usize> = run.split(|byte| !byte.is_ascii_digit()).map(<[u8]>::len).collect();
    let fours = groups.len() >= 4 && groups[..groups.len() - 1].iter().all(|len| *len == 4) && groups[groups.len() - 1] <= 4;
    separators.iter().all(|byte| byte == first) && (fours || matches!(groups[..], [4, 6, 4 | 5]))
}

fn of_a_brand(digits: &[u8]) -> bool {
    BRANDS.iter().any(|(from, to, lengths)| {
        let many = from.ilog10() as usize + 1;
        let begins = digits[..many].iter().fold(0, |number, digit| number * 10 + u64::from(*digit));
        lengths.contains(&digits.len()) && (*from..=*to).contains(&begins)
    })
}

/// The check digit (Luhn).
fn checks(digits: &[u8]) -> bool {
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(place, digit)| match (place % 2, u32::from(*digit) * 2) {
            (0, _) => u32::from(*digit),
            (_, twice) => twice / 10 + twice % 10,
        })
        .sum();
    sum.is_multiple_of(10)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Numbers that the brands publish for tests.
    #[test]
    fn published_test_numbers_are_found_however_they_are_written() {
        for text in [
            "4111111111111111",
            "paid with 4111 1111 1111 1111, thanks",
            "4111-1111-1111-1111",
            "card=4012888888881881;",
            "{\"pan\":\"5555555555554444\"}",
            "2223003122003222",
            "378282246310005",
            "3782 822463 10005",
            "6011111111111117",
            "3530111333300000",
            "30569309025904",
            "4222222222222",
            "(6200000000000005)",
            "4111 1111 1111 1111 12/27",
            "4111111111111111 123",
            "2 4111111111111111",
            "%B4111111111111111^DOE/JANE^2712",
            "\"a\\n4111111111111111\"",
            "jane,4111111111111111,123,12/27",
            "No.4111111111111111.",
        ] {
            assert!(has_card_number(text), "{text}");
        }
    }

    #[test]
    fn each_is_found_where_it_stands() {
        let text = "a 4111 1111 1111 1111 4012888888881881, 378282246310005";
        let found: Vec<&str> = card_numbers(text.as_bytes()).map(|at| &text[at]).collect();
        assert_eq!(found, ["4111 1111 1111 1111", "4012888888881881", "378282246310005"]);
    }

    #[test]
    fn what_only_looks_like_one_is_none() {
        for text in [
            "4111111111111112",
            "41111111111111111",
            "order 411111111111",
            "0000000000000000",
            "4444444444444444",
            "x4111111111111111",
            "4111111111111111b",
            "0.4111111111111111",
            "4111111111111111.5",
            ".4111111111111111",
            "41 11111111111111",
            "4111 1111-1111 1111",
            "411111111",
            "+49 4111 1111 1111 11",
            "019ab3a4-7c00-7000-8000-000000000009",
            "9111111111111111",
            "",
        ] {
            assert!(!has_card_number(text), "{text}");
        }
    }
}
