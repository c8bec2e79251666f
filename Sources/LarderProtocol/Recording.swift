// What a worker leaves behind for `watch` and `stats detail`. A session asks `worker.attention != 0` before
// any of these; it is refreshed once per receive, so that nobody watching costs one load and one compare.
import LarderStore

extension WorkerContext {
    /// To be called at the start of each receive.
    @inline(__always)
    mutating func refreshAttention() { attention = log.mask }

    @inline(__always)
    private func wants(_ kind: EventKind) -> Bool { attention & kind.rawValue != 0 }

    /// A key was looked up by get, gets, gat, gats, mg, me, touch, incr, decr, ma, delete or md; `counts`
    /// says whether `stats detail` takes it for a get (get, gets, gat, gats, mg).
    @inline(never)
    func recordFetch(
        _ key: Span<UInt8>, _ status: FetchStatus, slabClass: UInt8 = 0, valueLength: Int = 0,
        counts: Bool = true
    ) {
        if wants(.fetchers) {
            var record = EventLine.itemGet.record(descriptor: descriptor)
            record.status = status.rawValue
            record.slabClass = slabClass
            record.size = UInt64(truncatingIfNeeded: valueLength)
            ring?.offer(record, payload: key)
        }
        if counts, wants(.detail) { admin.prefixes.count(key, status == .found ? .hit : .miss, store: store) }
    }

    /// To be called before a store command touches the store: memcached looks the key up first, and watchers
    /// see that.
    @inline(never)
    func recordFetchBeforeStore(_ key: Span<UInt8>, hash: UInt64, now: Moment) {
        guard wants(.fetchers) else { return }
        switch store.find(key, hash: hash, now: now) {
        case .hit(let item):
            recordFetch(key, .found, slabClass: item.slabClass, valueLength: item.valueLength, counts: false)
        case .miss(let miss):
            recordFetch(key, FetchStatus(miss), counts: false)
        }
    }

    /// A store command ended. `exptime` is the item's; `.never` shows as ttl=0.
    @inline(never)
    func recordStore(
        _ key: Span<UInt8>, _ outcome: WriteOutcome, command: StoreCommand, exptime: Moment, now: Moment,
        valueLength: Int
    ) {
        if wants(.mutations) {
            var record = EventLine.itemStore.record(descriptor: descriptor)
            record.status = outcome.status.rawValue
            record.command = command.rawValue
            record.slabClass = outcome.slabClass
            record.ttl = exptime == .never ? 0 : Int64(exptime.rawValue) - Int64(now.rawValue)
            record.size = UInt64(truncatingIfNeeded: valueLength)
            ring?.offer(record, payload: key)
        }
        if wants(.detail) { admin.prefixes.count(key, .set, store: store) }
    }

    /// A delete or md came for `key`; an item (of `slabClass`) was there to be deleted or not.
    @inline(never)
    func recordDelete(
        _ key: Span<UInt8>, found: Bool, command: DeleteCommand, slabClass: UInt8 = 0, valueLength: Int = 0
    ) {
        if found, wants(.deletions) {
            var record = EventLine.deleted.record(descriptor: descriptor)
            record.command = command.rawValue
            record.slabClass = slabClass
            record.size = UInt64(truncatingIfNeeded: valueLength)
            ring?.offer(record, payload: key)
        }
        if wants(.detail) { admin.prefixes.count(key, .delete, store: store) }
    }

    /// A command line came, whatever it was; `line` without its line end.
    @inline(never)
    func recordCommand(_ line: Span<UInt8>) {
        guard wants(.rawcmds) else { return }
        ring?.offer(EventLine.command.record(descriptor: descriptor), payload: line)
    }
}
