//! What is checked digit by digit, byte by byte, word by word.

use crate::{regex::Regex, transform::ByteSet};

/// The number that a value begins with; 0 where it begins with none.
pub(crate) fn number(value: &[u8]) -> i64 {
    let value = value.trim_ascii_start();
    let (negative, digits) = match value {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        _ => (false, value),
    };
    let found = digits.iter().take_while(|byte| byte.is_ascii_digit()).fold(0_i64, |sum, digit| sum.saturating_mul(10).saturating_add(i64::from(digit - b'0')));
    if negative { -found } else { found }
}

/// `32-126,9,10`.
pub(super) fn byte_range(text: &str) -> Result<ByteSet, String> {
    let mut set = ByteSet::default();
    for part in text.split(',').map(str::trim) {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let byte = |text: &str| text.trim().parse::<u8>().map_err(|_| format!("`{part}` is no range of bytes, such as `32-126`"));
        (byte(first)?..=byte(last)?).for_each(|byte| set.insert(byte));
    }
    Ok(set)
}

pub(super) fn contains_word(value: &[u8], word: &[u8]) -> bool {
    let letter = |at: Option<usize>| at.and_then(|at| value.get(at)).is_some_and(|b| b.is_ascii_alphanumeric() || *b == b'_');
    word.is_empty() || memchr::memmem::find_iter(value, word).any(|at| !letter(at.checked_sub(1)) && !letter(Some(at + word.len())))
}

/// Whether what the pattern finds passes a check.
pub(super) fn verify(regex: &Regex, value: &[u8], captures: Option<&mut Vec<Vec<u8>>>, check: fn(&[u8]) -> bool) -> bool {
    let mut from = 0;
    while let Some(Some(span)) = regex.captures(&value[from..]).first().cloned() {
        let found = &value[from + span.start..from + span.end];
        let digits: Vec<u8> = found.iter().filter(|b| b.is_ascii_digit()).map(|b| b - b'0').collect();
        if check(&digits) {
            if let Some(captures) = captures {
                captures.push(found.to_vec());
            }
            return true;
        }
        from += span.end.max(1);
        if from > value.len() {
            break;
        }
    }
    false
}

/// The check digit of payment cards (ISO/IEC 7812-1, annex B).
pub(super) fn is_card(digits: &[u8]) -> bool {
    let sum: u32 = (0..)
        .zip(digits.iter().rev())
        .map(|(place, digit)| match (place % 2 == 1, u32::from(*digit) * 2) {
            (false, double) => double / 2,
            (true, double) if double > 9 => double - 9,
            (true, double) => double,
        })
        .sum();
    (12..=19).contains(&digits.len()) && sum.is_multiple_of(10)
}

/// The two check digits of a Brazilian taxpayer's number.
pub(super) fn is_cpf(digits: &[u8]) -> bool {
    let check = |count: usize| {
        let sum: usize = digits[..count].iter().enumerate().map(|(at, digit)| usize::from(*digit) * (count + 1 - at)).sum();
        (sum * 10 % 11 % 10) as u8
    };
    digits.len() == 11 && digits.iter().any(|digit| *digit != digits[0]) && check(9) == digits[9] && check(10) == digits[10]
}

/// Areas, groups and serials of social security numbers that were ever given out.
pub(super) fn is_ssn(digits: &[u8]) -> bool {
    let value = |part: &[u8]| part.iter().fold(0_u32, |sum, digit| sum * 10 + u32::from(*digit));
    digits.len() == 9 && {
        let (area, group, serial) = (value(&digits[..3]), value(&digits[3..5]), value(&digits[5..]));
        area > 0 && area < 740 && area != 666 && group > 0 && serial > 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_as_far_as_they_go() {
        for (text, expected) in [("12abc", 12), ("-3", -3), ("", 0), ("abc", 0), ("99999999999999999999", i64::MAX)] {
            assert_eq!(number(text.as_bytes()), expected, "{text}");
        }
    }

    #[test]
    fn check_digits_are_checked() {
        let card = Regex::new(r"\d{13,16}", false).unwrap();
        assert!(verify(&card, b"pay 4111111111111112 or 4111111111111111", None, is_card));
        assert!(!verify(&card, b"4111111111111112", None, is_card));
        let digits = |text: &str| text.bytes().map(|b| b - b'0').collect::<Vec<_>>();
        assert!(is_cpf(&digits("52998224725")) && !is_cpf(&digits("52998224724")) && !is_cpf(&digits("11111111111")));
        assert!(is_ssn(&digits("078051120")) && !is_ssn(&digits("000051120")));
    }

    #[test]
    fn a_word_has_ends() {
        assert!(contains_word(b"a union b", b"union") && !contains_word(b"reunions", b"union") && contains_word(b"union", b"union"));
    }
}
