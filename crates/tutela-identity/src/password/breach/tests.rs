use std::io::Cursor;

use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use tutela_core::{Secret, Timestamp};
use xorf::{BinaryFuse16, Filter as _};

use super::{
    BreachError, BreachList, Place, build,
    format::{HEADER, Header},
};

const NOW: Timestamp = Timestamp::from_secs(1_790_000_000);

fn sha1(password: &str) -> [u8; 20] {
    digest(&SHA1_FOR_LEGACY_USE_ONLY, password.as_bytes()).as_ref().try_into().unwrap()
}

fn hex(hash: &[u8; 20]) -> String {
    hash.iter().map(|byte| format!("{byte:02X}")).collect()
}

/// The passwords `known-0` to `known-N` as a download: sorted, in capitals, with counts, CRLF.
fn download(count: usize) -> String {
    let mut lines: Vec<String> = (0..count).map(|n| format!("{}:{}\r\n", hex(&sha1(&format!("known-{n}"))), n + 1)).collect();
    lines.sort();
    lines.concat()
}

fn built(lines: &str) -> Result<Vec<u8>, BreachError> {
    let mut out = Cursor::new(Vec::new());
    build(lines.as_bytes(), &mut out, "test", NOW, &mut |_| ()).map(|_| out.into_inner())
}

fn asked(list: &BreachList<Vec<u8>>, password: &str) -> bool {
    list.contains(&Secret::new(password.to_owned())).unwrap()
}

#[test]
fn no_password_of_the_list_is_missed_and_few_others_are_hit() {
    let known = 20_000;
    let list = BreachList::open(built(&download(known)).unwrap()).unwrap();
    list.verify_all().unwrap();
    assert_eq!((list.hashes(), list.source(), list.created_at()), (known as u64, "test", NOW));
    for n in 0..known {
        assert!(asked(&list, &format!("known-{n}")), "{n}");
    }
    let others = 200_000;
    let hits = (0..others).filter(|n| asked(&list, &format!("other-{n}"))).count();
    // 2^-16 of them would be 3; the promise is one in ten thousand.
    assert!(hits <= others / 10_000, "{hits} of {others}");
}

#[test]
fn our_reading_agrees_with_the_library_s_own() {
    let keys: Vec<u64> = (0..5_000_u64).map(|n| n.wrapping_mul(0x9e37_79b9_7f4a_7c15)).collect();
    for size in [1, 2, 3, 5, 50, 500, 5_000] {
        let keys = &keys[..size];
        let mut hashes: Vec<[u8; 20]> = keys
            .iter()
            .map(|key| {
                let mut hash = [7; 20];
                hash[1..9].copy_from_slice(&key.to_be_bytes());
                hash
            })
            .collect();
        hashes.sort_unstable();
        let lines: String = hashes.iter().map(|hash| hex(hash) + "\n").collect();
        let list = BreachList::open(built(&lines).unwrap()).unwrap();
        let filter = BinaryFuse16::try_from(keys).unwrap();
        for n in 0..20_000_u64 {
            // Half of them members or near ones, half of them far.
            let key = if n % 2 == 0 { keys[n as usize % size] ^ (n % 3) } else { n << 40 };
            assert_eq!(list.holds(Place { shard: 7, key }).unwrap(), filter.contains(&key), "{size} {key:#x}");
            assert!(!list.holds(Place { shard: 8, key }).unwrap(), "an empty shard has nothing");
        }
    }
}

#[test]
fn the_password_of_the_published_example_is_found() {
    // The hash of `password` as in the documentation of the range API of Have I Been Pwned, in small letters and without a count.
    let list = BreachList::open(built("5baa61e4c9b93f3f0682250b6cf8331b7ee68fd8").unwrap()).unwrap();
    assert!(asked(&list, "password"));
    assert!(!asked(&list, "Password"));
    // What is asked is the normalised password, as what is hashed.
    let list = BreachList::open(built(&hex(&sha1("caf\u{e9}"))).unwrap()).unwrap();
    assert!(asked(&list, "cafe\u{301}"));
}

#[test]
fn duplicates_are_merged_and_counted() {
    let one = hex(&sha1("a"));
    let lines = format!("{one}:1\n{}:2\n{one}\n", one.to_lowercase());
    let mut out = Cursor::new(Vec::new());
    let mut heard = Vec::new();
    let summary = build(lines.as_bytes(), &mut out, "test", NOW, &mut |lines| heard.push(lines)).unwrap();
    assert_eq!((summary.lines, summary.hashes, summary.duplicates), (3, 1, 2));
    assert_eq!(summary.bytes, out.get_ref().len() as u64);
    assert_eq!(heard, [3]);
}

#[test]
fn one_list_gives_one_file() {
    assert_eq!(built(&download(500)).unwrap(), built(&download(500)).unwrap());
}

#[test]
fn a_line_that_is_wrong_is_named() {
    let good = download(10);
    let number = |lines: &str| match built(lines) {
        Err(BreachError::Line { number, .. }) => Some(number),
        _ => None,
    };
    let first = good.lines().next().unwrap();
    assert_eq!(number(&format!("{good}{first}")), Some(11), "out of order");
    for bad in [
        "",
        "zz",
        &first[..39],
        &first.replace(':', ";"),
        &format!("{}:", &first[..40]),
        &format!("{}:x", &first[..40]),
        &format!("{}0:1", &first[..40]),
        &"0".repeat(5_000),
        &format!("{first}{}", "0".repeat(5_000)),
    ] {
        assert_eq!(number(&format!("{first}\n{bad}\n{good}")), Some(2), "{bad}");
    }
    assert!(matches!(built(""), Err(BreachError::Source(_))));
    assert!(build(good.as_bytes(), Cursor::new(Vec::new()), &"x".repeat(257), NOW, &mut |_| ()).is_err());
}

#[test]
fn a_file_that_is_cut_off_or_changed_is_refused() {
    let whole = built(&download(300)).unwrap();
    for cut in [0, 1, 15, HEADER - 1, HEADER, whole.len() - 1] {
        assert!(matches!(BreachList::open(whole[..cut].to_vec()), Err(BreachError::Damaged(_))), "cut at {cut}");
    }
    for at in 0..HEADER {
        let mut changed = whole.clone();
        changed[at] ^= 1;
        assert!(matches!(BreachList::open(changed), Err(BreachError::Damaged(_))), "changed at {at}");
    }
    for at in (HEADER..whole.len()).step_by(97) {
        let mut changed = whole.clone();
        changed[at] ^= 1;
        assert!(matches!(BreachList::open(changed).unwrap().verify_all(), Err(BreachError::Damaged(_))), "changed at {at}");
    }
}

#[test]
fn a_header_that_would_read_elsewhere_is_refused_although_its_checksum_fits() {
    let whole = built(&download(300)).unwrap();
    let header = Header::decode(whole[..HEADER].try_into().unwrap()).unwrap();
    let forged = |change: &dyn Fn(&mut Header)| {
        let mut header = header.clone();
        change(&mut header);
        let bytes: [u8; HEADER] = header.encode().try_into().unwrap();
        Header::decode(&bytes).is_err()
    };
    assert!(!forged(&|_| ()));
    assert!(forged(&|header| (header.shards[0].segment, header.shards[0].segments) = (3, 9)), "cells beyond the end");
    assert!(forged(&|header| header.shards[0].segment = 0));
    assert!(forged(&|header| header.shards[0].segment = 1 << 20));
    assert!(forged(&|header| header.shards[0].segments = 0));
    assert!(forged(&|header| header.shards[0].segments += 1));
    assert!(forged(&|header| header.shards[0].hashes += 1));
}

#[test]
fn a_build_that_was_cut_short_leaves_no_filter() {
    let mut out = Cursor::new(Vec::new());
    let broken = format!("{}x\n", download(600));
    assert!(build(broken.as_bytes(), &mut out, "test", NOW, &mut |_| ()).is_err());
    assert!(out.get_ref().len() > HEADER);
    assert!(BreachList::open(out.into_inner()).is_err());
}

#[test]
#[cfg(unix)]
fn a_file_is_read_where_it_lies() {
    let mut file = tempfile::tempfile().unwrap();
    let built = built(&download(50)).unwrap();
    std::io::Write::write_all(&mut file, &built).unwrap();
    let list = BreachList::open(file).unwrap();
    assert!(list.contains(&Secret::new("known-7".to_owned())).unwrap());
    list.verify_all().unwrap();
}
