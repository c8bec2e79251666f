// One slab class: its pages, its free chunks, its hands. Everything but the lock word is guarded by that
// lock.
import Synchronization

struct SlabClassState {
    /// Bytes of a chunk, and chunks of a page.
    var chunkBytes = 0
    var perPage = 0
    var pageCount = 0
    /// Chunks handed out: linked items, parts, reservations.
    var used = 0
    /// Those of them that are parts of long values.
    var parts = 0
    /// Items on probation: new ones that nothing speaks for yet.
    var probation = 0
    /// Pages with a free chunk, most recently freed first.
    var availableHead = Arena.noPage
    /// The probation hand and the main hand: a page of the ring, and the next chunk to look at.
    var probationPage = Arena.noPage
    var probationIndex = 0
    var mainPage = Arena.noPage
    var mainIndex = 0
    /// Half rounds of the probation hand, two bits of which new items remember.
    var round: UInt32 = 0
    var pagesToRound = 0
    /// Bytes of chunks evicted since the class last got a page.
    var evictedSincePage = 0
    /// The earliest `visitAt` of its pages, or earlier. A look-out walks the ring for due pages: the next
    /// page it looks at, how many are left of its round, and the earliest `visitAt` it met in this round.
    var visitAt = UInt32.max
    var lookoutPage = Arena.noPage
    var lookoutLeft = 0
    var lookoutEarliest = UInt32.max
    /// Last access (seconds) of the last victim, for `age`.
    var lastVictimAccess: UInt32 = 0

    /// Items linked or on their way, long values once each.
    var items: Int { used - parts }
    /// Whether so many of the items are on probation that the next to go is one of them.
    var evictsUnproven: Bool { probation * 10 > items }
    /// Whether next to none of the items has been asked for: the main hand stands still.
    var isHardlyProven: Bool { (items - probation) * 10 < items }
}

struct SlabClass {
    static let bytes = 256

    let p: UnsafeMutableRawPointer
    @inline(__always) init(_ p: UnsafeMutableRawPointer) { self.p = p }

    var lock: NapLock { @inline(__always) get { NapLock(p) } }
    var state: UnsafeMutablePointer<SlabClassState> {
        @inline(__always) get { (p + 64).assumingMemoryBound(to: SlabClassState.self) }
    }
}

extension Core {
    // MARK: Pages of a class. Caller holds the class's lock.

    /// Puts a fresh page into the ring, where both hands come to it last.
    func addPage(_ page: Int, to c: SlabClass, at microseconds: UInt64) {
        let s = c.state
        let meta = arena.pages + page
        let p = UInt32(page)
        meta.pointee.stamp = microseconds
        meta.pointee.probationStamp = microseconds
        if s.pointee.pageCount == 0 {
            meta.pointee.ringNext = p
            meta.pointee.ringPrevious = p
            s.pointee.probationPage = p
            s.pointee.probationIndex = 0
            s.pointee.mainPage = p
            s.pointee.mainIndex = 0
        } else {
            // Behind the probation hand: what is stored here now is the newest.
            let next = s.pointee.probationPage
            let previous = arena.pages[Int(next)].ringPrevious
            meta.pointee.ringNext = next
            meta.pointee.ringPrevious = previous
            arena.pages[Int(previous)].ringNext = p
            arena.pages[Int(next)].ringPrevious = p
        }
        s.pointee.pageCount += 1
        s.pointee.evictedSincePage = 0
        makeAvailable(page, in: c)
    }

    /// Takes an empty page out of the class.
    func removePage(_ page: Int, from c: SlabClass) {
        let s = c.state
        let meta = arena.pages + page
        let p = UInt32(page)
        makeUnavailable(page, in: c)
        moveHands(off: page, in: c)
        s.pointee.pageCount -= 1
        let next = meta.pointee.ringNext
        if s.pointee.pageCount == 0 {
            s.pointee.probationPage = Arena.noPage
            s.pointee.mainPage = Arena.noPage
            s.pointee.lookoutPage = Arena.noPage
            return
        }
        if s.pointee.lookoutPage == p { s.pointee.lookoutPage = next }
        arena.pages[Int(meta.pointee.ringPrevious)].ringNext = next
        arena.pages[Int(next)].ringPrevious = meta.pointee.ringPrevious
    }

    /// Hands that stand before the page go on to the next.
    func moveHands(off page: Int, in c: SlabClass) {
        let s = c.state
        let next = arena.pages[page].ringNext
        if s.pointee.probationPage == page { (s.pointee.probationPage, s.pointee.probationIndex) = (next, 0) }
        if s.pointee.mainPage == page { (s.pointee.mainPage, s.pointee.mainIndex) = (next, 0) }
    }

    func makeAvailable(_ page: Int, in c: SlabClass) {
        let meta = arena.pages + page
        guard !meta.pointee.isAvailable, !meta.pointee.isLeaving else { return }
        let head = c.state.pointee.availableHead
        meta.pointee.isAvailable = true
        meta.pointee.availableNext = head
        meta.pointee.availablePrevious = Arena.noPage
        if head != Arena.noPage { arena.pages[Int(head)].availablePrevious = UInt32(page) }
        c.state.pointee.availableHead = UInt32(page)
    }

    func makeUnavailable(_ page: Int, in c: SlabClass) {
        let meta = arena.pages + page
        guard meta.pointee.isAvailable else { return }
        meta.pointee.isAvailable = false
        let (next, previous) = (meta.pointee.availableNext, meta.pointee.availablePrevious)
        if next != Arena.noPage { arena.pages[Int(next)].availablePrevious = previous }
        if previous != Arena.noPage {
            arena.pages[Int(previous)].availableNext = next
        } else {
            c.state.pointee.availableHead = next
        }
    }

    // MARK: Chunks. Caller holds the class's lock.

    /// A free chunk of the class, marked reserved; 0 if it has none.
    @inline(__always)
    func takeFreeChunk(_ c: SlabClass) -> Handle {
        let s = c.state
        let page = Int(s.pointee.availableHead)
        guard page != 0 else { return 0 }
        let meta = arena.pages + page
        let handle: Handle
        if meta.pointee.freeHead != 0 {
            handle = meta.pointee.freeHead
            meta.pointee.freeHead = arena.item(handle).exptime.rawValue
            meta.pointee.freeCount -= 1
        } else {
            handle = arena.handle(page: page, offset: Int(meta.pointee.carved) &* s.pointee.chunkBytes)
            meta.pointee.carved += 1
        }
        if meta.pointee.freeCount == 0, Int(meta.pointee.carved) == s.pointee.perPage {
            makeUnavailable(page, in: c)
        }
        s.pointee.used &+= 1
        arena.item(handle).shape = Item.reserved
        return handle
    }

    /// Gives back a chunk that is in no index.
    @inline(__always)
    func freeChunk(_ handle: Handle, _ c: SlabClass) {
        let page = arena.page(of: handle)
        let meta = arena.pages + page
        let item = arena.item(handle)
        if item.shape & Item.part != 0 {
            meta.pointee.parts &-= 1
            c.state.pointee.parts &-= 1
        } else if item.access & Item.probation != 0 {
            meta.pointee.probation &-= 1
            c.state.pointee.probation &-= 1
            item.access = 0
        }
        item.shape = 0
        item.exptime = Moment(meta.pointee.freeHead)
        meta.pointee.freeHead = handle
        meta.pointee.freeCount += 1
        c.state.pointee.used &-= 1
        if !meta.pointee.isAvailable { makeAvailable(page, in: c) }
    }
}
