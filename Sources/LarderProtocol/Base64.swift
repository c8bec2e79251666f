// Base64 for binary keys of the meta commands (flag b).
import LarderStore

/// A key decoded from base64; 250 characters make at most 189 bytes.
typealias DecodedKey = InlineArray<192, UInt8>

enum Base64 {
    /// Decodes `text`; nil if it isn't whole base64. Bytes that belong to no alphabet are passed over.
    static func decode(_ text: Span<UInt8>, into key: inout DecodedKey) -> Int? {
        var count = 0
        for i in text.indices where value(text[i]) != nil { count += 1 }
        guard count > 0, count % 4 == 0, count / 4 * 3 <= key.count else { return nil }
        var length = 0
        var block: UInt32 = 0
        var filled = 0
        var padding = 0
        for i in text.indices {
            guard let value = value(text[i]) else { continue }
            if text[i] == 0x3D { padding += 1 }
            block = block << 6 | UInt32(value)
            filled += 1
            guard filled == 4 else { continue }
            key[length] = UInt8(truncatingIfNeeded: block >> 16)
            key[length + 1] = UInt8(truncatingIfNeeded: block >> 8)
            key[length + 2] = UInt8(truncatingIfNeeded: block)
            length += 3
            block = 0
            filled = 0
            if padding > 2 { return nil }
            if padding > 0 { return length - padding }
        }
        return length
    }

    /// Whether `text` can be decoded.
    static func isWhole(_ text: Span<UInt8>) -> Bool {
        guard text.count <= WorkerContext.longestKey else { return false }
        var key = DecodedKey(repeating: 0)
        return decode(text, into: &key) != nil
    }

    /// Appends `bytes` as base64.
    static func append(_ bytes: Span<UInt8>, to reply: inout ReplyBuffer) {
        var i = 0
        while i + 3 <= bytes.count {
            let block = UInt32(bytes[i]) << 16 | UInt32(bytes[i + 1]) << 8 | UInt32(bytes[i + 2])
            append(block, digits: 4, to: &reply)
            i += 3
        }
        let rest = bytes.count - i
        guard rest > 0 else { return }
        let block = UInt32(bytes[i]) << 16 | (rest == 2 ? UInt32(bytes[i + 1]) << 8 : 0)
        append(block, digits: rest + 1, to: &reply)
        for _ in rest..<3 { reply.append(byte: 0x3D) }
    }

    private static func append(_ block: UInt32, digits: Int, to reply: inout ReplyBuffer) {
        for i in 0..<digits {
            reply.append(byte: digit(UInt8(truncatingIfNeeded: block >> UInt32(18 - 6 * i)) & 63))
        }
    }

    private static func digit(_ value: UInt8) -> UInt8 {
        switch value {
        case 0..<26: 0x41 + value
        case 26..<52: 0x61 + value - 26
        case 52..<62: 0x30 + value - 52
        case 62: 0x2B
        default: 0x2F
        }
    }

    /// The six bits of a digit (0 for the padding); nil for any other byte.
    private static func value(_ digit: UInt8) -> UInt8? {
        switch digit {
        case 0x41...0x5A: digit - 0x41
        case 0x61...0x7A: digit - 0x61 + 26
        case 0x30...0x39: digit - 0x30 + 52
        case 0x2B: 62
        case 0x2F: 63
        case 0x3D: 0
        default: nil
        }
    }
}
