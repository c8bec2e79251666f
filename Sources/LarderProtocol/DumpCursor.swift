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
        var outOfMemory = false
        worker.store.walk(&cursor, limit: Self.itemsPerStep, now: now) { item in
            guard reply.count - start < Self.bytesPerStep, !reply.isFull else { return false }
            let mark = reply.mark
            let before = reply.count
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
            if reply.overflowed {
                // No memory for this line: it comes first next time.
                reply.rollback(to: mark, store: worker.store)
                outOfMemory = true
                return false
            }
            bytes &+= reply.count - before
            return true
        }
        if outOfMemory {
            // Nothing to send and no room to say more: the answer ends here.
            guard reply.isEmpty else { return false }
            reply.refuse(
                after: reply.mark, "SERVER_ERROR out of memory writing stats\r\n", store: worker.store)
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
        item.withKey { URIEncoding.append($0, to: &reply) }
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
        item.withKey { key in
            reply.append("mg ")
            if isText(key) {
                reply.append(key)
                reply.append("\r\n")
            } else {
                Base64.append(key, to: &reply)
                reply.append(" b\r\n")
            }
        }
    }

    /// False (and nothing appended) for a key that would break the line.
    private static func appendCached(
        _ item: borrowing ItemView, _ unixOfZero: Int64, _ reply: inout ReplyBuffer
    ) -> Bool {
        let isShown = item.withKey { key in
            guard isText(key) else { return false }
            reply.append("ITEM ")
            reply.append(key)
            return true
        }
        guard isShown else { return false }
        reply.append(" [")
        reply.append(decimal: item.valueLength)
        reply.append(" b; ")
        reply.append(decimal: item.exptime == .never ? 0 : unixOfZero + Int64(item.exptime.rawValue))
        reply.append(" s]\r\n")
        return true
    }

    /// Whether a key can stand in a text line as it is: neither blanks nor control bytes.
    private static func isText(_ key: Span<UInt8>) -> Bool {
        for i in key.indices where key[i] <= 0x20 || key[i] == 0x7F { return false }
        return true
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
