// The store as its owner sees it: made once, lives as long as the process, lends a client to each thread.
import Glibc
import Synchronization

/// Why there is no store.
public enum StoreError: Error {
    /// The address space for the limit can't be had.
    case noMemory
}

/// The cache itself. Threads work on it through a `StoreClient` of their own.
@safe
public struct Store: @unchecked Sendable {
    // Sendable: the pointer never changes, and what it leads to is guarded as Core.swift says.
    let core: UnsafeMutablePointer<Core>

    /// Unix time (seconds) of moment 0, to turn absolute exptimes into moments, once, on arrival.
    public let unixTimeOfMomentZero: Int64
    /// Monotonic seconds at moment 0.
    private let monotonicZero: UInt64
    private let chores: UnsafeMutablePointer<Chores>

    public init(_ options: StoreOptions) throws(StoreError) {
        guard let built = Core(options) else { throw .noMemory }
        core = .allocate(capacity: 1)
        core.initialize(to: built)
        chores = .allocate(capacity: 1)
        chores.initialize(to: Chores())
        core.pointee.shared.automove.pointee.store(UInt32(options.automove), ordering: .relaxed)
        // Moment 2 is now: 0 and 1 mean something else. Wraps on a machine up for less than that.
        monotonicZero = monotonicMicroseconds() / 1_000_000 &- 2
        unixTimeOfMomentZero = Int64(time(nil)) - 2
        tick()
    }

    /// The face for thread `index`: 0 ..< options.clients for requests, options.clients for housekeeping. One
    /// thread at a time may use it.
    public func client(_ index: Int) -> StoreClient {
        precondition(index >= 0 && index <= core.pointee.options.clients)
        return StoreClient(core: core, counters: core.pointee.counters[index])
    }

    // MARK: Housekeeping. Its thread's alone.

    /// Sets the coarse clock from the monotonic one: the wall clock may jump, expiry doesn't.
    public func tick() {
        setClock(Moment(UInt32(truncatingIfNeeded: monotonicMicroseconds() / 1_000_000 &- monotonicZero)))
    }

    /// Sets the clock all expiry goes by (tests: to any time). A flush that is due happens before anyone can
    /// read it.
    public func setClock(_ now: Moment) {
        let due = core.pointee.shared.flushDue
        let at = due.pointee.load(ordering: .acquiring)
        if at != 0, now.rawValue >= at,
            due.pointee.compareExchange(expected: at, desired: 0, ordering: .acquiringAndReleasing).exchanged
        {
            core.pointee.bias.beginVisit()
            core.pointee.flushAll()
            core.pointee.bias.endVisit()
        }
        core.pointee.shared.clock.pointee.store(now.rawValue, ordering: .releasing)
    }

    /// A bounded step of the chores; to be called about ten times a second.
    public func housekeep() {
        core.pointee.bias.beginVisit()
        chores.pointee.step(core.pointee, core.pointee.counters[core.pointee.options.clients])
        core.pointee.bias.endVisit()
    }

    /// Largest size of a chunk that isn't part of a chain, and the chunk sizes by class id (0 at index 0).
    public var chunkSizes: [Int] { core.pointee.table.sizes }
}

/// One thread's face of the store. Trivial to copy; all its calls belong to the thread it was lent to.
@safe
public struct StoreClient: @unchecked Sendable {
    // Sendable: it is handed to its thread once; see `Store.client`.
    let core: UnsafeMutablePointer<Core>
    let counters: CounterBlock

    /// The coarse clock: whole seconds.
    public var now: Moment {
        @inline(__always) get { Moment(core.pointee.shared.clock.pointee.load(ordering: .relaxed)) }
    }

    /// A hash that nobody can choose keys for: its secret is drawn at start.
    @inline(__always)
    public func hash(_ key: Span<UInt8>) -> UInt64 {
        key.withUnsafeBufferPointer { core.pointee.keyHash(UnsafeRawPointer($0.baseAddress!), $0.count) }
    }

    /// The place all calls about this key want.
    @inline(__always)
    public func place(_ key: Span<UInt8>) -> KeyPlace { core.pointee.place(hash(key)) }

    /// `place`, and the first pass of a batch at once: asks for the cache line of the key's bucket.
    public func placeAndPrefetch(_ key: Span<UInt8>) -> KeyPlace {
        let place = place(key)
        core.pointee.prefetchBucket(place)
        return place
    }

    /// Second pass: asks for the item, as far as an unlocked look at the bucket tells which. False: it isn't
    /// in its home bucket, if anywhere; the next one is asked for, and `prefetchOverflown` looks there.
    public func prefetchItem(_ place: KeyPlace) -> Bool { core.pointee.prefetchItem(place) }
    /// The same for all of the item, where there is time: a few items, and a system call before they are
    /// needed.
    public func prefetchWholeItem(_ place: KeyPlace) -> Bool { core.pointee.prefetchWholeItem(place) }
    public func prefetchOverflown(_ place: KeyPlace) { core.pointee.prefetchOverflown(place) }

    @inline(__always) public func count(_ counter: Counter, _ n: UInt64 = 1) { counters.add(counter, n) }
    @inline(__always) public func count(_ counter: ClassCounter, slabClass: UInt8) {
        counters.add(counter, slabClass: slabClass, 1)
    }

    // MARK: Rounds

    /// Requests follow, in which this thread waits for no other: a store's only client locks without atomic
    /// instructions for them, if this answers true. Then `endRound` follows, before anything else is done.
    public func beginRound() -> Bool { core.pointee.bias.enter(counters) }
    public func endRound() { core.pointee.bias.leave() }

    // MARK: Reads

    /// Looks the key up. A hit is locked while the `LockedItem` lives: keep it short, and make no other call
    /// meanwhile. Counts nothing and marks nothing: see `LockedItem.recordAccess`.
    public func find(_ key: Span<UInt8>, at place: KeyPlace, now: Moment) -> Lookup {
        key.withUnsafeBufferPointer { key -> Lookup in
            let core = self.core
            let hash = place.hash
            let stripe = core.pointee.stripe(Core.stripeIndex(hash))
            let handle = core.pointee.lockAndLookUp(
                UnsafeRawPointer(key.baseAddress!), key.count, at: place)
            if handle != 0 {
                let item = core.pointee.arena.item(handle)
                if let death = core.pointee.death(of: item, stripe, now: now) {
                    core.pointee.bury(handle, hash: hash, counters: counters)
                    stripe.lock.unlock()
                    return .miss(death)
                }
                return .hit(LockedItem(client: self, handle: handle, hash: hash, item: item))
            }
            stripe.lock.unlock()
            return .miss(.notFound)
        }
    }

    /// One key of a get: looks it up, counts and records the hit, and writes `VALUE …` and the value into the
    /// reply, all under the stripe's lock. The same as `find` with what a get does with its item, without
    /// handing the item out.
    public func fetch(
        _ key: Span<UInt8>, at place: KeyPlace, now: Moment, withCAS: Bool, into reply: inout ReplyBuffer
    ) -> Fetched {
        key.withUnsafeBufferPointer { key in
            let core = self.core
            let hash = place.hash
            let index = Core.stripeIndex(hash)
            let stripe = core.pointee.stripe(index)
            let keyStart = UnsafeRawPointer(key.baseAddress!)
            let handle = core.pointee.lockAndLookUp(keyStart, key.count, at: place)
            guard handle != 0 else {
                stripe.lock.unlock()
                return Fetched(.miss(.notFound))
            }
            let item = core.pointee.arena.item(handle)
            let shape = item.shape
            if item.exptime != .never || stripe.state.pointee.hasFlush,
                let death = core.pointee.death(of: item, stripe, now: now)
            {
                core.pointee.bury(handle, hash: hash, counters: counters)
                stripe.lock.unlock()
                return Fetched(.miss(death))
            }
            item.recordAccess(now: now, core.pointee.bias)
            let id = core.pointee.arena.slabClass(of: handle)
            counters.add(.getHits, slabClass: id, 1)
            let length = Item.inlineValueLength(shape)
            if shape & Item.layout == 0, !withCAS, reply.reserve(key.count &+ 80 &+ length) {
                reply.putPlainItem(item.p + Item.headerBytes, key.count, valueLength: length)
                stripe.lock.unlock()
                return Fetched(.hit, slabClass: id, length: length)
            }
            let isAppended = core.pointee.append(
                handle, item, shape, stripe: index, withCAS: withCAS, to: &reply)
            let whole = item.valueLength(shape)
            stripe.lock.unlock()
            return Fetched(isAppended ? .hit : .outOfMemory, slabClass: id, length: whole)
        }
    }

    /// Finds the key or creates it with this value under one lock: of racing callers exactly one is told
    /// `.created`.
    public func findOrCreate(
        _ key: Span<UInt8>, at place: KeyPlace, now: Moment, value: Span<UInt8>, clientFlags: UInt32,
        exptime: Moment,
        newCAS: UInt64?
    ) -> Vivified {
        key.withUnsafeBufferPointer { key in
            value.withUnsafeBufferPointer { value in
                vivify(
                    UnsafeRawBufferPointer(key), at: place, now: now, value: UnsafeRawBufferPointer(value),
                    clientFlags: clientFlags, exptime: exptime, newCAS: newCAS)
            }
        }
    }

    private func vivify(
        _ key: UnsafeRawBufferPointer, at place: KeyPlace, now: Moment, value: UnsafeRawBufferPointer,
        clientFlags: UInt32,
        exptime: Moment, newCAS: UInt64?
    ) -> Vivified {
        let hash = place.hash
        let stripe = core.pointee.stripe(Core.stripeIndex(hash))
        var miss = Miss.notFound
        let handle = core.pointee.lockAndLookUp(key.baseAddress!, key.count, at: place)
        if handle != 0 {
            let item = core.pointee.arena.item(handle)
            guard let death = core.pointee.death(of: item, stripe, now: now) else {
                return .found(LockedItem(client: self, handle: handle, hash: hash, item: item))
            }
            miss = death
            core.pointee.bury(handle, hash: hash, counters: counters)
        }
        var request = WriteRequest()
        request.clientFlags = clientFlags
        request.exptime = exptime
        request.newCAS = newCAS
        let writer = Writer(client: self, key: key, place: place, request: request, now: now)
        let created = writer.store(value, replacing: 0, marks: writer.marks(clientFlags))
        guard created != 0 else {
            stripe.lock.unlock()
            return .outOfMemory(miss)
        }
        return .created(
            LockedItem(client: self, handle: created, hash: hash, item: core.pointee.arena.item(created)),
            miss)
    }

    // MARK: Flush and pins

    /// Everything stored before this call is gone, exactly.
    public func flushAll() { core.pointee.flushAll() }

    /// A flush when the clock reaches `at`; a later call replaces a pending one.
    public func scheduleFlush(at: Moment) {
        core.pointee.shared.flushDue.pointee.store(at.rawValue, ordering: .releasing)
    }

    /// Takes back a pending `scheduleFlush`.
    public func cancelScheduledFlush() { core.pointee.shared.flushDue.pointee.store(0, ordering: .releasing) }

    /// A value pinned by `LockedItem.appendValue` has been sent, or never will be.
    public func unpin(_ value: PinnedValue) { core.pointee.unpin(value) }

    /// The runs of memory a pinned value's unsent bytes lie in.
    func fillVectors(of value: PinnedValue, _ vectors: UnsafeMutablePointer<iovec>, limit: Int) -> Int {
        var chunk = ChainReader(core, head: value.head)
        var skip = value.sent
        var filled = 0
        while filled < limit, let run = chunk.next() {
            if skip >= run.count {
                skip -= run.count
                continue
            }
            vectors[filled] = iovec(iov_base: run.baseAddress! + skip, iov_len: run.count - skip)
            filled += 1
            skip = 0
        }
        return filled
    }
}

extension Core {
    /// Why the item is dead; nil if it lives. Caller holds the stripe's lock.
    @inline(__always)
    func death(of item: Item, _ stripe: Stripe, now: Moment) -> Miss? {
        if isExpired(item, now) { return .expired }
        if stripe.isFlushed(item.sequence) { return .flushed }
        return nil
    }

    /// Unlinks a dead item that somebody met. Caller holds the stripe's lock.
    @inline(never)
    func bury(_ handle: Handle, hash: UInt64, counters: CounterBlock) {
        let id = arena.slabClass(of: handle)
        counters.add(.reclaimed, slabClass: id, 1)
        if arena.item(handle).access & Item.fetched == 0 { counters.add(.expiredUnfetched, slabClass: id, 1) }
        guard let slot = slot(of: handle, hash: hash) else { return }
        unlink(handle, slot, hash: hash, counters: counters)
    }

    /// Takes an item out of the index and gives its memory back, unless readers still send it: then the last
    /// of them does. Caller holds the stripe's lock and no class lock.
    func unlink(_ handle: Handle, _ slot: Slot, hash: UInt64, counters: CounterBlock) {
        let item = arena.item(handle)
        let shape = item.shape
        let id = arena.slabClass(of: handle)
        remove(slot, hash: hash, ghost: false)
        noteUnlinked(stripe(Self.stripeIndex(hash)), item, shape, slabClass: id, counters)
        retire(handle, shape, id)
    }

    /// Frees a chunk (and its parts) that has just left the index. Caller holds its stripe's lock and no
    /// class lock.
    func retire(_ handle: Handle, _ shape: UInt32, _ id: UInt8) {
        let item = arena.item(handle)
        let c = slabClass(id)
        let isPinned = item.isPinned(shape)
        let parts = shape & Item.chained != 0 && !isPinned ? item.firstPart(shape) : 0
        bias.lock(c.lock)
        if isPinned {
            item.shape = shape & ~Item.linked | Item.reserved
        } else {
            freeChunk(handle, c)
        }
        c.lock.unlock()
        freeParts(parts)
    }

    /// An item of any form as a get answers it. False: no memory for replies. Caller holds the stripe's lock.
    @inline(never)
    func append(
        _ handle: Handle, _ item: Item, _ shape: UInt32, stripe: Int, withCAS: Bool,
        to reply: inout ReplyBuffer
    ) -> Bool {
        let isLong = shape & Item.chained != 0
        let length = item.valueLength(shape)
        let n = Item.keyLength(shape)
        guard reply.reserve(n &+ 80 &+ (isLong ? 0 : length &+ Item.lineEndBytes)) else { return false }
        reply.putValueLine(
            key: item.p + Item.keyOffset(shape), n, clientFlags: item.clientFlags(shape), length: length,
            cas: withCAS ? cas(of: item, shape, stripe) : nil)
        if isLong { return pin(handle, item, shape, stripe: stripe, into: &reply) }
        reply.put(item.p + Item.valueOffset(shape), length &+ Item.lineEndBytes)
        return true
    }

    /// Names a long value in the reply and keeps it in place until that has been sent. Caller holds the
    /// stripe's lock.
    @inline(never)
    func pin(_ handle: Handle, _ item: Item, _ shape: UInt32, stripe: Int, into reply: inout ReplyBuffer)
        -> Bool
    {
        let value = PinnedValue(
            head: handle, stripe: UInt32(stripe), length: item.chainLength(shape) + Item.lineEndBytes)
        guard reply.append(pinned: value) else { return false }
        item.setPins(item.pins(shape) + 1, shape)
        return true
    }

    /// Marks everything that is stored now as gone.
    func flushAll() {
        for i in 0..<Stripe.count {
            let stripe = stripe(i)
            stripe.lock.lock()
            stripe.state.pointee.flushedThrough = stripe.state.pointee.sequence
            stripe.state.pointee.hasFlush = stripe.state.pointee.items > 0
            stripe.lock.unlock()
        }
    }

    func unpin(_ value: PinnedValue) {
        let stripe = stripe(Int(value.stripe))
        stripe.lock.lock()
        defer { stripe.lock.unlock() }
        let item = arena.item(value.head)
        let shape = item.shape
        let pins = item.pins(shape) - 1
        item.setPins(pins, shape)
        guard pins == 0, shape & Item.linked == 0 else { return }
        retire(value.head, shape, arena.slabClass(of: value.head))
    }
}
