// Evictions as `watch evictions` shows them: the store's side of the event rings. A `StoreClient` that was
// given a log writes one record per evicted item while somebody watches, and pays one relaxed load per
// eviction otherwise.

/// How the store reports evictions of one client thread. The ring is that thread's own, so that a ring keeps
/// its single producer; kind and line are the protocol's numbers for the event.
public struct EvictionLog: Sendable {
    public let ring: EventRing
    public let kind: UInt32
    public let line: UInt8

    public init(ring: EventRing, kind: UInt32, line: UInt8) {
        self.ring = ring
        self.kind = kind
        self.line = line
    }

    /// Whether evictions are to be recorded; to be asked before anything is gathered.
    @inline(__always)
    public var isWanted: Bool { ring.log.mask & kind != 0 }

    /// Records that a live item was evicted. Touches memory only (no lock, no system call but the vDSO's
    /// clock), so it may be called under a stripe's lock, while the key is still readable.
    public func record(
        key: Span<UInt8>, fetched: Bool, exptime: Moment, lastAccess: Moment, now: Moment, slabClass: UInt8,
        valueLength: Int
    ) {
        var record = EventRecord(kind: kind, line: line)
        record.status = fetched ? 1 : 0
        record.ttl = exptime == .never ? -1 : Int64(exptime.rawValue) - Int64(now.rawValue)
        record.lastAccessSeconds = now.rawValue &- lastAccess.rawValue
        record.slabClass = slabClass
        record.size = UInt64(truncatingIfNeeded: valueLength)
        ring.offer(record, payload: key)
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
            start: (item.p + Item.keyOffset(shape)).assumingMemoryBound(to: UInt8.self), count: Item.keyLength(shape))
        log.record(
            key: Span(_unsafeElements: key), fetched: item.access & Item.fetched != 0, exptime: item.exptime,
            lastAccess: Moment(item.access >> Item.secondsShift), now: now, slabClass: slabClass,
            valueLength: item.valueLength(shape))
    }
}
