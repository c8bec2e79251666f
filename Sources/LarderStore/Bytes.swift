// Bounds-checked reads and scans over network bytes, a word at a time: the parser's eyes, so that the parser
// itself needs no unsafe code. Every function checks its range once and then reads inside it.
import CIntrinsics
import Glibc

/// Reads and scans of network bytes, bounds-checked.
public enum Bytes {
    /// Index of the first `\n` at or after `start`; nil if there is none.
    @inlinable @inline(__always)
    public static func newline(in bytes: Span<UInt8>, from start: Int) -> Int? {
        precondition(start >= 0 && start <= bytes.count)
        return bytes.withUnsafeBufferPointer { buffer -> Int? in
            guard let base = buffer.baseAddress, start < buffer.count else { return nil }
            guard let hit = memchr(base + start, 10, buffer.count - start) else { return nil }
            return UnsafeRawPointer(hit) - UnsafeRawPointer(base)
        }
    }

    /// The 4 bytes at `offset` as a little-endian word; bytes past the end read as 0.
    @inlinable @inline(__always)
    public static func word32(in bytes: Span<UInt8>, at offset: Int) -> UInt32 {
        precondition(offset >= 0 && offset <= bytes.count)
        return bytes.withUnsafeBufferPointer { buffer in
            if offset &+ 4 <= buffer.count {
                return UnsafeRawPointer(buffer.baseAddress! + offset).loadUnaligned(as: UInt32.self)
            }
            var word: UInt32 = 0
            var shift: UInt32 = 0
            for i in offset..<buffer.count {
                word |= UInt32(buffer[i]) << shift
                shift += 8
            }
            return word
        }
    }

    /// End of the word that starts at `start`: the index of the first blank (0x20) in `start ..< end`, or
    /// `end`.
    @inlinable @inline(__always)
    public static func wordEnd(in bytes: Span<UInt8>, from start: Int, to end: Int) -> Int {
        precondition(start >= 0 && start <= end && end <= bytes.count)
        return bytes.withUnsafeBufferPointer { buffer in
            guard let base = buffer.baseAddress else { return end }
            var i = start
            // Eight bytes at a time: a byte of `word ^ blanks` is zero exactly where a blank stands.
            while i &+ 8 <= end {
                let word = UnsafeRawPointer(base + i).loadUnaligned(as: UInt64.self) ^ 0x2020_2020_2020_2020
                let zero = (word &- 0x0101_0101_0101_0101) & ~word & 0x8080_8080_8080_8080
                if zero != 0 { return i &+ zero.trailingZeroBitCount >> 3 }
                i &+= 8
            }
            while i < end, base[i] != 0x20 { i &+= 1 }
            return i
        }
    }

    /// Whether two ranges of bytes are equal.
    public static func equal(_ a: Span<UInt8>, _ b: Span<UInt8>) -> Bool {
        guard a.count == b.count else { return false }
        return a.withUnsafeBufferPointer { x in
            b.withUnsafeBufferPointer { y in
                x.isEmpty || memcmp(x.baseAddress!, y.baseAddress!, x.count) == 0
            }
        }
    }

    /// Whether the bytes are those of `text`.
    public static func equal(_ bytes: Span<UInt8>, _ text: StaticString) -> Bool {
        guard bytes.count == text.utf8CodeUnitCount else { return false }
        return bytes.withUnsafeBufferPointer { buffer in
            buffer.isEmpty || memcmp(buffer.baseAddress!, text.utf8Start, buffer.count) == 0
        }
    }

    /// Index of the first byte at or after `start` that is 0x20 or less (blank, CR, LF, other controls); the
    /// count of `bytes` if there is none.
    @inlinable @inline(__always)
    public static func wordStop(in bytes: Span<UInt8>, from start: Int) -> Int {
        precondition(start >= 0 && start <= bytes.count)
        return bytes.withUnsafeBufferPointer { buffer in
            guard let base = buffer.baseAddress else { return buffer.count }
            let end = buffer.count
            var i = start
            while i &+ 16 <= end {
                let stops = ci_match_blanks(base + i)
                if stops != 0 { return i &+ stops.trailingZeroBitCount }
                i &+= 16
            }
            if end >= 16 {
                // The last 16 bytes, of which some have been looked at.
                let known = UInt32(truncatingIfNeeded: 16 &- (end &- i))
                let stops = ci_match_blanks(base + (end &- 16)) >> known
                return stops != 0 ? i &+ stops.trailingZeroBitCount : end
            }
            while i < end, base[i] > 0x20 { i &+= 1 }
            return i
        }
    }

    /// The decimal digits at `start`: their value and where they end. At most 19 are read, so nothing can
    /// overflow; more digits than that end the number early, and what follows is then no blank.
    @inlinable @inline(__always)
    public static func digits(in bytes: Span<UInt8>, from start: Int) -> (value: UInt64, end: Int) {
        precondition(start >= 0 && start <= bytes.count)
        return bytes.withUnsafeBufferPointer { buffer in
            guard let base = buffer.baseAddress else { return (0, start) }
            let end = min(buffer.count, start &+ 19)
            var i = start
            var value: UInt64 = 0
            while i < end {
                let digit = base[i] &- 0x30
                if digit > 9 { break }
                value = value &* 10 &+ UInt64(digit)
                i &+= 1
            }
            return (value, i)
        }
    }

    /// Three decimal numbers with single blanks between them, and where the last one ends; nil if there is
    /// anything else from `start` on, or a number of more than 10 digits.
    @inlinable @inline(__always)
    public static func threeNumbers(
        in bytes: Span<UInt8>, from start: Int
    ) -> (first: UInt64, second: UInt64, third: UInt64, end: Int)? {
        precondition(start >= 0 && start <= bytes.count)
        return bytes.withUnsafeBufferPointer { buffer in
            guard let base = buffer.baseAddress else { return nil }
            let end = buffer.count
            var i = start
            guard let first = shortNumber(base, &i, end), i < end, base[i] == 0x20 else { return nil }
            i &+= 1
            guard let second = shortNumber(base, &i, end), i < end, base[i] == 0x20 else { return nil }
            i &+= 1
            guard let third = shortNumber(base, &i, end) else { return nil }
            return (first, second, third, i)
        }
    }

    /// One to ten digits at `i`, which moves behind them.
    @inlinable @inline(__always)
    static func shortNumber(_ base: UnsafePointer<UInt8>, _ i: inout Int, _ end: Int) -> UInt64? {
        let start = i
        var value: UInt64 = 0
        while i < end {
            let digit = base[i] &- 0x30
            if digit > 9 { break }
            value = value &* 10 &+ UInt64(digit)
            i &+= 1
            if i &- start > 10 { return nil }
        }
        return i > start ? value : nil
    }
}
