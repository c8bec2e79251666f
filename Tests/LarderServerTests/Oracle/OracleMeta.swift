// Meta commands with random flags for the oracle run.

extension OracleGenerator {
    mutating func meta() -> OracleCommand {
        switch random.below(100) {
        case 0..<40: return metaGet()
        case 40..<65: return metaSet()
        case 65..<80: return metaDelete()
        case 80..<96: return metaArithmetic()
        default: return OracleCommand(["me", random.pick(Self.textKeys)])
        }
    }

    /// A key and, when it is an encoded one, the flag that says so.
    private mutating func metaKey(numbers percent: Int) -> (key: String, flags: [String]) {
        if random.chance(12) { return (random.pick(Self.encodedKeys), ["b"]) }
        if random.chance(percent) { return (random.pick(Self.numberKeys), []) }
        return (random.chance(1) ? Self.tooLong : random.pick(Self.textKeys), [])
    }

    private mutating func some(_ flags: [String], _ percent: Int) -> [String] {
        flags.filter { _ in random.chance(percent) }
    }

    /// In any order; now and then one twice, or one that doesn't exist.
    private mutating func arranged(_ flags: [String]) -> [String] {
        var flags = flags.shuffled(using: &random)
        if random.chance(2), let flag = flags.first { flags.append(flag) }
        if random.chance(2) { flags.append(random.pick(["!", "Y", "a", "\u{e9}", "Txx", "T", "-", "9"])) }
        return flags
    }

    private mutating func common() -> [String] {
        var flags = some(["k", "q"], 25)
        if random.chance(25) {
            flags.append(
                "O"
                    + random.pick([
                        "", "1", "abc", String(repeating: "o", count: 31),
                        String(repeating: "o", count: 32),
                    ]))
        }
        return flags
    }

    private mutating func ttl() -> String { random.pick(["0", "-1", "100000", "1000000", "2592001"]) }

    private mutating func metaGet() -> OracleCommand {
        var (key, flags) = metaKey(numbers: 25)
        let encoded = !flags.isEmpty
        flags += some(["v"], 60) + some(["c", "f", "l", "t"], 25) + common()
        // Whether a number that was changed counts as fetched depends on the pipeline in memcached.
        if !Self.numberKeys.contains(key) { flags += some(["h"], 25) }
        // Of a number that lost digits only the text is determined, not its size.
        if flags.contains("v") || !Self.numberKeys.contains(key) { flags += some(["s"], 25) }
        if random.chance(12) { flags.append("T" + ttl()) }
        if random.chance(12) && !encoded { flags.append("N" + random.pick(["0", "100000"])) }
        if random.chance(8) { flags.append("R" + random.pick(["1", "2000000"])) }
        if modern && random.chance(5) { flags.append("E\(1 << 40 + random.below(1000))") }
        if random.chance(3) { flags += some(["L", "P"], 50) }
        return OracleCommand(["mg", key] + arranged(flags))
    }

    private mutating func metaSet() -> OracleCommand {
        var (key, flags) = metaKey(numbers: 25)
        let data = value(for: key)
        flags += common() + some(["c"], 25)
        if modern { flags += some(["s"], 20) }
        if random.chance(30) { flags.append("T" + ttl()) }
        if random.chance(30) { flags.append("F" + self.flags()) }
        if random.chance(25) {
            var modes = ["MS", "ME", "MR", "ME", "MX", "M"]
            // An append makes memcached forget that the key was an encoded one.
            let appends = !Self.numberKeys.contains(key) && !Self.encodedKeys.contains(key)
            if appends { modes += ["MA", "MP", "MA", "MP"] }
            flags.append(random.pick(modes))
        }
        if random.chance(20) { flags.append("C" + aCas()) }
        if random.chance(8) { flags.append("I") }
        if modern && random.chance(10) { flags.append("E\(1 << 41 + random.below(1000))") }
        var command = OracleCommand(["ms", key, String(data.count)] + arranged(flags))
        command.data = data
        if random.chance(2) { command.dataEnd = "xx" }
        return command
    }

    private mutating func aCas() -> String {
        mayUseCas && random.chance(70)
            ? OracleCommand.casPlaceholder : random.pick(["0", "1", "77777777777"])
    }

    private mutating func metaDelete() -> OracleCommand {
        var (key, flags) = metaKey(numbers: 25)
        flags += common()
        if random.chance(25) { flags.append("C" + aCas()) }
        // Whether incr keeps the stale mark depends on the number's length in memcached.
        if random.chance(30) && !Self.numberKeys.contains(key) {
            flags.append("I")
            if random.chance(50) { flags.append("T" + random.pick(["100000", "0"])) }
        }
        if modern { flags += some(["x"], 10) }
        return OracleCommand(["md", key] + arranged(flags))
    }

    private mutating func metaArithmetic() -> OracleCommand {
        var (key, flags) = metaKey(numbers: 90)
        let encoded = !flags.isEmpty
        flags += common() + some(["v", "t", "c"], 30)
        if random.chance(30) {
            flags.append("D" + random.pick(["0", "1", "5", "100", "18446744073709551616", "x"]))
        }
        if random.chance(30) && !encoded {
            flags.append("N" + random.pick(["0", "100000"]))
            if random.chance(60) { flags.append("J" + random.pick(["0", "13", "4294967296"])) }
        }
        if random.chance(25) { flags.append(random.pick(["MI", "MD", "M+", "M-", "Mi", "Md", "MQ", "M"])) }
        // No T: memcached loses it when the number grows by a digit.
        if random.chance(15) { flags.append("C" + aCas()) }
        return OracleCommand(["ma", key] + arranged(flags))
    }
}
