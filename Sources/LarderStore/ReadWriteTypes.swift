// The vocabulary of the store's operations: what a caller asks for and what comes back.

/// Why a look-up found nothing; `stats` and `watch` tell these apart.
public enum Miss: UInt8, Sendable {
    case notFound, expired, flushed
}

/// What a look-up found. A hit holds the stripe's lock for as long as the `LockedItem` lives.
public enum Lookup: ~Copyable {
    case hit(LockedItem)
    case miss(Miss)
}

/// What became of one key of a get.
public struct Fetched: Sendable {
    public enum Status: Sendable {
        case hit
        case miss(Miss)
        /// The item is there, but no memory for its reply.
        case outOfMemory
    }
    public var status: Status
    public var slabClass: UInt8
    public var length: Int
    @inline(__always)
    init(_ status: Status, slabClass: UInt8 = 0, length: Int = 0) {
        self.status = status
        self.slabClass = slabClass
        self.length = length
    }
}

/// What a write does with an item that is there, or is not.
public enum WriteMode: UInt8, Sendable, BitwiseCopyable {
    case set, add, replace, append, prepend
}

/// One store operation behind `set` … `cas` and `ms`.
public struct WriteRequest: Sendable {
    public var mode = WriteMode.set
    /// With `compareCAS`: an item whose cas is *greater* than the one given is still replaced, and marked
    /// stale (`ms` flag I).
    public var allowStale = false
    /// append/prepend onto a missing key stores it as new with `vivifyExptime` (`ms` flag N).
    public var vivifies = false
    public var clientFlags: UInt32 = 0
    public var exptime = Moment.never
    public var vivifyExptime = Moment.never
    /// Store only if the item's cas is this; a missing item is `.notFound`.
    public var compareCAS: UInt64? = nil
    /// The cas the item gets instead of the stripe's next (`E` flag).
    public var newCAS: UInt64? = nil
    public init() {}
}

/// What became of a write.
public struct WriteOutcome: Sendable {
    public enum Status: UInt8, Sendable {
        case stored, notStored, exists, notFound
        /// The item can't be stored at this size; the old value is gone after a `set`.
        case tooLarge
        /// No memory could be had; the old value is gone after a `set`.
        case outOfMemory
    }
    public var status: Status
    /// The stored item's cas; 0 when nothing was stored.
    public var cas: UInt64
    /// The slab class the item went to, or of the item that stood in the way; else 0.
    public var slabClass: UInt8
    /// The stored value's length after append or prepend; 0 for other modes.
    public var valueLength = 0
    public init(_ status: Status, cas: UInt64 = 0, slabClass: UInt8 = 0) {
        self.status = status
        self.cas = cas
        self.slabClass = slabClass
    }
}

/// What became of an `incr`, `decr` or `ma`.
public enum Adjustment: Sendable {
    case value(UInt64)
    /// The item's value is no decimal number of at most 20 digits.
    case nonNumeric
    case outOfMemory
}

/// What `findOrCreate` did: exactly one of racing callers gets `.created`.
public enum Vivified: ~Copyable {
    case found(LockedItem)
    /// A new item with the value given, linked; the miss it answers.
    case created(LockedItem, Miss)
    case outOfMemory(Miss)
}
