// Where threads leave what `watch` shows: one fixed ring per producing thread, emptied by the journal. All
// memory is taken once at start; a full ring drops the newest event and counts it, so that a slow watcher
// never slows a worker.
import Glibc
import Synchronization

/// What all rings of a server share: which kinds anybody watches, and the number that orders events of all
/// threads.
@safe
public struct EventLog: @unchecked Sendable {
    // Safe to share: only atomics behind the pointers. They live on two cache lines, since every worker reads
    // the mask once per receive while the sequence is written per event. Never freed: a server has one, for
    // good.
    private let maskWord: UnsafeMutablePointer<Atomic<UInt32>>
    private let sequenceWord: UnsafeMutablePointer<Atomic<UInt64>>

    public init() {
        let memory = UnsafeMutableRawPointer.allocate(byteCount: 256, alignment: 128)
        memory.initializeMemory(as: UInt8.self, repeating: 0, count: 256)
        maskWord = memory.assumingMemoryBound(to: Atomic<UInt32>.self)
        sequenceWord = (memory + 128).assumingMemoryBound(to: Atomic<UInt64>.self)
    }

    /// Bits of what is to be recorded: the kinds somebody watches and, from the protocol's side, `stats
    /// detail`.
    @inline(__always)
    public var mask: UInt32 { maskWord.pointee.load(ordering: .relaxed) }

    /// Sets the bits of `mask` that lie in `field`, leaving the others alone.
    public func setMask(_ bits: UInt32, in field: UInt32) {
        var old = maskWord.pointee.load(ordering: .relaxed)
        while true {
            let (done, seen) = maskWord.pointee.weakCompareExchange(
                expected: old, desired: old & ~field | bits & field, ordering: .relaxed)
            if done { return }
            old = seen
        }
    }

    /// The number of the next event; a new watcher sees only what is numbered after it came.
    public func nextSequence() -> UInt64 {
        sequenceWord.pointee.wrappingAdd(1, ordering: .relaxed).newValue
    }
}

/// An event without its text. What `line` means, and which fields it uses, is the protocol's business.
public struct EventRecord: Sendable {
    /// Set by the ring.
    public internal(set) var sequence: UInt64 = 0
    public internal(set) var seconds: Int64 = 0
    public internal(set) var microseconds: Int32 = 0
    public internal(set) var payloadLength: UInt16 = 0
    public var slabClass: UInt8 = 0
    /// Which line this becomes, and two small numbers it spells as words.
    public var line: UInt8 = 0
    public var status: UInt8 = 0
    public var command: UInt8 = 0
    /// The one bit of the mask this event belongs to.
    public var kind: UInt32 = 0
    /// The client's connection number.
    public var descriptor: Int32 = 0
    public var lastAccessSeconds: UInt32 = 0
    public var size: UInt64 = 0
    public var ttl: Int64 = 0
    public init(kind: UInt32, line: UInt8) {
        self.kind = kind
        self.line = line
    }
}

/// One thread's events on their way to the journal. One thread offers, one thread (at a time) takes.
@safe
public struct EventRing: @unchecked Sendable {
    /// Payloads are cut here: a key has at most 250 bytes, a raw command is shown by its beginning.
    public static let payloadMax = 500
    private static let headerBytes = MemoryLayout<EventRecord>.stride

    /// Cursors count bytes since start; the producer's and the consumer's side have a cache line each.
    private struct Cursors: ~Copyable {
        let offered = Atomic<UInt64>(0)
        let written = Atomic<UInt64>(0)
        let dropped = Atomic<UInt64>(0)
        let spacing = (UInt64(0), UInt64(0), UInt64(0), UInt64(0), UInt64(0), UInt64(0), UInt64(0), UInt64(0))
        let taken = Atomic<UInt64>(0)
    }

    public let log: EventLog
    // Safe to share: bytes between `taken` and `offered` belong to the consumer, all others to the producer,
    // and the cursors are atomics with release/acquire. Never freed: a server has one per thread, for good.
    private let cursors: UnsafeMutablePointer<Cursors>
    private let bytes: UnsafeMutableRawPointer
    private let capacity: UInt64

    /// A ring of at least `capacity` bytes; nil if memory can't be had.
    public init?(capacity: Int, log: EventLog) {
        var size = 4096
        while size < capacity, size < 1 << 30 { size <<= 1 }
        guard let bytes = malloc(size) else { return nil }
        self.bytes = bytes
        self.capacity = UInt64(size)
        self.log = log
        cursors = UnsafeMutablePointer<Cursors>.allocate(capacity: 1)
        cursors.initialize(to: Cursors())
    }

    // MARK: Producer

    /// Leaves an event; false if there was no room (then it is counted as dropped).
    @discardableResult
    public func offer(_ record: EventRecord, payload: Span<UInt8>) -> Bool {
        var record = record
        let length = min(payload.count, Self.payloadMax)
        let needed = UInt64(Self.headerBytes + length + 7) & ~7
        let at = cursors.pointee.offered.load(ordering: .relaxed)
        guard at &- cursors.pointee.taken.load(ordering: .acquiring) &+ needed <= capacity else {
            count(dropped: true)
            return false
        }
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        record.seconds = Int64(time.tv_sec)
        record.microseconds = Int32(truncatingIfNeeded: time.tv_nsec / 1000)
        record.payloadLength = UInt16(truncatingIfNeeded: length)
        record.sequence = log.nextSequence()
        withUnsafeBytes(of: &record) { copyIn($0.baseAddress!, $0.count, at: at) }
        let textAt = at &+ UInt64(Self.headerBytes)
        payload.withUnsafeBufferPointer {
            if length > 0 { copyIn(UnsafeRawPointer($0.baseAddress!), length, at: textAt) }
        }
        count(dropped: false)
        cursors.pointee.offered.store(at &+ needed, ordering: .releasing)
        return true
    }

    private func count(dropped: Bool) {
        // One writer: a relaxed load and store need no locked instruction.
        if dropped {
            cursors.pointee.dropped.store(droppedCount &+ 1, ordering: .relaxed)
        } else {
            cursors.pointee.written.store(writtenCount &+ 1, ordering: .relaxed)
        }
    }

    private func copyIn(_ source: UnsafeRawPointer, _ count: Int, at position: UInt64) {
        let start = Int(position & (capacity &- 1))
        let first = min(count, Int(capacity) - start)
        memcpy(bytes + start, source, first)
        if first < count { memcpy(bytes, source + first, count - first) }
    }

    // MARK: Consumer

    public var droppedCount: UInt64 { cursors.pointee.dropped.load(ordering: .relaxed) }
    public var writtenCount: UInt64 { cursors.pointee.written.load(ordering: .relaxed) }

    /// The oldest event's record, left in place; nil if there is none. Merging several rings by `sequence`
    /// gives the order in which things happened.
    public func peek() -> EventRecord? {
        let at = cursors.pointee.taken.load(ordering: .relaxed)
        guard at != cursors.pointee.offered.load(ordering: .acquiring) else { return nil }
        var record = EventRecord(kind: 0, line: 0)
        withUnsafeMutableBytes(of: &record) { copyOut($0.baseAddress!, Self.headerBytes, at: at) }
        return record
    }

    /// Takes the oldest event; its payload replaces what `payload` held.
    public func take(_ payload: inout [UInt8]) -> EventRecord? {
        guard let record = peek() else { return nil }
        let at = cursors.pointee.taken.load(ordering: .relaxed)
        let length = Int(record.payloadLength)
        payload.removeAll(keepingCapacity: true)
        payload.append(contentsOf: repeatElement(0, count: length))
        payload.withUnsafeMutableBytes {
            if length > 0 { copyOut($0.baseAddress!, length, at: at &+ UInt64(Self.headerBytes)) }
        }
        let used = UInt64(Self.headerBytes + length + 7) & ~7
        cursors.pointee.taken.store(at &+ used, ordering: .releasing)
        return record
    }

    private func copyOut(_ target: UnsafeMutableRawPointer, _ count: Int, at position: UInt64) {
        let start = Int(position & (capacity &- 1))
        let first = min(count, Int(capacity) - start)
        memcpy(target, bytes + start, first)
        if first < count { memcpy(target + first, bytes, count - first) }
    }
}
