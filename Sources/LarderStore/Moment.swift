// Time as the store knows it: whole seconds since a base shortly before the process started.

/// Seconds since the store's base (a little before process start, so that 0 can mean "never" and 1 "long
/// past"). The wire's rules for exptime (relative, absolute, negative) belong to the protocol; here a moment
/// is a number.
public struct Moment: RawRepresentable, Comparable, Hashable, Sendable, BitwiseCopyable {
    public var rawValue: UInt32
    @inlinable @inline(__always) public init(rawValue: UInt32) { self.rawValue = rawValue }
    @inlinable @inline(__always) public init(_ seconds: UInt32) { rawValue = seconds }

    /// As an exptime: the item doesn't expire.
    @inlinable public static var never: Moment { Moment(0) }
    /// As an exptime: gone at once. No clock ever reads less than 2.
    @inlinable public static var past: Moment { Moment(1) }

    @inlinable @inline(__always) public static func < (a: Moment, b: Moment) -> Bool {
        a.rawValue < b.rawValue
    }
}
