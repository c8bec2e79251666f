// What has to be done besides requests: giving expired and flushed memory back before a live item has to go,
// returning empty pages, and keeping within a lowered limit. Small steps; the caller (a thread of the
// server's) decides how often.
import Glibc
import Synchronization

extension Core {
    // MARK: Expired items

    /// Looks at up to `looks` pages of the class, in a ring, and visits up to `visits` that are due. Entered
    /// and left with the class's lock held; it may be dropped in between. Returns how many items were
    /// reclaimed.
    @discardableResult
    func reapDue(
        _ c: SlabClass, looks: Int, visits: Int, held: Held, now: Moment, counters: CounterBlock
    ) -> Int {
        let s = c.state
        var visits = visits
        var reclaimed = 0
        for _ in 0..<looks {
            guard s.pointee.pageCount > 0, s.pointee.visitAt <= now.rawValue, visits > 0 else {
                return reclaimed
            }
            if s.pointee.lookoutPage == Arena.noPage || s.pointee.lookoutLeft <= 0 {
                if s.pointee.lookoutPage == Arena.noPage {
                    s.pointee.lookoutPage = s.pointee.mainPage
                } else {
                    // A round is complete: nothing is due before the earliest it met.
                    s.pointee.visitAt = s.pointee.lookoutEarliest
                }
                s.pointee.lookoutEarliest = .max
                s.pointee.lookoutLeft = s.pointee.pageCount
                if s.pointee.visitAt > now.rawValue { return reclaimed }
            }
            let page = Int(s.pointee.lookoutPage)
            s.pointee.lookoutPage = arena.pages[page].ringNext
            s.pointee.lookoutLeft -= 1
            if arena.pages[page].visitAt <= now.rawValue {
                visits -= 1
                reclaimed += visit(page, c, held: held, now: now, counters: counters)
            }
            s.pointee.lookoutEarliest = min(s.pointee.lookoutEarliest, arena.pages[page].visitAt)
        }
        return reclaimed
    }

    /// Frees the page's expired items and decides when the next visit pays: when a sixteenth of its chunks
    /// will have expired, or all that ever will. So the work is in proportion to what it gives back.
    private func visit(_ page: Int, _ c: SlabClass, held: Held, now: Moment, counters: CounterBlock) -> Int {
        let meta = arena.pages + page
        let chunkBytes = c.state.pointee.chunkBytes
        let id = arena.classOfPage[page].load(ordering: .relaxed)
        // How many items expire within 1, 2, 3, 4, 6, 8, 12, 16 … seconds.
        var due = InlineArray<64, UInt16>(repeating: 0)
        var expiring = 0
        var checked: UInt64 = 0
        var victims = Victims()
        var orphans = Orphans()
        var reclaimed = 0
        meta.pointee.visitAt = .max
        for index in 0..<Int(meta.pointee.carved) {
            let handle = arena.handle(page: page, offset: index * chunkBytes)
            let item = arena.item(handle)
            guard item.shapeAcquired & Item.linked != 0 else { continue }
            checked += 1
            let exptime = item.exptime
            guard exptime != .never else { continue }
            if exptime > now {
                due[Self.interval(exptime.rawValue - now.rawValue)] += 1
                expiring += 1
                continue
            }
            if handle == held.pinned { continue }
            victims.add(handle)
            if victims.count == Victims.max {
                reclaimed += evict(
                    victims, from: c, held: held, now: now, counters: counters, orphans: &orphans)
                victims = Victims()
                if orphans.count > 0 {
                    c.lock.unlock()
                    freeOrphans(orphans)
                    orphans = Orphans()
                    c.lock.lock()
                    guard arena.classOfPage[page].load(ordering: .relaxed) == id else { return reclaimed }
                }
            }
        }
        reclaimed += evict(victims, from: c, held: held, now: now, counters: counters, orphans: &orphans)
        counters.add(.crawlerItemsChecked, slabClass: id, checked)
        counters.add(.crawlerReclaimed, slabClass: id, UInt64(reclaimed))
        if expiring > 0 {
            let enough = max(1, c.state.pointee.perPage / 16)
            var sum = 0
            var interval = 0
            while interval < 63 {
                sum += Int(due[interval])
                if sum >= enough || sum == expiring { break }
                interval += 1
            }
            let visitAt = now.rawValue &+ Self.intervalSeconds(interval)
            meta.pointee.visitAt = min(meta.pointee.visitAt, visitAt)
        }
        if orphans.count > 0 {
            c.lock.unlock()
            freeOrphans(orphans)
            c.lock.lock()
        }
        return reclaimed
    }

    /// Intervals grow by half octaves: the smallest i with intervalSeconds(i) ≥ seconds.
    static func interval(_ seconds: UInt32) -> Int {
        if seconds <= 1 { return 0 }
        let octave = 31 - (seconds - 1).leadingZeroBitCount
        let low = 2 * octave + 1
        return min(63, intervalSeconds(low) >= seconds ? low : low + 1)
    }
    /// 1, 1.5 → 2, 2, 3, 4, 6, 8, 12 …: the end of interval i.
    static func intervalSeconds(_ i: Int) -> UInt32 {
        let octave = UInt32(i / 2)
        guard octave < 31 else { return .max / 2 }
        return i % 2 == 0 ? 1 << octave : max((3 << octave) / 2, (1 << octave) + 1)
    }

    // MARK: Flushed items

    /// Sweeps what `flush_all` has killed out of up to `buckets` buckets, and lifts the mark of a stripe that
    /// is clean, so that sequence numbers may wrap. Returns false when no stripe has a mark.
    func sweepFlushed(_ cursor: inout FlushCursor, buckets: Int, counters: CounterBlock) -> Bool {
        var left = buckets
        while left > 0, cursor.stripe < Stripe.count {
            let stripe = stripe(cursor.stripe)
            stripe.lock.lock()
            let state = stripe.state
            guard state.pointee.hasFlush else {
                stripe.lock.unlock()
                cursor.stripe += 1
                continue
            }
            if !cursor.isInside || cursor.flushedThrough != state.pointee.flushedThrough {
                cursor = FlushCursor(
                    stripe: cursor.stripe, bucket: 0, flushedThrough: state.pointee.flushedThrough,
                    isInside: true)
            }
            var here = min(left, 64)
            while here > 0, cursor.bucket < Int(geometry(cursor.stripe).buckets) {
                dropFlushed(bucket(stripe: cursor.stripe, cursor.bucket), stripe, counters: counters)
                cursor.bucket += 1
                here -= 1
                left -= 1
            }
            if cursor.bucket >= Int(geometry(cursor.stripe).buckets) {
                state.pointee.hasFlush = false
                cursor = FlushCursor(stripe: cursor.stripe + 1)
            }
            stripe.lock.unlock()
        }
        guard cursor.stripe >= Stripe.count else { return true }
        cursor = FlushCursor()
        return false
    }

    private func dropFlushed(_ home: Bucket, _ stripe: Stripe, counters: CounterBlock) {
        var i = 0
        var bucket = home
        while true {
            while i < Bucket.slots {
                let handle = bucket.handle(i)
                if handle != 0, stripe.isFlushed(arena.item(handle).sequence) {
                    let hash = hash(of: arena.item(handle))
                    // Removal may fill the slot from the end of the chain, or free this very bucket: look
                    // again from the start.
                    unlink(handle, Slot(bucket: bucket, index: i), hash: hash, counters: counters)
                    counters.add(.reclaimed, 1)
                    bucket = home
                    i = 0
                } else {
                    i += 1
                }
            }
            if bucket.overflow == 0 { return }
            bucket = Bucket(arena.pointer(bucket.overflow))
            i = 0
        }
    }

    // MARK: Pages

    /// Returns pages whose chunks are all free, and pages above a lowered limit. Looks at `looks` pages a
    /// call, in a ring.
    func returnPages(_ cursor: inout Int, looks: Int, now: Moment, counters: CounterBlock) {
        let (frontier, excess) = arena.read { ($0.frontier, $0.pagesUsed - $0.pagesLimit) }
        for _ in 0..<min(looks, frontier) {
            cursor = cursor + 1 < frontier ? cursor + 1 : 0
            let id = arena.classOfPage[cursor].load(ordering: .relaxed)
            guard id != 0, id != Arena.indexPage else { continue }
            let c = slabClass(id)
            c.lock.lock()
            let meta = arena.pages + cursor
            let isEmpty =
                arena.classOfPage[cursor].load(ordering: .relaxed) == id
                && c.state.pointee.pageCount > 1 && meta.pointee.ringNext != Arena.noPage
                && meta.pointee.freeCount == meta.pointee.carved && !meta.pointee.isLeaving
                && c.state.pointee.availableHead != UInt32(cursor)
            if isEmpty {
                removePage(cursor, from: c)
                arena.givePage(cursor)
            }
            c.lock.unlock()
        }
        guard excess > 0 else { return }
        for _ in 0..<min(excess, 64) {
            guard shrinkByOnePage(now: now, counters: counters) else { return }
        }
    }
}

/// Where the sweep after `flush_all` stands.
struct FlushCursor {
    var stripe = 0
    var bucket = 0
    var flushedThrough: UInt32 = 0
    var isInside = false
}

/// What the housekeeping thread remembers between its steps.
struct Chores {
    private var flush = FlushCursor()
    private var page = 0
    private var searches = InlineArray<256, Search>(repeating: Search())
    private var ahead = PopulatedAhead()

    /// One step: the time it takes is bounded, and what is left is done in the next.
    mutating func step(_ core: borrowing Core, _ counters: CounterBlock) {
        let now = Moment(core.shared.clock.pointee.load(ordering: .relaxed))
        core.shared.note(.housekeeperRuns)
        ahead.step(core.arena)
        reap(core, now, counters)
        _ = core.sweepFlushed(&flush, buckets: 4096, counters: counters)
        core.returnPages(&page, looks: 512, now: now, counters: counters)
    }

    private mutating func reap(_ core: borrowing Core, _ now: Moment, _ counters: CounterBlock) {
        let asked = core.shared.crawling.pointee.load(ordering: .acquiring) != 0
        guard asked || core.shared.crawlerOff.pointee.load(ordering: .relaxed) == 0 else { return }
        var isDone = true
        for id in 1..<core.table.sizes.count {
            let c = core.slabClass(UInt8(id))
            c.lock.lock()
            let pages = c.state.pointee.pageCount
            if pages > 0, c.state.pointee.visitAt <= now.rawValue {
                searches[id].begin(UInt8(id), now, counters)
            }
            core.reapDue(
                c, looks: min(pages + 1, 4096), visits: 64, held: Held(), now: now, counters: counters)
            let next = c.state.pointee.visitAt
            c.lock.unlock()
            isDone = isDone && next > now.rawValue
            if next > now.rawValue { searches[id].end(UInt8(id), next, now, counters) }
        }
        if asked, isDone { core.shared.crawling.pointee.store(0, ordering: .releasing) }
    }
}

/// A search of one class's pages for expired items, which may take several steps; what was counted before it.
private struct Search {
    private var isUnderWay = false
    private var start = Moment(0)
    private var examined: UInt64 = 0
    private var reclaimed: UInt64 = 0

    mutating func begin(_ id: UInt8, _ now: Moment, _ counters: CounterBlock) {
        if isUnderWay { return }
        isUnderWay = true
        start = now
        examined = counters.value(.crawlerItemsChecked, slabClass: id)
        reclaimed = counters.value(.crawlerReclaimed, slabClass: id)
    }

    /// Tells those who watch, if there was anything to look at.
    mutating func end(_ id: UInt8, _ next: UInt32, _ now: Moment, _ counters: CounterBlock) {
        guard isUnderWay else { return }
        isUnderWay = false
        // `stats reset` may have come in between.
        let examined = counters.value(.crawlerItemsChecked, slabClass: id) &- examined
        let reclaimed = counters.value(.crawlerReclaimed, slabClass: id) &- reclaimed
        guard examined > 0, examined < 1 << 48, reclaimed <= examined else { return }
        counters.evictionLog.pointee?.recordSearch(
            slabClass: id, examined: examined, reclaimed: reclaimed,
            seconds: now.rawValue - start.rawValue, next: next == .max ? -1 : Int64(next - now.rawValue))
    }
}
