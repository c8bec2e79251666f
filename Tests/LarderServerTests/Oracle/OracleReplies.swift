// Makes two daemons' answers comparable: cas uniques become the order of their first appearance, times lose
// their seconds, numbers their padding. Everything else stays as it came.

struct ReplyNormaliser {
    private var uniques: [String: Int] = [:]
    /// The last cas told about a key, as this daemon spelled it.
    private(set) var casOfKey: [String: String] = [:]

    /// The answers to commands that were each followed by `mn`, as they came.
    static func split(_ bytes: [UInt8]) -> [[UInt8]] {
        var splitter = ReplyNormaliser()
        var answers: [[UInt8]] = []
        var rest = bytes[...], start = bytes.startIndex
        while !rest.isEmpty {
            let before = rest.startIndex
            if splitter.next(&rest) == Array("MN\r\n".utf8) {
                answers.append(Array(bytes[start..<before]))
                start = rest.startIndex
            }
        }
        return answers + (start < bytes.endIndex ? [Array(bytes[start...])] : [])
    }

    mutating func text(_ bytes: [UInt8]) -> [UInt8] {
        var text: [UInt8] = []
        var rest = bytes[...]
        while !rest.isEmpty { text += next(&rest) }
        return text
    }

    /// The same for an answer that need not be equal: the cas uniques it shows are not learnt.
    mutating func text(_ bytes: [UInt8], of command: OracleCommand) -> [UInt8] {
        let known = (uniques, casOfKey)
        defer { if OracleDifference.of(command) != nil { (uniques, casOfKey) = known } }
        return text(bytes)
    }

    /// One line, with the data it announces.
    private mutating func next(_ rest: inout ArraySlice<UInt8>) -> [UInt8] {
        let end = rest.firstIndex(of: 10).map { $0 + 1 } ?? rest.endIndex
        var line = String(decoding: rest[rest.startIndex..<end], as: UTF8.self)
        rest = rest[end...]
        let lineEnd = line.hasSuffix("\r\n") ? "\r\n" : ""
        line.removeLast(lineEnd.isEmpty ? 0 : 1)
        var words = line.split(separator: " ", omittingEmptySubsequences: false).map(String.init)
        let at =
            words.first == "VALUE" && words.count >= 4 ? 3 : words.first == "VA" && words.count >= 2 ? 1 : nil
        var data: [UInt8] = []
        if let at, let length = Int(words[at]), length + 2 <= rest.count {
            data = Array(rest.prefix(length + 2))
            rest = rest.dropFirst(length + 2)
            let shorter = withoutPadding(data)
            if shorter.count != data.count {
                for index in words.indices where words[index] == "s" + words[at] {
                    words[index] = "s\(shorter.count - 2)"
                }
                words[at] = String(shorter.count - 2)
                data = shorter
            }
        }
        normalise(&words)
        return Array((words.joined(separator: " ") + lineEnd).utf8) + data
    }

    /// A number that lost digits is padded by memcached with blanks, which is none of a client's business.
    private func withoutPadding(_ data: [UInt8]) -> [UInt8] {
        let value = data.dropLast(2)
        let digits = value.prefix { (48...57).contains($0) }
        guard !digits.isEmpty, digits.count < value.count, value[digits.endIndex...].allSatisfy({ $0 == 32 })
        else {
            return data
        }
        return Array(digits) + data.suffix(2)
    }

    private mutating func normalise(_ words: inout [String]) {
        switch words.first {
        case "VALUE" where words.count == 5:
            casOfKey[words[1]] = words[4]
            words[4] = unique(words[4])
        case "VERSION": words = ["VERSION"]
        case "HD", "VA":
            let key = words.dropFirst().first { $0.hasPrefix("k") }.map { String($0.dropFirst()) }
            for index in words.indices.dropFirst() {
                let rest = String(words[index].dropFirst())
                guard Int64(rest) != nil || UInt64(rest) != nil else { continue }
                switch words[index].first {
                case "c":
                    if let key { casOfKey[key] = rest }
                    words[index] = "c" + unique(rest)
                case "t": words[index] = "t" + rounded(rest)
                case "l": words[index] = "l#"
                default: break
                }
            }
        case "ME":
            for index in words.indices.dropFirst(2) {
                let halves = words[index].split(separator: "=", maxSplits: 1).map(String.init)
                switch halves[0] {
                case "cas": words[index] = "cas=" + unique(halves[1])
                case "exp": words[index] = "exp=" + rounded(halves[1].replacing("-", with: ""))
                case "fetch": break
                default: words[index] = halves[0] + "=#"
                }
            }
        default: break
        }
    }

    private mutating func unique(_ cas: String) -> String {
        if cas == "0" { return "0" }
        if let index = uniques[cas] { return "#\(index)" }
        uniques[cas] = uniques.count
        return "#\(uniques.count - 1)"
    }

    /// A time to live, to the nearest thousand seconds.
    private func rounded(_ seconds: String) -> String {
        guard let number = Int(seconds), number >= 0 else { return seconds }
        // memcached's count of what has expired already runs below zero.
        if number > 4_000_000_000 { return "0k" }
        return "\((number + 500) / 1000)k"
    }
}
