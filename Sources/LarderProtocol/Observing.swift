// What a worker tells observers: records for `watch`, counts for `stats detail`. A session asks
// `worker.observers != 0` before any of these; it is refreshed once per receive, so that nobody watching
// costs one load and one compare.
import LarderStore

extension WorkerContext {
    /// Called at the start of each `receive`.
    @inline(__always)
    mutating func refreshObservers() { observers = log.mask }

    @inline(__always)
    private func has(_ kind: EventKind) -> Bool { observers & kind.rawValue != 0 }

    /// A look-up by any command that looks a key up, delete and incr included. `miss` nil: it was a hit.
    /// `isGet`: `stats detail` takes it for a get (get, gets, gat, gats, mg).
    @inline(never)
    func observeFetch(_ key: Span<UInt8>, miss: Miss?, slabClass: UInt8, size: Int, isGet: Bool = true) {
        if has(.fetchers) {
            var record = EventLine.itemGet.record(descriptor: descriptor)
            record.status = (miss.map(FetchStatus.init) ?? .found).rawValue
            record.slabClass = slabClass
            record.size = UInt64(truncatingIfNeeded: size)
            ring?.offer(record, payload: key)
        }
        if isGet, has(.detail) { admin.prefixes.count(key, miss == nil ? .hit : .miss, store: store) }
    }

    /// To be called before a storage command touches the store: memcached looks the key up first, and its
    /// watchers of fetchers see that.
    @inline(never)
    func observeFetchBeforeStore(_ key: Span<UInt8>, at place: KeyPlace, now: Moment) {
        guard has(.fetchers) else { return }
        switch store.find(key, at: place, now: now) {
        case .hit(let item):
            observeFetch(key, miss: nil, slabClass: item.slabClass, size: item.valueLength, isGet: false)
        case .miss(let miss):
            observeFetch(key, miss: miss, slabClass: 0, size: 0, isGet: false)
        }
    }

    /// A storage command with its outcome. `exptime` is the item's; never shows as ttl=0.
    @inline(never)
    func observeStore(
        _ key: Span<UInt8>, _ status: WriteOutcome.Status, _ command: StoreCommand, exptime: Moment,
        slabClass: UInt8, size: Int
    ) {
        if has(.mutations) {
            var record = EventLine.itemStore.record(descriptor: descriptor)
            record.status = status.rawValue
            record.command = command.rawValue
            record.slabClass = slabClass
            record.ttl = exptime == .never ? 0 : Int64(exptime.rawValue) - Int64(store.now.rawValue)
            record.size = UInt64(truncatingIfNeeded: size)
            ring?.offer(record, payload: key)
        }
        if has(.detail) { admin.prefixes.count(key, .set, store: store) }
    }

    /// A `delete` or `md`, whether or not there was an item to delete.
    @inline(never)
    func observeDelete(
        _ key: Span<UInt8>, _ command: DeleteCommand, wasFound: Bool, slabClass: UInt8, size: Int
    ) {
        if wasFound, has(.deletions) {
            var record = EventLine.deleted.record(descriptor: descriptor)
            record.command = command.rawValue
            record.slabClass = slabClass
            record.size = UInt64(truncatingIfNeeded: size)
            ring?.offer(record, payload: key)
        }
        if has(.detail) { admin.prefixes.count(key, .delete, store: store) }
    }

    /// A request was read from these bytes, whatever it was; its first line is shown. A request put back
    /// because the reply was full is shown again.
    @inline(never)
    func observeLine(_ input: Span<UInt8>, from start: Int, to end: Int) {
        guard has(.rawcmds) else { return }
        let limit = min(end, start + EventRing.payloadMax)
        var stop = start
        while stop < limit, input[stop] != 0x0A { stop += 1 }
        if stop < limit, stop > start, input[stop - 1] == 0x0D { stop -= 1 }
        ring?.offer(EventLine.command.record(descriptor: descriptor), payload: input.extracting(start..<stop))
    }

    /// What `reply` got since `start`, if anything: its first line is shown, which is never a value.
    @inline(never)
    func observeReply(_ reply: borrowing ReplyBuffer, from start: Int) {
        let (ring, descriptor) = (self.ring, self.descriptor)
        reply.withBytes(from: start, limit: EventRing.payloadMax) { bytes in
            guard !bytes.isEmpty else { return }
            var stop = Bytes.newline(in: bytes, from: 0) ?? bytes.count
            if stop > 0, bytes[stop - 1] == 0x0D { stop -= 1 }
            ring?.offer(
                EventLine.reply.record(descriptor: descriptor), payload: bytes.extracting(0..<stop))
        }
    }
}
