// The keyed hash of a key: a multiply-and-fold mix of the wyhash family, with a secret drawn at start, so
// that nobody can choose keys that meet in one bucket.

struct KeyHash {
    /// Two independent secrets; the second is derived so that one 64-bit draw is enough.
    private let first: UInt64
    private let second: UInt64

    init(secret: UInt64) {
        first = secret | 1
        second = Self.fold(secret ^ 0x9E37_79B9_7F4A_7C15, 0xD6E8_FEB8_6659_FD93) | 1
    }

    /// From the system's generator.
    static func drawSecret() -> UInt64 { UInt64.random(in: 0 ... .max) }

    @inline(__always)
    private static func fold(_ a: UInt64, _ b: UInt64) -> UInt64 {
        let product = a.multipliedFullWidth(by: b)
        return product.high ^ product.low
    }

    @inline(__always)
    func callAsFunction(_ key: UnsafeRawPointer, _ length: Int) -> UInt64 {
        var seed = first ^ (UInt64(truncatingIfNeeded: length) &* 0xA076_1D64_78BD_642F)
        var a: UInt64
        var b: UInt64
        if length >= 16 {
            var offset = 0
            while offset &+ 16 < length {
                a = key.loadUnaligned(fromByteOffset: offset, as: UInt64.self)
                b = key.loadUnaligned(fromByteOffset: offset &+ 8, as: UInt64.self)
                seed = Self.fold(a ^ second, b ^ seed)
                offset &+= 16
            }
            // The last 16 bytes, overlapping what was read: no byte is left out.
            a = key.loadUnaligned(fromByteOffset: length &- 16, as: UInt64.self)
            b = key.loadUnaligned(fromByteOffset: length &- 8, as: UInt64.self)
        } else if length >= 8 {
            a = key.loadUnaligned(as: UInt64.self)
            b = key.loadUnaligned(fromByteOffset: length &- 8, as: UInt64.self)
        } else if length >= 4 {
            a = UInt64(key.loadUnaligned(as: UInt32.self))
            b = UInt64(key.loadUnaligned(fromByteOffset: length &- 4, as: UInt32.self))
        } else if length > 0 {
            a =
                UInt64(key.load(as: UInt8.self)) << 16
                | UInt64(key.load(fromByteOffset: length >> 1, as: UInt8.self)) << 8
                | UInt64(key.load(fromByteOffset: length &- 1, as: UInt8.self))
            b = 0
        } else {
            a = 0
            b = 0
        }
        return Self.fold(second ^ 0xE703_7ED1_A0B4_28DB, Self.fold(a ^ second, b ^ seed))
    }
}
