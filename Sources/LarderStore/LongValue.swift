// Values longer than the largest chunk: a head with the key and the first bytes, then parts in order. Value
// and line end run through all of them. What is read of a chain is read under the stripe's lock or under a
// pin.

/// A long value kept in place while it is being sent.
public struct PinnedValue: Sendable {
    var head: Handle
    var stripe: UInt32
    /// Value and line end, bytes.
    public var length: Int
    public var sent = 0
}

/// The runs of memory that value and line end of an item lie in, in order.
struct ChainReader {
    private let core: UnsafeMutablePointer<Core>
    private var left: Int
    private var run: UnsafeMutableRawBufferPointer?
    private var part: Handle

    init(_ core: UnsafeMutablePointer<Core>, head: Handle) {
        self.core = core
        let item = core.pointee.arena.item(head)
        let shape = item.shape
        left = item.valueLength(shape) + Item.lineEndBytes
        let start = Item.valueOffset(shape)
        let room = shape & Item.chained != 0 ? SlabClassTable.largestChunk - start : left
        run = UnsafeMutableRawBufferPointer(start: item.p + start, count: min(room, left))
        part = shape & Item.chained != 0 ? item.firstPart(shape) : 0
    }

    /// Bytes that lie in one piece.
    init(_ core: UnsafeMutablePointer<Core>, bytes: UnsafeRawBufferPointer) {
        self.core = core
        left = bytes.count
        run = UnsafeMutableRawBufferPointer(mutating: bytes)
        part = 0
    }

    /// The value of a reservation, its line end left out.
    init(_ core: UnsafeMutablePointer<Core>, _ reservation: borrowing Reservation) {
        self.core = core
        left = reservation.valueLength
        let item = core.pointee.arena.item(reservation.head)
        let marks = reservation.marks
        let isLong = marks & Item.chained != 0
        let start = Item.keyOffset(marks) + reservation.keyLength
        let room = isLong ? SlabClassTable.largestChunk - start : left
        run = UnsafeMutableRawBufferPointer(start: item.p + start, count: min(room, left))
        part = isLong ? item.firstPart(marks) : 0
    }

    mutating func next() -> UnsafeMutableRawBufferPointer? {
        guard left > 0 else { return nil }
        if let first = run {
            run = nil
            left -= first.count
            return first
        }
        guard part != 0 else { return nil }
        let item = core.pointee.arena.item(part)
        let size = core.pointee.table.sizes[Int(core.pointee.arena.slabClass(of: part))] - Item.headerBytes
        part = item.partNext
        let bytes = UnsafeMutableRawBufferPointer(start: item.p + Item.headerBytes, count: min(size, left))
        left -= bytes.count
        return bytes
    }
}

/// Memory for one value, taken as its bytes arrive. Whatever ends the conversation gives it back.
@safe
public struct Reservation: ~Copyable {
    let client: StoreClient
    let hash: UInt64
    private var key = InlineArray<256, UInt8>(repeating: 0)
    let keyLength: Int
    public let valueLength: Int
    public private(set) var received = 0
    /// The head; 0 before the first byte came, or when memory could not be had.
    private(set) var head: Handle = 0
    private var lastPart: Handle = 0
    /// The chunk the cursor is in; parts behind it may have been opened ahead.
    private var current: Handle = 0
    /// Where the next byte goes, and how many fit there.
    private var cursor: UnsafeMutableRawPointer?
    private var room = 0
    private(set) var hasFailed = false
    /// Marks the head's layout was made with.
    let marks: UInt32
    private let onProbation: Bool
    /// Bytes that the chunks opened so far have room for.
    private var opened = 0

    init(
        client: StoreClient, key: UnsafeRawBufferPointer, hash: UInt64, valueLength: Int, marks: UInt32,
        onProbation: Bool
    ) {
        self.onProbation = onProbation
        self.client = client
        self.hash = hash
        self.valueLength = valueLength
        keyLength = key.count
        for i in 0..<min(key.count, 256) { self.key[i] = key[i] }
        let bytes = Item.bytes(keyLength: key.count, valueLength: valueLength, marks: marks)
        self.marks = bytes > SlabClassTable.largestChunk ? marks | Item.chained : marks
    }

    deinit {
        guard head != 0 else { return }
        let core = client.core
        let item = core.pointee.arena.item(head)
        let parts = marks & Item.chained != 0 ? item.firstPart(marks) : 0
        core.pointee.release(head)
        core.pointee.freeParts(parts)
    }

    public var isComplete: Bool { received == valueLength }

    var copyOfKey: InlineArray<256, UInt8> { key }

    func withKey<Result>(_ body: (UnsafeRawBufferPointer) -> Result) -> Result {
        key.span.withUnsafeBufferPointer {
            body(UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer($0)[0..<keyLength]))
        }
    }

    /// Takes as many of `bytes` as the value still needs; returns how many. When memory can't be had they are
    /// counted and dropped, and the commit answers `.outOfMemory`.
    public mutating func append(_ bytes: Span<UInt8>) -> Int {
        let wanted = min(bytes.count, valueLength - received)
        bytes.withUnsafeBufferPointer { source in
            append(UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(source)[0..<wanted]))
        }
        received += wanted
        return wanted
    }

    /// Copies bytes to the cursor, part after part, without counting them.
    mutating func append(_ source: UnsafeRawBufferPointer) {
        var done = 0
        while done < source.count, openRoom() {
            let n = min(room, source.count - done)
            cursor!.copyMemory(from: source.baseAddress! + done, byteCount: n)
            cursor! += n
            room -= n
            done += n
        }
    }

    /// Copies all runs of another value.
    mutating func append(_ source: ChainReader) {
        var source = source
        while let run = source.next() { append(UnsafeRawBufferPointer(run)) }
    }

    /// The runs of memory the next bytes go to, for a socket to read into. Memory is taken ahead of the bytes
    /// only for four times what has come already (and at least one chunk), so that a client gets no more than
    /// it pays for.
    public mutating func freeRuns() -> FreeRuns {
        var runs = FreeRuns()
        guard received < valueLength, openRoom() else { return runs }
        var left = valueLength - received
        var ahead = max(received * 4, SlabClassTable.largestChunk)
        runs.add(cursor!, min(room, left))
        left -= room
        ahead -= room
        var part = current
        while left > 0, ahead > 0, runs.count < FreeRuns.max {
            let next = partAfter(part)
            if next == 0, !openPart() { break }
            part = partAfter(part)
            let size = partRoom(part)
            runs.add(client.core.pointee.arena.item(part).p + Item.headerBytes, min(size, left))
            left -= size
            ahead -= size
        }
        return runs
    }

    /// `bytes` of the last free runs are filled.
    public mutating func markReceived(_ bytes: Int) {
        received += bytes
        var left = bytes
        while left > 0 {
            let n = min(left, room)
            cursor! += n
            room -= n
            left -= n
            if left > 0, !openRoom() { return }
        }
    }

    /// Writes the line end behind a complete value.
    mutating func close() {
        var lineEnd: (UInt8, UInt8) = (13, 10)
        withUnsafeBytes(of: &lineEnd) { append($0) }
    }

    /// Makes sure that the cursor has room for at least a byte: in the next part, which may have been opened
    /// ahead.
    private mutating func openRoom() -> Bool {
        if room > 0 { return true }
        guard !hasFailed else { return false }
        if head == 0 {
            if openHead() { return true }
        } else if partAfter(current) != 0 || openPart() {
            current = partAfter(current)
            cursor = client.core.pointee.arena.item(current).p + Item.headerBytes
            room = partRoom(current)
            return true
        }
        hasFailed = true
        return false
    }

    /// The part behind `part`, or behind the head; 0 if it hasn't been opened.
    private func partAfter(_ part: Handle) -> Handle {
        let arena = client.core.pointee.arena
        if part == head { return marks & Item.chained != 0 ? arena.item(head).firstPart(marks) : 0 }
        return arena.item(part).partNext
    }

    private func partRoom(_ part: Handle) -> Int {
        let core = client.core
        return core.pointee.table.sizes[Int(core.pointee.arena.slabClass(of: part))] - Item.headerBytes
    }

    private mutating func openHead() -> Bool {
        let core = client.core
        let bytes = Item.bytes(keyLength: keyLength, valueLength: valueLength, marks: marks)
        let isLong = marks & Item.chained != 0
        let id =
            isLong
            ? core.pointee.classID(forBytes: SlabClassTable.largestChunk)
            : core.pointee.classID(forBytes: bytes)
        let chunk = core.pointee.allocate(
            id, probation: onProbation, exptime: .never, held: Held(), now: client.now,
            counters: client.counters)
        guard chunk != 0 else { return false }
        head = chunk
        let item = core.pointee.arena.item(chunk)
        if isLong {
            item.setChainLength(valueLength, marks)
            item.setPins(0, marks)
            item.setFirstPart(0, marks)
        }
        let keyOffset = Item.keyOffset(marks)
        let keyLength = self.keyLength
        withKey { (item.p + keyOffset).copyMemory(from: $0.baseAddress!, byteCount: keyLength) }
        cursor = item.p + keyOffset + keyLength
        room = isLong ? SlabClassTable.largestChunk - keyOffset - keyLength : valueLength + Item.lineEndBytes
        opened = room
        current = chunk
        return true
    }

    /// Adds a part to the end of the chain.
    private mutating func openPart() -> Bool {
        let core = client.core
        // What no chunk opened so far has room for, line end included.
        let left = valueLength + Item.lineEndBytes - opened
        guard left > 0 else { return false }
        let bytes = min(left + Item.headerBytes, SlabClassTable.largestChunk)
        let chunk = core.pointee.allocatePart(bytes, now: client.now, counters: client.counters)
        guard chunk != 0 else { return false }
        let item = core.pointee.arena.item(chunk)
        item.partNext = 0
        item.partOwner = head
        item.partHash = UInt32(truncatingIfNeeded: hash)
        item.publishShape(Item.part | Item.reserved)
        if lastPart == 0 {
            core.pointee.arena.item(head).setFirstPart(chunk, marks)
        } else {
            core.pointee.arena.item(lastPart).partNext = chunk
        }
        lastPart = chunk
        opened += partRoom(chunk)
        return true
    }

    /// The chunks are the index's now.
    mutating func handOver() -> Handle {
        let chunk = head
        var part = partAfter(head)
        while part != 0 {
            let item = client.core.pointee.arena.item(part)
            item.publishShape(Item.part)
            part = item.partNext
        }
        head = 0
        return chunk
    }
}
