//! The tables of the lookup algorithm: which pairs of bytes can't occur in a text.
//!
//! John Keiser, Daniel Lemire: "Validating UTF-8 in less than one instruction per byte" (2021),
//! table 9. The first byte's upper four bits, its lower four and the second byte's upper four each
//! select a set of faults; a fault in all three sets is a fault of the pair. Two continuations in a
//! row are no fault where a third or fourth byte is due, so that bit is compared with what is due.

/// A lead, then no continuation.
const TOO_SHORT: u8 = 1 << 0;
/// ASCII, then a continuation.
const TOO_LONG: u8 = 1 << 1;
/// E0, then less than A0.
const OVERLONG_3: u8 = 1 << 2;
/// F4, then more than 8F; or a lead above F4, then more than 8F.
const TOO_LARGE: u8 = 1 << 3;
/// ED, then more than 9F.
const SURROGATE: u8 = 1 << 4;
/// C0 or C1.
const OVERLONG_2: u8 = 1 << 5;
/// A lead above F4, then less than 90; or F0, then less than 90.
const TOO_LARGE_1000_OR_OVERLONG_4: u8 = 1 << 6;
/// A continuation, then another.
const TWO_CONTS: u8 = 1 << 7;
/// Faults that don't depend on the first byte's lower four bits.
const CARRY: u8 = TOO_SHORT | TOO_LONG | TWO_CONTS;

/// By the upper four bits of the first byte.
pub(super) const FIRST_HIGH: [u8; 16] = [
    TOO_LONG,
    TOO_LONG,
    TOO_LONG,
    TOO_LONG,
    TOO_LONG,
    TOO_LONG,
    TOO_LONG,
    TOO_LONG,
    TWO_CONTS,
    TWO_CONTS,
    TWO_CONTS,
    TWO_CONTS,
    TOO_SHORT | OVERLONG_2,
    TOO_SHORT,
    TOO_SHORT | OVERLONG_3 | SURROGATE,
    TOO_SHORT | TOO_LARGE | TOO_LARGE_1000_OR_OVERLONG_4,
];

/// By the lower four bits of the first byte.
pub(super) const FIRST_LOW: [u8; 16] = {
    const ABOVE_F4: u8 = CARRY | TOO_LARGE | TOO_LARGE_1000_OR_OVERLONG_4;
    [
        CARRY | OVERLONG_3 | OVERLONG_2 | TOO_LARGE_1000_OR_OVERLONG_4,
        CARRY | OVERLONG_2,
        CARRY,
        CARRY,
        CARRY | TOO_LARGE,
        ABOVE_F4,
        ABOVE_F4,
        ABOVE_F4,
        ABOVE_F4,
        ABOVE_F4,
        ABOVE_F4,
        ABOVE_F4,
        ABOVE_F4,
        ABOVE_F4 | SURROGATE,
        ABOVE_F4,
        ABOVE_F4,
    ]
};

/// By the upper four bits of the second byte.
pub(super) const SECOND_HIGH: [u8; 16] = {
    const ANY_CONT: u8 = TOO_LONG | OVERLONG_2 | TWO_CONTS;
    [
        TOO_SHORT,
        TOO_SHORT,
        TOO_SHORT,
        TOO_SHORT,
        TOO_SHORT,
        TOO_SHORT,
        TOO_SHORT,
        TOO_SHORT,
        ANY_CONT | OVERLONG_3 | TOO_LARGE_1000_OR_OVERLONG_4,
        ANY_CONT | OVERLONG_3 | TOO_LARGE,
        ANY_CONT | SURROGATE | TOO_LARGE,
        ANY_CONT | SURROGATE | TOO_LARGE,
        TOO_SHORT,
        TOO_SHORT,
        TOO_SHORT,
        TOO_SHORT,
    ]
};
