//! Whitespace, comments, and how a shell reads a line.

fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r' | 0x0b | 0x0c)
}

/// Length of the whitespace at the beginning: a non-breaking space is some, in Latin-1 and in UTF-8.
fn space(value: &[u8]) -> usize {
    match value {
        [0xc2, 0xa0, ..] => 2,
        [0xa0, ..] => 1,
        [byte, ..] if is_space(*byte) => 1,
        _ => 0,
    }
}

pub(super) fn compress_whitespace(value: &[u8], out: &mut Vec<u8>) {
    let (mut at, mut within) = (0, false);
    while at < value.len() {
        match space(&value[at..]) {
            0 => {
                out.push(value[at]);
                (at, within) = (at + 1, false);
            }
            length => {
                if !within {
                    out.push(b' ');
                }
                (at, within) = (at + length, true);
            }
        }
    }
}

pub(super) fn remove_whitespace(value: &[u8], out: &mut Vec<u8>) {
    let mut at = 0;
    while at < value.len() {
        match space(&value[at..]) {
            0 => {
                out.push(value[at]);
                at += 1;
            }
            length => at += length,
        }
    }
}

/// Escapes and quotes gone, separators one space, none before `/` and `(`, letters small.
pub(super) fn cmd_line(value: &[u8], out: &mut Vec<u8>) {
    let mut space = false;
    for &byte in value {
        match byte {
            b'"' | b'\'' | b'\\' | b'^' => {}
            b',' | b';' => space = true,
            _ if is_space(byte) => space = true,
            _ => {
                if space && byte != b'/' && byte != b'(' {
                    out.push(b' ');
                }
                space = false;
                out.push(byte.to_ascii_lowercase());
            }
        }
    }
    if space {
        out.push(b' ');
    }
}

pub(super) fn replace_comments(value: &[u8], out: &mut Vec<u8>) {
    let mut rest = value;
    while let Some(begin) = memchr::memmem::find(rest, b"/*") {
        out.extend_from_slice(&rest[..begin]);
        out.push(b' ');
        rest = memchr::memmem::find(&rest[begin + 2..], b"*/").map_or(&[], |end| &rest[begin + 4 + end..]);
    }
    out.extend_from_slice(rest);
}

pub(super) fn remove_comments(value: &[u8], out: &mut Vec<u8>) {
    let mut rest = value;
    while let Some(&byte) = rest.first() {
        let ending: Option<(&[u8], &[u8])> = [(&b"/*"[..], &b"*/"[..]), (b"<!--", b"-->")].into_iter().find(|(begin, _)| rest.starts_with(begin));
        if let Some((begin, end)) = ending {
            rest = memchr::memmem::find(&rest[begin.len()..], end).map_or(&[], |at| &rest[begin.len() + at + end.len()..]);
        } else if rest.starts_with(b"--") || byte == b'#' {
            return;
        } else {
            out.push(byte);
            rest = &rest[1..];
        }
    }
}

pub(super) fn remove_comment_marks(value: &[u8], out: &mut Vec<u8>) {
    const MARKS: [&[u8]; 6] = [b"<!--", b"-->", b"/*", b"*/", b"--", b"#"];
    let mut rest = value;
    while let Some(&byte) = rest.first() {
        match MARKS.iter().find(|mark| rest.starts_with(mark)) {
            Some(mark) => rest = &rest[mark.len()..],
            None => {
                out.push(byte);
                rest = &rest[1..];
            }
        }
    }
}

/// A byte with the eighth bit that makes the number of ones `odd`.
pub(super) fn parity(byte: u8, odd: u32) -> u8 {
    let low = byte & 0x7f;
    if low.count_ones() % 2 == odd { low } else { low | 0x80 }
}
