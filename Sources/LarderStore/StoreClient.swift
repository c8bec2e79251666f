// STUBS: the store's author replaces these bodies; the signatures stand.
@safe
public struct StoreClient: @unchecked Sendable {
    public var now: Moment { fatalError() }
    public func hash(_ key: Span<UInt8>) -> UInt64 { fatalError() }
    public func prefetchBucket(_ hash: UInt64) { fatalError() }
    public func prefetchItem(_ hash: UInt64) { fatalError() }
    public func find(_ key: Span<UInt8>, hash: UInt64, now: Moment) -> Lookup { fatalError() }
    public func findOrCreate(
        _ key: Span<UInt8>, hash: UInt64, now: Moment, value: Span<UInt8>, clientFlags: UInt32, exptime: Moment,
        newCAS: UInt64?
    ) -> Vivified { fatalError() }
    public func write(
        _ key: Span<UInt8>, hash: UInt64, value: Span<UInt8>, _ request: WriteRequest, now: Moment
    ) -> WriteOutcome { fatalError() }
    public func fits(keyLength: Int, valueLength: Int) -> Bool { fatalError() }
    public func reserve(_ key: Span<UInt8>, hash: UInt64, valueLength: Int) -> Reservation? { fatalError() }
    public func commit(_ reservation: consuming Reservation, _ request: WriteRequest, now: Moment) -> WriteOutcome { fatalError() }
    public func discardOld(_ key: Span<UInt8>, hash: UInt64) { fatalError() }
    public func flushAll(now: Moment) { fatalError() }
    public func scheduleFlush(at: Moment) { fatalError() }
    public func unpin(_ value: PinnedValue) { fatalError() }
    func fillVectors(of value: PinnedValue, _ vectors: UnsafeMutablePointer<iovec>, limit: Int) -> Int { fatalError() }
    public func count(_ counter: Counter, _ n: UInt64 = 1) { fatalError() }
    public func count(_ counter: ClassCounter, slabClass: UInt8) { fatalError() }
    public func snapshot() -> StoreSnapshot { fatalError() }
    public func resetStatistics() { fatalError() }
    /// Items from `cursor` on, a bounded step; the visitor sees each live item locked. False from the visitor stops before that item.
    public func walk(_ cursor: inout StoreCursor, limit: Int, now: Moment, _ visit: (borrowing ItemView) -> Bool) { fatalError() }
}
import Glibc

/// Where a walk over all items stands. Items that live through the whole walk are seen once.
public struct StoreCursor: Sendable {
    /// Only items of these classes; nil: all.
    public var classes: [UInt8]? = nil
    public internal(set) var isDone = false
    var position: UInt64 = 0
    public init() {}
}

/// An item as a walk shows it. Valid during the visitor's call only.
@safe
public struct ItemView: ~Copyable {
    public var clientFlags: UInt32 { fatalError() }
    public var valueLength: Int { fatalError() }
    public var keyLength: Int { fatalError() }
    public var cas: UInt64 { fatalError() }
    public var exptime: Moment { fatalError() }
    public var lastAccess: Moment { fatalError() }
    public var isFetched: Bool { fatalError() }
    public var slabClass: UInt8 { fatalError() }
    public var totalSize: Int { fatalError() }
    public var key: [UInt8] { fatalError() }
}

/// A long value kept in place while it is being sent.
public struct PinnedValue: Sendable {
    var head: UInt32
    var stripe: UInt32
    public var length: Int
    public var sent = 0
}

@safe
public struct LockedItem: ~Copyable {
    public var clientFlags: UInt32 { fatalError() }
    public var valueLength: Int { fatalError() }
    public var keyLength: Int { fatalError() }
    public var cas: UInt64 { fatalError() }
    public var exptime: Moment { fatalError() }
    public var lastAccess: Moment { fatalError() }
    public var isFetched: Bool { fatalError() }
    public var isStale: Bool { fatalError() }
    public var isWinSent: Bool { fatalError() }
    public var slabClass: UInt8 { fatalError() }
    public var totalSize: Int { fatalError() }
    public func recordAccess(now: Moment) { fatalError() }
    public func setExptime(_ exptime: Moment) { fatalError() }
    public func setStale(_ on: Bool) { fatalError() }
    public func setWinSent(_ on: Bool) { fatalError() }
    public mutating func setCAS(_ cas: UInt64?) { fatalError() }
    public func appendKey(to reply: inout ReplyBuffer) { fatalError() }
    /// The value and its `\r\n`. Copies, or pins when the value is long. False: no reply memory; nothing was appended.
    public func appendValue(to reply: inout ReplyBuffer) -> Bool { fatalError() }
    public mutating func adjust(by delta: UInt64, decrement: Bool, newCAS: UInt64?) -> Adjustment { fatalError() }
    public mutating func dropValue(newCAS: UInt64?) { fatalError() }
    public consuming func delete() { fatalError() }
}

@safe
public struct Reservation: ~Copyable {
    public let valueLength: Int
    public var received: Int { fatalError() }
    public var isComplete: Bool { fatalError() }
    /// Takes as many of `bytes` as the value still needs; returns how many. Out of memory: bytes are counted and dropped.
    public mutating func append(_ bytes: Span<UInt8>) -> Int { fatalError() }
    /// The next free run of the value's memory, for a socket to read into; nil if there is none now.
    @unsafe public mutating func nextFreeRun() -> UnsafeMutableRawBufferPointer? { fatalError() }
    public mutating func markReceived(_ bytes: Int) { fatalError() }
    deinit { }
}
