// `stats detail`: requests counted by key prefix, the part before the delimiter. Shared by all workers behind
// one lock, which only those pay who have turned it on; prefixes come from clients, so their number and bytes
// are bounded.
import LarderStore

final class PrefixStatistics: Sendable {
    /// More prefixes than anybody reads; a key whose prefix is not among the first is not counted.
    static let prefixesMax = 10_000
    /// Bytes of all prefixes together.
    static let bytesMax = 1 << 20
    /// Open addressing wants air: a power of two above 1.5 × `prefixesMax`.
    private static let slotCount = 16_384

    enum Request { case hit, miss, set, delete }

    private struct Entry {
        /// Hash of the prefix; 0 marks a free slot.
        var hash: UInt64 = 0
        var start = 0
        var length = 0
        var gets: UInt64 = 0
        var hits: UInt64 = 0
        var sets: UInt64 = 0
        var deletes: UInt64 = 0
    }

    private struct Table {
        /// Empty until the first prefix comes: who never turns this on pays no memory for it.
        var slots = [Entry]()
        /// Slot numbers in order of arrival.
        var order = [Int]()
        var bytes = [UInt8]()
    }

    private let delimiter: UInt8
    private let table = Guarded(Table())

    init(delimiter: UInt8) { self.delimiter = delimiter }

    /// Counts a request for `key`; a key without the delimiter has no prefix and isn't counted.
    func count(_ key: Span<UInt8>, _ request: Request, store: StoreClient) {
        var length = 0
        while length < key.count, key[length] != delimiter { length += 1 }
        guard length < key.count else { return }
        // The store's hash is keyed: clients can't choose prefixes that collide.
        let hash = store.hash(key.extracting(0..<length))
        count(key, length: length, hash: hash, request)
    }

    /// `hash` is given, so that tests need no store.
    func count(_ key: Span<UInt8>, length: Int, hash: UInt64, _ request: Request) {
        var prefix = [UInt8]()
        prefix.reserveCapacity(length)
        for i in 0..<length { prefix.append(key[i]) }
        let hash = hash == 0 ? 1 : hash
        table.withLock { table in
            guard let slot = Self.slot(of: prefix, hash, in: &table) else { return }
            switch request {
            case .hit:
                table.slots[slot].gets &+= 1
                table.slots[slot].hits &+= 1
            case .miss: table.slots[slot].gets &+= 1
            case .set: table.slots[slot].sets &+= 1
            case .delete: table.slots[slot].deletes &+= 1
            }
        }
    }

    private static func slot(of prefix: [UInt8], _ hash: UInt64, in table: inout Table) -> Int? {
        if table.slots.isEmpty { table.slots = [Entry](repeating: Entry(), count: slotCount) }
        var slot = Int(truncatingIfNeeded: hash) & (slotCount - 1)
        while table.slots[slot].hash != 0 {
            let entry = table.slots[slot]
            if entry.hash == hash, entry.length == prefix.count,
                table.bytes[entry.start..<entry.start + entry.length].elementsEqual(prefix)
            {
                return slot
            }
            slot = (slot + 1) & (slotCount - 1)
        }
        guard table.order.count < prefixesMax, table.bytes.count + prefix.count <= bytesMax else {
            return nil
        }
        table.slots[slot] = Entry(hash: hash, start: table.bytes.count, length: prefix.count)
        table.bytes += prefix
        table.order.append(slot)
        return slot
    }

    func reset() { table.withLock { $0 = Table() } }

    /// One line per prefix, in order of arrival.
    func appendDump(to reply: inout ReplyBuffer) {
        let copy = table.withLock { $0 }
        for slot in copy.order {
            let entry = copy.slots[slot]
            reply.append("PREFIX ")
            reply.append(copy.bytes.span.extracting(entry.start..<entry.start + entry.length))
            reply.append(" get \(entry.gets) hit \(entry.hits) set \(entry.sets) del \(entry.deletes)\r\n")
        }
        reply.append("END\r\n")
    }
}
