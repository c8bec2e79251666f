// The store's shared state: constants after start, each changing thing behind the lock named beside it.
//
// Lock order, complete: stripe → slab class → overflow pool → arena. A second stripe only by try-lock; never
// two slab classes. Under a lock nothing but memory is touched: no system call, no log, no allocation.
//
// Stripes and classes are locked by way of `bias`: see there for who must say so first.
//
// LINKED is set under the stripe's lock and cleared under the stripe's and the class's: so under the class's
// lock the key of a linked item can be read, and a sweep can find victims without their stripes.
import CIntrinsics
import Glibc
import Synchronization

/// Reached through one pointer that lives as long as the process; no field changes after `init`.
struct Core: ~Copyable {
    /// Gives the struct an address of its own: without an atomic in it each call of a method that isn't
    /// inlined would pass a copy of all its 336 bytes.
    private let addressed = Atomic<UInt8>(0)
    let arena: Arena
    let keyHash: KeyHash
    let table: SlabClassTable
    let options: StoreOptions
    /// 1024 stripes, 64 bytes each.
    let stripes: UnsafeMutableRawPointer
    /// `Geometry` of each stripe; written under the stripe's lock, read without it by prefetches.
    let geometries: UnsafeMutablePointer<Atomic<UInt64>>
    /// Arena page of index page j; 0 while there is none.
    let indexPages: UnsafeMutablePointer<Atomic<UInt32>>
    let indexPagesMax: Int
    /// By class id.
    let classes: UnsafeMutableRawPointer
    let classOfUnits: UnsafeMutablePointer<UInt8>
    let shared: SharedWords
    let bias: Bias
    /// Blocks of counters: one a client, the last for housekeeping.
    let counters: [CounterBlock]

    @inline(__always) func slabClass(_ id: UInt8) -> SlabClass {
        SlabClass(classes + Int(id) &* SlabClass.bytes)
    }
    @inline(__always) var overflowPool: SlabClass { slabClass(Arena.indexPage) }
    @inline(__always) func classID(forBytes bytes: Int) -> UInt8 { classOfUnits[(bytes &+ 7) >> 3] }

    @inline(__always) func hash(of item: Item) -> UInt64 {
        let shape = item.shape
        return keyHash(item.p + Item.keyOffset(shape), Item.keyLength(shape))
    }

    /// Nil if the address space or the memory for the tables can't be had; the process then has no use for
    /// what was.
    init?(_ options: StoreOptions) {
        guard let arena = Arena(limit: options.memoryLimit) else { return nil }
        // Every bucket an item could need when the smallest chunks fill all memory.
        let indexPagesMax = max(arena.pagesReserved / 8, 16)
        guard
            let pointers = mmap(
                nil, indexPagesMax * 4, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
                -1, 0),
            pointers != MAP_FAILED,
            let stripes = Self.lines(Stripe.count * Stripe.bytes),
            let geometries = Self.lines(Stripe.count * 8),
            let classes = Self.lines(256 * SlabClass.bytes)
        else { return nil }
        let counters = (0...options.clients).compactMap { _ in CounterBlock() }
        guard counters.count == options.clients + 1, let bias = Bias(clients: counters.dropLast()) else {
            return nil
        }
        self.arena = arena
        self.indexPagesMax = indexPagesMax
        self.options = options
        indexPages = pointers.bindMemory(to: Atomic<UInt32>.self, capacity: indexPagesMax)
        keyHash = KeyHash(secret: options.hashSecret ?? KeyHash.drawSecret())
        table = SlabClassTable(
            factor: options.growthFactor, minimumSpace: options.minimumSpace, explicit: options.slabSizes,
            grain: 1 << Int(arena.shift))
        self.stripes = stripes
        self.geometries = geometries.assumingMemoryBound(to: Atomic<UInt64>.self)
        self.classes = classes
        classOfUnits = .allocate(capacity: table.classOfUnits.count)
        classOfUnits.initialize(from: table.classOfUnits, count: table.classOfUnits.count)
        shared = SharedWords()
        self.bias = bias
        self.counters = counters
        for id in 0..<256 {
            var state = SlabClassState()
            let isUsed = id > 0 && id < table.sizes.count
            guard isUsed || id == Int(Arena.indexPage) else { continue }
            if isUsed {
                state.chunkBytes = table.sizes[id]
                state.perPage = SlabClassTable.pageBytes / table.sizes[id]
            }
            slabClass(UInt8(id)).state.initialize(to: state)
        }
        // The arena's first page is the index's first: so handle 0 is no item's.
        let first = arena.takePage(for: Arena.indexPage)
        precondition(first == 0)
        arena.state.pointee.indexPages = 1
        for i in 0..<Stripe.count {
            stripe(i).state.initialize(to: StripeState())
            setGeometry(Geometry(buckets: 1, mask: 0), stripe: i)
        }
    }

    /// Zeroed memory for as long as the process lives, on pages of its own: what of it is never used is
    /// never resident. Nil if there is none.
    static func lines(_ bytes: Int) -> UnsafeMutableRawPointer? {
        let memory = mmap(nil, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
        return memory == MAP_FAILED ? nil : memory
    }
}

/// Words that all threads read and few write, each on a cache line of its own.
struct SharedWords {
    /// Written once a second by housekeeping: the clock.
    let clock: UnsafeMutablePointer<Atomic<UInt32>>
    /// Page moves and what else the mover tells; written when a page moves.
    let moves: UnsafeMutablePointer<Atomic<UInt64>>
    /// Items in all; touched only with `max_items`.
    let itemCount: UnsafeMutablePointer<Atomic<Int>>
    /// When a delayed flush_all is due (seconds; 0: none).
    let flushDue: UnsafeMutablePointer<Atomic<UInt32>>
    /// Whether pages may move between classes (automove), and the stop word of maintenance.
    let automove: UnsafeMutablePointer<Atomic<UInt32>>
    /// 1: housekeeping leaves expired items alone (`lru_crawler disable`). 1: a crawl was asked for and isn't
    /// done.
    let crawlerOff: UnsafeMutablePointer<Atomic<UInt32>>
    let crawling: UnsafeMutablePointer<Atomic<UInt32>>
    /// Stripes that want the next index page, which isn't there yet.
    let stripesAsking: UnsafeMutablePointer<Atomic<Int>>
    /// One page move at a time; guards `pressures`, room for the figures of all classes.
    let moverLock: NapLock
    let pressures: UnsafeMutablePointer<ClassPressure>

    /// Indices into `moves`.
    enum Move: Int { case moved, forIndex, rescued, busy, last, housekeeperRuns, count }

    init() {
        let lines = UnsafeMutableRawPointer.allocate(byteCount: 8 * 64, alignment: 64)
        lines.initializeMemory(as: UInt8.self, repeating: 0, count: 8 * 64)
        clock = lines.assumingMemoryBound(to: Atomic<UInt32>.self)
        moves = (lines + 64).assumingMemoryBound(to: Atomic<UInt64>.self)
        itemCount = (lines + 128).assumingMemoryBound(to: Atomic<Int>.self)
        flushDue = (lines + 192).assumingMemoryBound(to: Atomic<UInt32>.self)
        automove = (lines + 256).assumingMemoryBound(to: Atomic<UInt32>.self)
        moverLock = NapLock(lines + 320)
        crawlerOff = (lines + 384).assumingMemoryBound(to: Atomic<UInt32>.self)
        crawling = (lines + 388).assumingMemoryBound(to: Atomic<UInt32>.self)
        stripesAsking = (lines + 448).assumingMemoryBound(to: Atomic<Int>.self)
        pressures = .allocate(capacity: 256)
        pressures.initialize(
            repeating: ClassPressure(id: 0, pages: 0, chunkBytes: 0, age: 0, isEvicting: false), count: 256)
        clock.pointee.store(2, ordering: .relaxed)
    }

    func note(_ move: Move, _ n: UInt64 = 1) { moves[move.rawValue].wrappingAdd(n, ordering: .relaxed) }
    func value(_ move: Move) -> UInt64 { moves[move.rawValue].load(ordering: .relaxed) }
}

/// Microseconds of the monotonic clock. A call without a switch to the kernel, but not for every request.
func monotonicMicroseconds() -> UInt64 {
    var t = timespec()
    clock_gettime(CLOCK_MONOTONIC, &t)
    return UInt64(t.tv_sec) &* 1_000_000 &+ UInt64(t.tv_nsec) / 1000
}
