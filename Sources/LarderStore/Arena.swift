// The one reservation of memory everything lives in that grows with items: chunks, index buckets, overflow
// buckets. It is handed out in pages of 64 KiB; the limit counts pages. No pointer is kept inside it, only
// handles.
import Glibc
import Synchronization

/// What the page table knows of a page. The links and counts are guarded by the lock of the class that owns
/// the page; of a free page, by the arena's lock.
struct PageMeta {
    /// The class's pages in a ring; both hands walk it. Of a free page: `ringNext` links the free list.
    var ringNext: UInt32 = 0
    var ringPrevious: UInt32 = 0
    /// The class's pages that have a free chunk.
    var availableNext: UInt32 = 0
    var availablePrevious: UInt32 = 0
    var isAvailable = false
    /// The page is being emptied: its free chunks are nobody's.
    var isLeaving = false
    /// First free chunk that was used before, and how many there are.
    var freeHead: Handle = 0
    var freeCount: UInt16 = 0
    /// Chunks from here to the end were never used.
    var carved: UInt16 = 0
    /// Items on probation in this page, and parts of long values.
    var probation: UInt16 = 0
    var parts: UInt16 = 0
    /// Microseconds (monotonic) when the main hand last left the page, or when the class got it.
    var stamp: UInt64 = 0
    /// The same of the probation hand.
    var probationStamp: UInt64 = 0
    /// When a visit for expired items is worth it; UInt32.max: nothing here expires.
    var visitAt: UInt32 = .max

    /// Whether all chunks it ever gave out are free.
    var isEmpty: Bool { freeCount == carved }
    /// Whether it holds parts of long values and nothing else: no hand finds an item here.
    var isAllParts: Bool { parts == carved }
}

struct Arena {
    static let noPage: UInt32 = 0

    let base: UnsafeMutableRawPointer
    /// A handle counts units of 2^shift bytes.
    let shift: UInt32
    /// Pages of address space; `cache_memlimit` can go up to here.
    let pagesReserved: Int
    let pages: UnsafeMutablePointer<PageMeta>
    /// Class of each page: 0 free, `indexPage` for index and overflow buckets.
    let classOfPage: UnsafeMutablePointer<Atomic<UInt8>>
    /// Guarded by `lock`.
    let state: UnsafeMutablePointer<ArenaState>
    let lock: NapLock

    static let indexPage: UInt8 = 255
    static let pageShift: UInt32 = 16

    /// Reserves address space: the limit, and room for `cache_memlimit` to grow where the system grants it.
    /// - Returns: nil if not even the limit can be had.
    init?(limit: Int) {
        let pageBytes = SlabClassTable.pageBytes
        var shift: UInt32 = 3
        while limit > Int(UInt32.max) << Int(shift) { shift += 1 }
        let limitPages = max(limit / pageBytes, 4)
        let span = min(Int(UInt32.max) << Int(shift) / pageBytes * pageBytes, max(limit, 32 << 30))
        let flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE
        var reserved = span
        var memory = Self.reserveAligned(reserved, flags)
        if memory == nil {
            reserved = limitPages * pageBytes
            memory = Self.reserveAligned(reserved, flags)
        }
        guard let memory else { return nil }
        madvise(memory, reserved, MADV_HUGEPAGE)
        madvise(memory, reserved, MADV_DONTDUMP)
        base = memory
        self.shift = shift
        pagesReserved = reserved / pageBytes

        // The tables are reserved for all of the address space and touched as far as pages are used.
        let metaBytes = pagesReserved * MemoryLayout<PageMeta>.stride
        guard let table = mmap(nil, metaBytes + pagesReserved, PROT_READ | PROT_WRITE, flags, -1, 0),
            table != MAP_FAILED
        else { return nil }
        pages = table.bindMemory(to: PageMeta.self, capacity: pagesReserved)
        classOfPage = (table + metaBytes).bindMemory(to: Atomic<UInt8>.self, capacity: pagesReserved)
        let shared = UnsafeMutableRawPointer.allocate(byteCount: 128, alignment: 64)
        shared.initializeMemory(as: UInt8.self, repeating: 0, count: 128)
        lock = NapLock(shared)
        state = (shared + 64).bindMemory(to: ArenaState.self, capacity: 1)
        // The page table is part of the limit, too.
        let tablePages = (limitPages * MemoryLayout<PageMeta>.stride + pageBytes - 1) / pageBytes
        state.initialize(to: ArenaState(pagesLimit: max(limitPages - tablePages, 3), tablePages: tablePages))
    }

    /// Address space that begins on a huge page: begun in the middle of one, the arena's last would reach
    /// beyond the limit.
    private static func reserveAligned(_ bytes: Int, _ flags: Int32) -> UnsafeMutableRawPointer? {
        let hugePage = 2 << 20
        guard let start = mmap(nil, bytes + hugePage, PROT_READ | PROT_WRITE, flags, -1, 0),
            start != MAP_FAILED
        else { return nil }
        let skipped = -Int(bitPattern: start) & (hugePage - 1)
        if skipped > 0 { munmap(start, skipped) }
        munmap(start + skipped + bytes, hugePage - skipped)
        return start + skipped
    }

    @inline(__always) func pointer(_ handle: Handle) -> UnsafeMutableRawPointer {
        base + Int(handle) &<< Int(truncatingIfNeeded: shift)
    }
    @inline(__always) func item(_ handle: Handle) -> Item { Item(pointer(handle)) }
    @inline(__always) func page(of handle: Handle) -> Int {
        Int(handle) &>> Int(truncatingIfNeeded: Self.pageShift &- shift)
    }
    @inline(__always) func address(page: Int) -> UnsafeMutableRawPointer { base + page &<< 16 }
    @inline(__always) func handle(page: Int, offset: Int) -> Handle {
        Handle(truncatingIfNeeded: (page &<< 16 &+ offset) &>> Int(truncatingIfNeeded: shift))
    }
    @inline(__always) func slabClass(of handle: Handle) -> UInt8 {
        classOfPage[page(of: handle)].load(ordering: .relaxed)
    }

    // MARK: Pages. All under `lock`, taken here.

    /// A page that nobody has, marked as `owner`'s; nil when the limit is reached. The last pages below the
    /// limit are the index's alone: it grows in the middle of an insertion, where no page can be fetched from
    /// a class.
    func takePage(for owner: UInt8) -> Int? {
        lock.lock()
        defer { lock.unlock() }
        let page: Int
        let limit = state.pointee.pagesLimit &- (owner == Self.indexPage ? 0 : state.pointee.reserve)
        guard state.pointee.pagesUsed < limit else { return nil }
        if state.pointee.freeHead != Self.noPage {
            page = Int(state.pointee.freeHead)
            state.pointee.freeHead = pages[page].ringNext
        } else if state.pointee.frontier < pagesReserved {
            page = state.pointee.frontier
            state.pointee.frontier += 1
        } else {
            return nil
        }
        state.pointee.pagesUsed += 1
        pages[page] = PageMeta()
        classOfPage[page].store(owner, ordering: .relaxed)
        return page
    }

    /// Takes back a page that nothing refers to any more.
    func givePage(_ page: Int) {
        lock.lock()
        classOfPage[page].store(0, ordering: .relaxed)
        pages[page].ringNext = state.pointee.freeHead
        state.pointee.freeHead = UInt32(page)
        state.pointee.pagesUsed -= 1
        lock.unlock()
    }

    func read<Value>(_ body: (ArenaState) -> Value) -> Value {
        lock.lock()
        defer { lock.unlock() }
        return body(state.pointee)
    }
}

/// How far memory was asked from the system ahead of its use: to take and zero a huge page lasts
/// milliseconds, which would else be a pause for whoever touches it first. Housekeeping's alone.
struct PopulatedAhead {
    private static let hugePage = (2 << 20) / SlabClassTable.pageBytes
    /// MADV_POPULATE_WRITE, where the system knows it (Linux 5.14).
    private static let populate: Int32 = 23
    private var frontier = 0
    private var end = 0

    /// As much as the last step saw come into use, twice: what doesn't grow asks for nothing, nor does a
    /// store that is all but empty.
    mutating func step(_ arena: Arena) {
        let (now, limit) = arena.read { ($0.frontier, $0.pagesLimit) }
        let grown = min(now - frontier, 16 * Self.hugePage)
        frontier = now
        guard grown > 0, now >= Self.hugePage else { return }
        let start = max(end, now / Self.hugePage * Self.hugePage)
        let wanted = (now + 2 * grown + Self.hugePage - 1) / Self.hugePage * Self.hugePage
        guard min(wanted, limit) > start else { return }
        end = min(wanted, limit)
        madvise(arena.address(page: start), (end - start) * SlabClassTable.pageBytes, Self.populate)
    }
}

struct ArenaState {
    /// Pages that may be in use. `pagesUsed` is above it for a while after `cache_memlimit` went down.
    var pagesLimit: Int
    /// Pages only the index may take.
    var reserve: Int { min(2 + pagesLimit / 4096, 4, (pagesLimit + 8) / 16) }
    /// Pages' worth of memory the page table itself takes.
    var tablePages: Int
    var pagesUsed = 0
    /// Pages from here on were never used.
    var frontier = 0
    var freeHead: UInt32 = 0
    var indexPages = 0
    var overflowPages = 0
}
