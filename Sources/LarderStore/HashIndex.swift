// Key to item: one linear hash table per stripe, of buckets that fill one cache line.
//
//   bucket: 12 tags (1 byte) | 12 handles (4 bytes) | overflow bucket's handle
//
// A slot is empty (tag 0), an item (tag and handle), or a ghost: the tag of an item that was evicted
// unproven, kept with handle 0 until the slot is needed. A new item that meets its ghost has been asked for
// twice and skips probation. Index page j holds bucket j of every stripe. All functions want the stripe's
// lock held, prefetches excepted.
import CIntrinsics
import Synchronization

struct Bucket {
    static let slots = 12
    static let bytes = 64

    let p: UnsafeMutableRawPointer
    @inline(__always) init(_ p: UnsafeMutableRawPointer) { self.p = p }

    @inline(__always) func matches(_ tag: UInt8) -> UInt32 { ci_match_tags(p, tag) }
    @inline(__always) func tag(_ slot: Int) -> UInt8 { p.load(fromByteOffset: slot, as: UInt8.self) }
    @inline(__always) func handle(_ slot: Int) -> Handle {
        p.load(fromByteOffset: 12 &+ slot &* 4, as: UInt32.self)
    }
    @inline(__always) func set(_ slot: Int, tag: UInt8, handle: Handle) {
        p.storeBytes(of: tag, toByteOffset: slot, as: UInt8.self)
        p.storeBytes(of: handle, toByteOffset: 12 &+ slot &* 4, as: UInt32.self)
    }
    @inline(__always) func setHandle(_ slot: Int, _ handle: Handle) {
        p.storeBytes(of: handle, toByteOffset: 12 &+ slot &* 4, as: UInt32.self)
    }
    var overflow: Handle {
        @inline(__always) get { p.load(fromByteOffset: 60, as: UInt32.self) }
        @inline(__always) nonmutating set { p.storeBytes(of: newValue, toByteOffset: 60, as: UInt32.self) }
    }
    func clear() { p.initializeMemory(as: UInt64.self, repeating: 0, count: Self.bytes / 8) }
}

/// Where the index has a key, if it has it: found once for each request, without a lock.
public struct KeyPlace: Sendable, BitwiseCopyable {
    let hash: UInt64
    /// The index page of the key's home bucket, and (upper half) how many buckets its stripe had then. It
    /// still is the page when the stripe has as many.
    private let home: UInt64

    fileprivate var page: Int { @inline(__always) get { Int(home & 0xFFFF_FFFF) } }
    fileprivate var buckets: UInt32 { @inline(__always) get { UInt32(truncatingIfNeeded: home >> 32) } }

    /// Of no key.
    public init() { self.init(hash: 0, page: 0, buckets: 0) }
    @inline(__always)
    fileprivate init(hash: UInt64, page: UInt32, buckets: UInt32) {
        self.hash = hash
        home = UInt64(page) | UInt64(buckets) << 32
    }
}

/// A place in a bucket.
struct Slot {
    var bucket: Bucket
    var index: Int
}

extension Core {
    /// Buckets are split when a stripe holds more than this many items per bucket, in sixteenths.
    static let itemsPerBucket16: UInt32 = 136  // 8.5

    @inline(__always) static func tag(_ hash: UInt64) -> UInt8 {
        let tag = UInt8(truncatingIfNeeded: hash >> 56)
        return tag == 0 ? 1 : tag
    }
    @inline(__always) static func stripeIndex(_ hash: UInt64) -> Int {
        Int(truncatingIfNeeded: hash & UInt64(Stripe.count - 1))
    }
    @inline(__always) func stripe(_ index: Int) -> Stripe { Stripe(stripes + index &* Stripe.bytes) }

    @inline(__always) func bucket(stripe: Int, _ index: Int) -> Bucket {
        let page = Int(indexPages[index].load(ordering: .relaxed))
        return Bucket(arena.address(page: page) + stripe &* Bucket.bytes)
    }
    @inline(__always) func homeBucket(_ hash: UInt64) -> Bucket { homeBucket(place(hash)) }
    /// As it was when the place was found.
    @inline(__always) private func homeBucket(_ place: KeyPlace) -> Bucket {
        Bucket(arena.address(page: place.page) + Self.stripeIndex(place.hash) &* Bucket.bytes)
    }

    @inline(__always) func place(_ hash: UInt64) -> KeyPlace {
        let s = Self.stripeIndex(hash)
        let geometry = geometry(s)
        let page = indexPages[geometry.bucketIndex(hash)].load(ordering: .relaxed)
        return KeyPlace(hash: hash, page: page, buckets: geometry.buckets)
    }

    @inline(__always) func geometry(_ stripe: Int) -> Geometry {
        Geometry(word: geometries[stripe].load(ordering: .acquiring))
    }
    /// Caller holds the stripe's lock. Who sees it without the lock sees the index page it speaks of, too.
    func setGeometry(_ geometry: Geometry, stripe: Int) {
        geometries[stripe].store(geometry.word, ordering: .releasing)
    }

    /// The bucket's line, and the stripe's, which the lock is about to write.
    @inline(__always) func prefetchBucket(_ place: KeyPlace) {
        ci_prefetch(homeBucket(place).p)
        ci_prefetch_to_write(stripe(Self.stripeIndex(place.hash)).p)
    }
    /// The item's beginning. False: it isn't in its home bucket; see `prefetchOverflown`.
    @inline(__always) func prefetchItem(_ place: KeyPlace) -> Bool {
        prefetchMatch(homeBucket(place), place).overflow == 0
    }
    /// The same, and so much of the item that the processor sees where it goes.
    @inline(__always) func prefetchWholeItem(_ place: KeyPlace) -> Bool {
        let sight = prefetchMatch(homeBucket(place), place)
        guard sight.item != 0 else { return sight.overflow == 0 }
        let id = Int(arena.slabClass(of: sight.item))
        guard id < table.sizes.count else { return true }
        let bytes = min(table.sizes[id], 1024)
        var offset = 3 * 64
        while offset < bytes {
            ci_prefetch(arena.pointer(sight.item) + offset)
            offset &+= 64
        }
        return true
    }
    /// The item's beginning, if it is in the first overflow bucket, which `prefetchItem` has asked for.
    @inline(never) func prefetchOverflown(_ place: KeyPlace) {
        let next = prefetchMatch(homeBucket(place), place).overflow
        if next != 0 { _ = prefetchMatch(Bucket(arena.pointer(next)), place) }
    }
    @inline(__always) private func prefetchMatch(_ bucket: Bucket, _ place: KeyPlace) -> ci_sight {
        ci_prefetch_match(
            bucket.p, Self.tag(place.hash), arena.base.assumingMemoryBound(to: CChar.self), arena.shift)
    }

    /// Locks the key's stripe and looks the key up: its item, dead or alive; 0 if there is none.
    ///
    /// No load can overtake the lock's instruction, so the way to the bucket was found before it; nearly
    /// always it still is the right one behind it.
    @inline(__always)
    func lockAndLookUp(_ key: UnsafeRawPointer, _ length: Int, at place: KeyPlace) -> Handle {
        let index = Self.stripeIndex(place.hash)
        bias.lock(stripe(index).lock)
        let isStillHome = geometry(index).buckets == place.buckets
        return lookUp(
            key, length, hash: place.hash,
            in: isStillHome ? homeBucket(place) : homeBucket(self.place(place.hash)))
    }

    /// The item of a key whose home bucket is `home`, dead or alive; 0 if there is none.
    @inline(__always)
    private func lookUp(_ key: UnsafeRawPointer, _ length: Int, hash: UInt64, in home: Bucket) -> Handle {
        let tag = Self.tag(hash)
        var bucket = home
        while true {
            var mask = bucket.matches(tag)
            while mask != 0 {
                let handle = bucket.handle(mask.trailingZeroBitCount)
                if handle != 0 {
                    let item = arena.item(handle)
                    // The value's beginning, on its way while the key is compared.
                    ci_prefetch(item.p + 64)
                    ci_prefetch(item.p + 128)
                    if item.hasKey(key, length, item.shape) { return handle }
                }
                mask &= mask &- 1
            }
            let next = bucket.overflow
            if next == 0 { return 0 }
            bucket = Bucket(arena.pointer(next))
        }
    }

    /// Where the index names this chunk. It must be there.
    @inline(__always)
    func slot(of handle: Handle, hash: UInt64) -> Slot? {
        let tag = Self.tag(hash)
        var bucket = homeBucket(hash)
        while true {
            var mask = bucket.matches(tag)
            while mask != 0 {
                let i = mask.trailingZeroBitCount
                if bucket.handle(i) == handle { return Slot(bucket: bucket, index: i) }
                mask &= mask &- 1
            }
            let next = bucket.overflow
            if next == 0 { return nil }
            bucket = Bucket(arena.pointer(next))
        }
    }

    /// Whether a ghost of this key (more precisely: of its tag in its bucket) is remembered.
    @inline(__always)
    func hasGhost(_ hash: UInt64) -> Bool {
        let bucket = homeBucket(hash)
        var mask = bucket.matches(Self.tag(hash))
        while mask != 0 {
            if bucket.handle(mask.trailingZeroBitCount) == 0 { return true }
            mask &= mask &- 1
        }
        return false
    }

    /// Names `handle` under the hash. Where there is no memory for an overflow bucket, another item of the
    /// bucket goes; false if none may. Caller holds no class lock.
    func insert(_ handle: Handle, hash: UInt64, now: Moment, counters: CounterBlock) -> Bool {
        let tag = Self.tag(hash)
        let stripeIndex = Self.stripeIndex(hash)
        var bucket = homeBucket(hash)
        // Its own ghost makes way first: it has said what it had to say.
        var mask = bucket.matches(tag)
        while mask != 0 {
            let i = mask.trailingZeroBitCount
            if bucket.handle(i) == 0 {
                bucket.setHandle(i, handle)
                return true
            }
            mask &= mask &- 1
        }
        while true {
            let empty = bucket.matches(0)
            if empty != 0 {
                bucket.set(empty.trailingZeroBitCount, tag: tag, handle: handle)
                return true
            }
            for i in 0..<Bucket.slots where bucket.handle(i) == 0 {
                bucket.set(i, tag: tag, handle: handle)
                return true
            }
            let next = bucket.overflow
            if next == 0 { break }
            bucket = Bucket(arena.pointer(next))
        }
        guard let extra = takeOverflowBucket() else {
            guard options.evicts else { return false }
            let place = evictLeastLiked(of: bucket, stripe(stripeIndex), now: now, counters: counters)
            bucket.set(place, tag: tag, handle: handle)
            return true
        }
        let added = Bucket(arena.pointer(extra))
        added.clear()
        added.set(0, tag: tag, handle: handle)
        bucket.overflow = extra
        stripe(stripeIndex).state.pointee.overflowBuckets += 1
        return true
    }

    /// Empties a slot; with `ghost` its tag stays as a memory of the item. Keeps overflow chains short.
    func remove(_ slot: Slot, hash: UInt64, ghost: Bool) {
        let home = homeBucket(hash)
        guard home.overflow != 0 else {
            slot.bucket.set(slot.index, tag: ghost ? slot.bucket.tag(slot.index) : 0, handle: 0)
            return
        }
        // Fill the hole from the last bucket of the chain, and give that one back when it is empty.
        slot.bucket.set(slot.index, tag: 0, handle: 0)
        var before = home
        var last = Bucket(arena.pointer(home.overflow))
        while last.overflow != 0 {
            before = last
            last = Bucket(arena.pointer(last.overflow))
        }
        var left = 0
        var mover = -1
        for i in 0..<Bucket.slots where last.handle(i) != 0 {
            left += 1
            mover = i
        }
        if mover >= 0, slot.bucket.p != last.p {
            slot.bucket.set(slot.index, tag: last.tag(mover), handle: last.handle(mover))
            last.set(mover, tag: 0, handle: 0)
            left -= 1
        }
        if left == 0 {
            let freed = before.overflow
            before.overflow = 0
            giveOverflowBucket(freed)
            stripe(Self.stripeIndex(hash)).state.pointee.overflowBuckets -= 1
        }
    }

    // MARK: Growth

    /// Whether the stripe is so full that one of its buckets should be split.
    @inline(__always)
    func isFull(_ stripeIndex: Int) -> Bool {
        stripe(stripeIndex).state.pointee.items &* 16
            > geometry(stripeIndex).buckets &* Self.itemsPerBucket16
    }

    /// Splits one bucket. Bounded work; a failure to grow only makes chains longer.
    @inline(never)
    func split(_ stripeIndex: Int) {
        let s = stripe(stripeIndex)
        let geometry = geometry(stripeIndex)
        let buckets = geometry.buckets
        var mask = geometry.mask
        guard Int(buckets) < indexPagesMax, openIndexPage(Int(buckets), for: s) else { return }
        if buckets > mask { mask = mask << 1 | 1 }
        let old = bucket(stripe: stripeIndex, Int(buckets & (mask >> 1)))
        // What moves may need as many overflow buckets as the chain has: they are had before anything moves.
        guard var spare = takeSpares(old) else { return }
        let new = bucket(stripe: stripeIndex, Int(buckets))
        new.clear()
        // Hash the keys again: that touches each item, so ask for all of them first.
        var from = old
        while true {
            for i in 0..<Bucket.slots where from.handle(i) != 0 { ci_prefetch(arena.pointer(from.handle(i))) }
            if from.overflow == 0 { break }
            from = Bucket(arena.pointer(from.overflow))
        }
        var kept = old
        var keptSlot = 0
        var movedTo = new
        var movedSlot = 0
        from = old
        while true {
            let next = from.overflow
            for i in 0..<Bucket.slots {
                let (tag, handle) = (from.tag(i), from.handle(i))
                from.set(i, tag: 0, handle: 0)
                guard handle != 0 else { continue }
                let hash = self.hash(of: arena.item(handle))
                if UInt32(truncatingIfNeeded: hash >> UInt64(Stripe.bits)) & mask == buckets {
                    if movedSlot == Bucket.slots {
                        let extra = spare
                        spare = Bucket(arena.pointer(extra)).overflow
                        Bucket(arena.pointer(extra)).clear()
                        movedTo.overflow = extra
                        s.state.pointee.overflowBuckets += 1
                        movedTo = Bucket(arena.pointer(extra))
                        movedSlot = 0
                    }
                    movedTo.set(movedSlot, tag: tag, handle: handle)
                    movedSlot += 1
                } else {
                    if keptSlot == Bucket.slots {
                        kept = Bucket(arena.pointer(kept.overflow))
                        keptSlot = 0
                    }
                    kept.set(keptSlot, tag: tag, handle: handle)
                    keptSlot += 1
                }
            }
            if next == 0 { break }
            from = Bucket(arena.pointer(next))
        }
        let freed = kept.overflow
        kept.overflow = 0
        s.state.pointee.overflowBuckets -= giveOverflowBuckets(freed)
        _ = giveOverflowBuckets(spare)
        setGeometry(Geometry(buckets: buckets + 1, mask: mask), stripe: stripeIndex)
    }

    /// As many overflow buckets as hang on `bucket`, chained (0: none hang there); nil without memory.
    private func takeSpares(_ bucket: Bucket) -> Handle? {
        var spare: Handle = 0
        var link = bucket.overflow
        while link != 0 {
            guard let extra = takeOverflowBucket() else {
                _ = giveOverflowBuckets(spare)
                return nil
            }
            Bucket(arena.pointer(extra)).overflow = spare
            spare = extra
            link = Bucket(arena.pointer(link)).overflow
        }
        return spare
    }

    /// Gives back a chain of overflow buckets; returns how many.
    private func giveOverflowBuckets(_ first: Handle) -> UInt32 {
        var count: UInt32 = 0
        var handle = first
        while handle != 0 {
            let next = Bucket(arena.pointer(handle)).overflow
            giveOverflowBucket(handle)
            count += 1
            handle = next
        }
        return count
    }

    /// Makes sure that index page `number` is there. It is not before half the stripes have asked for it:
    /// until then the fuller ones put up with longer chains, or the last pages would be all but empty.
    private func openIndexPage(_ number: Int, for stripe: Stripe) -> Bool {
        if indexPages[number].load(ordering: .acquiring) != 0 { return true }
        if stripe.state.pointee.asksForPage != UInt32(number) {
            stripe.state.pointee.asksForPage = UInt32(number)
            shared.stripesAsking.pointee.wrappingAdd(1, ordering: .relaxed)
        }
        guard shared.stripesAsking.pointee.load(ordering: .relaxed) >= Stripe.count / 2 else { return false }
        // Classes leave the index a reserve of pages, so this seldom fails. Of two openers one wins.
        guard let page = arena.takePage(for: Arena.indexPage) else { return false }
        let (won, _) = indexPages[number].compareExchange(
            expected: 0, desired: UInt32(page), ordering: .acquiringAndReleasing)
        if won {
            shared.stripesAsking.pointee.store(0, ordering: .relaxed)
            arena.lock.lock()
            arena.state.pointee.indexPages += 1
            arena.lock.unlock()
        } else {
            arena.givePage(page)
        }
        return true
    }

    // MARK: Overflow buckets, 1024 to a page, under the lock of their own pseudo-class

    private func takeOverflowBucket() -> Handle? {
        let pool = overflowPool
        pool.lock.lock()
        defer { pool.lock.unlock() }
        let state = pool.state
        if state.pointee.availableHead != 0 {
            let handle = state.pointee.availableHead
            state.pointee.availableHead = Bucket(arena.pointer(handle)).overflow
            return handle
        }
        if state.pointee.mainPage == 0 || state.pointee.mainIndex == SlabClassTable.pageBytes / Bucket.bytes {
            guard let page = arena.takePage(for: Arena.indexPage) else { return nil }
            state.pointee.mainPage = UInt32(page)
            state.pointee.mainIndex = 0
            state.pointee.pageCount += 1
        }
        let handle = arena.handle(
            page: Int(state.pointee.mainPage), offset: state.pointee.mainIndex * Bucket.bytes)
        state.pointee.mainIndex += 1
        return handle
    }

    private func giveOverflowBucket(_ handle: Handle) {
        let pool = overflowPool
        pool.lock.lock()
        Bucket(arena.pointer(handle)).overflow = pool.state.pointee.availableHead
        pool.state.pointee.availableHead = handle
        pool.lock.unlock()
    }
}
