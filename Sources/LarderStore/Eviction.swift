// Which item leaves when a class is full: S3-FIFO (Yang et al., SOSP 2023) done in place.
//
// New items are on probation, unless a ghost remembers that they were asked for before. While more than a
// tenth of the class is on probation, the probation hand goes round the class's pages: what was read
// meanwhile becomes a main item where it lies, what was not goes and leaves a ghost. Otherwise the main hand
// goes round: what was read since loses one of its (at most 3) points, what has none goes. Expired items go
// first, whoever meets them.
//
// New items are stored where the probation hand has just made room, so the ring of pages is in the order of
// filling and needs no list of items. An item that found a free chunk elsewhere remembers the half round it
// came in, and is left alone in that half round.
import Synchronization

/// What the caller of an allocation holds or must not lose.
struct Held {
    /// Index of the stripe whose lock the caller holds; -1: none. All other stripes are only tried.
    var stripe = -1
    /// A chunk that must not be chosen.
    var pinned: Handle = 0
}

/// Parts of evicted long values, to be freed when no class lock is held. Room for two batches of victims.
struct Orphans {
    var first = InlineArray<16, Handle>(repeating: 0)
    var count = 0
    @inline(__always) mutating func add(_ part: Handle) {
        first[count] = part
        count += 1
    }
}

/// Up to 8 chunks picked by a hand.
struct Victims {
    static let max = 8
    var handles = InlineArray<8, Handle>(repeating: 0)
    var count = 0
    @inline(__always) mutating func add(_ handle: Handle) {
        handles[count] = handle
        count += 1
    }
}

extension Core {
    /// Parts of long values that a sweep can pass before it gives up.
    static let partsPerSweep = 2048

    /// Chunks one call of `evictSome` makes room for: several small ones, whose buckets are fetched together.
    @inline(__always)
    private func batch(_ chunkBytes: Int) -> Int { Swift.max(1, Swift.min(Victims.max, 2048 / chunkBytes)) }

    /// Evicts at least one item of the class if it can; returns how many chunks came free. Caller holds the
    /// class's lock.
    func evictSome(
        _ c: SlabClass, held: Held, now: Moment, counters: CounterBlock, orphans: inout Orphans,
        limit: Int = Victims.max
    ) -> Int {
        let s = c.state
        guard s.pointee.used > s.pointee.parts else { return 0 }
        var victims = Victims()
        let wanted = Swift.min(limit, batch(s.pointee.chunkBytes))
        if s.pointee.evictsUnproven {
            sweepProbation(c, wanted: wanted, held: held, now: now, into: &victims)
        }
        if victims.count == 0 { sweepMain(c, wanted: wanted, held: held, now: now, into: &victims) }
        let freed = evict(victims, from: c, held: held, now: now, counters: counters, orphans: &orphans)
        s.pointee.evictedSincePage &+= freed &* s.pointee.chunkBytes
        return freed
    }

    // MARK: The two hands. Caller holds the class's lock.

    private func sweepProbation(
        _ c: SlabClass, wanted: Int, held: Held, now: Moment, into victims: inout Victims
    ) {
        let s = c.state
        // Bounded: a hand that finds nothing in this many steps leaves the turn to the main hand.
        var budget = 2048
        while victims.count < wanted, budget > 0 {
            let page = Int(s.pointee.probationPage)
            let meta = arena.pages + page
            if meta.pointee.probation == 0 || s.pointee.probationIndex >= Int(meta.pointee.carved) {
                advanceProbation(s, past: meta)
                budget -= meta.pointee.isAllParts ? 4 : 8
                continue
            }
            let handle = arena.handle(page: page, offset: s.pointee.probationIndex &* s.pointee.chunkBytes)
            s.pointee.probationIndex += 1
            budget -= 1
            let item = arena.item(handle)
            guard item.shapeAcquired & Item.linked != 0, handle != held.pinned else { continue }
            let access = item.access
            guard access & Item.probation != 0 else { continue }
            if isExpired(item, now) {
                victims.add(handle)
            } else if access & Item.frequencyMask != 0 {
                item.clearAccess(Item.probation | Item.frequencyMask)
                meta.pointee.probation &-= 1
                s.pointee.probation &-= 1
            } else if (access & Item.roundMask) >> Item.roundShift != s.pointee.round & 3 {
                victims.add(handle)
            }
        }
    }

    private func advanceProbation(
        _ s: UnsafeMutablePointer<SlabClassState>, past meta: UnsafeMutablePointer<PageMeta>
    ) {
        meta.pointee.probationStamp = monotonicMicroseconds()
        s.pointee.probationPage = meta.pointee.ringNext
        s.pointee.probationIndex = 0
        s.pointee.pagesToRound -= 1
        if s.pointee.pagesToRound <= 0 {
            s.pointee.round &+= 1
            s.pointee.pagesToRound = Swift.max(1, s.pointee.pageCount / 2)
        }
    }

    private func sweepMain(_ c: SlabClass, wanted: Int, held: Held, now: Moment, into victims: inout Victims)
    {
        let s = c.state
        var budget = 512
        // If everything met is well liked, the least liked goes: no pause grows with the number of items.
        var fallback: Handle = 0
        var fallbackScore: UInt32 = .max
        while victims.count < wanted, budget > 0 {
            let page = Int(s.pointee.mainPage)
            let meta = arena.pages + page
            if s.pointee.mainIndex >= Int(meta.pointee.carved) || meta.pointee.isAllParts {
                meta.pointee.stamp = monotonicMicroseconds()
                s.pointee.mainPage = meta.pointee.ringNext
                s.pointee.mainIndex = 0
                budget -= meta.pointee.isAllParts ? 1 : 8
                continue
            }
            let handle = arena.handle(page: page, offset: s.pointee.mainIndex &* s.pointee.chunkBytes)
            s.pointee.mainIndex += 1
            budget -= 1
            let item = arena.item(handle)
            guard item.shapeAcquired & Item.linked != 0, handle != held.pinned else { continue }
            let access = item.access
            let frequency = access & Item.frequencyMask
            if isExpired(item, now) {
                victims.add(handle)
                continue
            }
            if access & Item.probation == 0 {
                if frequency == 0 {
                    victims.add(handle)
                    continue
                }
                item.decrementFrequency()
            }
            if frequency < fallbackScore { (fallback, fallbackScore) = (handle, frequency) }
        }
        if victims.count == 0, fallback != 0 { victims.add(fallback) }
    }

    @inline(__always)
    func isExpired(_ item: Item, _ now: Moment) -> Bool {
        let exptime = item.exptime
        return exptime != .never && exptime <= now
    }

    // MARK: Doing it

    /// Unlinks and frees the victims whose stripes can be had without waiting. Caller holds the class's lock.
    func evict(
        _ victims: Victims, from c: SlabClass, held: Held, now: Moment, counters: CounterBlock,
        orphans: inout Orphans
    ) -> Int {
        var hashes = InlineArray<8, UInt64>(repeating: 0)
        for i in 0..<victims.count {
            hashes[i] = hash(of: arena.item(victims.handles[i]))
            prefetchBucket(place(hashes[i]))
        }
        var freed = 0
        for i in 0..<victims.count {
            let hash = hashes[i]
            let index = Self.stripeIndex(hash)
            let stripe = stripe(index)
            guard index == held.stripe || bias.tryLock(stripe.lock) else { continue }
            if evictOne(
                victims.handles[i], hash, stripe, from: c, now: now, counters: counters, orphans: &orphans)
            {
                freed += 1
            }
            if index != held.stripe { stripe.lock.unlock() }
        }
        return freed
    }

    /// Caller holds the class's lock and the stripe's.
    private func evictOne(
        _ handle: Handle, _ hash: UInt64, _ stripe: Stripe, from c: SlabClass, now: Moment,
        counters: CounterBlock,
        orphans: inout Orphans
    ) -> Bool {
        let item = arena.item(handle)
        let shape = item.shape
        guard !item.isPinned(shape), let slot = slot(of: handle, hash: hash) else { return false }
        let access = item.access
        let id = arena.slabClass(of: handle)
        let dead = isExpired(item, now) || stripe.isFlushed(item.sequence)
        remove(slot, hash: hash, ghost: !dead && access & Item.probation != 0)
        noteUnlinked(stripe, item, shape, slabClass: id, counters)
        if dead {
            counters.add(.reclaimed, slabClass: id, 1)
            if access & Item.fetched == 0 { counters.add(.expiredUnfetched, slabClass: id, 1) }
        } else {
            c.state.pointee.lastVictimAccess = item.lastAccess(now: now).rawValue
            countEviction(item, shape, slabClass: id, now: now, counters)
        }
        if shape & Item.chained != 0 { orphans.add(item.firstPart(shape)) }
        freeChunk(handle, c)
        return true
    }

    /// Counts the eviction of a live item, and tells who watches.
    func countEviction(
        _ item: Item, _ shape: UInt32, slabClass id: UInt8, now: Moment, _ counters: CounterBlock
    ) {
        let access = item.access
        counters.add(.evicted, slabClass: id, 1)
        if item.exptime != .never { counters.add(.evictedNonzero, slabClass: id, 1) }
        if access & Item.fetched == 0 { counters.add(.evictedUnfetched, slabClass: id, 1) }
        if access & Item.frequencyMask != 0 { counters.add(.evictedActive, slabClass: id, 1) }
        logEviction(item, shape, slabClass: id, now: now, counters)
    }

    /// Makes a place in a full bucket when the index can't have memory for another; returns which. Its slot
    /// still names what has gone. Caller holds the stripe's lock and no class lock.
    @inline(never)
    func evictLeastLiked(of bucket: Bucket, _ stripe: Stripe, now: Moment, counters: CounterBlock) -> Int {
        var place = 0
        var least = UInt32.max
        for i in 0..<Bucket.slots {
            let item = arena.item(bucket.handle(i))
            let frequency = isExpired(item, now) ? 0 : 1 + (item.access & Item.frequencyMask)
            if frequency < least { (place, least) = (i, frequency) }
        }
        let handle = bucket.handle(place)
        let item = arena.item(handle)
        let shape = item.shape
        let id = arena.slabClass(of: handle)
        noteUnlinked(stripe, item, shape, slabClass: id, counters)
        countEviction(item, shape, slabClass: id, now: now, counters)
        retire(handle, shape, id)
        return place
    }

    /// Counts a newly linked item. Caller holds the stripe's lock.
    @inline(__always)
    func noteLinked(_ stripe: Stripe, bytes: Int, slabClass id: UInt8, _ counters: CounterBlock) {
        stripe.state.pointee.items &+= 1
        stripe.state.pointee.bytes &+= UInt64(bytes)
        counters.add(.itemsLinked, slabClass: id, 1)
        counters.add(.bytesRequested, slabClass: id, UInt64(bytes))
        if options.maxItems != nil { shared.itemCount.pointee.wrappingAdd(1, ordering: .relaxed) }
    }

    /// Takes a linked item out of the figures. Caller holds the stripe's lock.
    @inline(__always)
    func noteUnlinked(
        _ stripe: Stripe, _ item: Item, _ shape: UInt32, slabClass id: UInt8, _ counters: CounterBlock
    ) {
        let bytes = UInt64(item.totalBytes(shape))
        stripe.state.pointee.items &-= 1
        stripe.state.pointee.bytes &-= bytes
        counters.add(.itemsLinked, slabClass: id, 0 &- 1)
        counters.add(.bytesRequested, slabClass: id, 0 &- bytes)
        if options.maxItems != nil { shared.itemCount.pointee.wrappingSubtract(1, ordering: .relaxed) }
    }

    /// Frees the chain of parts from `first` on. Caller holds no class lock.
    func freeParts(_ first: Handle) {
        var handle = first
        while handle != 0 {
            let next = arena.item(handle).partNext
            let c = slabClass(arena.slabClass(of: handle))
            c.lock.lock()
            freeChunk(handle, c)
            c.lock.unlock()
            handle = next
        }
    }

    func freeOrphans(_ orphans: Orphans) {
        for i in 0..<orphans.count { freeParts(orphans.first[i]) }
    }
}
