// Numbers as clients write them: the strict kind of tokens, the lenient kind of storage lines, and exptimes.
import LarderStore
import Synchronization

enum Number {
    /// Decimal digits and nothing else, below 2^64.
    static func unsigned(_ bytes: Span<UInt8>, _ range: Range<Int>) -> UInt64? {
        guard !range.isEmpty, range.count <= 22 else { return nil }
        var value: UInt64 = 0
        for i in range {
            let digit = bytes[i] &- 0x30
            guard digit <= 9 else { return nil }
            let (scaled, tooBig) = value.multipliedReportingOverflow(by: 10)
            let (sum, carried) = scaled.addingReportingOverflow(UInt64(digit))
            if tooBig || carried { return nil }
            value = sum
        }
        return value
    }

    /// Digits with a minus sign before them or none. A lone minus reads as 0, as memcached has it.
    static func signed(_ bytes: Span<UInt8>, _ range: Range<Int>) -> Int64? {
        guard let first = range.first, range.count <= 22 else { return nil }
        guard bytes[first] == 0x2D else {
            guard let value = unsigned(bytes, range), value <= UInt64(Int64.max) else { return nil }
            return Int64(value)
        }
        if range.count == 1 { return 0 }
        guard let value = unsigned(bytes, range.dropFirst()), value <= UInt64(Int64.max) else { return nil }
        return 0 &- Int64(value)
    }

    /// The length of a value: 0 ... 2^31 - 3.
    static func valueLength(_ bytes: Span<UInt8>, _ range: Range<Int>) -> UInt32? {
        guard range.count <= 11, let value = signed(bytes, range) else { return nil }
        return value >= 0 && value <= Int64(Int32.max) - 2 ? UInt32(truncatingIfNeeded: value) : nil
    }

    /// A number as C's strtol takes it from a storage line: white space and a sign may come first, and after
    /// its digits the word ends or goes on with white space. Values beyond 64 bits are refused.
    static func lenient(_ bytes: Span<UInt8>, _ range: Range<Int>) -> (magnitude: UInt64, isNegative: Bool)? {
        var i = range.lowerBound
        while i < range.upperBound, isSpace(bytes[i]) { i += 1 }
        var isNegative = false
        if i < range.upperBound, bytes[i] == 0x2D || bytes[i] == 0x2B {
            isNegative = bytes[i] == 0x2D
            i += 1
        }
        var end = i
        while end < range.upperBound, bytes[end] &- 0x30 <= 9 { end += 1 }
        guard end > i, end == range.upperBound || isSpace(bytes[end]) else { return nil }
        // Leading zeros must not count against the strict reader's length.
        while end - i > 1, bytes[i] == 0x30 { i += 1 }
        guard let magnitude = unsigned(bytes, i..<end) else { return nil }
        return (magnitude, isNegative)
    }

    /// Client flags of a storage line: 32 bits are kept.
    static func clientFlags(_ bytes: Span<UInt8>, _ range: Range<Int>) -> UInt32? {
        guard let number = lenient(bytes, range), !number.isNegative || number.magnitude == 0 else {
            return nil
        }
        return UInt32(truncatingIfNeeded: number.magnitude)
    }

    /// The exptime of a storage line.
    static func exptime(_ bytes: Span<UInt8>, _ range: Range<Int>) -> Int64? {
        guard let number = lenient(bytes, range), number.magnitude <= UInt64(Int64.max) else { return nil }
        return number.isNegative ? 0 &- Int64(number.magnitude) : Int64(number.magnitude)
    }

    @inline(__always)
    private static func isSpace(_ byte: UInt8) -> Bool { byte == 0x20 || (byte >= 0x09 && byte <= 0x0D) }
}

/// Where the wall clock stands against the store's, which never jumps: one word, shared by all workers. The
/// server keeps it up to date, so that a clock that was set right after the start spoils no absolute time.
public final class UnixClock: Sendable {
    private let zero = Atomic<Int64>(0)

    /// The unix time of the store's moment 0.
    public var timeOfMomentZero: Int64 {
        get { zero.load(ordering: .relaxed) }
        set { zero.store(newValue, ordering: .relaxed) }
    }

    /// The wall clock reads `time` at `moment`. Both are whole seconds that begin at different times: one
    /// second more or less is no step.
    public func follow(time: Int64, at moment: Moment) {
        let now = time - Int64(moment.rawValue)
        if (now - timeOfMomentZero).magnitude > 1 { timeOfMomentZero = now }
    }
}

extension SessionOptions {
    /// Longest exptime that counts from now; larger ones are unix times.
    static let longestRelativeExptime: Int64 = 60 * 60 * 24 * 30

    /// When an item given this exptime expires: 0 is never, unless a default is set.
    @inline(__always)
    func expiry(ofExptime seconds: Int64, now: Moment) -> Moment {
        seconds == 0 ? defaultExpiry(now) : laterMoment(ofExptime: seconds, now: now)
    }

    /// When an item expires for which a client wants no end.
    @inline(__always)
    func defaultExpiry(_ now: Moment) -> Moment {
        defaultTTL == 0 ? .never : Moment(now.rawValue &+ defaultTTL)
    }

    /// The moment a time from the wire means that is no item's exptime; 0 is never.
    @inline(__always)
    func moment(ofExptime seconds: Int64, now: Moment) -> Moment {
        seconds == 0 ? .never : laterMoment(ofExptime: seconds, now: now)
    }

    /// libmemcached writes a negative exptime as 32 bits without a sign: -1 arrives as 4294967295 (Django's
    /// `timeout=0` over pylibmc). The last 30 days of that range, in 2106, are therefore the past.
    private static let unsignedNegatives = (Int64(UInt32.max) - longestRelativeExptime) ... Int64(UInt32.max)

    private func laterMoment(ofExptime seconds: Int64, now: Moment) -> Moment {
        if seconds < 0 || Self.unsignedNegatives.contains(seconds) { return .past }
        if seconds <= Self.longestRelativeExptime {
            return Moment(now.rawValue &+ UInt32(truncatingIfNeeded: seconds))
        }
        let (sinceZero, overflow) = seconds.subtractingReportingOverflow(unixTimeOfMomentZero)
        if overflow || sinceZero > Int64(UInt32.max) { return Moment(UInt32.max) }
        return sinceZero <= 1 ? .past : Moment(UInt32(truncatingIfNeeded: sinceZero))
    }
}
