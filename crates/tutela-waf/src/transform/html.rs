//! Entities of HTML.

/// Named ones that stand for what an attack needs; browsers know two thousand more.
const NAMED: [(&[u8], u8); 24] = [
    (b"amp", b'&'),
    (b"apos", b'\''),
    (b"ast", b'*'),
    (b"bsol", b'\\'),
    (b"colon", b':'),
    (b"comma", b','),
    (b"dollar", b'$'),
    (b"equals", b'='),
    (b"excl", b'!'),
    (b"grave", b'`'),
    (b"gt", b'>'),
    (b"lbrace", b'{'),
    (b"lpar", b'('),
    (b"lsqb", b'['),
    (b"lt", b'<'),
    (b"nbsp", 0xa0),
    (b"newline", b'\n'),
    (b"num", b'#'),
    (b"period", b'.'),
    (b"quot", b'"'),
    (b"rpar", b')'),
    (b"semi", b';'),
    (b"sol", b'/'),
    (b"tab", b'\t'),
];

pub(super) fn entities(value: &[u8], out: &mut Vec<u8>) {
    let mut at = 0;
    while let Some(&byte) = value.get(at) {
        match (byte == b'&').then(|| entity(&value[at + 1..])).flatten() {
            Some((code, length)) => {
                match (u8::try_from(code), char::from_u32(code)) {
                    (Ok(byte), _) => out.push(byte),
                    (Err(_), Some(c)) => out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
                    (Err(_), None) => out.push(code as u8),
                }
                at += 1 + length;
            }
            None => {
                out.push(byte);
                at += 1;
            }
        }
    }
}

/// What stands after a `&`: its code, and how many bytes that took, with the `;` where there is one.
fn entity(rest: &[u8]) -> Option<(u32, usize)> {
    let end = |length: usize| length + usize::from(rest.get(length) == Some(&b';'));
    if rest.first() == Some(&b'#') {
        let (skip, radix) = if matches!(rest.get(1), Some(b'x' | b'X')) { (2, 16) } else { (1, 10) };
        let digits = rest.get(skip..)?.iter().take_while(|b| char::from(**b).is_digit(radix)).count();
        let text = std::str::from_utf8(&rest[skip..skip + digits]).ok().filter(|text| !text.is_empty())?;
        return Some((u32::from_str_radix(text.trim_start_matches('0'), radix).unwrap_or(u32::from(text.trim_matches('0').len() > 8)), end(skip + digits)));
    }
    let letters = rest.iter().take_while(|b| b.is_ascii_alphanumeric()).count();
    let (_, code) = NAMED.iter().find(|(name, _)| name.eq_ignore_ascii_case(&rest[..letters]))?;
    Some((u32::from(*code), end(letters)))
}
