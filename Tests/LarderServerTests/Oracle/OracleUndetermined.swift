// Commands the oracle run never sends: what memcached leaves to chance, what depends on the clock, and what
// its versions answer differently without either being better.

struct OracleUndetermined: Sendable {
    let reason: String
    /// Whether it concerns a 1.6.45 oracle too.
    var modernToo = true
    let covers: @Sendable (OracleCommand) -> Bool

    static func covers(_ command: OracleCommand) -> Bool {
        rows.contains { ($0.modernToo || !Surroundings.oracleIsModern) && $0.covers(command) }
    }

    private static let quietVerbs: Set<String> = [
        "set", "add", "replace", "append", "prepend", "cas", "delete", "touch", "incr", "decr", "flush_all",
        "verbosity",
    ]

    private static let rows: [OracleUndetermined] = unclearWords + unclearData + clocks

    private static let unclearWords = [
        OracleUndetermined(reason: "unknown commands that end in noreply: one memcached is silent") {
            $0.words.last == "noreply" && (!quietVerbs.contains($0.verb) || !$0.lead.isEmpty)
        },
        OracleUndetermined(reason: "whether a long line is closed upon depends on how it was cut") {
            !($0.lead.isEmpty && ["get", "gets"].contains($0.verb))
                && $0.words.reduce(0) { $0 + $1.utf8.count + 2 } > 1900
        },
        OracleUndetermined(reason: "memcached obeys flags it met before the opaque that is too long") {
            command in
            command.isMeta && command.words.count > (command.verb == "mg" ? 3 : 2)
                && command.words.contains { $0.first == "O" && $0.utf8.count > 32 }
        },
        OracleUndetermined(reason: "me with a second word") { $0.verb == "me" && $0.words.count > 2 },
        OracleUndetermined(reason: "a key called noreply") { $0.words.prefix(2) == ["delete", "noreply"] },
        OracleUndetermined(reason: "verbosity with words to spare") {
            $0.verb == "verbosity" && $0.words.count > 2 && $0.words != ["verbosity", "0", "noreply"]
        },
        OracleUndetermined(reason: "too many words: one memcached counts them, the other looks at the last") {
            ["touch", "incr", "decr"].contains($0.verb) && $0.words.count > 4
                || $0.isStorage && $0.words.count > ($0.verb == "cas" ? 7 : 6)
        },
        OracleUndetermined(reason: "noreply on a storage line without a length") {
            $0.isStorage && $0.words.count > 4 && UInt32($0.words[4]) == nil && $0.words.last == "noreply"
        },
        OracleUndetermined(reason: "C0 with I: memcached takes it for no cas at all") {
            $0.verb == "ms" && $0.words.contains("C0") && $0.words.contains("I")
        },
        OracleUndetermined(reason: "a cas where another number belongs: it differs") { command in
            let at = command.words.firstIndex { $0.contains(OracleCommand.casPlaceholder) }
            return !command.isMeta && at != nil && at != 5
        },
    ]

    private static let unclearData = [
        OracleUndetermined(reason: "a bad data chunk after a bad flag: what is left is read as commands") {
            $0.verb == "ms" && $0.dataEnd != "\r\n"
                && (OracleDifference.badMetaFlags($0) || $0.words.count > 2 && $0.words[2].hasPrefix("+"))
        },
        OracleUndetermined(
            reason: "1.6.18 runs the value of a faulty line as commands: only short ones", modernToo: false
        ) {
            guard $0.isStorage || $0.verb == "ms", let data = $0.data else { return false }
            let far =
                data.count > 40 || data.contains(10) || $0.words.last == "noreply" || $0.dataEnd != "\r\n"
            return far && OracleDifference.badStorageLine($0)
        },
        OracleUndetermined(reason: "1.6.18 takes lengths modulo 2^32", modernToo: false) {
            $0.isStorage && $0.words.count > 4 && Int($0.words[4]) ?? 0 > Int(Int32.max)
        },
        OracleUndetermined(
            reason: "1.6.18 leaves some faulty ms commands without any answer", modernToo: false
        ) {
            $0.verb == "ms" && ($0.dataEnd != "\r\n" || $0.words.count > 2 && Int32($0.words[2]) == nil)
        },
    ]

    private static let clocks = [
        OracleUndetermined(
            reason: "a flush in the future, or at a time that has passed, or with words to spare"
        ) {
            $0.verb == "flush_all" && $0.words.count > 1
                && ![["0"], ["noreply"], ["0", "noreply"]].contains(Array($0.words.dropFirst()))
        },
        OracleUndetermined(reason: "times after 2038: wrong in both memcacheds, right in Larder") { command in
            let times: ArraySlice<String> =
                switch command.verb {
                case "touch": command.words.dropFirst(2).prefix(1)
                case "gat", "gats": command.words.dropFirst(1).prefix(1)
                case _ where command.isStorage: command.words.dropFirst(3).prefix(1)
                case _ where command.isMeta:
                    ArraySlice<String>(command.words.dropFirst(2).filter { "TNR".contains($0.first ?? "-") })
                default: ArraySlice<String>()
                }
            return times.contains { Int64($0.drop { !$0.isNumber }) ?? 0 > 2_147_483_647 }
        },
    ]
}
