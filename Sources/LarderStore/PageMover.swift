// Moving a page from one class to another: emptying it, item by item, while everybody else goes on.
import CIntrinsics
import Glibc
import Synchronization

extension Core {
    /// Looks whether a page move between classes pays, and makes at most one. Called every few pages' worth
    /// of evictions by the thread that evicts. Caller holds no class lock; `keep` is a chunk it has just been
    /// given.
    @inline(never)
    func balance(held: Held, keep: Handle, now: Moment, counters: CounterBlock) {
        guard shared.moverLock.tryLock() else { return }
        defer { shared.moverLock.unlock() }
        // The index's reserve comes first, automove or not.
        if arena.read({ $0.pagesUsed > $0.pagesLimit - $0.reserve }) {
            guard let giver = withPressures(Self.idlest) else { return }
            if emptyPage(of: giver, held: held, keep: keep, now: now, counters: counters, receiver: nil) {
                shared.note(.forIndex)
            }
            return
        }
        guard shared.automove.pointee.load(ordering: .relaxed) != 0 else { return }
        if let move = withPressures({ PageBalance.decide($0) }) {
            if emptyPage(
                of: move.from, held: held, keep: keep, now: now, counters: counters, receiver: move.to)
            {
                shared.note(.moved)
            }
        }
    }

    /// A page for a class that can't help itself, from the class where it is missed least; from another if
    /// that one's page is in use at the moment.
    @inline(never)
    func takePageFromAClass(for id: UInt8, held: Held, now: Moment, counters: CounterBlock) {
        shared.moverLock.lock()
        defer { shared.moverLock.unlock() }
        var tried = InlineArray<256, Bool>(repeating: false)
        tried[Int(id)] = true
        for _ in 0..<16 {
            let giver = withPressures { classes -> UInt8? in
                var best: ClassPressure?
                for c in classes where !tried[Int(c.id)] {
                    if let rival = best, !Self.givesSooner(c, rival) { continue }
                    best = c
                }
                return best?.id
            }
            guard let giver else { return }
            tried[Int(giver)] = true
            if emptyPage(of: giver, held: held, keep: 0, now: now, counters: counters, receiver: id) {
                shared.note(.moved)
                return
            }
        }
    }

    /// An empty page goes first, and a class's last only when there is no other.
    private static func givesSooner(_ one: ClassPressure, _ other: ClassPressure) -> Bool {
        if one.hasEmptyPage != other.hasEmptyPage { return one.hasEmptyPage }
        if (one.pages > 1) != (other.pages > 1) { return one.pages > 1 }
        return one.value > other.value
    }

    /// `cache_memlimit` went down: one page less. The freed page's memory goes back to the system.
    func shrinkByOnePage(now: Moment, counters: CounterBlock) -> Bool {
        shared.moverLock.lock()
        defer { shared.moverLock.unlock() }
        guard let giver = withPressures(Self.idlest) else { return false }
        return emptyPage(
            of: giver, held: Held(), keep: 0, now: now, counters: counters, receiver: nil, forgetsMemory: true
        )
    }

    func idlestClass() -> UInt8? { withPressures(Self.idlest) }

    /// The class whose memory is worth least.
    static func idlest(_ classes: UnsafeBufferPointer<ClassPressure>) -> UInt8? {
        var best: ClassPressure?
        for c in classes where c.pages > 1 && (best == nil || c.value > best!.value) { best = c }
        return best?.id
    }

    /// The figures of all classes that own pages, in memory the mover's lock guards: the caller holds it.
    private func withPressures<Result>(_ body: (UnsafeBufferPointer<ClassPressure>) -> Result) -> Result {
        let microseconds = monotonicMicroseconds()
        let list = shared.pressures
        var n = 0
        for id in 1..<table.sizes.count {
            let c = slabClass(UInt8(id))
            c.lock.lock()
            let s = c.state
            if s.pointee.pageCount > 0 {
                // Where the main hand stands still the other one tells.
                let isHardlyProven = s.pointee.isHardlyProven
                let (page, index) =
                    isHardlyProven
                    ? (s.pointee.probationPage, s.pointee.probationIndex)
                    : (s.pointee.mainPage, s.pointee.mainIndex)
                let meta = arena.pages[Int(page)]
                // Last parts and nothing else: no hand tells how old they are, and each would take a long
                // value with it.
                let isTails = s.pointee.items == 0 && s.pointee.parts > 0
                let stamp = isTails ? microseconds : isHardlyProven ? meta.probationStamp : meta.stamp
                list[n] = ClassPressure(
                    id: UInt8(id), pages: s.pointee.pageCount, chunkBytes: s.pointee.chunkBytes,
                    age: Self.roundTime(
                        microseconds > stamp ? microseconds - stamp : 0, pages: s.pointee.pageCount,
                        done: index, of: s.pointee.perPage),
                    isEvicting: s.pointee.evictedSincePage > Self.patience(s.pointee),
                    hasEmptyPage: emptyPage(in: c) != nil)
                n += 1
            }
            c.lock.unlock()
        }
        return body(UnsafeBufferPointer(start: list, count: n))
    }

    /// How long a round of the hand takes, when it last left the page it stands in `age` ago and has
    /// passed `done` of its chunks. Without this a class of few pages would look younger at the start of
    /// each page than at its end.
    private static func roundTime(_ age: UInt64, pages: Int, done: Int, of perPage: Int) -> UInt64 {
        let passed = Double(pages - 1) + Double(min(done, perPage)) / Double(perPage)
        return UInt64(Double(age) * Double(pages) / max(passed, 1))
    }

    /// Bytes a class has to evict before it may get another page. Small chunks fill a page slowly: given one
    /// for its first eviction, a class of several pages would always have a good part of its memory empty. A
    /// class of one or two needs its next at once, and to one of many a page is little. So does a class whose
    /// items have been asked for: there an empty page is soon of use.
    private static func patience(_ state: SlabClassState) -> Int {
        state.isHardlyProven && 3..<8 ~= state.pageCount && state.chunkBytes <= 1024
            ? SlabClassTable.pageBytes : 0
    }

    // MARK: Emptying

    /// Empties the page under the main hand of class `id` and hands it to `receiver`, or to the arena (nil).
    /// False if something in the page can't be moved now; then the class keeps the page.
    func emptyPage(
        of id: UInt8, held: Held, keep: Handle, now: Moment, counters: CounterBlock, receiver: UInt8?,
        forgetsMemory: Bool = false
    ) -> Bool {
        let c = slabClass(id)
        c.lock.lock()
        guard c.state.pointee.pageCount > 0 else {
            c.lock.unlock()
            return false
        }
        guard let page = emptyPage(in: c) ?? pageToEmpty(c, sparing: held.pinned, keep) else {
            c.lock.unlock()
            return false
        }
        makeUnavailable(page, in: c)
        // Or room for what is to be rescued from this page would be made in it.
        moveHands(off: page, in: c)
        let meta = arena.pages + page
        meta.pointee.isLeaving = true
        for _ in 0..<4 where meta.pointee.freeCount < meta.pointee.carved {
            emptyOnce(page, c, held: held, now: now, counters: counters)
        }
        guard meta.pointee.freeCount == meta.pointee.carved else {
            meta.pointee.isLeaving = false
            if meta.pointee.freeCount > 0 || Int(meta.pointee.carved) < c.state.pointee.perPage {
                makeAvailable(page, in: c)
            }
            c.lock.unlock()
            shared.note(.busy)
            counters.evictionLog.pointee?.recordMove(from: Int(id), to: Int(receiver ?? 0), succeeded: false)
            return false
        }
        removePage(page, from: c)
        c.lock.unlock()
        if let receiver {
            let to = slabClass(receiver)
            to.lock.lock()
            // Under the lock: whoever takes the page for the class's finds it whole.
            arena.pages[page] = PageMeta()
            arena.classOfPage[page].store(receiver, ordering: .relaxed)
            addPage(page, to: to, at: monotonicMicroseconds())
            to.lock.unlock()
        } else {
            // Here nobody else knows the page: the system may have its memory.
            if forgetsMemory { madvise(arena.address(page: page), SlabClassTable.pageBytes, MADV_DONTNEED) }
            arena.givePage(page)
        }
        shared.moves[SharedWords.Move.last.rawValue].store(
            UInt64(id) << 8 | UInt64(receiver ?? Arena.indexPage), ordering: .relaxed)
        counters.evictionLog.pointee?.recordMove(from: Int(id), to: Int(receiver ?? 0), succeeded: true)
        return true
    }

    /// A page that holds nothing, of the few that came to have a free chunk last. Caller holds the class's
    /// lock.
    private func emptyPage(in c: SlabClass) -> Int? {
        var page = c.state.pointee.availableHead
        for _ in 0..<8 where page != Arena.noPage {
            let meta = arena.pages + Int(page)
            if meta.pointee.isEmpty { return Int(page) }
            page = meta.pointee.availableNext
        }
        return nil
    }

    /// The next page under the main hand in which nothing is in flight. Caller holds the class's lock.
    private func pageToEmpty(_ c: SlabClass, sparing one: Handle, _ other: Handle) -> Int? {
        var page = Int(c.state.pointee.mainPage)
        for _ in 0..<min(c.state.pointee.pageCount, 8) {
            let isSpared =
                (one != 0 && arena.page(of: one) == page) || (other != 0 && arena.page(of: other) == page)
            if !isSpared, !hasReserved(page, c) { return page }
            page = Int(arena.pages[page].ringNext)
        }
        // The next who looks goes on from here: a long value on its way may fill many pages.
        (c.state.pointee.mainPage, c.state.pointee.mainIndex) = (UInt32(page), 0)
        return nil
    }

    /// Whether a chunk of the page belongs to a value on its way in or out. Caller holds the class's lock.
    private func hasReserved(_ page: Int, _ c: SlabClass) -> Bool {
        for index in 0..<Int(arena.pages[page].carved) {
            let handle = arena.handle(page: page, offset: index * c.state.pointee.chunkBytes)
            if arena.item(handle).shapeAcquired & Item.reserved != 0 { return true }
        }
        return false
    }

    /// One pass over the page: items somebody asked for are copied to other pages of the class, the others
    /// evicted. Entered and left with the class's lock held; it may be dropped in between.
    private func emptyOnce(_ page: Int, _ c: SlabClass, held: Held, now: Moment, counters: CounterBlock) {
        let meta = arena.pages + page
        let chunkBytes = c.state.pointee.chunkBytes
        var victims = Victims()
        var orphans = Orphans()
        for index in 0..<Int(meta.pointee.carved) {
            let handle = arena.handle(page: page, offset: index * chunkBytes)
            let item = arena.item(handle)
            let shape = item.shapeAcquired
            if shape & Item.part != 0 {
                let (owner, hash) = (item.partOwner, UInt64(item.partHash))
                c.lock.unlock()
                evictOwner(owner, hash: hash, held: held, now: now, counters: counters)
                c.lock.lock()
            } else if shape & Item.linked != 0, handle != held.pinned {
                if item.access & Item.frequencyMask != 0, shape & Item.chained == 0,
                    rescue(handle, from: page, c, held: held, now: now, counters: counters, orphans: &orphans)
                {
                    continue
                }
                victims.add(handle)
            }
            if victims.count == Victims.max || orphans.count > 0 {
                _ = evict(victims, from: c, held: held, now: now, counters: counters, orphans: &orphans)
                victims = Victims()
                c.lock.unlock()
                freeOrphans(orphans)
                orphans = Orphans()
                c.lock.lock()
            }
        }
        _ = evict(victims, from: c, held: held, now: now, counters: counters, orphans: &orphans)
        c.lock.unlock()
        freeOrphans(orphans)
        c.lock.lock()
    }

    /// Copies an item over a colder one of its class. Caller holds the class's lock.
    private func rescue(
        _ handle: Handle, from page: Int, _ c: SlabClass, held: Held, now: Moment, counters: CounterBlock,
        orphans: inout Orphans
    ) -> Bool {
        let item = arena.item(handle)
        guard !isExpired(item, now), orphans.count == 0 else { return false }
        var other = takeFreeChunk(c)
        if other == 0 {
            var pinned = held
            if pinned.pinned == 0 { pinned.pinned = handle }
            // The hand may pick from this very page, which is leaving: then nothing is gained, and nothing
            // lost.
            _ = evictSome(c, held: pinned, now: now, counters: counters, orphans: &orphans, limit: 1)
            other = takeFreeChunk(c)
        }
        guard other != 0 else { return false }
        // Whatever lay there before left bits that giving the chunk back would count as probation.
        arena.item(other).access = 0
        guard item.shapeAcquired & Item.linked != 0 else {
            freeChunk(other, c)
            return true
        }
        let hash = hash(of: item)
        let index = Self.stripeIndex(hash)
        let stripe = stripe(index)
        guard index == held.stripe || stripe.lock.tryLock() else {
            freeChunk(other, c)
            return false
        }
        defer { if index != held.stripe { stripe.lock.unlock() } }
        let shape = item.shape
        guard let slot = slot(of: handle, hash: hash), !stripe.isFlushed(item.sequence) else {
            freeChunk(other, c)
            return false
        }
        let copy = arena.item(other)
        copy.sequence = item.sequence
        copy.exptime = item.exptime
        copy.access = item.access
        let body =
            Item.bytes(
                keyLength: Item.keyLength(shape), valueLength: Item.inlineValueLength(shape), marks: shape)
            - Item.headerBytes
        (copy.p + Item.headerBytes).copyMemory(from: item.p + Item.headerBytes, byteCount: body)
        let meta = arena.pages + arena.page(of: other)
        if item.access & Item.probation != 0 {
            meta.pointee.probation &+= 1
            c.state.pointee.probation &+= 1
        }
        if item.exptime != .never { noteExpiry(item.exptime, meta, c, now: now) }
        slot.bucket.setHandle(slot.index, other)
        copy.publishShape(shape)
        freeChunk(handle, c)
        shared.note(.rescued)
        return true
    }

    /// Evicts the long value that `owner` is (or was) the head of. Caller holds no class lock, so the head
    /// may be something else by now: only what the index still names as a long value goes.
    private func evictOwner(
        _ owner: Handle, hash: UInt64, held: Held, now: Moment, counters: CounterBlock
    ) {
        let index = Self.stripeIndex(hash)
        let stripe = stripe(index)
        guard index == held.stripe || stripe.lock.tryLock() else { return }
        defer { if index != held.stripe { stripe.lock.unlock() } }
        var bucket = homeBucket(hash)
        while true {
            for i in 0..<Bucket.slots where bucket.handle(i) == owner && owner != 0 && owner != held.pinned {
                let item = arena.item(owner)
                let shape = item.shape
                guard shape & Item.linked != 0, shape & Item.chained != 0, !item.isPinned(shape) else {
                    return
                }
                let id = arena.slabClass(of: owner)
                countEviction(item, shape, slabClass: id, now: now, counters)
                unlink(owner, Slot(bucket: bucket, index: i), hash: hash, counters: counters)
                return
            }
            if bucket.overflow == 0 { return }
            bucket = Bucket(arena.pointer(bucket.overflow))
        }
    }
}
