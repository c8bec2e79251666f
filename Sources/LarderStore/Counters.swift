// Counters of one client thread: words that only this thread writes and anyone may read (relaxed), so that no
// cache line on the request path is written by two threads. `stats` adds them up.
import Synchronization

/// What one client counts for the whole store or server; names follow memcached's `stats`.
public enum Counter: Int, CaseIterable, Sendable {
    case cmdFlush, cmdTouch, cmdMeta
    /// Keys asked for by gat, gats and mg with T: part of cmd_get, but not of get_hits and get_misses.
    case cmdGat
    case getMisses, getExpired, getFlushed
    case deleteMisses, incrMisses, decrMisses, casMisses, touchMisses
    case storeTooLarge, storeNoMemory
    case authCommands, authErrors
    case bytesRead, bytesWritten
    case connYields
    case totalItems
    case evictions, evictedUnfetched, evictedActive, expiredUnfetched, reclaimed
    case crawlerReclaimed, crawlerItemsChecked
    /// Reply memory that could not be had.
    case responseOutOfMemory
    case readBufferOutOfMemory
}

/// What one client counts per slab class.
public enum ClassCounter: Int, CaseIterable, Sendable {
    case getHits, touchHits, cmdSet, deleteHits, incrHits, decrHits, casHits, casBadval
    case evicted, evictedNonzero, evictedUnfetched, evictedActive
    case reclaimed, expiredUnfetched, crawlerReclaimed, crawlerItemsChecked, outOfMemory, promoted
    /// Signed, and no statistics: items linked minus unlinked by this client, and their bytes.
    case itemsLinked, bytesRequested
}

/// One thread's block of counters, on cache lines of its own.
struct CounterBlock {
    static let classes = 256
    /// Words kept for each enum; powers of two above their case counts, so that an index is a shift and an
    /// add.
    static let globalWords = 64
    static let classWords = 32
    static let words = globalWords + classWords * classes

    let base: UnsafeMutablePointer<Atomic<UInt64>>
    /// Where this client tells its evictions, if the server gave it a log at start; behind the words.
    var evictionLog: UnsafeMutablePointer<EvictionLog?> {
        UnsafeMutableRawPointer(base + Self.words).assumingMemoryBound(to: EvictionLog?.self)
    }

    /// Nil without memory.
    init?() {
        // Most of it is never touched: few loads use all classes.
        guard let lines = Core.lines((Self.words * 8 + 127) & ~63) else { return nil }
        base = lines.assumingMemoryBound(to: Atomic<UInt64>.self)
        evictionLog.initialize(to: nil)
    }

    @inline(__always)
    private func add(_ index: Int, _ n: UInt64) {
        // One writer: a relaxed load and store need no locked instruction.
        let word = base + index
        word.pointee.store(word.pointee.load(ordering: .relaxed) &+ n, ordering: .relaxed)
    }

    @inline(__always)
    func add(_ counter: Counter, _ n: UInt64) { add(counter.rawValue, n) }

    @inline(__always)
    func add(_ counter: ClassCounter, slabClass: UInt8, _ n: UInt64) {
        add(Self.index(counter, slabClass), n)
    }

    @inline(__always)
    private static func index(_ counter: ClassCounter, _ slabClass: UInt8) -> Int {
        globalWords &+ Int(slabClass) &* classWords &+ counter.rawValue
    }

    /// Bytes evicted by this client since it last looked at the balance of classes; its own affair, in the
    /// last word.
    var pressure: UInt64 { base[Self.globalWords - 1].load(ordering: .relaxed) }
    func pressure(_ bytes: UInt64) { add(Self.globalWords - 1, bytes) }
    func clearPressure() { base[Self.globalWords - 1].store(0, ordering: .relaxed) }

    func value(_ counter: Counter) -> UInt64 { base[counter.rawValue].load(ordering: .relaxed) }
    func value(_ counter: ClassCounter, slabClass: UInt8) -> UInt64 {
        base[Self.index(counter, slabClass)].load(ordering: .relaxed)
    }
    func reset() {
        // What was never counted stays untouched, and out of the resident set.
        for i in 0..<Self.words where !Self.isGauge(i) && base[i].load(ordering: .relaxed) != 0 {
            base[i].store(0, ordering: .relaxed)
        }
    }
    /// A running balance, which `stats reset` leaves alone.
    private static func isGauge(_ index: Int) -> Bool {
        guard index >= globalWords else { return false }
        let counter = ClassCounter(rawValue: (index - globalWords) % classWords)
        return counter == .itemsLinked || counter == .bytesRequested
    }
}
