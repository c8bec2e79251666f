// The bytes of a chunk: an item, a part of a long value, or nothing. All arithmetic on this layout stands
// here.
//
//      0        1        2        3
//   +--------+--------+-----------------+
//   | keylen | marks  | value length    |  shape      written under the stripe's lock, read atomically by
// sweeps
//   +--------+--------+-----------------+
//   | sequence                          |  the stripe's number at the last write; with the stripe's index it
// is the cas
//   +-----------------------------------+
//   | exptime (free: next free handle)  |  Moment; atomic for the same reason
//   +-----------------------------------+
//   | access                            |  26 bits seconds, 2 bits round, probation, fetched, 2 bits
// frequency
//   +-----------------------------------+
//   | client flags      if HASFLAGS     |
//   | cas, 8 bytes      if HASCAS       |  a cas chosen by the client (meta E)
//   | chain, 16 bytes   if CHAINED      |  length, pins, first part, 32 bits of the hash
//   | key | value | \r\n                |
//   +-----------------------------------+
//
// A part of a long value: shape with the mark PART, next part (0: last), head's handle, 32 bits of the hash,
// data. The slab class is not stored: the page table knows it.
import Synchronization

/// 32 bits naming a chunk: its distance from the arena's start in units. 0 names none.
typealias Handle = UInt32

struct Item {
    let p: UnsafeMutableRawPointer

    @inline(__always) init(_ p: UnsafeMutableRawPointer) { self.p = p }

    static let headerBytes = 16
    static let chainBytes = 16
    static let lineEndBytes = 2

    // Shape: bits 0–7 key length, 8–15 marks, 16–31 value length (of a value that isn't chained).
    static let linked: UInt32 = 1 << 8
    /// Owned by a writer (or by readers still sending it), in no index. Of a part: its value is on its way.
    static let reserved: UInt32 = 1 << 9
    static let part: UInt32 = 1 << 10
    static let stale: UInt32 = 1 << 11
    static let winSent: UInt32 = 1 << 12
    static let hasFlags: UInt32 = 1 << 13
    static let hasCAS: UInt32 = 1 << 14
    static let chained: UInt32 = 1 << 15
    /// The marks that decide where key and value stand.
    static let layout = hasFlags | hasCAS | chained

    // Access: bits 0–1 frequency, 2 fetched, 3 probation, 4–5 round, 6–31 seconds of the last access (2
    // years, then it wraps).
    static let frequencyMask: UInt32 = 3
    static let fetched: UInt32 = 1 << 2
    static let probation: UInt32 = 1 << 3
    static let roundShift: UInt32 = 4
    static let roundMask: UInt32 = 3 << 4
    static let secondsShift: UInt32 = 6

    // MARK: Header words

    @inline(__always)
    private func atomic(_ offset: Int) -> UnsafeMutablePointer<Atomic<UInt32>> {
        (p + offset).assumingMemoryBound(to: Atomic<UInt32>.self)
    }

    var shape: UInt32 {
        @inline(__always) get { atomic(0).pointee.load(ordering: .relaxed) }
        @inline(__always) nonmutating set { atomic(0).pointee.store(newValue, ordering: .relaxed) }
    }
    /// The shape as a sweep reads it: what it says of a linked item (its key) is there.
    var shapeAcquired: UInt32 {
        @inline(__always) get { atomic(0).pointee.load(ordering: .acquiring) }
    }
    @inline(__always) func publishShape(_ shape: UInt32) {
        atomic(0).pointee.store(shape, ordering: .releasing)
    }

    var sequence: UInt32 {
        @inline(__always) get { p.load(fromByteOffset: 4, as: UInt32.self) }
        @inline(__always) nonmutating set { p.storeBytes(of: newValue, toByteOffset: 4, as: UInt32.self) }
    }
    var exptime: Moment {
        @inline(__always) get { Moment(atomic(8).pointee.load(ordering: .relaxed)) }
        @inline(__always) nonmutating set { atomic(8).pointee.store(newValue.rawValue, ordering: .relaxed) }
    }
    var access: UInt32 {
        @inline(__always) get { atomic(12).pointee.load(ordering: .relaxed) }
        @inline(__always) nonmutating set { atomic(12).pointee.store(newValue, ordering: .relaxed) }
    }
    /// Sweeps, which hold the class's lock and not the stripe's, change `access` by atomic steps only: a
    /// reader's plain store may overwrite such a step (a frequency lost, harmless), never the other way
    /// round. The step off probation is counted, and must not be lost: see `updateAccess`.
    @inline(__always) func clearAccess(_ bits: UInt32) {
        atomic(12).pointee.bitwiseAnd(~bits, ordering: .relaxed)
    }
    @inline(__always) func decrementFrequency() {
        let now = access
        guard now & Self.frequencyMask != 0 else { return }
        _ = atomic(12).pointee.compareExchange(expected: now, desired: now &- 1, ordering: .relaxed)
    }

    /// A hit: last access, fetched, and a point more with the eviction policy. Stores nothing when nothing
    /// changes.
    @inline(__always) func recordAccess(now: Moment, _ bias: Bias) {
        updateAccess(bias) { old in
            let frequency = old & Self.frequencyMask
            return now.rawValue << Self.secondsShift | old & (Self.probation | Self.roundMask) | Self.fetched
                | (frequency < 3 ? frequency &+ 1 : 3)
        }
    }

    /// Changes the access word of a linked item under its stripe's lock. Only on probation by an atomic step:
    /// a plain store could put an item back on probation that a sweep has just taken off it. Where one client
    /// is alone there is no sweep but its own.
    @inline(__always) func updateAccess(_ bias: Bias, _ change: (UInt32) -> UInt32) {
        var old = access
        if bias.isAlone {
            // Without a look at what changes: that would be a branch nobody can predict.
            access = change(old)
            return
        }
        while true {
            let new = change(old)
            if new == old { return }
            if old & Self.probation == 0 {
                access = new
                return
            }
            let step = atomic(12).pointee.compareExchange(expected: old, desired: new, ordering: .relaxed)
            if step.exchanged { return }
            old = step.original
        }
    }

    /// The last access as a moment that is never after `now`: of its seconds the lower 26 bits are kept, and
    /// who noted them may have read the clock a second later than the caller.
    func lastAccess(now: Moment) -> Moment {
        let bits = UInt32.max >> Self.secondsShift
        let ago = (now.rawValue &- access >> Self.secondsShift) & bits
        return ago > bits - 60 || ago > now.rawValue ? now : Moment(now.rawValue &- ago)
    }

    @inline(__always) static func keyLength(_ shape: UInt32) -> Int { Int(shape & 0xFF) }
    @inline(__always) static func inlineValueLength(_ shape: UInt32) -> Int { Int(shape >> 16) }
    @inline(__always) static func shape(keyLength: Int, valueLength: Int, marks: UInt32) -> UInt32 {
        UInt32(truncatingIfNeeded: keyLength) | marks | UInt32(truncatingIfNeeded: valueLength) << 16
    }

    // MARK: Optional fields

    @inline(__always) private static func casOffset(_ shape: UInt32) -> Int {
        headerBytes &+ (shape & hasFlags != 0 ? 4 : 0)
    }
    @inline(__always) private static func chainOffset(_ shape: UInt32) -> Int {
        casOffset(shape) &+ (shape & hasCAS != 0 ? 8 : 0)
    }
    /// Where the key starts.
    @inline(__always) static func keyOffset(_ shape: UInt32) -> Int {
        // The usual item has no optional field at all.
        shape & layout == 0 ? headerBytes : chainOffset(shape) &+ (shape & chained != 0 ? chainBytes : 0)
    }
    @inline(__always) static func valueOffset(_ shape: UInt32) -> Int { keyOffset(shape) &+ keyLength(shape) }

    @inline(__always) func clientFlags(_ shape: UInt32) -> UInt32 {
        shape & Self.hasFlags != 0 ? p.loadUnaligned(fromByteOffset: Self.headerBytes, as: UInt32.self) : 0
    }
    @inline(__always) func setClientFlags(_ flags: UInt32) {
        p.storeBytes(of: flags, toByteOffset: Self.headerBytes, as: UInt32.self)
    }
    @inline(__always) func chosenCAS(_ shape: UInt32) -> UInt64 {
        p.loadUnaligned(fromByteOffset: Self.casOffset(shape), as: UInt64.self)
    }
    @inline(__always) func setChosenCAS(_ cas: UInt64, _ shape: UInt32) {
        p.storeBytes(of: cas, toByteOffset: Self.casOffset(shape), as: UInt64.self)
    }

    // MARK: Chain of a long value (shape has CHAINED)

    @inline(__always) private func chainWord(_ index: Int, _ shape: UInt32) -> UInt32 {
        p.loadUnaligned(fromByteOffset: Self.chainOffset(shape) &+ index &* 4, as: UInt32.self)
    }
    @inline(__always) private func setChainWord(_ index: Int, _ shape: UInt32, _ value: UInt32) {
        p.storeBytes(of: value, toByteOffset: Self.chainOffset(shape) &+ index &* 4, as: UInt32.self)
    }
    @inline(__always) func chainLength(_ shape: UInt32) -> Int { Int(chainWord(0, shape)) }
    @inline(__always) func setChainLength(_ length: Int, _ shape: UInt32) {
        setChainWord(0, shape, UInt32(truncatingIfNeeded: length))
    }
    /// Readers that still send the value from where it lies; guarded by the stripe's lock.
    @inline(__always) func pins(_ shape: UInt32) -> UInt32 { chainWord(1, shape) }
    @inline(__always) func setPins(_ pins: UInt32, _ shape: UInt32) { setChainWord(1, shape, pins) }
    @inline(__always) func firstPart(_ shape: UInt32) -> Handle { chainWord(2, shape) }
    @inline(__always) func setFirstPart(_ part: Handle, _ shape: UInt32) { setChainWord(2, shape, part) }

    @inline(__always) func valueLength(_ shape: UInt32) -> Int {
        shape & Self.chained != 0 ? chainLength(shape) : Self.inlineValueLength(shape)
    }
    @inline(__always) func isPinned(_ shape: UInt32) -> Bool { shape & Self.chained != 0 && pins(shape) > 0 }

    // MARK: A part

    var partNext: Handle {
        @inline(__always) get { p.load(fromByteOffset: 4, as: UInt32.self) }
        @inline(__always) nonmutating set { p.storeBytes(of: newValue, toByteOffset: 4, as: UInt32.self) }
    }
    var partOwner: Handle {
        @inline(__always) get { p.load(fromByteOffset: 8, as: UInt32.self) }
        @inline(__always) nonmutating set { p.storeBytes(of: newValue, toByteOffset: 8, as: UInt32.self) }
    }
    var partHash: UInt32 {
        @inline(__always) get { p.load(fromByteOffset: 12, as: UInt32.self) }
        @inline(__always) nonmutating set { p.storeBytes(of: newValue, toByteOffset: 12, as: UInt32.self) }
    }

    // MARK: Sizes

    /// Bytes of an item whose value stands in one piece.
    @inline(__always)
    static func bytes(keyLength: Int, valueLength: Int, marks: UInt32) -> Int {
        keyOffset(marks & layout) &+ keyLength &+ valueLength &+ lineEndBytes
    }

    /// Bytes this item takes in all, its parts' headers not counted.
    func totalBytes(_ shape: UInt32) -> Int {
        Self.valueOffset(shape) &+ valueLength(shape) &+ Self.lineEndBytes
    }

    @inline(__always)
    func hasKey(_ key: UnsafeRawPointer, _ length: Int, _ shape: UInt32) -> Bool {
        guard Self.keyLength(shape) == length else { return false }
        return Item.equal(UnsafeRawPointer(p + Self.keyOffset(shape)), key, length)
    }

    /// Not 0 where the 16 bytes at `offset` differ.
    @inline(__always)
    private static func differences(_ a: UnsafeRawPointer, _ b: UnsafeRawPointer, _ offset: Int) -> UInt64 {
        let first = a.loadUnaligned(fromByteOffset: offset, as: UInt64.self)
            ^ b.loadUnaligned(fromByteOffset: offset, as: UInt64.self)
        let second = a.loadUnaligned(fromByteOffset: offset &+ 8, as: UInt64.self)
            ^ b.loadUnaligned(fromByteOffset: offset &+ 8, as: UInt64.self)
        return first | second
    }

    @inline(__always)
    private static func equal(_ a: UnsafeRawPointer, _ b: UnsafeRawPointer, _ length: Int) -> Bool {
        if length >= 16, length <= 32 {
            // The usual length, without a loop: the first and the last 16 bytes, which may overlap.
            let end = length &- 16
            return differences(a, b, 0) | differences(a, b, end) == 0
        }
        if length >= 8 {
            var i = 0
            while i &+ 8 < length {
                if a.loadUnaligned(fromByteOffset: i, as: UInt64.self)
                    != b.loadUnaligned(fromByteOffset: i, as: UInt64.self)
                {
                    return false
                }
                i &+= 8
            }
            return a.loadUnaligned(fromByteOffset: length &- 8, as: UInt64.self)
                == b.loadUnaligned(fromByteOffset: length &- 8, as: UInt64.self)
        }
        for i in 0..<length
        where a.load(fromByteOffset: i, as: UInt8.self) != b.load(fromByteOffset: i, as: UInt8.self) {
            return false
        }
        return true
    }
}
