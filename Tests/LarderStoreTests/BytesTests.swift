// Scans and copies that go many bytes at a time, beside ones that go byte by byte.
import Testing

@testable import LarderStore

struct BytesTests {
    /// Every length, and a stop at every place of it.
    @Test func words() {
        var faults: [String] = []
        for count in 0...70 {
            for stop in 0...count {
                for byte: UInt8 in [0x20, 0x0D, 0x0A, 0x00] {
                    var bytes = [UInt8](repeating: 0x61, count: count)
                    if stop < count { bytes[stop] = byte }
                    // Bytes above 0x7F are part of a word, too.
                    if stop > 2 { bytes[1] = 0xFF }
                    for start in 0...count {
                        let expected = bytes[start...].firstIndex { $0 <= 0x20 } ?? count
                        let found = Bytes.wordStop(in: bytes.span, from: start)
                        if found != expected { faults.append("\(found) from \(start) in \(bytes)") }
                    }
                }
            }
        }
        #expect(faults.isEmpty)
    }

    /// Every length a short copy has a way of its own for, and some more; nothing beside it is touched.
    @Test func copies() {
        let source = (0..<400).map { UInt8(truncatingIfNeeded: $0 &* 37 &+ 11) }
        for n in 0...300 {
            for offset in [0, 1, 7] {
                var target = [UInt8](repeating: 0xEE, count: 400)
                let expected = target[..<9] + source[offset..<offset + n] + target[(9 + n)...]
                source.withUnsafeBytes { from in
                    target.withUnsafeMutableBytes { to in
                        (to.baseAddress! + 9).copyShort(from.baseAddress! + offset, n)
                    }
                }
                #expect(target == Array(expected), "\(n) bytes from \(offset)")
            }
        }
    }
}
