// Answers that walk over all items: `lru_crawler metadump` and `mgdump`, `stats cachedump`, `stats sizes`. A
// dump is a cursor that goes on whenever its client has read what it was sent: it never blocks a worker for
// more than a step, and a client that stops reading costs nothing but the cursor.
import LarderStore

/// A class, so that a session not dumping carries one word for it. Used by one thread at a time, as its
/// session is.
final class DumpCursor {
    enum Form: Equatable {
        case metadump
        case mgdump
        /// At most so many lines.
        case cachedump(limit: UInt32)
        case sizes
    }

    /// Items looked at in one step: some tens of microseconds.
    static let itemsPerStep = 200
    /// Reply bytes of one step after which it ends early.
    static let bytesPerStep = 64 << 10
    /// Reply bytes of a whole `stats cachedump`, as in memcached.
    static let cachedumpBytesMax = 2 << 20

    private let form: Form
    private let admin: AdminState
    private var cursor = StoreCursor()
    private var lines: UInt32 = 0
    private var bytes = 0
    private var histogram = SizeHistogram()

    /// Nil if too many dumps are under way. `classes` nil: all.
    init?(_ form: Form, classes: [UInt8]?, _ admin: AdminState) {
        guard admin.startDump() else { return nil }
        self.form = form
        self.admin = admin
        cursor.classes = classes
    }

    deinit { admin.endDump() }

    /// Goes on for one step; true when the answer is complete. The session hands the reply over to be written
    /// (or lets others have their turn, if there is nothing in it) before it asks again.
    func proceed(_ worker: inout WorkerContext, _ reply: inout ReplyBuffer) -> Bool {
        let now = worker.store.now
        let unixOfZero = worker.options.unixTimeOfMomentZero
        let start = reply.count
        var isComplete = false
        worker.store.walk(&cursor, limit: Self.itemsPerStep, now: now) { item in
            guard reply.count - start < Self.bytesPerStep, !reply.isFull, !reply.overflowed else {
                return false
            }
            let mark = reply.count
            switch form {
            case .metadump: Self.appendMeta(item, unixOfZero, &reply)
            case .mgdump: Self.appendKeyOnly(item, &reply)
            case .sizes: histogram.add(item.totalSize)
            case .cachedump(let limit):
                guard limit == 0 || lines < limit, bytes < Self.cachedumpBytesMax - 512 else {
                    isComplete = true
                    return false
                }
                if Self.appendCached(item, unixOfZero, &reply) { lines += 1 }
            }
            bytes &+= reply.count - mark
            return true
        }
        guard isComplete || cursor.isDone else { return false }
        switch form {
        case .metadump, .cachedump: reply.append("END\r\n")
        case .mgdump: reply.append("EN\r\n")
        case .sizes: histogram.append(to: &reply)
        }
        return true
    }

    // MARK: Lines

    private static func appendMeta(
        _ item: borrowing ItemView, _ unixOfZero: Int64, _ reply: inout ReplyBuffer
    ) {
        reply.append("key=")
        URIEncoding.append(item.key.span, to: &reply)
        reply.append(" exp=")
        reply.append(decimal: item.exptime == .never ? -1 : unixOfZero + Int64(item.exptime.rawValue))
        reply.append(" la=")
        reply.append(decimal: unixOfZero + Int64(item.lastAccess.rawValue))
        reply.append(" cas=")
        reply.append(decimal: item.cas)
        reply.append(item.isFetched ? " fetch=yes cls=" : " fetch=no cls=")
        reply.append(decimal: Int(item.slabClass))
        reply.append(" size=")
        reply.append(decimal: item.totalSize)
        reply.append(" flags=")
        reply.append(decimal: UInt64(item.clientFlags))
        reply.append(" \n")
    }

    private static func appendKeyOnly(_ item: borrowing ItemView, _ reply: inout ReplyBuffer) {
        let key = item.key
        reply.append("mg ")
        if isText(key) {
            reply.append(key.span)
            reply.append("\r\n")
        } else {
            appendBase64(key, &reply)
            reply.append(" b\r\n")
        }
    }

    /// False (and nothing appended) for a key that would break the line.
    private static func appendCached(
        _ item: borrowing ItemView, _ unixOfZero: Int64, _ reply: inout ReplyBuffer
    ) -> Bool {
        let key = item.key
        guard isText(key) else { return false }
        reply.append("ITEM ")
        reply.append(key.span)
        reply.append(" [")
        reply.append(decimal: item.valueLength)
        reply.append(" b; ")
        reply.append(decimal: item.exptime == .never ? 0 : unixOfZero + Int64(item.exptime.rawValue))
        reply.append(" s]\r\n")
        return true
    }

    /// Whether a key can stand in a text line as it is: neither blanks nor control bytes.
    private static func isText(_ key: [UInt8]) -> Bool { key.allSatisfy { $0 > 0x20 && $0 != 0x7F } }

    private static func appendBase64(_ key: [UInt8], _ reply: inout ReplyBuffer) {
        func digit(_ value: UInt32) -> UInt8 {
            switch UInt8(truncatingIfNeeded: value & 63) {
            case let v where v < 26: v + 0x41
            case let v where v < 52: v - 26 + 0x61
            case let v where v < 62: v - 52 + 0x30
            case 62: 0x2B
            default: 0x2F
            }
        }
        var i = 0
        while i < key.count {
            let left = key.count - i
            let word = UInt32(key[i]) << 16 | UInt32(left > 1 ? key[i + 1] : 0) << 8
                | UInt32(left > 2 ? key[i + 2] : 0)
            reply.append(byte: digit(word >> 18))
            reply.append(byte: digit(word >> 12))
            reply.append(byte: left > 1 ? digit(word >> 6) : 0x3D)
            reply.append(byte: left > 2 ? digit(word) : 0x3D)
            i += 3
        }
    }
}

/// Items counted by size, as `stats sizes` shows them: in steps of 32 bytes, above 1 MiB in steps of 1 MiB.
struct SizeHistogram {
    static let step = 32
    private static let largeStep = 1 << 20
    private static let largest = 2 << 30
    /// Counts by step; empty until the first item.
    private var small = [UInt64]()
    private var large = [UInt64]()

    mutating func add(_ size: Int) {
        guard size >= 0 else { return }
        if small.isEmpty {
            small = [UInt64](repeating: 0, count: Self.largeStep / Self.step + 1)
            large = [UInt64](repeating: 0, count: Self.largest / Self.largeStep + 1)
        }
        let bucket = (size + Self.step - 1) / Self.step
        if bucket < small.count {
            small[bucket] &+= 1
        } else {
            large[min((size + Self.largeStep - 1) / Self.largeStep, large.count - 1)] &+= 1
        }
    }

    func append(to reply: inout ReplyBuffer) {
        for (counts, step) in [(small, Self.step), (large, Self.largeStep)] {
            for (bucket, count) in counts.enumerated() where count > 0 {
                reply.append("STAT \(bucket * step) \(count)\r\n")
            }
        }
        reply.append("END\r\n")
    }
}
