//! Paths without the segments that lead nowhere.

pub(super) fn normalize(value: &[u8], out: &mut Vec<u8>) {
    let (rooted, ends) = (value.first() == Some(&b'/'), value.last() == Some(&b'/'));
    let mut segments: Vec<&[u8]> = Vec::new();
    for segment in value.split(|byte| *byte == b'/') {
        match segment {
            b"" | b"." => {}
            b".." => match segments.last() {
                Some(&last) if last != b".." => drop(segments.pop()),
                // Above the root is the root.
                None if rooted => {}
                _ => segments.push(segment),
            },
            _ => segments.push(segment),
        }
    }
    if rooted {
        out.push(b'/');
    }
    out.extend_from_slice(&segments.join(&b'/'));
    if ends && !segments.is_empty() {
        out.push(b'/');
    }
}

pub(super) fn normalize_win(value: &[u8], out: &mut Vec<u8>) {
    let slashed: Vec<u8> = value.iter().map(|byte| if *byte == b'\\' { b'/' } else { *byte }).collect();
    normalize(&slashed, out);
}
