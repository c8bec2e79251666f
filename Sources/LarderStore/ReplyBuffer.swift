// Reply bytes on their way out: the one place where reply memory is written. Short values are copied in under
// the stripe's lock; long ones are pinned in the arena and only named here, to be written from where they
// lie.
import Glibc

/// A growing run of reply bytes with pinned values in between. Owned by one worker (or by one connection
/// whose client doesn't read). Growth is checked: when memory runs out the buffer has `overflowed` and
/// appends are dropped, until `refuse` puts an error in the place of half a reply.
@safe
public struct ReplyBuffer: ~Copyable {
    /// Above this many buffered bytes a session should hand the buffer over to be written before it goes on.
    public static let softLimit = 128 << 10
    /// Pinned bytes of one buffer above which the same holds.
    public static let pinnedLimit = 1 << 20
    private static let segmentsMax = 64
    /// Bytes behind `capacity` that only `refuse` may use: an error can always be told.
    private static let spareBytes = 64

    /// A pinned value, to be sent after `offset` bytes of the buffer.
    struct Segment {
        var offset: Int
        var value: PinnedValue
    }

    @usableFromInline var base: UnsafeMutableRawPointer?
    @usableFromInline var capacity: Int
    /// Bytes in the buffer itself, pinned values not counted.
    @usableFromInline var filled = 0
    public var count: Int { @inlinable @inline(__always) get { filled } }
    /// Bytes of `count` already sent.
    var sent = 0
    private var segments: UnsafeMutablePointer<Segment>?
    private var segmentCount = 0
    private var segmentsSent = 0
    private var pinnedBytes = 0
    /// From this many bytes on the buffer is full: `softLimit`; 0 when memory has run out or enough values
    /// are pinned, until it is sent; less while bytes are missing in it.
    @usableFromInline var limit = ReplyBuffer.softLimit
    /// Something appended is missing: what the buffer holds must not be sent.
    public var overflowed: Bool { @inlinable @inline(__always) get { limit < 0 } }

    /// An empty buffer; `capacity` 0 allocates nothing until the first append.
    public init(capacity: Int = 0) {
        base = capacity > 0 ? malloc(capacity + Self.spareBytes) : nil
        self.capacity = base == nil ? 0 : capacity
    }

    deinit {
        free(base)
        free(segments)
    }

    public var isEmpty: Bool { count == sent && segmentsSent == segmentCount }
    /// Whether a session should stop and let the buffer be written.
    @inlinable @inline(__always)
    public var isFull: Bool { count >= limit }

    /// A position to roll back to while nothing after it has been sent.
    public struct Mark: Sendable {
        var count = 0
        var segmentCount = 0
        public init() {}
        init(count: Int, segmentCount: Int) {
            self.count = count
            self.segmentCount = segmentCount
        }
    }
    public var mark: Mark { Mark(count: count, segmentCount: segmentCount) }

    /// Where what was appended after `mark` begins, among the bytes of the buffer.
    public static func start(of mark: Mark) -> Int { mark.count }

    /// At most `limit` bytes from `start` on, pinned values not among them; none when there are not so many.
    public func withBytes(from start: Int, limit: Int, _ body: (Span<UInt8>) -> Void) {
        let from = max(0, min(start, count))
        body(UnsafeRawBufferPointer(start: base.map { $0 + from }, count: min(limit, count - from))
            .bindMemory(to: UInt8.self).span)
    }

    /// Drops everything appended after `mark`, unpinning what was pinned.
    public mutating func rollback(to mark: Mark, store: StoreClient) {
        while segmentCount > mark.segmentCount {
            segmentCount -= 1
            pinnedBytes -= segments![segmentCount].value.length
            store.unpin(segments![segmentCount].value)
        }
        filled = min(count, mark.count)
        if overflowed { limit = 0 }
    }

    /// The reply begun at `mark` can't be had whole: drops it and says so with `text` (at most 64 bytes). If
    /// even that is impossible the buffer stays overflowed.
    public mutating func refuse(after mark: Mark, _ text: StaticString, store: StoreClient) {
        rollback(to: mark, store: store)
        let n = text.utf8CodeUnitCount
        guard let base, filled &+ n <= capacity &+ Self.spareBytes else {
            limit = -1
            return
        }
        memcpy(base + filled, text.utf8Start, n)
        filled &+= n
        limit = 0
    }

    /// Drops bytes appended after `mark`; no value may have been pinned since.
    public mutating func dropBytes(after mark: Mark) { filled = min(filled, mark.count) }

    /// An item in its usual form, of which nothing but key and value is stored: `VALUE <key> 0 <bytes>`, the
    /// value and its line end. `key` is followed by both. Room for them and 80 bytes more must be reserved.
    @inline(__always)
    mutating func putPlainItem(_ key: UnsafeRawPointer, _ n: Int, valueLength: Int) {
        let out = base! + filled
        out.storeBytes(of: 0x20_45_55_4C_41_56, as: UInt64.self)  // "VALUE "
        (out + 6).copyShort(key, n)
        var at = 6 &+ n
        out.storeBytes(of: 0x20_30_20, toByteOffset: at, as: UInt32.self)  // " 0 "
        at &+= 3
        at &+= Decimal.write(UInt64(truncatingIfNeeded: valueLength), to: out + at)
        out.storeBytes(of: 0x0A0D, toByteOffset: at, as: UInt16.self)
        at &+= 2
        let bytes = valueLength &+ Item.lineEndBytes
        (out + at).copyShort(key + n, bytes)
        filled &+= at &+ bytes
    }

    /// The line before a value: `VALUE <key> <flags> <bytes>[ <cas>]`. Room for the key and 80 bytes must be
    /// reserved.
    mutating func putValueLine(
        key: UnsafeRawPointer, _ n: Int, clientFlags: UInt32, length: Int, cas: UInt64?
    ) {
        filled &+= Self.writeValueLine(base! + count, key, n, clientFlags, length, cas)
    }

    @inline(__always)
    private static func writeValueLine(
        _ out: UnsafeMutableRawPointer, _ key: UnsafeRawPointer, _ n: Int, _ clientFlags: UInt32,
        _ length: Int, _ cas: UInt64?
    ) -> Int {
        out.storeBytes(of: 0x20_45_55_4C_41_56, as: UInt64.self)  // "VALUE "
        (out + 6).copyShort(key, n)
        var at = 6 &+ n
        if clientFlags == 0 {
            out.storeBytes(of: 0x20_30_20, toByteOffset: at, as: UInt32.self)  // " 0 "
            at &+= 3
        } else {
            out.storeBytes(of: 0x20, toByteOffset: at, as: UInt8.self)
            at &+= 1 &+ Decimal.write(UInt64(clientFlags), to: out + (at &+ 1))
            out.storeBytes(of: 0x20, toByteOffset: at, as: UInt8.self)
            at &+= 1
        }
        at &+= Decimal.write(UInt64(truncatingIfNeeded: length), to: out + at)
        if let cas {
            out.storeBytes(of: 0x20, toByteOffset: at, as: UInt8.self)
            at &+= 1 &+ Decimal.write(cas, to: out + (at &+ 1))
        }
        out.storeBytes(of: 0x0A0D, toByteOffset: at, as: UInt16.self)
        return at &+ 2
    }

    /// The same for a caller that holds the item otherwise (gat, whose item is also touched).
    public mutating func appendValueLine(key: Span<UInt8>, clientFlags: UInt32, length: Int, cas: UInt64?) {
        guard reserve(key.count &+ 80) else { return }
        key.withUnsafeBufferPointer {
            putValueLine(
                key: UnsafeRawPointer($0.baseAddress!), $0.count, clientFlags: clientFlags, length: length,
                cas: cas)
        }
    }

    /// Bytes for which room is reserved.
    @inline(__always)
    mutating func put(_ source: UnsafeRawPointer, _ n: Int) {
        memcpy(base! + count, source, n)
        filled &+= n
    }

    /// Makes room for `bytes` more; false (and `overflowed`) if memory can't be had.
    @inlinable @inline(__always)
    public mutating func reserve(_ bytes: Int) -> Bool {
        if count &+ bytes <= capacity { return true }
        return grow(bytes)
    }

    @inline(never) @usableFromInline
    mutating func grow(_ bytes: Int) -> Bool {
        let wanted = max(count + bytes, capacity * 2, 1024)
        guard let larger = realloc(base, wanted + Self.spareBytes) else {
            limit = -1
            return false
        }
        base = larger
        capacity = wanted
        return true
    }

    // MARK: Appending. Each call reserves for itself.

    @inlinable @inline(__always)
    public mutating func append(_ text: StaticString) {
        append(pointer: UnsafeRawPointer(text.utf8Start), count: text.utf8CodeUnitCount)
    }

    @inline(__always)
    public mutating func append(_ bytes: Span<UInt8>) {
        let n = bytes.count
        guard reserve(n) else { return }
        bytes.withUnsafeBufferPointer { source in
            if n > 0 { memcpy(base! + count, source.baseAddress!, n) }
        }
        filled &+= n
    }

    /// The range `start ..< end` of `bytes`.
    @inline(__always)
    public mutating func append(_ bytes: Span<UInt8>, from start: Int, to end: Int) {
        append(bytes.extracting(start..<end))
    }

    @inline(__always)
    public mutating func append(byte: UInt8) {
        guard reserve(1) else { return }
        (base! + count).storeBytes(of: byte, as: UInt8.self)
        filled &+= 1
    }

    /// For texts made at run time. Disfavoured, or every literal would become a `String` first.
    @_disfavoredOverload
    public mutating func append(_ text: String) {
        var text = text
        text.withUTF8 { append(pointer: UnsafeRawPointer($0.baseAddress), count: $0.count) }
    }

    /// ` <letter><number>`: a return flag of a meta command.
    public mutating func append(flag letter: UInt8, _ value: UInt64) {
        guard reserve(24) else { return }
        let out = base! + count
        out.storeBytes(of: UInt16(letter) << 8 | 0x20, as: UInt16.self)
        filled &+= 2 &+ Decimal.write(value, to: out + 2)
    }

    @inline(__always)
    public mutating func append(decimal value: UInt64) {
        guard reserve(20) else { return }
        filled &+= Decimal.write(value, to: base! + count)
    }

    public mutating func append(decimal value: Int64) {
        if value < 0 { append(byte: 0x2D) }
        append(decimal: value.magnitude)
    }

    @inline(__always)
    public mutating func append(decimal value: Int) { append(decimal: Int64(value)) }

    @inlinable @inline(__always)
    mutating func append(pointer: UnsafeRawPointer?, count n: Int) {
        guard n > 0, reserve(n) else { return }
        memcpy(base! + count, pointer!, n)
        filled &+= n
    }

    /// Names a pinned value to be sent here; the caller has pinned it. False if there is no room to remember
    /// it.
    mutating func append(pinned value: PinnedValue) -> Bool {
        if segments == nil {
            segments = malloc(Self.segmentsMax * MemoryLayout<Segment>.stride)?
                .bindMemory(to: Segment.self, capacity: Self.segmentsMax)
        }
        guard let segments, segmentCount < Self.segmentsMax else { return false }
        segments[segmentCount] = Segment(offset: count, value: value)
        segmentCount += 1
        pinnedBytes += value.length
        if segmentCount == Self.segmentsMax || pinnedBytes >= Self.pinnedLimit { limit = min(limit, 0) }
        return true
    }

    // MARK: Sending

    /// Bytes not yet sent, pinned values included.
    public var unsentBytes: Int {
        var bytes = count - sent
        for i in segmentsSent..<segmentCount { bytes += segments![i].value.length - segments![i].value.sent }
        return bytes
    }

    /// Describes the unsent bytes in order, at most `limit` pieces; returns how many were filled in.
    public func fillVectors(_ vectors: UnsafeMutablePointer<iovec>, limit: Int, store: StoreClient) -> Int {
        var pieces = 0
        var position = sent
        for i in segmentsSent..<segmentCount where pieces < limit {
            let segment = segments![i]
            if segment.offset > position {
                vectors[pieces] = iovec(iov_base: base! + position, iov_len: segment.offset - position)
                pieces += 1
                position = segment.offset
            }
            if pieces < limit {
                pieces += store.fillVectors(of: segment.value, vectors + pieces, limit: limit - pieces)
                // A value with more pieces than fit must not be followed by what comes after it.
                if pieces == limit { return pieces }
            }
        }
        if pieces < limit, count > position, base != nil {
            vectors[pieces] = iovec(iov_base: base! + position, iov_len: count - position)
            pieces += 1
        }
        return pieces
    }

    /// The unsent bytes when no pinned value is among them: the usual case, one `send`.
    @inline(__always)
    public var plain: UnsafeRawBufferPointer? {
        guard segmentCount == segmentsSent, let base else { return nil }
        return UnsafeRawBufferPointer(start: base + sent, count: count - sent)
    }

    /// `bytes` more have been sent; values sent whole are unpinned.
    public mutating func markSent(_ bytes: Int, store: StoreClient) {
        var left = bytes
        while segmentsSent < segmentCount {
            let segment = segments! + segmentsSent
            let before = min(left, segment.pointee.offset - sent)
            sent += before
            left -= before
            if sent < segment.pointee.offset { return }
            let part = min(left, segment.pointee.value.length - segment.pointee.value.sent)
            segment.pointee.value.sent += part
            left -= part
            if segment.pointee.value.sent < segment.pointee.value.length { return }
            store.unpin(segment.pointee.value)
            pinnedBytes -= segment.pointee.value.length
            segmentsSent += 1
        }
        sent += left
    }

    /// Forgets everything; pinned values are unpinned. The memory is kept for the next use.
    @inline(__always)
    public mutating func reset(store: StoreClient) {
        if segmentCount > 0 { dropSegments(store: store) }
        filled = 0
        sent = 0
        limit = Self.softLimit
    }

    @inline(never)
    private mutating func dropSegments(store: StoreClient) {
        while segmentsSent < segmentCount {
            store.unpin(segments![segmentsSent].value)
            segmentsSent += 1
        }
        segmentCount = 0
        segmentsSent = 0
        pinnedBytes = 0
    }

    /// Moves the unsent part into a buffer of its own, sized to fit; self is empty afterwards. Nil if memory
    /// can't be had (then self is unchanged).
    public mutating func takeUnsent(store: StoreClient) -> ReplyBuffer? {
        let bytes = count - sent
        var other = ReplyBuffer(capacity: max(bytes, 1))
        guard other.base != nil else { return nil }
        for i in segmentsSent..<segmentCount {
            var segment = segments![i]
            segment.offset -= sent
            guard other.append(pinned: segment.value) else { return nil }
            other.segments![other.segmentCount - 1].offset = segment.offset
        }
        if bytes > 0 { memcpy(other.base!, base! + sent, bytes) }
        other.filled = bytes
        segmentCount = 0
        segmentsSent = 0
        pinnedBytes = 0
        filled = 0
        sent = 0
        limit = Self.softLimit
        return other
    }
}

/// Decimal digits, written without allocation.
enum Decimal {
    /// Writes `value`'s digits at `out` (room for 20 needed); returns how many.
    @inline(__always)
    static func write(_ value: UInt64, to out: UnsafeMutableRawPointer) -> Int {
        if value < 10 {
            out.storeBytes(of: UInt8(truncatingIfNeeded: value) &+ 0x30, as: UInt8.self)
            return 1
        }
        if value < 1000 {
            // The usual length of a value: digits by multiplication, at most one byte too many written.
            let v = UInt32(truncatingIfNeeded: value)
            let hundreds = (v &* 656) >> 16
            let rest = v &- hundreds &* 100
            let tens = (rest &* 103) >> 10
            let low = tens &+ 0x30 | (rest &- tens &* 10 &+ 0x30) << 8
            if hundreds == 0 {
                out.storeBytes(of: UInt16(truncatingIfNeeded: low), as: UInt16.self)
                return 2
            }
            out.storeBytes(of: UInt8(truncatingIfNeeded: hundreds &+ 0x30), as: UInt8.self)
            out.storeBytes(of: UInt16(truncatingIfNeeded: low), toByteOffset: 1, as: UInt16.self)
            return 3
        }
        let n = digits(value)
        var v = value
        var i = n
        while v >= 10 {
            let q = v / 10
            i &-= 1
            out.storeBytes(
                of: UInt8(truncatingIfNeeded: v &- q &* 10) &+ 0x30, toByteOffset: i, as: UInt8.self)
            v = q
        }
        out.storeBytes(of: UInt8(truncatingIfNeeded: v) &+ 0x30, as: UInt8.self)
        return n
    }

    @inline(__always)
    static func digits(_ value: UInt64) -> Int {
        var n = 1
        var bound: UInt64 = 10
        while n < 20, value >= bound {
            n &+= 1
            let (next, overflow) = bound.multipliedReportingOverflow(by: 10)
            if overflow { return value >= bound ? 20 : n }
            bound = next
        }
        return n
    }
}
