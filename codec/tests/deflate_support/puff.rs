//! An inflater that shares no line with the library's: RFC 1951 bit by bit, slowly, and with a
//! strict window. It also says how far back the compressed data reached.

/// What a compressed message came to.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Inflated {
    pub bytes: Vec<u8>,
    /// The farthest that a match reached back.
    pub distance_max: usize,
    pub blocks: usize,
}

struct Bits<'b> {
    bytes: &'b [u8],
    at: usize,
}

impl Bits<'_> {
    fn take(&mut self, count: usize) -> Option<usize> {
        let mut value = 0;
        for i in 0..count {
            let byte = self.bytes.get(self.at / 8)?;
            value |= usize::from(byte >> (self.at % 8) & 1) << i;
            self.at += 1;
        }
        Some(value)
    }

    fn align(&mut self) {
        self.at = self.at.next_multiple_of(8);
    }
}

/// Codes by length and value (RFC 1951, 3.2.2).
struct Codes {
    counts: [usize; 16],
    symbols: Vec<usize>,
}

impl Codes {
    fn new(lens: &[usize]) -> Self {
        let mut counts = [0; 16];
        let mut symbols = Vec::new();
        for (len, count) in counts.iter_mut().enumerate().skip(1) {
            let of_len = lens.iter().enumerate().filter(|(_, symbol_len)| **symbol_len == len);
            symbols.extend(of_len.map(|(symbol, _)| symbol));
            *count = lens.iter().filter(|symbol_len| **symbol_len == len).count();
        }
        Self { counts, symbols }
    }

    fn next(&self, bits: &mut Bits<'_>) -> Option<usize> {
        let (mut code, mut first, mut index) = (0, 0, 0);
        for count in &self.counts[1..] {
            code |= bits.take(1)?;
            if code < first + count {
                return Some(self.symbols[index + code - first]);
            }
            index += count;
            first = (first + count) << 1;
            code <<= 1;
        }
        None
    }
}

const LENGTHS: [(usize, usize); 29] = [
    (3, 0),
    (4, 0),
    (5, 0),
    (6, 0),
    (7, 0),
    (8, 0),
    (9, 0),
    (10, 0),
    (11, 1),
    (13, 1),
    (15, 1),
    (17, 1),
    (19, 2),
    (23, 2),
    (27, 2),
    (31, 2),
    (35, 3),
    (43, 3),
    (51, 3),
    (59, 3),
    (67, 4),
    (83, 4),
    (99, 4),
    (115, 4),
    (131, 5),
    (163, 5),
    (195, 5),
    (227, 5),
    (258, 0),
];

fn distance(symbol: usize) -> Option<(usize, usize)> {
    match symbol {
        0..=3 => Some((symbol + 1, 0)),
        4..=29 => {
            let extra = symbol / 2 - 1;
            Some((((2 + symbol % 2) << extra) + 1, extra))
        }
        _ => None,
    }
}

fn dynamic(bits: &mut Bits<'_>) -> Option<(Codes, Codes)> {
    const ORDER: [usize; 19] = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];
    let literals = bits.take(5)? + 257;
    let distances = bits.take(5)? + 1;
    let count = bits.take(4)? + 4;
    let mut lens = [0; 19];
    for &at in &ORDER[..count] {
        lens[at] = bits.take(3)?;
    }
    let codes = Codes::new(&lens);
    let mut lens: Vec<usize> = Vec::new();
    while lens.len() < literals + distances {
        match codes.next(bits)? {
            len @ 0..=15 => lens.push(len),
            16 => {
                let last = *lens.last()?;
                let times = 3 + bits.take(2)?;
                lens.extend(vec![last; times]);
            }
            17 => {
                let times = 3 + bits.take(3)?;
                lens.extend(vec![0; times]);
            }
            _ => {
                let times = 11 + bits.take(7)?;
                lens.extend(vec![0; times]);
            }
        }
    }
    let (literals, distances) = lens.split_at(literals);
    Some((Codes::new(literals), Codes::new(distances)))
}

/// Inflates the payload of a message, with `window` as what came before it; `None` if it is not
/// valid to its end.
pub fn inflate(payload: &[u8], window: &[u8], window_size: usize) -> Option<Inflated> {
    let bytes = [payload, &[0, 0, 0xff, 0xff]].concat();
    let mut bits = Bits { bytes: &bytes, at: 0 };
    let mut all = window.to_vec();
    let mut seen = Inflated::default();
    while bits.at.div_ceil(8) < bytes.len() {
        let is_last = bits.take(1)? == 1;
        let kind = bits.take(2)?;
        seen.blocks += 1;
        let codes = match kind {
            0 => {
                bits.align();
                let len = bits.take(16)?;
                if bits.take(16)? != !len & 0xffff {
                    return None;
                }
                for _ in 0..len {
                    all.push(bits.take(8)? as u8);
                }
                None
            }
            1 => {
                let len = |symbol| match symbol {
                    144..=255 => 9,
                    256..=279 => 7,
                    _ => 8,
                };
                let literals: Vec<usize> = (0..288).map(len).collect();
                Some((Codes::new(&literals), Codes::new(&[5; 30])))
            }
            2 => Some(dynamic(&mut bits)?),
            _ => return None,
        };
        if let Some((literals, distances)) = codes {
            loop {
                match literals.next(&mut bits)? {
                    literal @ 0..=255 => all.push(literal as u8),
                    256 => break,
                    symbol => {
                        let (base, extra) = *LENGTHS.get(symbol - 257)?;
                        let len = base + bits.take(extra)?;
                        let (base, extra) = distance(distances.next(&mut bits)?)?;
                        let back = base + bits.take(extra)?;
                        seen.distance_max = seen.distance_max.max(back);
                        if back > window_size || back > all.len() {
                            return None;
                        }
                        for _ in 0..len {
                            all.push(all[all.len() - back]);
                        }
                    }
                }
            }
        }
        if is_last {
            bits.align();
        }
    }
    seen.bytes = all.split_off(window.len());
    Some(seen)
}
