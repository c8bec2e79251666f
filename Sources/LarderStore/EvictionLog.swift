// What the store tells those who watch it: evictions, page moves and searches for expired items. A
// `StoreClient` that was given a log writes one record per event while somebody watches, and pays one relaxed
// load per event otherwise.

/// How the store reports what one client thread evicts and moves. The ring is that thread's own, so that a
/// ring keeps its single producer; kinds and lines are the protocol's numbers for the events.
public struct EvictionLog: Sendable {
    /// The protocol's numbers for what the store reports.
    public struct Numbers: Sendable {
        public var evictionKind: UInt32
        public var evictionLine: UInt8
        public var moveKind: UInt32
        public var moveLine: UInt8
        public var searchLine: UInt8
        /// Searches are of the kind of moves.
        public init(
            evictionKind: UInt32, evictionLine: UInt8, moveKind: UInt32, moveLine: UInt8, searchLine: UInt8
        ) {
            self.evictionKind = evictionKind
            self.evictionLine = evictionLine
            self.moveKind = moveKind
            self.moveLine = moveLine
            self.searchLine = searchLine
        }
    }

    public let ring: EventRing
    private let numbers: Numbers

    public init(ring: EventRing, numbers: Numbers) {
        self.ring = ring
        self.numbers = numbers
    }

    /// Whether evictions are to be recorded; to be asked before anything is gathered.
    @inline(__always)
    public var isWanted: Bool { ring.log.mask & numbers.evictionKind != 0 }

    /// Records that a live item was evicted. Touches memory only (no lock, no system call but the vDSO's
    /// clock), so it may be called under a stripe's lock, while the key is still readable.
    public func record(
        key: Span<UInt8>, fetched: Bool, exptime: Moment, lastAccess: Moment, now: Moment, slabClass: UInt8,
        valueLength: Int
    ) {
        var record = EventRecord(kind: numbers.evictionKind, line: numbers.evictionLine)
        record.status = fetched ? 1 : 0
        record.ttl = exptime == .never ? -1 : Int64(exptime.rawValue) - Int64(now.rawValue)
        record.lastAccessSeconds = now.rawValue &- lastAccess.rawValue
        record.slabClass = slabClass
        record.size = UInt64(truncatingIfNeeded: valueLength)
        ring.offer(record, payload: key)
    }

    /// Records that a page went from one class to another (0: the pool of free pages). Costs a compare unless
    /// somebody watches.
    public func recordMove(from source: Int, to target: Int, succeeded: Bool) {
        guard ring.log.mask & numbers.moveKind != 0 else { return }
        var record = EventRecord(kind: numbers.moveKind, line: numbers.moveLine)
        record.slabClass = UInt8(clamping: source)
        record.command = UInt8(clamping: target)
        record.status = succeeded ? 1 : 0
        ring.offer(record, payload: Span<UInt8>())
    }

    /// Records that all pages of a class that were due have been searched for expired items. `next`: seconds
    /// until one is due again, -1 if nothing in them will expire.
    public func recordSearch(
        slabClass: UInt8, examined: UInt64, reclaimed: UInt64, seconds: UInt32, next: Int64
    ) {
        guard ring.log.mask & numbers.moveKind != 0 else { return }
        var record = EventRecord(kind: numbers.moveKind, line: numbers.searchLine)
        record.slabClass = slabClass
        record.size = examined
        record.descriptor = Int32(clamping: reclaimed)
        record.lastAccessSeconds = seconds
        record.ttl = next
        ring.offer(record, payload: Span<UInt8>())
    }
}

extension StoreClient {
    /// Gives this client a log for its evictions; before its thread starts.
    public func setEvictionLog(_ log: EvictionLog) { counters.evictionLog.pointee = log }
}

extension Core {
    /// Tells the client's log that a live item goes. Under the locks of its stripe and class.
    @inline(__always)
    func logEviction(_ item: Item, _ shape: UInt32, slabClass: UInt8, now: Moment, _ counters: CounterBlock) {
        guard let log = counters.evictionLog.pointee, log.isWanted else { return }
        let key = UnsafeBufferPointer(
            start: (item.p + Item.keyOffset(shape)).assumingMemoryBound(to: UInt8.self),
            count: Item.keyLength(shape))
        log.record(
            key: Span(_unsafeElements: key), fetched: item.access & Item.fetched != 0, exptime: item.exptime,
            lastAccess: item.lastAccess(now: now), now: now, slabClass: slabClass,
            valueLength: item.valueLength(shape))
    }
}
