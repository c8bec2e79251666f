// An item as its caller sees it while the stripe's lock is held: what it is, and what may be done to it in
// place.
import Glibc

/// An item while its stripe is locked for the caller. Ends with the call it was lent for.
@safe
public struct LockedItem: ~Copyable {
    private let client: StoreClient
    private let hash: UInt64
    private var handle: Handle
    private var item: Item

    /// Takes over the stripe's lock, which the caller holds.
    @inline(__always)
    init(client: StoreClient, handle: Handle, hash: UInt64, item: Item) {
        self.client = client
        self.hash = hash
        self.handle = handle
        self.item = item
    }

    deinit { core.pointee.stripe(Core.stripeIndex(hash)).lock.unlock() }

    private var core: UnsafeMutablePointer<Core> { @inline(__always) get { client.core } }

    // MARK: What it is

    public var clientFlags: UInt32 { item.clientFlags(item.shape) }
    public var valueLength: Int { item.valueLength(item.shape) }
    public var keyLength: Int { Item.keyLength(item.shape) }
    /// Unique among all items; 0 with -C.
    public var cas: UInt64 { core.pointee.cas(of: item, item.shape, Core.stripeIndex(hash)) }
    public var exptime: Moment { item.exptime }
    public func lastAccess(now: Moment) -> Moment { item.lastAccess(now: now) }
    /// Fetched since it was stored.
    public var isFetched: Bool { item.access & Item.fetched != 0 }
    public var isStale: Bool { item.shape & Item.stale != 0 }
    public var isWinSent: Bool { item.shape & Item.winSent != 0 }
    public var slabClass: UInt8 { core.pointee.arena.slabClass(of: handle) }
    /// Header, key and value, bytes.
    public var totalSize: Int { item.totalBytes(item.shape) }

    public func appendKey(to reply: inout ReplyBuffer) {
        let shape = item.shape
        reply.append(pointer: item.p + Item.keyOffset(shape), count: Item.keyLength(shape))
    }

    /// The value and its `\r\n`: copied, or pinned when it is long. False: no memory for replies, nothing was
    /// appended.
    public func appendValue(to reply: inout ReplyBuffer) -> Bool {
        let shape = item.shape
        if shape & Item.chained != 0 {
            return core.pointee.pin(handle, item, shape, stripe: Core.stripeIndex(hash), into: &reply)
        }
        let bytes = Item.inlineValueLength(shape) &+ Item.lineEndBytes
        guard reply.reserve(bytes) else { return false }
        reply.put(item.p + Item.valueOffset(shape), bytes)
        return true
    }

    // MARK: Changes in place

    /// A hit: last access, fetched, and a point more with the eviction policy.
    public func recordAccess(now: Moment) { item.recordAccess(now: now, core.pointee.bias) }

    public func setExptime(_ exptime: Moment) {
        core.pointee.setExptime(exptime, of: item, handle, now: client.now)
    }
    public func setStale(_ on: Bool) { mark(Item.stale, on) }
    public func setWinSent(_ on: Bool) { mark(Item.winSent, on) }
    private func mark(_ bit: UInt32, _ on: Bool) {
        let shape = item.shape
        item.publishShape(on ? shape | bit : shape & ~bit)
    }

    /// A new cas: the one given, or (nil) the next of the stripe. The item may have to be copied to make room
    /// for a chosen one; where that can't be had, and in a long value without it, the stripe's next has to
    /// do: what clients know is out of date in any case.
    public mutating func setCAS(_ cas: UInt64?) {
        let shape = item.shape
        if cas == nil || shape & Item.hasCAS != 0 || !core.pointee.options.usesCAS {
            return core.pointee.assignCAS(item, shape, Core.stripeIndex(hash), cas)
        }
        // Room for a chosen cas comes by storing the item anew, with its marks.
        let access = item.access
        let value = UnsafeRawBufferPointer(
            start: item.p + Item.valueOffset(shape), count: Item.inlineValueLength(shape))
        guard shape & Item.chained == 0, rewrite(value, clientFlags: item.clientFlags(shape), newCAS: cas)
        else {
            return core.pointee.assignCAS(item, item.shape, Core.stripeIndex(hash), nil)
        }
        item.publishShape(item.shape | shape & (Item.stale | Item.winSent))
        item.updateAccess(core.pointee.bias) { $0 | access & Item.fetched }
    }

    // MARK: Changes of the value

    /// incr and decr: wraps at 2^64, stops at 0. Flags and exptime stay, the cas is new.
    public mutating func adjust(by delta: UInt64, decrement: Bool, newCAS: UInt64? = nil) -> Adjustment {
        let shape = item.shape
        guard shape & Item.chained == 0, let old = number(shape) else { return .nonNumeric }
        let new = decrement ? (delta > old ? 0 : old - delta) : old &+ delta
        return withUnsafeTemporaryAllocation(byteCount: 20, alignment: 1) { digits in
            let n = Decimal.write(new, to: digits.baseAddress!)
            let value = UnsafeRawBufferPointer(rebasing: digits[0..<n])
            guard rewrite(value, clientFlags: item.clientFlags(shape), newCAS: newCAS) else {
                return .outOfMemory
            }
            // A number that needs no more room is taken for the same item, as stale as before.
            if n <= Item.inlineValueLength(shape) {
                item.publishShape(item.shape | shape & (Item.stale | Item.winSent))
            }
            return .value(new)
        }
    }

    /// The item stays, its value goes and its client flags are these (`md` with x). False, and nothing has
    /// changed, if memory for that can't be had.
    public mutating func dropValue(clientFlags: UInt32 = 0, newCAS: UInt64? = nil) -> Bool {
        rewrite(UnsafeRawBufferPointer(start: nil, count: 0), clientFlags: clientFlags, newCAS: newCAS)
    }

    /// Stores another value for the same key, keeping the exptime. The item may move.
    private mutating func rewrite(_ value: UnsafeRawBufferPointer, clientFlags: UInt32, newCAS: UInt64?)
        -> Bool
    {
        let shape = item.shape
        let old = item
        var request = WriteRequest()
        request.mode = .replace
        request.clientFlags = clientFlags
        request.exptime = item.exptime
        request.newCAS = newCAS
        let key = UnsafeRawBufferPointer(start: old.p + Item.keyOffset(shape), count: Item.keyLength(shape))
        let writer = Writer(client: client, key: key, place: core.pointee.place(hash), request: request,
            now: client.now)
        var marks = writer.marks(clientFlags)
        // Optional fields that are there already stay: so the value changes where it lies.
        if shape & Item.hasCAS != 0 { marks |= Item.hasCAS }
        if shape & Item.hasFlags != 0 { marks |= Item.hasFlags }
        let fetched = item.access & Item.fetched
        let chunk = writer.store(value, replacing: handle, marks: marks)
        guard chunk != 0 else { return false }
        handle = chunk
        item = core.pointee.arena.item(chunk)
        item.updateAccess(core.pointee.bias) { $0 | fetched }
        return true
    }

    /// Removes the item; the lock goes with it.
    public consuming func delete() {
        guard let slot = core.pointee.slot(of: handle, hash: hash) else { return }
        core.pointee.unlink(handle, slot, hash: hash, counters: client.counters)
    }

    /// The value as memcached reads a number: blanks before it, an optional +, digits, and after them a blank
    /// or the end.
    private func number(_ shape: UInt32) -> UInt64? {
        let value = UnsafeRawBufferPointer(
            start: item.p + Item.valueOffset(shape), count: Item.inlineValueLength(shape))
        func isBlank(_ byte: UInt8) -> Bool { byte == 0x20 || (byte >= 0x09 && byte <= 0x0D) }
        var i = 0
        while i < value.count, isBlank(value[i]) { i += 1 }
        if i < value.count, value[i] == 0x2B { i += 1 }
        let first = i
        var number: UInt64 = 0
        while i < value.count, value[i] >= 0x30, value[i] <= 0x39 {
            let (times, over) = number.multipliedReportingOverflow(by: 10)
            let (sum, carry) = times.addingReportingOverflow(UInt64(value[i] - 0x30))
            if over || carry { return nil }
            number = sum
            i += 1
        }
        guard i > first, i == value.count || isBlank(value[i]) else { return nil }
        return number
    }
}
