//! Lines of a body in which nothing is to be found: all end with CRLF, none begins with a hyphen and none is too long.
//! Nearly all of nearly every message is such, so they are looked at in blocks and not one by one.

/// Octets of a block. Each has a line end, so that no line is as long as two: far below the 998 of RFC 5322 §2.1.1.
pub(super) const BLOCK: usize = 448;

/// So far ahead a hyphen is looked for: in an attachment there is none, and where there is none no line begins with one.
/// Farther would be in vain if something else is odd nearby.
const AHEAD: usize = 4 * BLOCK;

/// What stands at the front of some octets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Calm {
    /// So many octets are calm: whole lines.
    pub(super) octets: usize,
    /// So many lines, and as many CRLFs.
    pub(super) lines: u64,
    /// Whether there was an octet above 127, here or in what was looked at behind it.
    pub(super) eight_bit: bool,
    /// Whether there was a NUL, likewise.
    pub(super) nul: bool,
}

/// The calm lines at the front of these octets, which stand at a line's start. `None` if there is not a block of them.
pub(super) fn calm(octets: &[u8]) -> Option<Calm> {
    let (first, behind) = octets.split_first()?;
    if matches!(first, b'-' | b'\n') {
        return None;
    }
    let (befores, _) = octets.as_chunks::<BLOCK>();
    let (blocks, _) = behind.as_chunks::<BLOCK>();
    let (mut end, mut lines) = (0_usize, 0_u64);
    let mut seen = Seen { high: [0; LANES], least: [255; LANES] };
    // Up to there is no hyphen.
    let mut hyphen = 0_usize;
    for (before, block) in befores.iter().zip(blocks) {
        if hyphen <= end {
            let ahead = behind.get(end..).unwrap_or_default();
            let ahead = ahead.get(..AHEAD).unwrap_or(ahead);
            hyphen = end.saturating_add(memchr::memchr(b'-', ahead).unwrap_or(ahead.len()));
        }
        let without = hyphen >= end.saturating_add(BLOCK);
        let found =
            if without { look::<false>(before, block, &mut seen) } else { look::<true>(before, block, &mut seen) };
        match found {
            None | Some(0) => break,
            Some(line_ends) => lines = lines.saturating_add(line_ends.into()),
        }
        end = end.saturating_add(BLOCK);
    }
    // What is behind the last line end may be the beginning of any line.
    let last = memchr::memrchr(b'\n', octets.get(..=end)?)?;
    let (eight_bit, nul) = (!seen.high.is_ascii(), seen.least.contains(&0));
    Some(Calm { octets: last.saturating_add(1), lines, eight_bit, nul })
}

/// What has been seen in all blocks, in each lane.
struct Seen {
    /// All octets, or-ed.
    high: [u8; LANES],
    /// The least of them.
    least: [u8; LANES],
}

/// So many octets are looked at together, each in a lane of its own.
const LANES: usize = 32;

/// Looks at each octet of a block together with the one before it: how many line ends there are, or `None` if a CR or an LF
/// stands alone, or a line begins with a hyphen. Lanes and masks instead of branches and sums: of this the compiler makes a
/// comparison of sixteen octets at once.
fn look<const HYPHENS: bool>(before: &[u8; BLOCK], block: &[u8; BLOCK], seen: &mut Seen) -> Option<u8> {
    let (mut odd, mut line_ends) = ([0_u8; LANES], [0_u8; LANES]);
    let Seen { mut high, mut least } = *seen;
    let (befores, _) = before.as_chunks::<LANES>();
    let (octets, _) = block.as_chunks::<LANES>();
    for (befores, octets) in befores.iter().zip(octets) {
        let lanes = odd.iter_mut().zip(&mut line_ends).zip(&mut high).zip(&mut least);
        for ((((odd, line_ends), high), least), (before, octet)) in lanes.zip(befores.iter().zip(octets)) {
            let line_end = mask(*octet == b'\n');
            *odd |= mask(*before == b'\r') ^ line_end;
            if HYPHENS {
                *odd |= mask(*before == b'\n') & mask(*octet == b'-');
            }
            *line_ends = line_ends.wrapping_sub(line_end);
            *high |= *before;
            *least = (*least).min(*before);
        }
    }
    *seen = Seen { high, least };
    // There are never 256 of them: each has a CR.
    let line_ends = line_ends.iter().fold(0, |all: u8, lane| all.wrapping_add(*lane));
    (odd == [0; LANES]).then_some(line_ends)
}

const fn mask(holds: bool) -> u8 {
    if holds { 0xff } else { 0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(count: usize) -> Vec<u8> {
        b"A line of thirty octets, so to\r\n".repeat(count)
    }

    #[test]
    fn whole_calm_lines_are_counted_and_the_one_behind_is_left() {
        let octets = [&lines(20)[..], b"unended"].concat();
        let found = calm(&octets).unwrap();
        assert_eq!((found.octets, found.lines), (BLOCK, BLOCK as u64 / 32));
        assert!(!found.eight_bit && !found.nul);
    }

    #[test]
    #[cfg_attr(miri, ignore = "minutes, interpreted")]
    fn nothing_is_calm_from_the_block_on_in_which_something_is_odd() {
        for odd in [&b"a\n"[..], b"a\rb\r\n", b"\n", b"\r\r\n", b"-\r\n", b"a\r\r\n"] {
            for place in 8..40 {
                let octets = [&lines(place)[..], odd, &lines(40)].concat();
                let (end, lines) = calm(&octets).map_or((0, 0), |found| (found.octets, found.lines));
                assert!(end <= place * 32, "{} at line {place}: {end}", odd.escape_ascii());
                assert_eq!(end as u64, lines * 32);
                assert!(place * 32 <= BLOCK || end > 0);
            }
        }
    }

    #[test]
    fn a_long_line_is_not_calm() {
        let octets = [&lines(BLOCK / 32)[..], &[b'x'; 999], b"\r\n", &lines(40)].concat();
        assert_eq!(calm(&octets).unwrap().octets, BLOCK);
        assert_eq!(calm(&[b'x'; 2000]), None);
    }

    #[test]
    #[cfg_attr(miri, ignore = "minutes, interpreted")]
    fn octets_that_need_more_than_seven_bits_and_nuls_are_seen() {
        for place in 0..2 * BLOCK {
            for (octet, eight_bit, nul) in [(0xff, true, false), (0, false, true), (0x80, true, false)] {
                let mut octets = lines(40);
                if octets[place].is_ascii_control() {
                    continue;
                }
                octets[place] = octet;
                let found = calm(&octets).unwrap();
                assert_eq!((found.eight_bit, found.nul), (eight_bit, nul), "{octet} at {place}");
            }
        }
    }
}
