// One command of an oracle run: its words, its data, and the bytes it is sent as.

struct OracleCommand {
    var words: [String]
    /// The data block of a storage command, without its line end.
    var data: [UInt8]?
    var lineEnd = "\r\n"
    /// What follows the data; anything but `\r\n` is a bad data chunk.
    var dataEnd = "\r\n"
    /// Put before the first word: blanks.
    var lead = ""
    /// Between words: one blank or several.
    var gap = " "

    init(_ words: [String], data: [UInt8]? = nil) {
        self.words = words
        self.data = data
    }

    /// The bytes, with `casPlaceholder` replaced by what this daemon gave as the key's cas.
    func bytes(cas: String) -> [UInt8] {
        let line = words.joined(separator: gap).replacing(Self.casPlaceholder, with: cas)
        var bytes = Array((lead + line + lineEnd).utf8)
        if let data { bytes += data + Array(dataEnd.utf8) }
        return bytes
    }

    /// Stands for the last cas the daemon told about this key; each daemon has its own.
    static let casPlaceholder = "@cas@"

    var needsCas: Bool { words.contains { $0.contains(Self.casPlaceholder) } }
    var verb: String { words.first ?? "" }
    var isStorage: Bool { ["set", "add", "replace", "append", "prepend", "cas"].contains(verb) }
    var isMeta: Bool { ["mg", "ms", "md", "ma", "me"].contains(verb) }

    /// The keys it may change, for putting both daemons into the same state again.
    var keys: [String] {
        let candidates =
            switch verb {
            case "gat", "gats": words.dropFirst(2)
            case "get", "gets": words.dropFirst(1)
            default: words.dropFirst(1).prefix(1)
            }
        return candidates.filter { (1...250).contains($0.utf8.count) }
    }
}

/// Makes commands, most of them well formed, from a seed.
struct OracleGenerator {
    var random: SeededRandom
    /// Whether commands may contain `casPlaceholder`.
    var mayUseCas = false
    /// Whether the oracle knows the flags that came after 1.6.18.
    let modern: Bool

    static let textKeys =
        (0..<8).map { "k\($0)" }
        + [String(repeating: "L", count: 250), "caf\u{e9}", "a,b;c", "\u{1}\u{7f}"]
    static let numberKeys = (0..<5).map { "n\($0)" }
    static let encodedKeys = ["AAEC", "Zm9v", "/+8=", "IA=="]
    static let tooLong = String(repeating: "X", count: 251)

    init(seed: UInt64, modern: Bool) {
        random = SeededRandom(seed: seed)
        self.modern = modern
    }

    mutating func command() -> OracleCommand {
        var command = random.chance(40) ? meta() : classic()
        if random.chance(8) { mutate(&command) }
        if random.chance(3) { command.gap = "  " }
        if random.chance(5) { command.lineEnd = "\n" }
        return command
    }

    // MARK: parts

    mutating func key() -> String {
        if random.chance(1) { return Self.tooLong }
        return random.chance(30) ? random.pick(Self.numberKeys) : random.pick(Self.textKeys)
    }

    mutating func exptime() -> String {
        random.pick([
            "0", "0", "0", "0", "-1", "100000", "1000000", "2592000", "2592001", "1000000000",
            "2147483647", "-2147483648",
        ])
    }

    mutating func flags() -> String {
        random.pick(["0", "0", "0", "1", "65535", "65536", "2147483648", "4294967295"])
    }

    /// Values for keys that are read as numbers are numbers, so that their padding can be told from their
    /// text.
    mutating func value(for key: String) -> [UInt8] {
        if key.hasPrefix("n") {
            return Array(
                random.pick(["0", "1", "9", "10", "99", "100", "12345", "4294967295", "999999999999"]).utf8)
        }
        let size = random.pick([0, 1, 2, 3, 5, 10, 33, 100, 1000, random.below(300), random.below(9000)])
        let alphabet = Array("abcxyzEND VALUE\r\n\0\u{7f}".utf8)
        // The first byte is a letter: what incr makes of white space alone is nobody's promise.
        return (0..<size).map { $0 == 0 ? random.pick(Array("abcxyzEV".utf8)) : random.pick(alphabet) }
    }

    // MARK: classic

    mutating func classic() -> OracleCommand {
        switch random.below(100) {
        case 0..<25: return retrieval()
        case 25..<60: return storage()
        case 60..<70: return maybeQuiet(["delete", key()] + (random.chance(10) ? ["0"] : []))
        case 70..<78: return maybeQuiet(["touch", key(), exptime()])
        case 78..<92: return arithmetic()
        case 92..<94: return OracleCommand(["version"])
        case 94: return maybeQuiet(["verbosity", "0"])
        case 95: return maybeQuiet(["flush_all"] + (random.chance(50) ? ["0"] : []))
        case 96: return OracleCommand([random.pick(["shutdown", "stats reset"])])
        default:
            return OracleCommand([
                random.pick(["bogus", "GET", "sett", "getx", "quitt", "mx", "mgx", "m"]), key(),
            ])
        }
    }

    private mutating func maybeQuiet(_ words: [String]) -> OracleCommand {
        OracleCommand(words + (random.chance(15) ? ["noreply"] : []))
    }

    private mutating func retrieval() -> OracleCommand {
        let count = random.chance(60) ? 1 : random.pick([2, 3, 5, 8, 30, 100])
        let keys = (0..<count).map { _ in
            random.chance(30) ? random.pick(Self.numberKeys) : random.pick(Self.textKeys)
        }
        let verb = random.pick(["get", "get", "gets", "gat", "gats"])
        return OracleCommand([verb] + (verb.hasPrefix("gat") ? [exptime()] : []) + keys)
    }

    private mutating func storage() -> OracleCommand {
        let key = key()
        var verbs = ["set", "set", "set", "add", "replace", "cas"]
        if !Self.numberKeys.contains(key) { verbs += ["append", "prepend"] }
        let verb = random.pick(verbs)
        let data = value(for: key)
        var words = [verb, key, flags(), exptime(), String(data.count)]
        if verb == "cas" {
            words.append(
                mayUseCas && random.chance(70)
                    ? OracleCommand.casPlaceholder
                    : random.pick(["0", "1", "18446744073709551615", "77777777777"]))
        }
        var command = maybeQuiet(words)
        command.data = data
        if random.chance(2) { command.dataEnd = random.pick(["xx", "\rx", "\n\r", "\n\n"]) }
        return command
    }

    private mutating func arithmetic() -> OracleCommand {
        let key = random.chance(85) ? random.pick(Self.numberKeys) : random.pick(Self.textKeys)
        let delta = random.pick([
            "0", "1", "1", "9", "10", "100", "4294967296", "9223372036854775807",
            "18446744073709551616", "-1", "x", "1x", "99999999999999999999999",
        ])
        let verb = delta == "9223372036854775807" ? "decr" : random.pick(["incr", "decr"])
        return maybeQuiet([verb, key, delta])
    }

    // MARK: damage

    /// A command as somebody with a bug would send it.
    mutating func mutate(_ command: inout OracleCommand) {
        switch random.below(7) {
        case 0 where command.words.count > 1:
            command.words.remove(at: 1 + random.below(command.words.count - 1))
        case 1:
            command.words.insert(
                random.pick(["0", "x", "noreply", "-1", "99999999999"]),
                at: 1 + random.below(command.words.count))
        case 2 where command.words.count > 1:
            let at = 1 + random.below(command.words.count - 1)
            command.words[at] = random.pick([
                "-1", "x", "1x", "4294967296", "99999999999", Self.tooLong, "+1", "0x1",
            ])
        case 3 where command.words.count > 2:
            let at = 1 + random.below(command.words.count - 1)
            command.words.insert(command.words[at], at: at)
        case 4:
            command.words[0] += random.pick(["s", "\t", "1"])
        case 5:
            command.words = [
                random.pick(["", "x", "get", "set", "mg", "ms", "md", "ma", "me", "incr", "gat", "touch"])
            ]
            command.data = nil
        case 6 where !command.isStorage && !command.isMeta:
            command.lead = " "
        default: break
        }
        if command.words.isEmpty { command.words = [""] }
        // What is announced has to come, or the commands that follow are taken for it.
        if let length = declaredLength(command), length >= 0, length < 1 << 31 {
            if length > 10_000 {
                command.words[command.isStorage ? 4 : 2] = "x"
                command.data = nil
            } else if command.data?.count != length {
                command.data = [UInt8](repeating: 0x7A, count: length)
            }
        } else {
            command.data = nil
        }
    }

    /// The length a storage line announces, if it can be read.
    private func declaredLength(_ command: OracleCommand) -> Int? {
        let index = command.isStorage ? 4 : command.verb == "ms" ? 2 : -1
        guard command.lead.isEmpty, index > 0, command.words.count > index else { return nil }
        return Int(command.words[index])
    }
}
