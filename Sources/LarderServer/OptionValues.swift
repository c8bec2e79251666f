// How the text of an option becomes a value: each function takes one argument and returns it checked, or says
// in one phrase what is wrong with it.

/// What is wrong with an option's argument; the parser puts the option's name and the argument before it.
struct BadValue: Error, Equatable {
    let reason: String
    init(_ reason: String) { self.reason = reason }
}

enum Value {
    static func integer(_ text: String, in range: ClosedRange<Int>) throws(BadValue) -> Int {
        let span = "from \(range.lowerBound) to \(range.upperBound)"
        guard let value = Int(text), range.contains(value) else {
            throw BadValue("must be a whole number \(span)")
        }
        return value
    }

    /// A decimal fraction; `above` itself is too low.
    static func factor(_ text: String, above low: Double, upTo high: Double) throws(BadValue) -> Double {
        let isPlain = text.utf8.allSatisfy { ($0 >= 0x30 && $0 <= 0x39) || $0 == 0x2E }
        guard isPlain, let value = Double(text), value > low, value <= high else {
            let limits = high < 1e9 ? "above \(short(low)), at most \(short(high))" : "above \(short(low))"
            throw BadValue("must be a number \(limits)")
        }
        return value
    }

    /// Bytes, or with k or m kibibytes or mebibytes.
    static func size(_ text: String) throws(BadValue) -> Int {
        var digits = Substring(text)
        var unit = 1
        switch digits.last {
        case "k", "K": unit = 1 << 10
        case "m", "M": unit = 1 << 20
        default: break
        }
        if unit > 1 { digits.removeLast() }
        guard let count = Int(digits), count >= 0, count <= 1 << 40 else {
            throw BadValue("must be a number of bytes, or one with k or m")
        }
        let (bytes, overflow) = count.multipliedReportingOverflow(by: unit)
        guard !overflow, bytes >= 1024 else { throw BadValue("must be at least 1024 bytes") }
        guard bytes <= 1 << 30 else { throw BadValue("must be at most a gigabyte") }
        return bytes
    }

    static func octal(_ text: String) throws(BadValue) -> Int {
        guard let mode = Int(text, radix: 8), mode >= 0, mode <= 0o777 else {
            throw BadValue("must be an octal mode from 0 to 777")
        }
        return mode
    }

    static func byte(_ text: String) throws(BadValue) -> UInt8 {
        guard text.utf8.count == 1, let byte = text.utf8.first, byte > 0x20, byte != 0x7F else {
            throw BadValue("must be one visible character")
        }
        return byte
    }

    static func word(_ text: String) throws(BadValue) -> String {
        guard !text.isEmpty else { throw BadValue("must not be empty") }
        return text
    }

    static func path(_ text: String) throws(BadValue) -> String {
        guard !text.isEmpty, text.utf8.count < 4096 else { throw BadValue("must be a path") }
        return text
    }

    static func unixPath(_ text: String) throws(BadValue) -> String {
        guard !text.hasPrefix("@"), UnixAddress(text) != nil else {
            throw BadValue("must be a path of 1 to 107 bytes")
        }
        return text
    }

    /// Ascending sizes with a dash between them.
    static func slabSizes(_ text: String) throws(BadValue) -> [Int] {
        var sizes: [Int] = []
        for part in text.split(separator: "-", omittingEmptySubsequences: false) {
            guard let size = Int(part), size >= 48, size <= 1 << 20 else {
                throw BadValue("must be sizes from 48 to 1048576 with a dash between them")
            }
            guard size > (sizes.last ?? 0) + 8 else {
                throw BadValue("each size must be more than 8 bytes above the one before")
            }
            sizes.append(size)
        }
        guard sizes.count <= 62 else { throw BadValue("must be at most 62 sizes") }
        return sizes
    }

    private static func short(_ value: Double) -> String {
        value == value.rounded() ? "\(Int(value))" : "\(value)"
    }
}
