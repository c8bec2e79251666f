// A chunk for a new item or part: a free one, one from a fresh page, one whose item has expired, or a
// victim's.
import Synchronization

extension Core {
    /// Bytes a client may evict between two looks at the balance of classes: four pages' worth.
    static let balanceBytes: UInt64 = 4 * UInt64(SlabClassTable.pageBytes)

    /// A chunk of the class, marked reserved; 0 when memory can't be had. The caller holds no class lock.
    /// - Parameters:
    ///   - isPart: a part of a long value, which its head speaks for.
    ///   - probation: whether the item is to prove itself (false for those that met their ghost).
    ///   - exptime: lets the page know when a visit for expired items is worth it.
    @inline(__always)
    func allocate(
        _ id: UInt8, isPart: Bool = false, probation: Bool, exptime: Moment, held: Held, now: Moment,
        counters: CounterBlock
    ) -> Handle {
        let c = slabClass(id)
        bias.lock(c.lock)
        let handle = takeFreeChunk(c)
        if handle != 0 {
            enroll(handle, c, isPart: isPart, probation: probation, exptime: exptime, now: now)
            c.lock.unlock()
            return handle
        }
        return allocateSlowly(
            id, c, isPart: isPart, probation: probation, exptime: exptime, held: held, now: now,
            counters: counters)
    }

    /// A chunk for a part of `bytes`, from the class that fits best. Where that would cost an item, the last
    /// part makes do with a free chunk of the largest class: what made room for the others has left some.
    func allocatePart(_ bytes: Int, now: Moment, counters: CounterBlock) -> Handle {
        let largest = classID(forBytes: SlabClassTable.largestChunk)
        let id = classID(forBytes: bytes)
        if id != largest {
            var spare = sparePart(id, mayGrow: true, now: now)
            if spare == 0 { spare = sparePart(largest, mayGrow: false, now: now) }
            if spare != 0 { return spare }
        }
        return allocate(
            id, isPart: true, probation: false, exptime: .never, held: Held(), now: now, counters: counters)
    }

    /// A chunk for a part that is free, or from a free page; 0 if there is none. Caller holds no class lock.
    private func sparePart(_ id: UInt8, mayGrow: Bool, now: Moment) -> Handle {
        let c = slabClass(id)
        c.lock.lock()
        defer { c.lock.unlock() }
        var handle = takeFreeChunk(c)
        if handle == 0, mayGrow, let page = arena.takePage(for: id) {
            addPage(page, to: c, at: monotonicMicroseconds())
            handle = takeFreeChunk(c)
        }
        if handle != 0 { enroll(handle, c, isPart: true, probation: false, exptime: .never, now: now) }
        return handle
    }

    /// Sets a fresh chunk's access word and tells its page what it has to know. Caller holds the class's
    /// lock.
    @inline(__always)
    private func enroll(
        _ handle: Handle, _ c: SlabClass, isPart: Bool, probation: Bool, exptime: Moment, now: Moment
    ) {
        var access = now.rawValue << Item.secondsShift
        let meta = arena.pages + arena.page(of: handle)
        if isPart {
            meta.pointee.parts &+= 1
            c.state.pointee.parts &+= 1
        }
        if probation {
            access |= Item.probation | (c.state.pointee.round & 3) << Item.roundShift
            meta.pointee.probation &+= 1
            c.state.pointee.probation &+= 1
        }
        arena.item(handle).access = access
        if exptime != .never { noteExpiry(exptime, meta, c, now: now) }
    }

    /// Makes sure that somebody looks at the page some time after `exptime`: late by an eighth of the time to
    /// live, so that a page of many items is visited for several of them. Caller holds the class's lock.
    @inline(__always)
    func noteExpiry(_ exptime: Moment, _ meta: UnsafeMutablePointer<PageMeta>, _ c: SlabClass, now: Moment) {
        let left = exptime > now ? exptime.rawValue &- now.rawValue : 0
        let visitAt = exptime.rawValue &+ left >> 3
        if visitAt < meta.pointee.visitAt {
            meta.pointee.visitAt = visitAt
            if visitAt < c.state.pointee.visitAt { c.state.pointee.visitAt = visitAt }
            if visitAt < c.state.pointee.lookoutEarliest { c.state.pointee.lookoutEarliest = visitAt }
        }
    }

    /// Entered with the class's lock held, left without it.
    @inline(never)
    private func allocateSlowly(
        _ id: UInt8, _ c: SlabClass, isPart: Bool, probation: Bool, exptime: Moment, held: Held, now: Moment,
        counters: CounterBlock
    ) -> Handle {
        var handle: Handle = 0
        var orphans = Orphans()
        var evicted = 0
        var attempt = 0
        // Where long values lie, a sweep may pass nothing but their parts: the hand gets round before other
        // classes have to give.
        var sweeps = c.state.pointee.parts / Self.partsPerSweep
        while attempt < 64 {
            if c.state.pointee.visitAt <= now.rawValue {
                reapDue(c, looks: 16, visits: 1, held: held, now: now, counters: counters)
                handle = takeFreeChunk(c)
            }
            if handle == 0, let page = arena.takePage(for: id) {
                addPage(page, to: c, at: monotonicMicroseconds())
                handle = takeFreeChunk(c)
            }
            if handle == 0, options.evicts {
                let freed = evictSome(c, held: held, now: now, counters: counters, orphans: &orphans)
                evicted += freed
                if freed > 0 { handle = takeFreeChunk(c) }
            }
            if handle != 0 {
                enroll(handle, c, isPart: isPart, probation: probation, exptime: exptime, now: now)
                let chunkBytes = c.state.pointee.chunkBytes
                c.lock.unlock()
                freeOrphans(orphans)
                if evicted > 0 {
                    counters.pressure(UInt64(evicted &* chunkBytes))
                    if counters.pressure >= Self.balanceBytes {
                        counters.clearPressure()
                        balance(held: held, keep: handle, now: now, counters: counters)
                    }
                }
                return handle
            }
            let hasItems = c.state.pointee.used > c.state.pointee.parts
            c.lock.unlock()
            freeOrphans(orphans)
            orphans = Orphans()
            guard options.evicts else { return 0 }
            if sweeps > 0, hasItems {
                sweeps -= 1
            } else {
                // A class without a page, or whose items are all pinned, in flight or locked, takes a page
                // from another.
                if attempt < 8 || attempt % 8 == 0 {
                    takePageFromAClass(for: id, held: held, now: now, counters: counters)
                }
                attempt += 1
            }
            c.lock.lock()
            handle = takeFreeChunk(c)
            if handle != 0 {
                enroll(handle, c, isPart: isPart, probation: probation, exptime: exptime, now: now)
                c.lock.unlock()
                return handle
            }
        }
        c.lock.unlock()
        return 0
    }

    /// Gives back a chunk that was never linked, or is no longer. Caller holds no class lock.
    func release(_ handle: Handle) {
        let c = slabClass(arena.slabClass(of: handle))
        c.lock.lock()
        freeChunk(handle, c)
        c.lock.unlock()
    }
}
